"""A card beside the pointer: the patch of a point, where it is from, and what was measured."""

from __future__ import annotations

import html
from numbers import Integral, Real

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from qtpy.QtCore import QPoint, QRect, QSize, Qt
from qtpy.QtGui import QFontMetrics, QGuiApplication, QPixmap
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from napari_tsimcne.explore import Clusters
from napari_tsimcne.gui.images._crops import pixmap
from napari_tsimcne.gui.map._map_symbols import UNFAMILIAR_COLOR, is_added
from napari_tsimcne.runs import ADDED_COLUMNS

PICTURE = 128
"""Pixels of the picture's side."""

OFFSET = 18
"""Pixels between pointer and card."""

MOST_VALUES = 14
WIDEST = 190
"""Pixels of a text."""

PLACE = ("patch", "image", "t", "z", "y", "x", "size", "label")
"""Columns of every patch table; all others were measured or joined."""


class PatchCard(QFrame):
    """Shows one patch; it never takes the mouse nor the keyboard, nor leaves the screen.

    Parameters
    ----------
    parent
        Whose theme it has.
    table
        The patch table.
    clusters
        Whose names and colours are shown.
    """

    def __init__(self, parent: QWidget, table: pd.DataFrame, clusters: Clusters) -> None:
        super().__init__(
            parent,
            Qt.WindowType.ToolTip
            | Qt.WindowType.FramelessWindowHint
            | Qt.WindowType.WindowTransparentForInput,
        )
        self._clusters = clusters
        self.read(table)
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setObjectName("patch_card")
        self.setStyleSheet("#patch_card { border: 1px solid rgba(128, 128, 128, 160); }")
        self.picture, self.text = QLabel(), QLabel()
        self.text.setTextFormat(Qt.TextFormat.RichText)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(10)
        for part in (self.picture, self.text):
            layout.addWidget(part, alignment=Qt.AlignmentFlag.AlignTop)

    def read(self, table: pd.DataFrame) -> None:
        """Read from this table from now on; it has the same patches."""
        self._table = table
        self._moves = [name for name in "tz" if table[name].nunique() > 1]
        # What was joined to the patches, such as a treatment, tells more than one more number.
        self._additions = bool(is_added(table).any())
        known = (*PLACE, *ADDED_COLUMNS) if self._additions else PLACE
        values = [name for name in table.columns if name not in known]
        self._values = sorted(values, key=lambda name: is_numeric_dtype(table[name]))

    def show_patch(self, patch: int, picture: np.ndarray, pointer: QPoint) -> None:
        """Show a patch with its picture (S, S, 3) uint8, beside a place of the screen."""
        self.picture.setPixmap(_scaled(picture))
        self.text.setText(self._described(patch))
        self.adjustSize()
        self.follow(pointer)
        self.show()

    def follow(self, pointer: QPoint) -> None:
        """Move beside a place of the screen."""
        screen = QGuiApplication.screenAt(pointer) or QGuiApplication.primaryScreen()
        room = screen.availableGeometry()
        self.move(beside(pointer, self.size(), room))

    def _described(self, patch: int) -> str:
        row = self._table.iloc[patch]
        metrics = self.text.fontMetrics()
        lines = [f"<b>{_elided(metrics, row['image'])}</b>"]
        place = [f"{name} {row[name]:g}" for name in self._moves]
        place += [f"{name} {row[name]:.0f}" for name in "yx"]
        lines.append(f"patch {patch} &nbsp; " + ", ".join(place))
        cluster_id = int(self._clusters.ids[patch])
        if cluster_id:
            cluster = self._clusters[cluster_id]
            name = _elided(metrics, cluster.name)
            lines.append(f'<span style="color:{cluster.color}">■</span> {name}')
        if self._additions and row["added"]:
            lines += self._of_addition(row)
        values = "".join(
            f"<tr><td>{_elided(metrics, name)}&nbsp;&nbsp;</td>"
            f"<td>{_elided(metrics, _written(row[name]))}</td></tr>"
            for name in self._values[:MOST_VALUES]
        )
        more = len(self._values) - MOST_VALUES
        if more > 0:
            values += f"<tr><td>and {more} more</td></tr>"
        return "<br>".join(lines) + (f"<table>{values}</table>" if values else "")

    def _of_addition(self, row: pd.Series) -> list[str]:
        """Say what a patch was added with, and whether it is unlike what the map was learnt of."""
        added = f"▲ added with {_elided(self.text.fontMetrics(), row['added'])}"
        familiarity = f"familiarity {row['familiarity']:.2g}"
        if not row["unfamiliar"]:
            return [f"{added}, {familiarity}"]
        unlike = f"similar to no training patch: {familiarity}"
        return [added, f'<b><span style="color:{UNFAMILIAR_COLOR}">{unlike}</span></b>']


def beside(pointer: QPoint, card: QSize, room: QRect) -> QPoint:
    """Return where a card's upper left corner goes: right below the pointer where there is room.

    Otherwise it goes to the other side of it, and never out of the ``room``.
    """
    left, top = pointer.x() + OFFSET, pointer.y() + OFFSET
    if left + card.width() > room.right():
        left = pointer.x() - OFFSET - card.width()
    if top + card.height() > room.bottom():
        top = pointer.y() - OFFSET - card.height()
    return QPoint(max(left, room.left()), max(top, room.top()))


def _scaled(picture: np.ndarray) -> QPixmap:
    return pixmap(picture).scaled(
        PICTURE,
        PICTURE,
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )


def _written(value: object) -> str:
    if pd.isna(value):
        return "none"
    if isinstance(value, Integral) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, Real) else str(value)


def _elided(metrics: QFontMetrics, text: object) -> str:
    return html.escape(metrics.elidedText(str(text), Qt.TextElideMode.ElideMiddle, WIDEST))
