"""napari layers as images, without importing napari."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._axes import letters_of, name_axes
from napari_tsimcne.images._geometry import layer_pixel_size
from napari_tsimcne.images._levels import is_reduced_copy, levels_left_out
from napari_tsimcne.images._source import ImageSource, Level, default_channel_names


def from_layer(layer: Any, *, axes: str | None = None) -> ImageSource:
    """Take a napari Image layer: numpy, dask or Zarr data, a pyramid, RGB or RGBA.

    Parameters
    ----------
    layer
        A napari ``Image`` layer.
    axes
        One letter of ``TCZYX`` a dimension; guessed from the layer's axis labels where left out
        (see `guess_axes`).

    Raises
    ------
    InputError
        Where the axes do not fit the layer.
    """
    arrays = _levels_of(layer)
    axes = (axes or guess_axes(layer)).upper()
    alpha = None
    if layer.rgb:
        axes = axes.removesuffix("S") + "S"
        if arrays[0].shape[-1] == 4:
            alpha = arrays[0][..., 3]
            arrays = [array[..., :3] for array in arrays]
    image = _source(layer.name, [_whole(a) for a in arrays], axes, _pixels(layer, axes))
    return image if alpha is None else replace(image, alpha=_whole(alpha).load)


def labels_from_layer(layer: Any, *, axes: str | None = None) -> ImageSource:
    """Take a napari Labels layer as an image of whole numbers without channels.

    ``axes`` as for `from_layer`, where no axis is channels.

    Raises
    ------
    InputError
        Where the axes do not fit the layer, or one of them is channels.
    """
    axes = _without_channels(layer, axes or _guess(layer, channels=False))
    arrays = [_whole(array) for array in _levels_of(layer)]
    return _source(layer.name, arrays, axes, _pixels(layer, axes))


def labels_along(layer: Any, positions: Sequence[int], *, axes: str) -> list[ImageSource]:
    """Take a napari Labels layer as label images that lie along its axis before rows and columns.

    ``axes`` are without that axis, else as for `labels_from_layer`.
    """
    axes = _without_channels(layer, axes)
    arrays, pixels = _levels_of(layer), _pixels(layer, axes)
    along = min(axes.index("Y"), axes.index("X"))
    return [
        _source(layer.name, [_part(array, along, at) for array in arrays], axes, pixels)
        for at in positions
    ]


def _without_channels(layer: Any, axes: str) -> str:
    if "C" in axes.upper():
        raise InputError(f"the labels '{layer.name}' have channels: name that axis T or Z")
    return axes.upper()


def guess_axes(layer: Any) -> str:
    """Axis letters of a layer (without the samples of RGB), from its labels where it has them.

    Axes without a label that is known are guessed from the shape, see
    `napari_tsimcne.images._axes.name_axes`.

    Raises
    ------
    InputError
        Where the layer has too many axes to guess.
    """
    return _guess(layer, channels=True)


def _guess(layer: Any, *, channels: bool) -> str:
    shape = (layer.data[0] if layer.multiscale else layer.data).shape[: layer.ndim]
    colours = getattr(layer, "rgb", False) or not channels
    # Samples at the end stand for channels: no other axis is taken for them.
    known = [*letters_of(layer.axis_labels), *(["S"] if colours else [])]
    letters = name_axes(known, [*shape, *([3] if colours else [])])[: layer.ndim]
    if None in letters:
        raise InputError(
            f"the layer '{layer.name}' has {layer.ndim} axes: name them in its axis labels "
            "(t, c, z, y, x)"
        )
    return "".join(letter or "" for letter in letters)


class _Array(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype
    load: Callable[[], Any]


class _Pixels(NamedTuple):
    size: tuple[float, float]
    unit: str
    note: str


def _levels_of(layer: Any) -> list[Any]:
    return list(layer.data) if layer.multiscale else [layer.data]


def _whole(array: Any) -> _Array:
    return _Array(_shape(array.shape), np.dtype(array.dtype), lambda: array)


def _part(array: Any, axis: int, position: int) -> _Array:
    """Return the part of an array at a position along an axis, which is not read yet."""
    shape = array.shape[:axis] + array.shape[axis + 1 :]
    index = (slice(None),) * axis + (position,)
    return _Array(_shape(shape), np.dtype(array.dtype), lambda: array[index])


def _shape(lengths: Iterable[Any]) -> tuple[int, ...]:
    return tuple(int(n) for n in lengths)


def _pixels(layer: Any, axes: str) -> _Pixels:
    # An axis of the layer before them may count images.
    further = max(0, layer.ndim - len(axes))
    y, x = axes.index("Y"), axes.index("X")
    return _Pixels(*layer_pixel_size(layer, y + further, x + further))


def _source(name: str, arrays: Sequence[_Array], axes: str, pixels: _Pixels) -> ImageSource:
    first = arrays[0]
    channels = set("CS") & set(axes)
    image = ImageSource(
        name=name,
        axes=axes,
        shape=first.shape,
        dtype=first.dtype,
        channel_names=default_channel_names(axes, first.shape) if channels else (name,),
        load=first.load,
        pixel_size=pixels.size,
        unit=pixels.unit,
    )
    y, x = axes.index("Y"), axes.index("X")
    levels = tuple(
        Level((array.shape[y], array.shape[x]), array.load)
        for array in arrays[1:]
        if array.dtype == first.dtype and is_reduced_copy(axes, first.shape, array.shape)
    )
    notes: tuple[str, ...] = (pixels.note,) if pixels.note else ()
    if len(levels) < len(arrays) - 1:
        notes += (levels_left_out(len(arrays) - 1 - len(levels), len(arrays) - 1),)
    return replace(image, levels=levels, notes=notes) if levels or notes else image
