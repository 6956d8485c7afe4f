"""The lasso on the images: a drag draws an outline over them, and selects what is inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from napari.layers import Vectors
from napari.utils.notifications import show_info

from napari_tsimcne.explore import Mode
from napari_tsimcne.gui._viewer import active_layer_kept, camera_of
from napari_tsimcne.gui.map._map_tools import selection_mode
from napari_tsimcne.images import World

LASSO_NAME = "lasso"
LASSO_COLOR = "#ffd24a"
WIDTH = 2
"""Of the line, in pixels of the screen."""

ZOOMING = "drag_to_zoom"
"""napari's own callback, by which a drag with Alt zooms: with the lasso, Alt subtracts."""


class ImageLasso:
    """A tool of the viewer that stays on until it is switched off.

    Shift adds, Alt subtracts, Escape cancels the outline that is being drawn. The modes of other
    layers come first: while one is painted or edited, nothing is drawn, and a notice says so.

    Parameters
    ----------
    viewer
        The napari viewer; gets a layer for the outline while the tool is on.
    drawn
        Called on release with the outline (M, 2) in world coordinates of the displayed axes, the
        position of the release in world coordinates, and what becomes of the selection.
    """

    def __init__(
        self, viewer: Any, drawn: Callable[[np.ndarray, tuple[float, ...], Mode], None]
    ) -> None:
        self._viewer, self._drawn = viewer, drawn
        self._line: Vectors | None = None
        self._zooming: list[Callable[..., Any]] = []
        self._unbound: Callable[[Any], Any] | None = None
        self._on = self._drawing = False

    @property
    def on(self) -> bool:
        """Whether a drag draws."""
        return self._on

    @property
    def drawing(self) -> bool:
        """Whether an outline is being drawn."""
        return self._drawing

    def switch(self, on: bool) -> None:
        """Switch the tool on or off."""
        if on == self._on:
            return
        self._on = on
        if on:
            callbacks = self._viewer.mouse_drag_callbacks
            self._zooming = [c for c in callbacks if getattr(c, "__name__", "") == ZOOMING]
            for callback in self._zooming:
                callbacks.remove(callback)
            callbacks.append(self._on_drag)
            self._unbound = self._viewer.bind_key("Escape", self._cancel, overwrite=True)
            why_not = self._hindrance()
            if why_not:
                show_info(why_not)
            return
        self._viewer.mouse_drag_callbacks.remove(self._on_drag)
        self._viewer.mouse_drag_callbacks[:0] = self._zooming
        self._viewer.bind_key("Escape", self._unbound, overwrite=True)
        if self._line in self._viewer.layers:
            self._viewer.layers.remove(self._line)
        self._line = None

    def _cancel(self, viewer: Any) -> None:
        self._drawing = False
        self._draw(np.zeros((0, 2)))

    def _hindrance(self) -> str:
        """Say why nothing can be drawn now; empty where it can."""
        active = self._viewer.layers.selection.active
        mode = str(getattr(active, "mode", "pan_zoom"))
        if mode != "pan_zoom":
            return (
                f"The layer '{active.name}' is in its mode '{mode.replace('_', ' ')}': switch it "
                "to pan/zoom to draw a lasso around patches."
            )
        dims = self._viewer.dims
        if dims.ndisplay != 2:
            return "The lasso on the images works in the 2D view: switch to it first."
        if set(dims.displayed) != {dims.ndim - 2, dims.ndim - 1}:
            return "The lasso works while rows and columns of the images are displayed."
        return ""

    def _on_drag(self, viewer: Any, event: Any) -> Iterator[None]:
        if event.button != 1:
            return
        why_not = self._hindrance()
        if why_not:
            show_info(why_not)
            return
        mode = selection_mode(event.modifiers)
        outline = [self._place(event)]
        self._drawing = True
        moved = False
        event.handled = True
        yield
        while event.type == "mouse_move":
            # The camera stays, also after the outline was cancelled.
            event.handled = moved = True
            if self._drawing:
                outline.append(self._place(event))
                self._draw(np.array(outline))
            yield
        if self._drawing and moved:
            # The canvas leaves moves out when they come fast, but never the release.
            outline.append(self._place(event))
            self._draw(np.zeros((0, 2)))
            self._drawn(np.array(outline), tuple(event.position), mode)
        self._drawing = False

    def _place(self, event: Any) -> np.ndarray:
        return np.array(event.position)[-2:]

    def _draw(self, outline: np.ndarray) -> None:
        edges = np.stack([outline, np.roll(outline, -1, axis=0) - outline], axis=1)
        if self._line is not None and self._line in self._viewer.layers:
            self._line.units = self._units()
            self._line.edge_width = WIDTH / camera_of(self._viewer).zoom
            self._line.data = edges
        elif len(outline):
            self._add_line(edges)

    def _add_line(self, edges: np.ndarray) -> None:
        like = max(self._viewer.layers, key=lambda layer: layer.ndim)
        with active_layer_kept(self._viewer):
            self._line = self._viewer.add_vectors(
                edges,
                name=LASSO_NAME,
                units=self._units(),
                axis_labels=like.axis_labels[-2:],
                edge_color=LASSO_COLOR,
                edge_width=WIDTH / camera_of(self._viewer).zoom,
                vector_style="line",
                opacity=1.0,
            )

    def _units(self) -> Any:
        """Those of the pointer, along which it is drawn: the viewer's, else the layers'."""
        world = World.of(self._viewer)
        return (world.units or max((la.units for la in self._viewer.layers), key=len))[-2:]
