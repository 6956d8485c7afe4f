"""Whether a TIFF file holds all that it declares, found out before memory is taken for it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import tifffile

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._axes import size_of
from napari_tsimcne.images._rows import lies_in_rows

MOST_BYTES = 1 << 30
"""What is decoded at once must be smaller: 1 GiB."""

_MOST_RATIO, _PLAUSIBLE_BYTES = 2000, 256 << 20
_NONE, _LZW, _JPEG, _DEFLATES, _PACKBITS = 1, 5, 7, (8, 32946), 32773
_BOUNDED = {_LZW, _JPEG, *_DEFLATES, _PACKBITS, 2, 3, 4}
"""Compressions that cannot make a file that much smaller; zstd and LZMA of masks can."""


def check_ratio(decoded: int, stored: int) -> None:
    """Check that so many bytes can have been compressed to so few.

    Raises
    ------
    InputError
        Where they cannot.
    """
    if decoded > _PLAUSIBLE_BYTES and decoded > _MOST_RATIO * stored:
        raise InputError(
            f"it declares {decoded / 2**20:,.0f} MiB of pixels but holds {stored:,} bytes: "
            "the file is broken"
        )


def check_whole(
    tiff: tifffile.TiffFile, series: Sequence[Any], logs: Sequence[logging.LogRecord]
) -> None:
    """Check that the pixels of all series are in the file.

    Raises
    ------
    InputError
        Where planes, strips or tiles are missing, or a strip or tile is too large.
    """
    _check_declared_planes(tiff, series)
    for one in series:
        for level in one.levels:
            _check_planes(level)
    for record in logs:
        text = record.getMessage()
        if record.levelno >= logging.ERROR or "invalid value offset" in text:
            raise InputError(f"the file is cut off or broken ({_brief(text)})")


def _check_declared_planes(tiff: tifffile.TiffFile, series: Sequence[Any]) -> None:
    """ImageJ says how many planes there are; tifffile takes those that it finds."""
    if not tiff.is_imagej or not series:
        return
    says = tiff.imagej_metadata or {}
    product = prod(int(says.get(axis, 1)) for axis in ("channels", "slices", "frames"))
    declared = min(int(says.get("images", 1)), product)  # either may be too high by itself
    plane = size_of(tiff.pages.first.shape, 1)
    found = sum(size_of(one.shape, 1) for one in series) // max(plane, 1)
    if found < declared:
        raise InputError(f"it holds {found} of {declared} planes: the file is cut off")
    if series[0].kind == "imagej" and found < len(tiff.pages):
        stated = " x ".join(f"{says[a]} {a}" for a in ("channels", "slices", "frames") if a in says)
        raise InputError(
            f"its ImageJ description states {stated}, but it holds {len(tiff.pages)} planes: "
            "correct its properties in ImageJ and save it again"
        )


def _check_planes(level: Any) -> None:
    page = level.keyframe
    if 0 in level.shape or 0 in page.shape:
        raise InputError(f"it is empty: its shape is {tuple(level.shape)}")
    itemsize = np.dtype(level.dtype).itemsize
    chunk = size_of(page.chunks, itemsize)
    if chunk > MOST_BYTES and not lies_in_rows(level):
        raise InputError(
            f"it is stored in pieces of {chunk / 2**30:,.1f} GiB: save it as a tiled TIFF or "
            "OME-Zarr"
        )
    if level.dataoffset is not None:
        size = level.keyframe.parent.filehandle.size
        if level.dataoffset + size_of(level.shape, itemsize) > size:
            raise InputError("pixels are missing at its end: the file is cut off")
        return
    planes = size_of(level.shape, 1) // size_of(page.shape, 1)
    present = [one for one in level.pages if one is not None]
    if len(present) < planes:
        raise InputError(f"it holds {len(present)} of {planes} planes: the file is cut off")
    needed = prod(int(n) for n in page.chunked)
    for one in present:
        stored = _check_chunks(one, needed, tiled=page.is_tiled)
        if page.compression in _BOUNDED:
            check_ratio(chunk * needed, stored)
        elif page.compression == _NONE and isinstance(page.bitspersample, int):
            least = size_of(page.shape, 1) * page.bitspersample // 8
            if 0 < stored < least and not page.is_tiled:
                raise InputError(f"it holds {stored:,} of {least:,} bytes of a plane: it is broken")


def _check_chunks(page: Any, needed: int, tiled: bool) -> int:
    """Check that strips or tiles are all within the file; return the bytes that they take."""
    offsets = np.asarray(page.dataoffsets, dtype=np.uint64)
    counts = np.asarray(page.databytecounts, dtype=np.uint64)
    if not len(offsets) == len(counts) >= needed:
        raise InputError(
            f"it holds {min(len(offsets), len(counts))} of {needed} strips or tiles of a plane: "
            "the file is cut off or broken"
        )
    # Tiles without pixels are not stored by some slide scanners.
    if not counts.any() or not (tiled or counts[:needed].all()):
        raise InputError("it declares strips or tiles without bytes: the file is broken")
    size = np.uint64(page.parent.filehandle.size)
    if (counts > size).any() or (offsets > size - counts).any():
        missing = int(((counts > size) | (offsets > size - np.minimum(counts, size))).sum())
        raise InputError(f"{missing} of {len(counts)} strips or tiles lie beyond its end: "
                         "the file is cut off")  # fmt: skip
    return int(counts.sum())


def _brief(text: str) -> str:
    """Leave out the library's name of the file."""
    return text.split("> ", 1)[-1] if text.startswith("<") else text
