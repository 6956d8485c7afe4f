"""The patch table: one row a patch."""

from __future__ import annotations

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
