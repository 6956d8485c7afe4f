"""Uncompressed planes of a TIFF file, read row by row: a strip of them may be a whole plane."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np

CHUNK_BYTES = 4 << 20
"""A strip of more bytes counts as several chunks."""


def lies_in_rows(level: Any) -> bool:
    """Whether rows of a tifffile series are in the file as in memory, one after another."""
    page = level.keyframe
    return bool(
        page.is_memmappable
        and not page.is_tiled
        and level.transform is None
        and level.axes.endswith(("YX", "YXS"))
        and (
            level.dataoffset is not None
            or all(p and p.is_contiguous and p.parent is page.parent for p in level.pages)
        )
    )


class RowsInFile:
    """An array of a tifffile series for which `lies_in_rows`; threads share it by the file's lock.

    ``chunks`` are strips, but no more rows than `CHUNK_BYTES` hold.
    """

    def __init__(self, level: Any) -> None:
        page = level.keyframe
        self.shape = tuple(int(n) for n in level.shape)
        self.dtype = np.dtype(page.parent.byteorder + level.dtype.char)
        self._lead = level.axes.index("Y")
        row = prod(self.shape[self._lead + 1 :]) * self.dtype.itemsize
        height = self.shape[self._lead]
        self._row_bytes = row
        self._plane_bytes = row * height
        if level.dataoffset is not None:  # all planes one after another
            self._offsets, self._planes_a_page = [int(level.dataoffset)], prod(self.shape)
        else:
            self._offsets = [int(p.dataoffsets[0]) for p in level.pages]
            self._planes_a_page = prod(page.shape) * self.dtype.itemsize // self._plane_bytes
        rows = min(int(page.rowsperstrip or height), height, max(1, CHUNK_BYTES // row))
        self.chunks = (*(1,) * self._lead, rows, *self.shape[self._lead + 1 :])
        self._file = page.parent.filehandle

    def __getitem__(self, index: tuple[int | slice, ...]) -> np.ndarray:
        """Read a region; rows and columns are slices, what comes before them may be an index."""
        lead, rows = index[: self._lead], range(self.shape[self._lead])[index[self._lead]]
        chosen = [range(n)[i] for n, i in zip(self.shape, lead, strict=False)]
        places = product(*(one if isinstance(one, range) else (one,) for one in chosen))
        columns = (slice(None), *index[self._lead + 1 :])
        read = [self._rows(place, rows.start, rows.stop)[columns] for place in places]
        lengths = [len(one) for one in chosen if isinstance(one, range)]
        return np.stack(read).reshape(*lengths, *read[0].shape)

    def _rows(self, place: tuple[int, ...], first: int, last: int) -> np.ndarray:
        plane = int(np.ravel_multi_index(place, self.shape[: self._lead])) if place else 0
        page, within = divmod(plane, self._planes_a_page)
        offset = self._offsets[page] + within * self._plane_bytes + first * self._row_bytes
        size = (last - first) * self._row_bytes
        with self._file.lock:
            self._file.seek(offset)
            data = self._file.read(size)
        if len(data) < size:
            raise OSError("the file is cut off")
        return np.frombuffer(data, self.dtype).reshape(last - first, *self.shape[self._lead + 1 :])
