"""The name of the image that is looked at, where one of several is chosen by a slider."""

from __future__ import annotations

from typing import Any

from napari_tsimcne.gui.images._batches import is_stack
from napari_tsimcne.gui.images._shown_files import file_in, position_in

MOST_CHARACTERS = 40
"""Of a name over the images, so that it fits into a small window."""


class ImageName:
    """Writes which image is seen over the images, unless the user has written something there.

    Parameters
    ----------
    viewer
        The napari viewer.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer, self._written = viewer, ""
        self._events = (
            viewer.dims.events.current_step, viewer.layers.events.inserted,
            viewer.layers.events.removed,
        )  # fmt: skip
        for event in self._events:
            event.connect(self._show)

    def release(self) -> None:
        """Stop following the viewer, and take the name away."""
        for event in self._events:
            event.disconnect(self._show)
        self._write("")

    def _show(self, event: Any = None) -> None:
        for layer in self._viewer.layers:
            position = position_in(self._viewer, layer) if is_stack(layer) else None
            image = None if position is None else file_in(layer, position)
            if image is not None:
                self._write(elided(image.name))
                return
        self._write("")

    def _write(self, name: str) -> None:
        overlay = self._viewer.text_overlay
        if overlay.text not in ("", self._written) or name == self._written:
            return
        self._written = overlay.text = name
        overlay.visible = bool(name)


def elided(name: str) -> str:
    """Return a name with what is too long of it taken from its middle."""
    left = MOST_CHARACTERS // 2
    return name if len(name) <= MOST_CHARACTERS else f"{name[:left]}\u2026{name[1 - left :]}"
