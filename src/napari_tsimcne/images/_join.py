"""Several images together: as channels of one, or side by side on one map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._source import ImageSource, Level


def join_channels(images: Sequence[ImageSource], name: str) -> ImageSource:
    """Join images of equal shape, each one channel or more, as the channels of one image.

    Raises
    ------
    InputError
        Where shape, axes or dtype differ, or an image is RGB.
    """
    first = images[0]
    for image in images:
        if image.rgb:
            raise InputError(f"'{image.name}' is RGB, no channel: take it as a separate image")
        if "C" in image.axes:
            raise InputError(f"'{image.name}' has channels of its own: take it as a separate image")
        if (image.axes, image.shape) != (first.axes, first.shape):
            raise InputError(
                f"'{first.name}' {first.shape} and '{image.name}' {image.shape} differ in shape: "
                "channels of one image must be of the same size"
            )
        if image.dtype != first.dtype:
            raise InputError(
                f"'{first.name}' is {first.dtype} and '{image.name}' {image.dtype}: "
                "channels of one image must have the same type"
            )
    sizes = [[level.height_width for level in image.levels] for image in images]
    levels = (
        tuple(
            Level(level.height_width, partial(_stacked, [i.levels[n].load for i in images]))
            for n, level in enumerate(first.levels)
        )
        if all(own == sizes[0] for own in sizes)
        else ()
    )
    return replace(
        first,
        name=name,
        axes="C" + first.axes,
        shape=(len(images), *first.shape),
        channel_names=tuple(image.name for image in images),
        load=partial(_stacked, [image.load for image in images]),
        levels=levels,
        path=None,
        as_rgb=None,
    )


@dataclass(frozen=True)
class _Stacked:
    """Arrays of equal shape, indexed as if stacked along a new first axis."""

    arrays: tuple[Any, ...]

    @property
    def chunks(self) -> tuple[int, ...] | None:
        first = self.arrays[0]
        own = getattr(first, "chunksize", None) or getattr(first, "chunks", None)
        return (1, *own) if own else None

    def __getitem__(self, index: tuple) -> np.ndarray:
        chosen = self.arrays[index[0]]
        return np.stack([np.asarray(array[index[1:]]) for array in chosen])


def _stacked(loads: Sequence[Callable[[], Any]]) -> _Stacked:
    return _Stacked(tuple(load() for load in loads))


def check_alike(images: Sequence[ImageSource]) -> None:
    """Check that images can be learnt together, and have names that tell them apart.

    Raises
    ------
    InputError
        Where channel counts, colour, dtypes or names conflict, naming two images that do.
    """
    if not images:
        raise InputError("no image was given: choose at least one image, file or folder")
    first = images[0]
    names = set()
    for image in images:
        if image.name in names:
            raise InputError(f"two images are named '{image.name}': give them different names")
        names.add(image.name)
        if image.channels != first.channels or image.rgb != first.rgb:
            raise InputError(
                f"'{first.name}' has {_channels(first)} but '{image.name}' has {_channels(image)}: "
                "images of one map need the same channels"
            )
        if image.dtype != first.dtype:
            raise InputError(
                f"'{first.name}' holds {first.dtype} values but '{image.name}' {image.dtype}: "
                "images of one map need the same type"
            )


def _channels(image: ImageSource) -> str:
    if image.rgb:
        return "RGB colours"
    return f"{image.channels} channel" + ("s" if image.channels != 1 else "")
