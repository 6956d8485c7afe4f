"""The panel of checks: whether the map can be trusted, and what similar patches share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from napari_tsimcne.explore import Coloring, Exploration, MapChecks, groupings
from napari_tsimcne.gui._fields import Choice, form_layout, side_by_side
from napari_tsimcne.gui._panel import Panel
from napari_tsimcne.gui._sentences import capital
from napari_tsimcne.gui._ties import Ties
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.checks._checking import CheckJob, ReportJob
from napari_tsimcne.gui.checks._findings_list import FindingsList, counted_findings
from napari_tsimcne.gui.checks._followed import FollowedTable
from napari_tsimcne.gui.images._crops import Crops
from napari_tsimcne.gui.jobs._progress import Progress
from napari_tsimcne.gui.steps._column import Column
from napari_tsimcne.runs import Run

SOURCE = "checks"
"""Of the columns that are added to the patches."""

ABOUT = (
    "Checks whether neighbours on the map are similar, which columns similar patches share "
    "(possible confounders), and which patches to review: duplicates, empty ones, and outliers."
)
NO_MAP = "There is no map yet: it can be checked once training has ended."
COLOR_TIPS = {
    "neighbours kept": "Share of each patch's nearest in the features that are also among its\n"
    "nearest on the map: where it is low, do not rely on the neighbours on the map.",
    "outlier score": "How far each patch is from those most similar to it: high for rare things\n"
    "and debris.",
    "duplicates": "Patches of a group have the same pixels, or nearly so.",
}


class ChecksPanel(Panel):
    """Checks the map of a run, tells what was found, and writes a report.

    ``checked`` is emitted when results are shown, or cleared.

    Parameters
    ----------
    run
        Whose map is checked.
    exploration
        Of the map: patches of a finding are selected there, and what was found of each patch
        becomes columns of its table.
    coloring
        Of the map.
    crops
        Pictures of the patches, for the report.
    """

    checked = Signal()

    def __init__(
        self, run: Run, exploration: Exploration, coloring: Coloring, crops: Crops
    ) -> None:
        super().__init__()
        self._run, self._exploration = run, exploration
        self._coloring, self._crops = coloring, crops
        self.checks: MapChecks | None = None
        """What was found last; None before, and once the map is another."""
        self.color_buttons: dict[str, QPushButton] = {}
        """By the name of the column."""
        self._build()
        self._ties = Ties(
            self,
            (exploration.moved, self._on_moved),
            (coloring.changed, self._mark_color),
        )
        self._refresh()

    def release(self) -> None:
        """End what is being done, and let go of the models; what was found stays in the table."""
        self._ties.cut()
        self.progress.close_job()

    # --- widgets ------------------------------------------------------------------------------

    def _build(self) -> None:
        about = Wrapped(ABOUT)
        options = [("none", None), *((name, name) for name in groupings(self._run.table))]
        self.truth = Choice(
            options,
            "A column of known classes, such as an expert's: how well the map and the clusters\n"
            "agree with it.",
        )
        self.truth.setEnabled(len(options) > 1)
        form = form_layout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        form.addRow("Compare with", self.truth)
        self.check_button = QPushButton("Check map")
        self.check_button.setToolTip("Takes seconds for 10,000 patches, minutes for 100,000.")
        self.check_button.clicked.connect(self.check)
        self.report_button = QPushButton("Save report...")
        self.report_button.setToolTip(
            "Write what was found, with plots and pictures, as one page that any browser opens."
        )
        self.report_button.clicked.connect(self._choose_report)
        self.progress = Progress()
        self.progress.ended.connect(self._refresh)
        self.message = Wrapped()
        self.message.hide()
        self.results = self._build_results()
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(about)
        layout.addLayout(form)
        buttons = side_by_side(self.check_button, self.report_button)
        for widget in (buttons, self.progress, self.message, self.results):
            layout.addWidget(widget)
        layout.addStretch()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(Column(content))

    def _build_results(self) -> QWidget:
        self.summary = _heading("Findings")
        self.findings = FindingsList()
        self.findings.select_wanted.connect(self._select)
        self.followed = FollowedTable()
        self.followed.column_clicked.connect(self._color_by)
        self._colors = QWidget()
        flow = QFlowLayout(self._colors)
        flow.setContentsMargins(0, 0, 0, 0)
        flow.setHorizontalSpacing(4)
        flow.setVerticalSpacing(4)
        results = QWidget()
        layout = QVBoxLayout(results)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (
            self.summary, self.findings,
            _heading("What similar patches share"), self.followed,
            _heading("Colour the map by"), self._colors,
        ):  # fmt: skip
            layout.addWidget(widget)
        return results

    # --- checking -----------------------------------------------------------------------------

    def check(self) -> None:
        """Check the map, in another thread."""
        if not self._run.has_map:
            self._say(NO_MAP)
            return
        self._say("")
        job = CheckJob(self._run, self._exploration, self.truth.value)
        job.finished.connect(self._on_checked)
        self._follow(job, "Checking the map")

    def save_report(self, path: Path, overwrite: bool) -> None:
        """Write the report of what was found to an HTML file, in another thread."""
        assert self.checks is not None
        self._say("")
        job = ReportJob(
            self.checks, self._run, self._exploration, path,
            overwrite=overwrite, pictures=self._crops.still(),
        )  # fmt: skip
        job.finished.connect(self._on_written)
        self._follow(job, "Drawing the report")

    def _follow(self, job: CheckJob | ReportJob, text: str) -> None:
        job.failed.connect(self._on_failed)
        job.cancelled.connect(self._on_cancelled)
        self.progress.follow(job, text)
        self._refresh()

    def _on_checked(self, checks: MapChecks) -> None:
        self.show_checks(checks)

    def show_checks(self, checks: MapChecks) -> None:
        """Show what was found of the map, and add it to the columns of the patches."""
        self.checks = checks
        named = self._exploration.add_columns(checks.columns(), SOURCE)
        self.summary.setText(f"<b>Findings</b>: {counted_findings(checks.findings)}")
        self.findings.show_findings(checks.findings)
        self.followed.show_ranking(checks.confounds.ranked, named, self._coloring.choices)
        self._show_colors(named)
        self._refresh()
        self.checked.emit()

    def _on_written(self, path: Path) -> None:
        self._say(f"Written: {path}")

    def _on_failed(self, reason: str) -> None:
        self._say(f"{capital(reason)}.")

    def _on_cancelled(self) -> None:
        self._say("Cancelled.")

    def _on_moved(self) -> None:
        """Clear what was found of a map that is no more."""
        if isinstance(self.progress.job, CheckJob):
            self.progress.close_job()
        if self.checks is not None:
            self.checks = None
            self._exploration.remove_columns(SOURCE)
            self._say("The map has changed: check it again.")
            self._refresh()
            self.checked.emit()

    # --- what is done with it -----------------------------------------------------------------

    def _select(self, rows: np.ndarray) -> None:
        self._exploration.selection.select_rows(rows)

    def _color_by(self, column: str) -> None:
        if column in self._coloring.choices:
            self._coloring.choose(column)
        self._mark_color()

    def _choose_report(self) -> None:
        suggested = self._run.folder.with_name(f"{self._run.folder.name}-check.html")
        # The dialog asks whether a file is to be overwritten.
        chosen, _ = QFileDialog.getSaveFileName(
            self, "Save the report", str(suggested), "Web page (*.html)"
        )
        if chosen:
            path = Path(chosen)
            named = path.suffix.lower() in (".html", ".htm")
            # Of a name that it has not seen it did not ask.
            self.save_report(path if named else Path(f"{path}.html"), overwrite=named)

    # --- what is shown ------------------------------------------------------------------------

    def _show_colors(self, named: dict[str, str]) -> None:
        layout = self._colors.layout()
        for button in self.color_buttons.values():
            layout.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.color_buttons = {}
        for asked, name in named.items():
            if name in self._coloring.choices:
                button = QPushButton(name)
                button.setCheckable(True)
                button.setToolTip(COLOR_TIPS.get(asked, f"Colour the map by '{name}'."))
                button.clicked.connect(lambda _, column=name: self._color_by(column))
                layout.addWidget(button)
                self.color_buttons[name] = button
        self._mark_color()

    def _mark_color(self) -> None:
        for name, button in self.color_buttons.items():
            button.setChecked(name == self._coloring.column)

    def _refresh(self) -> None:
        busy = self.progress.job is not None
        self.check_button.setEnabled(not busy)
        self.check_button.setText("Check again" if self.checks is not None else "Check map")
        self.report_button.setEnabled(not busy and self.checks is not None)
        self.results.setVisible(self.checks is not None)

    def _say(self, text: str) -> None:
        self.message.setText(text)
        self.message.setVisible(bool(text))


def _heading(text: str) -> QLabel:
    label = QLabel(f"<b>{text}</b>")
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
    return label
