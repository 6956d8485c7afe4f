"""What can be measured of the pixels of patches: brightness, contrast, focus, saturation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from napari_tsimcne.patches._place import Told

VALUES_AT_ONCE = 1 << 22
"""Pixels that are held at once, as 4 bytes each."""

NOISE = 20
"""Variance of the Laplacian of white noise of variance 1: the sum of its squared weights."""

JUST_BELOW = 0.02
"""How far below the highest value is looked at, as a share of it."""

FEWEST_AT_TOP, SHARE_AT_TOP = 50, 1e-4
"""Pixels of the highest value, of a channel, that are taken as a limit of the camera."""

MEASURES = ("mean", "std", "focus", "saturated")
"""Each is followed by the name of a channel in the names of columns."""


def measure_patches(
    store: np.ndarray,
    margin: int,
    channel_names: Sequence[str],
    told: Told = lambda what, done, total: None,
) -> pd.DataFrame:
    """Measure every channel of every patch, inside its window.

    - ``mean NAME`` and ``std NAME``: of its values.
    - ``focus NAME``: variance of the Laplacian (of four neighbours), divided by 20 times the
      variance of the values. Brightness and contrast cancel out: it is near 0 where a patch is
      blurred, 1 of white noise, and missing where all values are the same. A patch that holds
      nothing but noise has a high focus, too.
    - ``saturated NAME``: share of pixels at the highest value the camera can give. That is the
      largest number of an integer type, or the highest value there is, where more pixels hold it
      than hold the values up to 2 % below (as 4095 of a camera of 12 bits).

    Parameters
    ----------
    store
        Patches with their margin, (N, C, S, S); read in parts.
    margin
        Pixels on every side that are left out, less than S / 2.
    channel_names
        C names.
    told
        Progress in patches; may raise to cancel.

    Returns
    -------
    N rows, four columns a channel, float32.
    """
    count, channels, side = store.shape[:3]
    inner = slice(margin, side - margin)
    found = {name: np.zeros((count, channels), np.float32) for name in MEASURES[:3]}
    top = np.zeros((count, channels), np.float64)
    at_top, below = np.zeros((2, count, channels), np.float32)
    step = max(1, VALUES_AT_ONCE // (channels * side * side))
    for start in range(0, count, step):
        told("Measuring patches", start, count)
        part = slice(start, min(start + step, count))
        pixels = np.asarray(store[part])[:, :, inner, inner]
        values = pixels.astype(np.float32)
        found["mean"][part] = values.mean(axis=(2, 3))
        found["std"][part] = values.std(axis=(2, 3))
        found["focus"][part] = _focus(values, found["std"][part])
        highest = pixels.max(axis=(2, 3), keepdims=True)
        top[part] = highest[:, :, 0, 0]
        at_top[part] = (pixels == highest).mean(axis=(2, 3))
        near = (values < highest) & (values >= highest - JUST_BELOW * np.abs(highest + 0.0))
        below[part] = near.mean(axis=(2, 3))
    told("Measuring patches", count, count)
    found["saturated"] = _saturated(top, at_top, below, store.dtype, (side - 2 * margin) ** 2)
    return pd.DataFrame(
        {
            f"{measure} {name}": found[measure][:, channel]
            for channel, name in enumerate(channel_names)
            for measure in MEASURES
        }
    )


def _focus(values: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Variance of the Laplacian against that of white noise, (n, C); NaN of flat patches."""
    center = values[:, :, 1:-1, 1:-1]
    laplacian = (
        values[:, :, :-2, 1:-1] + values[:, :, 2:, 1:-1]
        + values[:, :, 1:-1, :-2] + values[:, :, 1:-1, 2:] - 4 * center
    )  # fmt: skip
    flat = std == 0
    return np.where(flat, np.nan, laplacian.var(axis=(2, 3)) / (NOISE * np.where(flat, 1, std**2)))


def _saturated(
    top: np.ndarray, at_top: np.ndarray, below: np.ndarray, dtype: np.dtype, pixels: int
) -> np.ndarray:
    """Share of pixels at the limit of the camera, (N, C); 0 of a channel that reaches none.

    ``top``: the highest value of each patch; ``at_top``: share of its pixels that hold it;
    ``below``: share of those that hold a little less.
    """
    if dtype.kind == "b" or not len(top):
        return np.zeros_like(at_top)
    highest = np.nanmax(top, axis=0)
    shares = np.where(top == highest, at_top, 0)
    below = np.where(top == highest, below, 0)
    held = pixels * shares.sum(axis=0)
    limit = held >= max(FEWEST_AT_TOP, SHARE_AT_TOP * pixels * len(top))
    limit &= shares.sum(axis=0) > below.sum(axis=0)
    if dtype.kind in "ui":
        limit |= highest == np.iinfo(dtype).max
    return np.where(limit, shares, 0).astype(np.float32)
