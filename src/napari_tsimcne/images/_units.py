"""Pixel sizes: the many names of units of length brought to one."""

from __future__ import annotations

from typing import Any

from napari_tsimcne.images._source import MICROMETRES

PIXEL: tuple[tuple[float, float], str] = ((1.0, 1.0), "pixel")
"""The pixel size of an image that does not say it."""

_NAMES = {
    "nm": ("nanometer", "nanometre", "nanometers"),
    "µm": ("um", "μm", "micron", "microns", "micrometer", "micrometre", "micrometers", "\\u00b5m"),
    "mm": ("millimeter", "millimetre", "millimeters"),
    "cm": ("centimeter", "centimetre", "centimeters"),
    "m": ("meter", "metre", "meters"),
    "pixel": ("pixels", "px", "", "none", "dimensionless", "reference frame"),
}
_UNITS = {name: unit for unit, names in _NAMES.items() for name in (unit, *names)}


def standard_unit(name: Any) -> str:
    """Return ``nm``, ``µm``, ``mm``, ``cm``, ``m`` or ``pixel``; an unknown unit as it is."""
    text = str(name or "").strip()
    return _UNITS.get(text) or _UNITS.get(text.lower(), text)


def pixel_size(
    y: Any, x: Any, y_unit: Any = "µm", x_unit: Any = "µm"
) -> tuple[tuple[float, float], str]:
    """Size along (y, x) and its unit; `PIXEL` where one is missing or not above 0."""
    try:
        sizes = abs(float(y)), abs(float(x))
    except (TypeError, ValueError):
        return PIXEL
    units = standard_unit(y_unit), standard_unit(x_unit)
    if not all(0 < size < float("inf") for size in sizes):
        return PIXEL
    if units[0] == units[1]:
        return sizes, units[0]
    if not set(units) <= set(MICROMETRES):
        return PIXEL
    in_micrometres = [size * MICROMETRES[unit] for size, unit in zip(sizes, units, strict=True)]
    return (in_micrometres[0], in_micrometres[1]), "µm"
