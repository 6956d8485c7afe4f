"""The table of clusters: how cells are drawn, how wide they are, and what clicks in them mean."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QModelIndex, QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QFontMetrics, QPainter, QPalette
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from napari_tsimcne.explore import Mode, percent
from napari_tsimcne.gui._small_text import smaller
from napari_tsimcne.gui.clusters._clusters_model import DRAWN, FEW_VALUES, ClustersModel, Column
from napari_tsimcne.gui.clusters._clusters_typical import COUNT

ROW = 46
PICTURE = 40
GAP = 3
"""In pixels: height of a row, side of a picture, space between things."""

WIDTHS = {Column.COLOR: 26, Column.SIZE: 58, Column.SHARES: 112}
NARROWEST_NAME = 78
KEYS = 9
"""Clusters that have a key, which their swatch names."""


class ClusterTable(QTableView):
    """Shows a `ClustersModel`; whole rows are selected, several with Ctrl and Shift.

    ``color_clicked`` carries a row; ``members_wanted`` a row and how its members are to be
    selected: ``replace``, ``add`` or ``subtract``.
    """

    color_clicked = Signal(int)
    members_wanted = Signal(int, str)

    def __init__(self, model: ClustersModel) -> None:
        super().__init__()
        self.setModel(model)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        triggers = QAbstractItemView.EditTrigger
        self.setEditTriggers(triggers.DoubleClicked | triggers.EditKeyPressed)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(ROW)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setDefaultAlignment(
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        )
        self.horizontalHeader().setMinimumSectionSize(8)
        self.setItemDelegate(_Cell(self))
        self._pressed = QModelIndex()
        model.headerDataChanged.connect(self._share_width)
        self._share_width()

    def selected_rows(self) -> list[int]:
        """Return the rows that are selected, ascending."""
        return sorted(index.row() for index in self.selectionModel().selectedRows())

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Leave room for a header and two rows, in a narrow dock."""
        return QSize(240, 2 * ROW + self.horizontalHeader().sizeHint().height() + 4)

    # --- widths -------------------------------------------------------------------------------

    def resizeEvent(self, event: Any) -> None:  # noqa: N802
        """Share out the width anew."""
        super().resizeEvent(event)
        self._share_width()

    def _share_width(self) -> None:
        """As many pictures as fit; what is left goes to the name."""
        shared = self.model().by is not None
        self.setColumnHidden(Column.SHARES, not shared)
        left = self.viewport().width() - WIDTHS[Column.COLOR] - WIDTHS[Column.SIZE]
        left -= WIDTHS[Column.SHARES] if shared else 0
        fitting = (left - NARROWEST_NAME - GAP) // (PICTURE + GAP)
        pictures = min(COUNT, max(0, fitting)) * (PICTURE + GAP) + GAP
        self.setColumnHidden(Column.PICTURES, fitting < 1)
        for column, width in WIDTHS.items():
            self.setColumnWidth(column, width)
        self.setColumnWidth(Column.PICTURES, pictures)
        self.setColumnWidth(
            Column.NAME, max(NARROWEST_NAME, left - (pictures if fitting >= 1 else 0))
        )

    # --- clicks -------------------------------------------------------------------------------

    def mousePressEvent(self, event: Any) -> None:  # noqa: N802
        """Take clicks on swatches and counts; Shift there means the members, not the rows."""
        self._pressed = self._clickable(event)
        if not self._pressed.isValid():
            super().mousePressEvent(event)
        elif event.modifiers() == Qt.KeyboardModifier.NoModifier:
            self.selectRow(self._pressed.row())

    def mouseReleaseEvent(self, event: Any) -> None:  # noqa: N802
        """Do what a click on a swatch or count is for."""
        pressed, self._pressed = self._pressed, QModelIndex()
        if not pressed.isValid():
            super().mouseReleaseEvent(event)
        elif self._clickable(event) == pressed:
            if pressed.column() == Column.COLOR:
                self.color_clicked.emit(pressed.row())
            else:
                self.members_wanted.emit(pressed.row(), _mode(event.modifiers()))

    def mouseDoubleClickEvent(self, event: Any) -> None:  # noqa: N802
        """Select the members of a row, or edit its name."""
        index = self.indexAt(event.pos())
        if index.isValid() and index.column() in (Column.PICTURES, Column.SHARES):
            self.members_wanted.emit(index.row(), _mode(event.modifiers()))
        elif not self._clickable(event).isValid():
            super().mouseDoubleClickEvent(event)

    def mouseMoveEvent(self, event: Any) -> None:  # noqa: N802
        """Show what can be clicked."""
        if not event.buttons():
            clickable = self._clickable(event, pressing=False).isValid()
            hand, arrow = Qt.CursorShape.PointingHandCursor, Qt.CursorShape.ArrowCursor
            self.viewport().setCursor(hand if clickable else arrow)
        # A drag from a swatch or count selects no rows.
        if not self._pressed.isValid():
            super().mouseMoveEvent(event)

    def _clickable(self, event: Any, pressing: bool = True) -> QModelIndex:
        index = self.indexAt(event.pos())
        wrong_button = pressing and event.button() != Qt.MouseButton.LeftButton
        if wrong_button or index.column() not in (Column.COLOR, Column.SIZE):
            return QModelIndex()
        return index


def _mode(modifiers: Any) -> Mode:
    if modifiers & Qt.KeyboardModifier.ShiftModifier:
        return "add"
    return "subtract" if modifiers & Qt.KeyboardModifier.AltModifier else "replace"


class _Cell(QStyledItemDelegate):
    """Draws the cells; names are plain text and are edited in place."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        column = Column(index.column())
        if column == Column.NAME:
            super().paint(painter, option, index)
            return
        option = QStyleOptionViewItem(option)
        self.initStyleOption(option, index)
        option.text = ""
        widget: QWidget = option.widget
        style = widget.style() if widget is not None else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, widget)
        drawn = index.data(DRAWN)
        painter.save()
        color = option.palette.color(QPalette.ColorRole.Text)
        if column == Column.COLOR:
            _draw_swatch(painter, option.rect, drawn, color)
        elif column == Column.SIZE:
            _draw_size(painter, option.rect, drawn, color)
        elif column == Column.PICTURES:
            _draw_pictures(painter, option.rect, drawn)
        else:
            _draw_shares(painter, option.rect, drawn, color)
        painter.restore()

    def updateEditorGeometry(  # noqa: N802
        self, editor: QWidget, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Make the editor as high as its text needs, not as the row is."""
        height = min(option.rect.height(), editor.sizeHint().height())
        middle = option.rect.center().y() - height // 2
        editor.setGeometry(option.rect.x(), middle, option.rect.width(), height)


def _faint(color: QColor, alpha: int) -> QColor:
    return QColor(color.red(), color.green(), color.blue(), alpha)


def _draw_swatch(painter: QPainter, rect: QRect, drawn: tuple[str, int], text: QColor) -> None:
    name, number = drawn
    color = QColor(name)
    square = QRect(0, 0, 18, 18)
    square.moveCenter(rect.center())
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(_faint(text, 120))
    painter.setBrush(color)
    painter.drawRoundedRect(square, 3, 3)
    if number <= KEYS:
        light = 0.3 * color.redF() + 0.59 * color.greenF() + 0.11 * color.blueF() > 0.5
        painter.setPen(QColor("black" if light else "white"))
        painter.setFont(smaller(painter.font()))
        painter.drawText(square, Qt.AlignmentFlag.AlignCenter, str(number))


def _draw_size(painter: QPainter, rect: QRect, drawn: tuple[str, str], color: QColor) -> None:
    size, share = drawn
    inner = rect.adjusted(4, 7, -6, -7)
    align = Qt.AlignmentFlag.AlignRight
    painter.setPen(color)
    painter.drawText(inner, align | Qt.AlignmentFlag.AlignTop, size)
    painter.setFont(smaller(painter.font()))
    painter.setPen(_faint(color, 170))
    painter.drawText(inner, align | Qt.AlignmentFlag.AlignBottom, share)


def _draw_pictures(painter: QPainter, rect: QRect, pictures: list[Any]) -> None:
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    place = QRect(rect.x() + GAP, rect.center().y() - PICTURE // 2 + 1, PICTURE, PICTURE)
    for picture in pictures:
        if place.right() > rect.right():
            break
        painter.drawPixmap(place, picture)
        place.translate(PICTURE + GAP, 0)


def _draw_shares(painter: QPainter, rect: QRect, shares: list[Any], color: QColor) -> None:
    painter.setFont(smaller(painter.font()))
    metrics = QFontMetrics(painter.font())
    height = (rect.height() - 2) // FEW_VALUES
    shown = shares if len(shares) <= FEW_VALUES else shares[: FEW_VALUES - 1]
    top = rect.y() + (rect.height() - height * min(FEW_VALUES, len(shares))) // 2
    for share in shown:
        line = QRect(rect.x() + 4, top, rect.width() - 8, height - 1)
        painter.fillRect(line, _faint(color, 20))
        bar = QRect(line)
        bar.setWidth(round(line.width() * share.share))
        painter.fillRect(bar, _faint(color, 70))
        _draw_line(painter, line, share.value, percent(share.members, share.size), color, metrics)
        top += height
    if len(shown) < len(shares):
        line = QRect(rect.x() + 4, top, rect.width() - 8, height - 1)
        rest = sum(share.members for share in shares[len(shown) :])
        more = f"{len(shares) - len(shown):,} more"
        _draw_line(painter, line, more, percent(rest, shares[0].size), _faint(color, 170), metrics)


def _draw_line(
    painter: QPainter, line: QRect, left: str, right: str, color: QColor, metrics: QFontMetrics
) -> None:
    painter.setPen(color)
    middle = Qt.AlignmentFlag.AlignVCenter
    line = line.adjusted(2, 0, -2, 0)
    painter.drawText(line, middle | Qt.AlignmentFlag.AlignRight, right)
    room = line.width() - metrics.horizontalAdvance(right) - 6
    text = metrics.elidedText(left, Qt.TextElideMode.ElideRight, room)
    painter.drawText(line, middle | Qt.AlignmentFlag.AlignLeft, text)
