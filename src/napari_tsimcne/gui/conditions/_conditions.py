"""The panel of conditions: what treatments do to the clusters and to the map."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QFileDialog,
    QLabel,
    QPushButton,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.explore import Coloring, Exploration
from napari_tsimcne.gui._figure_view import FigureView
from napari_tsimcne.gui._panel import Panel
from napari_tsimcne.gui._sentences import capital
from napari_tsimcne.gui._ties import Ties
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.conditions._comparing_conditions import (
    SELECTION,
    Answer,
    ConditionsJob,
    Question,
    View,
    answer,
)
from napari_tsimcne.gui.conditions._condition_form import ConditionForm
from napari_tsimcne.gui.export._exporting import frozen
from napari_tsimcne.gui.jobs._newest import Newest
from napari_tsimcne.gui.jobs._progress import Progress
from napari_tsimcne.gui.steps._column import Column
from napari_tsimcne.runs import Run

SOURCE = "conditions"
"""Of the column that is added to the patches."""

WAIT_MS = 300
"""After a change of clusters or selection, so that several changes count once."""

VIEWS: dict[View, tuple[str, str]] = {
    "shares": ("Frequency", "How frequent a cluster is in each condition."),
    "difference": ("Difference", "Where on the map there is more of one condition than another."),
    "plate": ("Plate", "The frequency of a cluster in each well of a plate."),
    "dose": ("Dose", "The frequency of a cluster against the dose."),
}
NO_COLUMNS = (
    "Nothing tells the patches of different treatments apart.\n\n"
    "When patches are cut, a table of treatments can be joined to them: in the step Images, open "
    "Metadata and choose a CSV file with a row for each image or well, or a pattern of the paths."
)
ONLY_IMAGES = (
    "Only the images tell patches apart. For treatments or doses, join a table of them in the step "
    "Images, under Metadata, when patches are cut."
)
NO_CLUSTERS = (
    "There are no clusters yet: make some on the map, or let them be found (Automatic clusters). "
    "Frequencies of the selected patches can be shown without, and Difference needs none."
)
NOTHING_SELECTED = "No patch is selected: select some on the map."
NO_MAP = "There is no map yet."
NO_WELLS = "No column names the wells of a plate, such as A01, P24 or r01c02."
NO_DOSES = "No column holds numbers that differ between images only, as doses do."
NO_DOSE = "Choose the column of the dose."
SAVED = "Write tables (CSV) and figures (PNG and PDF) of all four views into a new folder."
NOTHING_TO_SAVE = "Make clusters first: their frequencies are what is written."
NO_CONTROL = "Choose the control: what the others are compared with."
ONE_VALUE = "The condition has one value only: there is nothing to compare."


class ConditionsPanel(Panel):
    """Shows what conditions do to the shares of clusters, and to the density of the map.

    What is shown follows clusters, selection and map while the panel is seen.

    Parameters
    ----------
    run
        Whose results are saved.
    exploration
        Of its map.
    coloring
        Of the map, which can be coloured by a difference.
    """

    def __init__(self, run: Run, exploration: Exploration, coloring: Coloring) -> None:
        super().__init__()
        self._run, self._exploration, self._coloring = run, exploration, coloring
        self._answer: Answer | None = None
        self._asked: Question | None = None
        self._outdated = True
        self._newest = Newest(self)
        self._newest.failed.connect(self._on_failed)
        self._newest.busy_changed.connect(self._refresh)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(WAIT_MS)
        self._pause.timeout.connect(self._ask)
        self._build()
        self.form.offer_clusters(exploration.clusters)
        self._ties = Ties(
            self,
            (exploration.clusters.changed, self._on_clusters),
            (exploration.selection.changed, self._on_selection),
            (exploration.moved, self._on_moved),
        )
        self._on_view()

    def release(self) -> None:
        """End what is being done, and let go of the models."""
        self._ties.cut()
        self._pause.stop()
        self._newest.cancel()
        self.figures.release()
        self.progress.close_job()

    @property
    def busy(self) -> bool:
        """Whether what is shown is still to come."""
        return self._newest.busy or self._pause.isActive() or self.figures.busy

    @property
    def view(self) -> View:
        """What is shown."""
        return list(VIEWS)[self.tabs.currentIndex()]

    # --- widgets ------------------------------------------------------------------------------

    def _build(self) -> None:
        self.tabs = QTabBar()
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(True)
        for place, (name, tip) in enumerate(VIEWS.values()):
            self.tabs.addTab(name)
            self.tabs.setTabToolTip(place, tip)
        self.tabs.currentChanged.connect(self._on_view)
        self.form = ConditionForm(self._exploration.own_table)
        self.form.changed.connect(self._on_choice)
        self.hint = _label()
        self.figures = FigureView()
        self.figures.failed.connect(self._on_failed)
        self.words = _label()
        self.words.make_selectable()
        self.color_button = QPushButton("Colour map by difference")
        self.color_button.setToolTip(
            "Colour every patch by the density of the treated around it minus that of the\n"
            "control: from -1 to 1, of which 1 is the largest difference anywhere. It becomes a\n"
            "column of the patches too."
        )
        self.color_button.clicked.connect(self._color_map)
        self.save_button = QPushButton("Save all...")
        self.save_button.clicked.connect(self._choose_folder)
        self.progress = Progress()
        self.progress.ended.connect(self._refresh)
        self.message = _label()
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.tabs)
        for widget in (
            self.form, self.hint, self.figures, self.words, self.color_button, self.save_button,
            self.progress, self.message,
        ):  # fmt: skip
            layout.addWidget(widget)
        layout.addStretch()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        column = Column(content)
        # As wide with few figures as with many: they are drawn for one width.
        column.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        outer.addWidget(column)

    # --- asking -------------------------------------------------------------------------------

    def _why_not(self) -> str:
        """Say why there is nothing to show; empty where there is."""
        view, clustered = self.view, self.view != "difference"
        form = self.form
        if form.condition.value is None:
            return NO_COLUMNS
        if not self._exploration.placed.any():
            return NO_MAP
        if view == "plate" and form.well.value is None:
            return NO_WELLS
        if view == "dose" and form.dose.value is None:
            return NO_DOSE if form.dose.count() > 1 else NO_DOSES
        if view == "difference" and not form.can_compare:
            return ONE_VALUE
        if view == "difference" and form.control.value is None:
            return NO_CONTROL
        if clustered and form.cluster.value == SELECTION and not len(self._exploration.selection):
            return NOTHING_SELECTED if len(self._exploration.clusters) else NO_CLUSTERS
        return ""

    def _ask(self) -> None:
        """Have shown what is asked for, once the panel is seen."""
        if not self.isVisible():
            self._outdated = True
            return
        self._outdated = False
        self._answer = None
        if self._why_not():
            self._newest.cancel()
            self._show(Answer((), ""))
            return
        question = self.form.question(self.view)
        work = partial(answer, frozen(self._exploration), question)
        self._newest.ask(work, partial(self._on_answer, question))

    def _on_answer(self, question: Question, found: Answer) -> None:
        self._asked, self._answer = question, found
        self._show(found)

    def _show(self, found: Answer) -> None:
        self.figures.show_drawings(found.drawings)
        self.words.setText(found.words)
        self._refresh()

    def _on_failed(self, reason: str) -> None:
        self._show(Answer((), f"{capital(reason)}."))

    # --- what changes -------------------------------------------------------------------------

    def _on_view(self) -> None:
        self.form.show_view(self.view)
        self._say("")
        # Figures of the view before stay, faintly, until there are others.
        self.words.clear()
        self._ask()
        self._refresh()

    def _on_choice(self) -> None:
        self._say("")
        self._pause.start()
        self._refresh()

    def _on_clusters(self) -> None:
        self.form.offer_clusters(self._exploration.clusters)
        if self.view != "difference":
            self._pause.start()
        self._refresh()

    def _on_selection(self) -> None:
        if self.view != "difference" and self.form.cluster.value == SELECTION:
            self._pause.start()
            self._refresh()

    def _on_moved(self) -> None:
        """Ask again, and clear the difference of a map that is no more."""
        self._exploration.remove_columns(SOURCE)
        self._pause.start()
        self._refresh()

    def showEvent(self, event: Any) -> None:  # noqa: N802
        """Show what has changed meanwhile."""
        super().showEvent(event)
        if self._outdated:
            self._pause.start()

    # --- what is done with it -----------------------------------------------------------------

    def _color_map(self) -> None:
        found, question = self._answer, self._asked
        if found is None or found.difference is None or question is None:
            return
        name = f"{found.compared} minus {question.control}"
        values = found.difference.at(self._exploration.coordinates) / found.difference.limit
        named = self._exploration.add_columns(
            pd.DataFrame({name: values}), SOURCE, differences=True
        )
        if named[name] in self._coloring.choices:
            self._coloring.choose(named[name])

    def _choose_folder(self) -> None:
        parent = QFileDialog.getExistingDirectory(
            self, "Save in which folder?", str(self._run.folder.parent)
        )
        if parent:
            self.save(_new_folder(Path(parent), f"{self._run.folder.name}-conditions"))

    def save(self, folder: Path) -> None:
        """Write tables and figures into a new folder, in another thread."""
        self._say("")
        job = ConditionsJob(self._run, self._exploration, folder, self.form.columns())
        job.finished.connect(lambda written: self._on_saved(written, job.notice))
        job.failed.connect(self._on_save_failed)
        job.cancelled.connect(self._on_cancelled)
        self.progress.follow(job, "Comparing conditions")
        self._refresh()

    def _on_saved(self, folder: Path, notice: str) -> None:
        self._say("\n\n".join([f"Written: {folder}", *([f"{notice}."] if notice else [])]))

    def _on_save_failed(self, reason: str) -> None:
        self._say(f"{capital(reason)}.")

    def _on_cancelled(self) -> None:
        self._say("Cancelled.")

    # --- what is shown ------------------------------------------------------------------------

    def _refresh(self, *_: Any) -> None:
        why_not = self._why_not()
        hints = [why_not]
        busy = self._newest.busy or self._pause.isActive()
        self.figures.set_outdated(busy)
        if busy and not why_not and not self.figures.filled:
            hints.append("Computing...")
        condition = self.form.condition
        if condition.count() == 1 and condition.value == "image":
            hints.append(ONLY_IMAGES)
        _tell(self.hint, "\n\n".join(filter(None, hints)))
        _tell(self.words, self.words.text())
        found = self._answer
        self.color_button.setVisible(self.view == "difference")
        self.color_button.setEnabled(found is not None and found.difference is not None)
        clusters, saving = len(self._exploration.clusters) > 0, self.progress.job is not None
        self.save_button.setEnabled(condition.value is not None and clusters and not saving)
        self.save_button.setToolTip(SAVED if clusters else NOTHING_TO_SAVE)

    def _say(self, text: str) -> None:
        _tell(self.message, text)


def _new_folder(parent: Path, name: str) -> Path:
    """Return a folder that is not there yet: nothing is ever overwritten."""
    numbered = (parent / (name if i == 1 else f"{name}-{i}") for i in range(1, 10_000))
    return next(folder for folder in numbered if not folder.exists())


def _label() -> Wrapped:
    label = Wrapped()
    label.hide()
    return label


def _tell(label: QLabel, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))
