"""The view of the images beside the map."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_tsimcne.gui._viewer import camera_of

LAYOUT_MS = 200
"""After which the canvas of the images has the size that a change of the window gives it."""


class ImageView(QObject):
    """Fits the view of the images again when its room has changed, unless the user has moved it.

    ``settled`` is emitted when the view has been fitted, or was left to the user.
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

    def release(self) -> None:
        """Leave the view alone from now on."""
        self._later.stop()

    def fit(self) -> None:
        """Show the whole images."""
        self._viewer.reset_view()
        self._fitted = camera_of(self._viewer).center

    def fit_later(self) -> None:
        """Show the whole images once the window has laid itself out, unless the view was moved."""
        self._later.start()

    def _fit_unmoved(self) -> None:
        camera, before = camera_of(self._viewer), self._fitted
        center, zoom, angles = camera.center, camera.zoom, camera.angles
        self.fit()
        # The mouse zooms about the place under it, so that the centre tells that as well. The zoom
        # of a view that nobody moved is that of an earlier size of the canvas; its centre that of
        # the layers now, or of those at the last fit.
        still = [known for known in (before, camera.center) if known is not None]
        if not any(np.allclose(known, center) for known in still):
            camera.center, camera.zoom, camera.angles = center, zoom, angles
            self._fitted = before
        self.settled.emit()
