"""Pictures of the patches that are typical of each cluster."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from qtpy.QtCore import QObject, Signal
from qtpy.QtGui import QPixmap

from napari_tsimcne.explore import NONE, Exploration, medoids
from napari_tsimcne.gui._ties import Ties
from napari_tsimcne.gui.images._crops import Crops, pixmap
from napari_tsimcne.gui.jobs._newest import Newest

COUNT = 3
"""Pictures of a cluster."""

AT_ONCE = 8
"""Clusters whose pictures are made together, so that the first are soon there."""


class TypicalPictures(QObject):
    """Finds typical patches of each cluster in a worker thread; ``changed`` when there are more.

    Parameters
    ----------
    exploration, crops
        Of one run.
    parent
        Ends the work with it.
    """

    changed = Signal()

    def __init__(self, exploration: Exploration, crops: Crops, parent: QObject) -> None:
        super().__init__(parent)
        self._exploration, self._crops = exploration, crops
        self._ids = exploration.clusters.ids
        self._rows: dict[int, np.ndarray] = {}
        self._pictures: dict[int, list[QPixmap]] = {}
        self._work = Newest(self)
        # Pictures are no reason to disturb: what has none shows none.
        self._work.failed.connect(lambda reason: None)
        self._ties = Ties(
            self,
            (exploration.clusters.members_changed, self._on_members),
            (crops.changed, self._on_look),
        )
        self._ask()

    def release(self) -> None:
        """Let go of the models."""
        self._ties.cut()
        self._work.cancel()

    def of(self, cluster_id: int) -> list[QPixmap]:
        """Pictures of a cluster's typical patches, none while they are looked for."""
        return self._pictures.get(cluster_id, [])

    def rows_of(self, cluster_id: int) -> np.ndarray:
        """Numbers of the patches that the pictures show."""
        return self._rows.get(cluster_id, np.zeros(0, np.intp))

    def _on_members(self) -> None:
        before, after = self._ids, self._exploration.clusters.ids
        moved = before != after
        self._ids = after
        for cluster_id in np.union1d(before[moved], after[moved]):
            self._rows.pop(int(cluster_id), None)
            self._pictures.pop(int(cluster_id), None)
        self._ask()

    def _on_look(self) -> None:
        self._pictures.clear()
        self._ask()

    def _ask(self) -> None:
        sizes = self._exploration.clusters.sizes()
        missing = [i for i, size in sizes.items() if size and i != NONE and i not in self._pictures]
        if missing:
            wanted = {i: self._rows.get(i) for i in missing[:AT_ONCE]}
            work = partial(_typical, self._exploration, self._crops, self._ids, wanted)
            self._work.ask(work, self._on_answer)

    def _on_answer(self, found: dict[int, tuple[np.ndarray, np.ndarray]]) -> None:
        for cluster_id, (rows, pictures) in found.items():
            self._rows[cluster_id] = rows
            self._pictures[cluster_id] = [pixmap(picture) for picture in pictures]
        self.changed.emit()
        self._ask()


def _typical(
    exploration: Exploration,
    crops: Crops,
    ids: np.ndarray,
    wanted: Mapping[int, np.ndarray | None],
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Return numbers and pictures of typical patches by cluster; numbers may be known."""
    found = {}
    for cluster_id, rows in wanted.items():
        if rows is None:
            rows = medoids(exploration.features, ids == cluster_id, COUNT)
        found[cluster_id] = (rows, crops.pictures(rows))
    return found
