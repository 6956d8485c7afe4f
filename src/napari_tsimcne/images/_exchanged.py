"""Images whose columns are stored before their rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari_tsimcne.images._source import ImageSource

EXCHANGED = str.maketrans("YX", "XY")
"""Translates the letters of axes to those of rows and columns that are exchanged."""


def columns_first(axes: str) -> bool:
    """Whether columns are named before rows."""
    return axes.find("X") < axes.find("Y")


def rows_first(image: ImageSource) -> ImageSource:
    """Return an image of which columns come first with rows first: exchanged as they are read."""
    axes = image.axes.translate(EXCHANGED)
    at = axes.index("Y"), axes.index("X")
    planes = axes.replace("C", "").replace("S", "")
    levels = (replace(one, load=partial(_exchanged, one.load, *at)) for one in image.levels)
    return replace(
        image,
        axes=axes,
        shape=_ordered(image.shape, *at),
        load=partial(_exchanged, image.load, *at),
        levels=tuple(levels),
        alpha=image.alpha
        and partial(_exchanged, image.alpha, planes.index("Y"), planes.index("X")),
        exchanged=True,
    )


@dataclass(frozen=True, eq=False)
class _ExchangedArray:
    """An array with two axes exchanged, of which what is asked for is read."""

    array: Any
    y: int
    x: int

    @property
    def shape(self) -> tuple[int, ...]:
        return _ordered(tuple(map(int, self.array.shape)), self.y, self.x)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.array.dtype)

    @property
    def chunks(self) -> tuple[int, ...] | None:
        chunks = getattr(self.array, "chunksize", None) or getattr(self.array, "chunks", None)
        return _ordered(chunks, self.y, self.x) if chunks else None

    def __getitem__(self, index: tuple[Any, ...]) -> np.ndarray:
        region = np.asarray(self.array[_ordered(index, self.y, self.x)])
        kept = [axis for axis, one in enumerate(index) if isinstance(one, slice)]
        if self.y in kept and self.x in kept:
            region = region.swapaxes(kept.index(self.y), kept.index(self.x))
        return region


def _exchanged(load: Callable[[], Any], y: int, x: int) -> _ExchangedArray:
    return _ExchangedArray(load(), y, x)


def _ordered(given: Sequence[Any], y: int, x: int) -> tuple[Any, ...]:
    ordered = list(given)
    ordered[y], ordered[x] = ordered[x], ordered[y]
    return tuple(ordered)
