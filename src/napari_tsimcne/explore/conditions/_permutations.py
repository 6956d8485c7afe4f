"""Permutation tests between two groups of units, such as treated wells and control wells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import comb

import numpy as np

from napari_tsimcne.explore._relabelings import arrangements

TOLERANCE = 1e-6
"""Relative; statistics that differ by less are the same but for rounding."""


@dataclass(frozen=True, eq=False)
class Relabelings:
    """Ways to call as many of R units treated as really were.

    Parameters
    ----------
    treated
        (P, R) booleans; the first row is how it really was.
    exact
        Whether these are all ways there are, each once; else a random sample of them.
    blocks
        (R,) integers where units are relabelled within these only, and compared there; or None.
    """

    treated: np.ndarray
    exact: bool
    blocks: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.treated)

    @cached_property
    def smallest_p(self) -> float:
        """The smallest p value that a two-sided test by these can give, above 0 and at most 1."""
        # Of groups of equal size, changing sides only changes the sign of every difference.
        own = self.treated[0]
        blocks = np.zeros(len(own), int) if self.blocks is None else self.blocks
        same = all(2 * own[blocks == b].sum() == (blocks == b).sum() for b in np.unique(blocks))
        return min(1.0, (2 if self.exact and same else 1) / len(self))

    def differences(self, values: np.ndarray) -> np.ndarray:
        """Return treated mean minus control mean of values (R, K) for each relabeling, (P, K).

        Within blocks, of the values less the mean of their block.
        """
        return self.weights @ self.centered(values)

    def centered(self, values: np.ndarray) -> np.ndarray:
        """Return values (R, K) less the mean of their block; as they are where there are none."""
        if self.blocks is None:
            return values
        found = np.array(values, np.result_type(values, np.float32))
        for block in np.unique(self.blocks):
            found[self.blocks == block] -= found[self.blocks == block].mean(axis=0)
        return found

    @cached_property
    def weights(self) -> np.ndarray:
        """Weights of the units in the differences of means, (P, R) float64."""
        treated = int(self.treated[0].sum())
        control = self.treated.shape[1] - treated
        return np.where(self.treated, 1 / treated, -1 / control)


def relabelings(
    treated: np.ndarray, permutations: int, seed: int = 0, blocks: np.ndarray | None = None
) -> Relabelings:
    """Enumerate the relabelings of units, or draw some where there are more than are asked for.

    Parameters
    ----------
    treated
        (R,) booleans, some true and some false.
    permutations
        How many are drawn besides the real one. Where there are not more, all are taken.
    seed
        Of the draw.
    blocks
        (R,) integers: units are relabelled within these only, such as plates. None: everywhere.
    """
    made = arrangements(np.asarray(treated, bool), permutations, seed, blocks)
    return Relabelings(made.codes, made.exact, blocks)


def ways(treated: int, control: int, permutations: int) -> str:
    """Say how many relabelings `relabelings` makes of so many units, and whether these are all."""
    count = comb(treated + control, treated)
    if count <= permutations + 1:
        return f"all {count:,} (exact)"
    return f"{permutations:,} of {count:,}, drawn at random"


def standardized(differences: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Divide the sizes of differences (P, K) by the spread of all units (K,); 0 where that is 0.

    The spread is the same for every relabeling, and this ranks them as the t statistic of two
    samples does, of which it is a monotone function.
    """
    safe = np.where(spread > 0, spread, 1)
    return np.where(spread > 0, np.abs(differences) / safe, 0)


def p_values(statistics: np.ndarray) -> np.ndarray:
    """Return the share of relabelings that are at least as extreme as the first row.

    ``statistics``: (P, K), not negative; returns (K,), above 0 and at most 1.
    """
    return np.mean(statistics >= statistics[0] * (1 - TOLERANCE), axis=0)


def max_p_values(observed: np.ndarray, maxima: np.ndarray) -> np.ndarray:
    """Return p values that are corrected for the number of places by the largest statistic.

    Westfall and Young 1993, Resampling-based multiple testing: the chance that a relabeling has,
    anywhere, a statistic as large as the one observed at a place. Where places depend on each
    other, as shares that add up to 1 or neighbouring cells of a grid do, this gives away less than
    Bonferroni's or Holm's correction; and it can reach the smallest p of a single test.

    Parameters
    ----------
    observed
        Statistics, (K,).
    maxima
        Largest statistic over all places for each relabeling, (P,), the real one first.
    """
    ranked = np.sort(maxima)
    below = np.searchsorted(ranked, np.asarray(observed) * (1 - TOLERANCE), side="left")
    return (len(ranked) - below) / len(ranked)
