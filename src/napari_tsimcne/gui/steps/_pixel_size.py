"""The size of pixels, set in the layers themselves, so that all that asks them agrees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer

from napari_tsimcne.gui.images._outlines import level_shape
from napari_tsimcne.images import World, corners, layer_matrix


def set_pixel_size(viewer: Any, axes: Mapping[Image, str], size: float, unit: str) -> None:
    """Give layers square pixels of a size in a unit; they keep their places in pixels.

    Layers that lie over them, as objects and points do, are scaled with them: Labels layers of
    their size and place, and what is scaled as they are, unless further images are scaled so.

    Parameters
    ----------
    viewer
        The napari viewer.
    axes
        Axes of the images by their layers, one letter of ``TCZYX`` a dimension.
    size, unit
        Side of a pixel, above 0, and ``nm``, ``µm``, ``mm``, or ``pixel`` where it is not known.
    """
    scales = {_scale(layer, own) for layer, own in axes.items()}
    others = {
        _scale(layer) for layer in viewer.layers if isinstance(layer, Image) and layer not in axes
    }
    shared = scales - others
    over = [
        layer
        for layer in viewer.layers
        if not isinstance(layer, Image)
        and layer.ndim > 1
        and (_scale(layer) in shared or any(_over(layer, image) for image in axes))
    ]
    for layer, own in axes.items():
        _rescale(layer, [own.index(axis) for axis in "YX"], size, unit)
    for layer in over:
        _rescale(layer, [layer.ndim - 2, layer.ndim - 1], size, unit)


def _scale(layer: Layer, axes: str = "") -> tuple:
    at = [axes.index(axis) for axis in "YX"] if axes else [-2, -1]
    sizes = np.linalg.norm(layer_matrix(layer)[:-1, :-1][:, at], axis=0)
    return tuple(f"{size:.9g}" for size in sizes), tuple(str(layer.units[i]) for i in at)


def _over(layer: Layer, image: Image) -> bool:
    """Whether a layer is a label image that lies over an image."""
    if not isinstance(layer, Labels) or level_shape(layer)[-2:] != level_shape(image)[-2:]:
        return False
    at, world = corners(level_shape(layer)[-2:]), World.shared_by([layer, image])
    one, other = (
        world.places(la, np.pad(at, ((0, 0), (la.ndim - 2, 0))))[:, -2:] for la in (layer, image)
    )
    return bool(np.allclose(one, other))


def _rescale(layer: Layer, at: list[int], size: float, unit: str) -> None:
    scale, translate, affine = (
        np.array(part) for part in (layer.scale, layer.translate, layer.affine.affine_matrix)
    )
    units = [str(unit) for unit in layer.units]
    # What an affine holds of the size stays there.
    factors = size / np.linalg.norm(layer_matrix(layer)[:-1, :-1][:, at], axis=0)
    for i, factor in zip(at, factors, strict=True):
        scale[i] *= factor
        translate[i] *= factor
        affine[i, -1] *= factor
        units[i] = unit
    layer.units = units
    layer.scale = scale
    layer.translate = translate
    layer.affine = affine
