"""A bar that shows how far something is."""

from __future__ import annotations

from itertools import cycle

from qtpy.QtCore import QTimer
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QProgressBar

STEPS = 1000
"""Of a bar."""

TURN_MS = 500
DOTS = ("• · ·", "· • ·", "· · •")
"""What a bar says in turn, and for how long, while it is not known how far something is."""


class Bar(QProgressBar):
    """How far something is; where that is not known, that it goes on.

    The bar that Qt moves to and fro makes napari draw its window many times a second: where no
    GPU does that, it takes the core that a training needs. So dots move here, twice a second.

    Parameters
    ----------
    says
        Whether it shows a text, at first how far it is in percent.
    """

    def __init__(self, says: bool = False) -> None:
        super().__init__()
        self.setRange(0, STEPS)
        self._says, self.waiting, self._text = says, False, ""
        self._dots = cycle(DOTS)
        self._turn = QTimer(self)
        self._turn.setInterval(TURN_MS)
        self._turn.timeout.connect(self._next)
        self.setTextVisible(says)

    def wait(self, text: str = "") -> None:
        """Show that something is done of which it is not known yet how far it is, and a text."""
        if not self.waiting:
            self.advance(0)
            self.setTextVisible(True)
        self.waiting, self._text = True, text
        self._next()
        self._turn.start()

    def advance(self, fraction: float, text: str = "%p%") -> None:
        """Show how far it is, from 0 to 1, and a text."""
        self.waiting = False
        self._turn.stop()
        self.setTextVisible(self._says)
        # Qt would draw the window before it goes on, canvases and all.
        self.setUpdatesEnabled(False)
        self.setValue(round(STEPS * fraction))
        self.setFormat(text)
        self.setUpdatesEnabled(True)

    def count(self, done: int, total: int, text: str = "") -> None:
        """Show how much is done, and a text; without a total, that something is done."""
        if total:
            self.advance(done / total, text or "%p%")
        else:
            self.wait(text)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Go on showing that something is done."""
        super().showEvent(event)
        if self.waiting:
            self._turn.start()

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802
        """Rest while nobody looks."""
        super().hideEvent(event)
        self._turn.stop()

    def _next(self) -> None:
        self.setFormat(f"{self._text} {next(self._dots)}".strip())
