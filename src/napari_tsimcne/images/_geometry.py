"""Where pixels lie: the one way from the pixels of a layer to the world that all layers share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._units import MICROMETRES, PIXEL, standard_unit

_FAR = 2.0**20
"""Pixels over which the step of one is measured: so that a layer far away loses no digits."""

SHEARED = 0.01
"""Cosine of the angle between rows and columns, above which pixels are no rectangles."""


@dataclass(frozen=True)
class World:
    """The space that layers share, as a viewer shows it.

    Parameters
    ----------
    units
        Of its axes (pint units, or names); layers with fewer axes have the last ones. None where
        the units of layers do not go together, as µm and pixels: then numbers count as they are.
    """

    units: tuple[Any, ...] | None = None

    @classmethod
    def of(cls, viewer: Any) -> World:
        """Return the world of a viewer, in which it has its pointer, sliders and camera.

        Versions of napari that do not convert units have none.
        """
        units = getattr(viewer.layers, "units", None)
        return cls(None if units is None else tuple(units))

    @classmethod
    def shared_by(cls, layers: Iterable[Any]) -> World:
        """Return the world of layers by themselves, in the units of the one with most axes."""
        all_units = sorted((tuple(layer.units) for layer in layers), key=len, reverse=True)
        first = all_units[0] if all_units else ()
        for units in all_units:
            pairs = zip(units, first[len(first) - len(units) :], strict=True)
            if any(_times(own, shared) is None for own, shared in pairs):
                return cls(None)
        return cls(first)

    def matrix(self, layer: Any, ndim: int | None = None) -> np.ndarray:
        """Affine matrix (D + 1, D + 1) from a layer's pixels to this world.

        ``ndim``: number of axes D, at least the layer's, which are the last of them; the layer's
        own number where left out.
        """
        own = layer_matrix(layer)
        units = tuple(layer.units)
        if self.units is not None and len(self.units) >= len(units):
            shared = self.units[len(self.units) - len(units) :]
            factors = [_times(one, other) for one, other in zip(units, shared, strict=True)]
            own[:-1] *= np.array([1.0 if f is None else f for f in factors])[:, None]
        missing = 0 if ndim is None else ndim - len(units)
        whole = np.eye(missing + len(own))
        whole[missing:, missing:] = own
        return whole

    def places(self, layer: Any, pixels: np.ndarray) -> np.ndarray:
        """Places (..., D) of a layer's pixels (..., D) in this world."""
        return transformed(np.asarray(pixels, float), self.matrix(layer))

    def pixels(self, layer: Any, places: np.ndarray) -> np.ndarray:
        """Pixels (..., D) of a layer at places (..., W) in this world.

        Of places with more axes the last ones count; axes that they lack are 0.

        Raises
        ------
        InputError
            Where the layer's transform flattens it.
        """
        places = np.asarray(places, float)
        missing = layer.ndim - places.shape[-1]
        lead = [(0, 0)] * (places.ndim - 1)
        places = np.pad(places[..., max(-missing, 0) :], [*lead, (max(missing, 0), 0)])
        return transformed(places, _inverse(self.matrix(layer), layer))

    def between(self, layer: Any, other: Any) -> np.ndarray:
        """Affine matrix (D + 1, D + 1) from a layer's pixels to another's.

        D is the larger number of axes of the two; axes that one lacks are the same in both.

        Raises
        ------
        InputError
            Where the other's transform flattens it.
        """
        ndim = max(layer.ndim, other.ndim)
        return _inverse(self.matrix(other, ndim), other) @ self.matrix(layer, ndim)


def layer_matrix(layer: Any) -> np.ndarray:
    """Affine matrix (D + 1, D + 1) from a layer's pixels to its own world, in its own units.

    Scale, translation, rotation, shear and affine are composed as napari does.
    """
    ndim = layer.ndim
    origin = np.array(layer.data_to_world(np.zeros(ndim)), float)
    found = np.eye(ndim + 1)
    found[:-1, -1] = origin
    for axis, step in enumerate(np.eye(ndim) * _FAR):
        found[:-1, axis] = (np.array(layer.data_to_world(step)) - origin) / _FAR
    # What is left of turning by nothing, or by a quarter, is rounding.
    linear = found[:-1, :-1]
    linear[np.abs(linear) < 1e-14 * np.abs(linear).max(initial=0)] = 0
    return found


def transformed(places: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Map places (..., D) by an affine matrix (D + 1, D + 1)."""
    return places @ affine[:-1, :-1].T + affine[:-1, -1]


def corners(shape: Iterable[int]) -> np.ndarray:
    """Centres of the pixels at the corners of an array, (2 ** D, D) float64."""
    return np.array(list(product(*((0, n - 1) for n in shape))), float)


def layer_pixel_size(layer: Any, y: int, x: int) -> tuple[tuple[float, float], str, str]:
    """Size of a layer's pixels along its axes ``y`` and ``x``, its unit, and a note.

    Whatever holds it: scale, affine, or both, turned or mirrored. The note is empty, or says why
    the size is not known though the layer states one.
    """
    linear = layer_matrix(layer)[:-1, [y, x]]
    along = np.abs(linear).max(axis=1) > 1e-9 * np.abs(linear).max()
    linear = linear[along]
    units = [standard_unit(unit) for unit, used in zip(layer.units, along, strict=True) if used]
    unit = units[0] if units else PIXEL[1]
    if len(set(units)) > 1:
        if not set(units) <= set(MICROMETRES):
            return (*PIXEL, f"its pixels are in {' and '.join(dict.fromkeys(units))}")
        linear = linear * np.array([MICROMETRES[own] for own in units])[:, None]
        unit = "µm"
    sizes = np.linalg.norm(linear, axis=0)
    if not (np.isfinite(sizes).all() and (sizes > 0).all()):
        return (*PIXEL, "its transform flattens its pixels")
    if abs(linear[:, 0] @ linear[:, 1]) > SHEARED * sizes.prod():
        return (*PIXEL, "its pixels are sheared: no square of them is a square in µm")
    return (float(sizes[0]), float(sizes[1])), unit, ""


def _times(unit: Any, other: Any) -> float | None:
    """How many of another unit one is; None where they are of different kinds."""
    if unit == other:
        return 1.0
    if hasattr(unit, "dimensionality") and hasattr(other, "dimensionality"):
        if unit.dimensionality != other.dimensionality:
            return None
        one, two = ((1 * each).to_base_units().magnitude for each in (unit, other))
        return float(one / two)
    one, two = (MICROMETRES.get(standard_unit(each)) for each in (unit, other))
    return None if one is None or two is None else one / two


def _inverse(matrix: np.ndarray, layer: Any) -> np.ndarray:
    try:
        return np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        raise InputError(
            f"the transform of the layer '{layer.name}' flattens it: correct its scale or affine"
        ) from None
