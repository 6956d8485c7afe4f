"""The part of the form that says what is known of the images: a table, and their paths."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QLineEdit, QVBoxLayout, QWidget

from napari_tsimcne.gui._fields import add_rows, form_layout, with_button
from napari_tsimcne.gui._fold import Fold
from napari_tsimcne.gui._sentences import capital
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.steps._inputs import Inputs
from napari_tsimcne.images import ImageSource
from napari_tsimcne.patches import Measurement, measurement

MOST_NOTES = 6
"""That are shown at once; all are in the tooltip."""


class MetadataForm(QWidget):
    """Where columns of the patch table come from; ``measurement`` reads and checks them."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.table = QLineEdit()
        self.table.setPlaceholderText("CSV file")
        self.table.setClearButtonEnabled(True)
        self.table.setToolTip(
            "CSV file of treatments, doses and the like. A column image (or file) names the image\n"
            "or its file; without one, columns of the pattern such as well are matched.\n"
            "Columns are separated by comma, semicolon or tab; A1 and A01 are one well."
        )
        self.pattern = QLineEdit()
        self.pattern.setPlaceholderText("{plate}/{well}_{field}.tif")
        self.pattern.setClearButtonEnabled(True)
        self.pattern.setToolTip(
            "Columns from the path of each image, as {plate}/{well}_{field}.tif: a word in braces\n"
            "is a column, * is any text. A layer that came from no file goes by its name."
        )
        for field in (self.table, self.pattern):
            field.textChanged.connect(self.changed)
        content = QWidget()
        form = form_layout()
        add_rows(form, [
            ("Table", with_button(self.table, "Choose the CSV file.", self._browse)),
            ("Path pattern", self.pattern),
        ])  # fmt: skip
        content.setLayout(form)
        self.details = Fold("Metadata")
        self.details.addWidget(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.details)
        self.without_row, self.notes, self.columns = Wrapped(), Wrapped(), Wrapped()
        self.columns.setToolTip("What the columns became, as they can color and divide the map.")
        for label in (self.columns, self.notes, self.without_row):
            label.setVisible(False)
            layout.addWidget(label)

    def _browse(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open a table of treatments", "", "CSV (*.csv *.tsv *.txt)"
        )
        if path:
            self.table.setText(path)

    def measurement(self, inputs: Inputs) -> Measurement | None:
        """Return what adds columns to the patches of these images; None for none.

        Raises
        ------
        InputError
            Where table or pattern are malformed, or do not fit the images.
        """
        table, pattern = self.table.text().strip(), self.pattern.text().strip()
        names = [image.name for image in inputs.images]
        self._show(None)
        found = measurement(
            names,
            [_file_of(image, inputs) for image in inputs.images],
            pattern=pattern or None,
            metadata=Path(table).expanduser() if table else None,
            further=[] if inputs.points is None else list(inputs.points),
        )
        self._show(found)
        return found

    def _show(self, found: Measurement | None) -> None:
        """Show what became of table and pattern, what was assumed, and what is missing."""
        file = Path(self.table.text().strip()).name
        notes = [
            note if file and note.startswith(file) else capital(note)  # a file keeps its name
            for note in (() if found is None else found.notes)
        ]
        texts = {
            self.columns: "" if found is None else found.columns_text,
            self.notes: "\n".join(notes[:MOST_NOTES]),
            self.without_row: "" if found is None else found.without_row,
        }
        if len(notes) > MOST_NOTES:
            texts[self.notes] += f"\nand {len(notes) - MOST_NOTES} more"
        self.notes.setToolTip("\n".join(notes))
        for label, text in texts.items():
            label.setText(text)
            label.setVisible(bool(text))


def _file_of(image: ImageSource, inputs: Inputs) -> Path | None:
    """Return the file of an image, or that its layer was opened from."""
    if image.path is not None or image.name not in inputs.layers:
        return image.path
    path = inputs.layers[image.name].layer.source.path
    return Path(path) if path else None
