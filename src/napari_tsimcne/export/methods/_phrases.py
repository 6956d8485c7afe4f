"""Numbers and lists in running text."""

from __future__ import annotations

from collections.abc import Iterable

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def words(parts: Iterable[str]) -> str:
    """Join parts of a sentence: ``a``, ``a and b``, ``a, b and c``."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def counted(count: int, one: str, several: str = "") -> str:
    """Say how many: ``1 patch``, ``2,000 patches``."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def number(value: float) -> str:
    """Write a number for people: ``0.03``, ``12,800``, ``3 × 10⁻⁵``."""
    if abs(value) >= 1000 or value == int(value):
        text = f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.4g}"
    else:
        text = f"{value:.4g}"
    if "e" in text:
        digits, power = text.split("e")
        text = f"{digits} × 10{str(int(power)).translate(_RAISED)}"
    return text.replace("-", "−")


def between(low: float, high: float) -> str:
    """Write a range: ``0.8–1.25``, ``−0.05 to 0.05``, or one number where both are the same."""
    if low == high:
        return number(low)
    return f"{number(low)} to {number(high)}" if low < 0 else f"{number(low)}–{number(high)}"


def share(part: float) -> str:
    """Write a share in per cent: ``12.5 %``."""
    return f"{number(round(100 * part, 6))} %"
