"""Patches to review before a map is trusted: duplicates, outliers, empty, saturated."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_tsimcne.explore._neighbors import blocks, unit_features
from napari_tsimcne.explore._ordering import likeness

LEAST_COSINE = 0.95
LEAST_CORRELATION = 0.98
"""Of features, and of pixels, from which on patches are near-duplicates. The most similar of 8,000
different blood cells of 28 pixels correlate by 0.965."""

SAME_MEAN, SAME_STD = 0.2, 0.15
"""Near-duplicates differ by no more in the mean of any channel, as a share of its spread in the
patch, and in this spread: what does is not looked at pixel by pixel."""

MOST_PAIRS = 200_000

NEAREST, MOST_SEARCHED = 5, 30_000
"""Nearest in the features that may be near-duplicates besides neighbours on the map; of more
patches, those on the map only: each would be compared with each."""

LEAST_CONTRAST = 0.02
"""Of a channel: spread of its values in a patch, as a share of the channel's range."""

MOST_SATURATED = 0.05
"""Share of a patch's pixels."""

UNLIKE = 3.5
"""Deviations from the median, as Iglewicz and Hoaglin (1993) advise for outliers."""

BEYOND_NEIGHBORS = 1.5
"""So many times as far from its nearest as its neighbours on the map are from theirs."""

PIXELS_AT_ONCE = 1 << 22

Told = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Suspects:
    """Patches to look at, as numbers of rows.

    ``exact``: groups of patches with the very same pixels, ``near``: groups of patches with nearly
    the same that are not wholly one of these, each (m,) ascending, the largest first. ``unlike``:
    those unlike all others, the most first; ``unlikeness``: mean cosine distance of each patch to
    its 15 nearest in H, (N,) float32. ``empty``: ascending. ``saturated``: the most first.
    ``highest``: how many ``patches`` hold saturated pixels, and their share of all ``pixels``, by
    channel where there are any.
    """

    exact: tuple[np.ndarray, ...]
    near: tuple[np.ndarray, ...]
    unlike: np.ndarray
    unlikeness: np.ndarray
    empty: np.ndarray
    saturated: np.ndarray
    highest: pd.DataFrame


def suspects(
    store: np.ndarray,
    margin: int,
    features: np.ndarray,
    near: np.ndarray,
    measures: pd.DataFrame,
    channel_names: Sequence[str],
    spans: np.ndarray,
    told: Told = lambda what, done, total: None,
) -> Suspects:
    """Find patches to look at.

    Parameters
    ----------
    store
        Patches with their margin, (N, C, S, S), read in parts.
    margin
        Pixels on every side that are not looked at.
    features
        H, (N, D).
    near
        Neighbours on the map, (N, k).
    measures
        See `measure_patches`.
    channel_names
        C names.
    spans
        Of each channel the difference of the values taken as 1 and as 0, (C,) or (N, C).
    told
        Progress; may raise to cancel.
    """
    empty = empty_patches(measures, channel_names, spans)
    exact = exact_duplicates(store, margin, empty, told)
    around = near_duplicates(store, margin, features, near, measures, channel_names, told)
    unlikeness = 1 - likeness(features, np.arange(len(store)))
    shares = measures[[f"saturated {name}" for name in channel_names]]
    shares = shares.set_axis(list(channel_names), axis=1)
    worst = shares.max(axis=1).to_numpy()
    order = np.argsort(-worst, kind="stable")
    highest = pd.DataFrame({"patches": (shares > 0).sum(), "pixels": shares.mean()})
    return Suspects(
        exact=exact,
        near=_apart_from(around, exact, empty),
        unlike=unlike_all(unlikeness, near),
        unlikeness=unlikeness,
        empty=empty,
        saturated=order[worst[order] >= MOST_SATURATED],
        highest=highest[highest["patches"] > 0],
    )


def empty_patches(
    measures: pd.DataFrame, channel_names: Sequence[str], spans: np.ndarray
) -> np.ndarray:
    """Find patches whose values hardly vary, by less than 2 % of the range in every channel."""
    std = measures[[f"std {name}" for name in channel_names]].to_numpy()
    return np.flatnonzero((std < LEAST_CONTRAST * spans).all(axis=1))


def unlike_all(unlikeness: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Find patches that lie far beyond what is usual, the farthest first.

    What is usual is the median of ``unlikeness`` (N,) and its median absolute deviation; and that
    of the neighbours on the map, ``near`` (N, k): kinds of cells that vary more are no outliers.
    """
    median = np.median(unlikeness) if len(unlikeness) else 0.0
    deviation = 1.4826 * np.median(np.abs(unlikeness - median)) if len(unlikeness) else 0.0
    around = np.median(unlikeness[near], axis=1) if near.size else np.zeros(len(unlikeness))
    far = unlikeness - median > max(UNLIKE * deviation, 1e-6)
    found = np.flatnonzero(far & (unlikeness > BEYOND_NEIGHBORS * around))
    return found[np.argsort(-unlikeness[found], kind="stable")]


def exact_duplicates(
    store: np.ndarray,
    margin: int,
    left_out: np.ndarray,
    told: Told = lambda what, done, total: None,
) -> tuple[np.ndarray, ...]:
    """Find groups of patches with the very same pixels, the largest first.

    Patches ``left_out``, row numbers, are in none.
    """
    count = len(store)
    inner = slice(margin, store.shape[-1] - margin)
    groups: dict[bytes, list[int]] = {}
    passed = set(left_out.tolist())
    for part in _parts(store):
        told("Looking for duplicates", part.start, count)
        pixels = np.ascontiguousarray(store[part][:, :, inner, inner])
        for row, patch in enumerate(pixels, start=part.start):
            if row not in passed:
                digest = hashlib.blake2b(patch.data, digest_size=16).digest()
                groups.setdefault(digest, []).append(row)
    told("Looking for duplicates", count, count)
    found = [np.array(group) for group in groups.values() if len(group) > 1]
    return tuple(sorted(found, key=lambda group: -len(group)))


def near_duplicates(
    store: np.ndarray,
    margin: int,
    features: np.ndarray,
    near: np.ndarray,
    measures: pd.DataFrame,
    channel_names: Sequence[str],
    told: Told = lambda what, done, total: None,
) -> tuple[np.ndarray, ...]:
    """Find groups of patches with the same or nearly the same pixels, the largest first.

    Compared are patches that lie next to each other on the map, or (of up to 30,000) are among the
    5 nearest in the features, wherever they lie, with features whose cosine is
    0.95 or more, and with nearly the same mean and spread of every channel. They are
    near-duplicates where their pixels, less the mean of their channel, correlate by 0.98 or more,
    as they are, turned by quarters, or mirrored.
    """
    close = [_pairs_of(near)]
    if len(features) <= MOST_SEARCHED:
        close.append(_nearest_in(features, told))
    pairs = _alike(np.unique(np.concatenate(close), axis=0), features, measures, channel_names)
    inner = slice(margin, store.shape[-1] - margin)
    correlated = np.zeros(len(pairs), bool)
    step = max(1, PIXELS_AT_ONCE // int(np.prod(store.shape[1:])))
    for start in range(0, len(pairs), step):
        told("Looking for near-duplicates", start, len(pairs))
        part = slice(start, start + step)
        first, second = (_centered(store[rows][:, :, inner, inner]) for rows in pairs[part].T)
        correlated[part] = _correlation(first, second) >= LEAST_CORRELATION
    told("Looking for near-duplicates", len(pairs), len(pairs))
    return _groups(pairs[correlated], len(near))


# --- inside ---------------------------------------------------------------------------------------


def _parts(store: np.ndarray) -> list[slice]:
    step = max(1, PIXELS_AT_ONCE // int(np.prod(store.shape[1:])))
    return [slice(i, min(i + step, len(store))) for i in range(0, len(store), step)]


def _pairs_of(near: np.ndarray) -> np.ndarray:
    """Return neighbours, (N, k), as pairs, (N k, 2), the lower row first."""
    first = np.repeat(np.arange(len(near)), near.shape[1])
    return np.sort(np.stack([first, near.ravel()], axis=1), axis=1)


def _nearest_in(features: np.ndarray, told: Told) -> np.ndarray:
    """Pairs of patches, (m, 2), of which one is among the nearest of the other in the features."""
    count = len(features)
    k = min(NEAREST, count - 1)
    if k < 1:
        return np.empty((0, 2), np.int64)
    vectors, found = unit_features(features, slice(None)), []
    for part in blocks(count, max(count, features.shape[1])):
        told("Looking for near-duplicates", part.start, count)
        products = vectors[part] @ vectors.T
        rows = np.arange(part.start, part.stop)
        products[rows - part.start, rows] = -np.inf
        # Most patches have none so near: they need not be sorted.
        some = np.flatnonzero(products.max(axis=1) >= LEAST_COSINE)
        nearest = np.argpartition(-products[some], k - 1, axis=1)[:, :k]
        found.append(np.stack([np.repeat(rows[some], k), nearest.ravel()], axis=1))
    return np.sort(np.concatenate(found), axis=1)


def _alike(
    pairs: np.ndarray, features: np.ndarray, measures: pd.DataFrame, channel_names: Sequence[str]
) -> np.ndarray:
    """Those pairs, (m, 2), that may be near-duplicates, the most similar first."""
    mean = measures[[f"mean {name}" for name in channel_names]].to_numpy()
    std = measures[[f"std {name}" for name in channel_names]].to_numpy()
    a, b = pairs.T
    spread = np.maximum(std[a], std[b])
    same = (np.abs(mean[a] - mean[b]) <= SAME_MEAN * spread).all(axis=1)
    same &= (np.abs(std[a] - std[b]) <= SAME_STD * spread).all(axis=1) & (spread > 0).any(axis=1)
    pairs = pairs[same]
    cosines = np.empty(len(pairs), np.float32)
    for part in blocks(len(pairs), features.shape[1]):
        a, b = pairs[part].T
        cosines[part] = np.einsum(
            "nd,nd->n", unit_features(features, a), unit_features(features, b)
        )
    order = np.argsort(-cosines, kind="stable")
    return pairs[order[cosines[order] >= LEAST_COSINE]][:MOST_PAIRS]


def _centered(pixels: np.ndarray) -> np.ndarray:
    """Pixels less the mean of their channel, at length 1 over all channels, (n, C, S, S)."""
    values = pixels.astype(np.float32)
    values -= values.mean(axis=(2, 3), keepdims=True)
    lengths = np.sqrt(np.einsum("ncyx,ncyx->n", values, values))
    return values / np.where(lengths > 0, lengths, 1)[:, None, None, None]


def _correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Highest correlation over the eight ways to turn and mirror a square, (n,)."""
    best = np.full(len(first), -1, np.float32)
    for mirrored in (second, second[..., ::-1]):
        for quarters in range(4):
            turned = np.rot90(mirrored, quarters, axes=(2, 3))
            best = np.maximum(best, np.einsum("ncyx,ncyx->n", first, turned))
    return best


def _groups(pairs: np.ndarray, count: int) -> tuple[np.ndarray, ...]:
    """Patches that pairs join, directly or by others; the largest group first."""
    if not len(pairs):
        return ()
    joined = coo_array((np.ones(len(pairs), bool), pairs.T), shape=(count, count))
    _, numbers = connected_components(joined, directed=False)
    rows = np.unique(pairs)
    order = rows[np.argsort(numbers[rows], kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    return tuple(sorted(groups, key=lambda group: -len(group)))


def _apart_from(
    groups: tuple[np.ndarray, ...], exact: tuple[np.ndarray, ...], empty: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Leave out of near-duplicates what is empty, and groups that the exact ones tell already."""
    told = {tuple(group) for group in exact}
    kept = (group[~np.isin(group, empty)] for group in groups)
    return tuple(group for group in kept if len(group) > 1 and tuple(group) not in told)
