"""How crowded the map is."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

NARROWER = 1 / 4
"""A map is of many heaps: a width that suits one would blur them into each other."""

CELLS_A_WIDTH = 2
MOST_CELLS = 1024
"""Along each axis."""

TRUNCATED = 4
"""Widths, beyond which the kernel is cut off."""


def density(coordinates: np.ndarray) -> np.ndarray:
    """Estimate how densely patches lie around each, relative to where they lie most densely.

    A 2D histogram, smoothed with a Gaussian kernel and read between its cells. The kernel's width
    is a quarter of that by Scott's rule (1992) for one normal distribution of this spread.

    Parameters
    ----------
    coordinates
        (N, 2), finite.

    Returns
    -------
    (N,) float32, above 0 and at most 1.
    """
    count = len(coordinates)
    if count == 0:
        return np.zeros(0, np.float32)
    points = coordinates.astype(np.float64)
    low = points.min(axis=0)
    extent = points.max(axis=0) - low
    # Quartiles: a few patches far off do not widen the kernel.
    quartiles = np.percentile(points, (25, 75), axis=0)
    spread = float(np.mean(quartiles[1] - quartiles[0])) / 1.349 or float(extent.max())
    width = NARROWER * spread * count ** (-1 / 6)
    cell = max(width / CELLS_A_WIDTH, float(extent.max()) / MOST_CELLS)
    if cell == 0:
        return np.ones(count, np.float32)
    sigma = max(width / cell, 1.0)
    margin = int(TRUNCATED * sigma) + 1
    places = (points - low) / cell + margin
    shape = np.ceil(extent / cell).astype(int) + 2 * margin + 2
    nearest = np.round(places).astype(np.int64)
    flat = np.bincount(nearest[:, 0] * shape[1] + nearest[:, 1], minlength=int(shape.prod()))
    smooth = gaussian_filter(
        flat.reshape(shape).astype(np.float32), sigma, mode="constant", truncate=TRUNCATED
    )
    values = map_coordinates(smooth, places.T, order=1)
    return (values / values.max()).astype(np.float32)
