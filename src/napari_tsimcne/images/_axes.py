"""What the axes of an array are where its metadata does not say so: the one place that guesses."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from napari_tsimcne.images._source import MOST_CHANNELS

NAMES = {
    "t": "T", "time": "T", "frame": "T", "c": "C", "ch": "C", "channel": "C",
    "z": "Z", "depth": "Z", "slice": "Z", "y": "Y", "x": "X",
}  # fmt: skip
"""Letters of the axis names that Zarr and napari use, in lower case."""


def name_axes(known: Sequence[str | None], shape: Sequence[int]) -> list[str | None]:
    """Name the axes that are None.

    Y and X are the last two; but where no axis is named and the last is no longer than
    `MOST_CHANNELS` and shorter than both before it, it is channels. Of the others, the first that
    is no longer than `MOST_CHANNELS` is channels, where there are none yet and no colours; the
    last of the rest is depth, the one before it time.

    Returns
    -------
    list of str or None
        A letter an axis; None for leading axes that are too many to be named.
    """
    letters = list(known)
    unnamed = [i for i, letter in enumerate(letters) if letter is None]
    if len(unnamed) == len(letters) > 2 and shape[-1] <= MOST_CHANNELS < min(shape[-3:-1]):
        letters[unnamed.pop()] = "C"
    for letter in "XY":
        if letter not in letters and unnamed:
            letters[unnamed.pop()] = letter
    has_channels = "C" in letters or "S" in letters
    short = [i for i in unnamed if shape[i] <= MOST_CHANNELS]
    if short and not has_channels:
        letters[short[0]] = "C"
        unnamed.remove(short[0])
        has_channels = True
    free = [letter for letter in "TZ" if letter not in letters]
    if len(unnamed) > len(free) and not has_channels:
        free.insert(free.index("Z") if "Z" in free else len(free), "C")
    while free and unnamed:
        letters[unnamed.pop()] = free.pop()
    return letters


def letters_of(names: Sequence[object]) -> list[str | None]:
    """Letters of axis names, None for those that are unknown or come twice."""
    letters = [NAMES.get(str(name).lower()) for name in names]
    return [letter if letters.count(letter) == 1 else None for letter in letters]


def size_of(shape: Sequence[int], itemsize: int) -> int:
    """Bytes of an array; Python integers, which do not overflow where a header lies."""
    return prod(int(n) for n in shape) * itemsize
