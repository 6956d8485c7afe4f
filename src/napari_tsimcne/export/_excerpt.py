"""The patches of a run that are exported."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import Cluster, Exploration
from napari_tsimcne.runs import Run


@dataclass(frozen=True, eq=False)
class Excerpt:
    """Patches of a run, and what was found of them.

    Parameters
    ----------
    run
        As it is explored: with its additions.
    exploration
        Of all its N patches.
    mask
        (N,) booleans: which patches are exported.
    """

    run: Run
    exploration: Exploration
    mask: np.ndarray

    @classmethod
    def all(cls, run: Run, exploration: Exploration) -> Excerpt:
        """Take all patches."""
        return cls(run, exploration, np.ones(len(run.table), bool))

    @classmethod
    def selected(cls, run: Run, exploration: Exploration) -> Excerpt:
        """Take the selected patches.

        Raises
        ------
        InputError
            Where none are.
        """
        mask = exploration.selection.mask
        if not mask.any():
            raise InputError("no patches are selected: select some, or export all")
        return cls(run, exploration, mask.copy())

    @classmethod
    def of_clusters(cls, run: Run, exploration: Exploration, names: Collection[str]) -> Excerpt:
        """Take the patches of the clusters of these names.

        Raises
        ------
        InputError
            Where there is no such cluster, or they hold no patch.
        """
        known = {cluster.name: cluster.id for cluster in exploration.clusters.all}
        unknown = [name for name in names if name not in known]
        if unknown:
            there = ", ".join(f"'{name}'" for name in known) or "none"
            raise InputError(f"there is no cluster '{unknown[0]}': the map has {there}")
        mask = np.isin(exploration.clusters.ids, [known[name] for name in names])
        if not mask.any():
            raise InputError("the chosen clusters hold no patches")
        return cls(run, exploration, mask)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def rows(self) -> np.ndarray:
        """Numbers of the patches among all, (n,) ascending."""
        return np.flatnonzero(self.mask)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Patch table with ``map_x, map_y`` and ``cluster``, n rows."""
        return self.exploration.columns()[self.mask].reset_index(drop=True)

    @property
    def coordinates(self) -> np.ndarray:
        """Where they are on the map, (n, 2) float32."""
        return self.exploration.coordinates[self.rows]

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        """The clusters that hold some of them, in the clusters' order."""
        held = set(np.unique(self.exploration.clusters.ids[self.rows]).tolist())
        return tuple(one for one in self.exploration.clusters.all if one.id in held)

    @property
    def cluster_ids(self) -> np.ndarray:
        """Id of each patch's cluster, (n,) int32; 0 is none."""
        return self.exploration.clusters.ids[self.rows]
