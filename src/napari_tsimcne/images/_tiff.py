"""TIFF files of all kinds: ImageJ, OME-TIFF, slide scanners' pyramids, plain ones."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile
import zarr

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._chunks import ChunksInFile, lies_in_chunks
from napari_tsimcne.images._levels import is_reduced_copy
from napari_tsimcne.images._messages import gathered_logs
from napari_tsimcne.images._ome_xml import OmeXml, ome_of
from napari_tsimcne.images._rows import RowsInFile, lies_in_rows
from napari_tsimcne.images._source import ImageSource, Indices, Skipped
from napari_tsimcne.images._stored import StoredArray
from napari_tsimcne.images._tiff_metadata import Metadata, metadata_of
from napari_tsimcne.images._whole import check_whole

_ACCESSORIES = {"label", "macro", "map", "overview", "thumbnail", "label image", "macro image"}
"""Names of the pictures that slide scanners store beside the image."""

_GREY, _RGB, _PALETTE, _CMYK, _YCBCR, _LAB = (0, 1), 2, 3, 5, 6, (8, 9, 10)
_JPEGS = {6, 7, 33003, 33005, 33007, 34712, 50001}
"""Compressions whose decoders turn YCbCr into RGB."""
_SAMPLE_NAMES = {
    _CMYK: ("cyan", "magenta", "yellow", "black"),
    _YCBCR: ("Y", "Cb", "Cr"),
    **dict.fromkeys(_LAB, ("L*", "a*", "b*")),
}


def open_tiff(path: Path, name: str) -> list[ImageSource | Skipped]:
    """Open the series of a TIFF file, and the positions in them; reads headers only.

    Images of an OME-TIFF of which a file is missing are skipped.

    Raises
    ------
    InputError
        Where the file holds no image, or does not hold all that it declares.
    """
    ome = ome_of(path)
    missing = {} if ome is None else ome.missing
    with gathered_logs() as logs, _seen(path) as file, _tiff_file(file, ome) as tiff:
        pictures = _pictures(tiff)
        check_whole(tiff, [tiff.series[n] for one in pictures for n in one], logs)
        metadata = metadata_of(tiff)
        notes = _pages_left(tiff)
        found: list[ImageSource | Skipped] = []
        for one in pictures:
            while len(found) in missing:
                found.append(missing[len(found)])
            found += _stored(path, tiff, one, metadata.get(one[0], Metadata()), notes).images(
                name, _first_file(tiff, one[0], path)
            )
    if not found:
        raise InputError("the TIFF file holds no image")
    return found + [one for one in missing.values() if one not in found]


def _tiff_file(file: Path | BinaryIO, ome: OmeXml | None) -> tifffile.TiffFile:
    return tifffile.TiffFile(file, omexml=None if ome is None else ome.text)


def _pages_left(tiff: tifffile.TiffFile) -> tuple[str, ...]:
    """Say which pages the metadata does not describe, or that it cannot be true."""
    first = tiff.series[0] if tiff.series else None
    if tiff.is_imagej and first is not None and first.kind != "imagej":
        return ("its ImageJ description cannot be true, and is not used: check the axes",)
    if not tiff.is_ome or first is None or first.kind != "ome":
        return ()
    own = {p.index for s in tiff.series for p in s.pages if p is not None and p.parent is tiff}
    left = len(tiff.pages) - len(own)
    of = len(tiff.pages)
    return (f"its OME-XML does not describe {left} of its {of} pages, which are not read",) * (
        left > 0
    )


def _pictures(tiff: tifffile.TiffFile) -> list[list[int]]:
    """Numbers of the series that are one picture: the image and copies at lower resolution.

    What scanners store beside the image is left out.
    """
    pictures: list[list[int]] = []
    for number, series in enumerate(tiff.series):
        if pictures and series.name.lower() in _ACCESSORIES:
            continue
        if pictures and series.keyframe.is_reduced:
            image = tiff.series[pictures[-1][0]]
            if _is_copy(series, image):
                pictures[-1].append(number)
            continue
        pictures.append([number])
    return pictures


def _is_copy(series: Any, image: Any) -> bool:
    """Whether it is the image at a lower resolution; a thumbnail has another ratio of sides."""
    same = (series.axes, series.dtype) == (image.axes, image.dtype)
    return same and is_reduced_copy(image.axes, image.shape, series.shape)


def _stored(
    path: Path,
    tiff: tifffile.TiffFile,
    numbers: list[int],
    says: Metadata,
    notes: tuple[str, ...],
) -> StoredArray:
    number = numbers[0]
    series = tiff.series[number]
    page = series.keyframe
    axes: list[str | None] = [None if axis in "IQ" else axis for axis in series.axes]
    shape = tuple(series.shape)
    samples = shape[axes.index("S")] if "S" in axes else 1
    colours, alpha = _colours(page, samples)
    names: Sequence[str] = says.channel_names
    if "S" in axes and not (colours or alpha):
        axes = ["C" if axis == "S" else "P" if axis == "C" else axis for axis in axes]
        names = names if len(names) == samples else _SAMPLE_NAMES.get(int(page.photometric), ())
    elif colours:
        names = ()
    levels = [(number, level) for level in range(1, len(series.levels))]
    levels += [(further, 0) for further in numbers[1:]]
    shapes = [tuple(tiff.series[n].levels[level].shape) for n, level in levels]
    load = partial(_array, path)
    dtype = np.dtype(series.dtype)
    indices = None
    if _shows_palette(tiff, page, axes):
        indices = Indices(partial(_array, path, number, 0), dtype)
        axes, shape, dtype = [*axes, "S"], (*shape, 3), np.dtype(np.uint8)
        shapes = [(*smaller, 3) for smaller in shapes]
        load = partial(_coloured, path)
    return StoredArray(
        axes=axes,
        shape=shape,
        dtype=dtype,
        load=partial(load, number, 0),
        levels=[(s, partial(load, *at)) for s, at in zip(shapes, levels, strict=True)],
        channel_names=names,
        pixel_size=says.pixel_size,
        unit=says.unit,
        alpha=alpha,
        notes=says.notes + notes,
        indices=indices,
    )


def _colours(page: Any, samples: int) -> tuple[bool, bool]:
    """Whether samples are red, green and blue, and whether the last one is alpha."""
    photometric, extra = int(page.photometric), tuple(int(e) for e in page.extrasamples)
    rgb = photometric == _RGB or (photometric == _YCBCR and int(page.compression) in _JPEGS)
    if rgb and samples == 4:
        # 0: 'unspecified', which may be a measured channel. 1 and 2: associated or not.
        return extra[:1] != (0,), extra[:1] != (0,)
    if photometric in _GREY and samples == 2:
        return False, extra[:1] in ((1,), (2,))
    return rgb and samples == 3, False


def _shows_palette(tiff: tifffile.TiffFile, page: Any, axes: Sequence[str | None]) -> bool:
    """Whether values stand for colours; ImageJ and OME only colour what was measured by them."""
    return (
        int(page.photometric) == _PALETTE
        and page.colormap is not None
        and "S" not in axes
        and not (tiff.is_imagej or tiff.is_ome)
    )


def _first_file(tiff: tifffile.TiffFile, number: int, path: Path) -> Path:
    """Return the file that holds the first plane: of an OME-TIFF of several files, always one."""
    first = next(page for page in tiff.series[number].pages if page is not None)
    if first.parent is tiff:
        return path
    found = Path(first.parent.filehandle.path).resolve()
    # By the name that is seen, where links lead to it.
    links = sorted(path.parent.iterdir()) if path.is_symlink() else []
    return next((one for one in links if one.resolve() == found), found)


@contextmanager
def _seen(path: Path) -> Iterator[Path | BinaryIO]:
    """Give what tifffile is to open, so that it looks for further files beside a link.

    By itself it follows the link, and looks where it leads.
    """
    if not path.is_symlink():
        yield path
        return
    with path.open("rb") as file:
        yield file


def _array(path: Path, number: int, level: int) -> Any:
    """Array of a series whose strips or tiles are decoded when asked for."""
    return _opened(path, path.stat().st_mtime_ns).array(number, level)


def _coloured(path: Path, number: int, level: int) -> Any:
    opened = _opened(path, path.stat().st_mtime_ns)
    return _Coloured(opened.array(number, level), opened.colours(number))


# A few files stay open: not every region should parse their headers again.
@lru_cache(maxsize=4)
def _opened(path: Path, modified: int) -> _OpenTiff:
    return _OpenTiff(path)


class _OpenTiff:
    """An open file and the arrays of it; threads may share it."""

    def __init__(self, path: Path) -> None:
        with gathered_logs(), ExitStack() as files:
            self._tiff = _tiff_file(files.enter_context(_seen(path)), ome_of(path))
            self._series = self._tiff.series
            self._files = files.pop_all()
        self._tiff.filehandle.set_lock(True)
        self._arrays: dict[tuple[int, int], Any] = {}

    def array(self, number: int, level: int) -> Any:
        key = number, level
        # Pages are loaded from the file when first looked at.
        with self._tiff.filehandle.lock:
            if key not in self._arrays:
                series = self._series[number]
                # tifffile closes the further files of a set, and opens them when it reads.
                elsewhere = series.levels[level].keyframe.parent is not self._tiff
                if not elsewhere and lies_in_rows(series.levels[level]):
                    self._arrays[key] = RowsInFile(series.levels[level])
                elif not elsewhere and lies_in_chunks(series.levels[level]):
                    self._arrays[key] = ChunksInFile(series.levels[level])
                else:
                    # With one worker, chunks would be decoded one after another.
                    store = series.aszarr(level=level, maxworkers=os.cpu_count())
                    self._arrays[key] = zarr.open(store, mode="r")
            return self._arrays[key]

    def colours(self, number: int) -> np.ndarray:
        """Red, green and blue (values, 3) of the palette, uint8."""
        table = np.asarray(self._series[number].keyframe.colormap).T
        return (table >> 8 if table.max() > 255 else table).astype(np.uint8)


class _Coloured:
    """An array of palette values as its colours, along a new last axis."""

    def __init__(self, array: Any, colours: np.ndarray) -> None:
        self._array = array
        self._colours = colours
        self.shape = (*array.shape, 3)
        self.chunks = (*array.chunks, 3)

    def __getitem__(self, index: tuple) -> np.ndarray:
        values = np.asarray(self._array[index[:-1]])
        return np.take(self._colours, values.astype(np.intp), axis=0)[..., index[-1]]
