"""The classes of a legend: swatch, name and count of each, in as many columns as there is room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor, QPainter, QPalette
from qtpy.QtWidgets import (
    QAbstractItemView,
    QListView,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from napari_tsimcne.explore import Category
from napari_tsimcne.gui._later import later

SWATCH = 11
GAP = 6
"""In pixels: side of a swatch, space between things."""

COLUMN = 220
"""Width from which a second column begins."""

MOST_ROWS = 6
LEAST_ROWS = 2
FAINT = 0.45
"""Opacity of what is hidden."""

CATEGORY = Qt.ItemDataRole.UserRole


class ClassList(QListView):
    """Lists classes; ``class_clicked`` carries a name and the keyboard's modifiers."""

    class_clicked = Signal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self._model = _Classes(self)
        self.setModel(self._model)
        self.setItemDelegate(_Entry(self))
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setUniformItemSizes(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor)
        self._pressed: str | None = None

    def show_categories(self, categories: Sequence[Category]) -> None:
        """Show classes in place of those before, where the list was scrolled to if they stay."""
        self._model.show_categories(categories)
        self._lay_out()

    # --- room ---------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:  # noqa: N802
        """Leave room for up to six rows; all of them are seen where there is more."""
        return QSize(COLUMN, self._height(MOST_ROWS))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Leave room for up to two rows."""
        return QSize(0, self._height(LEAST_ROWS))

    def resizeEvent(self, event: Any) -> None:  # noqa: N802
        """Share out the width anew."""
        super().resizeEvent(event)
        # Not from within a layout, which the new height sets off again.
        later(self, self._lay_out)

    def row_height(self) -> int:
        """Return the height of a row in pixels."""
        return self.fontMetrics().height() + 4

    def _columns(self) -> int:
        return max(1, self.contentsRect().width() // COLUMN)

    def _rows(self) -> int:
        return -(-self._model.rowCount() // self._columns())

    def _height(self, most: int) -> int:
        return max(1, min(self._rows(), most)) * self.row_height() + 2 * self.frameWidth()

    def _lay_out(self) -> None:
        self.setMaximumHeight(self._height(self._rows()))
        # A scroll bar that comes by itself takes its room also where there is none.
        scrolls = self._rows() * self.row_height() > self.contentsRect().height()
        policies = Qt.ScrollBarPolicy
        self.setVerticalScrollBarPolicy(
            policies.ScrollBarAlwaysOn if scrolls else policies.ScrollBarAlwaysOff
        )
        # One pixel less, else the list wraps before the last column.
        size = QSize((self.viewport().width() - 1) // self._columns(), self.row_height())
        if size != self.gridSize():
            self.setGridSize(size)
        self.updateGeometry()

    # --- clicks -------------------------------------------------------------------------------

    def mousePressEvent(self, event: Any) -> None:  # noqa: N802
        """Note what is pressed."""
        super().mousePressEvent(event)
        self._pressed = self._name_at(event.pos())

    def mouseReleaseEvent(self, event: Any) -> None:  # noqa: N802
        """Tell of a click."""
        super().mouseReleaseEvent(event)
        name, self._pressed = self._pressed, None
        left = event.button() == Qt.MouseButton.LeftButton
        if left and name is not None and name == self._name_at(event.pos()):
            self.class_clicked.emit(name, event.modifiers())

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802
        """Take the space bar for a click on the class that arrow keys have come to."""
        index = self.currentIndex()
        if event.key() == Qt.Key.Key_Space and index.isValid():
            self.class_clicked.emit(index.data(CATEGORY).name, event.modifiers())
        else:
            super().keyPressEvent(event)

    def _name_at(self, place: QPoint) -> str | None:
        index = self.indexAt(place)
        return index.data(CATEGORY).name if index.isValid() else None


class _Classes(QAbstractListModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._categories: tuple[Category, ...] = ()

    def show_categories(self, categories: Sequence[Category]) -> None:
        if len(categories) == len(self._categories):
            self._categories = tuple(categories)
            if categories:
                self.dataChanged.emit(self.index(0), self.index(len(categories) - 1))
            return
        self.beginResetModel()
        self._categories = tuple(categories)
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        return 0 if parent is not None and parent.isValid() else len(self._categories)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        category = self._categories[index.row()]
        if role == CATEGORY:
            return category
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{category.name}, {category.count:,}"
        if role == Qt.ItemDataRole.ToolTipRole:
            state = "" if category.shown else ", hidden"
            return (
                f"{category.name}: {category.count:,} patches{state}\n\n"
                "Click: show it alone, and all again.\nCtrl- or Shift-click: hide or show it."
            )
        return None


class _Entry(QStyledItemDelegate):
    """Draws a class: what is hidden is faint, its swatch hollow."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        category: Category = index.data(CATEGORY)
        text, rect = option.palette.color(QPalette.ColorRole.Text), option.rect
        painter.save()
        states = QStyle.StateFlag
        if option.state & (states.State_MouseOver | states.State_HasFocus):
            ground = QColor(text)
            ground.setAlphaF(0.12)
            painter.fillRect(rect, ground)
        swatch = QRect(rect.left() + GAP, rect.center().y() - SWATCH // 2, SWATCH, SWATCH)
        painter.setPen(QColor(category.color))
        painter.setBrush(QColor(category.color) if category.shown else Qt.BrushStyle.NoBrush)
        painter.drawRect(swatch)
        painter.setOpacity(1.0 if category.shown else FAINT)
        painter.setPen(text)
        painter.setFont(option.font)
        middle, metrics = Qt.AlignmentFlag.AlignVCenter, option.fontMetrics
        left = swatch.right() + GAP
        count = f"{category.count:,}"
        right = rect.right() - GAP
        painter.drawText(
            QRect(left, rect.top(), right - left, rect.height()),
            middle | Qt.AlignmentFlag.AlignRight,
            count,
        )
        room = right - metrics.horizontalAdvance(count) - 2 * GAP - left
        name = metrics.elidedText(category.name, Qt.TextElideMode.ElideMiddle, room)
        painter.drawText(QRect(left, rect.top(), room, rect.height()), middle, name)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: N802
        return self.parent().gridSize()
