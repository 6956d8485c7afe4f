"""What kind of images these are, by how they look: fluorescence, transmitted light, or stained."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import ImageSource

Look = Literal["fluorescence", "histology", "transmitted"]

MOST_IMAGES, SIDE = 9, 1024
"""Images that are looked at, and the side of the part of each, in pixels."""

BRIGHT_MODE, MOST_SKEW, EVEN = 0.3, 0.9, 0.1
"""In transmitted light the commonest value is this far up the range of values or further, as cells
are darker than what is around them, or darker and brighter; in fluorescence it is near the bottom,
and a long tail of bright values makes them skewed by more. An even background is most of what there
is: its value is about the median."""

NAMES = re.compile(
    r"(^|[\W_])(bf|bright[\W_]*field|ph|ph[\W_]*\d|phase([\W_]*contrast)?|dic|nomarski|tl|td|"
    r"trans(mitted)?([\W_]*light)?|t-?pmt|hoffman)($|[\W_])",
    re.IGNORECASE,
)
"""Names of channels of transmitted light, as microscopes write them."""


def look_of(images: Sequence[ImageSource]) -> Look:
    """Return what most of some images look like: a suggestion, from names and values.

    ``histology``: colours. ``transmitted``: most channels are named so (phase, DIC, BF, ...), or
    have a bright background; grey values that are stored as red, green and blue count as one
    channel. Else ``fluorescence``, also where nothing can be read.

    Parameters
    ----------
    images
        Of which a few planes are read, at most 1024 x 1024 pixels of each.
    """
    some = [images[i] for i in np.unique(np.linspace(0, len(images) - 1, MOST_IMAGES).astype(int))]
    coloured, votes = [], []
    for image in some:
        try:
            values = _middle(image)
        except InputError:
            continue  # what cannot be read is told when patches are cut
        if image.rgb:
            coloured.append(bool((values != values[:1]).any()))
            if coloured[-1]:
                continue
            values = values[:1]
        votes += [
            bool(NAMES.search(name)) or _has_bright_background(channel)
            for name, channel in zip(image.channel_names, values, strict=False)
        ]
    if sum(coloured) > len(some) / 2:
        return "histology"
    return "transmitted" if sum(votes) > len(votes) / 2 else "fluorescence"


def _middle(image: ImageSource) -> np.ndarray:
    """Values (C, h, w) in the middle of an image, of its middle plane, at a low resolution."""
    level = image.level_for(max(image.height_width) / SIDE)
    rows, columns = (
        slice(first := max(0, (length - SIDE) // 2), first + min(length, SIDE))
        for length in image.level_height_width(level)
    )
    t, z = image.length("T") // 2, image.planes[len(image.planes) // 2]
    return image.read(t, z, rows, columns, level=level)


def _has_bright_background(values: np.ndarray) -> bool:
    values = values[np.isfinite(values)].astype(np.float64)
    if not values.size:
        return False
    low, high = np.percentile(values, (0.5, 99.5))
    if high <= low:
        return False
    # It takes a second to import, which every training would wait for.
    from scipy.stats import skew

    values = (values.clip(low, high) - low) / (high - low)
    counts, edges = np.histogram(values, 64)
    # Smoothed, as few values may fall into every bin of integers.
    mode = edges[np.argmax(np.convolve(counts, np.ones(3), "same"))] + 0.5 / 64
    even = abs(np.median(values) - mode) <= EVEN
    return bool(even and mode >= BRIGHT_MODE and skew(values) <= MOST_SKEW)
