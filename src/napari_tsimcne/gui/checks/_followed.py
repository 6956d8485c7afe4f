"""What similar patches share, as a table of bars."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QModelIndex, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPalette
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
)

COLOR, CHANCE_COLOR = "#5b9fe0", "#f0a02c"
BAR = 8
GAP = 6
NARROWEST_BAR = 70
"""In pixels: height of a bar, space between things, width of the bars."""

WIDEST = "0.00 (0.00)"
"""Of the numbers."""

SCORE, CHANCE = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1
COLUMN = Qt.ItemDataRole.UserRole + 2

EXPLAINED = (
    "How well each patch's neighbours on the map predict its value: accuracy for classes, R² for "
    "numbers.\nThe bar is the score, the orange line is chance."
)


class FollowedTable(QTableWidget):
    """Ranks columns by how well neighbours predict them.

    ``column_clicked`` carries the name of a column that the map is to be coloured by.
    """

    column_clicked = Signal(str)

    def __init__(self) -> None:
        super().__init__(0, 2)
        self.setHorizontalHeaderLabels(["Column", "Score (chance)"])
        self.setToolTip(EXPLAINED)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + GAP)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setItemDelegateForColumn(1, _Bars(self))
        header = self.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.cellClicked.connect(self._on_chosen)
        self.cellActivated.connect(self._on_chosen)

    def show_ranking(
        self, ranked: pd.DataFrame, named: Mapping[str, str], choices: Collection[str]
    ) -> None:
        """Show what similar patches share, the most first.

        Parameters
        ----------
        ranked
            See `Confounds`.
        named
            What columns are called that were added to the patch table.
        choices
            What the map can be coloured by; other rows cannot be clicked.
        """
        self.clearSelection()
        self.setRowCount(len(ranked))
        for place, row in enumerate(ranked.itertuples()):
            column = named.get(row.Index, row.Index)
            name = QTableWidgetItem(row.Index)
            score = QTableWidgetItem(f"{_inside(row.score):.2f} ({_inside(row.by_chance):.2f})")
            score.setData(SCORE, float(row.score))
            score.setData(CHANCE, float(row.by_chance))
            chosen = column in choices
            then = "Click: colour the map by it." if chosen else "The map has no colours for it."
            for item in (name, score):
                item.setToolTip(f"{row.sentence[:1].upper()}{row.sentence[1:]}\n\n{then}")
                item.setData(COLUMN, column if chosen else None)
            self.setItem(place, 0, name)
            self.setItem(place, 1, score)
        height = self.horizontalHeader().sizeHint().height() + 2 * self.frameWidth()
        height += sum(self.rowHeight(row) for row in range(len(ranked)))
        # All of it: it is part of what scrolls.
        self.setFixedHeight(height)

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802
        """Take Enter and the space bar for a click, on every system."""
        keys = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)
        if event.key() in keys and self.currentRow() >= 0:
            self._on_chosen(self.currentRow(), 0)
        else:
            super().keyPressEvent(event)

    def _on_chosen(self, row: int, _: int) -> None:
        column = self.item(row, 0).data(COLUMN)
        if column is not None:
            self.column_clicked.emit(column)


class _Bars(QStyledItemDelegate):
    """Draws a score as a bar, what chance gives as a line across it, and both as numbers."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        self.initStyleOption(option, index)
        text, option.text = option.text, ""
        option.widget.style().drawControl(
            option.widget.style().ControlElement.CE_ItemViewItem, option, painter, option.widget
        )
        painter.save()
        rect = option.rect.adjusted(GAP, 0, -GAP, 0)
        width = rect.width() - option.fontMetrics.horizontalAdvance(WIDEST) - GAP
        top = rect.center().y() - BAR / 2 + 0.5
        ground = QColor(option.palette.color(QPalette.ColorRole.Text))
        ground.setAlphaF(0.15)
        painter.fillRect(QRectF(rect.left(), top, width, BAR), ground)
        score, chance = (_inside(index.data(role)) for role in (SCORE, CHANCE))
        painter.fillRect(QRectF(rect.left(), top, width * score, BAR), QColor(COLOR))
        line = QRectF(rect.left() + width * chance - 1, top - 3, 2, BAR + 6)
        painter.fillRect(line, QColor(CHANCE_COLOR))
        painter.setPen(option.palette.color(QPalette.ColorRole.Text))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(rect, right, text)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: N802
        numbers = option.fontMetrics.horizontalAdvance(WIDEST)
        return QSize(NARROWEST_BAR + numbers + 3 * GAP, option.fontMetrics.height() + GAP)


def _inside(share: float) -> float:
    return float(np.clip(np.nan_to_num(share), 0, 1))
