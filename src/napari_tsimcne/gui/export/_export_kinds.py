"""The list of what a map can be exported as."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QFont, QFontMetrics, QPainter, QPalette
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from napari_tsimcne.export import KINDS, Kind
from napari_tsimcne.gui._small_text import smaller

KIND = Qt.ItemDataRole.UserRole
WIDTH = 330
"""Of the list of kinds, in pixels: every sentence fits on a line."""

SPACE = 5
FRAME = "border: 1px solid rgba(128, 128, 128, 110);"
"""The theme draws none around lists."""

CHOSEN = "background: rgba(82, 118, 240, 130);"
"""Themes make what is chosen hardly darker than the rest."""


class KindList(QListWidget):
    """Lists `KINDS` under the names of their groups, each with its sentence.

    ``chosen`` is emitted when another one is.
    """

    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setItemDelegate(_KindEntry(self))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setStyleSheet(f"KindList {{ {FRAME} }} KindList::item:selected {{ {CHOSEN} }}")
        group = ""
        for kind in KINDS:
            if kind.group != group:
                group = kind.group
                heading = QListWidgetItem(group)
                heading.setFlags(Qt.ItemFlag.NoItemFlags)
                self.addItem(heading)
            item = QListWidgetItem(kind.title)
            item.setData(KIND, kind)
            item.setToolTip(kind.help)
            self.addItem(item)
        self.choose(KINDS[0])
        self.currentItemChanged.connect(lambda now, before: self.chosen.emit())

    @property
    def kind(self) -> Kind:
        """The kind that is chosen."""
        return self.currentItem().data(KIND)

    def choose(self, kind: Kind) -> None:
        """Choose a kind."""
        for place in range(self.count()):
            if self.item(place).data(KIND) == kind:
                self.setCurrentRow(place)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Leave room for all of them."""
        height = sum(self.sizeHintForRow(row) for row in range(self.count()))
        return QSize(WIDTH, height + 2 * self.frameWidth() + 2)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Leave room for half of them on a small screen."""
        return QSize(WIDTH, self.sizeHint().height() // 2)


class _KindEntry(QStyledItemDelegate):
    """Draws the name of a group, or title and sentence of a kind."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Any) -> QSize:  # noqa: N802
        """Leave room for one line or two."""
        title = QFontMetrics(option.font).height()
        small = QFontMetrics(smaller(option.font)).height()
        if index.data(KIND) is None:
            return QSize(100, small + 2 * SPACE)
        return QSize(100, title + small + SPACE + 2)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        """Let the style draw all but the text."""
        option = QStyleOptionViewItem(option)
        self.initStyleOption(option, index)
        text, option.text = option.text, ""
        style = option.widget.style() if option.widget else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        # What is disabled has a colour that is hard to read.
        palette = option.widget.palette() if option.widget else option.palette
        ink = palette.color(QPalette.ColorGroup.Active, QPalette.ColorRole.Text)
        faint = QColor(ink.red(), ink.green(), ink.blue(), 170)
        kind = index.data(KIND)
        flags = Qt.AlignmentFlag
        painter.save()
        small = smaller(option.font)
        if kind is None:
            bold = QFont(small)
            bold.setBold(True)
            painter.setFont(bold)
            painter.setPen(faint)
            painter.drawText(option.rect.adjusted(SPACE, 0, 0, -2), flags.AlignBottom, text)
        else:
            room = option.rect.adjusted(3 * SPACE, 2, -SPACE, -2)
            painter.setPen(ink)
            title = QFont(option.font)
            title.setBold(bool(option.state & QStyle.StateFlag.State_Selected))
            painter.setFont(title)
            painter.drawText(room, flags.AlignTop, text)
            painter.setFont(small)
            painter.setPen(faint)
            painter.drawText(
                room,
                flags.AlignBottom,
                QFontMetrics(small).elidedText(
                    kind.help, Qt.TextElideMode.ElideRight, room.width()
                ),
            )
        painter.restore()
