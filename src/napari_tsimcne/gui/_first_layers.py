"""What napari prepares when the first layer of a kind is made."""

from __future__ import annotations

import numpy as np
from napari.layers import Image, Labels, Points, Vectors


def make_first_layers() -> None:
    """Make a layer of each kind that is used, for nothing.

    With the first, units are parsed and colours compiled, for a second or more: done in a thread,
    that does not hold the window.
    """
    pixels = np.zeros((2, 2), np.uint8)
    Image(pixels, units=("um", "um"))
    Labels(pixels)
    Points(np.zeros((1, 2)))
    Vectors(np.zeros((1, 2, 2)))
