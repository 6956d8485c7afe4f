"""All that is explored of one map: patches, coordinates, features, selection, clusters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from psygnal import Signal

from napari_tsimcne.explore._classes import differing
from napari_tsimcne.explore._clusters import Cluster, Clusters
from napari_tsimcne.explore._history import History
from napari_tsimcne.explore._selection import Selection

OF_THE_MAP = ("map_x", "map_y", "cluster")
"""Names of the columns that `Exploration.columns` adds."""


class Exploration:
    """A map and what was found on it.

    ``moved`` is emitted when the map has changed under what was found, as it does while it is
    being learnt; ``columns_changed`` carries the names of columns that were added to
    the table, were taken from it, or have other values.

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
    differences
        Columns of the table that hold differences, of which 0 is the middle.
    placed
        (N,) booleans: which patches have a place on the map; None: all, where there is one.
    """

    moved = Signal()
    columns_changed = Signal(frozenset)

    def __init__(
        self,
        table: pd.DataFrame,
        coordinates: np.ndarray | None,
        features: Callable[[], np.ndarray],
        *,
        clusters: Sequence[Cluster] = (),
        ids: np.ndarray | None = None,
        selected: np.ndarray | None = None,
        differences: Collection[str] = (),
        placed: np.ndarray | None = None,
    ) -> None:
        self.table = table
        self._own_columns = list(table.columns)
        self._added: dict[str, dict[str, Any]] = {}
        self._differences = {"": frozenset(differences)}
        self.coordinates = np.zeros((len(table), 2), np.float32)
        self.placed = np.zeros(len(table), bool)
        """Which patches have a place on the map, (N,)."""
        if coordinates is not None:
            self.move(coordinates)
        if placed is not None:
            self.placed = np.array(placed, bool)
        self.color_by = ""
        """The column that the window is coloured by; empty: clusters."""
        self.color_as: dict[str, Any] = {}
        """Which columns of few numbers are coloured as classes or as a gradient, by choice."""
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

    @property
    def own_table(self) -> pd.DataFrame:
        """The patch table without what `add_columns` has added."""
        return self.table[self._own_columns]

    @property
    def added(self) -> dict[str, tuple[pd.DataFrame, bool]]:
        """What `add_columns` has added, by source, and whether these are differences."""
        return {
            source: (
                pd.DataFrame(columns, index=self.table.index),
                bool(self._differences.get(source)),
            )
            for source, columns in self._added.items()
        }

    def frozen(self) -> Exploration:
        """Return an exploration as it is now; what is changed later is not seen in it."""
        clusters, ids = self.clusters.snapshot()
        found = Exploration(
            self.table, self.coordinates, lambda: self.features,
            clusters=clusters, ids=ids, selected=self.selection.mask, differences=self.differences,
            placed=self.placed,
        )  # fmt: skip
        found.color_by, found.color_as = self.color_by, dict(self.color_as)
        return found

    @property
    def differences(self) -> frozenset[str]:
        """Names of the columns that hold differences: they are coloured with 0 in the middle."""
        return frozenset().union(*self._differences.values())

    def add_columns(
        self, columns: pd.DataFrame, source: str, *, differences: bool = False
    ) -> dict[str, str]:
        """Add what was found of each patch to the table, as columns of it.

        They take the place of those that the same source has added before. A name that is taken
        already is put into brackets.

        Parameters
        ----------
        columns
            N rows in the order of the patches, of any index.
        source
            What has found them.
        differences
            Whether all of them are differences, of which 0 is the middle.

        Returns
        -------
        The name in the table of each of the columns.

        Raises
        ------
        ValueError
            Where there are not N rows.
        """
        if len(columns) != len(self.table):
            raise ValueError(f"columns of {len(self.table)} patches are needed, not {len(columns)}")
        others = [one for name, one in self._added.items() if name != source]
        taken = {*self._own_columns, *OF_THE_MAP, *(name for one in others for name in one)}
        names: dict[str, str] = {}
        for name in columns.columns:
            names[name] = differing(str(name), taken)
            taken.add(names[name])
        found = {names[name]: columns[name].array for name in columns.columns}
        self._replace(source, found, differences)
        return names

    def remove_columns(self, source: str) -> None:
        """Take away what a source has added to the table."""
        self._replace(source, {})

    def _replace(self, source: str, found: dict[str, Any], differences: bool = False) -> None:
        before = self._added.get(source, {})
        # New ones: those before may be read in another thread.
        self._added = {name: one for name, one in self._added.items() if name != source}
        self._differences = {**self._differences, source: frozenset(found if differences else ())}
        if found:
            self._added[source] = found
        if before or found:
            added = {name: values for one in self._added.values() for name, values in one.items()}
            # Another table: the one before may be read in another thread.
            self.table = self.own_table.assign(**added)
            self.columns_changed.emit(frozenset([*before, *found]))

    def columns(self) -> pd.DataFrame:
        """Return the patch table with the map, and the name of each patch's cluster."""
        x, y = self.coordinates.T
        return self.table.assign(
            map_x=x, map_y=y, cluster=self.clusters.names().set_axis(self.table.index)
        )
