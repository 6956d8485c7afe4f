"""How stable a map is: which neighbours patches keep when it is learnt again with another seed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore._clusters import Clusters

NEIGHBORS = 15
"""As many as the kNN accuracy of a map rests on."""

ROWS_AT_ONCE = 1 << 15


def nearest(coordinates: np.ndarray, neighbors: int = NEIGHBORS) -> np.ndarray:
    """Find the nearest other patches of each patch on a map.

    Parameters
    ----------
    coordinates
        The map, (N, 2 or 3), finite.
    neighbors
        k; of few patches as many as there are others.

    Returns
    -------
    (N, min(k, N - 1)) int32: their rows, the nearest first.

    Raises
    ------
    InputError
        Where there are fewer than two patches.
    """
    count = len(coordinates)
    if count < 2:
        raise InputError(f"a map of {count} patches has no neighbours: it needs at least two")
    k = min(neighbors, count - 1)
    tree = KDTree(coordinates)
    found = np.empty((count, k), np.int32)
    for first in range(0, count, ROWS_AT_ONCE):
        rows = np.arange(first, min(first + ROWS_AT_ONCE, count))
        _, near = tree.query(coordinates[rows], k + 1)
        own = near == rows[:, None]
        # Where many lie at the very same place, a patch may not be among its own nearest.
        own[~own.any(axis=1), -1] = True
        found[rows] = near[~own].reshape(len(rows), k)
    return found


def shared(near: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the share of neighbours that two maps have in common, (N,) float32 in 0..1.

    ``near``, ``others``: neighbours of the same N patches on two maps, (N, k), see `nearest`.
    """
    both = np.sort(np.concatenate([near, others], axis=1), axis=1)
    common = np.count_nonzero(both[:, 1:] == both[:, :-1], axis=1)
    return (common / near.shape[1]).astype(np.float32)


def stability(
    coordinates: np.ndarray, others: Sequence[np.ndarray], neighbors: int = NEIGHBORS
) -> np.ndarray:
    """Return how much of its neighbourhood each patch keeps on other maps of the same patches.

    With ``near(i, m)`` the k nearest other patches of patch i on map m::

        stability(i) = mean over the other maps m of |near(i, own) ∩ near(i, m)| / k

    Only distances on one map are compared with each other, so that turning, mirroring, moving or
    scaling a map changes nothing. Between maps that know nothing of each other k / (N - 1) is
    expected, see `chance`.

    Parameters
    ----------
    coordinates
        The map, (N, 2 or 3).
    others
        One or more maps of the same N patches.
    neighbors
        k, see `nearest`.

    Returns
    -------
    (N,) float32 in 0..1.
    """
    near = nearest(coordinates, neighbors)
    shares = [shared(near, nearest(other, neighbors)) for other in others]
    return np.asarray(np.mean(shares, axis=0), np.float32)


def chance(count: int, neighbors: int = NEIGHBORS) -> float:
    """Return the stability expected of two unrelated maps of ``count`` patches: k / (N - 1)."""
    return min(neighbors, count - 1) / (count - 1)


def together(ids: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return the share of each patch's neighbours that are in its own cluster.

    Of a cluster made on one map and of neighbours on another this tells whether the cluster is an
    island there too. A large island of patches that are all alike keeps together, though chance
    decides which of them are nearest, and its `stability` is low.

    Parameters
    ----------
    ids
        Cluster of each patch, (N,) integers.
    near
        Neighbours on a map, (N, k), see `nearest`.

    Returns
    -------
    (N,) float32 in 0..1; NaN where a patch is alone in its cluster.
    """
    _, cluster, sizes = np.unique(ids, return_inverse=True, return_counts=True)
    others = np.minimum(sizes[cluster] - 1, near.shape[1])
    counting = np.arange(near.shape[1]) < others[:, None]
    same = np.count_nonzero((ids[near] == ids[:, None]) & counting, axis=1)
    return np.where(others > 0, same / np.maximum(others, 1), np.nan).astype(np.float32)


def cluster_stability(
    clusters: Clusters, values: np.ndarray, others: Iterable[np.ndarray]
) -> pd.DataFrame:
    """Tell of each cluster how stable it is.

    Parameters
    ----------
    clusters
        Made on the map whose stability is asked: of its N patches, and perhaps of some after these
        that the map was not learnt from, which are passed over.
    values
        `stability` of each patch, (N,).
    others
        Neighbours on each of the other maps, (N, k), see `nearest`.

    Returns
    -------
    By cluster id, in the clusters' order: ``name``, ``color``, ``size`` in patches; means over its
    patches of ``stability`` and `together`, both 0..1, missing in an empty cluster; and
    ``together_by_chance``, which unrelated maps would give.
    """
    ids = clusters.ids[: len(values)]
    kept = np.mean([together(ids, near) for near in others], axis=0)
    known = [cluster.id for cluster in clusters.all]
    sizes = np.bincount(ids, minlength=max([0, *known]) + 1)[known]
    means = pd.DataFrame({"stability": values, "together": kept}).groupby(ids).mean().reindex(known)
    return pd.DataFrame(
        {
            "name": [cluster.name for cluster in clusters.all],
            "color": [cluster.color for cluster in clusters.all],
            "size": sizes,
            "stability": means["stability"].to_numpy(np.float64),
            "together": means["together"].to_numpy(np.float64),
            "together_by_chance": np.clip(sizes - 1, 0, None) / max(1, len(ids) - 1),
        },
        index=pd.Index(known, name="id", dtype=np.int64),
    )


def stability_text(values: np.ndarray, neighbors: int = NEIGHBORS) -> str:
    """Say how stable a map is, in one sentence.

    ``values``: `stability` of each patch, (N,), for ``neighbors``.
    """
    expected = 100 * chance(len(values), neighbors)
    return (
        f"{100 * float(values.mean()):.0f} of 100 nearest neighbours on the map are the same "
        f"with another seed; by chance it would be {expected:{'.2g' if expected < 10 else '.0f'}}"
    )
