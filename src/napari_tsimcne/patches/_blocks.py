"""The blocks in which a plane is worked on, so that memory does not grow with the image."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import ImageSource

BLOCK_SIDE = 2048
"""Side of what is worked on at once, in pixels: about 4 megapixels."""

Region = tuple[slice, slice]
"""Rows and columns of a plane."""


def blocks_of(image: ImageSource, side: int, level: int = 0) -> list[Region]:
    """Cover a plane of a level with blocks of `block_shape`, row by row."""
    return list(squares(image.level_height_width(level), block_shape(image, side, level)))


def block_shape(image: ImageSource, side: int, level: int = 0) -> tuple[int, int]:
    """Return rows and columns of blocks of whole chunks, of about ``side`` x ``side`` pixels.

    Where a chunk is larger than that, a block is one chunk: it is decoded as a whole anyway.
    An image that cannot be opened is one block: reading it says why.
    """
    try:
        chunk_rows, chunk_columns = image.chunk(level)
    except InputError:
        return image.level_height_width(level)
    columns = chunk_columns * max(1, side // chunk_columns)
    # Chunks that are strips make blocks that are strips, of no more pixels.
    return chunk_rows * max(1, side * side // columns // chunk_rows), columns


def squares(height_width: tuple[int, ...], most: tuple[int, int]) -> Iterator[Region]:
    """Cut rows and columns into regions of at most so ``most`` of them, row by row."""
    height, width = height_width
    for y, x in product(range(0, height, most[0]), range(0, width, most[1])):
        yield slice(y, min(y + most[0], height)), slice(x, min(x + most[1], width))
