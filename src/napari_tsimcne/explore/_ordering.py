"""In which order to look at patches.

Every function takes the numbers of some patches, (n,), and returns the same numbers in the order
in which to look at them. They take up to seconds for 100,000 patches: call them in a thread.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans

from napari_tsimcne.explore._neighbors import blocks, unit_features

MOST_GROUPS = 12
"""About as many as a row of pictures."""

MOST_FITTED = 10_000
MOST_COMPARED = 4_096
NEIGHBORS = 15


def representative(features: np.ndarray, rows: np.ndarray, seed: int = 0) -> np.ndarray:
    """Put those patches first that stand for the others.

    The first row of pictures then shows what kinds of patches there are, the next what is typical
    of them. The patches are parted into up to 12 groups, by k-means on the features H at length 1
    (of more than 10,000 patches, the groups of a sample). First come the groups' medoids, which
    are most similar to all of their group, the largest group's first; then all others, those
    nearest to their own medoid first.
    """
    rows = np.asarray(rows)
    if len(rows) < 3:
        return rows
    centers = _centers(features, rows, seed)
    groups, sums = np.empty(len(rows), np.intp), np.zeros_like(centers)
    for part in blocks(len(rows), features.shape[1]):
        values = unit_features(features, rows[part])
        # Of rows of length 1 the nearest centre has the largest product, less half its own square.
        groups[part] = (values @ centers.T - (centers**2).sum(axis=1) / 2).argmax(axis=1)
        sums += np.eye(len(centers), dtype=np.float32)[groups[part]].T @ values
    # The medoid, by cosine, is the patch whose product with the sum of its group is largest.
    medoids = _largest_of_each(_products(features, rows, sums, groups), groups, len(centers))
    closeness = _products(features, rows, unit_features(features, rows[medoids]), groups)
    sizes = np.bincount(groups, minlength=len(centers))
    stands_for = np.zeros(len(rows), np.intp)
    stands_for[medoids[sizes > 0]] = sizes[sizes > 0]
    return rows[np.lexsort((-closeness, -stands_for))]


def unusual(features: np.ndarray, rows: np.ndarray, seed: int = 0) -> np.ndarray:
    """Put those patches first that are least like the others of ``rows``.

    Measured by the mean cosine distance, in the features H, to the 15 nearest of ``rows`` itself
    and not of all patches: what does not belong into a selection shows up, also where it is
    common elsewhere. Of more than 4,096 patches, neighbours are sought in a sample.
    """
    rows = np.asarray(rows)
    if len(rows) < 3:
        return rows
    return rows[np.argsort(likeness(features, rows, seed), kind="stable")]


def likeness(features: np.ndarray, rows: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return how similar patches are to the most similar of ``rows``, (n,) float32 in -1..1.

    It is the mean cosine, in the features H, to the 15 nearest others. Of more than 4,096 patches,
    neighbours are sought in a sample.
    """
    sample = np.arange(len(rows))
    if len(rows) > MOST_COMPARED:
        sample = np.random.default_rng(seed).choice(len(rows), MOST_COMPARED, replace=False)
    compared = unit_features(features, rows[sample])
    count = min(NEIGHBORS, len(sample) - 1)
    found = np.empty(len(rows), np.float32)
    for part in blocks(len(rows), max(features.shape[1], len(sample))):
        products = unit_features(features, rows[part]) @ compared.T
        # No patch is a neighbour of itself.
        own = np.flatnonzero((sample >= part.start) & (sample < part.stop))
        products[sample[own] - part.start, own] = -np.inf
        found[part] = np.partition(products, -count, axis=1)[:, -count:].mean(axis=1)
    return found


def by_similarity(features: np.ndarray, rows: np.ndarray, first: int) -> np.ndarray:
    """Put the patch ``first`` first, then those whose features H are nearest to it, by cosine."""
    rows = np.asarray(rows)
    wanted = unit_features(features, np.array([first]))[0]
    likeness = np.empty(len(rows), np.float32)
    for part in blocks(len(rows), features.shape[1]):
        likeness[part] = unit_features(features, rows[part]) @ wanted
    # Rounding may not put a patch of the same features before it.
    likeness[rows == first] = np.inf
    return rows[np.argsort(-likeness, kind="stable")]


def by_column(values: pd.Series, rows: np.ndarray, descending: bool = False) -> np.ndarray:
    """Sort by a column of the patch table, (N,); patches without a value come last either way."""
    rows = np.asarray(rows)
    own = values.iloc[rows].reset_index(drop=True)
    if own.dtype == object:
        # Numbers and words in one column cannot be compared.
        own = own.where(own.isna(), own.astype(str))
    return rows[own.sort_values(ascending=not descending, kind="stable").index.to_numpy()]


def shuffled(rows: np.ndarray, seed: int) -> np.ndarray:
    """Put patches into a random order, the same for the same ``seed``."""
    return np.random.default_rng(seed).permutation(rows)


# --- inside -------------------------------------------------------------------------------------


def _centers(features: np.ndarray, rows: np.ndarray, seed: int) -> np.ndarray:
    """Centres of k-means groups (k, D)."""
    sample = rows
    if len(rows) > MOST_FITTED:
        sample = np.sort(np.random.default_rng(seed).choice(rows, MOST_FITTED, replace=False))
    values = unit_features(features, sample)
    different = len(np.unique(values.round(4), axis=0))
    count = min(MOST_GROUPS, round(np.sqrt(len(rows) / 2)), different)
    return KMeans(max(1, count), n_init=1, random_state=seed).fit(values).cluster_centers_


def _products(
    features: np.ndarray, rows: np.ndarray, directions: np.ndarray, groups: np.ndarray
) -> np.ndarray:
    """Product of each patch's features at length 1 with its own group's direction, (n,)."""
    found = np.empty(len(rows), np.float32)
    for part in blocks(len(rows), features.shape[1]):
        values = unit_features(features, rows[part])
        found[part] = np.einsum("nd,nd->n", values, directions[groups[part]])
    return found


def _largest_of_each(values: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """Place of the largest value of each group, (count,); 0 for a group without any."""
    order = np.argsort(values, kind="stable")
    found = np.zeros(count, np.intp)
    found[groups[order]] = order
    return found
