"""The name of the image that is looked at, where one of several is chosen by a slider."""

from __future__ import annotations

from typing import Any

from napari_tsimcne.gui._viewer import canvas_of
from napari_tsimcne.gui.images._batches import is_stack
from napari_tsimcne.gui.images._shown_files import file_in, position_in

CHARACTERS = 24
"""Of a name over images whose width is not known."""

CHARACTER_WIDTH = 1.2
"""Of the font of a name, in its size: rather too wide than too narrow."""


class ImageName:
    """Writes which image is seen over the images, unless the user has written something there.

    Parameters
    ----------
    viewer
        The napari viewer.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer, self._written = viewer, ""
        self._events = [
            viewer.dims.events.current_step, viewer.layers.events.inserted,
            viewer.layers.events.removed,
        ]  # fmt: skip
        canvas = canvas_of(viewer)
        if canvas is not None:
            self._events.append(canvas.events.size)
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
                self._write(elided(image.name, self._room()))
                return
        self._write("")

    def _room(self) -> int:
        """How many characters lie side by side over the images."""
        canvas = canvas_of(self._viewer)
        if canvas is None:
            return CHARACTERS
        return int(canvas.size[1] / (CHARACTER_WIDTH * self._viewer.text_overlay.font_size))

    def _write(self, name: str) -> None:
        overlay = self._viewer.text_overlay
        if overlay.text not in ("", self._written) or name == self._written:
            return
        self._written = overlay.text = name
        overlay.visible = bool(name)


def elided(name: str, most: int) -> str:
    """Return a name of at most so many characters, its middle taken out where it is longer."""
    if len(name) <= most:
        return name
    begin = max(most, 3) // 2
    return f"{name[:begin]}\N{HORIZONTAL ELLIPSIS}{name[begin + 1 - max(most, 3) :]}"
