"""A copy of the map among the images: a Points layer that napari's own tools work on."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Points
from napari.utils.notifications import show_info

from napari_tsimcne.explore import Coloring, Exploration
from napari_tsimcne.gui.images._outlines import VIEW
from napari_tsimcne.images import World

COPY_NAME = "t-SimCNE map"
GAP = 0.06
"""Between images and map, as a share of the map's side."""

MOST_SELECTED = 2_000
"""Points that are marked in the layer at most: napari takes long to mark more."""


class MapCopy:
    """The map as a Points layer of the viewer, beside the images and as large.

    Its features are all columns of the patches, so that napari's table of features shows them;
    they and the colours follow clusters and colouring. Points selected with napari's own tool
    are selected on the map, and the other way round where they are few.

    Parameters
    ----------
    viewer
        The napari viewer.
    exploration
        Whose map is copied.
    coloring
        Of its points.
    """

    def __init__(self, viewer: Any, exploration: Exploration, coloring: Coloring) -> None:
        self._viewer, self._exploration, self._coloring = viewer, exploration, coloring
        self._following = self._marking = False
        self.layer = self._add()
        self._follow()
        self._show_selection()

    def close(self) -> None:
        """Take the layer away."""
        self._let_go()
        if self.layer in self._viewer.layers:
            self._viewer.layers.remove(self.layer)

    # --- the layer ----------------------------------------------------------------------------

    def _add(self) -> Points:
        points = self._places()
        extent = float(np.ptp(points, axis=0).max()) or 1.0
        scale, corner, like = 1.0, np.zeros(2), {}
        if len(self._viewer.layers):
            low, high = np.asarray(self._viewer.layers.extent.world)[:, -2:]
            side = float((high - low).max()) or 1.0
            scale = side / extent
            corner = np.array([low[0], high[1] + GAP * side])
            top = max(self._viewer.layers, key=lambda layer: layer.ndim)
            # As the images', else napari warns of units that differ.
            units = World.of(self._viewer).units or top.units
            like = {"units": units[-2:], "axis_labels": top.axis_labels[-2:]}
        layer = self._viewer.add_points(
            points,
            name=COPY_NAME,
            features=self._exploration.columns(),
            face_color=self._coloring.colors,
            shown=self._coloring.shown,
            border_width=0,
            # Without a width it would still be seen around small points.
            border_color="transparent",
            size=extent * float(np.clip(0.8 / np.sqrt(len(points)), 1 / 400, 1 / 40)),
            metadata=dict(VIEW),
            canvas_size_limits=(3, 24),
            scale=(scale, scale),
            translate=corner - points.min(axis=0) * scale,
            **like,
        )
        return layer

    def _follow(self) -> None:
        self._following = True
        self._coloring.changed.connect(self._on_coloring)
        self._exploration.moved.connect(self._on_moved)
        self._exploration.columns_changed.connect(self._on_columns)
        self._exploration.clusters.changed.connect(self._on_clusters)
        self._exploration.selection.changed.connect(self._show_selection)
        self._viewer.layers.events.removed.connect(self._on_removed)
        self.layer.events.data.connect(self._on_data)
        self.layer.selected_data.events.items_changed.connect(self._on_selected)

    def _let_go(self) -> None:
        if not self._following:
            return
        self._following = False
        self._coloring.changed.disconnect(self._on_coloring, missing_ok=True)
        self._exploration.moved.disconnect(self._on_moved, missing_ok=True)
        self._exploration.columns_changed.disconnect(self._on_columns, missing_ok=True)
        self._exploration.clusters.changed.disconnect(self._on_clusters, missing_ok=True)
        self._exploration.selection.changed.disconnect(self._show_selection, missing_ok=True)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self.layer.events.data.disconnect(self._on_data)
        self.layer.selected_data.events.items_changed.disconnect(self._on_selected)

    def _places(self) -> np.ndarray:
        # Up on the map is up on the screen, as in figures: napari's rows run downwards.
        return self._exploration.coordinates[:, ::-1] * np.array([-1, 1])

    # --- following ----------------------------------------------------------------------------

    def _on_coloring(self) -> None:
        self.layer.face_color = self._coloring.colors
        shown = self._coloring.shown
        if not np.array_equal(self.layer.shown, shown):
            self.layer.shown = shown

    def _on_moved(self) -> None:
        self.layer.data = self._places()

    def _on_columns(self) -> None:
        self.layer.features = self._exploration.columns()

    def _on_clusters(self) -> None:
        columns = self._exploration.columns()
        # napari's table takes long to show others, and colours and notes are none of them.
        if not columns["cluster"].equals(self.layer.features["cluster"]):
            self.layer.features = columns

    def _on_removed(self, event: Any) -> None:
        if event.value is self.layer:
            self._let_go()

    def _on_data(self, event: Any) -> None:
        if self._following and len(self.layer.data) != len(self._exploration):
            self._let_go()
            show_info(
                f"Points of the layer '{self.layer.name}' were added or deleted: it no longer "
                "follows the map. Copy the map again for one that does."
            )

    # --- selection, both ways -----------------------------------------------------------------

    def _show_selection(self) -> None:
        rows = self._exploration.selection.rows
        chosen = set(rows.tolist()) if len(rows) <= MOST_SELECTED else set()
        if chosen != set(self.layer.selected_data):
            self._marking = True
            self.layer.selected_data = chosen
            self._marking = False

    def _on_selected(self, *args: Any) -> None:
        if not self._marking:
            rows = np.array(sorted(self.layer.selected_data), int)
            self._exploration.selection.select_rows(rows)
