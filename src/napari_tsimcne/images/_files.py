"""Image files and folders of them: PNG, JPEG, BMP through Pillow, TIFF and OME-TIFF by tifffile."""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import tifffile
import zarr
from PIL import Image, ImageOps

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._source import (
    MOST_CHANNELS,
    ImageSource,
    default_channel_names,
    reason_of,
)

TIFF_SUFFIXES = {".tif", ".tiff"}
PILLOW_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp"}
SUFFIXES = TIFF_SUFFIXES | PILLOW_SUFFIXES


class Skipped(NamedTuple):
    """A file, or image of a file, that was left out, and why."""

    name: str
    reason: str


class Opened(NamedTuple):
    """Images that can be read, and the files that cannot."""

    images: list[ImageSource]
    skipped: list[Skipped]


def open_images(*sources: str | PathLike[str]) -> Opened:
    """Open files, folders and glob patterns; only headers are read.

    Images are named by their file, with as many parent folders as tell them apart.

    Raises
    ------
    InputError
        Where a source does not exist, a folder holds no image, or no file can be read.
    """
    files = find_files(sources)
    images: list[ImageSource] = []
    skipped: list[Skipped] = []
    for file, name in zip(files, _distinct_names(files), strict=True):
        try:
            images += [image.renamed(name + image.name) for image in _open_series(file)]
        except InputError as error:
            skipped.append(Skipped(name, str(error)))
    if not images:
        reasons = "; ".join(f"{s.name}: {s.reason}" for s in skipped[:3])
        raise InputError(f"none of {len(files)} files could be read ({reasons})")
    return Opened(images, skipped)


def open_file(path: str | PathLike[str]) -> list[ImageSource]:
    """Open one file; several images where it holds several series.

    Raises
    ------
    InputError
        Where the file is missing or no image that can be read.
    """
    path = Path(path)
    return [image.renamed(path.name + image.name) for image in _open_series(path)]


def find_files(sources: Iterable[str | PathLike[str]]) -> list[Path]:
    """List image files of files, folders (with all below them) and glob patterns, each once.

    Raises
    ------
    InputError
        Where a source does not exist or a folder holds no image.
    """
    found: list[Path] = []
    for source in sources:
        path = Path(source).expanduser()
        if path.is_dir():
            files = [
                file
                for file in path.rglob("*")
                if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
            ]
            if not files:
                kinds = ", ".join(sorted(s[1:] for s in SUFFIXES))
                raise InputError(f"the folder {path} holds no image ({kinds})")
        elif path.is_file():
            files = [path]
        else:
            # A pattern may be absolute, which Path.glob does not take.
            matches = glob.glob(str(path), recursive=True)  # noqa: PTH207
            files = [Path(match) for match in matches if Path(match).is_file()]
            if not files:
                raise InputError(f"no file, folder or pattern {path} was found: check the path")
        found += sorted(files, key=_natural)
    return list(dict.fromkeys(file.resolve() for file in found))


def _natural(path: Path) -> list[tuple[int, int | str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts]


def _distinct_names(files: list[Path]) -> list[str]:
    names = [file.name for file in files]
    for depth in range(2, 30):
        counts = Counter(names)
        if max(counts.values(), default=1) == 1:
            break
        names = [
            name if counts[name] == 1 else "/".join(file.parts[-depth:])
            for name, file in zip(names, files, strict=True)
        ]
    return names


def _open_series(path: Path) -> list[ImageSource]:
    """Open the series of a file, named '' for the first and '#1', '#2', ... for further ones."""
    if not path.is_file():
        raise InputError(f"the file {path} does not exist")
    if path.stat().st_size == 0:
        raise InputError("the file is empty")
    try:
        if path.suffix.lower() in TIFF_SUFFIXES:
            return _open_tiff(path)
        return [_open_pillow(path)]
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"it is no image that can be read ({reason_of(error)})") from error


# --- Pillow -------------------------------------------------------------------------------------


def _open_pillow(path: Path) -> ImageSource:
    with Image.open(path) as image:
        width, height = image.size
        if image.getexif().get(0x0112, 1) >= 5:  # turned by a quarter when shown
            width, height = height, width
        rgb, dtype = _pillow_kind(image)
    axes = "YXS" if rgb else "YX"
    shape = (height, width, 3) if rgb else (height, width)

    return ImageSource(
        name="",
        axes=axes,
        shape=shape,
        dtype=np.dtype(dtype),
        channel_names=default_channel_names(axes, shape),
        load=lambda: _decode_pillow(path),
        path=path,
    )


def _pillow_kind(image: Image.Image) -> tuple[bool, str]:
    if image.mode.startswith("I;16"):
        return False, "uint16"
    if image.mode in ("1", "L", "LA"):
        return False, "uint8"
    if image.mode == "I":
        return False, "int32"
    if image.mode == "F":
        return False, "float32"
    return True, "uint8"


def _decode_pillow(path: Path) -> np.ndarray:
    return _decoded(path, path.stat().st_mtime_ns)


# One decoded file is kept: patches of one image are read one after another.
@lru_cache(maxsize=1)
def _decoded(path: Path, modified: int) -> np.ndarray:
    with Image.open(path) as file:
        rgb, dtype = _pillow_kind(file)
        image = ImageOps.exif_transpose(file)
        if rgb:
            image = image.convert("RGB")
        elif dtype == "uint8":
            image = image.convert("L")
        return np.asarray(image).astype(dtype, copy=False)


# --- TIFF ---------------------------------------------------------------------------------------


def _open_tiff(path: Path) -> list[ImageSource]:
    with tifffile.TiffFile(path) as tiff:
        ome = _ome_images(tiff)
        images = [
            _tiff_series(path, tiff, number, series, ome.get(number))
            for number, series in enumerate(tiff.series)
        ]
    if not images:
        raise InputError("the TIFF file holds no image")
    return images


def _tiff_series(
    path: Path, tiff: tifffile.TiffFile, number: int, series: Any, ome: _OmeImage | None
) -> ImageSource:
    axes, shape = _standard_axes(series.axes, series.shape)
    if "S" in axes and series.shape[series.axes.index("S")] not in (3, 4):
        # Samples that are no colours: channels side by side in each pixel.
        axes = axes.replace("S", "C")
    pixel_size, unit = (1.0, 1.0), "pixel"
    names: tuple[str, ...] = ()
    if ome is not None:
        pixel_size, unit, names = ome
    elif tiff.is_imagej:
        pixel_size, unit = _imagej_pixel_size(tiff)
    defaults = default_channel_names(axes, shape)
    alpha = "S" in axes and shape[axes.index("S")] == 4
    if alpha:
        shape = tuple(3 if axis == "S" else n for axis, n in zip(axes, shape, strict=True))
        defaults = defaults[:3]
    squeeze = tuple(
        0 if n == 1 and axis not in "YXS" else slice(0, 3) if axis == "S" and alpha else slice(None)
        for axis, n in zip(series.axes, series.shape, strict=True)
    )

    return ImageSource(
        name="" if number == 0 else f"#{number}",
        axes=axes,
        shape=shape,
        dtype=np.dtype(series.dtype),
        channel_names=names if len(names) == len(defaults) else defaults,
        load=lambda: _Squeezed(_tiff_array(path, number), squeeze),
        pixel_size=pixel_size,
        unit=unit,
        path=path,
        series=number,
    )


class _Squeezed:
    """An array with its axes of length 1 left out."""

    def __init__(self, array: Any, template: tuple) -> None:
        self.array = array
        self.template = template

    def __getitem__(self, index: tuple) -> np.ndarray:
        given = iter(index)
        full = []
        for fixed in self.template:
            if fixed == 0:
                full.append(0)
            else:
                asked = next(given)
                full.append(fixed if asked == slice(None) else asked)
        return np.asarray(self.array[tuple(full)])


def _standard_axes(axes: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """Drop axes of length 1 and name those that the file leaves unnamed.

    An unnamed axis is depth (pages of a stack) if it is longer than `MOST_CHANNELS`, else channels.
    """
    kept = [(a, n) for a, n in zip(axes, shape, strict=True) if n != 1 or a in "YXS"]
    named = [a for a, _ in kept]
    for i, (axis, length) in enumerate(kept):
        if axis not in "TCZYXS":
            free = [a for a in ("ZTC" if length > MOST_CHANNELS else "CZT") if a not in named]
            if "S" in named and "C" in free:
                free.remove("C")
            if not free:
                raise InputError(f"its axes '{axes}' of lengths {shape} are too many")
            named[i] = free[0]
    return "".join(named), tuple(n for _, n in kept)


# A few files stay open: not every region should parse its headers again.
@lru_cache(maxsize=4)
def _tiff_array(path: Path, number: int) -> Any:
    """Open a series for reading regions: chunks are decoded when asked for."""
    store = tifffile.imread(path, aszarr=True, series=number, level=0)
    return zarr.open(store, mode="r")


_OmeImage = tuple[tuple[float, float], str, tuple[str, ...]]


def _ome_images(tiff: tifffile.TiffFile) -> dict[int, _OmeImage]:
    """Pixel size (y, x), unit and channel names by series, from OME-XML where there is one."""
    if not tiff.is_ome or not tiff.ome_metadata:
        return {}
    try:
        root = ElementTree.fromstring(tiff.ome_metadata)
    except ElementTree.ParseError:
        return {}
    found: dict[int, _OmeImage] = {}
    for number, pixels in enumerate(root.iterfind(".//{*}Image/{*}Pixels")):
        y, x = pixels.get("PhysicalSizeY"), pixels.get("PhysicalSizeX")
        size, unit = (1.0, 1.0), "pixel"
        if y and x and float(y) > 0 and float(x) > 0:
            size, unit = (float(y), float(x)), pixels.get("PhysicalSizeXUnit", "µm")
        channels = pixels.iterfind("{*}Channel")
        names = tuple(c.get("Name") or f"channel {i}" for i, c in enumerate(channels))
        found[number] = (size, unit, names)
    return found


def _imagej_pixel_size(tiff: tifffile.TiffFile) -> tuple[tuple[float, float], str]:
    unit = str((tiff.imagej_metadata or {}).get("unit", "")).replace("\\u00B5", "µ")
    unit = {"micron": "µm", "um": "µm", "microns": "µm"}.get(unit, unit)
    tags = tiff.pages[0].tags
    sizes = []
    for tag in ("YResolution", "XResolution"):
        numerator, denominator = tags[tag].value if tag in tags else (0, 1)
        sizes.append(denominator / numerator if numerator else 0.0)
    if not unit or unit == "pixel" or min(sizes) <= 0:
        return (1.0, 1.0), "pixel"
    return (sizes[0], sizes[1]), unit
