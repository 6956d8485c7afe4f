"""Pictures of clusters over images: which cluster is seen where, painted as it is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from napari.layers import Labels

from napari_tsimcne.explore import (
    LONGEST,
    NONE,
    PaintedArray,
    Raster,
    pixels_a_window,
    values_of_labels,
)
from napari_tsimcne.gui.images._outlines import IMAGE_AXIS, LinkedLayer, level_shape
from napari_tsimcne.images import World
from napari_tsimcne.recipe import Grid

PLANES_KEPT = 4
MOST_PIXELS = 8_000_000
"""Coarse pixels of a plane, where windows are painted."""

MOST_KEPT = 16_000_000
"""Pixels of a plane up to which it is kept which patch is where: of 36 images of 640 x 640."""

COARSE = 4
"""Pixels along the side of a window, at least, where several images are joined coarsely."""

FINEST = 8
"""Coarse pixels along the side of a window, at most."""

EVEN = 1e-6
"""Share by which axes of images may be off each other, from rounding."""


class Painted(NamedTuple):
    """What is painted over an image: levels of a pyramid, and the matrix to the image's pixels.

    Values are numbers of patches, from 1 on; 0 is no patch.
    """

    levels: list[PaintedArray]
    to_image: np.ndarray


def paint_objects(
    table: pd.DataFrame, rows: np.ndarray, linked: LinkedLayer, projected: bool
) -> Painted:
    """Give the objects of an image the numbers of their patches, these ``rows`` of the table.

    Labels are read where they are looked at.
    """
    labels = linked.labels
    assert labels is not None
    axes = _axes_of(labels, linked)
    planes = _Planes(table, rows, projected)
    own = table["label"].to_numpy(np.int64, na_value=0)

    @lru_cache(PLANES_KEPT)
    def known(t: int, z: int) -> tuple[np.ndarray, np.ndarray]:
        here = planes.rows(t, z)
        found, first = np.unique(own[here], return_index=True)
        return found, _from_1(here[first])

    def paint(level: Any, at: Mapping[str, int], y: Any, x: Any) -> np.ndarray:
        t, z = planes.at(at)
        where = {"T": t, "Z": z, "Y": y, "X": x, IMAGE_AXIS: linked.position}
        # Labels of one time or depth stand for all of it.
        index = tuple(
            0 if axis in "TZ" and length == 1 else where[axis]
            for axis, length in zip(axes, level.shape, strict=True)
        )
        region = np.asarray(level[index])
        if axes.index("X") < axes.index("Y"):
            region = region.T
        return values_of_labels(region, *known(t, z))

    arrays = []
    for level in linked.objects:
        yx = level.shape[axes.index("Y")], level.shape[axes.index("X")]
        arrays.append(_array(linked, yx, partial(paint, level)))
    return Painted(arrays, np.eye(len(linked.axes) + 1))


def paint_windows(
    table: pd.DataFrame, rows: np.ndarray, linked: LinkedLayer, projected: bool, patches: Any
) -> Painted:
    """Give the windows of an image the numbers of their patches, these ``rows`` of the table.

    On a grid each is one coarse pixel; else they are squares of several.
    """
    raster, planes = _raster(table, rows, patches), _Planes(table, rows, projected)
    place = np.zeros(len(table), np.intp)
    place[rows] = np.arange(len(rows))
    # The last one stands for where nothing is.
    numbers = np.append(_from_1(rows), np.uint32(0))

    @lru_cache(PLANES_KEPT)
    def plane(t: int, z: int) -> np.ndarray:
        return numbers[raster.filled(place[planes.rows(t, z)])]

    def paint(at: Mapping[str, int], y: Any, x: Any) -> np.ndarray:
        return plane(*planes.at(at))[y, x]

    places = [linked.axes.index("Y"), linked.axes.index("X")]
    to_image = np.eye(len(linked.axes) + 1)
    to_image[places, places], to_image[places, -1] = raster.side, raster.begin
    return Painted([_array(linked, raster.shape, paint)], to_image)


def in_clusters(numbers: PaintedArray, ids: Callable[[], np.ndarray]) -> PaintedArray:
    """Give what is painted the ids of the patches' clusters, as they are when it is looked at."""
    height, width = (numbers.shape[numbers.axes.index(axis)] for axis in "YX")
    kept = height * width <= MOST_KEPT

    @lru_cache(PLANES_KEPT)
    def whole(at: tuple[tuple[str, int], ...]) -> np.ndarray:
        return numbers.paint(dict(at), slice(None), slice(None))

    def paint(at: Mapping[str, int], y: Any, x: Any) -> np.ndarray:
        part = whole(tuple(at.items()))[y, x] if kept else numbers.paint(at, y, x)
        return np.concatenate([[NONE], ids()]).astype(np.uint16)[part]

    return PaintedArray(numbers.axes, numbers.shape, np.uint16, paint)


def _from_1(rows: np.ndarray) -> np.ndarray:
    return (rows + 1).astype(np.uint32)


def _array(linked: LinkedLayer, height_width: tuple[int, int], paint: Any) -> PaintedArray:
    """Return an array with the axes of an image, and planes of another size."""
    yx = dict(zip("YX", height_width, strict=True))
    lengths = zip(linked.axes, level_shape(linked.layer), strict=False)
    return PaintedArray(linked.axes, tuple(yx.get(a, n) for a, n in lengths), np.uint32, paint)


def _raster(table: pd.DataFrame, rows: np.ndarray, patches: Any) -> Raster:
    table = table.iloc[rows]
    centres = table[["y", "x"]].to_numpy(float)
    half = table["size"].to_numpy(float)[:, None] / 2
    if isinstance(patches, Grid) and patches.step <= patches.size:
        size = 2 * float(half[0, 0])
        pixels = size / patches.size
        first = np.array(patches.offset) * pixels + (size - 1) / 2
        return Raster.of_steps(centres, first, patches.step * pixels)
    low, high = centres - half, centres + half
    pixels_a_side = pixels_a_window(low, high, MOST_PIXELS, FINEST)
    return Raster.of_insides(low, high, (high - low).min(axis=0) / pixels_a_side)


class _Planes:
    """The patches of one image, these rows of the table, by plane."""

    def __init__(self, table: pd.DataFrame, rows: np.ndarray, projected: bool) -> None:
        self._rows, self._projected = rows, projected
        self._t, self._z = table["t"].to_numpy()[rows], table["z"].to_numpy()[rows]

    def at(self, positions: Mapping[str, int]) -> tuple[int, int]:
        """Return t and z of the patches that are seen at positions on sliders."""
        return positions.get("T", 0), 0 if self._projected else positions.get("Z", 0)

    def rows(self, t: int, z: int) -> np.ndarray:
        return self._rows[(self._t == t) & (self._z == z)]


def _axes_of(labels: Labels, linked: LinkedLayer) -> str:
    """Axes of the objects' layer: as it names them, else the last ones of its image."""
    named = "".join(str(name).upper() for name in labels.axis_labels)
    if {"Y", "X"} <= set(named) <= set("TZYX") and len(set(named)) == labels.ndim == len(named):
        return named
    return linked.axes.replace("C", "")[-labels.ndim :]


# --- several images in one picture --------------------------------------------------------------


def joined(
    painted: Sequence[Painted], linked: Sequence[LinkedLayer], world: World
) -> Painted | None:
    """Join what is painted over several images into one picture, in the space of the first.

    Its pixels are those of the first image, or larger ones where windows are much larger. None
    where images have other axes, are turned against each other, or the picture were too large;
    images of the same layers always fit, in pixels that are larger where need be.
    """
    axes = linked[0].axes
    if any(one.axes != axes for one in linked):
        return None
    yx = [axes.index("Y"), axes.index("X")]
    parts = []
    for one, of in zip(painted, linked, strict=True):
        place = world.between(of.layer, linked[0].layer) @ one.to_image
        if not _even(place, yx):
            return None
        parts.append(_Part(one.levels[0], of, yx, place[yx, yx], place[yx, -1]))
    low = np.min([part.begin - part.side / 2 for part in parts], axis=0)
    high = np.max([part.end for part in parts], axis=0)
    side = max(1.0, float(np.sqrt((high - low).prod() / MOST_KEPT)))
    finest = np.min([part.side for part in parts])
    if len({of.layer for of in linked}) == 1:
        side = max(side, float((high - low).max() / LONGEST))
    elif side > max(1.0, finest / COARSE) or ((high - low) / side).max() > LONGEST:
        return None
    # Pixels of the first image are met exactly, and those of images a whole number of them away.
    begin = np.floor(low) + (side - 1) / 2
    height, width = np.ceil((high - begin) / side).astype(int).tolist()

    def paint(at: Mapping[str, int], y: Any, x: Any) -> np.ndarray:
        wanted = [np.atleast_1d(np.arange(n)[i]) for n, i in ((height, y), (width, x))]
        plane = np.zeros([len(places) for places in wanted], np.uint32)
        for part in parts:
            part.paint(plane, at, [b + side * w for b, w in zip(begin, wanted, strict=True)])
        return plane[tuple(slice(None) if isinstance(i, slice) else 0 for i in (y, x))]

    shape = np.max([part.array.shape for part in parts], axis=0)
    shape[yx] = height, width
    to_image = np.eye(len(axes) + 1)
    to_image[yx, yx], to_image[yx, -1] = side, begin
    return Painted([PaintedArray(axes, tuple(shape.tolist()), np.uint32, paint)], to_image)


class _Part(NamedTuple):
    """What is painted over one of several images, and where it lies in the space of the first."""

    array: PaintedArray
    linked: LinkedLayer
    yx: list[int]
    side: np.ndarray
    begin: np.ndarray

    @property
    def end(self) -> np.ndarray:
        """Where the last pixel ends, (2,)."""
        return self.begin + (np.array(self.array.shape)[self.yx] - 0.5) * self.side

    def paint(self, plane: np.ndarray, at: Mapping[str, int], places: list[np.ndarray]) -> None:
        """Paint on the pixels of a plane whose rows and columns lie at some places."""
        axes, shape = self.array.axes, self.array.shape
        if not self.linked.is_at(at):
            return
        if any(position >= shape[axes.index(axis)] for axis, position in at.items()):
            return
        taken, inside = [], []
        for i, axis in enumerate(self.yx):
            own = np.rint((places[i] - self.begin[i]) / self.side[i]).astype(int)
            inside.append(np.flatnonzero((own >= 0) & (own < shape[axis])))
            taken.append(own[inside[i]])
        if not all(map(len, taken)):
            return
        rows, columns = (slice(int(own[0]), int(own[-1]) + 1) for own in taken)
        part = self.array.paint(at, rows, columns)
        plane[np.ix_(*inside)] = part[np.ix_(*(own - own[0] for own in taken))]


def _even(place: np.ndarray, yx: list[int]) -> bool:
    """Whether pixels lie along those of the first image, and planes are the same."""
    linear = place[:-1, :-1]
    sliders = [i for i in range(len(linear)) if i not in yx]
    diagonal = np.diag(linear)
    return bool(
        np.abs(linear - np.diag(diagonal)).max() <= EVEN * diagonal.max()
        and (diagonal[yx] > 0).all()
        and np.allclose(diagonal[sliders], 1)
        and np.allclose(place[sliders, -1], 0)
    )
