"""napari Image layers as images, without importing napari."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._source import MOST_CHANNELS, ImageSource, default_channel_names

_LABELS = {
    "t": "T", "time": "T", "c": "C", "ch": "C", "channel": "C", "z": "Z", "depth": "Z",
    "y": "Y", "x": "X",
}  # fmt: skip


def from_layer(layer: Any, *, axes: str | None = None) -> ImageSource:
    """Take a napari Image layer: RGB, or with named axes; the finest level of a pyramid.

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
    data = layer.data[0] if layer.multiscale else layer.data
    axes = (axes or guess_axes(layer)).upper()
    if layer.rgb:
        axes = axes.removesuffix("S") + "S"
    shape = tuple(int(n) for n in data.shape)
    rgba = layer.rgb and shape[-1] == 4
    if rgba:
        data, shape = data[..., :3], (*shape[:-1], 3)
    scale = np.asarray(layer.scale, dtype=float)[-2:]
    return ImageSource(
        name=layer.name,
        axes=axes,
        shape=shape,
        dtype=np.dtype(data.dtype),
        channel_names=default_channel_names(axes, shape) if "C" in axes or layer.rgb
        else (layer.name,),
        load=lambda: data,
        pixel_size=(float(scale[0]), float(scale[1])),
        unit=str(layer.units[-1]),
    )  # fmt: skip


def guess_axes(layer: Any) -> str:
    """Axis letters of a layer (without the samples of RGB), from its labels where it has them.

    Without labels, leading axes are depth, then time; but the first is channels where it is no
    longer than five and the layer is not RGB.
    """
    labels = [_LABELS.get(str(label).lower()) for label in layer.axis_labels]
    known: Sequence[str] = [label for label in labels if label]
    if len(known) == len(labels) and len(set(known)) == len(known) and {"Y", "X"} <= set(known):
        return "".join(known)
    if layer.ndim > 4:
        raise InputError(
            f"the layer '{layer.name}' has {layer.ndim} axes: name them in its axis labels "
            "(t, c, z, y, x)"
        )
    length = layer.data[0].shape[0] if layer.multiscale else layer.data.shape[0]
    if layer.ndim > 2 and length <= MOST_CHANNELS and not layer.rgb:
        return {3: "CYX", 4: "CZYX"}[layer.ndim]
    return "TZYX"[-layer.ndim :]
