"""Exact geometry of windows: how large they are, and where those of a grid begin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import ImageSource
from napari_tsimcne.patches._table import make_table
from napari_tsimcne.recipe import Grid, Objects, Points

FOUND_PIXELS = 8, 128
"""Bounds of the side of stored patches that the user leaves open."""


def window_pixels(image: ImageSource, length: float, unit: str) -> float:
    """Return a length in ``unit`` as pixels of an image.

    Raises
    ------
    InputError
        Where it is in µm and the image has no pixel size, or pixels that are not square.
    """
    return length if unit == "pixel" else length / image.micrometres


def stored_pixels(images: Sequence[ImageSource], patches: Grid | Objects | Points) -> int:
    """Return the side of stored patches: as given, or what loses no detail of the finest image."""
    if patches.pixels:
        return patches.pixels
    largest = max(window_pixels(image, patches.size, patches.unit) for image in images)
    return int(np.clip(round(largest), *FOUND_PIXELS))


def grid_origins(
    length: int,
    size: float,
    step: float,
    offset: float = 0.0,
    edges: Literal["drop", "pad"] = "drop",
) -> np.ndarray:
    """First edges of the windows along an axis of ``length`` pixels, ascending, float64.

    They are offset, offset + step, ...: with ``drop`` as long as the whole window lies inside;
    with ``pad`` until a window reaches the end, so that each pixel from the offset on is covered
    if no step is larger than a window.
    """
    # A hundredth of a pixel of tolerance: sizes in µm are no exact multiples of pixels.
    room = (length - offset - size + 0.01) / step
    if edges == "drop":
        count = int(np.floor(room)) + 1
    else:
        beginning_inside = np.ceil((length - offset) / step)
        count = int(min(max(np.ceil(room - 0.02 / step), 0) + 1, beginning_inside))
    return offset + step * np.arange(max(count, 0), dtype=np.float64)


def grid_of(image: ImageSource, grid: Grid) -> tuple[np.ndarray, np.ndarray, float]:
    """Return first rows and first columns of the windows of a plane, and their side, in pixels.

    Windows that are stored as they are begin at whole pixels.
    """
    size, step, *offset = (
        window_pixels(image, length, grid.unit) for length in (grid.size, grid.step, *grid.offset)
    )
    axes = [
        grid_origins(length, size, step, start, grid.edges)
        for length, start in zip(image.height_width, offset, strict=True)
    ]
    if size == grid.pixels:
        axes = [np.round(origins) for origins in axes]
    return axes[0], axes[1], size


def count_grid(image: ImageSource, grid: Grid) -> int:
    """Return how many patches the grid has on an image."""
    rows, columns, _ = grid_of(image, grid)
    return image.length("T") * len(image.planes) * len(rows) * len(columns)


def place_grid(images: Sequence[ImageSource], grid: Grid) -> pd.DataFrame:
    """Place the grid on every plane of every image: time, then depth, row by row.

    Unless edges are padded, images smaller than a window have no patch.

    Returns
    -------
    pandas.DataFrame
        A patch table.

    Raises
    ------
    InputError
        Where the window is larger than every image, or sizes in µm cannot be used.
    """
    parts = []
    for image in images:
        rows, columns, size = grid_of(image, grid)
        planes = np.asarray(image.planes)
        t, z, i, j = np.indices((image.length("T"), len(planes), len(rows), len(columns))).reshape(
            4, -1
        )
        parts.append(
            pd.DataFrame(
                {
                    "image": image.name,
                    "t": t,
                    "z": planes[z],
                    "y": rows[i] + (size - 1) / 2,
                    "x": columns[j] + (size - 1) / 2,
                    "size": size,
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    if table.empty:
        largest = max(images, key=lambda image: min(image.height_width))
        height, width = largest.height_width
        raise InputError(
            f"a patch of {grid.size:g} {'px' if grid.unit == 'pixel' else grid.unit} is larger "
            f"than every image (the largest, '{largest.name}', is {height} x {width} px): "
            "use a smaller patch size, or pad the edges"
        )
    return make_table(table)
