"""Tables and arrays of a run, checked against what the run says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from napari_tsimcne.errors import InputError
from napari_tsimcne.patches import (
    kept_apart,
    open_array,
    renamed,
    renamed_text,
    validate_table,
)
from napari_tsimcne.runs._files import read_or_explain
from napari_tsimcne.runs._images import ImageRecord
from napari_tsimcne.runs._parquet import parse_table, read_table

FARTHEST = 1e9
"""Pixels: no image is so large, and sums of such numbers are still exact."""

MOST_FEATURES = 1 << 16
"""Dimensions of H: more than any network gives."""


def read_patches(path: Path, count: int, images: Iterable[ImageRecord]) -> pd.DataFrame:
    """Read a patch table.

    Parameters
    ----------
    path
        Of the table.
    count
        How many patches there are in the store.
    images
        That the patches may be of.

    Raises
    ------
    InputError
        Where it is missing or damaged, or does not fit store and images.
    """
    names = {record.name for record in images}
    return read_or_explain(path, lambda p: _checked(parse_table(p, count)[0], count, names))


def renamed_in(path: Path) -> str:
    """Say which columns of a stored patch table were renamed as it was read; empty: none."""
    names = read_or_explain(path, pq.read_schema).names
    return renamed_text(renamed(names))


def _checked(table: pd.DataFrame, count: int, names: set[str]) -> pd.DataFrame:
    if len(table) != count:
        raise ValueError(f"{len(table)} patches in the table, {count} in the store")
    table = validate_table(table)
    places = table[["t", "z", "y", "x", "size"]].to_numpy(np.float64)
    if not (np.abs(places) < FARTHEST).all():  # nor where a number is missing
        raise ValueError("patches lie nowhere in an image")
    if not ((table["size"] > 0) & (table["t"] >= 0) & (table["z"] >= 0)).all():
        raise ValueError("patches have no size, or no plane")
    if not (table["label"].dropna() >= 0).all():
        raise ValueError("objects have numbers below 0")
    unknown = set(table["image"].unique()) - names
    if unknown:
        raise ValueError(f"the run lacks images of its patches, such as '{min(unknown)[:40]}'")
    # Runs of earlier versions may have them as they were.
    return kept_apart(table)


def read_map(path: Path, count: int, columns: Sequence[str]) -> pd.DataFrame:
    """Read a table of places on the map, a row a patch.

    Parameters
    ----------
    path
        Of the table.
    count
        How many patches there are.
    columns
        That hold finite numbers.

    Raises
    ------
    InputError
        Where it is missing or damaged, or does not fit.
    """
    table = read_table(path, count)
    if not set(columns) <= set(table) or len(table) != count:
        raise InputError(f"the file {path} is damaged: it does not hold the map of this run")
    for name in columns:
        values = table[name]
        if values.dtype.kind not in "fiu" or not (values.abs() < np.finfo(np.float32).max).all():
            raise InputError(f"the file {path} is damaged: coordinates are not finite")
    return table


def read_features(path: Path, count: int) -> np.ndarray:
    """Open features H, (N, D) float32, as a read-only memory map.

    Raises
    ------
    InputError
        Where they are missing or damaged, or there are not so many.
    """
    features = open_array(path)
    fits = features.ndim == 2 and len(features) == count and features.shape[1] <= MOST_FEATURES
    if not fits or features.dtype != np.float32:
        raise InputError(f"the file {path} is damaged: it does not fit this run")
    return features
