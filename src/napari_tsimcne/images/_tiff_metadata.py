"""Pixel sizes and channel names in TIFF files: OME-XML, ImageJ, slide scanners, resolution tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import tifffile

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._units import PIXEL, pixel_size, standard_unit

_CENTIMETRE = 3
_LARGEST_MICROMETRES = 25.0
"""Larger pixels in a resolution tag are of a print, not of a specimen."""


@dataclass(frozen=True)
class Metadata:
    """Pixel size (y, x) with its unit and channel names; empty where the file does not say."""

    pixel_size: tuple[float, float] = PIXEL[0]
    unit: str = PIXEL[1]
    channel_names: tuple[str, ...] = ()


def metadata_of(tiff: tifffile.TiffFile) -> dict[int, Metadata]:
    """Return what a file says of its series, by their number.

    Raises
    ------
    InputError
        Where its OME-XML cannot be parsed.
    """
    if tiff.is_ome and tiff.ome_metadata:
        return _of_ome(tiff)
    size, unit = PIXEL
    if tiff.is_imagej:
        size, unit = _of_imagej(tiff)
    elif tiff.is_lsm:
        says = tiff.lsm_metadata or {}
        size, unit = pixel_size(says.get("VoxelSizeY"), says.get("VoxelSizeX"), "m", "m")
        if unit == "m":
            size, unit = (size[0] * 1e6, size[1] * 1e6), "µm"
    elif tiff.is_svs:
        says = tifffile.tifffile.svs_description_metadata(tiff.pages.first.description)
        size, unit = pixel_size(says.get("MPP"), says.get("MPP"))
    if unit == "pixel" and tiff.series:
        size, unit = _of_resolution(tiff.series[0].keyframe)
    return {number: Metadata(size, unit) for number in range(len(tiff.series))}


def _of_ome(tiff: tifffile.TiffFile) -> dict[int, Metadata]:
    try:
        root = ElementTree.fromstring(tiff.ome_metadata)
    except ElementTree.ParseError as error:
        raise InputError(f"its OME-XML cannot be read ({error})") from error
    images = [
        image for image in root.iterfind(".//{*}Image") if image.find("{*}Pixels") is not None
    ]
    if len(images) == len(tiff.series):
        pairs = dict(enumerate(images))
    else:  # images without planes are no series
        by_name = {image.get("Name"): image for image in images}
        pairs = {n: by_name[s.name] for n, s in enumerate(tiff.series) if s.name in by_name}
    return {number: _of_ome_image(image.find("{*}Pixels")) for number, image in pairs.items()}


def _of_ome_image(pixels: Any) -> Metadata:
    size, unit = pixel_size(
        pixels.get("PhysicalSizeY"),
        pixels.get("PhysicalSizeX"),
        pixels.get("PhysicalSizeYUnit", "µm"),
        pixels.get("PhysicalSizeXUnit", "µm"),
    )
    channels = pixels.iterfind("{*}Channel")
    names = tuple(c.get("Name") or f"channel {i}" for i, c in enumerate(channels))
    return Metadata(size, unit, names)


def _of_imagej(tiff: tifffile.TiffFile) -> tuple[tuple[float, float], str]:
    says = tiff.imagej_metadata or {}
    unit = standard_unit(says.get("unit"))
    per_unit = _resolution(tiff.pages.first)
    if unit in ("pixel", "inch") or per_unit is None:
        return PIXEL
    y_unit = standard_unit(says.get("yunit", unit))
    return pixel_size(1 / per_unit[0], 1 / per_unit[1], y_unit, unit)


def _of_resolution(page: Any) -> tuple[tuple[float, float], str]:
    """Believe pixels a centimetre where they are those of a microscope."""
    per_unit = _resolution(page)
    if per_unit is None or page.tags.valueof("ResolutionUnit") != _CENTIMETRE:
        return PIXEL
    size = 1e4 / per_unit[0], 1e4 / per_unit[1]
    return (size, "µm") if max(size) < _LARGEST_MICROMETRES else PIXEL


def _resolution(page: Any) -> tuple[float, float] | None:
    """Pixels a unit along (y, x)."""
    found = []
    for tag in ("YResolution", "XResolution"):
        value = page.tags.valueof(tag)
        if not isinstance(value, tuple) or len(value) != 2 or not (value[0] and value[1]):
            return None
        found.append(value[0] / value[1])
    return found[0], found[1]
