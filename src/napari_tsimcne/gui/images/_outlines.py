"""Outlines of patches in the viewer: from rows of the patch table to a Vectors layer."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from napari.layers import Layer, Vectors
from qtpy.QtCore import QTimer

from napari_tsimcne.gui._viewer import active_layer_kept, camera_of
from napari_tsimcne.images import ImageSource, World, layer_matrix, transformed
from napari_tsimcne.patches import patch_corners

ZOOM_MS = 40
"""After which outlines follow a change of the zoom."""

SAME_WIDTH = 0.05
"""Share by which a width may be off before it is set anew."""

VIEW = {"napari-tsimcne": "view"}
"""Metadata of layers that only show what is explored."""


def is_view(layer: Layer) -> bool:
    """Whether a layer only shows what is explored: it holds nothing that patches are cut from."""
    return VIEW.items() <= layer.metadata.items()


IMAGE_AXIS = "I"
"""Letter of the axis along which a layer shows several images, one at each position."""


def with_image_axis(axes: str) -> str:
    """Return axes of images with the one that counts the images: before rows and columns.

    Counted from the last, as napari aligns the axes of layers, it is one axis for all images,
    whether they have times and planes or not.
    """
    at = min(axes.index("Y"), axes.index("X"))
    return axes[:at] + IMAGE_AXIS + axes[at:]


class LinkedLayer(NamedTuple):
    """A layer that shows an image, and the letters of its axes (without RGB samples).

    ``channels``: further layers that show the same image, one a channel. ``labels``: the layer
    of its objects. ``position``: of the image along the `IMAGE_AXIS`, where the layers show
    several images. ``numbers``: array of the objects' numbers, where the layer of objects has
    others, as its connected regions are numbered (`as_labels`).
    """

    layer: Layer
    axes: str
    channels: tuple[Layer, ...] = ()
    labels: Layer | None = None
    position: int = 0
    numbers: Any = None

    @property
    def objects(self) -> list[Any]:
        """Arrays of the objects' numbers, the finest first; none without a layer of objects."""
        if self.labels is None:
            return []
        if self.numbers is not None:
            return [self.numbers]
        return list(self.labels.data) if self.labels.multiscale else [self.labels.data]

    def with_labels(self, layer: Layer, source: ImageSource) -> LinkedLayer:
        """Return it with the layer of its objects, which ``source`` takes as a label image."""
        numbers = None if source.unnumbered is None else source.load()
        if numbers is not None and self.stacked:
            at = with_image_axis(source.axes).index(IMAGE_AXIS)
            numbers = _AlongStack(numbers, level_shape(layer), at)
        return self._replace(labels=layer, numbers=numbers)

    @property
    def stacked(self) -> bool:
        """Whether the layers show further images, at other positions of a slider."""
        return IMAGE_AXIS in self.axes

    def is_at(self, place: Mapping[str, float]) -> bool:
        """Whether it is this image that is seen at a place in pixels, by axis."""
        return not self.stacked or round(place[IMAGE_AXIS]) == self.position

    @property
    def all(self) -> tuple[Layer, ...]:
        """The layers of the image and of its objects."""
        return (self.layer, *self.channels, *(() if self.labels is None else (self.labels,)))

    @property
    def visible(self) -> bool:
        """Whether the image or its objects can be seen."""
        return any(layer.visible for layer in self.all)

    def among(self, layers: Container[Layer]) -> LinkedLayer | None:
        """Return what is left with only these layers; None where none of them shows the image."""
        shown = tuple(layer for layer in (self.layer, *self.channels) if layer in layers)
        if not shown:
            return None
        left = self._replace(layer=shown[0], channels=shown[1:])
        return left if self.labels in layers else left._replace(labels=None, numbers=None)


class _AlongStack:
    """The numbers of one image's objects, with the axis that the layer of several images has."""

    def __init__(self, numbers: Any, shape: tuple[int, ...], axis: int) -> None:
        self._numbers, self.shape, self._axis = numbers, shape, axis

    def __getitem__(self, index: tuple[Any, ...]) -> Any:
        # Objects of the other images are never looked up here.
        return self._numbers[index[: self._axis] + index[self._axis + 1 :]]


class OutlineLayer:
    """A Vectors layer of the viewer with the outlines of patches, while there are any.

    Parameters
    ----------
    viewer
        The napari viewer.
    name, color
        Of the layer.
    pixels
        Width of an outline on the screen, at any zoom.
    """

    def __init__(self, viewer: Any, name: str, color: str, pixels: float) -> None:
        self._viewer = viewer
        self._name, self._color, self._pixels = name, color, pixels
        self._layer: Vectors | None = None
        self._scale = 1.0
        """Side of a pixel of the frame in the world, in which the camera zooms."""
        self._zoomed = QTimer()
        self._zoomed.setSingleShot(True)
        self._zoomed.setInterval(ZOOM_MS)
        self._zoomed.timeout.connect(self._keep_width)

    @property
    def layer(self) -> Vectors | None:
        """The layer; None before it is shown, and once it was removed by whomever."""
        return self._layer if self._layer in self._viewer.layers else None

    def show(
        self,
        table: pd.DataFrame,
        rows: np.ndarray,
        layers: Mapping[str, LinkedLayer],
        projected: bool,
    ) -> None:
        """Draw the outlines of some rows of a patch table, in place of those drawn before.

        ``layers`` by image name, at least one; images without one are left out. ``projected``:
        patches are of a projection, their outlines are drawn on all planes.
        """
        frame, world = _frame(layers), World.of(self._viewer)
        vectors = outlines(table, rows, layers, projected, world)
        self._scale = pixel_side(world, _frame_of(layers))
        layer = self.layer
        if layer is not None and layer.ndim == frame.ndim:
            layer.data = vectors
            self._keep_width()
            layer.affine = layer_matrix(frame)
            layer.units = frame.units
            return
        self.remove()
        if not len(vectors):
            return
        with active_layer_kept(self._viewer):
            self._layer = self._viewer.add_vectors(
                vectors,
                name=self._name,
                affine=layer_matrix(frame),
                units=frame.units,
                axis_labels=frame.axis_labels,
                edge_color=self._color,
                edge_width=self._width(),
                vector_style="line",
                metadata=dict(VIEW),
                opacity=1.0,
            )
        camera_of(self._viewer).events.zoom.connect(self._on_zoom)

    def _width(self) -> float:
        """Width in pixels of the frame."""
        return self._pixels / (self._scale * camera_of(self._viewer).zoom)

    def _on_zoom(self, event: Any = None) -> None:
        # Wheels turn faster than layers are drawn.
        self._zoomed.start()

    def _keep_width(self) -> None:
        layer = self.layer
        if layer is None or not len(layer.data):
            return
        if abs(layer.edge_width / self._width() - 1) > SAME_WIDTH:
            layer.edge_width = self._width()

    def clear(self) -> None:
        """Draw nothing; the layer stays, as it takes long to add and to remove one."""
        if self.layer is not None and len(self.layer.data):
            self.layer.data = np.zeros((0, 2, self.layer.ndim))

    def remove(self) -> None:
        """Take the layer away."""
        self._zoomed.stop()
        if self._layer is not None:
            camera_of(self._viewer).events.zoom.disconnect(self._on_zoom)
        layer, self._layer = self.layer, None
        if layer is not None:
            self._viewer.layers.remove(layer)


def pixel_side(world: World, linked: LinkedLayer) -> float:
    """Side of a pixel of an image in the world, the mean of both sides where they differ."""
    steps = world.matrix(linked.layer)[:-1, [linked.axes.index(axis) for axis in "YX"]]
    return float(np.sqrt(np.linalg.norm(steps, axis=0).prod()))


def copies(layers: Mapping[str, LinkedLayer], projected: bool) -> int:
    """How often an outline is drawn at most: at every channel and plane that it belongs to."""
    return max(
        int(np.prod([len(at) for at in _repeated(linked, projected).values()]))
        for linked in layers.values()
    )


def outlines(
    table: pd.DataFrame,
    rows: np.ndarray,
    layers: Mapping[str, LinkedLayer],
    projected: bool,
    world: World | None = None,
) -> np.ndarray:
    """Edges of patches as vectors (n, 2, D), in pixels of the layer with most axes.

    ``world``: of the viewer that shows the layers; that of the layers by themselves where left out.
    """
    frame = _frame(layers)
    world = world or World.shared_by(linked.layer for linked in layers.values())
    names = table["image"].iloc[rows].to_numpy()
    parts = [np.zeros((0, 2, frame.ndim))]
    for name, linked in layers.items():
        chosen = rows[names == name]
        if not len(chosen):
            continue
        pixels = _corners(table, chosen, linked, projected)
        missing = frame.ndim - pixels.shape[-1]
        pixels = np.pad(pixels, ((0, 0), (0, 0), (missing, 0)))
        corners = transformed(pixels, world.between(linked.layer, frame))
        edges = np.stack([corners, np.roll(corners, -1, axis=1) - corners], axis=2)
        parts.append(edges.reshape(-1, 2, frame.ndim))
    return np.concatenate(parts)


def _frame(layers: Mapping[str, LinkedLayer]) -> Layer:
    """Return the layer in whose pixels outlines are kept, so that sliders meet them."""
    return _frame_of(layers).layer


def _frame_of(layers: Mapping[str, LinkedLayer]) -> LinkedLayer:
    return max(layers.values(), key=lambda linked: linked.layer.ndim)


def _repeated(linked: LinkedLayer, projected: bool) -> dict[str, Sequence[int]]:
    """Positions of the sliders that make no difference to a patch."""
    shape = dict(zip(linked.axes, level_shape(linked.layer), strict=False))
    letters = "CZ" if projected else "C"
    return {axis: range(shape[axis]) for axis in letters if axis in shape}


def _corners(
    table: pd.DataFrame, rows: np.ndarray, linked: LinkedLayer, projected: bool
) -> np.ndarray:
    """Corners (n, 4, D) in pixels of a layer; once for each position of repeated sliders."""
    yx = patch_corners(table, rows)
    at = {
        "T": table["t"].to_numpy()[rows][:, None],
        "Z": table["z"].to_numpy()[rows][:, None],
        "C": 0,
        IMAGE_AXIS: linked.position,
        "Y": yx[..., 0],
        "X": yx[..., 1],
    }
    columns = [np.broadcast_to(at[axis], yx.shape[:2]) for axis in linked.axes]
    data = np.stack(columns, axis=-1).astype(float)
    for axis, positions in _repeated(linked, projected).items():
        repeated = np.tile(data, (len(positions), 1, 1))
        repeated[..., linked.axes.index(axis)] = np.repeat(positions, len(data))[:, None]
        data = repeated
    return data


# --- arrays of layers ---------------------------------------------------------------------------


def level_shape(layer: Layer) -> tuple[int, ...]:
    """Shape of a layer's data, of the finest level of a pyramid."""
    return tuple(finest(layer).shape)


def finest(layer: Layer) -> Any:
    """Return the array of an Image or Labels layer, of the finest level of a pyramid."""
    return layer.data[0] if layer.multiscale else layer.data
