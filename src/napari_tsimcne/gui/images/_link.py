"""Joins a run's patches to the image layers of the viewer: highlights there, clicks back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from napari.layers import Labels, Layer, Vectors
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_tsimcne.explore import Exploration, Mode
from napari_tsimcne.gui._sentences import listed
from napari_tsimcne.gui.images._cluster_paint import ClusterPaint
from napari_tsimcne.gui.images._highlight import Highlight
from napari_tsimcne.gui.images._image_lasso import ImageLasso
from napari_tsimcne.gui.images._into_view import bring_into_view
from napari_tsimcne.gui.images._outlines import LinkedLayer, OutlineLayer, level_shape
from napari_tsimcne.gui.images._under_pointer import PatchesUnder
from napari_tsimcne.gui.map._map_points import SELECTED_COLOR
from napari_tsimcne.gui.map._map_tools import selection_mode
from napari_tsimcne.runs import Run

MARK_NAME = "patch in view"
MARK_COLOR = "#ff5ad9"
MARK_MS = 1_500
CLICK_PIXELS = 3
"""Between press and release, up to which a drag is a click."""

MARK_WIDTH = 3
"""Of its outline, in pixels of the screen."""

TRANSFORMS = ("scale", "translate", "rotate", "shear", "affine", "units")


class ImageLink:
    """Draws the outlines of selected patches, and selects the patch that is clicked.

    ``layers_changed`` is emitted when `layers` has changed; ``let_go`` with a sentence that names
    what is no longer linked; ``painting_ended`` when the user has removed the layers on which
    clusters are painted; ``image_wanted`` with the name of an image that is to be shown. Names and
    order of layers make no difference.

    Parameters
    ----------
    viewer
        The napari viewer; gets layers for outlines and clusters while they are shown.
    run
        Whose patches are linked.
    exploration
        Of the run.
    layers
        By image name; images without a layer are left out.
    """

    layers_changed = Signal()
    let_go = Signal(str)
    painting_ended = Signal()
    image_wanted = Signal(str)

    def __init__(
        self, viewer: Any, run: Run, exploration: Exploration, layers: Mapping[str, LinkedLayer]
    ) -> None:
        self._viewer, self._run = viewer, run
        self._projected = run.recipe.depth.method in ("max", "mean")
        self._selection = exploration.selection
        self._highlight = Highlight(viewer, run.table, self._projected, SELECTED_COLOR)
        self._mark = OutlineLayer(viewer, MARK_NAME, MARK_COLOR, MARK_WIDTH)
        self._unmark = _timer(self._mark.remove, MARK_MS)
        self._under = PatchesUnder(viewer, run.table, self._projected)
        self._lasso = ImageLasso(viewer, self._on_lasso)
        self._paint = ClusterPaint(viewer, run, exploration.clusters)
        self.layers = dict(layers)
        self._shapes: dict[Layer, tuple[int, ...]] = {}
        self._wanted: int | None = None
        """Patch that is brought into view once its image is shown."""
        self._lost: list[str] = []
        self._tell = _timer(self._say_lost, 0)
        self._move = _timer(self._on_moved, 0)
        self._watch()
        self._selection.changed.connect(self._show_selection)
        viewer.mouse_drag_callbacks.append(self._on_drag)
        viewer.layers.events.removed.connect(self._on_removed)
        if self._units_changed is not None:
            self._units_changed.connect(self._on_transform)
        self._show_selection()

    def close(self) -> None:
        """Let go of the viewer and take the outlines away."""
        for timer in (self._unmark, self._tell, self._move):
            timer.stop()
        self._selection.changed.disconnect(self._show_selection, missing_ok=True)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        if self._units_changed is not None:
            self._units_changed.disconnect(self._on_transform)
        if self._on_drag in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_drag)
        self._unwatch()
        self._lasso.switch(False)
        self._paint.close()
        self._mark.remove()
        self._highlight.remove()

    @property
    def highlight(self) -> Vectors | Labels | None:
        """The layer of the outlines, None where nothing is outlined."""
        return self._highlight.layer

    @property
    def cluster_layers(self) -> dict[str, Labels]:
        """The layers that clusters are painted on, by image name."""
        return dict(self._paint.layers)

    @property
    def _units_changed(self) -> Any:
        """Emitted when a layer that comes or goes changes the units of all; not by old napari."""
        return getattr(self._viewer.dims.events, "units", None)

    # --- map to image -------------------------------------------------------------------------

    def _show_selection(self) -> None:
        self._highlight.show(self._selection.rows, self.layers)

    def paint_clusters(self, painted: bool) -> None:
        """Paint all patches or objects of the images in their cluster's colour, or stop that."""
        self._paint.show(painted, self.layers)

    def bring_into_view(self, patch: int) -> None:
        """Move sliders and camera to a patch, and mark it for a moment.

        Where its image has no layer, it is asked for, and moved to once `add_layers` has it.
        """
        row = self._run.table.iloc[patch]
        name = row["image"]
        if name not in self.layers:
            self._wanted = patch
            self.image_wanted.emit(name)
            return
        self._wanted = None
        linked = self.layers[name]
        bring_into_view(self._viewer, linked, row, self._projected)
        self._mark.show(self._run.table, np.array([patch]), {name: linked}, self._projected)
        self._unmark.start()

    # --- image to map -------------------------------------------------------------------------

    @property
    def lasso_drawing(self) -> bool:
        """Whether an outline is being drawn over the images."""
        return self._lasso.drawing

    def set_image_lasso(self, on: bool) -> None:
        """Switch the lasso on the images on or off; it stays on until it is switched off."""
        self._lasso.switch(on)

    def _on_lasso(self, outline: np.ndarray, position: tuple[float, ...], mode: Mode) -> None:
        self._selection.select_rows(self._under.inside(self.layers, outline, position), mode)

    def _on_drag(self, viewer: Any, event: Any) -> Iterator[None]:
        active = self._viewer.layers.selection.active
        if event.button != 1 or str(getattr(active, "mode", "pan_zoom")) != "pan_zoom":
            return
        position, mode = tuple(event.position), selection_mode(event.modifiers)
        direction = None if event.view_direction is None else tuple(event.view_direction)
        pixel = np.array(event.pos)
        yield
        moved = False
        while event.type == "mouse_move":
            moved = True
            yield
        # Moves that another tool has used may not come here.
        moved |= bool(np.abs(np.array(event.pos) - pixel).max() > CLICK_PIXELS)
        patch = None if moved else self.patch_at(position, direction)
        if patch is not None:
            self._selection.select_patch(patch, mode)

    def patch_at(
        self, position: tuple[float, ...], direction: tuple[float, ...] | None = None
    ) -> int | None:
        """Patch at a place in world coordinates, of the topmost visible image that has one.

        On an object it is the object's own, where the layer of objects is there. With a
        ``direction`` of view, in the 3D view, it is the first that the ray from the place meets.
        """
        if direction is not None:
            return self._under.ray(self.layers, position, direction)
        return self._under.place(self.layers, position)

    # --- layers that go and move --------------------------------------------------------------

    def add_layers(self, layers: Mapping[str, LinkedLayer]) -> None:
        """Link further layers, by image name, or others in place of those linked before."""
        names = set(self._run.table["image"].unique())
        joint = self.layers | {name: one for name, one in layers.items() if name in names}
        if joint != self.layers:
            self._set_layers(joint)
        if self._wanted is not None and self._run.table["image"].iloc[self._wanted] in joint:
            self.bring_into_view(self._wanted)

    def _set_layers(self, layers: dict[str, LinkedLayer]) -> None:
        self._unwatch()
        self.layers = layers
        self._watch()
        self._highlight.layers_changed()
        self._show_selection()
        self._paint.follow(self.layers)
        self.layers_changed.emit()

    def _watch(self) -> None:
        for linked in self.layers.values():
            for layer in linked.all:
                self._shapes[layer] = level_shape(layer)
                layer.events.data.connect(self._on_data)
            for event in TRANSFORMS:
                getattr(linked.layer.events, event).connect(self._on_transform)

    def _unwatch(self) -> None:
        for linked in self.layers.values():
            for layer in linked.all:
                layer.events.data.disconnect(self._on_data)
            for event in TRANSFORMS:
                getattr(linked.layer.events, event).disconnect(self._on_transform)
        self._shapes = {}

    def _on_transform(self, event: Any) -> None:
        self._move.start()

    def _on_moved(self) -> None:
        self._highlight.layers_changed()
        self._show_selection()
        self._paint.moved()

    def _on_data(self, event: Any) -> None:
        """Let go of layers whose new pixels cannot be those that patches were cut from."""
        changed = {layer for layer, shape in self._shapes.items() if level_shape(layer) != shape}
        if changed:
            self._keep([layer for layer in self._viewer.layers if layer not in changed])

    def _on_removed(self, event: Any) -> None:
        if event.value in self._paint.layers.values():
            self.paint_clusters(False)
            self.painting_ended.emit()
        self._keep(list(self._viewer.layers))

    def _keep(self, there: list[Layer]) -> None:
        left = {name: linked.among(there) for name, linked in self.layers.items()}
        kept = {name: linked for name, linked in left.items() if linked is not None}
        if kept == self.layers:
            return
        for name, linked in self.layers.items():
            if name not in kept:
                self._lost.append(f"'{name}'")
            elif linked.labels is not None and kept[name].labels is None:
                self._lost.append(f"the objects of '{name}'")
            elif kept[name] != linked:
                self._lost.append(f"a channel of '{name}'")
        self._set_layers(kept)
        # Several that go at once become one sentence.
        self._tell.start()

    def _say_lost(self) -> None:
        if self._lost:
            lost, self._lost = list(dict.fromkeys(self._lost)), []
            # An image that is gone needs no word on its channels.
            parts = ("a channel of ", "the objects of ")
            lost = [
                one
                for one in lost
                if not any(
                    one.startswith(part) and one.removeprefix(part) in lost for part in parts
                )
            ]
            self.let_go.emit(
                f"No longer linked to the map: {listed(lost)}, whose layers were removed or "
                "replaced. Double-click a point of an image that is gone to show it again, or open "
                "the run again."
            )


def _timer(does: Any, milliseconds: int) -> QTimer:
    timer = QTimer()
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(does)
    return timer
