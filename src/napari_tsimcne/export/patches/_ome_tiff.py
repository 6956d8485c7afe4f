"""What OME-TIFF files say of their pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_tsimcne.images import MICROMETRES

TYPES = ("bool", "int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64")
"""Of pixels that OME knows."""


def suffix_of(dtype: np.dtype) -> str:
    """Return ``.ome.tif``, or ``.tif`` for types of pixels that OME does not know."""
    return ".ome.tif" if dtype.name in TYPES else ".tif"


def pixel_metadata(pixel_size: tuple[float, float], unit: str) -> dict[str, Any]:
    """Return what tifffile writes of the size of pixels (y, x).

    A unit that is no length but ``pixel`` is a scale of its own, for OME.
    """
    ome_unit = unit if unit in MICROMETRES or unit == "pixel" else "reference frame"
    return {
        "PhysicalSizeX": float(pixel_size[1]), "PhysicalSizeXUnit": ome_unit,
        "PhysicalSizeY": float(pixel_size[0]), "PhysicalSizeYUnit": ome_unit,
    }  # fmt: skip


def printable(name: str) -> str:
    """Return a name as XML takes it, without control characters and halves of characters."""
    return "".join(c for c in name if c.isprintable())
