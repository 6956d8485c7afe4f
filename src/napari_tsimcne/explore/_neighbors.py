"""Which patches are alike: nearest neighbours in the features H, by cosine."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_tsimcne.errors import InputError

MOST_EXAMPLES = 256
"""Patches that others are compared with; of more, a sample."""

VALUES_AT_ONCE = 1 << 22
"""Numbers that a block of features, or of similarities, holds at most."""


def similar(
    features: np.ndarray, rows: np.ndarray, count: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Find the patches most similar to any of some patches; to add them grows a selection.

    Features are compared by their cosine. The similarity to a set is that to its nearest member,
    so that a selection of two kinds of patches finds more of both. H is read in parts: it may be a
    memory map larger than the memory.

    Parameters
    ----------
    features
        H, (N, D).
    rows
        (n,): patches that others are compared with; none of them is found.
    count
        How many patches to find.
    seed
        Of more than 256 ``rows`` as many are drawn evenly, by this seed, and stand for all.

    Returns
    -------
    Numbers of the patches, (m,) int64, the most similar first, and their similarities, (m,)
    float32 in -1..1; m is less than ``count`` where no more are left.

    Raises
    ------
    InputError
        Where ``rows`` is empty.
    """
    rows = np.unique(rows)
    if not len(rows):
        raise InputError("similar patches need an example: select one patch or more first")
    examples = rows
    if len(rows) > MOST_EXAMPLES:
        examples = np.random.default_rng(seed).choice(rows, MOST_EXAMPLES, replace=False)
    wanted = unit_features(features, examples)
    nearest = np.empty(len(features), np.float32)
    for part in blocks(len(features), max(features.shape[1], len(wanted))):
        nearest[part] = (unit_features(features, part) @ wanted.T).max(axis=1)
    others = np.delete(np.arange(len(features)), rows)
    if count < len(others):
        # Patches as similar as the last one are sorted too, so that the lower number comes first.
        last = -np.partition(-nearest[others], max(count - 1, 0))[max(count - 1, 0)]
        others = others[nearest[others] >= last]
    found = others[np.argsort(-nearest[others], kind="stable")][:count]
    return found, np.clip(nearest[found], -1, 1)


def unit_features(features: np.ndarray, rows: np.ndarray | slice) -> np.ndarray:
    """Return the features of some patches at length 1, (n, D) float32; zeros stay zeros."""
    values = np.array(features[rows], np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", values, values))
    values /= np.where(lengths > 0, lengths, 1)[:, None]
    return values


def blocks(count: int, width: int) -> Iterator[slice]:
    """Cut ``count`` rows of so many numbers into blocks that fit into memory."""
    step = max(1, VALUES_AT_ONCE // max(1, width))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))
