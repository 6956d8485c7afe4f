"""The map: points, tools, colours and pictures, in the dock or in a window of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Points
from napari.qt import QtViewer
from psygnal import Signal
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QBoxLayout,
    QDockWidget,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.explore import Coloring, Exploration
from napari_tsimcne.gui._later import later
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.images._crops import Crops
from napari_tsimcne.gui.map._find_bar import FindBar
from napari_tsimcne.gui.map._legend import Legend
from napari_tsimcne.gui.map._map_bar import MapBar
from napari_tsimcne.gui.map._map_canvas import MapCanvas
from napari_tsimcne.gui.map._map_glide import Glide
from napari_tsimcne.gui.map._map_hover import Hover
from napari_tsimcne.gui.map._map_icons import IconButton
from napari_tsimcne.gui.map._map_pick import NearestPoint
from napari_tsimcne.gui.map._map_pictures import MapPictures
from napari_tsimcne.gui.map._map_points import MapPoints
from napari_tsimcne.gui.map._map_symbols import AddedLine
from napari_tsimcne.gui.map._map_tools import MapTools, Tool
from napari_tsimcne.gui.map._map_window import MapWindow

CLICK_PIXELS = 8
"""From a point, within which a click takes it."""

WIDE = 620
"""Pixels from which on the legend stands beside the map."""

NO_MAP_YET = "The map forms here once the training reaches its two-dimensional stages."

LEGEND_WIDTH = 240
LEGEND_SHARE = 0.35
"""Of the height, where the legend stands below the map."""

TOOL_KEYS: dict[int, Tool] = {
    Qt.Key.Key_P: "pan",
    Qt.Key.Key_L: "lasso",
    Qt.Key.Key_R: "rectangle",
    Qt.Key.Key_C: "click",
}


class MapView(QWidget):
    """Shows the map of an exploration and edits its selection.

    Signals: ``built`` when a canvas was made, ``closed`` when the dock was closed,
    ``activated(patch)`` on a double click, ``image_lasso_wanted(on)``, ``copy_wanted``.

    Parameters
    ----------
    exploration
        Whose map is shown.
    coloring
        Of the points; its legend is beside or below the map.
    crops
        Pictures of the patches.
    theme
        Of napari.
    """

    built = Signal()
    closed = Signal()
    activated = Signal(int)
    image_lasso_wanted = Signal(bool)
    copy_wanted = Signal()

    def __init__(
        self, exploration: Exploration, coloring: Coloring, crops: Crops, theme: str
    ) -> None:
        super().__init__()
        self.exploration, self._coloring = exploration, coloring
        self.glide = Glide(exploration, self)
        self.points = self.glide.points
        self.canvas = MapCanvas(self.glide.box, theme)
        self.map_points = MapPoints(self.canvas, self.points, exploration, coloring)
        self.pictures = MapPictures(self.canvas, self.points, exploration, coloring, crops)
        self._nearest = NearestPoint(self.points)
        self._looked_at: int | None = None
        self.tools = MapTools(
            self.canvas,
            self.points,
            exploration.selection,
            lambda: self.map_points.shown,
            self.patch_at,
            self.activated.emit,
        )
        self.hover = Hover(self.canvas, exploration, crops, self.patch_at, self._on_pointed)
        self._window: MapWindow | None = None
        self._build(exploration, coloring)
        self.canvas.built.connect(self._on_built)
        self.canvas.key_pressed.connect(self._on_key)
        exploration.selection.changed.connect(self._on_selection)
        self.glide.stepped.connect(self._on_stepped)
        self.glide.settled.connect(self._on_settled)
        coloring.changed.connect(self._keep_room)
        self._on_selection()

    # --- widgets ------------------------------------------------------------------------------

    def _build(self, exploration: Exploration, coloring: Coloring) -> None:
        self.setMinimumSize(300, 280)
        self.bar = MapBar(self.tools, exploration.history)
        self.find_bar, self.legend = FindBar(exploration), Legend(coloring)
        self._count, self._done = QLabel(), QLabel()
        self._notice = Wrapped(NO_MAP_YET)
        self._notice.setContentsMargins(6, 2, 6, 2)
        self._notice.setVisible(not exploration.placed.any())
        self.legend_button = IconButton("legend", "Legend\nShow or hide the colours.", True)
        self.legend_button.setChecked(True)
        foot = QHBoxLayout()
        foot.setContentsMargins(6, 0, 4, 2)
        foot.addWidget(self._count)
        # As long as it may be: it never widens the map.
        self._done.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._done.setIndent(12)
        foot.addWidget(self._done, stretch=1)
        foot.addWidget(self.legend_button)
        left = QVBoxLayout()
        left.setSpacing(2)
        left.addWidget(self._notice)
        left.addWidget(self.canvas, stretch=1)
        left.addWidget(AddedLine(exploration))
        left.addLayout(foot)
        # All that moves into a window of its own, and back.
        self.panel = QWidget()
        self.panel.installEventFilter(self)
        self._sides = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self._sides.setSpacing(2)
        self._sides.addLayout(left, stretch=1)
        self._legend_room = QWidget()
        room = QVBoxLayout(self._legend_room)
        room.setContentsMargins(0, 0, 0, 0)
        room.addWidget(self.legend)
        room.addStretch()
        self._sides.addWidget(self._legend_room)
        self.legend_button.toggled.connect(self._legend_room.setVisible)
        layout = QVBoxLayout(self.panel)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.bar)
        layout.addWidget(self.find_bar)
        layout.addLayout(self._sides, stretch=1)
        self._elsewhere = QPushButton("The map is in a window of its own.\nBring it back")
        self._elsewhere.clicked.connect(self.bring_back)
        self._elsewhere.hide()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.panel)
        outer.addWidget(self._elsewhere, alignment=Qt.AlignmentFlag.AlignCenter)

        self.bar.fit.clicked.connect(self.canvas.fit)
        self.bar.pictures.toggled.connect(self.pictures.show_always)
        self.bar.image_lasso.toggled.connect(self.image_lasso_wanted.emit)
        self.bar.copy.clicked.connect(lambda: self.copy_wanted.emit())
        self.bar.pop_out.clicked.connect(self._on_pop_out)
        self.find_bar.jumped.connect(self.look_at)

    @property
    def model(self) -> ViewerModel:
        """The viewer that holds the map's layers."""
        return self.canvas.model

    @property
    def qt_viewer(self) -> QtViewer | None:
        """What it is drawn on, while it is open."""
        return self.canvas.qt_viewer

    @property
    def layer(self) -> Points:
        """All points."""
        return self.map_points.layer

    @property
    def chosen(self) -> Points:
        """The selected points."""
        return self.map_points.chosen

    # --- place --------------------------------------------------------------------------------

    def showEvent(self, event: Any) -> None:  # noqa: N802
        """Keep the dock where it is: moving it would lose the canvas' GL context."""
        super().showEvent(event)
        dock = dock_of(self)
        if dock is not None:
            feature = QDockWidget.DockWidgetFeature
            dock.setFeatures(
                dock.features() & ~feature.DockWidgetFloatable & ~feature.DockWidgetMovable
            )
            title = dock.titleBarWidget()
            button = title.findChild(QWidget, "QTitleBarFloatButton") if title else None
            if button is not None:
                button.hide()

    def _on_built(self) -> None:
        # Once the window has laid itself out around the canvas.
        later(self, self.built.emit)

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
        """Let go of the exploration, its colours and pictures, and close canvas and window."""
        self.exploration.selection.changed.disconnect(self._on_selection, missing_ok=True)
        self._coloring.changed.disconnect(self._keep_room, missing_ok=True)
        self.hover.hide()
        for part in (
            self.glide, self.map_points, self.pictures, self.bar, self.find_bar, self.legend
        ):  # fmt: skip
            part.release()
        self.canvas.close_viewer()
        if self._window is not None:
            self._window.let_go()
            self._window = None

    @property
    def popped_out(self) -> bool:
        """Whether the map is in a window of its own."""
        return self._window is not None

    def pop_out(self) -> None:
        """Move the map into a window of its own; closing that brings it back."""
        if self._window is None:
            self._leave_place()
            self._elsewhere.show()
            self._window = MapWindow(self, self.panel)
            self._window.closing.connect(self.bring_back)
            self.canvas.open()
            self.panel.show()
            self._window.show()
            self.bar.show_popped_out(True)

    def bring_back(self) -> None:
        """Move the map from its window back into the dock."""
        if self._window is not None:
            window, self._window = self._window, None
            self._leave_place()
            self.layout().insertWidget(0, self.panel)
            self._elsewhere.hide()
            self.panel.show()
            self.bar.show_popped_out(False)
            window.let_go()

    def _on_pop_out(self) -> None:
        if self.popped_out:
            self.bring_back()
        else:
            self.pop_out()

    def _leave_place(self) -> None:
        self.hover.hide()
        self.tools.cancel()
        self.canvas.close_viewer()
        self.panel.hide()

    def _arrange(self) -> None:
        """Put the legend beside the map where it is wide, and below it otherwise."""
        wide = self.panel.width() >= WIDE
        self._sides.setDirection(
            QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.TopToBottom
        )
        most = 16_777_215  # Qt's own
        height = int(self.panel.height() * LEGEND_SHARE)
        self.legend.setMaximumSize(LEGEND_WIDTH if wide else most, most if wide else height)
        self._legend_room.setMinimumHeight(0)
        self._keep_room()

    def _keep_room(self) -> None:
        """Let the room of the legend grow but not shrink: the map would jump at every change."""
        needed = min(self.legend.sizeHint().height(), self.legend.maximumHeight())
        if self._sides.direction() == QBoxLayout.Direction.TopToBottom:
            self._legend_room.setMinimumHeight(max(needed, self._legend_room.minimumHeight()))

    # --- keys ---------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Arrange the panel by its size, and take the keys that nothing in it has used."""
        if event.type() == QEvent.Type.Resize:
            self._arrange()
        elif event.type() == QEvent.Type.KeyPress:
            typing = isinstance(self.panel.window().focusWidget(), QLineEdit)
            if typing and event.key() == Qt.Key.Key_Escape:
                self.canvas.take_keyboard()
                return True
            return not typing and self._on_key(event)
        return super().eventFilter(watched, event)

    def _on_key(self, event: QKeyEvent) -> bool:
        key, control = event.key(), Qt.KeyboardModifier.ControlModifier
        shift = Qt.KeyboardModifier.ShiftModifier
        if key == Qt.Key.Key_Z and event.modifiers() & control:
            history = self.exploration.history
            (history.redo if event.modifiers() & shift else history.undo)()
        elif event.modifiers() & (control | Qt.KeyboardModifier.AltModifier):
            return False
        elif key in TOOL_KEYS:
            self.tools.choose(TOOL_KEYS[key])
        elif key == Qt.Key.Key_F:
            self.canvas.fit()
        elif key == Qt.Key.Key_Escape:
            self._on_escape()
        else:
            return False
        return True

    def _on_escape(self) -> None:
        if not self.tools.cancel():
            self._looked_at = None
            self._show_marks()
            self.exploration.selection.clear()

    # --- points -------------------------------------------------------------------------------

    def patch_at(self, position: np.ndarray) -> int | None:
        """Return the patch whose picture or point is at a position (y, x), or None."""
        patch = self.pictures.patch_at(position)
        if patch is None:
            reach = max(CLICK_PIXELS / self.canvas.zoom, self.map_points.diameter / 2)
            patch = self._nearest.within(position, reach, self.map_points.shown)
        return patch

    def look_at(self, patch: int) -> None:
        """Move the camera to a patch, unless it is well in view, and mark its point."""
        self.canvas.center_on(self.points[patch])
        self._looked_at = patch
        self._show_marks()

    def _on_pointed(self, patch: int | None) -> None:
        self._show_marks()

    def _show_marks(self) -> None:
        marked = (self._looked_at, self.hover.patch)
        rows = [patch for patch in marked if patch is not None]
        self.canvas.overlay.draw_marks(self.points[rows])

    def _on_stepped(self) -> None:
        self.hover.hide()
        self.canvas.set_box(self.glide.box)
        self.map_points.move()
        self.pictures.hide()
        self._show_marks()

    def _on_settled(self) -> None:
        self._on_stepped()
        self._notice.hide()
        self.map_points.rescale()
        self._nearest.rebuild()
        self.pictures.move()

    def show_done(self, what: str) -> None:
        """Show below the map what was done, until the selection changes."""
        self._done.setText(what)
        self._done.setToolTip(what)

    def _on_selection(self) -> None:
        if self._looked_at is not None:
            self._looked_at = None
            self._show_marks()
        selection = self.exploration.selection
        self._done.clear()
        self._count.setText(f"{len(selection):,} of {len(self.exploration):,} selected")


def dock_of(widget: QWidget) -> QDockWidget | None:
    """Return the dock that a widget stands in."""
    parent = widget.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent
