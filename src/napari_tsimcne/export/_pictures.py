"""Stored patches as pictures, where no viewer says how channels are shown."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_tsimcne.explore import composite, rgb_pictures
from napari_tsimcne.runs import Run

Pictures = Callable[[np.ndarray], np.ndarray]
"""Turns row numbers (n,) into pictures of these patches, (n, S, S, 3) uint8."""

COLORS = (
    (0.13, 0.68, 0.97), (0.97, 0.68, 0.13), (0.58, 0.13, 0.58), (0.0, 1.0, 0.0),
    (1.0, 1.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 1.0), (1.0, 1.0, 0.0),
)  # fmt: skip
"""Of channels at their brightest, in turn; as the viewer shows them at first."""


def patch_pictures(run: Run) -> Pictures:
    """Return what makes pictures of a run's patches, in the ranges of their channels."""
    store, margin = run.store, run.recipe.margin or 0
    side = store.shape[-1] - 2 * margin
    inner = slice(margin, margin + side)
    images = run.table["image"].to_numpy()
    limits = {
        name: np.array([[c.low, c.high] for c in run.info.image_channels.get(
            name, run.info.channels)])
        for name in run.table["image"].unique()
    }  # fmt: skip
    colors = _ramps(store.shape[1])

    def pictures(rows: np.ndarray) -> np.ndarray:
        rows = np.asarray(rows, np.intp)
        found = np.zeros((len(rows), side, side, 3), np.uint8)
        names = images[rows]
        for name in dict.fromkeys(names):
            here = np.flatnonzero(names == name)
            pixels = store[rows[here]][:, :, inner, inner]
            if run.info.rgb:
                found[here] = rgb_pictures(pixels, limits[name])
            else:
                found[here] = composite(pixels, limits[name], colors)
        return found

    return pictures


def _ramps(channels: int) -> np.ndarray:
    """Colours of each channel from black on, (C, 256, 3); a single one is grey."""
    brightest = [(1.0, 1.0, 1.0)] if channels == 1 else [
        COLORS[i % len(COLORS)] for i in range(channels)
    ]  # fmt: skip
    return np.linspace(0, 1, 256)[None, :, None] * np.array(brightest)[:, None, :]
