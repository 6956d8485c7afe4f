"""A column of widgets that scrolls up and down."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QScrollArea, QWidget

from napari_tsimcne.gui._later import later

STEPS_WIDTH = 360
"""Pixels in which all steps of the dock find room, whatever they show."""

SETTLE_MS = 50
"""After which widgets that were just shown have their size."""


class Column(QScrollArea):
    """Scrolls up and down, and is as wide as it needs to be whatever it shows.

    What it shows may change under the pointer, so its width does not follow that: it has a minimum,
    which grows only where something does not fit.

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

    def look_at(self, widget: QWidget) -> None:
        """Scroll to a widget of the column, once it has its size."""
        later(self, partial(self.ensureWidgetVisible, widget, 0, 8), SETTLE_MS)

    def eventFilter(self, watched: Any, event: QEvent) -> bool:  # noqa: N802
        """Follow the content when it needs more room."""
        if event.type() == QEvent.Type.LayoutRequest:
            needed = self.widget().minimumSizeHint().width()
            needed += self.verticalScrollBar().sizeHint().width()
            self.setMinimumWidth(max(needed, self.minimumWidth()))
        return super().eventFilter(watched, event)
