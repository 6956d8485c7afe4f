"""The selection: which patches are chosen, with its history."""

from __future__ import annotations

from typing import Literal

import numpy as np
from psygnal import Signal

Mode = Literal["replace", "add", "subtract"]
HISTORY = 100


class Selection:
    """A boolean mask over N patches; ``changed`` is emitted after every change of it."""

    changed = Signal()

    def __init__(self, count: int) -> None:
        self._mask = np.zeros(count, dtype=bool)
        self._past: list[np.ndarray] = []
        self._future: list[np.ndarray] = []

    @property
    def mask(self) -> np.ndarray:
        """The mask (N,), read-only."""
        view = self._mask.view()
        view.flags.writeable = False
        return view

    @property
    def rows(self) -> np.ndarray:
        """Numbers of the selected patches, ascending."""
        return np.flatnonzero(self._mask)

    def __len__(self) -> int:
        return int(self._mask.sum())

    def select(self, chosen: np.ndarray, mode: Mode = "replace") -> None:
        """Replace the selection by a mask (N,), add it, or subtract it."""
        chosen = np.asarray(chosen)
        if chosen.shape != self._mask.shape or chosen.dtype != bool:
            raise ValueError(f"a mask of {len(self._mask)} booleans is needed")
        if mode == "add":
            chosen = self._mask | chosen
        elif mode == "subtract":
            chosen = self._mask & ~chosen
        if np.array_equal(chosen, self._mask):
            return
        self._past = [*self._past, self._mask][-HISTORY:]
        self._future = []
        self._mask = chosen.copy()
        self.changed.emit()

    def select_patch(self, patch: int | None, mode: Mode = "replace") -> None:
        """Select one patch, or none."""
        chosen = np.zeros_like(self._mask)
        if patch is not None:
            chosen[patch] = True
        self.select(chosen, mode)

    def clear(self) -> None:
        """Select nothing."""
        self.select(np.zeros_like(self._mask))

    def undo(self) -> None:
        """Go back to the selection before the last change."""
        self._travel(self._past, self._future)

    def redo(self) -> None:
        """Take back the last undo."""
        self._travel(self._future, self._past)

    def _travel(self, source: list[np.ndarray], target: list[np.ndarray]) -> None:
        if source:
            target.append(self._mask)
            self._mask = source.pop()
            self.changed.emit()
