"""All that is explored of one map: patches, coordinates, features, selection, clusters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import pandas as pd
from psygnal import Signal

from napari_tsimcne.explore._clusters import Cluster, Clusters
from napari_tsimcne.explore._history import History
from napari_tsimcne.explore._selection import Selection


class Exploration:
    """A map and what was found on it.

    ``moved`` is emitted when the map has changed under what was found, as it does while it is
    being learnt.

    Parameters
    ----------
    table
        Patch table, N rows.
    coordinates
        The map, (N, 2 or 3); of three dimensions the first two are explored. None: there is
        none yet.
    features
        Gives H, (N, D), when it is first needed.
    clusters, ids, selected
        What is known already, see `Clusters` and `Selection`.
    """

    moved = Signal()

    def __init__(
        self,
        table: pd.DataFrame,
        coordinates: np.ndarray | None,
        features: Callable[[], np.ndarray],
        *,
        clusters: Sequence[Cluster] = (),
        ids: np.ndarray | None = None,
        selected: np.ndarray | None = None,
    ) -> None:
        self.table = table
        self.coordinates = np.zeros((len(table), 2), np.float32)
        self.placed = np.zeros(len(table), bool)
        """Which patches have a place on the map, (N,)."""
        if coordinates is not None:
            self.move(coordinates)
        self._features = features
        self.history = History()
        self.selection = Selection(len(table), self.history, selected)
        self.clusters = Clusters(len(table), self.history, clusters, ids)

    def __len__(self) -> int:
        return len(self.table)

    def move(self, coordinates: np.ndarray, rows: np.ndarray | None = None) -> None:
        """Give patches their places on the map: (n, 2 or 3) of some ``rows`` (n,), or of all."""
        places, placed = self.coordinates.copy(), self.placed.copy()
        chosen = slice(None) if rows is None else rows
        places[chosen], placed[chosen] = np.asarray(coordinates)[:, :2], True
        self.coordinates, self.placed = places, placed
        self.moved.emit()

    @cached_property
    def features(self) -> np.ndarray:
        """Features H, (N, D) float32; read when first asked for."""
        return self._features()

    def columns(self) -> pd.DataFrame:
        """Return the patch table with the map, and the name of each patch's cluster."""
        x, y = self.coordinates.T
        return self.table.assign(
            map_x=x, map_y=y, cluster=self.clusters.names().set_axis(self.table.index)
        )
