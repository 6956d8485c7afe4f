"""Which points a drawn outline encloses."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.measure import points_in_poly

CELLS = 256
"""Cells along each side of the outline's box."""

FEW = 1_000_000
"""Points times corners, below which all points are compared with the polygon."""


def points_in_lasso(points: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Return a boolean mask (N,) of ``points`` (N, 2) inside the closed ``outline`` (M, 2).

    An outline of fewer than three corners encloses nothing.
    """
    inside = np.zeros(len(points), dtype=bool)
    if len(outline) < 3:
        return inside
    # Most points lie outside the outline's box, and a comparison is cheaper than the polygon.
    low, high = outline.min(axis=0), outline.max(axis=0)
    (y, x), (top, left), (bottom, right) = points.T, low, high
    near = np.flatnonzero((y >= top) & (y <= bottom) & (x >= left) & (x <= right))
    if len(near) * len(outline) <= FEW or not (high > low).all():
        inside[near] = points_in_poly(points[near], outline)
        return inside
    size = (high - low) / CELLS
    cells = np.minimum(((points[near] - low) / size).astype(np.int32), CELLS - 1)
    state = _cells_in_lasso((outline - low) / size)[cells[:, 0], cells[:, 1]]
    inside[near[state == _INSIDE]] = True
    unsure = near[state == _CROSSED]
    inside[unsure] = points_in_poly(points[unsure], outline)
    return inside


_OUTSIDE, _INSIDE, _CROSSED = range(3)


def _cells_in_lasso(outline: np.ndarray) -> np.ndarray:
    """Tell of each cell whether it is outside or inside, or near the outline, given in cells."""
    crossed = np.zeros((CELLS, CELLS), bool)
    for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        steps = int(2 * np.abs(end - start).max()) + 2
        at = np.minimum(np.linspace(start, end, steps).astype(int), CELLS - 1)
        crossed[at[:, 0], at[:, 1]] = True
    # Steps of half a cell may pass by the corner of one, but not by its neighbours too.
    crossed = ndimage.binary_dilation(crossed, np.ones((3, 3), bool))
    # Cells that hang together without crossing the outline are all on one side of it.
    regions, count = ndimage.label(~crossed)
    state = np.full(count + 1, _OUTSIDE, np.uint8)
    state[0] = _CROSSED
    if count:
        first = np.unique(regions, return_index=True)[1][-count:]
        centres = np.stack(np.unravel_index(first, regions.shape), axis=1) + 0.5
        state[1:][points_in_poly(centres, outline)] = _INSIDE
    return state[regions]
