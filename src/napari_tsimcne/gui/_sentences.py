"""What the window says of several things at once."""

from __future__ import annotations

from collections.abc import Sequence

from napari_tsimcne.events import Progress, readable_time
from napari_tsimcne.images import Skipped

MOST_LISTED = 5


def listed(parts: Sequence[str], separator: str = ", ") -> str:
    """List the first of some parts, and how many more there are."""
    more = len(parts) - MOST_LISTED
    text = separator.join(parts[:MOST_LISTED])
    return f"{text}{separator}and {more:,} more" if more > 0 else text


def left_out(skipped: Sequence[Skipped]) -> str:
    """Name images that were left out, each with its reason on a line of its own."""
    if not skipped:
        return ""
    return "Left out:\n" + listed([f"{image.name}: {image.reason}" for image in skipped], "\n")


def progress_of(event: Progress) -> str:
    """Say how far a training is."""
    stage = f"Stage {event.stage_number} of {event.stages}, {event.stage}"
    text = f"{stage}, epoch {event.epoch} of {event.epochs}"
    if event.seconds_left is None:
        return text
    left = readable_time(event.seconds_left)
    return f"{text}\n{left} left, {event.images_per_second:,.0f} images/s"


def capital(text: str) -> str:
    """Begin a sentence with a capital letter."""
    return text[:1].upper() + text[1:]
