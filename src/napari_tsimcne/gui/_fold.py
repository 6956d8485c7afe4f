"""A heading that folds and unfolds what stands below it; one kind of arrow for all of them."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QToolButton, QVBoxLayout, QWidget

UNLIMITED = 16_777_215
"""Qt's own largest height."""


class Heading(QToolButton):
    """Text behind an arrow that points down while it is checked, and right otherwise."""

    def __init__(self, text: str, is_open: bool) -> None:
        super().__init__()
        self.setText(text)
        self.setCheckable(True)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setAutoRaise(True)
        self.setStyleSheet("QToolButton { border: none; background: transparent; }")
        self.toggled.connect(self._point)
        self.setChecked(is_open)
        self._point()

    def _point(self) -> None:
        self.setArrowType(Qt.ArrowType.DownArrow if self.isChecked() else Qt.ArrowType.RightArrow)


class Fold(QWidget):
    """A part of a form that is folded at first; ``toggled`` carries whether it is unfolded."""

    toggled = Signal(bool)

    def __init__(self, title: str) -> None:
        super().__init__()
        self.heading = Heading(title, is_open=False)
        self.content = QWidget()
        self._inside = QVBoxLayout(self.content)
        self._inside.setContentsMargins(4, 0, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.heading)
        layout.addWidget(self.content)
        self._unfold(False)
        self.heading.toggled.connect(self._unfold)
        self.heading.toggled.connect(self.toggled)

    def _unfold(self, unfolded: bool) -> None:
        # Not hidden: its width counts, so that the form is not wider once it is unfolded.
        self.content.setMaximumHeight(UNLIMITED if unfolded else 0)

    def addWidget(self, widget: QWidget) -> None:  # noqa: N802
        """Put a widget below what is there."""
        self._inside.addWidget(widget)

    def expand(self, **_: object) -> None:
        """Unfold."""
        self.heading.setChecked(True)

    def collapse(self, **_: object) -> None:
        """Fold."""
        self.heading.setChecked(False)

    def isExpanded(self) -> bool:  # noqa: N802
        """Whether it is unfolded."""
        return self.heading.isChecked()

    def setText(self, text: str) -> None:  # noqa: N802
        """Change the heading."""
        self.heading.setText(text)
