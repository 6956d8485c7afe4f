"""What is due between two steps: by the time that has passed, and by what is asked."""

from __future__ import annotations

import time
from enum import IntFlag

PROGRESS_SECONDS = 0.5
"""Between two reports of progress."""


class Due(IntFlag):
    """What is due after a step; decided by the first process for all."""

    TELL = 1
    MAP = 2
    SAVE = 4
    PAUSE = 8
    STOP = 16


class Cadence:
    """Remembers when each thing was last done."""

    def __init__(self) -> None:
        now = time.perf_counter()
        self._last = {Due.TELL: now, Due.MAP: now, Due.SAVE: now}

    def waited(self, what: Due) -> float:
        """Return the seconds since something was last done."""
        return time.perf_counter() - self._last[what]

    def done(self, what: Due) -> None:
        """Note that something was just done."""
        self._last[what] = time.perf_counter()
