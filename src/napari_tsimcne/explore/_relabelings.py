"""Ways to give the values of some units to these units anew: all of them, or a random sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import factorial, prod

import numpy as np


@dataclass(frozen=True, eq=False)
class Arrangements:
    """Ways in which R units can have the values that they have.

    Parameters
    ----------
    codes
        (P, R) integers: the value of each unit; the first row is how it really is.
    exact
        Whether these are all ways there are, each once; else a random sample of them.
    """

    codes: np.ndarray
    exact: bool

    def __len__(self) -> int:
        return len(self.codes)


def arrangements(
    codes: np.ndarray, most: int, seed: int = 0, blocks: np.ndarray | None = None
) -> Arrangements:
    """Enumerate the ways to arrange values among units, or draw some where there are more.

    Parameters
    ----------
    codes
        Value of each unit, (R,) integers from 0 on, or booleans.
    most
        How many are drawn besides the real one. Where there are not more, all are taken.
    seed
        Of the draw.
    blocks
        (R,) integers: values are exchanged within these only, such as plates. None: everywhere.
    """
    codes = np.asarray(codes)
    parts = [np.arange(len(codes))] if blocks is None else [
        np.flatnonzero(blocks == block) for block in np.unique(blocks)
    ]  # fmt: skip
    if count_arrangements(codes, blocks) <= most + 1:
        ways = [list(_ways(np.bincount(codes[rows]).tolist())) for rows in parts]
        found = np.empty((prod(map(len, ways)), len(codes)), codes.dtype)
        for place, chosen in enumerate(product(*ways)):
            for rows, values in zip(parts, chosen, strict=True):
                found[place, rows] = values
        first = int(np.flatnonzero((found == codes).all(axis=1))[0])
        found[[0, first]] = found[[first, 0]]
        return Arrangements(found, exact=True)
    random = np.random.default_rng(seed)
    found = np.tile(codes, (most + 1, 1))
    for rows in parts:
        found[1:, rows] = random.permuted(found[1:, rows], axis=1)
    return Arrangements(found, exact=False)


def count_arrangements(codes: np.ndarray, blocks: np.ndarray | None = None) -> int:
    """Return how many different ways there are to arrange values among units, see above."""
    blocks = np.zeros(len(codes), int) if blocks is None else blocks
    count = 1
    for block in np.unique(blocks):
        sizes = np.bincount(np.asarray(codes)[blocks == block])
        count *= factorial(int(sizes.sum())) // prod(factorial(int(size)) for size in sizes)
    return count


def _ways(counts: list[int]) -> Iterator[tuple[int, ...]]:
    """Yield the different orders of so many of each value."""
    if not any(counts):
        yield ()
    for value, count in enumerate(counts):
        if count:
            counts[value] -= 1
            for rest in _ways(counts):
                yield (value, *rest)
            counts[value] += 1
