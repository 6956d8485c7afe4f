"""What the neighbours of patches say of them."""

from __future__ import annotations

import numpy as np


def majority(codes: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return the most frequent class of some neighbours; of equally frequent ones, the nearest.

    Parameters
    ----------
    codes
        Class of each patch, (N,) integers; negative where it is not known.
    near
        Neighbours of n patches, (n, k), the nearest first.

    Returns
    -------
    (n,) of the type of ``codes``; -1 where no neighbour's class is known.
    """
    votes = codes[near]
    counts = (votes[:, :, None] == votes[:, None, :]).sum(axis=2, dtype=np.int16)
    counts[votes < 0] = -1
    best = counts.argmax(axis=1)
    found = votes[np.arange(len(near)), best]
    return np.where(found < 0, -1, found)


def neighbors_mean(values: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return the mean of the neighbours' values, (n,) float64; NaN where none is known.

    ``values``: (N,), NaN where not known; ``near``: (n, k).
    """
    theirs = values[near]
    known = np.isfinite(theirs)
    counts = known.sum(axis=1)
    sums = np.where(known, theirs, 0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
