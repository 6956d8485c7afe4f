"""The patch table: one row a patch."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

import numpy as np
import pandas as pd

from napari_tsimcne.errors import InputError

COLUMNS = {
    "patch": "int64",
    "image": "str",
    "t": "int64",
    "z": "int64",
    "y": "float64",
    "x": "float64",
    "size": "float64",
    "label": "Int64",
}
"""Columns every patch table has, with their pandas types; measured columns follow them.

``patch`` counts from 0. ``y`` and ``x`` are the window's centre, ``size`` its side, in pixels of
the image, where whole numbers are centres of pixels: a window of 28 at the origin has its centre
at 13.5. ``z`` is 0 where the patch is of a projection. ``label`` is the object the patch was cut
by, missing for a grid.
"""


MEASURED = ("area", "eccentricity", "major_axis", "minor_axis", "extent", "foreground")
"""Further columns that patches of objects, or of a grid without its background, have."""

RESERVED = (
    "map_x", "map_y", "map_z", "cluster", "added", "familiarity", "unfamiliar", "selected",
    "_index",
)  # fmt: skip
"""Names of columns that this program, or a format it writes, puts beside those of a table."""

METADATA = "(metadata)"
"""Behind the name of a user's column that is one of the program's."""


def renamed(names: Iterable[str], reserved: Collection[str] = RESERVED) -> dict[str, str]:
    """Return new names for those of a user's columns that the program uses itself.

    ``cluster`` becomes ``cluster (metadata)``, with a number where that is taken, too.
    """
    names = [str(name) for name in names]
    found: dict[str, str] = {}
    for name in names:
        if name in reserved:
            new, number = f"{name} {METADATA}", 1
            while new in names or new in found.values():
                number += 1
                new = f"{name} {METADATA[:-1]} {number})"
            found[name] = new
    return found


def kept_apart(columns: pd.DataFrame, reserved: Collection[str] = RESERVED) -> pd.DataFrame:
    """Return a table whose columns do not have names that the program uses, see `renamed`."""
    names = renamed(columns.columns, reserved)
    return columns.rename(columns=names) if names else columns


def renamed_text(names: Mapping[str, str]) -> str:
    """Say which columns are kept under another name; empty: none."""
    listed = ", ".join(f"'{old}' as '{new}'" for old, new in names.items())
    return f"columns are renamed, as the map has its own of that name: {listed}" if listed else ""


def columns_renamed(names: Iterable[str]) -> dict[str, str]:
    """Return which columns of a table were renamed, by their names before, see `renamed`."""
    return {
        old: name
        for name in map(str, names) for old in RESERVED
        if re.fullmatch(rf"{re.escape(old)} \(metadata( \d+)?\)", name)
    }  # fmt: skip


def make_table(columns: pd.DataFrame) -> pd.DataFrame:
    """Make a patch table of windows: numbered, columns in order and of the right types.

    Columns beyond those of every patch table follow them.
    """
    table = columns.assign(patch=np.arange(len(columns)))
    if "label" not in table:
        table["label"] = pd.array([pd.NA] * len(table), dtype="Int64")
    measured = [name for name in table if name not in COLUMNS]
    return table[[*COLUMNS, *measured]].astype(COLUMNS).reset_index(drop=True)


def validate_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table read from elsewhere with the right column types.

    Raises
    ------
    InputError
        Where columns are missing, of the wrong type, or patches are not numbered from 0.
    """
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise InputError(f"the patch table lacks the columns {', '.join(missing)}")
    try:
        table = table.astype(COLUMNS)
    except (TypeError, ValueError) as error:
        raise InputError(f"the patch table has a column of the wrong type ({error})") from error
    if not np.array_equal(table["patch"], np.arange(len(table))):
        raise InputError("the patch table does not number its patches from 0")
    return table
