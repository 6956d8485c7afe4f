"""Pictures of patches side by side on sheets, as a page takes them."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from napari_tsimcne.export._pictures import Pictures
from napari_tsimcne.patches import Told

LONGEST = 1024
"""Side of a sheet in pixels, at most: so small that it is decoded at once when it is needed."""

LARGEST = 96
"""Side of a picture; larger ones are reduced."""

EXACT_TO = 16
"""Pictures up to this side are kept as they are, as PNG; larger ones as JPEG."""

BLOCK = 8
"""Pixels that JPEG takes together: a picture that begins with a block does not run into another."""

QUALITY = 88
"""Of JPEG, with colour at full resolution: fluorescence is all colour."""


@dataclass(frozen=True)
class Sheets:
    """Square sheets, filled line by line.

    ``files``: their bytes, of the media type ``kind``. ``side`` of a picture and ``cell``, the step
    from one to the next, in pixels; ``across``: pictures in a line, and lines on a full sheet.
    """

    files: tuple[bytes, ...]
    kind: str
    side: int
    cell: int
    across: int

    @property
    def capacity(self) -> int:
        """Pictures on a full sheet."""
        return self.across**2


def draw_sheets(pictures: Pictures, rows: np.ndarray, told: Told) -> Sheets:
    """Draw the patches of some rows (n,) of the table, in this order.

    ``told`` may raise to cancel.
    """
    if not len(rows):
        return Sheets((), "image/png", 0, 0, 0)
    side = min(LARGEST, pictures(rows[:1]).shape[1])
    is_exact = side <= EXACT_TO
    cell = side if is_exact else -(-side // BLOCK) * BLOCK
    across = LONGEST // cell
    files = []
    for start in range(0, len(rows), across**2):
        told("Drawing patches", start, len(rows))
        drawn = _reduced(pictures(rows[start : start + across**2]), side)
        sheet = Image.fromarray(_laid_out(drawn, cell, across))
        file = io.BytesIO()
        if is_exact:
            sheet.save(file, "PNG", optimize=True)
        else:
            sheet.save(file, "JPEG", quality=QUALITY, subsampling=0, optimize=True)
        files.append(file.getvalue())
    told("Drawing patches", len(rows), len(rows))
    return Sheets(tuple(files), "image/png" if is_exact else "image/jpeg", side, cell, across)


def _laid_out(drawn: np.ndarray, cell: int, across: int) -> np.ndarray:
    """Put pictures (n, S, S, 3) on a sheet, each continued by its edge up to its cell's end."""
    room = cell - drawn.shape[1]
    drawn = np.pad(drawn, ((0, 0), (0, room), (0, room), (0, 0)), mode="edge")
    lines = -(-len(drawn) // across)
    drawn = np.pad(drawn, ((0, lines * across - len(drawn)), (0, 0), (0, 0), (0, 0)))
    sheet = drawn.reshape(lines, across, cell, cell, 3).swapaxes(1, 2)
    return sheet.reshape(lines * cell, across * cell, 3)


def _reduced(drawn: np.ndarray, side: int) -> np.ndarray:
    if drawn.shape[1] == side:
        return drawn
    size = (side, side)
    return np.stack([np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BOX))
                     for one in drawn])  # fmt: skip
