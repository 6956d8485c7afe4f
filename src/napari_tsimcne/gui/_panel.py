"""A panel that follows models, and lets go of them when its dock is closed."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget


class Panel(QWidget):
    """What stands in a dock that is not coming back once it is closed."""

    def release(self) -> None:
        """End what is being done, and let go of the models; may be called again."""
        raise NotImplementedError

    def event(self, event: QEvent) -> bool:
        """Let go of the models when napari takes the panel out of its dock."""
        if event.type() == QEvent.Type.ParentAboutToChange and self.parent() is not None:
            self.release()
        return super().event(event)

    def closeEvent(self, event: Any) -> None:  # noqa: N802
        """Let go of the models."""
        self.release()
        super().closeEvent(event)
