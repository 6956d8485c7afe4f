"""A few of the patches that would be cut, to look at before they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isqrt
from typing import Any

import numpy as np
import pandas as pd
from napari.utils.colormaps import ensure_colormap

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import channel_colormaps, composite, rgb_pictures
from napari_tsimcne.gui.images._crops import STEPS
from napari_tsimcne.gui.steps._inputs import Inputs
from napari_tsimcne.images import ImageSource, Skipped
from napari_tsimcne.patches import Cut, Placed, channel_ranges, iterate_patches
from napari_tsimcne.recipe import Augmentations

WIDEST = Augmentations.model_validate(
    {
        "scale": {"on": True, "factor": (0.5, 2.0)},
        "shear": {"on": True, "degrees": 30},
        "rotation": {"on": True},
    }
)
"""No view looks further beyond its patch than these do."""

NEIGHBORS = 16
"""Patches looked at around each place: for the range of values, and to find one with content."""

MOST_BYTES = 64 << 20
"""Of a sample, about; large patches have less around them."""


@dataclass(frozen=True, eq=False)
class PatchSample:
    """Some of the user's own patches.

    ``patches`` (P, C, S + 2 margin, S + 2 margin), original values; ``low`` and ``high`` (C,)
    float32, values taken as 0 and 1; ``rgb``: the channels are red, green and blue; ``size`` S,
    the side of a patch in pixels; ``colors`` (C, 256, 3) in 0..1: how a channel is shown, from its
    darkest to its brightest.
    """

    patches: np.ndarray
    low: np.ndarray
    high: np.ndarray
    rgb: bool
    size: int
    colors: np.ndarray

    def __len__(self) -> int:
        return len(self.patches)

    @property
    def margin(self) -> int:
        """Pixels around each patch."""
        return (self.patches.shape[-1] - self.size) // 2

    def patch(self, number: int, margin: int) -> np.ndarray:
        """One patch with ``margin`` pixels around it, or as many as there are, (1, C, H, W)."""
        cut = max(0, self.margin - margin)
        inner = slice(cut, self.patches.shape[-1] - cut)
        return self.patches[number : number + 1, :, inner, inner]

    def pictures(self, values: np.ndarray) -> np.ndarray:
        """Turn views (n, C, S, S) of values 0..255 into pictures (n, S, S, 3) uint8."""
        limits = np.tile([0.0, 255.0], (values.shape[1], 1))
        if self.rgb:
            return rgb_pictures(values, limits)
        return composite(values, limits, self.colors)


def sample_patches(inputs: Inputs, placed: Placed, count: int = 6, seed: int = 0) -> PatchSample:
    """Cut a few patches, spread over the images, with more around them than any view shows.

    Of several neighbours it takes one with more content than most. Windows that leave an image are
    mirrored at its edge.

    Parameters
    ----------
    inputs
        The images, and the label images of objects.
    placed
        The windows in them.
    count
        Patches wanted; fewer are given where there are not as many.
    seed
        Another seed takes other patches.

    Raises
    ------
    InputError
        Where no image can be read, or all pixels have the same value.
    """
    recipe, table = placed.recipe, placed.table.reset_index(drop=True)
    images = [image.at_depth(recipe.depth) for image in inputs.images]
    random = np.random.default_rng(seed)
    places = _places(table["image"].to_numpy(), count, random)
    cut = Cut.of(recipe.patches, 0, inputs.labels)
    rows = np.unique(np.concatenate(places))
    found = _cut(images, table.loc[rows], cut)
    around = np.stack(list(found.values()))
    ranges = channel_ranges(around, images[0].channel_names, recipe.normalization, recipe.seed)
    low, high = np.array([(one.low, one.high) for one in ranges], np.float32).T
    content = dict(zip(found, _content(around, high - low), strict=True))
    chosen = [
        _with_content([row for row in place if row in content], content, random)
        for place in places
        if any(row in content for row in place)
    ]
    margin = _margin(placed, around[0].nbytes, len(chosen))
    shown = _cut(images, table.loc[sorted(chosen)], replace(cut, margin=margin))
    return PatchSample(
        patches=np.stack([shown[row] for row in chosen if row in shown]),
        low=low,
        high=high,
        rgb=images[0].rgb,
        size=cut.pixels,
        colors=_colors(inputs, images[0]),
    )


def _places(images: np.ndarray, count: int, random: np.random.Generator) -> list[np.ndarray]:
    """Rows of the patches of each of so many places, spread over the images (N,) of all rows."""
    names = random.permutation(pd.unique(images))
    places = []
    for name, times in Counter(np.resize(names, count)).items():
        rows = np.flatnonzero(images == name)
        for part in np.array_split(rows, min(times, len(rows))):
            begin = random.integers(max(1, len(part) - NEIGHBORS + 1))
            places.append(part[begin : begin + NEIGHBORS])
    return places


def _cut(images: Sequence[ImageSource], table: pd.DataFrame, cut: Cut) -> dict[int, np.ndarray]:
    """Crops (C, H, W) by row; images that cannot be read are left out."""
    skipped: list[Skipped] = []
    found: dict[int, np.ndarray] = {}
    for rows, crops in iterate_patches(images, table, cut, skipped.append):
        found.update(zip(rows.index, crops, strict=True))
    if not found:
        raise InputError(f"'{skipped[0].name}' cannot be read: {skipped[0].reason}")
    return found


def _content(patches: np.ndarray, width: np.ndarray) -> np.ndarray:
    """How much there is to see in each patch (N,): the spread of its values."""
    return (patches.std(axis=(2, 3), dtype=np.float32) / width).sum(axis=1)


def _with_content(
    rows: Sequence[int], content: Mapping[int, float], random: np.random.Generator
) -> int:
    """Return one of the quarter that has most content."""
    return int(random.choice(sorted(rows, key=content.__getitem__)[3 * len(rows) // 4 :]))


def _margin(placed: Placed, patch_bytes: int, count: int) -> int:
    size = placed.recipe.patches.pixels
    side = isqrt(MOST_BYTES * size**2 // (patch_bytes * count))
    least = max(placed.recipe.margin or 0, Augmentations(rotation=WIDEST.rotation).margin(size))
    return max(least, min(WIDEST.margin(size), (side - size) // 2))


def _colors(inputs: Inputs, image: ImageSource) -> np.ndarray:
    """Colours of the channels, those of their layers where each has one: (C, 256, 3)."""
    linked = inputs.layers.get(image.name)
    layers = () if linked is None else (linked.layer, *linked.channels)
    maps: list[Any] = [*channel_colormaps(image.channel_names)]
    if image.rgb:
        maps = ["red", "green", "blue"]
    elif len(layers) == image.channels:
        maps = [layer.colormap for layer in layers]
    return np.array([ensure_colormap(one).map(STEPS)[:, :3] for one in maps], np.float32)
