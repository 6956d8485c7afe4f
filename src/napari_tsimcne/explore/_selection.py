"""The selection: which patches are chosen."""

from __future__ import annotations

from typing import Literal

import numpy as np
from psygnal import Signal

from napari_tsimcne.explore._history import History

Mode = Literal["replace", "add", "subtract"]


class Selection:
    """A boolean mask over N patches; ``changed`` is emitted after every change of it.

    Parameters
    ----------
    count
        N.
    history
        Where changes are remembered, to be undone.
    mask
        What is selected at first, (N,) booleans; nothing by default.
    """

    changed = Signal()

    def __init__(
        self, count: int, history: History | None = None, mask: np.ndarray | None = None
    ) -> None:
        self._history = History() if history is None else history
        self._mask = np.zeros(count, dtype=bool)
        if mask is not None:
            self._mask = self._checked(mask).copy()

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
        return int(np.count_nonzero(self._mask))

    def select(self, chosen: np.ndarray, mode: Mode = "replace") -> None:
        """Replace the selection by a mask (N,), add it, or subtract it.

        Raises
        ------
        ValueError
            Where ``chosen`` is no mask of N booleans.
        """
        chosen = self._checked(chosen)
        if mode == "add":
            chosen = self._mask | chosen
        elif mode == "subtract":
            chosen = self._mask & ~chosen
        if np.array_equal(chosen, self._mask):
            return
        before, after = self._mask, chosen.copy()
        self._restore(after)
        self._history.record("selection", before, after, self._restore)

    def select_rows(self, rows: np.ndarray, mode: Mode = "replace") -> None:
        """Select patches by their numbers."""
        chosen = np.zeros_like(self._mask)
        chosen[rows] = True
        self.select(chosen, mode)

    def select_patch(self, patch: int | None, mode: Mode = "replace") -> None:
        """Select one patch, or none."""
        self.select_rows(np.array([] if patch is None else [patch], dtype=int), mode)

    def clear(self) -> None:
        """Select nothing."""
        self.select(np.zeros_like(self._mask))

    def invert(self) -> None:
        """Select what is not selected."""
        self.select(~self._mask)

    def _checked(self, mask: np.ndarray) -> np.ndarray:
        mask = np.asarray(mask)
        if mask.shape != self._mask.shape or mask.dtype != bool:
            raise ValueError(f"a mask of {len(self._mask)} booleans is needed")
        return mask

    def _restore(self, mask: np.ndarray) -> None:
        self._mask = mask
        self.changed.emit()
