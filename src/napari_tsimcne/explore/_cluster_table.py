"""What clusters consist of: how many patches, from where, and which are typical."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.api import types

from napari_tsimcne.explore._clusters import NONE, Clusters
from napari_tsimcne.explore._ordering import representative

MISSING = "none"
"""Stands for a missing value."""

UNASSIGNED = "unassigned"
"""Stands for the cluster of patches that are in none."""

MOST_WHOLE_NUMBERS = 12
"""Different whole numbers that still are classes, as fields or days are."""

MOST_VALUES = 1000
MOST_COMPARED = 2000
"""Patches of a cluster among which typical ones are looked for; of more, a sample."""

NUMBERS_OF_PATCHES = ("patch", "label", "size", "y", "x")


def groupings(table: pd.DataFrame) -> list[str]:
    """Names of the columns by whose values clusters can be shared out.

    These hold text, yes and no, or a few different whole numbers, and more than one value.
    """
    return [
        str(name) for name in table.columns
        if name not in NUMBERS_OF_PATCHES and _is_grouping(table[name])
    ]  # fmt: skip


def _is_grouping(column: pd.Series) -> bool:
    count = column.nunique(dropna=False)
    if types.is_integer_dtype(column.dtype):
        return bool(1 < count <= MOST_WHOLE_NUMBERS)
    if types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype):
        return False
    return bool(1 < count <= min(MOST_VALUES, max(2, len(column) // 2)))


def value_counts(clusters: Clusters, column: pd.Series) -> pd.DataFrame:
    """Count the patches of each value in each cluster.

    Parameters
    ----------
    clusters
        Of N patches.
    column
        N values; a missing one counts as ``none``.

    Returns
    -------
    One row a cluster in their order, by id, and first one of all patches, by id 0; one column a
    value, as text, in order of the values.
    """
    codes, values = pd.factorize(column, sort=True)
    names = [str(value) for value in values]
    if (codes < 0).any():
        codes = np.where(codes < 0, len(names), codes)
        names = [*names, MISSING]
    order = [NONE, *(cluster.id for cluster in clusters.all)]
    # The first row is of those in none, until it becomes that of all.
    cells = (clusters.places().astype(np.int64) + 1) * len(names) + codes
    counts = np.bincount(cells, minlength=len(order) * len(names)).reshape(len(order), len(names))
    counts[0] = counts.sum(axis=0)
    found = pd.DataFrame(counts, index=pd.Index(order, name="id"), columns=names)
    # Values that read alike, as 1 and "1", or a real "none", are one.
    return found.T.groupby(level=0, sort=False).sum().T


def cluster_table(clusters: Clusters, table: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """Describe each cluster in a row.

    Parameters
    ----------
    clusters, table
        Of the same N patches.
    by
        A column of the table, for the share of each of its values in each cluster.

    Returns
    -------
    By cluster id, in the clusters' order: ``name``, ``color``, ``note``, ``size`` in patches,
    ``share`` of all patches (0 to 1), and for every value a column ``BY: VALUE`` with its share of
    the cluster (0 to 1; they add up to 1, or are missing in an empty cluster).
    """
    sizes = clusters.sizes()
    found = pd.DataFrame(
        {
            "name": [cluster.name for cluster in clusters.all],
            "color": [cluster.color for cluster in clusters.all],
            "note": [cluster.note for cluster in clusters.all],
            "size": np.array(list(sizes.values()), np.int64),
        },
        index=pd.Index([cluster.id for cluster in clusters.all], name="id", dtype=np.int64),
    )
    found["share"] = found["size"] / max(1, len(table))
    if by is not None:
        counts = value_counts(clusters, table[by]).drop(index=NONE)
        shares = counts.div(found["size"].where(found["size"] > 0), axis=0)
        found = found.join(shares.add_prefix(f"{by}: "))
    return found


def medoids(features: np.ndarray, mask: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Return the numbers of a few patches that stand for all in a mask, see `representative`.

    Parameters
    ----------
    features
        H, (N, D).
    mask
        (N,) booleans.
    count
        At most so many are returned.
    seed
        Of groups, and of the sample of 2,000 that is looked at where there are more.
    """
    rows = np.flatnonzero(mask)
    if len(rows) > MOST_COMPARED:
        random = np.random.default_rng(seed)
        rows = np.sort(random.choice(rows, MOST_COMPARED, replace=False))
    return representative(features, rows, seed)[:count]
