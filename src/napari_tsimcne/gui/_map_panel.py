"""The step of the map: open a run, and what can be done with its map."""

from __future__ import annotations

from pathlib import Path

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui._explorer import Explorer
from napari_tsimcne.gui._sentences import left_out
from napari_tsimcne.runs import export_csv


class MapPanel(QWidget):
    """Buttons and words of the run that is open.

    ``run_chosen`` carries the folder of a run that is to be opened; ``add_wanted`` asks to map new
    images, ``compare_wanted`` to compare seeds.
    """

    run_chosen = Signal(object)
    add_wanted = Signal()
    compare_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._explorer: Explorer | None = None
        self.left_out = QLabel()
        self.left_out.setWordWrap(True)
        self.left_out.setTextFormat(Qt.TextFormat.PlainText)
        self.open_button = _button("Open run...", "Show the map of a run folder.")
        self.open_button.clicked.connect(self._choose_run)
        self.show_button = _button(
            "Show map", "Show map, gallery and clusters again after they were closed."
        )
        self.show_button.clicked.connect(self._show_map)
        self.export_button = _button(
            "Export selected...", "Write the selected patches, with their clusters, to a CSV table."
        )
        self.export_button.clicked.connect(self._choose_export)
        self.add_button = _button(
            "Map new images...",
            "Put further images onto this map, and flag what is unlike all it was trained on.",
        )
        self.add_button.clicked.connect(self.add_wanted)
        self.compare_button = _button(
            "Compare seeds...",
            "Train again with another seed, to see which islands of the map to believe.",
        )
        self.compare_button.clicked.connect(self.compare_wanted)
        buttons = QGridLayout()
        for i, button in enumerate(
            (self.open_button, self.show_button, self.export_button, self.add_button,
             self.compare_button)
        ):  # fmt: skip
            buttons.addWidget(button, *divmod(i, 2))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.left_out)
        layout.addLayout(buttons)

    def show_explorer(self, explorer: Explorer | None, busy: bool) -> str:
        """Follow what is open, and return a line that says it; ``busy``: a job is under way."""
        self._explorer = explorer
        has_map = explorer is not None and explorer.run.has_map
        selected = len(explorer.exploration.selection) if explorer else 0
        self.export_button.setEnabled(has_map and selected > 0)
        self.show_button.setEnabled(explorer is not None and not explorer.complete)
        for button in (self.add_button, self.compare_button):
            button.setEnabled(has_map and not busy)
        self.open_button.setEnabled(not busy)
        text = left_out(explorer.run.info.skipped) if explorer else ""
        self.left_out.setText(text)
        self.left_out.setVisible(bool(text))
        if explorer is None:
            return "No map yet: train one, or open a run."
        count = len(explorer.exploration)
        return f"{explorer.run.folder.name}: {selected:,} of {count:,} patches selected"

    def export(self, path: Path) -> None:
        """Write the rows of the selected patches to a CSV file; failures become a notice."""
        assert self._explorer is not None
        try:
            exploration = self._explorer.exploration
            mask = exploration.selection.mask
            count = export_csv(self._explorer.run, path, mask, exploration)
        except (OSError, InputError) as error:
            show_error(f"The table could not be written: {error}")
        else:
            show_info(f"{count:,} patches written to {path}")

    def _choose_run(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a run folder")
        if folder:
            self.run_chosen.emit(Path(folder))

    def _show_map(self) -> None:
        if self._explorer is not None:
            self._explorer.show()

    def _choose_export(self) -> None:
        assert self._explorer is not None
        suggested = str(self._explorer.run.folder / "selected.csv")
        path, _ = QFileDialog.getSaveFileName(
            self, "Export selected patches", suggested, "CSV (*.csv)"
        )
        if path:
            self.export(Path(path))


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button
