"""The form that mends what was guessed of images: their axes and the size of their pixels."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QVBoxLayout

from napari_tsimcne.errors import InputError, sentence
from napari_tsimcne.gui._fields import Choice, add_rows, double_spin, form_layout, side_by_side
from napari_tsimcne.gui._sentences import capital
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.steps._image_rows import Row, lengths_of, named
from napari_tsimcne.images import ImageSource

UNITS = ("nm", "µm", "mm")
UNIT_WIDTH = 104


class ImageEdit(QFrame):
    """Axes and pixel size of the rows that are selected in the list.

    ``axes_chosen`` carries the axes, "" as guessed; ``size_chosen`` the side of a pixel and its
    unit. What differs among the rows is left empty.
    """

    axes_chosen = Signal(str)
    size_chosen = Signal(float, str)

    def __init__(self) -> None:
        super().__init__()
        self._ndim = 0
        self.of = Wrapped()
        self.axes = Choice(
            [],
            "What each axis is: T time, C channels, Z depth, Y rows, X columns.\n"
            "XY: rows and columns are stored the other way round.\n"
            "YXC of a colour image: red, green and blue are channels like others.",
        )
        self.axes.activated.connect(lambda index: self.axes_chosen.emit(self.axes.value))
        self.lengths = Wrapped()
        self.size = double_spin(
            0, 100_000, 1, "", "Side of a pixel, from 0.0001. Of a layer, it sets its scale.",
            decimals=4,
        )  # fmt: skip
        self.size.setKeyboardTracking(False)
        self.size.setSpecialValueText(" ")
        self.size.valueChanged.connect(self._tell_size)
        self.unit = Choice(
            [("unknown", "pixel"), *((f"{unit}/px", unit) for unit in UNITS)],
            "Unit of the pixel size. Without one, patch sizes are in pixels.",
        )
        self.unit.setFixedWidth(UNIT_WIDTH)
        self.unit.activated.connect(self._on_unit)
        form = form_layout()
        add_rows(form, [("Axes", self.axes), ("Pixel size", side_by_side(self.size, self.unit))])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 4)
        layout.addWidget(self.of)
        layout.addLayout(form)
        layout.addWidget(self.lengths)

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show what these rows are; without any, nothing can be mended."""
        self.setEnabled(bool(rows))
        self.of.setText(named(rows) if rows else "Select images in the list.")
        self._show_axes(rows)
        images, reason = [], ""
        for row in rows:
            try:
                images.append(row.image())
            except ValueError as error:
                reason = reason or capital(sentence(error))
        self._show_size(images)
        words = {lengths_of(image) for image in images}
        self.lengths.setText(reason or (words.pop() if len(words) == 1 else ""))
        self.lengths.setVisible(bool(self.lengths.text()))

    def _show_axes(self, rows: Sequence[Row]) -> None:
        offered = {tuple(row.axes_options) for row in rows}
        chosen = {row.axes if row.axes in row.axes_options else "" for row in rows}
        guessed = {_guessed(row) for row in rows}
        self.axes.clear()
        if len(offered) != 1:
            self.axes.setEnabled(False)
            self.axes.setPlaceholderText("different axes" if rows else "")
            return
        options = offered.pop()
        guess = guessed.pop() if len(guessed) == 1 else ""
        self.axes.addItem(f"as guessed ({guess})" if guess else "as guessed", "")
        for axes in options:
            self.axes.addItem(axes, axes)
        self.axes.setPlaceholderText("different")
        self.axes.setCurrentIndex(self.axes.findData(chosen.pop()) if len(chosen) == 1 else -1)
        self.axes.setEnabled(len(options) > 1)

    def _show_size(self, images: Sequence[ImageSource]) -> None:
        sizes = {(*image.pixel_size, image.unit) for image in images}
        self.size.blockSignals(True)
        if len(sizes) == 1:
            y, x, unit = sizes.pop()
            if self.unit.findData(unit) < 0:
                self.unit.addItem(f"{unit}/px", unit)
            self.unit.choose(unit)
            square = abs(y - x) <= 0.01 * max(y, x)
            # Of pixels that are not square no one number can be said.
            self.size.setValue(y if square else 0)
            self.size.setEnabled(unit != "pixel")
        else:
            self.unit.setCurrentIndex(-1)
            self.size.setValue(0)
            self.size.setEnabled(False)
        self.size.blockSignals(False)

    def _on_unit(self) -> None:
        self.size.setEnabled(self.unit.value != "pixel")
        if self.unit.value == "pixel":
            self.size_chosen.emit(1.0, "pixel")
        else:
            self._tell_size()

    def _tell_size(self) -> None:
        if self.size.value() > 0 and self.unit.value not in (None, "pixel"):
            self.size_chosen.emit(self.size.value(), self.unit.value)


def _guessed(row: Row) -> str:
    try:
        return row.guessed_axes
    except InputError:
        return ""
