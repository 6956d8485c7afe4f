"""Colours of the map's points."""

from __future__ import annotations

import numpy as np

SELECTED = np.array([1.0, 0.78, 0.1, 1.0], dtype=np.float32)
PLAIN = np.array([0.36, 0.65, 0.93, 1.0], dtype=np.float32)
FADED = 0.25


def point_colors(mask: np.ndarray) -> np.ndarray:
    """RGBA (N, 4) float32 of points: the selected stand out, the others fade while any is."""
    colors = np.tile(PLAIN, (len(mask), 1))
    if mask.any():
        colors[:, 3] = FADED
        colors[mask] = SELECTED
    return colors
