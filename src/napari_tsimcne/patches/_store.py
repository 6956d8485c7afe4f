"""The patch store: original values of all patches in one .npy file, written in any order."""

from __future__ import annotations

from math import prod
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from napari_tsimcne.errors import InputError
from napari_tsimcne.patches._direct import ALIGNED, DirectFile

COPIED_AT_ONCE = 1 << 26

_PARSING = Lock()
"""Headers are parsed by Python's own parser, which threads cannot use at once before 3.13."""


def make_store(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Make a store (N, C, S, S) of zeros; the system gives it room as it is filled."""
    with path.open("xb") as file:
        _write_header(file, shape, dtype)
        file.truncate(file.tell() + int(np.prod(shape)) * np.dtype(dtype).itemsize)


def write_rows(path: Path, rows: np.ndarray, crops: np.ndarray) -> None:
    """Write crops (n, C, S, S) of the store's dtype at their rows (n,), ascending.

    Several threads and processes may write different rows at once. Plain writing, no memory map:
    what was written would count as memory of the process.
    """
    with path.open("rb") as file:
        shape, dtype, start = _read_header(file)
    if crops.shape[1:] != shape[1:] or crops.dtype != dtype:
        raise ValueError(f"crops {crops.shape} {crops.dtype} do not fit the store {shape}")
    crop_bytes = int(np.prod(shape[1:])) * dtype.itemsize
    crops = np.ascontiguousarray(crops)
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    with DirectFile(path) as store:
        for run, part in zip(np.split(rows, breaks), np.split(crops, breaks), strict=True):
            store.write(part.data.cast("B"), start + int(run[0]) * crop_bytes)


def keep_rows(path: Path, kept: np.ndarray) -> None:
    """Leave only some rows, a boolean mask (N,), in a store, in place."""
    with path.open("r+b") as file:
        shape, dtype, start = _read_header(file)
        crop_bytes = int(np.prod(shape[1:])) * dtype.itemsize
        at_once = max(1, COPIED_AT_ONCE // crop_bytes)
        written = 0
        rows = np.flatnonzero(kept)
        for run in np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1):
            for first in range(0, len(run), at_once):
                part = run[first : first + at_once]
                if part[0] != written:
                    file.seek(start + int(part[0]) * crop_bytes)
                    values = file.read(len(part) * crop_bytes)
                    file.seek(start + written * crop_bytes)
                    file.write(values)
                written += len(part)
        file.truncate(start + written * crop_bytes)
        file.seek(0)
        _write_header(file, (written, *shape[1:]), dtype)


def _write_header(file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype) -> None:
    header = {"descr": npy.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    magic = npy.magic(1, 0)
    # Filled up with blanks, as the format allows: the values begin where direct writing can.
    length = ALIGNED - len(magic) - 2
    text = repr(header).encode("latin1")
    file.write(magic + length.to_bytes(2, "little") + text.ljust(length - 1) + b"\n")


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype, int]:
    shape, _, dtype = _parsed_header(file)
    return shape, dtype, file.tell()


def _parsed_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Return shape, order of Fortran or not, and dtype."""
    if npy.read_magic(file) != (1, 0):
        raise ValueError("it is of a version that is not written here")
    with _PARSING:
        shape, fortran, dtype = npy.read_array_header_1_0(file)
    return shape, fortran, dtype


def open_array(path: Path) -> np.ndarray:
    """Open the array of a .npy file as a read-only memory map; nothing in it is executed.

    Raises
    ------
    InputError
        Where the file is missing, holds anything but numbers, or is shorter than its header says.
    """
    try:
        if not path.is_file():  # nor what would never end, such as a pipe
            raise FileNotFoundError("there is no such file")
        with path.open("rb") as file:
            shape, fortran, dtype = _parsed_header(file)
            start, size = file.tell(), path.stat().st_size
        if dtype.kind not in "buif" or dtype.itemsize > 8:
            raise ValueError(f"it holds {dtype}")
        count = prod(shape)
        if min(shape, default=0) < 1 or start + count * dtype.itemsize > size:
            raise ValueError(f"it has {size:,} bytes, too few or none for its shape")
        return np.memmap(path, dtype, "r", start, shape, "F" if fortran else "C")
    except Exception as error:  # whatever the parser of a damaged header stumbles over
        reason = str(error).strip().split("\n")[0][:200]
        raise InputError(f"the file {path} is damaged or missing ({reason})") from error


def open_store(path: Path) -> np.ndarray:
    """Open a patch store as a read-only memory map (N, C, S, S).

    Raises
    ------
    InputError
        Where the file is missing, no such array, or shorter than its header says.
    """
    store = open_array(path)
    if store.ndim != 4 or store.shape[2] != store.shape[3]:
        raise InputError(f"{path} is no patch store: it holds {store.dtype} of {store.shape}")
    return store
