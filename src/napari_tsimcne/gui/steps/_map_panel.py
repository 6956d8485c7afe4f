"""The step of the map: open a run, and what can be done with its map."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QMenu,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.gui._explorer import Explorer
from napari_tsimcne.gui._fields import push_button
from napari_tsimcne.gui._sentences import left_out
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.dialogs._moved import missing_text
from napari_tsimcne.recipe import preset_text
from napari_tsimcne.runs import is_run, missing_images, recent_runs

MOST_RECENT = 10


class MapPanel(QWidget):
    """Buttons and words of the run that is open.

    ``run_chosen`` carries the folder of a run that is to be opened; ``export_wanted`` asks to
    export, ``find_wanted`` to look for missing images, ``add_wanted`` to map new ones,
    ``compare_wanted`` to compare seeds, ``check_wanted`` to check the map and
    ``conditions_wanted`` to compare conditions.
    """

    run_chosen = Signal(object)
    export_wanted = Signal()
    find_wanted = Signal()
    add_wanted = Signal()
    compare_wanted = Signal()
    check_wanted = Signal()
    conditions_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._explorer: Explorer | None = None
        self.left_out, self.missing = Wrapped(), Wrapped()
        self.open_button = push_button("Open run...", "Show the map of a run folder.")
        self.open_button.clicked.connect(self._choose_run)
        self.recent_button = push_button("Recent runs", "Open one of the runs that were open last.")
        self.recent_menu = QMenu(self)
        self.recent_menu.setToolTipsVisible(True)
        self.recent_menu.aboutToShow.connect(self._list_recent)
        self.recent_button.setMenu(self.recent_menu)
        self.show_button = push_button(
            "Show map", "Show map, gallery and clusters again after they were closed."
        )
        self.show_button.clicked.connect(self._show_map)
        self.export_button = push_button(
            "Export...", "Write tables, crops, label images, figures or pages of the map."
        )
        self.export_button.clicked.connect(self.export_wanted)
        self.add_button = push_button(
            "Map new images...",
            "Place patches of further images on this map, and flag those that differ from\n"
            "all that it was trained on.",
        )
        self.add_button.clicked.connect(self.add_wanted)
        self.compare_button = push_button(
            "Compare seeds...",
            "Train again with another seed, to see which groups on the map are stable.",
        )
        self.compare_button.clicked.connect(self.compare_wanted)
        self.check_button = push_button(
            "Check map...",
            "Whether the map can be trusted, and what may have shaped it, as batch or position.",
        )
        self.check_button.clicked.connect(self.check_wanted)
        self.conditions_button = push_button(
            "Conditions...", "How treatments and doses change the frequencies of clusters."
        )
        self.conditions_button.clicked.connect(self.conditions_wanted)
        self.find_button = push_button(
            "Find images...", "Look for the images of this run in a folder they were moved to."
        )
        self.find_button.clicked.connect(self.find_wanted)
        buttons = QGridLayout()
        for i, button in enumerate(
            (self.open_button, self.recent_button, self.show_button, self.check_button,
             self.conditions_button, self.export_button, self.add_button, self.compare_button)
        ):  # fmt: skip
            buttons.addWidget(button, *divmod(i, 2))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.left_out)
        layout.addWidget(self.missing)
        layout.addWidget(self.find_button)
        layout.addLayout(buttons)

    def show_explorer(self, explorer: Explorer | None, busy: bool) -> str:
        """Follow what is open, and return a line that says it; ``busy``: a job is under way."""
        if explorer is not self._explorer or explorer is None:
            self._show_missing(explorer)
        self._explorer = explorer
        has_map = explorer is not None and explorer.run.has_map
        selected = len(explorer.exploration.selection) if explorer else 0
        for button in (self.export_button, self.check_button, self.conditions_button):
            button.setEnabled(has_map)
        self.show_button.setEnabled(explorer is not None and not explorer.complete)
        for button in (self.add_button, self.compare_button):
            button.setEnabled(has_map and not busy)
        self.open_button.setEnabled(not busy)
        self.recent_button.setEnabled(not busy)
        text = left_out(explorer.run.info.skipped) if explorer else ""
        self.left_out.setText(text)
        self.left_out.setVisible(bool(text))
        if explorer is None:
            return "No map yet: train one, or open a run."
        count = len(explorer.exploration)
        return (
            f"{explorer.run.folder.name} ({preset_text(explorer.run.recipe)}): "
            f"{selected:,} of {count:,} patches selected"
        )

    def _show_missing(self, explorer: Explorer | None) -> None:
        """Say which images are not where they were; they are looked for once a run is shown."""
        missing = missing_images(explorer.run) if explorer is not None else ()
        self.missing.setText(
            missing_text(explorer.run, missing) if explorer is not None and missing else ""
        )
        self.missing.setVisible(bool(missing))
        self.find_button.setVisible(bool(missing))

    def _choose_run(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a run folder", _where_runs_are())
        if folder:
            self.run_chosen.emit(Path(folder))

    def _list_recent(self) -> None:
        """List runs that are there, the latest first."""
        self.recent_menu.clear()
        shown = None if self._explorer is None else self._explorer.run.folder.resolve()
        runs = [folder for folder in recent_runs() if folder != shown and is_run(folder)]
        for folder in runs[:MOST_RECENT]:
            action = self.recent_menu.addAction(f"{folder.name}  ({folder.parent})")
            action.setToolTip(str(folder))
            action.triggered.connect(partial(self._open_recent, folder))
        if not runs:
            self.recent_menu.addAction("No other runs were opened yet").setEnabled(False)

    def _open_recent(self, folder: Path, *_: object) -> None:
        self.run_chosen.emit(folder)

    def _show_map(self) -> None:
        if self._explorer is not None:
            self._explorer.show()


def _where_runs_are() -> str:
    """Return the folder that holds the run that was open last; empty where there is none."""
    return next((str(run.parent) for run in recent_runs() if run.parent.is_dir()), "")
