"""Clusters: named, coloured sets of patches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from psygnal import Signal
from pydantic import BaseModel, ConfigDict, Field

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore._colors import class_colors, unused_color
from napari_tsimcne.explore._history import History
from napari_tsimcne.explore._origin import BY_HAND, Origin

NONE = 0
"""The id of no cluster, as 0 is no object in a label image."""


class Cluster(BaseModel):
    """Name, colour and note of a cluster; ``id`` counts from 1 and never changes.

    ``origin``: how it was made; None where that was not recorded.
    """

    model_config = ConfigDict(frozen=True)

    id: int = Field(ge=1)
    name: str = Field(min_length=1)
    color: str = Field(pattern="^#[0-9a-f]{6}$")
    note: str = ""
    origin: Origin | None = None


class _State(NamedTuple):
    clusters: tuple[Cluster, ...]
    ids: np.ndarray


class Clusters:
    """The clusters of N patches; a patch is in one of them or in none.

    Every method that changes something can be undone. ``changed`` is emitted after every change,
    ``members_changed`` before it, where patches have come into a cluster or have left one.

    Parameters
    ----------
    count
        N.
    history
        Where changes are remembered.
    clusters, ids
        What there is at first: the clusters, and the id of each patch's cluster, (N,) integers
        with 0 for none.
    """

    changed = Signal()
    members_changed = Signal()

    def __init__(
        self,
        count: int,
        history: History | None = None,
        clusters: Sequence[Cluster] = (),
        ids: np.ndarray | None = None,
    ) -> None:
        self._history = History() if history is None else history
        ids = np.zeros(count, np.int32) if ids is None else np.array(ids, np.int32)
        known = [cluster.id for cluster in clusters]
        if ids.shape != (count,) or not np.isin(ids, [NONE, *known]).all():
            raise ValueError(f"ids must name a cluster, or 0, for each of {count} patches")
        if len(set(known)) < len(known) or len({c.name for c in clusters}) < len(known):
            raise ValueError("two clusters have the same id or name")
        self._state = _State(tuple(clusters), ids)

    # --- what there is ------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._state.clusters)

    @property
    def all(self) -> tuple[Cluster, ...]:
        """The clusters, in the order in which they are listed."""
        return self._state.clusters

    @property
    def ids(self) -> np.ndarray:
        """Id of each patch's cluster, (N,) int32, read-only; 0 is none."""
        view = self._state.ids.view()
        view.flags.writeable = False
        return view

    def snapshot(self) -> tuple[tuple[Cluster, ...], np.ndarray]:
        """Return clusters and ids as they are at one moment, for another thread."""
        return self._state

    def __getitem__(self, cluster_id: int) -> Cluster:
        return next(cluster for cluster in self.all if cluster.id == cluster_id)

    def members(self, cluster_id: int) -> np.ndarray:
        """Return a boolean mask (N,) of the patches in a cluster."""
        return self._state.ids == cluster_id

    def sizes(self) -> dict[int, int]:
        """How many patches each cluster holds, by id."""
        counts = np.bincount(self._state.ids, minlength=1)
        return {c.id: int(counts[c.id]) if c.id < len(counts) else 0 for c in self.all}

    def names(self) -> pd.Series:
        """Name of each patch's cluster, (N,) categories in the clusters' order; missing: none."""
        categories = [cluster.name for cluster in self.all]
        return pd.Series(pd.Categorical.from_codes(self.places(), categories), name="cluster")

    def places(self) -> np.ndarray:
        """Place of each patch's cluster in the list of all, (N,) int32; -1 for none."""
        ids = [cluster.id for cluster in self.all]
        places = np.full(max([NONE, *ids]) + 1, -1, np.int32)
        places[ids] = np.arange(len(ids))
        return places[self._state.ids]

    # --- changes ------------------------------------------------------------------------------

    def create(self, mask: np.ndarray, name: str = "", color: str = "", note: str = "") -> Cluster:
        """Make a cluster of the patches in a mask (N,), which leave the clusters they were in.

        Without a ``name`` it is numbered, without a ``color`` it gets an unused one.

        Raises
        ------
        InputError
            Where another cluster has the name.
        """
        cluster = self._new(name, color, note)
        self._change("new cluster", (*self.all, cluster), np.where(mask, cluster.id, self.ids))
        return cluster

    def assign(self, cluster_id: int, mask: np.ndarray) -> None:
        """Put the patches in a mask (N,) into a cluster; they leave those they were in."""
        name = self[cluster_id].name
        self._change(f"adding to '{name}'", self.all, np.where(mask, cluster_id, self.ids))

    def release(self, mask: np.ndarray, cluster_id: int | None = None) -> None:
        """Take the patches in a mask (N,) out of one cluster, or out of whichever they are in."""
        leaving = mask if cluster_id is None else mask & self.members(cluster_id)
        self._change("removal from clusters", self.all, np.where(leaving, NONE, self.ids))

    def merge(self, cluster_ids: Sequence[int]) -> None:
        """Put all patches of some clusters into the first of these; the others are gone."""
        first, *others = cluster_ids
        kept = tuple(cluster for cluster in self.all if cluster.id not in others)
        ids = np.where(np.isin(self.ids, others), first, self.ids)
        self._change("merging of clusters", kept, ids)

    def split(self, cluster_id: int, mask: np.ndarray) -> Cluster:
        """Make a cluster of its own of those patches of a cluster that are in a mask (N,).

        Raises
        ------
        InputError
            Where none or all of its patches are in the mask.
        """
        name = self[cluster_id].name
        inside = self.members(cluster_id) & mask
        if not inside.any() or inside.sum() == self.members(cluster_id).sum():
            part = "all" if inside.any() else "none"
            raise InputError(
                f"'{name}' cannot be split: {part} of its patches are selected. Select some of them"
            )
        cluster = self._new(self._numbered(f"{name} "), "", "")
        # Last, so that the others keep their number and key.
        ids = np.where(inside, cluster.id, self.ids)
        self._change(f"splitting of '{name}'", (*self.all, cluster), ids)
        return cluster

    def delete(self, cluster_ids: Sequence[int]) -> None:
        """Delete clusters; their patches are in none then."""
        kept = tuple(cluster for cluster in self.all if cluster.id not in cluster_ids)
        ids = np.where(np.isin(self.ids, list(cluster_ids)), NONE, self.ids)
        self._change("deletion of clusters", kept, ids)

    def describe(
        self,
        cluster_id: int,
        *,
        name: str | None = None,
        color: str | None = None,
        note: str | None = None,
    ) -> None:
        """Change name, colour or note of a cluster.

        Raises
        ------
        InputError
            Where the name is empty or another cluster's, or the colour is not ``#rrggbb``.
        """
        old = self[cluster_id]
        name = old.name if name is None else self._free(name, but=old)
        color = old.color if color is None else _checked_color(color)
        note = old.note if note is None else note
        new = Cluster(id=old.id, name=name, color=color, note=note, origin=old.origin)
        clusters = tuple(new if cluster == old else cluster for cluster in self.all)
        self._change(f"change of '{old.name}'", clusters, self._state.ids)

    def replace(
        self, labels: np.ndarray, what: str = "clustering", origin: Origin | None = None
    ) -> None:
        """Make clusters of labels (N,) anew, in place of all there are; negative labels are none.

        They are numbered by their size, the largest first. ``origin``: how they were made.
        """
        found, counts = np.unique(labels[labels >= 0], return_counts=True)
        clusters = tuple(
            Cluster(id=i, name=f"cluster {i}", color=color, origin=origin)
            for i, color in enumerate(class_colors(len(found)), start=1)
        )
        ids = np.zeros(len(labels), np.int32)
        rank = np.empty(len(found), np.int32)
        rank[np.argsort(-counts, kind="stable")] = np.arange(1, len(found) + 1)
        ids[labels >= 0] = rank[np.searchsorted(found, labels[labels >= 0])]
        self._change(what, clusters, ids, by_hand=False)

    # --- inside -------------------------------------------------------------------------------

    def _new(self, name: str, color: str, note: str) -> Cluster:
        return Cluster(
            id=max((cluster.id for cluster in self.all), default=NONE) + 1,
            name=self._free(name) if name else self._numbered("cluster "),
            color=_checked_color(color) if color else unused_color([c.color for c in self.all]),
            note=note,
            origin=Origin(),
        )

    def _numbered(self, stem: str) -> str:
        """Return the stem with the first number that no cluster of that stem has reached."""
        pattern = re.compile(re.escape(stem) + r"(\d{1,9})")
        found = [pattern.fullmatch(cluster.name) for cluster in self.all]
        # The number of a cluster in the list; a part of 'nuclei' is its second: 'nuclei 2'.
        reached = len(self) if stem == "cluster " else 1
        return f"{stem}{max([reached, *(int(m[1]) for m in found if m)]) + 1}"

    def _free(self, name: str, but: Cluster | None = None) -> str:
        name = name.strip()
        if not name:
            raise InputError("a cluster needs a name")
        if any(cluster.name == name and cluster != but for cluster in self.all):
            raise InputError(f"another cluster is called '{name}': merge the two, or choose a name")
        return name

    def _change(
        self, what: str, clusters: tuple[Cluster, ...], ids: np.ndarray, *, by_hand: bool = True
    ) -> None:
        before = self._state
        if by_hand:
            clusters = _edited(before, clusters, ids)
        after = _State(clusters, ids.astype(np.int32, copy=False))
        if before.clusters == after.clusters and np.array_equal(before.ids, after.ids):
            return
        self._restore(after)
        self._history.record(what, before, after, self._restore)

    def _restore(self, state: _State) -> None:
        moved = not np.array_equal(state.ids, self._state.ids)
        self._state = state
        if moved:
            self.members_changed.emit()
        self.changed.emit()


def _checked_color(color: str) -> str:
    color = color.lower()
    if not re.fullmatch("#[0-9a-f]{6}", color):
        raise InputError(f"'{color}' is no colour: write it as #rrggbb")
    return color


def _edited(before: _State, clusters: tuple[Cluster, ...], ids: np.ndarray) -> tuple[Cluster, ...]:
    """Note in clusters of an algorithm that patches have come or gone by hand."""
    moved = before.ids != ids
    touched = {*before.ids[moved].tolist(), *ids[moved].tolist()}
    return tuple(
        one.model_copy(update={"origin": one.origin.model_copy(update={"edited": True})})
        if one.id in touched and one.origin is not None and one.origin.method != BY_HAND
        else one
        for one in clusters
    )
