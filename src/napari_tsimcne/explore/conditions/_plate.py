"""Wells of a plate: read from their names, and laid out in rows and columns."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import well_place

SHAPES = ((2, 3), (3, 4), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48))
"""Rows and columns of plates of 6 to 1536 wells."""

SHOWN = 5


def plate_of(wells: pd.Series) -> pd.DataFrame:
    """Read rows and columns from the names of wells.

    Parameters
    ----------
    wells
        N names such as ``A01``, ``A1``, ``P24``, ``AF48`` or ``r01c02``; or missing.

    Returns
    -------
    ``row`` and ``column``, counted from 1, (N,) Int64 with the index of ``wells``; missing where
    the name is.

    Raises
    ------
    InputError
        Where names cannot be read, or are of no well on a plate of up to 1536.
    """
    codes, names = pd.factorize(wells)
    places = [well_place(name) for name in names]
    odd = [str(name) for name, place in zip(names, places, strict=True) if place is None]
    if odd:
        listed = ", ".join(f"'{name}'" for name in odd[:SHOWN])
        more = f" and {len(odd) - SHOWN} more" if len(odd) > SHOWN else ""
        raise InputError(
            f"'{wells.name or 'well'}' does not name wells of a plate ({listed}{more}): wells "
            "are written A01, P24, AF48 or r01c02"
        )
    found = np.array([place or (0, 0) for place in places] + [(0, 0)], np.int64)[codes]
    frame = pd.DataFrame(found, columns=["row", "column"], index=wells.index, dtype="Int64")
    frame.iloc[np.flatnonzero(codes < 0)] = pd.NA
    return frame


def plate_table(wells: pd.Series, values: np.ndarray) -> pd.DataFrame:
    """Lay the means of the wells out as the plate is.

    The plate is the smallest of the usual ones, of 6 to 1536 wells, that has all of the wells.
    Wells of several plates that have the same name are taken together: give one plate at a time.

    Parameters
    ----------
    wells
        Names, (N,), see `plate_of`; patches without one are passed over.
    values
        (N,) numbers, or booleans of which the share is taken, such as the members of a cluster.

    Returns
    -------
    float64, a row a letter (A, B, ...) and a column a number (1, 2, ...); missing where there is no
    patch.

    Raises
    ------
    InputError
        Where names cannot be read, or no patch has a well.
    """
    places = plate_of(wells)
    known = places["row"].notna().to_numpy()
    if not known.any():
        raise InputError("no patch has a well: choose another column")
    rows = places["row"].to_numpy(np.int64, na_value=0)[known]
    columns = places["column"].to_numpy(np.int64, na_value=0)[known]
    shape = plate_shape(int(rows.max()), int(columns.max()))
    flat = (rows - 1) * shape[1] + columns - 1
    size = shape[0] * shape[1]
    counts = np.bincount(flat, minlength=size)
    sums = np.bincount(flat, np.asarray(values, np.float64)[known], minlength=size)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    letters = [row_letters(number) for number in range(1, shape[0] + 1)]
    return pd.DataFrame(means.reshape(shape), index=letters, columns=range(1, shape[1] + 1))


def plate_shape(row: int, column: int) -> tuple[int, int]:
    """Return rows and columns of the smallest plate that has a well, counted from 1."""
    return next(shape for shape in SHAPES if row <= shape[0] and column <= shape[1])


def row_letters(number: int) -> str:
    """Write the number of a row, counted from 1, as plates have it: A to Z, then AA, AB, ..."""
    first, last = divmod(number - 1, 26)
    return (chr(ord("A") + first - 1) if first else "") + chr(ord("A") + last)
