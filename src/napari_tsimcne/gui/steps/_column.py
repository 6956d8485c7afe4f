"""A column of widgets that scrolls up and down."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QScrollArea, QWidget

from napari_tsimcne.gui._later import later

STEPS_WIDTH = 360
"""Pixels in which all steps of the dock find room, whatever they show."""

SETTLE_MS = 50
"""After which widgets that were just shown have their size."""


class Column(QScrollArea):
    """Scrolls up and down, and is as wide as it needs to be whatever it shows.

    What it shows may change under the pointer, so its width does not follow that: it has a minimum,
    which grows only where something does not fit. And it scrolls along, so that what is under the
    pointer, else what was looked at last, stays in its place when lines above come or go.

    Parameters
    ----------
    content
        That it scrolls.
    width
        Pixels in which all that it may show finds room, where that is known beforehand.
    """

    def __init__(self, content: QWidget, width: int = 0) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # The bar has its room also where nothing scrolls: what it holds would move sideways.
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setWidget(content)
        self.setMinimumWidth(width)
        content.installEventFilter(self)
        self._looked_at: QWidget | None = None
        self._kept: QWidget | None = None
        self._place = 0
        self._settling = False

    def look_at(self, widget: QWidget) -> None:
        """Scroll to a widget of the column, once it has its size."""
        self._looked_at = widget
        later(self, partial(self.ensureWidgetVisible, widget, 0, 8), SETTLE_MS)

    def eventFilter(self, watched: Any, event: QEvent) -> bool:  # noqa: N802
        """Follow the content when it needs more room, and keep in place what is looked at."""
        if event.type() == QEvent.Type.LayoutRequest:
            if not self._settling:
                self._settling = True
                later(self, self._settle)
            needed = self.widget().minimumSizeHint().width()
            needed += self.verticalScrollBar().sizeHint().width()
            self.setMinimumWidth(max(needed, self.minimumWidth()))
        elif event.type() in (QEvent.Type.Paint, QEvent.Type.Move) and not self._settling:
            self._note()
        return super().eventFilter(watched, event)

    def _note(self) -> None:
        """Keep what is to stay in its place, and where that is."""
        at = self.viewport().mapFromGlobal(QCursor.pos())
        under = self.viewport().rect().contains(at)
        self._kept = self.widget().childAt(self.widget().mapFrom(self, at)) if under else None
        if self._kept is None:
            self._kept = self._looked_at
        if self._kept is not None:
            self._place = self._height_of(self._kept)

    def _settle(self) -> None:
        """Scroll by as much as what is kept was moved."""
        self._settling = False
        # What is gone by now raises it.
        with suppress(RuntimeError):
            if self._kept is not None and self._kept.isVisible():
                bar = self.verticalScrollBar()
                bar.setValue(bar.value() + self._height_of(self._kept) - self._place)

    def _height_of(self, widget: QWidget) -> int:
        return widget.mapTo(self.viewport(), QPoint(0, 0)).y()
