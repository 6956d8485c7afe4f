"""How patches that were added to a map are told from those it was learnt of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from napari.layers import Points
from qtpy.QtCore import QPointF, QSize, Qt
from qtpy.QtGui import QColor, QGuiApplication, QIcon, QPainter, QPixmap, QPolygonF
from qtpy.QtWidgets import QHBoxLayout, QToolButton, QWidget

from napari_tsimcne.explore import Exploration
from napari_tsimcne.gui.map._map_tools import selection_mode
from napari_tsimcne.runs import ADDED_COLUMNS

OWN, ADDED, UNFAMILIAR = "disc", "triangle_up", "x"
"""Symbols of napari."""

UNFAMILIAR_COLOR = "#f0760a"
"""Of words on patches unlike all the map was learnt of; seen on black as on white."""

ICON = 13
"""Pixels of the side of an icon."""


def is_added(table: pd.DataFrame) -> np.ndarray:
    """Which patches were added to the map, (N,) bool."""
    if not set(ADDED_COLUMNS) <= set(table):
        return np.zeros(len(table), bool)
    return (table["added"] != "").to_numpy(bool)


def is_unfamiliar(table: pd.DataFrame) -> np.ndarray:
    """Which of them are unlike all the map was learnt of, (N,) bool."""
    added = is_added(table)
    return added & table["unfamiliar"].to_numpy(bool) if added.any() else added


class MapSymbols:
    """Gives points the symbols of their patches; their colours stay.

    Parameters
    ----------
    table
        The patch table, N rows.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self._added = is_added(table)
        symbols = np.where(self._added, ADDED, OWN)
        self._symbols = np.where(is_unfamiliar(table), UNFAMILIAR, symbols)

    def draw(self, layer: Points, rows: np.ndarray) -> None:
        """Draw the points of a layer, which are those of some rows (n,) of the table."""
        if self._added.any() and len(rows):
            layer.symbol = self._symbols[rows]


class AddedLine(QWidget):
    """Says how many patches were added and how many of them are unfamiliar; a click selects them.

    Hidden where nothing was added. Shift adds to the selection, Alt subtracts.

    Parameters
    ----------
    exploration
        Whose table is counted, and whose selection is changed.
    """

    def __init__(self, exploration: Exploration) -> None:
        super().__init__()
        self._selection = exploration.selection
        added, unfamiliar = is_added(exploration.table), is_unfamiliar(exploration.table)
        self.added = self._button(
            added, f"{added.sum():,} added", _triangle(),
            "Patches of images that were put onto the map later.\nClick to select them.",
        )  # fmt: skip
        self.unfamiliar = self._button(
            unfamiliar, f"{unfamiliar.sum():,} unfamiliar", _cross(),
            "Of these, outliers, similar to no training patch: where they lie on it\n"
            "says little. Click to select them.",
        )  # fmt: skip
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2, 0, 2, 0)
        layout.setSpacing(2)
        layout.addWidget(self.added)
        layout.addWidget(self.unfamiliar)
        layout.addStretch()
        self.setVisible(bool(added.any()))

    def _button(self, rows: np.ndarray, text: str, icon: QIcon, tip: str) -> QToolButton:
        button = QToolButton()
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setAutoRaise(True)
        button.setText(text)
        button.setIcon(icon)
        button.setIconSize(QSize(ICON, ICON))
        button.setToolTip(tip)
        button.setEnabled(bool(rows.any()))
        button.clicked.connect(lambda: self._select(rows))
        return button

    def _select(self, rows: np.ndarray) -> None:
        modifiers = QGuiApplication.keyboardModifiers()
        names = {"Shift": Qt.KeyboardModifier.ShiftModifier, "Alt": Qt.KeyboardModifier.AltModifier}
        pressed = [name for name, modifier in names.items() if modifiers & modifier]
        self._selection.select(rows, selection_mode(pressed))


def _triangle() -> QIcon:
    return _icon([[(0.5, 0.1), (0.95, 0.9), (0.05, 0.9)]], "#8f959e")


def _cross() -> QIcon:
    bar = [(0.05, 0.25), (0.25, 0.05), (0.95, 0.75), (0.75, 0.95)]
    return _icon([bar, [(1 - x, y) for x, y in bar]], UNFAMILIAR_COLOR)


def _icon(shapes: Sequence[Sequence[tuple[float, float]]], color: str) -> QIcon:
    """Draw a symbol of polygons (x, y) in 0..1."""
    side = 4 * ICON
    picture = QPixmap(side, side)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(color))
    painter.setPen(Qt.PenStyle.NoPen)
    for corners in shapes:
        painter.drawPolygon(QPolygonF([QPointF(x * side, y * side) for x, y in corners]))
    painter.end()
    return QIcon(picture)
