"""The map in a canvas of its own: a napari Points layer, with lasso, click and pan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.qt import QtViewer
from psygnal import Signal
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import (
    QButtonGroup,
    QDockWidget,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.explore import Mode, Selection, points_in_lasso

CLICK_PIXELS = 8
LASSO_COLOR = "#ffd24a"
PLAIN_COLOR = "#5ca6ee"
# Stands out on stained tissue as on fluorescence.
SELECTED_COLOR = "#19e680"
FADED = 0.5


class MapView(QWidget):
    """Shows coordinates (N, 2 or 3), the first two of three, and edits a `Selection`.

    With the lasso (the default tool) a drag encloses points and a click takes the nearest;
    Shift adds, Alt subtracts, Escape selects nothing. Scrolling zooms with either tool.
    """

    built = Signal()
    closed = Signal()

    def __init__(self, coordinates: np.ndarray, selection: Selection, theme: str) -> None:
        super().__init__()
        self.selection = selection
        # Up on the map is up on the screen, as in figures: napari's rows run downwards.
        self.points = np.stack([-coordinates[:, 1], coordinates[:, 0]], axis=1)
        self.model = ViewerModel(title="t-SimCNE map")
        self.model.theme = theme
        look = {
            "size": _point_size(self.points),
            "border_width": 0,
            "border_color": "transparent",
            "canvas_size_limits": (4, 24),
        }
        self.layer = self.model.add_points(
            self.points, name="t-SimCNE map", face_color=PLAIN_COLOR, **look
        )
        # A layer of its own keeps selected points on top, and a selection costs what it holds.
        self.chosen = self.model.add_points(
            np.zeros((0, 2)), name="selected", face_color=SELECTED_COLOR, **look
        )
        for layer in (self.layer, self.chosen):
            layer.editable = False
        self._outline = self.model.add_vectors(
            np.zeros((0, 2, 2)), name="lasso", edge_color=LASSO_COLOR, vector_style="line",
            opacity=1.0,
        )  # fmt: skip
        # No active layer: napari's own editing of points can then not touch the map.
        self.model.layers.selection.clear()
        self.model.mouse_drag_callbacks.append(self._on_drag)
        self.model.bind_key("Escape", lambda model: selection.clear(), overwrite=True)
        self.qt_viewer: QtViewer | None = None
        self._fitted = self._camera()
        self._build_tools()
        selection.changed.connect(self._show_selection)
        self._show_selection()

    # --- widgets ------------------------------------------------------------------------------

    def _build_tools(self) -> None:
        self.setMinimumSize(280, 280)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        bar = QHBoxLayout()
        bar.setContentsMargins(4, 4, 4, 0)
        self.lasso_button = _tool("Lasso", "Drag around points to select their patches.\n"
                                  "Shift adds, Alt subtracts, Escape selects nothing.")  # fmt: skip
        self.pan_button = _tool("Pan", "Drag to move the map, scroll to zoom.")
        self.home_button = _tool("Fit", "Show the whole map.", checkable=False)
        self.undo_button = _tool("Undo", "Go back to the selection before.", checkable=False)
        self.redo_button = _tool("Redo", "Take back the undo.", checkable=False)
        group = QButtonGroup(self)
        for button in (self.lasso_button, self.pan_button):
            group.addButton(button)
        self.lasso_button.setChecked(True)
        self.home_button.clicked.connect(self._fit)
        self.undo_button.clicked.connect(lambda: self.selection.undo())
        self.redo_button.clicked.connect(lambda: self.selection.redo())
        self._count = QLabel()
        for button in (self.lasso_button, self.pan_button, self.home_button, self.undo_button,
                       self.redo_button):  # fmt: skip
            bar.addWidget(button)
        bar.addStretch()
        layout.addLayout(bar)
        layout.addWidget(self._count)

    def showEvent(self, event: Any) -> None:  # noqa: N802
        """Build the canvas once the widget has its place: moving it would lose its GL context."""
        super().showEvent(event)
        dock = dock_of(self)
        if dock is not None:
            fixed = QDockWidget.DockWidgetFeature
            dock.setFeatures(
                dock.features() & ~fixed.DockWidgetFloatable & ~fixed.DockWidgetMovable
            )
            title = dock.titleBarWidget()
            button = title.findChild(QWidget, "QTitleBarFloatButton") if title else None
            if button is not None:
                button.hide()
        if self.qt_viewer is None:
            self.qt_viewer = QtViewer(self.model)
            self.qt_viewer.setAcceptDrops(False)
            # Controls and list of layers stay with the main window.
            for part in (self.qt_viewer.dockLayerControls, self.qt_viewer.dockLayerList):
                part.hide()
            self.layout().insertWidget(1, self.qt_viewer, stretch=1)
            self._fit()
            # Once the window has laid itself out around the canvas.
            QTimer.singleShot(0, self.built.emit)

    def resizeEvent(self, event: Any) -> None:  # noqa: N802
        """Keep the whole map in view, unless the user has chosen another view."""
        super().resizeEvent(event)
        if np.allclose(self._camera(), self._fitted):
            # The canvas has its new size once pending layouts are done.
            QTimer.singleShot(0, self._fit)

    def _fit(self) -> None:
        if self.qt_viewer is not None:
            self.model.reset_view()
            self._fitted = self._camera()

    def _camera(self) -> tuple[float, ...]:
        """Centre and zoom; newer versions of napari keep the camera in a scene."""
        camera = getattr(self.model, "scene", self.model).camera
        return (*camera.center, camera.zoom)

    def event(self, event: QEvent) -> bool:
        """Close the canvas before the widget is taken out of its place."""
        if event.type() == QEvent.Type.ParentAboutToChange and dock_of(self) is not None:
            self.close_canvas()
            self.closed.emit()
        return super().event(event)

    def closeEvent(self, event: Any) -> None:  # noqa: N802
        """Close the canvas."""
        self.close_canvas()
        super().closeEvent(event)

    def close_canvas(self) -> None:
        """Let go of selection and canvas."""
        self.selection.changed.disconnect(self._show_selection, missing_ok=True)
        if self.qt_viewer is None:
            return
        viewer, self.qt_viewer = self.qt_viewer, None
        for visual in list(viewer.layer_to_visual.values()):
            visual.close()
        self.layout().removeWidget(viewer)
        viewer.close()
        viewer.deleteLater()

    # --- selection ----------------------------------------------------------------------------

    def _show_selection(self) -> None:
        mask = self.selection.mask
        self.chosen.data = self.points[mask]
        self.layer.opacity = FADED if mask.any() else 1.0
        self._count.setText(f"{len(self.selection):,} of {len(mask):,} selected")

    def _on_drag(self, model: ViewerModel, event: Any) -> Iterator[None]:
        if event.button != 1:
            return
        mode = selection_mode(event.modifiers)
        outline = [np.array(event.position[-2:])]
        lasso = self.lasso_button.isChecked()
        moved = False
        event.handled = lasso
        yield
        while event.type == "mouse_move":
            moved = True
            if lasso:
                event.handled = True
                outline.append(np.array(event.position[-2:]))
                self._draw_outline(np.array(outline))
            yield
        self._outline.data = np.zeros((0, 2, 2))
        if moved and lasso:
            # The canvas leaves moves out when they come fast, but never the release.
            outline.append(np.array(event.position[-2:]))
            self.selection.select(points_in_lasso(self.points, np.array(outline)), mode)
        elif not moved:
            self._click(outline[0], mode)

    def _click(self, position: np.ndarray, mode: Mode) -> None:
        distance = np.hypot(*(self.points - position).T)
        nearest = int(distance.argmin())
        reach = max(CLICK_PIXELS / self._camera()[-1], float(np.max(self.layer.size)) / 2)
        if distance[nearest] <= reach:
            self.selection.select_patch(nearest, mode)
        elif mode == "replace":
            self.selection.clear()

    def _draw_outline(self, outline: np.ndarray) -> None:
        closed = np.roll(outline, -1, axis=0)
        self._outline.edge_width = 2 / self._camera()[-1]
        self._outline.data = np.stack([outline, closed - outline], axis=1)


def dock_of(widget: QWidget) -> QDockWidget | None:
    """Return the dock that a widget stands in."""
    parent = widget.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent


def selection_mode(modifiers: Any) -> Mode:
    """Shift adds, Alt subtracts, anything else replaces."""
    names = {getattr(modifier, "name", modifier) for modifier in modifiers}
    if "Shift" in names:
        return "add"
    return "subtract" if "Alt" in names else "replace"


def _point_size(points: np.ndarray) -> float:
    """Diameter that leaves room between points, in units of the map."""
    extent = float(np.ptp(points, axis=0).max()) or 1.0
    return extent * float(np.clip(0.8 / np.sqrt(len(points)), 1 / 400, 1 / 40))


def _tool(text: str, tip: str, checkable: bool = True) -> QPushButton:
    button = QPushButton(text)
    button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
    button.setToolTip(tip)
    button.setCheckable(checkable)
    return button
