"""The name of the image that is looked at, where one of several is chosen by a slider."""

from __future__ import annotations

from typing import Any

from napari_tsimcne.gui.images._batches import is_stack
from napari_tsimcne.gui.images._shown_files import file_in


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
        point = self._viewer.dims.point
        for layer in self._viewer.layers:
            if is_stack(layer):
                place = point[len(point) - layer.ndim] - layer.translate[0]
                image = file_in(layer, round(place))
                if image is not None:
                    self._write(image.name)
                    return
        self._write("")

    def _write(self, name: str) -> None:
        overlay = self._viewer.text_overlay
        if overlay.text not in ("", self._written) or name == self._written:
            return
        self._written = overlay.text = name
        overlay.visible = bool(name)
