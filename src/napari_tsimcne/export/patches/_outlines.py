"""Outlines of objects and windows as rings of a polygon.

Coordinates are (x, y) in pixels, from the corner of an image's first pixel: the first pixel spans 0
to 1. Of a positive area are exterior rings, of a negative one holes; the first point is also the
last.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from skimage.measure import find_contours, label

from napari_tsimcne.errors import InputError
from napari_tsimcne.export.patches._object_labels import ObjectLabels

Ring = list[list[float]]
Rings = list[Ring]
"""A polygon: its exterior, then its holes."""

BLOCK, ROOM = 1024, 128
"""Side of what is read at once, in pixels, and how much more on each side."""


def square(y: float, x: float, size: float, height_width: tuple[int, int]) -> Ring:
    """Return the ring of a window as far as it lies in its image.

    ``y`` and ``x`` are its centre, where whole numbers are centres of pixels.
    """
    (top, bottom), (left, right) = (
        np.clip(np.round([centre + 0.5 - size / 2, centre + 0.5 + size / 2], 3), 0, length).tolist()
        for centre, length in zip((y, x), height_width, strict=True)
    )
    return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]


def outlines(mask: np.ndarray) -> list[Rings]:
    """Return the outlines of the pixels of a mask (h, w), a polygon for each part.

    They run along the edges of pixels, so that their area is the number of pixels. Pixels that
    touch at a corner only are of different parts, where nothing else connects them.
    """
    parts, count = label(np.pad(mask, 1), connectivity=1, return_num=True)
    found = []
    for number in range(1, count + 1):
        # Inside of a part, corners connect: each ring then goes round one region of the others.
        contours = find_contours(parts == number, 0.5, fully_connected="high")
        rings = [_along_edges(contour) for contour in contours]
        areas = [_area(ring) for ring in rings]
        exterior = int(np.argmax(np.abs(areas)))
        order = [exterior, *(i for i in range(len(rings)) if i != exterior)]
        # A hole goes round the other way.
        ways = [1 if (areas[i] > 0) == (i == exterior) else -1 for i in order]
        found.append([rings[i][::way].tolist() for i, way in zip(order, ways, strict=True)])
    return found


def _along_edges(contour: np.ndarray) -> np.ndarray:
    """Turn a contour of a padded mask, (n, 2) as (row, column), into corners of pixels as (x, y).

    A contour crosses the middle of each edge it follows. The corner between two edges lies halfway
    between the middles of edges in line; where the contour turns, it has the row of one and the
    column of the other, the ones that are no whole numbers.
    """
    middles, following = contour[:-1], np.roll(contour[:-1], -1, axis=0)
    corners = (middles + following) / 2
    for of in (middles, following):
        between = of % 1 != 0
        corners[between] = of[between]
    coming, going = (np.roll(corners, by, axis=0) for by in (1, -1))
    turning = (corners - coming != going - corners).any(axis=1)
    # From centres of pixels of the padded mask to the corner of the first pixel without it.
    corners = corners[turning][:, ::-1] - 0.5
    return np.vstack([corners, corners[:1]]).astype(np.int64)


def _area(ring: np.ndarray) -> float:
    """Return the area of a closed ring, (n, 2) as (x, y), with its sign."""
    (x, y), (next_x, next_y) = ring[:-1].T, ring[1:].T
    return float((x * next_y - next_x * y).sum() / 2)


def outlines_of_objects(
    objects: ObjectLabels, table: pd.DataFrame
) -> Iterator[tuple[int, list[Rings]]]:
    """Give the place in a table of patches of one image, and the outlines, of each object.

    The label image is read in blocks: patches come in the order of these.

    Raises
    ------
    InputError
        Where an object is not in the label image as it was when the patches were cut.
    """
    columns = ("y", "x", "size", "label", "area")
    y, x, size, number, area = (table[name].to_numpy() for name in columns)
    keys = [table["t"].to_numpy(), table["z"].to_numpy(), y // BLOCK, x // BLOCK]
    for (t, z, down, right), places in table.groupby(keys).indices.items():
        block = _Block(objects, int(t), int(z), int(down) * BLOCK, int(right) * BLOCK)
        for place in places.tolist():
            mask, (top, left) = block.object_mask(
                int(number[place]), int(area[place]), (y[place], x[place]), size[place]
            )
            yield (
                place,
                [
                    [[[a + left, b + top] for a, b in ring] for ring in rings]
                    for rings in outlines(mask)
                ],
            )


class _Block:
    """Labels of a block of a plane and of some room around it, where objects reach beyond it."""

    def __init__(self, objects: ObjectLabels, t: int, z: int, top: int, left: int) -> None:
        self._objects, self._plane = objects, (t, z)
        self._rows, self._columns = (
            slice(max(0, first - ROOM), min(first + BLOCK + ROOM, length))
            for first, length in zip((top, left), objects.height_width, strict=True)
        )
        self._labels = objects.read(t, z, self._rows, self._columns)

    def object_mask(
        self, number: int, area: int, centre: tuple[float, float], size: float
    ) -> tuple[np.ndarray, tuple[int, int]]:
        """Return where an object is, as a mask, and the row and column of its first pixel.

        It is looked for in a window around its centroid, which grows until all its pixels are in.
        """
        reach = max(4, int(size))
        while True:
            rows, columns = (
                slice(max(0, int(at) - reach), min(int(at) + reach + 1, length))
                for at, length in zip(centre, self._objects.height_width, strict=True)
            )
            own = self._read(rows, columns) == number
            if own.sum() == area:
                return own, (rows.start, columns.start)
            if own.shape == self._objects.height_width:
                raise InputError(
                    f"the label image '{self._objects.source.name}' has changed since the patches "
                    f"were cut (object {number} has {own.sum():,} pixels, not {area:,}): put it "
                    "back, or export tiles instead of objects"
                )
            reach *= 2

    def _read(self, rows: slice, columns: slice) -> np.ndarray:
        inside = all(
            part.start >= whole.start and part.stop <= whole.stop
            for part, whole in ((rows, self._rows), (columns, self._columns))
        )
        if not inside:
            return self._objects.read(*self._plane, rows, columns)
        return self._labels[
            rows.start - self._rows.start : rows.stop - self._rows.start,
            columns.start - self._columns.start : columns.stop - self._columns.start,
        ]
