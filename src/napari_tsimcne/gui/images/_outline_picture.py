"""A picture of outlines: sharp at any zoom, and painted where it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from napari_tsimcne.explore import Raster, pixels_a_window
from napari_tsimcne.gui.images._outlines import IMAGE_AXIS, LinkedLayer, level_shape
from napari_tsimcne.images import World, layer_matrix, transformed

MOST_PIXELS = 8_000_000
"""Of the coarsest picture of a plane."""

MOST_VOXELS = 64_000_000
"""Of all planes of a stack, which the 3D view takes at once."""

COARSEST, FINEST = 10, 320
"""Pixels along the side of the smallest patch: at most in the coarsest picture, at least in the
finest. napari takes the picture whose pixels are those of the screen, or down to half as large."""

WIDTH = 2
"""Of an outline, in pixels of a picture: one to two of the screen."""

OPEN = 6
"""Pixels along the side of a patch, below which it is dotted: an outline would hide it."""

EVERYWHERE = -1
"""Position on a slider that makes no difference to a patch."""


class WindowsInFrame(NamedTuple):
    """Windows of several images in the pixels of one of them, the frame.

    Parameters
    ----------
    frame
        The image.
    shapes
        Of the pictures, the finest first; each has half the rows and columns of that before it.
    affine
        From pixels of the finest picture to the world of the frame.
    origin, side
        Where pictures begin, and the sides of a pixel of the coarsest, (2,) as (y, x).
    low, high
        Edges of the windows, (n, 2).
    places
        (n, A): position on each slider of the pictures, or `EVERYWHERE`.
    number
        (N,): place of a row of the patch table in ``low``, ``high`` and ``places``, negative where
        its image has no layer.
    """

    frame: LinkedLayer
    shapes: tuple[tuple[int, ...], ...]
    affine: np.ndarray
    origin: np.ndarray
    side: np.ndarray
    low: np.ndarray
    high: np.ndarray
    places: np.ndarray
    number: np.ndarray

    def on_plane(self, rows: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Return which windows of some rows of the patch table are on one plane, by place."""
        here = self.number[rows]
        here = here[here >= 0]
        places = self.places[here]
        return here[((places == at) | (places == EVERYWHERE)).all(axis=1)]

    def outlined(self, level: int, here: np.ndarray, y: range, x: range) -> np.ndarray:
        """Paint the outlines of some windows on a region of a picture, (rows, columns) uint8."""
        begin, end = np.array([y.start, x.start]), np.array([y.stop, x.stop])
        painted = np.zeros(end - begin, np.uint8)
        side = self.side / 2 ** (len(self.shapes) - 1 - level)
        first, last = (
            np.floor((edges[here] - self.origin) / side).astype(np.int64)
            for edges in (self.low, self.high)
        )
        seen = ((last >= begin) & (first < end)).all(axis=1)
        first, last = first[seen], last[seen]
        if not len(first):
            return painted
        # Windows that reach out of the region are painted whole, and cut off.
        corner = np.minimum(first.min(axis=0), begin)
        height, width = (np.maximum(last.max(axis=0) + 1, end) - corner).tolist()
        raster = Raster(np.zeros(2), np.ones(2), (height, width), first - corner, last - corner)
        dotted = (last - first).min() < OPEN
        whole = raster.outlined(np.arange(len(first)), OPEN if dotted else WIDTH)
        top, left = begin - corner
        painted[:] = whole[top : top + painted.shape[0], left : left + painted.shape[1]]
        if dotted:
            painted[(np.array(y)[:, None] + np.array(x)) % 2 == 1] = 0
        return painted


def windows_in_frame(
    table: pd.DataFrame, layers: Mapping[str, LinkedLayer], projected: bool, world: World
) -> WindowsInFrame | None:
    """Place the windows of all images that have a layer; None where some do not fit the frame.

    They fit where rows and columns of their images run along those of the frame.
    """
    frame = max(layers.values(), key=lambda linked: linked.layer.ndim)
    of_image = table.groupby("image", sort=False).indices
    number = np.full(len(table), -1)
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for name, linked in layers.items():
        rows = of_image.get(name, np.zeros(0, np.intp))
        found = _in_frame(table, rows, linked, frame, projected, world)
        if found is None:
            return None
        number[rows] = np.arange(len(rows)) + sum(len(centre) for centre, _, _ in parts)
        parts.append(found)
    if not (number >= 0).any():
        return None
    centre, half, place = (np.concatenate(part) for part in zip(*parts, strict=True))
    low, high = centre - half, centre + half
    sliders = [i for i, axis in enumerate(frame.axes) if axis not in "YX"]
    lengths = np.array(level_shape(frame.layer))[sliders]
    begin = np.minimum(np.where(place == EVERYWHERE, 0, place).min(axis=0), 0)
    lengths = np.maximum(lengths, place.max(axis=0) + 1) - begin
    depth = int(lengths[-1]) if len(lengths) else 1
    pixels = pixels_a_window(low, high, min(MOST_PIXELS, MOST_VOXELS // depth), COARSEST)
    side = (high - low).min(axis=0) / pixels
    finer = max(0, int(np.ceil(np.log2(FINEST / pixels))))
    finest = side / 2**finer
    # Edges run through the middle of pixels of the finest picture.
    origin = low.min(axis=0) - finest / 2
    coarsest = np.floor((high.max(axis=0) - origin) / side).astype(int) + 1
    yx = [frame.axes.index("Y"), frame.axes.index("X")]
    shapes = []
    for factor in (2**n for n in range(finer, -1, -1)):
        shape = np.zeros(len(frame.axes), int)
        shape[sliders], shape[yx] = lengths, coarsest * factor
        shapes.append(tuple(shape.tolist()))
    to_frame = np.eye(len(frame.axes) + 1)
    to_frame[sliders, -1], to_frame[yx, -1], to_frame[yx, yx] = begin, origin + finest / 2, finest
    return WindowsInFrame(
        frame,
        tuple(shapes),
        layer_matrix(frame.layer) @ to_frame,
        origin,
        side,
        low,
        high,
        np.where(place == EVERYWHERE, EVERYWHERE, place - begin),
        number,
    )


def _in_frame(
    table: pd.DataFrame,
    rows: np.ndarray,
    linked: LinkedLayer,
    frame: LinkedLayer,
    projected: bool,
    world: World,
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Centres and half sides (n, 2), and places on sliders (n, A), of windows of one image."""
    missing = frame.layer.ndim - linked.layer.ndim
    to_frame = world.between(linked.layer, frame.layer)
    linear = to_frame[:-1, :-1]
    yx, own_yx = ([missing_ + axes.index(a) for a in "YX"]
                  for missing_, axes in ((0, frame.axes), (missing, linked.axes)))  # fmt: skip
    aligned = np.zeros(linear.shape, bool)
    aligned[yx, own_yx] = True
    sliders = [i for i in range(len(linear)) if i not in yx]
    own_sliders = [i for i in range(len(linear)) if i not in own_yx]
    aligned[np.ix_(sliders, own_sliders)] = True
    if np.abs(linear[~aligned]).max(initial=0) > 1e-6 * np.abs(linear).max():
        return None
    everywhere = [*range(missing), *(
        missing + i for i, a in enumerate(linked.axes) if a == "C" or (projected and a == "Z")
    )]  # fmt: skip
    data = np.zeros((len(rows), len(linear)))
    for i, axis in enumerate(linked.axes):
        if axis == IMAGE_AXIS:
            data[:, missing + i] = linked.position
        elif axis != "C":
            data[:, missing + i] = table[axis.lower()].to_numpy()[rows]
    placed = transformed(data, to_frame)
    places = np.rint(placed[:, sliders]).astype(np.int64)
    for number, slider in enumerate(sliders):
        if np.abs(linear[slider, everywhere]).max(initial=0) > 0:
            places[:, number] = EVERYWHERE
    half = table["size"].to_numpy()[rows][:, None] / 2 * np.abs(linear[yx, own_yx])
    return placed[:, yx], half, places
