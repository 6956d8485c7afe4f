"""Shares of the clusters per condition: between replicates, not between patches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore._classes import distinct_texts
from napari_tsimcne.explore._cluster_table import UNASSIGNED
from napari_tsimcne.explore._clusters import NONE, Clusters
from napari_tsimcne.explore._design import Replicate, codes_of, joined
from napari_tsimcne.explore.conditions._intervals import CONFIDENCE, share_interval, wilson
from napari_tsimcne.explore.conditions._permutations import (
    max_p_values,
    p_values,
    relabelings,
    standardized,
)

PERMUTATIONS, SEED = 9999, 0
"""Most relabelings, and the seed of random ones."""

NO_REPLICATES = (
    "Patches are taken as independent, as no column of replicates is chosen: those of one well or "
    "image are similar for other reasons than the condition, so that this is far too sure."
)


class _Units(NamedTuple):
    """Replicates of conditions, and how their patches are shared out.

    ``conditions``: all of them, in order. Of each of U units: ``condition``, its place in these,
    (U,); ``replicate``, its name; ``counts``, patches in each cluster in their order, then
    unassigned, (U, K + 1); ``block``, the code of its block, (U,), 0 where there are none.
    """

    conditions: list[str]
    condition: np.ndarray
    replicate: list[str]
    counts: np.ndarray
    block: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        return self.counts.sum(axis=1)

    @property
    def shares(self) -> np.ndarray:
        return self.counts / self.sizes[:, None]

    def of(self, name: str) -> np.ndarray:
        """Which units are of a condition, (U,) booleans."""
        if name not in self.conditions:
            there = ", ".join(f"'{one}'" for one in self.conditions[:12])
            raise InputError(f"there is no condition '{name}': the column has {there}")
        return self.condition == self.conditions.index(name)


def replicate_shares(
    clusters: Clusters,
    condition: pd.Series,
    replicate: Replicate = None,
    *,
    mask: np.ndarray | None = None,
) -> pd.DataFrame:
    """Share of each cluster in each replicate of each condition.

    Parameters
    ----------
    clusters
        Of N patches.
    condition
        N values, such as the treatment; patches without one are left out.
    replicate
        N values that tell replicates of a condition apart, such as the well; patches without one
        are left out. The same value in two conditions stands for two replicates. Several columns
        (a table, or a list), such as plate and well: each combination is a replicate. None: all
        patches of a condition are taken together.
    mask
        (N,) booleans: which patches are looked at. None: all.

    Returns
    -------
    A row a condition, replicate and cluster: ``condition`` and ``replicate`` (text), ``id`` and
    ``cluster`` (0 and 'unassigned' for patches in none, last), ``share`` of the replicate's patches
    (0..1), ``patches`` in the cluster, and ``of`` how many.

    Raises
    ------
    InputError
        Where no patch has both values.
    """
    units = _units(clusters, condition, replicate, mask)
    rows = _rows(clusters, [units.conditions[i] for i in units.condition])
    width = units.counts.shape[1]
    rows.insert(1, "replicate", np.repeat(np.array(units.replicate, object), width))
    return rows.assign(
        share=units.shares.ravel(), patches=units.counts.ravel(), of=np.repeat(units.sizes, width)
    )


def condition_shares(
    clusters: Clusters,
    condition: pd.Series,
    replicate: Replicate = None,
    *,
    confidence: float = CONFIDENCE,
    mask: np.ndarray | None = None,
) -> pd.DataFrame:
    """Share of each cluster in each condition, with an interval between its replicates.

    The replicate is the unit: its patches have seen the same well, and a thousand of them are no
    thousand experiments. A share is the mean over the replicates, each weighing the same, and its
    interval is `share_interval`. `share_doubts` says in sentences what the result cannot tell.

    Parameters
    ----------
    clusters, condition, replicate, mask
        As of `replicate_shares`.
    confidence
        Of the intervals, between 0 and 1.

    Returns
    -------
    A row a condition and cluster: ``condition`` (text), ``id`` and ``cluster`` (0 and 'unassigned'
    for patches in none, last), ``share`` with ``low`` and ``high`` (0..1), ``patches`` of the
    condition in the cluster, ``of`` how many, and how many ``replicates``. With one replicate, low
    and high are missing. Without a column of replicates these are 0, and intervals are Wilson's, of
    independent patches.
    """
    units = _units(clusters, condition, replicate, mask)
    found = []
    for place in range(len(units.conditions)):
        own = units.condition == place
        counts, sizes = units.counts[own], units.sizes[own]
        if replicate is None:
            low, high = wilson(counts.sum(axis=0), int(sizes.sum()), confidence)
        else:
            low, high = share_interval(counts, sizes, confidence)
        found.append(pd.DataFrame({
            "share": units.shares[own].mean(axis=0), "low": low, "high": high,
            "patches": counts.sum(axis=0), "of": int(sizes.sum()),
            "replicates": 0 if replicate is None else int(own.sum()),
        }))  # fmt: skip
    return _rows(clusters, units.conditions).join(pd.concat(found, ignore_index=True))


def compare_conditions(
    clusters: Clusters,
    condition: pd.Series,
    replicate: Replicate,
    control: str,
    *,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
    mask: np.ndarray | None = None,
    block: pd.Series | None = None,
) -> pd.DataFrame:
    """Compare the shares of the clusters in every other condition with those in the control.

    Replicates of the two are relabelled in all ways, or in 9,999 random ones where there are more.

    Parameters
    ----------
    clusters, condition, replicate, mask
        As of `replicate_shares`.
    control
        The condition to compare with, as text.
    permutations
        Most ways in which replicates are relabelled, besides the real one.
    seed
        Of the random ones.
    block
        N values, such as the plate, the same all over each replicate: replicates are compared and
        relabelled within it only; where it does not hold both, they are left out. None: everywhere.

    Returns
    -------
    A row a condition and cluster: ``condition``, ``id``, ``cluster``, ``share``, ``control_share``,
    ``difference`` of the two (with blocks, the mean of that within them), ``p`` of no difference
    (two-sided), ``p_adjusted`` for the number of clusters (by the largest statistic, see
    `max_p_values`; not for the number of conditions), ``smallest_p`` that so many replicates can
    give, ``replicates`` and ``control_replicates``.

    Raises
    ------
    InputError
        Where there is no such condition, or no other, or no block holds both.
    """
    units = _units(clusters, condition, replicate, mask, block)
    controls = units.of(control)
    others = [name for name in units.conditions if name != control]
    if not others:
        raise InputError(f"there is no condition besides '{control}' to compare with it")
    found = []
    for name in others:
        both = units.of(name) | controls
        if block is not None:
            both &= in_both(units.of(name), controls, units.block)
            if not both.any():
                raise InputError(no_block(block, name, control))
        treated, shares = units.of(name)[both], units.shares[both]
        ways = relabelings(
            treated, permutations, seed, None if block is None else units.block[both]
        )
        differences = ways.differences(shares)
        statistics = standardized(differences, ways.centered(shares).std(axis=0))
        found.append(pd.DataFrame({
            "share": shares[treated].mean(axis=0),
            "control_share": shares[~treated].mean(axis=0),
            "difference": differences[0],
            "p": p_values(statistics),
            "p_adjusted": max_p_values(statistics[0], statistics.max(axis=1)),
            "smallest_p": ways.smallest_p,
            "replicates": int(treated.sum()), "control_replicates": int((~treated).sum()),
        }))  # fmt: skip
    return _rows(clusters, others).join(pd.concat(found, ignore_index=True))


# --- in words -------------------------------------------------------------------------------------


def share_doubts(shares: pd.DataFrame) -> tuple[str, ...]:
    """Return a sentence for each reason to doubt the intervals of `condition_shares`."""
    by_condition = shares.groupby("condition", sort=False)["replicates"].first()
    if (by_condition == 0).any():
        return (NO_REPLICATES,)
    found = []
    single = by_condition.index[by_condition == 1].tolist()
    if single:
        which = "Every condition" if len(single) == len(by_condition) else named(single)
        found.append(f"{which} has one replicate: how far replicates differ cannot be determined, "
                     "and there is no interval.")  # fmt: skip
    double = by_condition.index[by_condition == 2].tolist()
    if double:
        which = "Every condition" if len(double) == len(by_condition) else named(double)
        found.append(f"{which} has two replicates: these intervals are wide, and too narrow still "
                     "for small clusters.")  # fmt: skip
    return tuple(found)


def comparison_doubts(comparison: pd.DataFrame, level: float = 0.05) -> tuple[str, ...]:
    """Return a sentence for each reason to doubt the p values of `compare_conditions`."""
    found = []
    weak = comparison[comparison["smallest_p"] > level].drop_duplicates("condition")
    for row in weak.head(3).itertuples():
        found.append(
            f"{row.condition}: whether it differs "
            f"{too_few(row.replicates, row.control_replicates, row.smallest_p)}"
        )
    if len(weak) > 3:
        found.append(f"The same holds of {len(weak) - 3} further conditions.")
    conditions = comparison["condition"].nunique()
    if conditions > 1:
        found.append(
            "The p values are adjusted for the number of clusters, not for that of the "
            f"{conditions} conditions compared."
        )
    return tuple(found)


def too_few(treated: int, control: int, smallest: float) -> str:
    """Say that so many replicates cannot show a difference."""
    return (
        f"cannot be determined with {treated} + {control} replicates "
        f"(the smallest possible p is {smallest:.2g}, however large a difference is)."
    )


def named(names: list[str]) -> str:
    """Name a few things in a sentence, as its subject."""
    shown = ", ".join(f"'{name}'" for name in names[:4])
    more = len(names) - 4
    return (
        f"Each of {shown}" + (f" and {more} more" if more > 0 else "") if len(names) > 1 else shown
    )


# --- inside ---------------------------------------------------------------------------------------


def ordered_texts(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Return the place of each value, (N,) integers, in its different texts; -1 if missing.

    These are in the order of their categories, of numbers, or of texts.
    """
    codes, texts = distinct_texts(column)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return codes.astype(np.int64), texts
    number = types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype)
    order = sorted(range(len(texts)), key=lambda i: float(texts[i]) if number else texts[i])
    rank = np.empty(len(texts) + 1, np.int64)
    rank[order], rank[-1] = np.arange(len(texts)), -1
    return rank[codes], [texts[i] for i in order]


def _units(
    clusters: Clusters,
    condition: pd.Series,
    replicate: Replicate,
    mask: np.ndarray | None,
    block: pd.Series | None = None,
) -> _Units:
    codes, conditions = ordered_texts(condition)
    replicate = joined(replicate)
    copies, names = (
        (np.zeros(len(codes), np.int64), [""]) if replicate is None else ordered_texts(replicate)
    )
    kept = (codes >= 0) & (copies >= 0)
    blocks = np.zeros(len(codes), np.int64) if block is None else codes_of(block)
    kept &= blocks >= 0
    if mask is not None:
        kept &= mask
    if not kept.any():
        raise InputError("no patch has both a condition and a replicate: choose other columns")
    pairs, unit = np.unique(codes[kept] * len(names) + copies[kept], return_inverse=True)
    width = len(clusters) + 1
    # Those in none, at place -1, come last.
    places = clusters.places()[kept].astype(np.int64) % width
    counts = np.bincount(unit * width + places, minlength=len(pairs) * width)
    there, own = np.unique(pairs // len(names), return_inverse=True)
    of_unit = block_of_units(unit, blocks[kept], block)
    return _Units(
        conditions=[conditions[i] for i in there],
        condition=own,
        replicate=[names[i] for i in pairs % len(names)],
        counts=counts.reshape(len(pairs), width),
        block=of_unit,
    )


def block_of_units(unit: np.ndarray, blocks: np.ndarray, column: pd.Series | None) -> np.ndarray:
    """Return the block of each unit, (U,), of those of its patches, (n,) codes each.

    Raises
    ------
    InputError
        Where patches of a unit are in several blocks.
    """
    found = np.empty(unit.max(initial=-1) + 1, np.int64)
    found[unit] = blocks
    if (found[unit] != blocks).any():
        raise InputError(
            f"a replicate lies in several values of '{column.name if column is not None else ''}', "
            "within which they are to be compared: name what tells replicates apart by both "
            "columns, such as plate,well"
        )
    return found


def in_both(treated: np.ndarray, control: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Tell which units (U,) are in blocks (U,) that hold treated and control ones."""
    return np.isin(block, np.intersect1d(block[treated], block[control]))


def no_block(block: pd.Series, treated: str, control: str) -> str:
    """Say that nothing can be compared within blocks."""
    return (
        f"no value of '{block.name}' holds both '{treated}' and '{control}': compare without "
        "blocks, or choose another column"
    )


def _rows(clusters: Clusters, conditions: list[str]) -> pd.DataFrame:
    """Begin a table with a row for each of some conditions and each cluster, and none."""
    ids = [*(cluster.id for cluster in clusters.all), NONE]
    names = [*(cluster.name for cluster in clusters.all), UNASSIGNED]
    return pd.DataFrame({
        "condition": np.repeat(np.array(conditions, object), len(ids)),
        "id": np.tile(ids, len(conditions)),
        "cluster": np.tile(np.array(names, object), len(conditions)),
    })  # fmt: skip
