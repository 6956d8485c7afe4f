"""Label images as they are stored: by index, as grey RGB, or as a mask without numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import product

import numpy as np

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._grey import one_channel, with_colours
from napari_tsimcne.images._names import shown
from napari_tsimcne.images._notes import COLOURS_AS_BYTES
from napari_tsimcne.images._source import ImageSource
from napari_tsimcne.recipe import Depth

NUMBER_OBJECTS = (
    "number each connected region (--number-objects; in the window tick 'Number each connected "
    "region'; in Python as_labels(..., number_objects=True))"
)
"""What makes objects of a mask."""

SAVE_LABELS = (
    "save the labels themselves, one whole number a pixel (the same in all pixels of an object, 0 "
    "elsewhere), as a grey TIFF or PNG of 16 bits, not a coloured picture of them"
)

LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif")


def as_labels(image: ImageSource, number_objects: bool = False) -> ImageSource:
    """Take an image as a label image; a label image is returned as it is.

    Of a file with a palette, its values are the labels, whatever colours they have. Of RGB, which
    must be grey, one channel: reading it raises `InputError` where it has colours. Transparency
    does not count.

    Parameters
    ----------
    image
        Any; nothing is read but when it is numbered and read.
    number_objects
        Number the connected regions of each plane 1, 2, 3, ... instead of taking the values as the
        numbers of objects. Pixels of one value that touch, be it by a corner, are one region;
        objects that touch become one unless their values differ. A plane is numbered as a whole.
    """
    if image.rgb or image.as_rgb is not None:
        image = _without_colours(with_colours(image))
    if not number_objects or image.unnumbered is not None or image.channels > 1:
        return image
    axes = image.axes.replace("C", "")
    shape = tuple(image.length(axis) for axis in axes)
    # Of all planes, whichever are used.
    stored = replace(image, depth=Depth())
    return replace(
        image,
        axes=axes,
        shape=shape,
        dtype=np.dtype(np.int32),
        load=partial(_Numbered, stored, axes, shape),
        levels=(),
        unnumbered=image,
    )


def _without_colours(image: ImageSource) -> ImageSource:
    if image.indices is None:
        return one_channel(image, f"{label_image(image)} has colours: {SAVE_LABELS}")
    return replace(
        image,
        axes=image.axes.replace("S", ""),
        shape=image.shape[:-1],
        dtype=image.indices.dtype,
        channel_names=("labels",),
        load=image.indices.load,
        levels=(),
        indices=None,
    )


def check_kept_whole(labels: ImageSource) -> None:
    """Check that a file keeps labels as they were.

    Raises
    ------
    InputError
        Where it does not: JPEG, and colours of 16 bits, of which only the upper 8 are read.
    """
    why = ""
    if labels.path is not None and labels.path.suffix.lower() in LOSSY:
        why = "is JPEG, which changes the values of pixels"
    elif COLOURS_AS_BYTES in labels.notes:
        why = "has colours of 16 bits, of which 8 are read"
    if why:
        raise InputError(f"{label_image(labels)} {why}: {SAVE_LABELS}")


def whole_numbers(values: np.ndarray, labels: ImageSource) -> np.ndarray:
    """Return values of a label image as an integer type that int64 holds.

    Raises
    ------
    InputError
        Where one is negative, no whole number, or too large.
    """
    where = f"{label_image(labels)} holds"
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind == "f":
        odd = ~(np.isfinite(values) & (values == np.rint(values)))
        if odd.any():
            raise InputError(
                f"{where} {values[odd][0]:g}, which is no whole number: objects are numbered 1, 2, "
                "3, ..., the rest is 0"
            )
    if values.dtype.kind != "u" and values.min(initial=0) < 0:
        raise InputError(
            f"{where} {values.min():g}: labels must not be negative; set what is no object to 0"
        )
    if values.dtype.kind == "f" or values.dtype == np.uint64:
        if values.max(initial=0) >= 2**63:
            raise InputError(
                f"{where} {values.max():g}: labels must be below 2**63; number the objects anew"
            )
        return values.astype(np.int64)
    return values


def connected(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """Return (h, w) labels with regions of equal values above 0 numbered, and their count."""
    from skimage.measure import label  # takes long to import

    foreground = labels != 0
    if np.array_equal(foreground, labels == labels.max(initial=1)):
        labels = foreground  # needs less memory, and gives the same numbers
    numbered, count = label(labels, connectivity=2, return_num=True)
    return numbered.astype(np.int32, copy=False), int(count)


@dataclass(frozen=True)
class _Numbered:
    """The array of a label image whose regions are numbered, plane by plane, when read."""

    stored: ImageSource
    axes: str
    shape: tuple[int, ...]

    def __getitem__(self, index: tuple[int | slice, ...]) -> np.ndarray:
        at = dict(zip(self.axes, index, strict=True))
        places = []
        for axis in "TZ":
            chosen = range(self.stored.length(axis))[at.get(axis, 0)]
            places.append([chosen] if isinstance(chosen, int) else list(chosen))
        parts = [_plane(self.stored, t, z)[at["Y"], at["X"]] for t, z in product(*places)]
        found = np.stack(parts).reshape(*map(len, places), *parts[0].shape)
        kept = [axis for axis in "TZYX" if axis in "TZ" or isinstance(at[axis], slice)]
        single = tuple(
            i for i, axis in enumerate(kept) if not isinstance(at.get(axis, 0), slice)
        )  # fmt: skip
        left = [axis for i, axis in enumerate(kept) if i not in single]
        order = [left.index(axis) for axis in self.axes if axis in left]
        return found.squeeze(axis=single).transpose(order)


@lru_cache(maxsize=3)
def _plane(stored: ImageSource, t: int, z: int) -> np.ndarray:
    height, width = stored.height_width
    (values,) = stored.read(t, z, slice(0, height), slice(0, width))
    return connected(whole_numbers(values, stored))[0]


def label_image(labels: ImageSource) -> str:
    """Name a label image in an error, with its file where it has one."""
    file = "" if labels.path is None else f" ({shown(labels.path)})"
    return f"the label image '{labels.name}'{file}"
