"""The view of the images beside the map."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer
from qtpy.QtCore import QObject, QTimer, Signal

from napari_tsimcne.gui._viewer import camera_of, fit_layers
from napari_tsimcne.gui.images._batches import is_stack
from napari_tsimcne.gui.images._outlines import is_view
from napari_tsimcne.gui.images._shown_files import position_in

LAYOUT_MS = 200
"""After which the canvas of the images has the size that a change of the window gives it."""


class ImageView(QObject):
    """Fits the view to the images that are seen, unless the user has moved it.

    That is when their room has changed, and when the slider comes to images of another size.
    ``settled`` is emitted when the view has been fitted to its room, or was left to the user.
    """

    settled = Signal()

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._fitted: tuple[float, ...] | None = None
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(LAYOUT_MS)
        self._later.timeout.connect(self._fit_unmoved)
        viewer.dims.events.current_step.connect(self._on_step)

    def release(self) -> None:
        """Leave the view alone from now on."""
        self._later.stop()
        self._viewer.dims.events.current_step.disconnect(self._on_step)

    def fit(self) -> None:
        """Show the whole images."""
        fit_layers(self._viewer, seen_layers(self._viewer))
        self._fitted = camera_of(self._viewer).center

    def fit_later(self) -> None:
        """Show the whole images once the window has laid itself out, unless the view was moved."""
        self._later.start()

    def _on_step(self, event: Any = None) -> None:
        if self._viewer.dims.ndisplay == 2 and self._is_at(self._fitted):
            self.fit()

    def _fit_unmoved(self) -> None:
        camera, before = camera_of(self._viewer), self._fitted
        center, zoom, angles = camera.center, camera.zoom, camera.angles
        still = self._is_at(before)
        self.fit()
        # The mouse zooms about the place under it, so that the centre tells that as well. The zoom
        # of a view that nobody moved is that of an earlier size of the canvas; its centre that of
        # the layers now, or of those at the last fit.
        if not still and not np.allclose(camera.center, center):
            camera.center, camera.zoom, camera.angles = center, zoom, angles
            self._fitted = before
        self.settled.emit()

    def _is_at(self, center: tuple[float, ...] | None) -> bool:
        return center is not None and np.allclose(center, camera_of(self._viewer).center)


def seen_layers(viewer: Any) -> list[Layer]:
    """Return the images that are seen where the sliders are; all, where there is none."""
    layers = [
        layer
        for layer in viewer.layers
        if isinstance(layer, Image | Labels) and not is_view(layer)
        and (not is_stack(layer) or position_in(viewer, layer) is not None)
    ]  # fmt: skip
    return layers or list(viewer.layers)
