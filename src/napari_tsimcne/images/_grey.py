"""Grey images that are stored as RGB: red, green and blue are equal in every pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._source import ImageSource, Level

MOST_PIXELS = 16_000_000
"""Up to here all pixels of an image are looked at, else a lower resolution or parts."""

PARTS, SIDE, MOST_PLANES = 8, 256, 9
"""Parts along rows and along columns of what is larger, their side, and planes looked at."""

MOST_AFTER = 50
"""RGB images that are still looked at for the report once one with colours was found."""

AS_ONE = "red, green and blue are equal everywhere: read as one channel"
KEPT = "grey, but RGB is kept for all images, as others are coloured"


def grey_as_one(
    images: Sequence[ImageSource],
    told: Callable[[int, int], None] = lambda done, total: None,
    stopped: Callable[[], bool] = lambda: False,
) -> list[ImageSource]:
    """Take RGB images as one channel where all of them are grey; else keep RGB for all.

    Images have a note of what became of them. What was taken as one channel is checked again
    whenever its pixels are read. Stopped, the images are returned as they were.

    Parameters
    ----------
    images
        A collection; those that are not RGB are returned as they are, or as RGB where they were
        taken as one channel before and another has colours. Pixels of RGB images are read.
    told
        Called with the number of RGB images that were looked at, and their number.
    stopped
        Whether to stop; asked between images.
    """
    rgb = [image for image in images if image.rgb]
    grey: list[ImageSource] = []
    coloured = False
    to_do = list(rgb)
    done = 0
    while done < len(to_do):
        if stopped():
            return list(images)
        told(done, len(to_do))
        kind = _is_grey(to_do[done])
        done += 1
        if kind:
            grey.append(to_do[done - 1])
        elif kind is False and not coloured:
            coloured = True
            rest = to_do[done:]
            to_do = to_do[:done] + rest[:: -(-len(rest) // MOST_AFTER) or 1]
    if coloured:
        return in_one_form([_noted(one, KEPT) if one in grey else one for one in images])
    if not grey:
        return list(images)
    # One that cannot be read fits the others then, and is reported when patches are cut.
    return [one_channel(image) for image in images]


def one_channel(image: ImageSource, coloured: str = "") -> ImageSource:
    """Return an RGB image as one channel; reading it raises `InputError` where it has colours.

    ``coloured`` is what the error says then.
    """
    if not image.rgb:
        return image
    sample = partial(_sample, coloured or (
        f"'{image.name}' was taken as grey, but has colours in places: keep it as RGB "
        "(--keep-rgb, open_images(..., grey_as_one=False), or in the window open it as a layer of "
        "napari)"
    ))  # fmt: skip
    return replace(
        image,
        axes=image.axes.replace("S", ""),
        shape=image.shape[:-1],
        channel_names=("grey",),
        load=partial(sample, image.load),
        levels=tuple(
            Level(level.height_width, partial(sample, level.load)) for level in image.levels
        ),
        notes=(*(note for note in image.notes if note != KEPT), AS_ONE),
        as_rgb=image,
    )


def in_one_form(images: Sequence[ImageSource]) -> list[ImageSource]:
    """Turn grey images back to RGB where others are RGB; no pixels are read."""
    if not any(image.rgb for image in images):
        return list(images)
    return [
        image if image.as_rgb is None else _noted(with_colours(image), KEPT) for image in images
    ]


def with_colours(image: ImageSource) -> ImageSource:
    """Return an image that was taken as one channel as the RGB image it is stored as."""
    stored = image.as_rgb
    if stored is None:
        return image
    return replace(
        image,
        axes=image.axes + "S",
        shape=stored.shape,
        channel_names=stored.channel_names,
        load=stored.load,
        levels=stored.levels,
        notes=tuple(note for note in image.notes if note != AS_ONE),
        as_rgb=None,
    )


def _noted(image: ImageSource, note: str) -> ImageSource:
    return image if note in image.notes else replace(image, notes=(*image.notes, note))


def _is_grey(image: ImageSource) -> bool | None:
    """Whether red, green and blue are equal wherever it is looked at; None: it cannot be read."""
    if image.channels != 3:
        return False
    try:
        return not any(_has_colours(pixels, 0) for pixels in _looked_at(image))
    except InputError:
        return None


def _has_colours(samples: np.ndarray, axis: int) -> bool:
    samples = np.moveaxis(samples, axis, 0)
    floats = samples.dtype.kind == "f"  # a missing value is equal to another
    return not all(np.array_equal(samples[0], one, equal_nan=floats) for one in samples[1:])


def _looked_at(image: ImageSource) -> Iterator[np.ndarray]:
    """Yield pixels (3, h, w): all, or where there are too many those of a lower level, or parts."""
    planes = [(t, z) for t in range(image.length("T")) for z in range(image.length("Z"))]
    height, width = image.height_width
    if height * width * len(planes) > MOST_PIXELS:
        some = np.linspace(0, len(planes) - 1, MOST_PLANES)
        planes = [planes[i] for i in np.unique(some.astype(int))]
    sizes = [image.height_width, *(level.height_width for level in image.levels)]
    fitting = [n for n, (h, w) in enumerate(sizes) if h * w <= MOST_PIXELS]
    level = fitting[0] if fitting else len(sizes) - 1
    height, width = sizes[level]
    rows, columns = [slice(0, height)], [slice(0, width)]
    if not fitting:
        rows, columns = _parts(height), _parts(width)
    for t, z in planes:
        for row in rows:
            for column in columns:
                yield image.read(t, z, row, column, level)


def _parts(length: int) -> list[slice]:
    starts = np.unique(np.linspace(0, max(0, length - SIDE), PARTS).astype(int))
    return [slice(int(start), min(length, int(start) + SIDE)) for start in starts]


def _sample(coloured: str, load: Callable[[], Any]) -> _Sample:
    return _Sample(coloured, load())


@dataclass(frozen=True)
class _Sample:
    """The first sample of an array of colours that are equal, which is checked when read."""

    coloured: str
    array: Any

    @property
    def chunks(self) -> tuple[int, ...] | None:
        own = getattr(self.array, "chunksize", None) or getattr(self.array, "chunks", None)
        return tuple(own[:-1]) if own else None

    def __getitem__(self, index: tuple) -> np.ndarray:
        samples = np.asarray(self.array[(*index, slice(None))])
        if _has_colours(samples, -1):
            raise InputError(self.coloured)
        return samples[..., 0]
