"""The key of pictures in print: how large a patch is, and which colour is which channel."""

from __future__ import annotations

from napari_tsimcne.export._pictures import Pictures
from napari_tsimcne.export.figures._drawing import SOFT, Box, Drawing, elided, text_width

KEY = 4.0
"""Millimetres: height of its line."""

SWATCH, AFTER, BETWEEN, LONGEST = 1.9, 1.0, 3.0, 40.0
"""Millimetres: side of a swatch, from it to its name, between names, the longest name."""

EDGE = "#8a8a8a"
"""Around swatches: white is a colour of channels."""


def draw_picture_key(
    drawing: Drawing, x: float, y: float, width: float, pictures: Pictures
) -> None:
    """Write on one line, its baseline at y, how large patches are and the colours of channels.

    Channels for which there is no room in ``width`` millimetres are counted.
    """
    end = x + width
    if pictures.side:
        side = f"side of a patch: {pictures.side}"
        drawing.text(x, y, side, color=SOFT, gid="key-side")
        x += text_width(side) + BETWEEN
    for number, (name, color) in enumerate(pictures.channels):
        left = len(pictures.channels) - number
        shown = elided(name, LONGEST)
        room = SWATCH + AFTER + text_width(shown)
        more = f"and {left} more"
        after = BETWEEN + text_width(f"and {left - 1} more") if left > 1 else 0.0
        if x + room + after > end:
            drawing.text(x, y, more, color=SOFT, gid="key-more")
            return
        drawing.rectangle(Box(x, y - 0.05, SWATCH, SWATCH), color, "key-swatch", edge=EDGE)
        drawing.text(x + SWATCH + AFTER, y, shown, gid="key-name")
        x += room + BETWEEN
