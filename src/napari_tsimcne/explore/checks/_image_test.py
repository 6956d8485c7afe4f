"""Whether similar patches share a column beyond the images that they are of: a permutation test.

A column such as the drug has one value in each image, or in each well or plate. Patches of one
image lie near each other for other reasons, and so any grouping of images is shared by neighbours.
The values are therefore given to the images anew, in all ways where these are few.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import factorial, prod
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from napari_tsimcne.explore._design import (
    BLOCKS,
    UNITS,
    codes_of,
    combined,
    nested,
    plural,
    word_of,
)
from napari_tsimcne.explore._relabelings import Arrangements, arrangements, count_arrangements

LEVEL = 0.05
"""Of p, up to which a column is shared beyond the images."""

MOST_EXACT, DRAWN = 999, 499
"""Arrangements besides the real one: where there are not more, all are made; else so many."""

MOST_ROWS = 2000
"""Patches whose neighbours count; of more, an even part."""

AT_ONCE = 32
"""Arrangements whose scores are in memory."""

TOLERANCE = 1e-9
"""Scores that differ by less are the same but for rounding."""

MOST_SIZES = 4
"""Values whose numbers of images are told one by one."""


class ImageTest(NamedTuple):
    """What comes out where images, or wells or plates, trade their values.

    ``mean``: of the scores; ``p``: the share of arrangements whose score is at least the real one;
    ``smallest_p``: the smallest there can be, whatever the map; ``design``: what was traded, such
    as ``4 + 4 images``.
    """

    mean: float
    p: float
    smallest_p: float
    design: str

    @property
    def determined(self) -> bool:
        """Whether so many images can tell at all."""
        return self.smallest_p <= LEVEL


class Units(NamedTuple):
    """What trades values: each patch's unit, (N,) codes, within ``blocks``, (N,), or anywhere."""

    codes: np.ndarray
    noun: str
    blocks: np.ndarray | None = None
    blocks_noun: str = ""


def image_test(
    near: np.ndarray,
    rows: np.ndarray,
    values: np.ndarray,
    images: np.ndarray,
    named: Mapping[str, pd.Series],
    *,
    classes: bool,
    seed: int = 0,
) -> ImageTest | None:
    """Test whether neighbours share a column more than where images trade their values.

    The unit is the image; or what holds several of them and has one value too, by a column whose
    name says so: the well, the donor, the plate (the largest such unit). Where plates hold values
    in different proportions, values are traded within plates only.

    Parameters
    ----------
    near
        Neighbours on the map, (N, k).
    rows
        Patches whose neighbours count, (n,).
    values
        Codes of classes, -1 where missing, or finite numbers, NaN where missing, (N,).
    images
        Code of each patch's image, (N,).
    named
        Other columns, by name, in which units and plates are looked for.
    classes
        Whether values are codes.
    seed
        Of arrangements that are drawn.

    Returns
    -------
    None where values differ within images.
    """
    known = values >= 0 if classes else np.isfinite(values)
    codes = np.full(len(values), -1, np.int64)
    different, codes[known] = np.unique(values[known], return_inverse=True)
    if not nested(np.where(known, images, -1), codes):
        return None
    units = units_of(codes, images, named)
    _, unit = np.unique(units.codes[known], return_inverse=True)
    place = np.full(len(values), -1, np.int64)
    place[known] = unit
    own = np.empty(unit.max() + 1, np.int64)
    own[unit] = codes[known]
    blocks = None
    if units.blocks is not None:
        blocks = np.empty(len(own), np.int64)
        blocks[unit] = units.blocks[known]
    ways = count_arrangements(own, blocks)
    made = arrangements(own, MOST_EXACT if ways <= MOST_EXACT + 1 else DRAWN, seed, blocks)
    rows = rows[known[rows]]
    rows = rows[:: max(1, -(-len(rows) // MOST_ROWS))]
    around = _neighbors_of_units(place[near[rows]], len(own))
    if classes:
        scores = _accuracies(around, place[rows], made, len(different))
    else:
        weights = np.bincount(unit, minlength=len(own))
        scores = _r2s(around, place[rows], _ranked(made, weights, len(different)))
    return ImageTest(
        mean=float(scores.mean()),
        p=float(np.mean(scores >= scores[0] - TOLERANCE)),
        smallest_p=min(1.0, _same(own, blocks, ordered=not classes) / len(made)),
        design=_design(own, units),
    )


def units_of(codes: np.ndarray, images: np.ndarray, named: Mapping[str, pd.Series]) -> Units:
    """Find what trades values: see `image_test`. ``codes``: (N,), the value of each patch."""
    known = codes >= 0
    there = np.where(known, images, -1)
    found = Units(images, "images")
    fewest = len(np.unique(images[known]))
    groups = {
        name: codes_of(column) for name, column in named.items()
        if word_of(name, (*BLOCKS, *UNITS)) is not None
    }  # fmt: skip
    groups = {
        name: own for name, own in groups.items() if (own[known] >= 0).all() and nested(there, own)
    }
    plates = {name: own for name, own in groups.items() if word_of(name, BLOCKS)}
    for name, own in groups.items():
        word = word_of(name, (*BLOCKS, *UNITS)) or ""
        if name not in plates:
            # Wells of one name on several plates are several.
            own = combined(own, *plates.values())
        count = len(np.unique(own[known]))
        inside = np.where(known, own, -1)
        # What parts patches as the values do would be the column itself.
        if count < fewest and nested(inside, codes) and not nested(codes, inside):
            found, fewest = Units(own, plural(word)), count
    for name, own in plates.items():
        inside = np.where(known, own, -1)
        units = np.where(known, found.codes, -1)
        # Plates of one value each, or values of one plate each, leave nothing to trade.
        if nested(units, inside) and not nested(inside, codes) and not nested(codes, inside):
            firsts = np.unique(units, return_index=True)[1]
            firsts = firsts[units[firsts] >= 0]
            table = pd.crosstab(own[firsts], codes[firsts], normalize="index").to_numpy()
            if not np.allclose(table, table[0]):
                return found._replace(blocks=own, blocks_noun=plural(word_of(name, BLOCKS) or ""))
    return found


# --- inside ---------------------------------------------------------------------------------------


def _neighbors_of_units(near: np.ndarray, units: int) -> csr_array:
    """Count each patch's neighbours in each unit, (n, U) float32; -1 is in none."""
    rows, places = np.nonzero(near >= 0)
    counts = np.ones(len(rows), np.float32)
    return csr_array((counts, (rows, near[rows, places])), shape=(len(near), units))


def _accuracies(around: csr_array, own: np.ndarray, made: Arrangements, classes: int) -> np.ndarray:
    """How often the own class is the most frequent among the neighbours, (P,); ties count part."""
    scores = np.empty(len(made))
    for start in range(0, len(made), AT_ONCE):
        labels = made.codes[start : start + AT_ONCE].T
        mine = np.zeros((len(own), labels.shape[1]), np.float32)
        best, ties = mine.copy(), np.ones_like(mine)
        for number in range(classes):
            given = labels == number
            votes = around @ given.astype(np.float32)
            mine = np.where(given[own], votes, mine)
            ties = np.where(votes > best, 1, ties + (votes == best))
            best = np.maximum(best, votes)
        hits = np.where((mine == best) & (best > 0), 1 / ties, 0)
        scores[start : start + AT_ONCE] = hits.mean(axis=0) if len(own) else 0
    return scores


def _ranked(made: Arrangements, weights: np.ndarray, count: int) -> np.ndarray:
    """Ranks of the patches of each unit, (P, U) in 0..1, where these have so many patches."""
    found = np.empty(made.codes.shape, np.float64)
    for row, codes in enumerate(made.codes):
        sizes = np.bincount(codes, weights, minlength=count)
        ranks = np.cumsum(sizes) - sizes / 2
        found[row] = ranks[codes] / sizes.sum()
    return found


def _r2s(around: csr_array, own: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Squared correlation of ranks with the neighbours' mean, (P,); 0 where it is negative."""
    scores = np.zeros(len(ranks))
    totals = around.sum(axis=1)
    seen = totals > 0
    if not seen.any():
        return scores
    around, totals, own = around[seen], totals[seen, None], own[seen]
    for start in range(0, len(ranks), AT_ONCE):
        part = ranks[start : start + AT_ONCE].T
        means, values = around @ part / totals, part[own]
        means, values = means - means.mean(axis=0), values - values.mean(axis=0)
        size = np.sqrt((means**2).sum(axis=0) * (values**2).sum(axis=0))
        product = (means * values).sum(axis=0)
        found = np.divide(product, size, out=np.zeros_like(size), where=size > 1e-12)
        scores[start : start + AT_ONCE] = np.maximum(found, 0) ** 2
    return scores


def _same(own: np.ndarray, blocks: np.ndarray | None, *, ordered: bool) -> int:
    """Count the arrangements that are the same to every map: with other names, or reversed."""
    blocks = np.zeros(len(own), int) if blocks is None else blocks
    sizes = pd.crosstab(blocks, own).to_numpy().T
    if ordered:
        return 2 if len(sizes) > 1 and np.array_equal(sizes, sizes[::-1]) else 1
    return prod(factorial(int(n)) for n in np.unique(sizes, axis=0, return_counts=True)[1])


def _design(own: np.ndarray, units: Units) -> str:
    sizes = np.bincount(own)
    if len(sizes) <= MOST_SIZES:
        text = f"{' + '.join(map(str, sizes))} {units.noun}"
    else:
        text = f"{sizes.sum()} {units.noun} of {len(sizes)} values"
    return text if units.blocks is None else f"{text}, within {units.blocks_noun}"
