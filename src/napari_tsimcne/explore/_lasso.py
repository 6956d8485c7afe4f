"""Which points a drawn outline encloses."""

from __future__ import annotations

import numpy as np
from skimage.measure import points_in_poly


def points_in_lasso(points: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Return a boolean mask (N,) of ``points`` (N, 2) inside the closed ``outline`` (M, 2).

    An outline of fewer than three corners encloses nothing.
    """
    inside = np.zeros(len(points), dtype=bool)
    if len(outline) < 3:
        return inside
    # Most points lie outside the outline's box, and a comparison is cheaper than the polygon.
    near = ((points >= outline.min(axis=0)) & (points <= outline.max(axis=0))).all(axis=1)
    inside[near] = points_in_poly(points[near], outline)
    return inside
