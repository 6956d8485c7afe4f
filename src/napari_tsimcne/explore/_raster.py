"""Patches painted on coarse pixels: which of them is seen where on a plane, and in what value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

NOTHING = -1
"""Where no window is."""

DENSE = 1 << 24
"""Labels up to which values are looked up in an array that holds one for each."""

EXACT = 1e-6
"""Share of a coarse pixel by which numbers may be off, from rounding."""

LONGEST = 8192
"""Coarse pixels along an axis at most: what any graphics card takes as a texture."""


@dataclass(frozen=True)
class Raster:
    """Windows of a plane on a grid of coarse pixels.

    Parameters
    ----------
    begin, side
        Where the centre of the first coarse pixel lies, and the sides of one, (2,) as (y, x) in
        pixels of the image.
    shape
        Rows and columns.
    first, last
        Coarse pixels that each window takes, both inclusive, (N, 2) integers as (row, column).
    """

    begin: np.ndarray
    side: np.ndarray
    shape: tuple[int, int]
    first: np.ndarray
    last: np.ndarray

    @classmethod
    def of_steps(cls, centres: np.ndarray, first: np.ndarray, step: float) -> Raster:
        """One coarse pixel a window, for windows whose ``centres`` (N, 2) are a step apart.

        Each is the cell around the centre, as wide as the step. ``first``: any centre that the
        grid has, (2,). Centres may be half a step off the grid at most.
        """
        at = np.rint((centres - first) / step).astype(np.int64)
        low = at.min(axis=0)
        at -= low
        return cls(first + low * step, np.full(2, step), _shape(at), at, at)

    @classmethod
    def of_insides(cls, low: np.ndarray, high: np.ndarray, side: np.ndarray) -> Raster:
        """Windows between edges (N, 2): each takes the coarse pixels whose centres lie in it."""
        begin = low.min(axis=0) + side / 2
        first = np.ceil((low - begin) / side - EXACT).astype(np.int64)
        last = np.floor((high - begin) / side + EXACT).astype(np.int64)
        # A window that is smaller than a coarse pixel is seen all the same.
        last = np.maximum(last, first)
        return cls(begin, side, _shape(last), first, last)

    @classmethod
    def of_edges(cls, low: np.ndarray, high: np.ndarray, side: np.ndarray) -> Raster:
        """Windows between edges (N, 2), which run through the centres of coarse pixels.

        Edges that two windows share are on the same coarse pixels.
        """
        begin = low.min(axis=0)
        first = np.rint((low - begin) / side).astype(np.int64)
        last = np.rint((high - begin) / side).astype(np.int64)
        return cls(begin, side, _shape(last), first, last)

    def matrix(self) -> np.ndarray:
        """Affine matrix (3, 3) from coarse pixels to pixels of the image."""
        found = np.diag([*self.side, 1.0])
        found[:2, 2] = self.begin
        return found

    def filled(self, rows: np.ndarray) -> np.ndarray:
        """Return which of some windows is seen where: its number, or `NOTHING`.

        Of windows that overlap, the one whose centre is nearest, to a coarse pixel.

        Returns
        -------
        numpy.ndarray
            ``shape``, int32.
        """
        plane = np.full(self.shape, NOTHING, np.int32)
        origin, down, right = self._taken(rows)
        reach = np.array([down.max(initial=0), right.max(initial=0)])
        steps = list(product(*(range(length + 1) for length in reach)))
        # From the outermost to the innermost: what is painted last is nearest.
        steps.sort(key=lambda step: -np.hypot(*(step - reach / 2)))
        flat, values = plane.reshape(-1), rows.astype(np.int32)
        lines = [np.minimum(step, down) * self.shape[1] + origin for step in range(reach[0] + 1)]
        columns = [np.minimum(step, right) for step in range(reach[1] + 1)]
        for step_down, step_right in steps:
            flat[lines[step_down] + columns[step_right]] = values
        return plane

    def outlined(self, rows: np.ndarray, width: int) -> np.ndarray:
        """Return where the outlines of some windows are, as 1; ``width`` in coarse pixels inwards.

        Returns
        -------
        numpy.ndarray
            ``shape``, uint8.
        """
        plane = np.zeros(self.shape, np.uint8)
        origin, down, right = self._taken(rows)
        flat, line = plane.reshape(-1), self.shape[1]
        for inward in range(width):
            top, left = np.minimum(inward, down), np.minimum(inward, right)
            bottom, far = down - top, right - left
            for along in range(right.max(initial=0) + 1):
                column = origin + np.minimum(along, right)
                flat[column + top * line] = 1
                flat[column + bottom * line] = 1
            for along in range(down.max(initial=0) + 1):
                row = origin + np.minimum(along, down) * line
                flat[row + left] = 1
                flat[row + far] = 1
        return plane

    def _taken(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """First pixels of windows, counted row by row, and how many rows and columns follow."""
        first = self.first[rows]
        down, right = (self.last[rows] - first).T
        return first[:, 0] * self.shape[1] + first[:, 1], down, right


def _shape(last: np.ndarray) -> tuple[int, int]:
    height, width = (last.max(axis=0) + 1).tolist()
    return height, width


def values_of_labels(labels: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Give each pixel the value of its label, 0 where that is not known.

    Parameters
    ----------
    labels
        Whole numbers, any shape.
    known, values
        Labels above 0, ascending and each once, and the value of each, both (n,).

    Returns
    -------
    numpy.ndarray
        As ``labels``, in the dtype of ``values``.
    """
    if not len(known):
        return np.zeros(labels.shape, values.dtype)
    beyond = int(known[-1]) + 1
    if beyond <= DENSE:
        table = np.zeros(beyond + 1, values.dtype)
        table[known] = values
        return table[np.clip(labels, 0, beyond)]
    at = np.searchsorted(known, labels).clip(max=len(known) - 1)
    return np.where(known[at] == labels, values[at], values.dtype.type(0))


def pixels_a_window(low: np.ndarray, high: np.ndarray, most: int, finest: float) -> float:
    """Return how many coarse pixels the side of the smallest window gets.

    Parameters
    ----------
    low, high
        Edges of windows, (N, 2).
    most
        Coarse pixels on a plane, at most.
    finest
        Coarse pixels of a side, at most.

    Returns
    -------
    float
        A whole number from 1 on; less than 1 where even that were too many.
    """
    window = (high - low).min(axis=0)
    windows = (high.max(axis=0) - low.min(axis=0)) / window
    fitting = min(finest, np.sqrt(most / windows.prod()), float((LONGEST / windows).min()))
    return float(np.floor(fitting)) if fitting >= 1 else fitting


class PaintedArray:
    """An array whose planes are painted when they are looked at: none is kept.

    What is needed to be shown by napari: ``shape``, ``dtype``, ``ndim`` and basic indices.

    Parameters
    ----------
    axes
        A letter an axis; planes are Y by X.
    shape
        Length of each axis.
    dtype
        Of the values.
    paint
        Gets the position on each other axis by its letter, and an index for rows and one for
        columns (slices or numbers); returns that part of the plane.
    """

    def __init__(
        self,
        axes: str,
        shape: tuple[int, ...],
        dtype: Any,
        paint: Callable[[Mapping[str, int], Any, Any], np.ndarray],
    ) -> None:
        self.axes = axes
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.paint = paint

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=float))

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[...].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, index: Any) -> np.ndarray:
        at = dict(zip(self.axes, self._whole(index), strict=True))
        rows, columns = at.pop("Y"), at.pop("X")
        lengths = {axis: self.shape[self.axes.index(axis)] for axis in at}
        positions = {
            axis: range(lengths[axis])[where] if isinstance(where, slice) else [where]
            for axis, where in at.items()
        }
        planes = [
            self.paint(dict(zip(positions, chosen, strict=True)), rows, columns)
            for chosen in product(*positions.values())
        ]
        kept = [axis for axis, where in at.items() if isinstance(where, slice)]
        plane_axes = [a for a, w in (("Y", rows), ("X", columns)) if isinstance(w, slice)]
        order = [*kept, *plane_axes]
        found = {"Y": rows, "X": columns, **at}
        shape = [len(range(self.shape[self.axes.index(axis)])[found[axis]]) for axis in order]
        stack = np.array(planes, self.dtype).reshape(shape)
        # A single value is no array, as with numpy.
        return stack.transpose([order.index(axis) for axis in self.axes if axis in order])[()]

    def _whole(self, index: Any) -> list[Any]:
        """Return a slice or a number from 0 for each axis."""
        given = list(index) if isinstance(index, tuple) else [index]
        missing = self.ndim - sum(part is not Ellipsis for part in given)
        if Ellipsis not in given:
            given.append(Ellipsis)
        gap = given.index(Ellipsis)
        given[gap : gap + 1] = [slice(None)] * missing
        return [
            part if isinstance(part, slice) else range(length)[int(part)]
            for part, length in zip(given, self.shape, strict=True)
        ]
