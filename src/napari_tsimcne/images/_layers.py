"""napari layers as images, without importing napari."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

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
    arrays = list(layer.data) if layer.multiscale else [layer.data]
    axes = (axes or guess_axes(layer)).upper()
    alpha = None
    if layer.rgb:
        axes = axes.removesuffix("S") + "S"
        if arrays[0].shape[-1] == 4:
            alpha = arrays[0][..., 3]
            arrays = [array[..., :3] for array in arrays]
    image = _source(layer, arrays, axes)
    return image if alpha is None else replace(image, alpha=_held(alpha))


def labels_from_layer(
    layer: Any, *, axes: str | None = None, position: int | None = None
) -> ImageSource:
    """Take a napari Labels layer as an image of whole numbers without channels.

    ``axes`` as for `from_layer`, where no axis is channels. ``position``: of one image along the
    first axis of a layer that shows several; ``axes`` are without it.

    Raises
    ------
    InputError
        Where the axes do not fit the layer, or one of them is channels.
    """
    arrays = list(layer.data) if layer.multiscale else [layer.data]
    if position is not None:
        arrays = [array[position] for array in arrays]
    axes = (axes or _guess(layer, channels=False)).upper()
    if "C" in axes:
        raise InputError(f"the labels '{layer.name}' have channels: name that axis T or Z")
    return _source(layer, arrays, axes)


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


def _source(layer: Any, arrays: list[Any], axes: str) -> ImageSource:
    shape = tuple(int(n) for n in arrays[0].shape)
    image = ImageSource(
        name=layer.name,
        axes=axes,
        shape=shape,
        dtype=np.dtype(arrays[0].dtype),
        channel_names=default_channel_names(axes, shape) if set("CS") & set(axes)
        else (layer.name,),
        load=_held(arrays[0]),
    )  # fmt: skip
    y, x = axes.index("Y"), axes.index("X")
    # The first axis of the layer may count images.
    further = max(0, layer.ndim - len(axes))
    size, unit, note = layer_pixel_size(layer, y + further, x + further)
    notes: tuple[str, ...] = (note,) if note else ()
    levels = tuple(
        Level((int(a.shape[y]), int(a.shape[x])), _held(a))
        for a in arrays[1:]
        if a.dtype == arrays[0].dtype and is_reduced_copy(axes, shape, a.shape)
    )
    if len(levels) < len(arrays) - 1:
        notes += (levels_left_out(len(arrays) - 1 - len(levels), len(arrays) - 1),)
    return replace(image, levels=levels, pixel_size=size, unit=unit, notes=notes)


def _held(array: Any) -> Any:
    return lambda: array
