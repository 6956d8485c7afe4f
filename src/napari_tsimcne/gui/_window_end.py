"""When the window of a widget closes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QObject, Signal
from qtpy.QtWidgets import QWidget


class WindowEnd(QObject):
    """Asks before the window of a widget closes, and signals once it is closed.

    ``closed`` waits until the window is hidden: others may still refuse to close it.

    Parameters
    ----------
    widget
        Whose window it is, from when it is first shown.
    may_close
        Called when the window is to be closed; it stays open where this returns False.
    """

    closed = Signal()

    def __init__(self, widget: QWidget, may_close: Callable[[], bool]) -> None:
        super().__init__(widget)
        self._widget = widget
        self._may_close = may_close
        self._closing = False
        widget.installEventFilter(self)

    def forget(self) -> None:
        """Leave the window alone from now on."""
        self._widget.window().removeEventFilter(self)

    def eventFilter(self, watched: Any, event: QEvent) -> bool:  # noqa: N802
        """Follow the widget to its window, and the window to its end."""
        kind = event.type()
        if watched is self._widget:
            if kind == QEvent.Type.Show:
                watched.window().installEventFilter(self)
        elif kind == QEvent.Type.Close:
            if not self._may_close():
                event.ignore()
                return True
            self._closing = True
        elif kind == QEvent.Type.Hide and self._closing and not event.spontaneous():
            self.closed.emit()
        return super().eventFilter(watched, event)
