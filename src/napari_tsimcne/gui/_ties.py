"""Ties between models and views, that end with the view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psygnal import SignalInstance
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QWidget


class Ties:
    """Connects signals of models to slots, until `cut` or the end of a widget."""

    def __init__(
        self, widget: QWidget | QObject, *pairs: tuple[SignalInstance, Callable[..., Any]]
    ) -> None:
        self._pairs = list(pairs)
        for signal, slot in pairs:
            signal.connect(slot)
        # Models outlive their views, and must not call a widget that is gone.
        widget.destroyed.connect(self.cut)

    def cut(self) -> None:
        """Disconnect."""
        while self._pairs:
            signal, slot = self._pairs.pop()
            signal.disconnect(slot, missing_ok=True)
