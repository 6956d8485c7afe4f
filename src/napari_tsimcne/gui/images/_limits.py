"""Contrast limits of layers: the percentiles of a run, until the user chooses others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image

from napari_tsimcne.gui.images._outlines import LinkedLayer
from napari_tsimcne.runs import Run

_GIVEN: WeakKeyDictionary[Image, tuple[float, float]] = WeakKeyDictionary()
"""Limits that were set here, by layer."""


def limits_of(run: Run, names: Sequence[str]) -> np.ndarray:
    """Values of each channel that are shown darkest and brightest in some images, (C, 2).

    The percentiles of the run, or those of the image where there is one and it has its own.
    """
    ranges = run.info.channels
    if len(names) == 1:
        ranges = run.info.image_channels.get(names[0], ranges)
    return np.array([[c.low, c.high if c.high > c.low else c.low + 1] for c in ranges], float)


def give(layer: Image, limits: tuple[float, float]) -> None:
    """Set the limits of a layer, and keep that no user chose them."""
    layer.contrast_limits = limits
    _GIVEN[layer] = tuple(layer.contrast_limits)


def show_ranges(run: Run, layers: Mapping[str, LinkedLayer]) -> None:
    """Show channels between the percentiles of a run, where no user has chosen limits.

    ``layers`` by image name. Left alone are colours, layers that hold several channels, and limits
    that are neither those given here nor all that the type of the pixels can hold.
    """
    if run.info.rgb:
        return
    done: set[Image] = set()
    for name, linked in layers.items():
        own = (linked.layer, *linked.channels)
        limits = limits_of(run, [] if linked.stacked else [name])
        if len(own) != len(limits) or "C" in linked.axes:
            continue
        for layer, (low, high) in zip(own, limits, strict=True):
            if layer not in done and _untouched(layer):
                give(layer, (float(low), float(high)))
            done.add(layer)


def _untouched(layer: Image) -> bool:
    limits = tuple(layer.contrast_limits)
    if _GIVEN.get(layer) == limits:
        return True
    kind = np.dtype(layer.dtype)
    return kind.kind in "ui" and limits == (np.iinfo(kind).min, np.iinfo(kind).max)
