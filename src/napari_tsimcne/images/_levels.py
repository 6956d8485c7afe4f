"""Which arrays are one picture: an image and copies of it at lower resolution."""

from __future__ import annotations

from collections.abc import Sequence

LEAST_FACTOR = 1.5
"""A copy that is reduced by less is none."""


def is_reduced_copy(axes: str | Sequence[str], shape: Sequence[int], level: Sequence[int]) -> bool:
    """Whether a shape is that of the same picture, reduced at one factor in rows and columns.

    Sizes may be rounded up or down. All other axes must have the same length: a plane of fewer,
    or half of an image, stands for none of it.
    """
    if len(shape) != len(level):
        return False
    if any(n != m for axis, n, m in zip(axes, shape, level, strict=True) if axis not in "YX"):
        return False
    sides = [(n, m) for axis, n, m in zip(axes, shape, level, strict=True) if axis in "YX"]
    low, high = zip(*(factors(n, m) for n, m in sides), strict=True)
    return max(LEAST_FACTOR, *low) < min(high)


def factors(length: int, reduced: int) -> tuple[float, float]:
    """Between which factors lies the one that reduced a length to another, rounded."""
    if not 0 < reduced <= length:
        return float("inf"), 0.0
    return length / (reduced + 1), length / (reduced - 1) if reduced > 1 else float("inf")


def levels_left_out(count: int, of: int) -> str:
    """Say that levels of a pyramid are not used."""
    return (
        f"{count} of its {of} lower resolutions are not the same picture at one factor in rows and "
        "columns, and are not used"
    )
