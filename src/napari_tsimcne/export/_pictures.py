"""Stored patches as pictures, where no viewer says how channels are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import to_hex

from napari_tsimcne.explore import channel_colors, composite, rgb_pictures
from napari_tsimcne.runs import Run


@dataclass(frozen=True)
class Pictures:
    """Turns row numbers (n,) into pictures of these patches, (n, S, S, 3) uint8.

    Parameters
    ----------
    draw
        Does so.
    channels
        Those that are shown: name, and colour where they are brightest, ``#rrggbb``. Empty for RGB,
        whose colours are their own.
    side
        How large a patch is, with its unit.
    """

    draw: Callable[[np.ndarray], np.ndarray]
    channels: tuple[tuple[str, str], ...] = ()
    side: str = ""

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Return the patches of these rows as pictures."""
        return self.draw(rows)


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
    colors = _ramps([channel.name for channel in run.info.channels])

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

    shown = [] if run.info.rgb else zip(run.info.channels, colors[:, -1], strict=True)
    channels = tuple((channel.name, to_hex(color)) for channel, color in shown)
    return Pictures(pictures, channels, patch_side(run))


def patch_side(run: Run) -> str:
    """Write how large the patches of a run are: in µm where the size of its pixels is known."""
    patches = run.recipe.patches
    sizes = np.array([image.pixel_size for image in run.info.images])
    if patches.unit != "pixel":
        return f"{patches.size:.4g} {patches.unit}"
    if {image.unit for image in run.info.images} == {"µm"} and np.allclose(sizes, sizes[0, 0]):
        return f"{patches.size * sizes[0, 0]:.3g} µm"
    return f"{patches.size:.4g} px"


def _ramps(channels: Sequence[str]) -> np.ndarray:
    """Colours of each channel from black on, (C, 256, 3), by its name."""
    brightest = np.array(channel_colors(channels))
    return np.linspace(0, 1, 256)[None, :, None] * brightest[:, None, :]
