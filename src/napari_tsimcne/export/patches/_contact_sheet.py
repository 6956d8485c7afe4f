"""Contact sheets: pictures of patches side by side under a heading."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from napari_tsimcne.export._pictures import Pictures
from napari_tsimcne.export.figures._drawing import font_file

MOST = 100
"""Patches on a sheet."""

COLUMNS, FEWEST_COLUMNS = 10, 4
"""Pictures in a row, and how wide a sheet of few is."""

SIDE, LARGEST_SIDE = 120, 240
"""Pixels of a picture, about: small ones are enlarged by whole numbers, so that pixels are seen."""

GAP, MARGIN = 8, 24
HEADING, BELOW = 26, 17
"""Size of letters in pixels, of the heading and of the line below it."""

LONGEST = 300
"""Pixels: the longest name of a channel."""

INK, SOFT, PAPER = "#222222", "#6b6b6b", "#ffffff"


def contact_sheet(
    pictures: Pictures, rows: np.ndarray, heading: str, below: str, color: str
) -> Image.Image:
    """Lay pictures of patches out in rows of ten, in a frame, under a heading.

    Parameters
    ----------
    pictures, rows
        Of at most `MOST` patches, and at least one.
    heading
        The cluster's name; shortened where it is too long.
    below
        A line under it.
    color
        Of the frame and of a swatch beside the heading, ``#rrggbb``.
    """
    columns = int(np.clip(len(rows), FEWEST_COLUMNS, COLUMNS))
    lines = -(-len(rows) // columns)
    first = pictures(rows[:columns])
    shown = _shown(first.shape[1])
    step, top = shown + GAP, MARGIN + round((3.4 if pictures.channels else 2.5) * HEADING)
    right, bottom = MARGIN + columns * step + GAP, top + lines * step + GAP
    sheet = Image.new("RGB", (right + MARGIN, bottom + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((MARGIN, top, right - 1, bottom - 1), outline=color, width=2)
    for line in range(lines):
        here = slice(line * columns, (line + 1) * columns)
        for column, picture in enumerate(pictures(rows[here]) if line else first):
            at = MARGIN + GAP + column * step, top + GAP + line * step
            sheet.paste(_resized(picture, shown), at)
    draw.rectangle((MARGIN, MARGIN, MARGIN + HEADING - 1, MARGIN + HEADING - 1), fill=color)
    left = MARGIN + HEADING + 10
    _write(draw, (left, MARGIN + HEADING - 3), heading, HEADING, INK, right - left)
    _write(draw, (left, MARGIN + 2 * HEADING - 3), below, BELOW, SOFT, right - left)
    _draw_key(draw, (left, MARGIN + 3 * HEADING - 6), pictures.channels, right)
    return sheet


def _draw_key(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    channels: tuple[tuple[str, str], ...],
    end: int,
) -> None:
    """Write names of channels on a base line from ``at`` on, a swatch before each."""
    (x, y), font = at, _font(BELOW, "".join(name for name, _ in channels))
    for number, (name, color) in enumerate(channels):
        name, left = " ".join(name.split()), len(channels) - number
        room = BELOW + 4 + min(round(font.getlength(name)) + 1, LONGEST)
        more = f"and {left} more"
        after = BELOW + font.getlength(more) if left > 1 else 0
        if x + room + after > end:
            _write(draw, (x, y), more, BELOW, SOFT, max(end - x, 0))
            return
        draw.rectangle((x, y - 13, x + 12, y - 1), fill=color, outline="#8a8a8a")
        _write(draw, (x + BELOW, y), name, BELOW, INK, room - BELOW)
        x += room + BELOW


def _shown(side: int) -> int:
    """Return the side at which pictures of a side are shown, in pixels."""
    return min(side, LARGEST_SIDE) if side > SIDE else round(SIDE / side) * side


def _resized(picture: np.ndarray, side: int) -> Image.Image:
    image = Image.fromarray(picture)
    enlarged = side >= len(picture)
    how = Image.Resampling.NEAREST if enlarged else Image.Resampling.LANCZOS
    return image.resize((side, side), how)


def _write(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size: int, ink: str, room: int
) -> None:
    """Write a line on a base line from ``at`` (x, y) on, in ``room`` pixels at most."""
    text = " ".join(text.split())
    font = _font(size, text)
    whole = text
    while text and font.getlength(text if text == whole else f"{text}…") > room:
        text = text[:-1]
    draw.text(at, text if text == whole else f"{text}…", fill=ink, font=font, anchor="ls")


def _font(size: int, text: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font_file("".join(sorted(set(text)))), size)
