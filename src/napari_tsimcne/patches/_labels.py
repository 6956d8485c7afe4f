"""Label images: whether they fit their images, and their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import (
    NUMBER_OBJECTS,
    ImageSource,
    as_labels,
    connected,
    label_image,
    whole_numbers,
)
from napari_tsimcne.patches._blocks import Region, block_shape, squares
from napari_tsimcne.recipe import Depth

STRIP = 1 << 24
"""Pixels of a plane in which regions are counted at once."""


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
    mask = as_labels(labels[image.name]).at_depth(Depth())
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
    """Labels of a region, (h, w) of an integer type that int64 holds; see `as_labels`."""
    mask = as_labels(mask)
    (values,) = mask.read(t, z, rows, columns)
    return whole_numbers(values, mask)


def check_told_apart(mask: ImageSource, objects: Mapping[tuple[int, int], pd.DataFrame]) -> None:
    """Check that a label image tells the objects apart that it shows.

    ``objects``: of each of its planes (t, z), with label and half-open bounding box (``top,
    bottom, left, right``).

    Raises
    ------
    InputError
        Where no plane holds more than one label, and in one of them it lies in several regions
        that do not touch: a mask, which says where objects are but not which.
    """
    if mask.unnumbered is not None or any(len(table) > 1 for table in objects.values()):
        return
    for (t, z), table in objects.items():
        for one in table.itertuples():
            region = slice(one.top, one.bottom), slice(one.left, one.right)
            count = _count_regions(mask, t, z, *region)
            if count > 1:
                raise InputError(
                    f"{label_image(mask)} has no other label than {one.label}, but "
                    f"{count:,} separate regions of it{_plane_of(mask, t, z)}: they would all be "
                    f"one object. Give each object a number of its own, or {NUMBER_OBJECTS}; "
                    "objects that touch become one then"
                )


def _count_regions(
    mask: ImageSource, t: int, z: int, rows: slice, columns: slice, most: int = STRIP
) -> int:
    """Count the separate regions of a mask, in strips of at most so many pixels or of one row."""
    height = max(1, most // (columns.stop - columns.start))
    total, above, touching = 0, None, []
    for top in range(rows.start, rows.stop, height):
        strip = slice(top, min(top + height, rows.stop))
        numbered, count = connected(read_labels(mask, t, z, strip, columns) > 0)
        numbered[numbered > 0] += total
        if above is not None:
            below = np.pad(numbered[0], 1)
            for shift in range(3):  # straight and by corners
                pairs = np.stack([above, below[shift : shift + len(above)]])
                touching.append(pairs[:, pairs.all(axis=0)])
        total, above = total + count, numbered[-1]
    upper, lower = np.concatenate([np.zeros((2, 0), np.int32), *touching], axis=1) - 1
    edges = coo_array((np.ones(len(upper), bool), (upper, lower)), shape=(total, total))
    return int(connected_components(edges, directed=False)[0])


def _plane_of(mask: ImageSource, t: int, z: int) -> str:
    where = [f"{axis} {at}" for axis, at in (("T", t), ("Z", z)) if mask.length(axis) > 1]
    return f" at {', '.join(where)}" if where else ""
