"""Strips and tiles of a TIFF file, decoded in the thread that asks for them."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np


def lies_in_chunks(level: Any) -> bool:
    """Whether a tifffile series is planes of whole pixels, each in strips or tiles of one size."""
    page = level.keyframe
    return bool(
        level.transform is None
        and level.axes.endswith(("YX", "YXS"))
        and page.imagedepth == 1
        and (page.samplesperpixel == 1 or page.planarconfig == 1)
        and not page.is_subsampled
        and prod(level.shape) == len(level.pages) * prod(page.shape)
        and prod(level.shape[level.axes.index("Y") :]) == prod(page.shape)
        and all(one is not None and one.parent is page.parent for one in level.pages)
    )


class ChunksInFile:
    """An array of a tifffile series for which `lies_in_chunks`.

    zarr would do the same, but decodes everything in one thread of its own; here several threads
    that read different regions keep as many cores busy.
    """

    def __init__(self, level: Any) -> None:
        self._keyframe = level.keyframe
        self._pages = list(level.pages)
        self._file = self._keyframe.parent.filehandle
        self._keyframe.decode  # noqa: B018 - made by the first use, which is not to be a thread's
        self.shape = tuple(int(n) for n in level.shape)
        self.dtype = np.dtype(level.dtype)
        self._lead = level.axes.index("Y")
        page = self._keyframe
        height, width = self.shape[self._lead : self._lead + 2]
        if page.is_tiled:
            rows, columns = page.tilelength, page.tilewidth
        else:
            rows, columns = min(int(page.rowsperstrip or height), height), width
        self._chunk = int(rows), int(columns)
        self._across = -(-width // columns)
        self.chunks = (*(1,) * self._lead, *self._chunk, *self.shape[self._lead + 2 :])

    def __getitem__(self, index: tuple[int | slice, ...]) -> np.ndarray:
        """Read a region; rows and columns are slices, what comes before them may be an index."""
        lead, (rows, columns, *samples) = index[: self._lead], index[self._lead :]
        chosen = [range(n)[i] for n, i in zip(self.shape, lead, strict=False)]
        places = product(*(one if isinstance(one, range) else (one,) for one in chosen))
        height, width = self.shape[self._lead : self._lead + 2]
        assert isinstance(rows, slice) and isinstance(columns, slice)
        down, along = range(height)[rows], range(width)[columns]
        read = [self._plane(place, down, along) for place in places]
        lengths = [len(one) for one in chosen if isinstance(one, range)]
        region = np.stack(read) if len(read) > 1 or lengths else read[0]
        region = region.reshape(*lengths, *read[0].shape)
        return region[..., samples[0]] if samples else region

    def _plane(self, place: tuple[int, ...], rows: range, columns: range) -> np.ndarray:
        number = int(np.ravel_multi_index(place, self.shape[: self._lead])) if place else 0
        page, (height, width) = self._pages[number], self._chunk
        out = np.empty((len(rows), len(columns), *self.shape[self._lead + 2 :]), self.dtype)
        down = range(rows.start // height, -(-rows.stop // height))
        along = range(columns.start // width, -(-columns.stop // width))
        for i, j in product(down, along):
            chunk = self._decoded(page, i * self._across + j)
            top, left = i * height, j * width
            inside = (
                slice(max(rows.start - top, 0), rows.stop - top),
                slice(max(columns.start - left, 0), columns.stop - left),
            )
            part = chunk[inside]
            y, x = max(top - rows.start, 0), max(left - columns.start, 0)
            out[y : y + part.shape[0], x : x + part.shape[1]] = part
        return out

    def _decoded(self, page: Any, number: int) -> np.ndarray:
        offset, size = page.dataoffsets[number], page.databytecounts[number]
        data = None
        if size:
            with self._file.lock:
                self._file.seek(offset)
                data = self._file.read(size)
            if len(data) < size:
                raise OSError("the file is cut off")
        chunk, _, shape = self._keyframe.decode(
            data, number, jpegtables=page.jpegtables, jpegheader=self._keyframe.jpegheader
        )
        _, height, width, samples = shape
        if chunk is None:  # left out of the file: nothing was there
            chunk = np.full((height, width, samples), page.nodata, self.dtype)
        chunk = chunk.reshape(-1, *chunk.shape[-2:])[:height, :width]
        return chunk if self.shape[self._lead + 2 :] else chunk[..., 0]
