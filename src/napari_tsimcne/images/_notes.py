"""Notes on images: what was not taken as their files state it."""

from __future__ import annotations

from collections.abc import Sequence

from napari_tsimcne.images._source import ImageSource

COLOURS_AS_BYTES = (
    "its colours have 16 bits, of which the upper 8 are read: save it as TIFF for all"
)
"""Of images that their format's decoder reads with less than they hold."""


def channels_misnamed(named: int, channels: int) -> str:
    """Say that the names of channels do not fit."""
    return f"it names {named} channels but holds {channels}: the names are not used"


def noted(images: Sequence[ImageSource]) -> list[str]:
    """Return the notes of images, each once, with the images that it is of."""
    of: dict[str, list[str]] = {}
    for image in images:
        for note in image.notes:
            of.setdefault(note, []).append(image.name)
    return [
        f"'{names[0]}'{f' and {len(names) - 1:,} more' if len(names) > 1 else ''}: {note}"
        for note, names in of.items()
    ]
