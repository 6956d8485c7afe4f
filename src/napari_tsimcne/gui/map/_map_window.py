"""A window of its own for the map."""

from __future__ import annotations

from typing import Any

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

SIZE = (1000, 800)


class MapWindow(QWidget):
    """Holds the panel of the map; ``closing`` is emitted when the user closes it.

    Parameters
    ----------
    owner
        The widget whose theme and end it shares.
    panel
        What it holds.
    """

    closing = Signal()

    def __init__(self, owner: QWidget, panel: QWidget) -> None:
        super().__init__(owner, Qt.WindowType.Window)
        self.setWindowTitle("t-SimCNE map")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(panel)
        self.resize(*SIZE)

    def closeEvent(self, event: Any) -> None:  # noqa: N802
        """Give the panel back first."""
        self.closing.emit()
        super().closeEvent(event)

    def let_go(self) -> None:
        """Close, without telling."""
        self.closing.disconnect()
        self.close()
        self.deleteLater()
