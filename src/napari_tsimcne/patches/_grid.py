"""Exact geometry of a regular grid of square windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import ImageSource
from napari_tsimcne.patches._table import make_table
from napari_tsimcne.recipe import Grid


def grid_origins(length: int, grid: Grid) -> np.ndarray:
    """First pixels of the windows that fit along an axis of ``length`` pixels, int64.

    They are 0, stride, 2 stride, ... as long as the whole window lies inside.
    """
    return np.arange(0, length - grid.size + 1, grid.stride, dtype=np.int64)


def place_grid(images: Sequence[ImageSource], grid: Grid) -> pd.DataFrame:
    """Place the grid on every plane of every image: time, then depth, row by row.

    Images smaller than a window have no patch.

    Returns
    -------
    pandas.DataFrame
        A patch table.

    Raises
    ------
    InputError
        Where the window is larger than every image.
    """
    parts = []
    for image in images:
        height, width = image.height_width
        rows, columns = grid_origins(height, grid), grid_origins(width, grid)
        planes = np.indices((image.length("T"), image.length("Z"), len(rows), len(columns)))
        t, z, i, j = planes.reshape(4, -1)
        parts.append(
            pd.DataFrame(
                {
                    "image": image.name,
                    "t": t,
                    "z": z,
                    "y": rows[i] + (grid.size - 1) / 2,
                    "x": columns[j] + (grid.size - 1) / 2,
                    "size": grid.size,
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    if table.empty:
        largest = max(images, key=lambda image: min(image.height_width))
        height, width = largest.height_width
        raise InputError(
            f"a patch of {grid.size} px is larger than every image "
            f"(the largest, '{largest.name}', is {height} x {width} px): use a smaller patch size"
        )
    return make_table(table)
