"""Formats of microscope makers, through bioio where the user has installed it."""

from __future__ import annotations

from functools import lru_cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._source import ImageSource, reason_of
from napari_tsimcne.images._stored import StoredArray
from napari_tsimcne.images._units import pixel_size

READERS = {
    ".czi": "bioio-czi", ".nd2": "bioio-nd2", ".lif": "bioio-lif", ".dv": "bioio-dv",
    ".r3d": "bioio-dv", ".sldy": "bioio-sldy",
    **dict.fromkeys(
        (".ims", ".lei", ".oib", ".oif", ".oir", ".vsi", ".zvi"), "bioio-bioformats"
    ),
}  # fmt: skip
"""The package that reads a format, by the ending of its files."""


def open_bioio(path: Path, name: str) -> list[ImageSource]:
    """Open the scenes of a file; pixels are read when asked for.

    Raises
    ------
    InputError
        Where bioio, or its reader of the format, is not installed or cannot read the file.
    """
    reader = READERS[path.suffix.lower()]
    install = f"{path.suffix} files need a reader: pip install bioio {reader}, then restart napari"
    try:
        import_module("bioio")
    except ImportError:
        raise InputError(install) from None
    try:
        scenes = _opened(path, 0, path.stat().st_mtime_ns).scenes
        images: list[ImageSource] = []
        for number in range(len(scenes)):
            images += _stored(path, number).images(name, path)
    except InputError:
        raise
    except Exception as error:
        if find_spec(reader.replace("-", "_")) is None:
            raise InputError(install) from error
        reason = reason_of(error).split(". ")[0]
        raise InputError(f"{reader} cannot read it ({reason})") from error
    return images


def _stored(path: Path, scene: int) -> StoredArray:
    image = _opened(path, scene, path.stat().st_mtime_ns)
    data = image.dask_data
    axes: list[str | None] = list(image.dims.order)
    samples = int(data.shape[axes.index("S")]) if "S" in axes else 0
    if "S" in axes and samples not in (3, 4):
        axes = ["P" if a == "C" else "C" if a == "S" else a for a in axes]
    size = image.physical_pixel_sizes
    found, unit = pixel_size(size.Y, size.X)
    return StoredArray(
        axes=axes,
        shape=tuple(data.shape),
        dtype=np.dtype(data.dtype),
        load=partial(_array, path, scene),
        channel_names=tuple(str(name) for name in image.channel_names or ()),
        pixel_size=found,
        unit=unit,
        alpha=samples == 4,
    )


def _array(path: Path, scene: int) -> Any:
    return _opened(path, scene, path.stat().st_mtime_ns).dask_data


@lru_cache(maxsize=8)
def _opened(path: Path, scene: int, modified: int) -> Any:
    image = import_module("bioio").BioImage(path)
    image.set_scene(scene)
    return image
