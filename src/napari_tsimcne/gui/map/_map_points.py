"""The points of the map: coloured, the selected ones on top."""

from __future__ import annotations

import numpy as np
from napari.layers import Points
from scipy.spatial import KDTree

from napari_tsimcne.explore import Coloring, Exploration
from napari_tsimcne.gui.map._map_canvas import MapCanvas
from napari_tsimcne.gui.map._map_symbols import MapSymbols

# Stands out on stained tissue as on fluorescence.
SELECTED_COLOR = "#19e680"
DIMMED = 0.4
"""Share of their opacity that points keep while others are selected."""

FAINTEST, FAINTEST_DIMMED = 0.45, 0.2
"""Opacity of points that lie over each other in crowds."""

LARGEST = 18
"""Diameter in pixels of the screen that points grow to when zoomed in."""

RIM = (1.5, 4)
"""Pixels by which the ground of selected points is larger than these, at least and at most."""

MANY, MANY_SHARE = 20_000, 0.25
"""Selected points from which on the others are dimmed one by one, which takes less time then."""

SAMPLE = 4_000
"""Points whose neighbours are looked up to learn how far points are from each other."""


class MapPoints:
    """The layers of points in the canvas, in step with colours and selection.

    Selected points are drawn on top, on a ground in the colour of the selection; where these are
    very many, all others are merely dimmed.

    Parameters
    ----------
    canvas
        Gets the layers.
    points
        Positions (N, 2) as (y, x).
    exploration, coloring
        What is followed.
    """

    def __init__(
        self, canvas: MapCanvas, points: np.ndarray, exploration: Exploration, coloring: Coloring
    ) -> None:
        self._canvas, self._points = canvas, points
        self._exploration, self._coloring = exploration, coloring
        self._symbols = MapSymbols(exploration.table)
        self._selection, self._placed = exploration.selection, exploration.placed
        self._smallest = float(np.clip(450 / np.sqrt(len(points)), 1.5, 6))
        self._measure()
        self._drawn = 0.0
        self._dimmed = False
        self._rows_on_top = np.zeros(0, np.intp)
        self._take_colors()
        nothing = np.zeros((0, 2))
        # Points without a place are left out: napari would take its time for them as well.
        placed = self._placed
        color = self._colors[placed] if placed.any() else "white"
        self.layer = self._add(points[placed], "t-SimCNE map", color)
        # Layers of their own keep selected points on top, and a selection costs what it holds.
        # In crowds the ground is seen as a contour around them.
        self.chosen = self._add(nothing, "selected", SELECTED_COLOR)
        self._faces = self._add(nothing, "selected, in their colours", "white")
        self._symbols.draw(self.layer, np.flatnonzero(placed))
        self._selection.changed.connect(self.show_selection)
        coloring.changed.connect(self._on_coloring)
        canvas.view_changed.connect(self._adapt)
        self.show_selection()

    def release(self) -> None:
        """Let go of selection and colours."""
        self._selection.changed.disconnect(self.show_selection, missing_ok=True)
        self._coloring.changed.disconnect(self._on_coloring, missing_ok=True)
        self._canvas.view_changed.disconnect(self._adapt, missing_ok=True)

    @property
    def diameter(self) -> float:
        """Of the points as they are drawn now, in units of the map."""
        zoom = self._canvas.zoom
        return float(np.clip(self._size * zoom, self._smallest, LARGEST)) / zoom

    def _measure(self) -> None:
        points = self._points[self._placed] if self._placed.any() else self._points
        self._spacing = typical_spacing(points)
        extent = float(np.ptp(points, axis=0).max()) or 1.0
        self._size = float(np.clip(0.8 * self._spacing, extent / 20_000, extent / 60))
        # Larger than points are ever drawn: the limit in pixels of the screen alone decides, which
        # is changed without a look at the points.
        self._bound = extent / 12

    # --- the map moves ------------------------------------------------------------------------

    def move(self) -> None:
        """Draw all points where they are now."""
        before, self._placed = self._placed, self._exploration.placed
        self.layer.data = self._points[self._placed]
        if not np.array_equal(before, self._placed):
            _recolor(self.layer, self._colors[self._placed])
        on_top = self._rows_on_top
        if len(on_top):
            self.chosen.data = self._faces.data = self._points[on_top]

    def rescale(self) -> None:
        """Fit the size of the points to how far they are from each other now."""
        bound = self._bound
        self._measure()
        if not 0.5 < self._bound / bound < 2:
            for layer in (self.layer, self.chosen, self._faces):
                layer.current_size = self._bound
                layer.size = self._bound
        else:
            self._bound = bound
        self._adapt()

    # --- following ----------------------------------------------------------------------------

    def show_selection(self) -> None:
        """Draw the selected points on top of the others, which are dimmed."""
        # A class that is hidden stays so.
        selected = self._selection.mask & self.shown
        rows = np.flatnonzero(selected)
        many = len(rows) > max(MANY, MANY_SHARE * len(selected))
        if many or self._dimmed:
            self._dimmed = many
            colors = self._colors
            if many:
                colors = colors.copy()
                colors[~selected, 3] *= DIMMED
            _recolor(self.layer, colors[self._placed])
        on_top = self._rows_on_top = rows[:0] if many else rows
        self.chosen.data = self._faces.data = self._points[on_top]
        for layer in (self.chosen, self._faces):
            self._symbols.draw(layer, on_top)
        if len(on_top):
            _recolor(self._faces, self._colors[on_top])
        self._adapt()

    def _on_coloring(self) -> None:
        before = self.shown
        self._take_colors()
        if self._dimmed:
            self.show_selection()
            return
        _recolor(self.layer, self._colors[self._placed])
        if not np.array_equal(before, self.shown):
            self.show_selection()
        elif len(self.chosen.data):
            _recolor(self._faces, self._colors[self._selection.mask & self.shown])

    def _take_colors(self) -> None:
        self.shown = self._coloring.shown
        self._colors = self._coloring.colors
        if not self.shown.all():
            self._colors = self._colors.copy()
            self._colors[~self.shown, 3] = 0

    def _adapt(self) -> None:
        """Fit diameter and opacity to the zoom."""
        pixels = self.diameter * self._canvas.zoom
        if abs(pixels - self._drawn) > 0.1:
            self._drawn = pixels
            rim = float(np.clip(0.6 * pixels, *RIM))
            for layer, diameter in (
                (self.layer, pixels), (self.chosen, pixels + rim), (self._faces, pixels)
            ):  # fmt: skip
                layer.canvas_size_limits = (0, diameter)
        over_each_other = (self.diameter / self._spacing) ** 2
        opacity = float(np.clip(1 / max(over_each_other, 1e-9), FAINTEST, 1))
        if len(self.chosen.data):
            opacity = max(DIMMED * opacity, FAINTEST_DIMMED)
        if abs(opacity - self.layer.opacity) > 0.01:
            self.layer.opacity = opacity

    def _add(self, points: np.ndarray, name: str, color: object) -> Points:
        layer = self._canvas.model.add_points(
            points,
            name=name,
            size=self._bound,
            face_color=color,
            border_width=0,
            border_color="transparent",
        )
        layer.editable = False
        return layer


def _recolor(layer: Points, colors: np.ndarray) -> None:
    """Give the points their colours, (n, 4)."""
    if not len(colors):
        return
    # napari draws points anew for each of two events; one is enough.
    with layer.events.face_color.blocker():
        layer.face_color = colors


def typical_spacing(points: np.ndarray) -> float:
    """Return the typical distance of a point (y, x) to its nearest, of (N, 2), from a sample."""
    count = min(SAMPLE, len(points))
    extent = float(np.ptp(points, axis=0).max()) or 1.0
    if count < 2:
        return extent
    sample = points[np.random.default_rng(0).choice(len(points), count, replace=False)]
    nearest = KDTree(sample).query(sample, k=2)[0][:, 1]
    # Among all, there are more of them in the same area.
    spacing = float(np.median(nearest)) * np.sqrt(count / len(points))
    return max(spacing, extent * 1e-6)
