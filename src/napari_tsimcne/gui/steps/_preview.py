"""The preview: outlines of the patches that would be cut, and how many they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_tsimcne.gui.images._outlines import LinkedLayer, OutlineLayer, copies
from napari_tsimcne.patches import Placed
from napari_tsimcne.recipe import Background

PREVIEW_NAME = "patches preview"
PREVIEW_COLOR = "#ffd24a"
WIDTH = 1
"""Of an outline, in pixels of the screen."""

MOST_OUTLINES = 20_000
"""That are drawn; of more, a sample."""


class PatchPreview:
    """Draws placed windows as a layer of the viewer; one at a time."""

    def __init__(self, viewer: Any) -> None:
        self._outlines = OutlineLayer(viewer, PREVIEW_NAME, PREVIEW_COLOR, WIDTH)

    def show(self, placed: Placed, layers: Mapping[str, LinkedLayer], seed: int) -> str:
        """Draw the windows that are kept, and return what is to be said of those not drawn.

        Of images that lie over each other only those that are seen are drawn.
        """
        projected = placed.recipe.depth.method in ("max", "mean")
        seen = {name: linked for name, linked in layers.items() if _is_seen(linked)} or layers
        rows = np.flatnonzero(placed.table["image"].isin(list(seen)))
        most = max(1, MOST_OUTLINES // copies(seen, projected))
        drawn = ""
        if len(rows) > most:
            rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
            drawn = f"; a sample of {most:,} is drawn"
        elif len(rows) < len(placed.table):
            drawn = f"; those of {len(seen):,} visible of {len(layers):,} images are drawn"
        self._outlines.show(placed.table, rows, layers, projected)
        return drawn

    def remove(self) -> None:
        """Take the layer away."""
        self._outlines.remove()


def count_text(placed: Placed) -> str:
    """Count what would be cut, and what would be left out."""
    count = len(placed.table)
    parts = [f"{count:,} patch" + ("es" if count != 1 else "")]
    if placed.left_out:
        parts.append(windows_left_out(placed.left_out, count, placed.recipe.background))
    at_border, small = placed.objects_left_out
    if at_border:
        parts.append(f"{at_border:,} at the border left out")
    if small:
        parts.append(f"{small:,} too small")
    parts.append(_size(placed))
    return ", ".join(parts)


def windows_left_out(left_out: int, kept: int, background: Background) -> str:
    """Say how many windows were left out for want of content."""
    if background.method == "auto":
        return f"{left_out:,} of {left_out + kept:,} empty windows left out"
    return f"{left_out:,} without content skipped"


def _is_seen(linked: LinkedLayer) -> bool:
    return any(layer.visible for layer in (linked.layer, *linked.channels))


def _size(placed: Placed) -> str:
    patches = placed.recipe.patches
    if patches.unit == "pixel" and patches.size == patches.pixels:
        return _with_unit(patches.pixels, "px")
    size = _with_unit(patches.size, "px" if patches.unit == "pixel" else patches.unit)
    return f"{size} resampled to {_with_unit(patches.pixels, 'px')}"


def _with_unit(number: float, unit: str) -> str:
    """Return a number and its unit, which stay on one line."""
    return f"{number:g}\N{NO-BREAK SPACE}{unit}"
