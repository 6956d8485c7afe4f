"""Points that glide to where a map that is being learnt has put them."""

from __future__ import annotations

import time

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QObject, QTimer

from napari_tsimcne.explore import Exploration

SECONDS = 0.6
"""That a glide takes."""

FRAME_MS = 40
"""From picture to picture of a glide."""

MOST = 5_000
"""Points that glide; more jump, since a picture of them takes too long."""


class Glide(QObject):
    """Keeps ``points`` in step with an exploration's map, in place.

    ``stepped`` is emitted for every picture of a glide, ``settled`` at its end, and where points
    jump.

    Parameters
    ----------
    exploration
        Whose map is followed.
    parent
        With which it ends.
    """

    stepped = Signal()
    settled = Signal()

    def __init__(self, exploration: Exploration, parent: QObject) -> None:
        super().__init__(parent)
        self._exploration = exploration
        self.points = self._places()
        """Positions (N, 2) as (y, x)."""
        self._placed = exploration.placed
        self._from = self._to = self.points
        self._begun = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self._step)
        exploration.moved.connect(self._on_moved)

    def release(self) -> None:
        """Follow no longer; the points stay where they are."""
        self._timer.stop()
        self._exploration.moved.disconnect(self._on_moved, missing_ok=True)

    @property
    def gliding(self) -> bool:
        """Whether points are on their way."""
        return self._timer.isActive()

    @property
    def box(self) -> np.ndarray:
        """Lowest and highest (y, x) of the points that have a place, (2, 2)."""
        placed = self._exploration.placed
        points = self.points[placed] if placed.any() else self.points
        return np.array([points.min(axis=0), points.max(axis=0)])

    def _places(self) -> np.ndarray:
        # Up on the map is up on the screen, as in figures: napari's rows run downwards.
        x, y = self._exploration.coordinates.T
        return np.stack([-y, x], axis=1)

    def _on_moved(self) -> None:
        self._from, self._to = self.points.copy(), self._places()
        self._begun = time.perf_counter()
        before, self._placed = self._placed, self._exploration.placed
        newly = self._placed & ~before
        # What had no place does not come from nowhere.
        self._from[newly] = self._to[newly]
        if self._placed.sum() > MOST or not before.any():
            self._settle()
        else:
            self._timer.start()

    def _step(self) -> None:
        share = (time.perf_counter() - self._begun) / SECONDS
        if share >= 1:
            self._settle()
            return
        share = share * share * (3 - 2 * share)  # begins and ends gently
        self.points[:] = self._from + share * (self._to - self._from)
        self.stepped.emit()

    def _settle(self) -> None:
        self._timer.stop()
        self.points[:] = self._to
        self.settled.emit()
