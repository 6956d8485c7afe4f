"""How faithful a map is: whether near patches on it are near in the features, too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_tsimcne.explore._neighbors import unit_features
from napari_tsimcne.explore.checks._stability import NEIGHBORS, chance, nearest

MOST_PRODUCTS = 1 << 42
"""Multiplications of features with features: about a minute on two cores."""

VALUES_AT_ONCE = 1 << 24
"""Similarities that are held at once: 64 MiB."""

Told = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """How much of the neighbourhoods in the features H the map keeps.

    ``recall``: share of each patch's nearest in H that are among its nearest on the map, (N,)
    float32 in 0..1, NaN of patches that were not looked at. ``trustworthiness``: 0..1, 1 where
    all that are near on the map are near in H. ``chance``: the recall of a map that knows nothing.
    ``neighbors``: k. ``looked_at``: how many patches; all, where it would not take too long.
    """

    recall: np.ndarray
    trustworthiness: float
    chance: float
    neighbors: int
    looked_at: int

    @property
    def mean(self) -> float:
        """Recall, over the patches that were looked at."""
        return float(np.nanmean(self.recall))


def faithfulness(
    coordinates: np.ndarray,
    features: np.ndarray,
    neighbors: int = NEIGHBORS,
    *,
    most_products: int = MOST_PRODUCTS,
    seed: int = 0,
    told: Told = lambda what, done, total: None,
) -> Faithfulness:
    """Compare the neighbours of patches on a map with those in the features, by cosine.

    With r(i, j) the rank of patch j among all by their similarity to i, and k neighbours::

        recall(i) = |{j near i on the map: r(i, j) <= k}| / k
        trustworthiness = 1 - 2 / (N k (2 N - 3 k - 1)) sum over i and j near i of max(0, r - k)

    as of Venna and Kaski (2001). Ranks are exact, found block by block: similarities of all with
    all are never held at once. Features at length 1 are, N D numbers of 4 bytes.

    Parameters
    ----------
    coordinates
        The map, (N, 2 or 3), finite.
    features
        H, (N, D).
    neighbors
        k; of few patches less, so that trustworthiness is defined.
    most_products
        Above so many multiplications (N N D of all), patches are drawn evenly whose neighbours are
        compared; they are sought among all nonetheless.
    seed
        Of what is drawn.
    told
        Progress in patches; may raise to cancel.

    Raises
    ------
    InputError
        Where there are fewer than two patches.
    """
    count = len(coordinates)
    # Beyond, the worst map there can be is not known (scikit-learn refuses it likewise).
    k = max(1, min(neighbors, (count - 1) // 2))
    near = nearest(coordinates, k)
    rows = _looked_at(count, max(1, most_products // (count * features.shape[1])), seed)
    vectors = unit_features(features, slice(None))
    ranks = np.empty((len(rows), k), np.int64)
    step = max(1, VALUES_AT_ONCE // count)
    for start in range(0, len(rows), step):
        told("Comparing neighbours", start, len(rows))
        part = rows[start : start + step]
        ranks[start : start + step] = _ranks(vectors, part, near[part])
    told("Comparing neighbours", len(rows), len(rows))
    recall = np.full(count, np.nan, np.float32)
    recall[rows] = np.mean(ranks <= k, axis=1)
    intruding = np.maximum(ranks - k, 0).sum(axis=1).mean()
    worst = k * (2 * count - 3 * k - 1) / 2
    trust = 1.0 if worst <= 0 else 1 - intruding / worst
    return Faithfulness(recall, float(trust), chance(count, k), k, len(rows))


def _looked_at(count: int, most: int, seed: int) -> np.ndarray:
    if most >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


def _ranks(vectors: np.ndarray, rows: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Rank in the features of those near each patch on the map, (n, k), counted from 1."""
    products = vectors[rows] @ vectors.T
    # No patch is a neighbour of itself.
    products[np.arange(len(rows)), rows] = -np.inf
    limits = np.take_along_axis(products, near.astype(np.intp), axis=1)
    ranks = np.empty(near.shape, np.int64)
    for i, (row, limit) in enumerate(zip(products, limits, strict=True)):
        # Of a good map few patches are more similar than the least similar of those near on it.
        above = row[row > limit.min()]
        ranks[i] = [1 + np.count_nonzero(above > value) for value in limit]
    return ranks
