"""How patches that were added to a map are told from those it was learnt of."""

from __future__ import annotations

import numpy as np
import pandas as pd
from napari.layers import Points
from napari.utils.colormaps.standardize_color import transform_color
from qtpy.QtCore import QPointF, QSize, Qt
from qtpy.QtGui import QColor, QGuiApplication, QIcon, QPainter, QPen, QPixmap, QPolygonF
from qtpy.QtWidgets import QHBoxLayout, QToolButton, QWidget

from napari_tsimcne.explore import Exploration
from napari_tsimcne.gui._map_tools import selection_mode
from napari_tsimcne.runs import ADDED_COLUMNS

OWN, ADDED = "disc", "triangle_up"
"""Symbols of napari."""

UNFAMILIAR_COLOR = "#f0760a"
"""Of the rim around patches unlike all the map was learnt of; seen on black as on white."""

RIM = 0.3
"""Width of that rim, as a share of the symbol's size."""

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
    """Gives points the symbols of their patches, and unfamiliar ones a rim.

    Parameters
    ----------
    table
        The patch table, N rows.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self._added, self._unfamiliar = is_added(table), is_unfamiliar(table)
        self._rim = transform_color(UNFAMILIAR_COLOR)[0]

    def draw(
        self, layer: Points, rows: np.ndarray | None = None, alpha: np.ndarray | None = None
    ) -> None:
        """Draw the points of some rows of the table, which are those of a layer.

        Parameters
        ----------
        layer
            n points.
        rows
            (n,) of the table; None for all.
        alpha
            Opacity of the rims in 0..1, (n,): that of the points, so that those that are hidden
            have none. None for no rims.
        """
        chosen = slice(None) if rows is None else rows
        added, unfamiliar = self._added[chosen], self._unfamiliar[chosen]
        if not self._added.any() or not len(added):
            return
        layer.symbol = np.where(unfamiliar, "x", np.where(added, ADDED, OWN))
        if alpha is not None and self._unfamiliar.any():
            colors = np.tile(self._rim, (len(added), 1))
            colors[:, 3] = np.where(unfamiliar, alpha, 0)
            layer.border_width = np.where(unfamiliar, RIM, 0.0)
            layer.border_color = colors


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
            added, f"{added.sum():,} added", False,
            "Patches of images that were put onto the map later.\nClick to select them.",
        )  # fmt: skip
        self.unfamiliar = self._button(
            unfamiliar, f"{unfamiliar.sum():,} unfamiliar", True,
            "Of these, patches unlike all that the map was learnt of: where they lie on it\n"
            "says little. Click to select them.",
        )  # fmt: skip
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2, 0, 2, 0)
        layout.setSpacing(2)
        layout.addWidget(self.added)
        layout.addWidget(self.unfamiliar)
        layout.addStretch()
        self.setVisible(bool(added.any()))

    def _button(self, rows: np.ndarray, text: str, rim: bool, tip: str) -> QToolButton:
        button = QToolButton()
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setAutoRaise(True)
        button.setText(text)
        button.setIcon(_icon(rim))
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


def _icon(rim: bool) -> QIcon:
    """Draw the symbol of added patches, with a rim or without."""
    picture = QPixmap(4 * ICON, 4 * ICON)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    side = float(picture.width())
    corners = [(0.5, 0.12), (0.92, 0.86), (0.08, 0.86)]
    painter.setBrush(QColor("#8f959e"))
    painter.setPen(QPen(QColor(UNFAMILIAR_COLOR), 0.16 * side) if rim else QPen(Qt.PenStyle.NoPen))
    painter.drawPolygon(QPolygonF([QPointF(x * side, y * side) for x, y in corners]))
    painter.end()
    return QIcon(picture)
