"""Text that wraps inside the width it is given."""

from __future__ import annotations

import re

from qtpy.QtCore import Qt
from qtpy.QtGui import QAction, QKeyEvent, QKeySequence
from qtpy.QtWidgets import QApplication, QLabel, QSizePolicy

LONG_WORD = 20
"""Characters of a word, such as the name of a file, from which on it may be broken anywhere."""

BREAK = "\u200b"
"""A space without width: lines may end there."""


class Wrapped(QLabel):
    """Plain text on as many lines as it needs, which never widens what holds it.

    Names of files are long words, and may hold what reads as HTML.

    Parameters
    ----------
    text
        That it shows at first.
    lines
        For which it always has room: what lies below stays where it is when the text changes.
    """

    def __init__(self, text: str = "", lines: int = 0) -> None:
        super().__init__()
        if lines:
            self.setMinimumHeight(lines * self.fontMetrics().lineSpacing())
            self.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._text = ""
        self.setText(text)

    def setText(self, text: str) -> None:  # noqa: N802
        """Show a text."""
        self._text = text
        super().setText(breakable(text))

    def clear(self) -> None:
        """Show nothing."""
        self.setText("")

    def text(self) -> str:
        """Return the text as it was given."""
        return self._text

    def make_selectable(self) -> None:
        """Let parts of the text be selected by mouse, and copied."""
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        copy = QAction("Copy", self)
        copy.triggered.connect(self._copy)
        self.addAction(copy)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Copy what is selected."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self._copy()
        else:
            super().keyPressEvent(event)

    def _copy(self) -> None:
        # What is copied is often a path: the breaks are none of it.
        QApplication.clipboard().setText(self.selectedText().replace(BREAK, ""))


def breakable(text: str) -> str:
    """Let long words of a text be broken at the end of a line."""
    return re.sub(rf"\S{{{LONG_WORD},}}", lambda word: BREAK.join(word[0]), text)
