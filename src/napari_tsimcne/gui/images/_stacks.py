"""Images of files as arrays that are read when they are looked at; many of a kind as one array."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import dask.array as da
import numpy as np

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui.images._outlines import IMAGE_AXIS, with_image_axis
from napari_tsimcne.images import ImageSource

READ_WHOLE = 64 << 20
"""Bytes of an image up to which it is read at once; of larger ones what is looked at."""

KEPT = 512 << 20
"""Bytes of images that were read, and are kept for when they are looked at again."""


class Reader:
    """Reads regions of images, in any thread, and keeps small images that were read last.

    Parameters
    ----------
    images
        None where there is nothing, which reads as 0.
    """

    def __init__(self, images: Sequence[ImageSource | None]) -> None:
        self.images = tuple(images)
        self._whole: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self._opened: dict[tuple[int, int], Any] = {}
        self._lock = threading.RLock()

    @property
    def first(self) -> ImageSource:
        """The first image that there is."""
        return next(image for image in self.images if image is not None)

    def array(self, number: int, level: int = 0) -> Any:
        """Return what indices of an image's axes can be read from.

        Raises
        ------
        InputError
            Where its pixels cannot be read.
        """
        key = number, level
        with self._lock:
            if key in self._whole:
                self._whole.move_to_end(key)
                return self._whole[key]
            if key in self._opened:
                return self._opened[key]
            image = self.images[number]
            assert image is not None
            try:
                array = image.load() if level == 0 else image.levels[level - 1].load()
                size = image.dtype.itemsize * int(np.prod(image.shape, dtype=float))
                if size > READ_WHOLE or image.levels:
                    self._opened[key] = array
                    return array
                pixels = np.asarray(array[(slice(None),) * len(image.axes)])
            except InputError:
                raise
            except Exception as error:
                raise InputError(f"'{image.name}' could not be read ({error})") from error
            self._whole[key] = pixels
            while sum(kept.nbytes for kept in self._whole.values()) > KEPT and len(self._whole) > 1:
                self._whole.popitem(last=False)
            return pixels


def lazy(
    reader: Reader, level: int = 0, channel: int | None = None, dtype: Any = None,
    alone: bool = False,
) -> Any:  # fmt: skip
    """Return a level of images of one kind as one array, in which an axis counts the images.

    It comes before rows and columns, see `with_image_axis`.

    A dask array, of which what is looked at is read; where there is one small image, numpy's.

    Parameters
    ----------
    reader
        Of the images, shared by all levels and channels.
    level
        Of their pyramids; 0: the images.
    channel
        The one that is taken, and its axis is left out; None for images without that axis.
    dtype
        Of the values; None: as they are.
    alone
        There is one image, and no axis that counts.
    """
    stack = _Stack(reader, level, channel, dtype, alone)
    if alone:
        array = reader.array(0, level)
        if isinstance(array, np.ndarray):
            return stack[...]
    first = reader.first
    chunk = dict(zip("YX", first.chunk(level), strict=True)) | {"T": 1, "Z": 1}
    chunk[IMAGE_AXIS] = 1
    chunks = tuple(chunk[a] if a in chunk else first.length(a) for a in stack.axes)
    meta = np.empty((0,) * stack.ndim, stack.dtype)
    return da.from_array(stack, chunks=chunks, asarray=False, name=False, meta=meta)


class _Stack:
    """What dask needs to know of an array: ``shape``, ``dtype``, ``ndim`` and basic indices."""

    def __init__(
        self, reader: Reader, level: int, channel: int | None, dtype: Any, alone: bool
    ) -> None:
        self._reader, self._level, self._channel, self._alone = reader, level, channel, alone
        first = reader.first
        height_width = dict(zip("YX", first.level_height_width(level), strict=True))
        self._axis = first.axes.index("C") if channel is not None else None
        own = first.axes if channel is None else first.axes.replace("C", "")
        self._own = tuple(height_width.get(axis, first.length(axis)) for axis in own)
        self.dtype = np.dtype(dtype or first.dtype)
        self.axes, self.shape = own, self._own
        if not alone:
            self.axes = with_image_axis(own)
            self._at = self.axes.index(IMAGE_AXIS)
            self.shape = (
                *self._own[: self._at],
                len(reader.images),
                *self._own[self._at :],
            )
        self.ndim = len(self.shape)

    def __getitem__(self, index: Any) -> np.ndarray:
        given = list(index) if isinstance(index, tuple) else [index]
        given = [slice(None) if one is Ellipsis else one for one in given]
        given += [slice(None)] * (self.ndim - len(given))
        if self._alone:
            return self._region(0, given)
        numbers = range(len(self._reader.images))[given.pop(self._at)]
        if isinstance(numbers, int):
            return self._region(numbers, given)
        # Axes before it that are taken at one place are left out.
        axis = sum(isinstance(one, slice) for one in given[: self._at])
        return np.stack([self._region(number, given) for number in numbers], axis)

    def _region(self, number: int, index: list[Any]) -> np.ndarray:
        if self._reader.images[number] is None:
            return np.broadcast_to(self.dtype.type(0), self._own)[tuple(index)]
        if self._axis is not None:
            index = [*index[: self._axis], self._channel, *index[self._axis :]]
        array = self._reader.array(number, self._level)
        return np.asarray(array[tuple(index)]).astype(self.dtype, copy=False)
