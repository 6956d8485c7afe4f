"""OME-Zarr (0.4 and 0.5) and plain Zarr arrays in folders."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import lru_cache, partial
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._axes import letters_of, size_of
from napari_tsimcne.images._levels import factors, levels_left_out
from napari_tsimcne.images._messages import no_warnings
from napari_tsimcne.images._notes import channels_misnamed
from napari_tsimcne.images._source import ImageSource, Skipped, reason_of
from napari_tsimcne.images._stored import StoredArray
from napari_tsimcne.images._units import PIXEL, stated_pixel_size
from napari_tsimcne.images._whole import MOST_BYTES
from napari_tsimcne.images._zarr_chunks import ZarrChunks, decoders

_OF_ARRAYS = ("zarr.json", ".zarray")
_METADATA = (*_OF_ARRAYS, ".zgroup", ".zattrs")


def is_zarr(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is a Zarr group or array."""
    return any(Path(folder, name).is_file() for name in _METADATA)


def open_zarr(path: Path, name: str) -> list[ImageSource | Skipped]:
    """Open the images of a Zarr folder: one, a series, or all fields of a plate.

    Wells, fields and images that are listed, but missing or broken, are skipped.

    Raises
    ------
    InputError
        Where its metadata is broken or names no image.
    """
    with no_warnings():  # of files in the folder that are no part of it
        return _open(path, name)


def _open(path: Path, name: str) -> list[ImageSource | Skipped]:
    _check_json(path)
    node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        return [*_plain(path, node).images(name, path)]
    says = _ome(node)
    if "multiscales" in says:
        return [image for one in _multiscales(path, "", node) for image in one.images(name, path)]
    if "plate" in says:
        return [
            part
            for place in _fields(path, node, says["plate"], name)
            for part in (
                [place]
                if isinstance(place, Skipped)
                else _listed(path, place, node, f"{name}/{place}", f"{name}/{place}")
            )
        ]
    inner = _series(node, says)
    if not inner:
        raise InputError(
            "the Zarr folder has no OME metadata: choose one of the arrays in it "
            f"({', '.join(sorted(node)[:5]) or 'there is none'})"
        )
    return [part for place in inner for part in _listed(path, place, node, name, f"{name}/{place}")]


def _listed(
    path: Path, place: str, node: Any, name: str, as_missing: str
) -> list[ImageSource | Skipped]:
    """Open an image that a plate or a series lists; skipped where it is missing or broken."""
    try:
        if place not in node:
            return [Skipped(as_missing, "it is listed in the metadata, but was not written")]
        _check_json(path / place)
        return [
            image
            for one in _multiscales(path, place, node[place])
            for image in one.images(name, path)
        ]
    except InputError as error:
        return [Skipped(as_missing, str(error))]
    except Exception as error:  # broken metadata, of which zarr raises many kinds
        return [Skipped(as_missing, f"it cannot be read ({reason_of(error)})")]


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


def _fields(path: Path, node: Any, plate: dict[str, Any], name: str) -> list[str | Skipped]:
    """Paths of the fields of a plate, well by well; wells that are listed only are skipped."""
    fields: list[str | Skipped] = []
    for well in dict.fromkeys(str(well["path"]) for well in plate["wells"]):
        try:
            _check_json(path / well)
            listed = _ome(node[well])["well"]["images"] if well in node else None
            fields += (
                [Skipped(f"{name}/{well}", "the well is listed in the plate, but was not written")]
                if listed is None
                else [f"{well}/{field['path']}" for field in listed]
            )
        except InputError as error:
            fields.append(Skipped(f"{name}/{well}", str(error)))
        except (KeyError, TypeError):
            fields.append(Skipped(f"{name}/{well}", "the well does not list its fields"))
    return fields


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
    found = []
    for number, dataset in enumerate(says["datasets"]):
        inner = str(dataset["path"])
        array = node.get(inner)
        if not isinstance(array, zarr.Array):
            if number == 0:
                raise InputError(f"its array '{inner}' of full resolution was not written")
            continue
        _check_json(path / place / inner)
        _check_chunk(array)
        found.append(_Dataset(inner, array, dataset))
    axes, units = _axes(says.get("axes"), found[0].array.ndim)
    found = _largest_first(found, axes)
    whole = found[0].array
    levels = [one for one in found[1:] if _is_level(one, found[0], axes)]
    size, unit, notes = _pixel_size(found[0], says, axes, units)
    if len(levels) < len(says["datasets"]) - 1:
        of = len(says["datasets"]) - 1
        notes += (levels_left_out(of - len(levels), of),)
    channels = int(whole.shape[axes.index("C")]) if "C" in axes else 1
    if len(channel_names) not in (0, channels):
        notes += (channels_misnamed(len(channel_names), channels),)
    notes += _unlike_types(says.get("axes"), axes)
    if not _any_chunk(path / place / found[0].path):
        notes += (f"none of its chunks was written: all its pixels are {whole.fill_value}",)
    loads = [
        partial(_array, path, f"{place}/{one.path}".lstrip("/")) for one in (found[0], *levels)
    ]
    return StoredArray(
        axes=axes,
        shape=tuple(whole.shape),
        dtype=np.dtype(whole.dtype),
        load=loads[0],
        levels=[
            (tuple(one.array.shape), load) for one, load in zip(levels, loads[1:], strict=True)
        ],
        channel_names=tuple(channel_names),
        pixel_size=size,
        unit=unit,
        notes=notes,
    )


class _Dataset(NamedTuple):
    """One resolution of an image: its path, its array, and what the metadata says of it."""

    path: str
    array: Any
    says: dict[str, Any]


def _largest_first(found: list[_Dataset], axes: Sequence[str | None]) -> list[_Dataset]:
    yx = [axes.index(a) for a in "YX"] if {"Y", "X"} <= set(axes) else [-2, -1]
    return sorted(found, key=lambda one: -prod(int(one.array.shape[i]) for i in yx))


def _is_level(one: _Dataset, whole: _Dataset, axes: Sequence[str | None]) -> bool:
    """Whether type and transformations are those of the same picture at lower resolution.

    Shapes are compared where all formats meet, see `StoredArray`.
    """
    ndim = whole.array.ndim
    if one.array.dtype != whole.array.dtype or one.array.ndim != ndim:
        return False
    fine, coarse = (_stated(each.says, "scale", ndim) for each in (whole, one))
    if fine is None or coarse is None:
        return True
    lengths = whole.array.shape, one.array.shape
    for axis, step, wider, n, m in zip(axes, fine, coarse, *lengths, strict=True):
        low, high = factors(int(n), int(m)) if axis in ("Y", "X") else (1.0, 1.0)
        if step and not 0.99 * low <= wider / step <= 1.01 * high:
            return False
    begins = [_stated(each.says, "translation", ndim) or [0.0] * ndim for each in (whole, one)]
    # The centre of the first coarse pixel may be that of the first fine one, or within it.
    return bool((np.abs(np.subtract(begins[1], begins[0])) <= np.abs(coarse)).all())


def _pixel_size(
    whole: _Dataset, says: dict[str, Any], axes: Sequence[str | None], units: Sequence[str]
) -> tuple[tuple[float, float], str, tuple[str, ...]]:
    """Pixel size, its unit, and notes; unknown where no scale is stated."""
    steps = [_stated(each, "scale", whole.array.ndim) for each in (whole.says, says)]
    stated = [step for step in steps if step is not None]
    if not stated or not {"Y", "X"} <= set(axes):
        odd = any(t.get("type") == "scale" for each in (whole.says, says)
                  for t in each.get("coordinateTransformations", ()))  # fmt: skip
        note = "its scale has another number of axes than the array, and is not used"
        return (*PIXEL, (note,) * (odd and not stated))
    scale = np.prod(stated, axis=0)
    y, x = axes.index("Y"), axes.index("X")
    size, unit, why_not = stated_pixel_size(float(scale[y]), float(scale[x]), units[y], units[x])
    return size, unit, (why_not,) if why_not else ()


def _axes(says: Sequence[Any] | None, ndim: int) -> tuple[list[str | None], list[str]]:
    """Letters and units of the axes; before 0.3 they were not written, and were TCZYX."""
    if says is None:
        return list("TCZYX"[-ndim:]) if ndim <= 5 else [None] * ndim, [""] * ndim
    if len(says) != ndim:
        raise InputError(f"its metadata names {len(says)} axes, its array has {ndim}")
    axes = [{"name": axis} if isinstance(axis, str) else axis for axis in says]
    names = [str(axis["name"]) for axis in axes]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"its metadata names two axes '{twice[0]}': give each a name of its own")
    letters = letters_of(names)
    for i, axis in enumerate(axes):
        letter = _KINDS.get(str(axis.get("type")))
        if letters[i] is None and letter and letter not in letters:
            letters[i] = letter
        elif letters[i] is None and "type" in axis and axis["type"] != "space":
            letters[i] = "P"
    return letters, [str(axis.get("unit") or "") for axis in axes]


_KINDS = {"time": "T", "channel": "C"}


def _unlike_types(says: Sequence[Any] | None, letters: Sequence[str | None]) -> tuple[str, ...]:
    """Say which axes are of another type than their names mean."""
    types = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
    return tuple(
        f"its axis '{axis['name']}' is of the type '{axis['type']}': it is taken by its name"
        for axis, letter in zip(says or (), letters, strict=False)
        if isinstance(axis, dict) and letter in types and axis.get("type") is not None
        and axis["type"] != types[letter]
    )  # fmt: skip


def _stated(says: dict[str, Any], kind: str, ndim: int) -> list[float] | None:
    """Numbers of a scale or translation, one an axis; None where it is not stated."""
    for step in says.get("coordinateTransformations", ()):
        if step.get("type") == kind and len(step.get(kind, ())) == ndim:
            return [float(number) for number in step[kind]]
    return None


def _any_chunk(folder: Path) -> bool:
    """Whether any part of an array was written."""
    with os.scandir(folder) as files:
        return any(file.name not in _OF_ARRAYS and not file.name.startswith(".z") for file in files)


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
