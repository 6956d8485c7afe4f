"""Joins a run's patches to the image layers of the viewer: highlights there, clicks back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from napari.layers import Layer

from napari_tsimcne.explore import Selection
from napari_tsimcne.gui._map_view import SELECTED_COLOR, selection_mode
from napari_tsimcne.patches import patch_at, patch_corners
from napari_tsimcne.runs import Run

HIGHLIGHT_NAME = "selected patches"
EDGE = 0.1
"""Width of an outline, as a share of the patch's side."""


class LinkedLayer(NamedTuple):
    """A layer that shows an image of a run, and the letters of its axes (without RGB samples)."""

    layer: Layer
    axes: str


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
        self._run = run
        self._selection = selection
        self.layers = dict(layers)
        self.highlight: Layer | None = None
        selection.changed.connect(self._show_selection)
        viewer.mouse_drag_callbacks.append(self._on_drag)
        viewer.layers.events.removed.connect(self._on_removed)

    def close(self) -> None:
        """Let go of the viewer and take the outlines away."""
        self._selection.changed.disconnect(self._show_selection, missing_ok=True)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        if self._on_drag in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_drag)
        if self.highlight is not None and self.highlight in self._viewer.layers:
            self._viewer.layers.remove(self.highlight)
        self.highlight = None

    # --- map to image -------------------------------------------------------------------------

    def _show_selection(self) -> None:
        if not self.layers:
            return
        outlines = self.outlines()
        if self.highlight is None:
            if not len(outlines):
                return
            self._add_highlight(outlines)
            return
        self.highlight.data = outlines

    def _add_highlight(self, outlines: np.ndarray) -> None:
        frame = self._frame()
        active = self._viewer.layers.selection.active
        self.highlight = self._viewer.add_vectors(
            outlines,
            name=HIGHLIGHT_NAME,
            affine=_matrix(frame),
            units=frame.units,
            axis_labels=frame.axis_labels,
            edge_color=SELECTED_COLOR,
            edge_width=EDGE * float(self._run.table["size"].iloc[0]),
            vector_style="line",
            opacity=1.0,
        )
        # The user's layer stays the one that is worked on.
        self._viewer.layers.selection.active = active

    def _frame(self) -> Layer:
        """Return the layer in whose pixels outlines are kept, so that sliders meet them."""
        return max((linked.layer for linked in self.layers.values()), key=lambda la: la.ndim)

    def outlines(self) -> np.ndarray:
        """Edges of the selected patches as vectors (n, 2, D) in pixels of the first layer."""
        frame = self._frame()
        to_frame = np.linalg.inv(_matrix(frame))
        table = self._run.table
        rows = self._selection.rows
        names = table["image"].to_numpy()[rows]
        parts = [np.zeros((0, 2, frame.ndim))]
        for name, linked in self.layers.items():
            chosen = rows[names == name]
            if not len(chosen):
                continue
            world = self._world_corners(chosen, linked, frame.ndim)
            flat = world.reshape(-1, frame.ndim) @ to_frame[:-1, :-1].T + to_frame[:-1, -1]
            corners = flat.reshape(-1, 4, frame.ndim)
            edges = np.stack([corners, np.roll(corners, -1, axis=1) - corners], axis=2)
            parts.append(edges.reshape(-1, 2, frame.ndim))
        return np.concatenate(parts)

    def _world_corners(self, rows: np.ndarray, linked: LinkedLayer, ndim: int) -> np.ndarray:
        """Corners (n, 4, ndim) in world coordinates; once for each position of a channel slider."""
        table = self._run.table
        yx = patch_corners(table, rows)
        channels = linked.layer.data.shape[linked.axes.index("C")] if "C" in linked.axes else 1
        copies = []
        for channel in range(channels):
            at = {
                "T": table["t"].to_numpy()[rows][:, None],
                "Z": table["z"].to_numpy()[rows][:, None],
                "C": channel,
                "Y": yx[..., 0],
                "X": yx[..., 1],
            }
            columns = [np.broadcast_to(at[a], yx.shape[:2]) for a in linked.axes]
            copies.append(np.stack(columns, axis=-1))
        data = np.concatenate(copies).astype(float)
        matrix = _matrix(linked.layer)
        world = data @ matrix[:-1, :-1].T + matrix[:-1, -1]
        missing = ndim - world.shape[-1]
        return np.pad(world, ((0, 0), (0, 0), (missing, 0)))

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
        """Patch at a place in world coordinates, of the topmost visible image that has one."""
        order = {layer: i for i, layer in enumerate(self._viewer.layers)}
        there = [(n, linked) for n, linked in self.layers.items() if linked.layer in order]
        for name, (layer, axes) in sorted(there, key=lambda item: -order[item[1].layer]):
            if not layer.visible:
                continue
            at = dict(zip(axes, layer.world_to_data(position), strict=True))
            t, z = round(at.get("T", 0)), round(at.get("Z", 0))
            patch = patch_at(self._run.table, name, t, z, at["Y"], at["X"])
            if patch is not None:
                return patch
        return None

    def _on_removed(self, event: Any) -> None:
        if event.value is self.highlight:
            self.highlight = None
        gone = [name for name, linked in self.layers.items() if linked.layer is event.value]
        for name in gone:
            del self.layers[name]
        if gone:
            self._show_selection()


def _matrix(layer: Layer) -> np.ndarray:
    """Affine matrix (D + 1, D + 1) from a layer's pixels to world coordinates."""
    ndim = layer.ndim
    origin = np.array(layer.data_to_world(np.zeros(ndim)))
    matrix = np.eye(ndim + 1)
    matrix[:-1, -1] = origin
    for axis in range(ndim):
        matrix[:-1, axis] = np.array(layer.data_to_world(np.eye(ndim)[axis])) - origin
    return matrix
