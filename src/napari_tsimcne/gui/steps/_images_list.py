"""The list of images: rows of two lines with a tick, which files can be dropped on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from qtpy.QtCore import QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QFont, QFontMetrics, QPainter, QPalette
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from napari_tsimcne.errors import sentence
from napari_tsimcne.gui._drops import dropped_files
from napari_tsimcne.gui._sentences import capital
from napari_tsimcne.gui._small_text import smaller
from napari_tsimcne.gui.steps._image_rows import FileRow, Row, described, lengths_of

ROW_HEIGHT = 38
FEWEST, MOST = 3, 6
"""Rows for which there is room; more are scrolled."""

ROW, DETAIL, TAG = (Qt.ItemDataRole.UserRole + i for i in range(3))
EMPTY = "Open images in napari,\nor drop files and folders here."


class ImagesList(QListWidget):
    """Shows rows of images; each can be ticked, several can be selected.

    A tick of one of several selected rows is set in all of them. ``ticks_changed``: the user has
    ticked or unticked. ``dropped`` carries paths. ``opened``: a row was double clicked.
    """

    ticks_changed = Signal()
    dropped = Signal(list)
    opened = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setItemDelegate(_TwoLines(self))
        self.setAcceptDrops(True)
        self.setToolTip("Tick the images to take. A right click offers ticks of many.")
        # The theme draws none, and where files can be dropped is to be seen.
        self.setStyleSheet("ImagesList { border: 1px solid rgba(128, 128, 128, 110); }")
        self.itemChanged.connect(self._on_changed)
        self.itemDoubleClicked.connect(lambda item: self.opened.emit())

    def show_rows(self, rows: Sequence[Row]) -> None:
        """List these rows; those that were selected stay so."""
        selected, at = set(self.selected()), self.verticalScrollBar().value()
        self.blockSignals(True)
        self.clear()
        for row in rows:
            item = QListWidgetItem(row.name)
            item.setData(ROW, row)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(_state(row.ticked))
            _describe(item, row)
            self.addItem(item)
            item.setSelected(row in selected)
        self.blockSignals(False)
        self.verticalScrollBar().setValue(at)
        shown = min(max(len(rows), FEWEST), MOST)
        self.setFixedHeight(shown * ROW_HEIGHT + 2)
        self.itemSelectionChanged.emit()

    def selected(self) -> list[Row]:
        """Return the rows that are selected, from top to bottom."""
        return [item.data(ROW) for item in self._items() if item.isSelected()]

    def _items(self) -> Iterable[QListWidgetItem]:
        return (self.item(i) for i in range(self.count()))

    def _on_changed(self, item: QListWidgetItem) -> None:
        state = item.checkState()
        together = self.selectedItems() if item.isSelected() else [item]
        self.blockSignals(True)
        for other in together:
            other.setCheckState(state)
            other.data(ROW).ticked = state == Qt.CheckState.Checked
        self.blockSignals(False)
        self.viewport().update()
        self.ticks_changed.emit()

    def contextMenuEvent(self, event: Any) -> None:  # noqa: N802
        """Offer to tick many at once."""
        if self.count() == 0:
            return
        menu = QMenu(self)
        item = self.itemAt(event.pos())
        if item is not None:
            row = item.data(ROW)
            menu.addAction("Tick only images of this kind", lambda: self.tick_alike(row))
        menu.addAction("Tick all", lambda: self._tick(lambda row: True))
        menu.addAction("Untick all", lambda: self._tick(lambda row: False))
        menu.exec(event.globalPos())

    def tick_alike(self, row: Row) -> None:
        """Tick only images that can be learnt together with one: of its channels and type."""
        self._tick(lambda other: _kind(other) == _kind(row))

    def _tick(self, wanted: Callable[[Row], bool]) -> None:
        self.blockSignals(True)
        for item in self._items():
            row = item.data(ROW)
            row.ticked = wanted(row)
            item.setCheckState(_state(row.ticked))
        self.blockSignals(False)
        self.viewport().update()
        self.ticks_changed.emit()

    # --- drops, and no rows -------------------------------------------------------------------

    def dragEnterEvent(self, event: Any) -> None:  # noqa: N802
        """Take local files."""
        if dropped_files(event):
            event.acceptProposedAction()
        else:
            event.ignore()  # the dock may take it

    def dragMoveEvent(self, event: Any) -> None:  # noqa: N802
        """Take local files anywhere in the list."""
        if dropped_files(event):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:  # noqa: N802
        """Tell which files were dropped."""
        paths = dropped_files(event)
        if paths:
            event.acceptProposedAction()
            self.dropped.emit(paths)

    def paintEvent(self, event: Any) -> None:  # noqa: N802
        """Say where images come from while there are none."""
        super().paintEvent(event)
        if self.count() == 0:
            painter = QPainter(self.viewport())
            painter.setPen(_faint(self.palette().color(QPalette.ColorRole.Text)))
            align = Qt.AlignmentFlag.AlignCenter
            painter.drawText(self.viewport().rect(), align, EMPTY)
            painter.end()


def _state(ticked: bool) -> Qt.CheckState:
    return Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked


def _kind(row: Row) -> tuple | None:
    try:
        image = row.image()
    except ValueError:
        return None
    return image.channels, image.rgb, image.dtype


def _describe(item: QListWidgetItem, row: Row) -> None:
    try:
        image = row.image()
        detail, more = described(image), f"{lengths_of(image)}; {image.dtype}"
        notes = [capital(note) for note in image.notes]
    except ValueError as error:
        detail = more = capital(sentence(error))
        notes = []
    lines = [row.name, more, *notes]
    if isinstance(row, FileRow):
        tag = "file" if row.layers is None else "file, shown"
        lines.append(str(row.opened.path))
    elif row.file is not None:
        tag = "layer, in place of its file"
        lines.append(f"The file {row.file} was added too: this layer of it is used.")
    else:
        tag = "layer"
    item.setData(DETAIL, detail)
    item.setData(TAG, tag)
    item.setToolTip("\n".join(lines))


def _faint(color: QColor) -> QColor:
    return QColor(color.red(), color.green(), color.blue(), 165)


class _TwoLines(QStyledItemDelegate):
    """Draws a tick, a name with a tag at its right, and a line of details below."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Any) -> QSize:  # noqa: N802
        """Leave room for two lines."""
        return QSize(100, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        """Let the style draw all but the text."""
        option = QStyleOptionViewItem(option)
        self.initStyleOption(option, index)
        name, option.text = option.text, ""
        style = option.widget.style() if option.widget else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        tick = style.subElementRect(
            QStyle.SubElement.SE_ItemViewItemCheckIndicator, option, option.widget
        )
        room = option.rect.adjusted(0, 3, -6, -3)
        room.setLeft(tick.right() + 7)
        text = option.palette.color(QPalette.ColorRole.Text)
        painter.save()
        small = smaller(option.font)
        left = _draw(painter, room, index.data(TAG), small, _faint(text), at_top=True, right=True)
        room_of_name = room.adjusted(0, 0, -left, 0)
        _draw(painter, room_of_name, name, option.font, text, at_top=True)
        _draw(painter, room, index.data(DETAIL), small, _faint(text))
        painter.restore()


def _draw(
    painter: QPainter, room: QRect, text: str, font: QFont, color: QColor,
    at_top: bool = False, right: bool = False,
) -> int:  # fmt: skip
    """Draw a line of text, cut where there is no room, and return the width that it takes."""
    flags = Qt.AlignmentFlag
    align = (flags.AlignTop if at_top else flags.AlignBottom) | (
        flags.AlignRight if right else flags.AlignLeft
    )
    metrics = QFontMetrics(font)
    mode = Qt.TextElideMode.ElideMiddle if at_top else Qt.TextElideMode.ElideRight
    painter.setFont(font)
    painter.setPen(color)
    painter.drawText(room, align, metrics.elidedText(text, mode, room.width()))
    return metrics.horizontalAdvance(text) + 8
