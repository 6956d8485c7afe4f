"""A column of widgets that scrolls up and down."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QScrollArea, QWidget

from napari_tsimcne.gui._later import later

SETTLE_MS = 50
"""After which widgets that were just shown have their size."""


class Column(QScrollArea):
    """Scrolls up and down, and is never narrower than what it holds."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)
        content.installEventFilter(self)

    def look_at(self, widget: QWidget) -> None:
        """Scroll to a widget of the column, once it has its size."""
        later(self, partial(self.ensureWidgetVisible, widget, 0, 8), SETTLE_MS)

    def eventFilter(self, watched: Any, event: QEvent) -> bool:  # noqa: N802
        """Follow the content when it needs more room."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.setMinimumWidth(
                self.widget().minimumSizeHint().width()
                + self.verticalScrollBar().sizeHint().width()
            )
        return super().eventFilter(watched, event)
