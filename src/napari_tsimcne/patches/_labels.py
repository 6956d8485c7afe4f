"""Label images: whether they fit their images, and their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import ImageSource
from napari_tsimcne.patches._blocks import Region, block_shape, squares
from napari_tsimcne.recipe import Depth


@dataclass(frozen=True, eq=False)
class Labelled:
    """An image with its label image: worked on in blocks, these in parts of at most ``side``."""

    image: ImageSource
    mask: ImageSource
    side: int
    block_shape: tuple[int, int]

    @classmethod
    def of(cls, image: ImageSource, labels: Mapping[str, ImageSource], side: int) -> Labelled:
        mask = _fitting(image, labels)
        return cls(image, mask, side, block_shape(mask, side))

    @property
    def planes(self) -> list[tuple[int, int]]:
        """The (t, z) that patches are cut from."""
        return list(product(range(self.image.length("T")), self.image.planes))

    @property
    def blocks(self) -> list[Region]:
        return list(squares(self.mask.height_width, self.block_shape))

    def mask_plane(self, t: int, z: int) -> tuple[int, int]:
        """Return the (t, z) of the labels of a plane."""
        return t if self.mask.length("T") > 1 else 0, z if self.mask.length("Z") > 1 else 0


def _fitting(image: ImageSource, labels: Mapping[str, ImageSource]) -> ImageSource:
    """Return the label image of an image, of which every plane can be read; or say why not."""
    if image.name not in labels:
        raise InputError(
            f"image '{image.name}' has no label image: give it one, or leave the image out"
        )
    mask = labels[image.name].at_depth(Depth())
    where = f"the label image '{mask.name}' of '{image.name}'"
    if mask.channels != 1:
        raise InputError(
            f"{where} has {mask.channels} channels: objects need one whole number a pixel"
        )
    if mask.height_width != image.height_width:
        raise InputError(
            f"{where} is {_by(mask)} but the image {_by(image)} pixels: they must be equal"
        )
    if mask.length("Z") > 1 and image.depth.method in ("max", "mean") and image.length("Z") > 1:
        raise InputError(
            f"{where} has {mask.length('Z')} planes but the image is projected to one: label the "
            "projection, or use each plane or one of them instead of the projection"
        )
    for axis, what in (("T", "time points"), ("Z", "planes")):
        if mask.length(axis) not in (1, image.length(axis)):
            raise InputError(
                f"{where} has {mask.length(axis)} {what} but the image {image.length(axis)}: "
                "they must be equal, or the labels have one for all"
            )
    return mask


def _by(image: ImageSource) -> str:
    height, width = image.height_width
    return f"{height} x {width}"


def read_labels(mask: ImageSource, t: int, z: int, rows: slice, columns: slice) -> np.ndarray:
    """Labels of a region, (h, w) of an integer type that int64 holds."""
    (values,) = mask.read(t, z, rows, columns)
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind == "f":
        odd = ~(np.isfinite(values) & (values == np.rint(values)))
        if odd.any():
            raise InputError(
                f"the label image '{mask.name}' holds {values[odd][0]:g}, which is no whole "
                "number: objects are numbered 1, 2, 3, ..., the rest is 0"
            )
    if values.dtype.kind != "u" and values.min() < 0:
        raise InputError(
            f"the label image '{mask.name}' holds {values.min():g}: labels must not be negative; "
            "set what is no object to 0"
        )
    if values.dtype.kind == "f" or values.dtype == np.uint64:
        if values.max() >= 2**63:
            raise InputError(
                f"the label image '{mask.name}' holds {values.max():g}: labels must be below "
                "2**63; number the objects anew"
            )
        return values.astype(np.int64)
    return values
