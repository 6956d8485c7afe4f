"""OME-Zarr (0.4 and 0.5) and plain Zarr arrays in folders."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import lru_cache, partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._axes import letters_of, size_of
from napari_tsimcne.images._messages import no_warnings
from napari_tsimcne.images._source import ImageSource
from napari_tsimcne.images._stored import StoredArray
from napari_tsimcne.images._units import PIXEL, pixel_size
from napari_tsimcne.images._whole import MOST_BYTES
from napari_tsimcne.images._zarr_chunks import ZarrChunks, decoders

_OF_ARRAYS = ("zarr.json", ".zarray")
_METADATA = (*_OF_ARRAYS, ".zgroup", ".zattrs")


def is_zarr(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is a Zarr group or array."""
    return any(Path(folder, name).is_file() for name in _METADATA)


def open_zarr(path: Path, name: str) -> list[ImageSource]:
    """Open the images of a Zarr folder: one, a series, or all fields of a plate.

    Raises
    ------
    InputError
        Where its metadata is broken or names no image.
    """
    with no_warnings():  # of files in the folder that are no part of it
        return _open(path, name)


def _open(path: Path, name: str) -> list[ImageSource]:
    _check_json(path)
    node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        return _plain(path, node).images(name, path)
    says = _ome(node)
    if "multiscales" in says:
        return [image for one in _multiscales(path, "", node) for image in one.images(name, path)]
    if "plate" in says:
        inner = _fields(node, says["plate"])
        return [
            image
            for place in inner
            for one in _multiscales(path, place, node[place])
            for image in one.images(f"{name}/{place}", path)
        ]
    inner = _series(node, says)
    if not inner:
        raise InputError(
            "the Zarr folder has no OME metadata: choose one of the arrays in it "
            f"({', '.join(sorted(node)[:5]) or 'there is none'})"
        )
    return [
        image
        for place in inner
        for one in _multiscales(path, place, node[place])
        for image in one.images(name, path)
    ]


def _check_json(path: Path) -> None:
    """Zarr takes some metadata that does not parse as if it were not there."""
    for name in _METADATA:
        file = path / name
        if file.is_file():
            try:
                json.loads(file.read_bytes())
            except ValueError as error:
                raise InputError(f"its metadata in {name} cannot be read ({error})") from error


def _ome(node: Any) -> dict[str, Any]:
    """OME metadata of a group: 0.5 keeps it apart, 0.4 among the attributes."""
    attributes = dict(node.attrs)
    return attributes.get("ome", attributes)


def _fields(node: Any, plate: dict[str, Any]) -> list[str]:
    """Paths of the fields of a plate, well by well."""
    wells = [str(well["path"]) for well in plate["wells"]]
    return [
        f"{well}/{field['path']}" for well in wells for field in _ome(node[well])["well"]["images"]
    ]


def _series(node: Any, says: dict[str, Any]) -> list[str]:
    """Paths of the images that bioformats2raw wrote: listed, or groups named by number."""
    if "bioformats2raw.layout" not in says:
        return []
    listed = _ome(node["OME"]).get("series") if "OME" in node else None
    return [str(path) for path in listed or sorted((n for n in node if n.isdigit()), key=int)]


def _multiscales(path: Path, place: str, node: Any) -> list[StoredArray]:
    says = _ome(node)
    if "multiscales" not in says:
        raise InputError(f"its group '{place}' holds no OME image")
    labels = [
        str(channel.get("label", f"channel {i}"))
        for i, channel in enumerate(says.get("omero", {}).get("channels", ()))
    ]
    return [_multiscale(path, place, node, one, labels) for one in says["multiscales"]]


def _multiscale(
    path: Path, place: str, node: Any, says: dict[str, Any], channel_names: Sequence[str]
) -> StoredArray:
    inner = [str(dataset["path"]) for dataset in says["datasets"]]
    arrays = [node[one] for one in inner]
    for one in inner:
        _check_json(path / place / one)
    for array in arrays:
        _check_chunk(array)
    whole = arrays[0]
    axes, units = _axes(says.get("axes"), whole.ndim)
    steps = [says["datasets"][0], says]
    scale = np.prod([_scale(step, whole.ndim) for step in steps], axis=0)
    size, unit = PIXEL
    if "Y" in axes and "X" in axes:
        y, x = axes.index("Y"), axes.index("X")
        size, unit = pixel_size(scale[y], scale[x], units[y], units[x])
    loads = [partial(_array, path, f"{place}/{one}".lstrip("/")) for one in inner]
    return StoredArray(
        axes=axes,
        shape=tuple(whole.shape),
        dtype=np.dtype(whole.dtype),
        load=loads[0],
        levels=[(tuple(a.shape), load) for a, load in zip(arrays[1:], loads[1:], strict=True)],
        channel_names=tuple(channel_names),
        pixel_size=size,
        unit=unit,
    )


def _axes(says: Sequence[Any] | None, ndim: int) -> tuple[list[str | None], list[str]]:
    """Letters and units of the axes; before 0.3 they were not written, and were TCZYX."""
    if says is None:
        return list("TCZYX"[-ndim:]) if ndim <= 5 else [None] * ndim, [""] * ndim
    if len(says) != ndim:
        raise InputError(f"its metadata names {len(says)} axes, its array has {ndim}")
    axes = [{"name": axis} if isinstance(axis, str) else axis for axis in says]
    letters = letters_of([axis["name"] for axis in axes])
    kinds = {"time": "T", "channel": "C"}
    for i, axis in enumerate(axes):
        letter = kinds.get(str(axis.get("type")))
        if letters[i] is None and letter and letter not in letters:
            letters[i] = letter
        elif letters[i] is None and "type" in axis and axis["type"] != "space":
            letters[i] = "P"
    return letters, [str(axis.get("unit") or "") for axis in axes]


def _scale(says: dict[str, Any], ndim: int) -> list[float]:
    for step in says.get("coordinateTransformations", ()):
        if step.get("type") == "scale" and len(step.get("scale", ())) == ndim:
            return [float(factor) for factor in step["scale"]]
    return [1.0] * ndim


def _plain(path: Path, array: Any) -> StoredArray:
    _check_chunk(array)
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    named = names is not None and len(names) == array.ndim
    axes: list[str | None] = letters_of(names) if named else [None] * array.ndim
    if not named and array.ndim == 3 and array.shape[-1] == 3 and array.dtype == np.uint8:
        axes = ["Y", "X", "S"]
    return StoredArray(
        axes=axes,
        shape=tuple(array.shape),
        dtype=np.dtype(array.dtype),
        load=partial(_array, path, ""),
    )


def _check_chunk(array: Any) -> None:
    size = size_of(array.chunks, np.dtype(array.dtype).itemsize)
    if size > MOST_BYTES and prod(array.shape):
        raise InputError(
            f"it is stored in chunks of {size / 2**30:,.1f} GiB: save it in smaller chunks"
        )


def _array(path: Path, place: str) -> Any:
    folder = path / place
    metadata = next(folder / name for name in _OF_ARRAYS if (folder / name).is_file())
    return _opened(folder, metadata.stat().st_mtime_ns)


# Not every region should parse the metadata again, unless it was written anew.
@lru_cache(maxsize=256)
def _opened(folder: Path, modified: int) -> Any:
    array = zarr.open_array(folder, mode="r")
    known = decoders(array)
    return array if known is None else ZarrChunks(folder, array, known)
