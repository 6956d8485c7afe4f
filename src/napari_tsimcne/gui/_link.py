"""Joins a run's patches to the image layers of the viewer: highlights there, clicks back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from napari.layers import Layer, Vectors

from napari_tsimcne.explore import Selection
from napari_tsimcne.gui._map_view import SELECTED_COLOR, selection_mode
from napari_tsimcne.gui._outlines import LinkedLayer, OutlineLayer, finest
from napari_tsimcne.patches import patch_at
from napari_tsimcne.runs import Run

HIGHLIGHT_NAME = "selected patches"
EDGE = 0.1
"""Width of an outline, as a share of the patch's side."""


class ImageLink:
    """Draws the outlines of selected patches, and selects the patch that is clicked.

    Parameters
    ----------
    viewer
        The napari viewer; gets one layer for the outlines while something is selected.
    run
        Whose patches are linked.
    selection
        Of the run's patches.
    layers
        By image name; images without a layer are left out.
    """

    def __init__(
        self, viewer: Any, run: Run, selection: Selection, layers: Mapping[str, LinkedLayer]
    ) -> None:
        self._viewer = viewer
        self._table = run.table
        self._projected = run.recipe.depth.method in ("max", "mean")
        self._selection = selection
        self._outlines = OutlineLayer(viewer, HIGHLIGHT_NAME, SELECTED_COLOR, EDGE)
        self.layers = dict(layers)
        selection.changed.connect(self._show_selection)
        viewer.mouse_drag_callbacks.append(self._on_drag)
        viewer.layers.events.removed.connect(self._on_removed)

    def close(self) -> None:
        """Let go of the viewer and take the outlines away."""
        self._selection.changed.disconnect(self._show_selection, missing_ok=True)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        if self._on_drag in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_drag)
        self._outlines.remove()

    @property
    def highlight(self) -> Vectors | None:
        """The layer of the outlines, None where nothing is outlined."""
        return self._outlines.layer

    def _show_selection(self) -> None:
        if self.layers:
            rows = self._selection.rows
            self._outlines.show(self._table, rows, self.layers, self._projected)

    # --- image to map -------------------------------------------------------------------------

    def _on_drag(self, viewer: Any, event: Any) -> Iterator[None]:
        active = self._viewer.layers.selection.active
        if event.button != 1 or str(getattr(active, "mode", "pan_zoom")) != "pan_zoom":
            return
        position, mode = tuple(event.position), selection_mode(event.modifiers)
        yield
        moved = False
        while event.type == "mouse_move":
            moved = True
            yield
        patch = None if moved else self.patch_at(position)
        if patch is not None:
            self._selection.select_patch(patch, mode)

    def patch_at(self, position: tuple[float, ...]) -> int | None:
        """Patch at a place in world coordinates, of the topmost visible image that has one.

        On an object it is the object's own, where the layer of objects is there.
        """
        order = {layer: i for i, layer in enumerate(self._viewer.layers)}
        for name, linked in sorted(self.layers.items(), key=lambda item: -order[item[1].layer]):
            if not linked.visible:
                continue
            layer, axes = linked.layer, linked.axes
            at = dict(zip(axes, layer.world_to_data(position), strict=True))
            t = round(at.get("T", 0))
            z = 0 if self._projected else round(at.get("Z", 0))
            label = 0 if linked.labels is None else label_at(linked.labels, position)
            if label:
                patch = self._patch_of_object(name, t, z, label)
            else:
                patch = patch_at(self._table, name, t, z, at["Y"], at["X"])
            if patch is not None:
                return patch
        return None

    def _patch_of_object(self, image: str, t: int, z: int, label: int) -> int | None:
        table = self._table
        here = (table["label"] == label) & (table["image"] == image)
        rows = np.flatnonzero((here & (table["t"] == t) & (table["z"] == z)).fillna(False))
        return int(rows[0]) if len(rows) else None

    def _on_removed(self, event: Any) -> None:
        still = self._viewer.layers
        left = {name: linked.among(still) for name, linked in self.layers.items()}
        fewer = None in left.values()
        self.layers = {name: linked for name, linked in left.items() if linked is not None}
        if fewer:
            self._show_selection()


def label_at(layer: Layer, position: tuple[float, ...]) -> int:
    """Label at a place in world coordinates, 0 outside of objects and of the layer."""
    labels = finest(layer)
    index = tuple(round(float(at)) for at in layer.world_to_data(position))
    if any(not 0 <= at < length for at, length in zip(index, labels.shape, strict=True)):
        return 0
    return int(np.asarray(labels[index]))
