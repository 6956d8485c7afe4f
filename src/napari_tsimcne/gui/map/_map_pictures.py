"""Pictures of patches in place of points, where there is room for them."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from napari.utils.notifications import show_error
from psygnal import Signal
from qtpy.QtCore import QObject, QTimer

from napari_tsimcne.explore import Coloring, Exploration, lay_out, rgba, without_overlap
from napari_tsimcne.gui.images._crops import Crops
from napari_tsimcne.gui.jobs._newest import Newest
from napari_tsimcne.gui.map._map_canvas import MapCanvas
from napari_tsimcne.gui.map._map_points import SELECTED_COLOR

DELAY_MS = 80
"""After a move of the camera until pictures are drawn for the new view."""

LEAST, MOST = 36, 112
"""Pixels of a picture's side."""

FILLED = 0.6
"""Share of the canvas that all pictures in view would fill together, if none were left out."""

READABLE = 1.5
"""The same with the smallest pictures, up to which they are drawn without being asked for."""

CANDIDATES = 20_000
"""Points that are tried in one view: more make no fuller picture, but take longer."""

BEYOND = 0.15
"""Of the view that is drawn on each side of it, for small moves of the camera."""


class _View(NamedTuple):
    """What is to be drawn, as it was when it was asked for."""

    low: np.ndarray
    high: np.ndarray
    zoom: float
    ratio: float
    side: int
    candidates: np.ndarray
    selected: np.ndarray
    colors: np.ndarray


class _Drawing(NamedTuple):
    view: _View
    rows: np.ndarray
    image: np.ndarray


class MapPictures(QObject):
    """Draws as many pictures as do not overlap: the selected ones first.

    They appear where the points in view are few enough for most to become pictures of at least 36
    pixels, and everywhere while they are always wanted. Selected patches have a ring in the colour
    of the selection, all a frame in the colour of their point. ``drawn`` is emitted when a view
    was drawn.

    Parameters
    ----------
    canvas
        On which they are drawn.
    points
        Positions (N, 2) as (y, x).
    exploration, coloring, crops
        What is drawn, and followed.
    """

    drawn = Signal()

    def __init__(
        self,
        canvas: MapCanvas,
        points: np.ndarray,
        exploration: Exploration,
        coloring: Coloring,
        crops: Crops,
    ) -> None:
        super().__init__(canvas)
        self._canvas, self._points = canvas, points
        self._y, self._x = np.ascontiguousarray(points.T)
        self._selection, self._coloring, self._crops = exploration.selection, coloring, crops
        # The same ones are preferred after every move of the camera.
        self._preference = np.random.default_rng(0).permutation(len(points))
        self._always = False
        self._now: _Drawing | None = None
        self._work = Newest(self)
        self._work.failed.connect(lambda reason: show_error(f"t-SimCNE: {reason}"))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._draw)
        self._signals = (
            canvas.view_changed, self._selection.changed, coloring.changed, crops.changed
        )  # fmt: skip
        for signal in self._signals:
            signal.connect(self._on_changed)

    def release(self) -> None:
        """Let go of what is followed; a drawing under way is dropped."""
        self._timer.stop()
        self._work.cancel()
        for signal in self._signals:
            signal.disconnect(self._on_changed, missing_ok=True)

    def hide(self) -> None:
        """Take all pictures away until the next drawing."""
        self._timer.stop()
        self._work.cancel()
        if self._now is not None:
            self._now = None
            self._canvas.overlay.draw_pictures(None, np.zeros(2), 1)
            self.drawn.emit()

    def move(self) -> None:
        """Draw pictures where the points are now."""
        self._y, self._x = np.ascontiguousarray(self._points.T)
        self._on_changed()

    @property
    def always(self) -> bool:
        """Whether pictures are drawn however many points are in view."""
        return self._always

    def show_always(self, always: bool) -> None:
        """Draw pictures in every view, or only where the points in view are few."""
        self._always = always
        self._on_changed()

    @property
    def rows(self) -> np.ndarray:
        """Numbers of the patches that are drawn as pictures."""
        return np.zeros(0, np.intp) if self._now is None else self._now.rows

    def patch_at(self, position: np.ndarray) -> int | None:
        """Return the patch whose picture is at a position (y, x), or None."""
        if self._now is None:
            return None
        half = self._now.view.side / self._now.view.zoom / 2
        inside = (np.abs(self._points[self._now.rows] - position) <= half).all(axis=1)
        found = self._now.rows[inside]
        return int(found[0]) if len(found) else None

    # --- drawing ------------------------------------------------------------------------------

    def _on_changed(self) -> None:
        self._timer.start()

    def _draw(self) -> None:
        view = self._view()
        if view is not None:
            self._work.ask(partial(self._drawing, view), self._on_drawing)
            return
        self.hide()

    def _view(self) -> _View | None:
        if self._canvas.qt_viewer is None:
            return None
        low, high = self._canvas.visible_box
        pixels = self._canvas.pixels
        inside = (self._y > low[0]) & (self._y < high[0])
        inside &= (self._x > low[1]) & (self._x < high[1])
        inside &= self._coloring.shown
        count = int(np.count_nonzero(inside))
        if not count or (count * LEAST**2 > READABLE * pixels.prod() and not self._always):
            return None
        beyond = BEYOND * (high - low)
        return _View(
            low=low - beyond,
            high=high + beyond,
            zoom=self._canvas.zoom,
            ratio=self._canvas.devicePixelRatioF(),
            side=int(np.clip(np.sqrt(FILLED * pixels.prod() / count), LEAST, MOST)),
            candidates=self._coloring.shown,
            selected=self._selection.mask,
            colors=self._coloring.colors,
        )

    def _drawing(self, view: _View) -> _Drawing:
        """Choose and lay out the pictures of a view, in another thread."""
        (top, left), (bottom, right) = view.low, view.high
        inside = (self._y > top) & (self._y < bottom) & (self._x > left) & (self._x < right)
        inside &= view.candidates
        order = self._preference[inside[self._preference]]
        selected = view.selected[order]
        order = np.concatenate([order[selected], order[~selected]])[:CANDIDATES]
        rows = order[without_overlap(self._points[order], view.side / view.zoom)]
        scale = view.zoom * view.ratio
        side = round(view.side * view.ratio)
        corners = np.rint((self._points[rows] - view.low) * scale - side / 2).astype(int)
        height, width = np.ceil((view.high - view.low) * scale).astype(int)
        ring = np.rint(rgba([SELECTED_COLOR])[0] * 255).astype(np.uint8)
        image = lay_out(
            self._crops.pictures(rows),
            corners,
            side,
            (int(height), int(width)),
            np.rint(view.colors[rows] * 255).astype(np.uint8),
            view.selected[rows, None] * ring,
        )
        return _Drawing(view, rows, image)

    def _on_drawing(self, drawing: _Drawing) -> None:
        self._now = drawing
        pixel = 1 / (drawing.view.zoom * drawing.view.ratio)
        self._canvas.overlay.draw_pictures(drawing.image, drawing.view.low, pixel)
        self.drawn.emit()
