"""From a place in an image to the patch there, and back."""

from __future__ import annotations

import numpy as np
import pandas as pd


def patch_at(table: pd.DataFrame, image: str, t: int, z: int, y: float, x: float) -> int | None:
    """Return the patch whose window holds (y, x) of a plane; the nearest centre of several.

    ``y`` and ``x`` in pixels, whole numbers at centres of pixels. None where no patch is there.
    """
    here = (table["image"] == image) & (table["t"] == t) & (table["z"] == z)
    rows = np.flatnonzero(here)
    dy = np.abs(table["y"].to_numpy()[rows] - y)
    dx = np.abs(table["x"].to_numpy()[rows] - x)
    half = table["size"].to_numpy()[rows] / 2
    distance = np.where((dy <= half) & (dx <= half), np.hypot(dy, dx), np.inf)
    if not len(rows) or np.isinf(distance.min()):
        return None
    return int(rows[distance.argmin()])


def patch_corners(table: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
    """Corners of windows, (n, 4, 2) as (y, x) in pixels: their outer edges, going round.

    A window of 28 px at the origin spans -0.5 to 27.5, whole numbers being centres of pixels.
    """
    y, x, size = (table[name].to_numpy()[rows] for name in ("y", "x", "size"))
    centres = np.stack([y, x], axis=-1).astype(float)
    turn = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]) / 2
    return centres[:, None, :] + turn * size[:, None, None]
