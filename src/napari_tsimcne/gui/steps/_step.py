"""A step on the way from images to map: number, name, what it will do, and its fields."""

from __future__ import annotations

from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.gui._fold import Heading
from napari_tsimcne.gui._wrapped import Wrapped


class Step(QWidget):
    """A heading that opens and closes its fields, and under it what the step will do.

    Parameters
    ----------
    number, name
        Of the heading.
    is_open
        Whether the fields are seen at first.
    """

    def __init__(self, number: int, name: str, is_open: bool) -> None:
        super().__init__()
        self.heading = Heading(f"{number}  {name}", is_open)
        font = self.heading.font()
        font.setBold(True)
        self.heading.setFont(font)
        self.heading.toggled.connect(self.open)
        self.summary = Wrapped(lines=2)
        self.summary.setContentsMargins(4, 0, 0, 2)
        self.summary.hide()
        self.content = QWidget()
        self._fields = QVBoxLayout(self.content)
        self._fields.setContentsMargins(4, 0, 0, 4)
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        line.setStyleSheet("color: rgba(128, 128, 128, 90);")
        top = QHBoxLayout()
        top.addWidget(self.heading)
        top.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(line)
        layout.addLayout(top)
        layout.addWidget(self.summary)
        layout.addWidget(self.content)
        self.open(is_open)

    def add(self, *widgets: QWidget) -> None:
        """Put widgets below what is there."""
        for widget in widgets:
            self._fields.addWidget(widget)

    def open(self, is_open: bool) -> None:
        """Show the fields, or only heading and summary."""
        self.heading.setChecked(is_open)
        self.content.setVisible(is_open)

    def tell(self, text: str) -> None:
        """Say what the step will do."""
        self.summary.setText(text)
        self.summary.setVisible(bool(text))
