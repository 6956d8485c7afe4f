"""Which point of the map is under the pointer."""

from __future__ import annotations

from functools import partial

import numpy as np
from napari.qt.threading import create_worker
from scipy.spatial import KDTree

AT_ONCE = 20_000
"""Points of which a tree is built without delay; of more, in another thread."""


class NearestPoint:
    """Finds the point (y, x) of (N, 2) that is nearest to a position."""

    def __init__(self, points: np.ndarray) -> None:
        self._points = points
        self._tree: KDTree | None = None
        self._version = 0
        self.rebuild()

    def rebuild(self) -> None:
        """Take the points where they are now."""
        self._version += 1
        self._tree = None
        if len(self._points) <= AT_ONCE:
            self._tree = _tree(self._points.copy())
        else:
            # The points may move meanwhile.
            work = partial(_numbered_tree, self._points.copy(), self._version)
            create_worker(work, _connect={"returned": self._on_built})

    def _on_built(self, built: tuple[KDTree, int]) -> None:
        tree, version = built
        if version == self._version:
            self._tree = tree

    def within(self, position: np.ndarray, reach: float, shown: np.ndarray) -> int | None:
        """Return the number of the nearest point that is shown, (N,), and not beyond reach."""
        if self._tree is None:
            # Until the tree is there.
            near = np.flatnonzero((np.abs(self._points - position) <= reach).all(axis=1))
        else:
            near = np.array(self._tree.query_ball_point(position, reach), np.intp)
        near = near[shown[near]]
        if not len(near):
            return None
        distance = np.hypot(*(self._points[near] - position).T)
        return int(near[distance.argmin()]) if distance.min() <= reach else None


def _numbered_tree(points: np.ndarray, version: int) -> tuple[KDTree, int]:
    return _tree(points), version


def _tree(points: np.ndarray) -> KDTree:
    # Unbalanced, it is built in a fraction of the time, and searched as fast.
    return KDTree(points, balanced_tree=False, compact_nodes=False)
