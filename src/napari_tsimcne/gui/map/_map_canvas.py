"""The canvas of the map: a napari viewer of its own, which is closed before it is moved."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.qt import QtViewer
from napari.utils.events import disconnect_events
from napari.utils.theme import get_theme
from psygnal import Signal
from qtpy.QtCore import QCoreApplication, QEvent, QObject, QPoint
from qtpy.QtGui import QKeyEvent, QPalette
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_tsimcne.gui._viewer import camera_of
from napari_tsimcne.gui.map._map_overlay import MapOverlay, OverlayWidget

MARGIN = 0.94
"""Share of the canvas that the whole map fills."""

DARK_BELOW = 128
"""Lightness of 255."""

_DELETION = getattr(QEvent.Type.DeferredDelete, "value", QEvent.Type.DeferredDelete)


class MapCanvas(QWidget):
    """Shows the layers of ``model`` and, over them, what ``overlay`` holds.

    Camera, layers and overlay outlive the canvas that is drawn on.

    ``built`` is emitted when a canvas was made, ``view_changed`` when camera or size have changed,
    ``left`` when the pointer has gone, ``key_pressed`` for each key while it has the keyboard.

    Parameters
    ----------
    box
        What is shown as the whole map: lowest and highest (y, x), (2, 2).
    theme
        Of napari.
    """

    built = Signal()
    view_changed = Signal()
    left = Signal()
    key_pressed = Signal(QKeyEvent)

    def __init__(self, box: np.ndarray, theme: str) -> None:
        super().__init__()
        self.model = ViewerModel(title="t-SimCNE map")
        self.model.theme = theme
        # napari's own, zooming by a double click and by a drag with Alt, are in the way of ours.
        self.model.mouse_drag_callbacks.clear()
        self.model.mouse_double_click_callbacks.clear()
        self.qt_viewer: QtViewer | None = None
        self.overlay = MapOverlay()
        self._over: OverlayWidget | None = None
        self._box = box
        self._camera = camera_of(self.model)
        self._camera.events.zoom.connect(self._on_camera)
        self._camera.events.center.connect(self._on_camera)
        self._fitted: tuple[float, ...] | None = None
        self.setMinimumSize(160, 120)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)

    # --- camera -------------------------------------------------------------------------------

    @property
    def zoom(self) -> float:
        """Pixels of the screen a unit of the map."""
        return float(self._camera.zoom)

    @property
    def camera(self) -> tuple[float, ...]:
        """Centre and zoom."""
        return (*self._camera.center, self._camera.zoom)

    @property
    def visible_box(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest (y, x) that are seen."""
        half = self.pixels / 2 / self.zoom
        center = np.array(self._camera.center[-2:])
        return center - half, center + half

    @property
    def pixels(self) -> np.ndarray:
        """Height and width, in pixels of the screen."""
        shown = self if self.qt_viewer is None else self.qt_viewer.canvas.native
        return np.array([shown.height(), shown.width()], float)

    def fit(self) -> None:
        """Show the whole map."""
        low, high = self._box
        # Before there is a map all points are in one place.
        extent = np.where(high > low, high - low, (high - low).max() or 1.0)
        self._camera.center = (0.0, *((low + high) / 2))
        self._camera.zoom = float((self.pixels / extent).min()) * MARGIN
        self._fitted = self.camera

    def set_box(self, box: np.ndarray) -> None:
        """Take another box as the whole map; it stays in view while that is what is seen."""
        follows = self._fitted is not None and np.allclose(self.camera, self._fitted)
        self._box = box
        if follows:
            self.fit()

    def center_on(self, position: np.ndarray) -> None:
        """Move the camera to a position (y, x), unless it is well in view."""
        low, high = self.visible_box
        room = (high - low) / 50
        if not ((position > low + room) & (position < high - room)).all():
            self._camera.center = (0.0, *position)

    def to_screen(self, pixel: Any) -> QPoint:
        """Place on the screen of a pixel (x, y) of the canvas."""
        assert self.qt_viewer is not None
        return self.qt_viewer.canvas.native.mapToGlobal(QPoint(int(pixel[0]), int(pixel[1])))

    def _on_camera(self) -> None:
        self.overlay.update()
        self.view_changed.emit()

    # --- canvas -------------------------------------------------------------------------------

    def showEvent(self, event: Any) -> None:  # noqa: N802
        """Build the canvas once the widget has its place: moving it would lose its GL context."""
        super().showEvent(event)
        self.open()

    def open(self) -> None:
        """Build the canvas, where there is none.

        A window that is shown without one at first is made anew by Qt to draw with OpenGL, which
        can crash: there it is built before the window is shown.
        """
        if self.qt_viewer is not None:
            return
        self._follow_theme()
        # No active layer: napari's own editing of points can then not touch the map.
        self.model.layers.selection.clear()
        self.qt_viewer = viewer = QtViewer(self.model)
        viewer.setAcceptDrops(False)
        # Controls and list of layers stay with the main window.
        for part in (viewer.dockLayerControls, viewer.dockLayerList):
            part.hide()
        viewer.canvas.native.installEventFilter(self)
        self._over = OverlayWidget(viewer.canvas.native, self)
        self.overlay.show_on(self._over)
        self.layout().addWidget(viewer)
        if self._fitted is None:
            self.fit()
        self.built.emit()

    def close_viewer(self) -> None:
        """Close the canvas; the next time the widget is shown, another one is built."""
        if self.qt_viewer is None:
            return
        viewer, self.qt_viewer = self.qt_viewer, None
        viewer.canvas.native.removeEventFilter(self)
        self.overlay.show_on(None)
        self._over = None
        for visual in list(viewer.layer_to_visual.values()):
            visual.close()
        self.layout().removeWidget(viewer)
        # Else what is gone would go on hearing of the layers, and be asked to draw them.
        for layer in self.model.layers:
            disconnect_events(layer.events, viewer.canvas)
        for events in (self.model.events, self.model.layers.events, self._camera.events):
            disconnect_events(events, viewer.canvas)
        viewer.close()
        viewer.deleteLater()
        # At once: what is left of it must not be moved along with the widget.
        QCoreApplication.sendPostedEvents(viewer, _DELETION)

    def take_keyboard(self) -> None:
        """Let keys act on the map."""
        if self.qt_viewer is not None:
            self.qt_viewer.canvas.native.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Keep the whole map in view while that is what is seen; tell of the pointer and keys."""
        kind = event.type()
        if kind == QEvent.Type.Resize:
            if self._fitted is not None and np.allclose(self.camera, self._fitted):
                self.fit()
            if self._over is not None:
                self._over.resize(event.size())
            self.view_changed.emit()
        elif kind == QEvent.Type.Leave:
            self.left.emit()
        elif kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            if kind == QEvent.Type.KeyPress:
                self.key_pressed.emit(event)
            # None goes to napari, some of whose keys would turn the map into another view.
            event.accept()
            return True
        return super().eventFilter(watched, event)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the theme of the window."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self._follow_theme()

    @property
    def dark(self) -> bool:
        """Whether the window is dark."""
        return self.palette().color(QPalette.ColorRole.Window).lightness() < DARK_BELOW

    def _follow_theme(self) -> None:
        kind = "dark" if self.dark else "light"
        if self.window().styleSheet() and get_theme(self.model.theme).type != kind:
            self.model.theme = kind
