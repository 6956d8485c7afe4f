"""Pixel sizes and channel names in TIFF files: OME-XML, ImageJ, slide scanners, resolution tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import tifffile

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._notes import channels_misnamed
from napari_tsimcne.images._units import PIXEL, in_micrometres, standard_unit, stated_pixel_size

_CENTIMETRE = 3
_LARGEST_MICROMETRES = 25.0
"""Larger pixels in a resolution tag are of a print, not of a specimen."""


@dataclass(frozen=True)
class Metadata:
    """Pixel size (y, x) with its unit and channel names; empty where the file does not say."""

    pixel_size: tuple[float, float] = PIXEL[0]
    unit: str = PIXEL[1]
    channel_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def metadata_of(tiff: tifffile.TiffFile) -> dict[int, Metadata]:
    """Return what a file says of its series, by their number.

    Raises
    ------
    InputError
        Where its OME-XML cannot be parsed.
    """
    if tiff.is_ome and tiff.ome_metadata:
        return _of_ome(tiff)
    size, unit, note = (*PIXEL, "")
    if tiff.is_imagej:
        size, unit, note = _of_imagej(tiff)
    elif tiff.is_lsm:
        says = tiff.lsm_metadata or {}
        size, unit, note = stated_pixel_size(
            says.get("VoxelSizeY"), says.get("VoxelSizeX"), "m", "m"
        )
        size, unit = in_micrometres(size, unit)
    elif tiff.is_svs:
        says = tifffile.tifffile.svs_description_metadata(tiff.pages.first.description)
        size, unit, note = stated_pixel_size(says.get("MPP"), says.get("MPP"))
    if unit == "pixel" and tiff.series and not note:
        size, unit = _of_resolution(tiff.series[0].keyframe)
    found = Metadata(size, unit, notes=(note,) if note else ())
    return dict.fromkeys(range(len(tiff.series)), found)


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
        names = [image.get("Name") for image in images]
        pairs = {
            n: images[names.index(s.name)]
            for n, s in enumerate(tiff.series)
            if names.count(s.name) == 1
        }
    return {
        number: _of_ome_image(image.find("{*}Pixels"), tiff.series[number])
        for number, image in pairs.items()
    }


def _of_ome_image(pixels: Any, series: Any) -> Metadata:
    size, unit, note = stated_pixel_size(
        pixels.get("PhysicalSizeY"),
        pixels.get("PhysicalSizeX"),
        pixels.get("PhysicalSizeYUnit", "µm"),
        pixels.get("PhysicalSizeXUnit", "µm"),
    )
    channels = pixels.findall("{*}Channel")
    names = tuple(c.get("Name") or f"channel {i}" for i, c in enumerate(channels))
    notes: tuple[str, ...] = (note,) if note else ()
    count = dict(zip(series.get_axes(squeeze=False), series.get_shape(squeeze=False), strict=True))
    samples = any(int(c.get("SamplesPerPixel", 1)) > 1 for c in channels)
    if channels and len(channels) != count.get("C", 1) and not samples:
        notes += (channels_misnamed(len(channels), count.get("C", 1)),)
        names = ()
    return Metadata(size, unit, names, notes)


def _of_imagej(tiff: tifffile.TiffFile) -> tuple[tuple[float, float], str, str]:
    says = tiff.imagej_metadata or {}
    unit = standard_unit(says.get("unit"))
    per_unit = _resolution(tiff.pages.first)
    # Pixels an inch are those of a print.
    if unit in ("pixel", "in") or per_unit is None:
        return (*PIXEL, "")
    y_unit = standard_unit(says.get("yunit", unit))
    return stated_pixel_size(1 / per_unit[0], 1 / per_unit[1], y_unit, unit)


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
