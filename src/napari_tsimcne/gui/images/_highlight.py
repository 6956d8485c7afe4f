"""The selected patches in the viewer: their outlines, in a form that is fast for their number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from napari.layers import Labels, Vectors
from napari.utils.colormaps import CyclicLabelColormap

from napari_tsimcne.explore import PaintedArray, Raster, pixels_a_window, rgba
from napari_tsimcne.gui._viewer import active_layer_kept
from napari_tsimcne.gui.images._outlines import (
    IMAGE_AXIS,
    VIEW,
    LinkedLayer,
    OutlineLayer,
    copies,
    level_shape,
)
from napari_tsimcne.images import World, layer_matrix, transformed

HIGHLIGHT_NAME = "selected patches"
MANY_NAME = "selected patches (many)"
EDGE = 0.1
"""Width of an outline, as a share of the patch's side."""

MOST_VECTORS = 1_000
"""Outlines drawn as lines, which are sharp at any zoom; of more, a picture of them is drawn."""

MOST_PIXELS = 8_000_000
"""Of the picture of a plane."""

MOST_VOXELS = 64_000_000
"""Of all planes of a stack, which the 3D view takes at once."""

FINEST = 10
"""Pixels of the picture along the side of a patch, at most."""

COARSE = 4
"""Pixels along the side of a patch, below which it is filled: an outline would hide it."""

FILLED_OPACITY = 0.5
EVERYWHERE = -1
"""Position on a slider that makes no difference to a patch."""

PLANES_KEPT = 8


class Highlight:
    """Draws the outlines of selected patches.

    A few are lines (Vectors). Many are a picture (Labels) that is painted plane by plane as the
    sliders reach it, in the axes of the image with most of them. Images that are turned against
    each other do not fit into one picture: their outlines are lines, however many.

    Parameters
    ----------
    viewer
        The napari viewer.
    table
        The patch table.
    projected
        Whether patches are of a projection, and outlined on all planes.
    color
        Of the outlines.
    """

    def __init__(self, viewer: Any, table: pd.DataFrame, projected: bool, color: str) -> None:
        self._viewer, self._table, self._projected, self._color = viewer, table, projected, color
        self._lines = OutlineLayer(viewer, HIGHLIGHT_NAME, color, EDGE)
        self._picture: Labels | None = None
        self._windows: WindowsInFrame | None = None
        self._known = False
        self._rows = np.zeros(0, np.intp)
        self._plane: Callable[..., np.ndarray] = lru_cache(PLANES_KEPT)(self._painted)

    @property
    def layer(self) -> Vectors | Labels | None:
        """The layer of the outlines; None where there is none, or someone removed it."""
        picture = self._picture if self._picture in self._viewer.layers else None
        return picture if picture is not None and picture.visible else self._lines.layer

    def prepare(self, layers: Mapping[str, LinkedLayer]) -> None:
        """Add the picture, hidden, where there may be need of it: that takes longest."""
        if self._many(len(self._table), layers):
            self._add_picture(visible=False)

    def show(self, rows: np.ndarray, layers: Mapping[str, LinkedLayer]) -> None:
        """Outline the patches of these rows, in place of those outlined before."""
        if self._many(len(rows), layers):
            self._rows = rows
            self._plane = lru_cache(PLANES_KEPT)(self._painted)
            self._show_picture(True)
            self._lines.clear()
            return
        self._show_picture(False)
        if layers:
            self._lines.show(self._table, rows, layers, self._projected)
        else:
            self._lines.clear()

    def layers_changed(self) -> None:
        """Find out anew where the images lie, when it is next needed."""
        self._known, self._windows = False, None
        if self._picture in self._viewer.layers:
            self._viewer.layers.remove(self._picture)
        self._picture = None

    def remove(self) -> None:
        """Take the layers away."""
        self.layers_changed()
        self._lines.remove()

    # --- the picture --------------------------------------------------------------------------

    def _many(self, count: int, layers: Mapping[str, LinkedLayer]) -> bool:
        """Whether so many patches are better drawn as a picture, and can be."""
        if not layers or count * copies(layers, self._projected) <= MOST_VECTORS:
            return False
        if not self._known:
            self._windows = windows_in_frame(
                self._table, layers, self._projected, World.of(self._viewer)
            )
            self._known = True
        return self._windows is not None

    def _show_picture(self, shown: bool) -> None:
        there = self._picture in self._viewer.layers
        if self._picture is not None and there:
            if shown and self._picture.visible:
                self._picture.refresh(extent=False, thumbnail=False)
            self._picture.visible = shown
        elif shown:
            self._add_picture(visible=True)

    def _add_picture(self, visible: bool) -> None:
        windows = self._windows
        assert windows is not None
        frame = windows.frame.layer
        with active_layer_kept(self._viewer):
            self._picture = self._viewer.add_labels(
                PaintedArray(windows.frame.axes, windows.shape, np.uint8, self._paint),
                name=MANY_NAME,
                affine=windows.affine,
                units=frame.units,
                axis_labels=frame.axis_labels,
                colormap=label_colors([self._color]),
                visible=visible,
                metadata=dict(VIEW),
                opacity=1.0 if windows.pixels >= COARSE else FILLED_OPACITY,
            )
        self._picture.editable = False

    def _paint(self, at: Mapping[str, int], rows: Any, columns: Any) -> np.ndarray:
        return self._plane(tuple(at.values()))[rows, columns]

    def _painted(self, at: tuple[int, ...]) -> np.ndarray:
        assert self._windows is not None
        return self._windows.outlined(self._rows, np.array(at, np.int64))


def label_colors(colors: Sequence[str]) -> CyclicLabelColormap:
    """Return the colormap that shows 0 clear and the labels from 1 on in these colours.

    Unlike a colormap by label it needs no code that is compiled first, which takes seconds.
    """
    clear = np.zeros((1, 4), np.float32)
    return CyclicLabelColormap(colors=np.concatenate([clear, rgba(colors)]))


class WindowsInFrame(NamedTuple):
    """Windows of several images in the pixels of one of them, the frame.

    ``shape``, ``affine`` of the picture; ``pixels``: how many the side of a window has.
    ``places`` (N, A): position on each slider of the picture, or `EVERYWHERE`. ``number`` (N,):
    place of a row of the patch table in the ``raster`` and in ``places``, negative where its
    image has no layer.
    """

    frame: LinkedLayer
    shape: tuple[int, ...]
    affine: np.ndarray
    raster: Raster
    pixels: float
    places: np.ndarray
    number: np.ndarray

    def outlined(self, rows: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Paint the outlines of some rows of the patch table on one plane."""
        here = self.number[rows]
        here = here[here >= 0]
        places = self.places[here]
        here = here[((places == at) | (places == EVERYWHERE)).all(axis=1)]
        # Half of it inwards: neighbours share their edge.
        width = max(1, round(EDGE * self.pixels / 2)) if self.pixels >= COARSE else COARSE
        return self.raster.outlined(here, width)


def windows_in_frame(
    table: pd.DataFrame, layers: Mapping[str, LinkedLayer], projected: bool, world: World
) -> WindowsInFrame | None:
    """Place the windows of all images that have a layer; None where some do not fit the frame.

    They fit where rows and columns of their images run along those of the frame.
    """
    frame = max(layers.values(), key=lambda linked: linked.layer.ndim)
    of_image = table.groupby("image", sort=False).indices
    number = np.full(len(table), -1)
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for name, linked in layers.items():
        rows = of_image.get(name, np.zeros(0, np.intp))
        found = _in_frame(table, rows, linked, frame, projected, world)
        if found is None:
            return None
        number[rows] = np.arange(len(rows)) + sum(len(centre) for centre, _, _ in parts)
        parts.append(found)
    if not (number >= 0).any():
        return None
    centre, half, place = (np.concatenate(part) for part in zip(*parts, strict=True))
    low, high = centre - half, centre + half
    sliders = [i for i, axis in enumerate(frame.axes) if axis not in "YX"]
    lengths = np.array(level_shape(frame.layer))[sliders]
    begin = np.minimum(np.where(place == EVERYWHERE, 0, place).min(axis=0), 0)
    lengths = np.maximum(lengths, place.max(axis=0) + 1) - begin
    depth = int(lengths[-1]) if len(lengths) else 1
    pixels = pixels_a_window(low, high, min(MOST_PIXELS, MOST_VOXELS // depth), FINEST)
    raster = Raster.of_edges(low, high, (high - low).min(axis=0) / pixels)
    shape, to_frame = np.zeros(len(frame.axes), int), np.eye(len(frame.axes) + 1)
    yx = [frame.axes.index("Y"), frame.axes.index("X")]
    shape[sliders], shape[yx] = lengths, raster.shape
    to_frame[sliders, -1], to_frame[yx, -1], to_frame[yx, yx] = begin, raster.begin, raster.side
    return WindowsInFrame(
        frame,
        tuple(shape.tolist()),
        layer_matrix(frame.layer) @ to_frame,
        raster,
        pixels,
        np.where(place == EVERYWHERE, EVERYWHERE, place - begin),
        number,
    )


def _in_frame(
    table: pd.DataFrame,
    rows: np.ndarray,
    linked: LinkedLayer,
    frame: LinkedLayer,
    projected: bool,
    world: World,
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Centres and half sides (n, 2), and places on sliders (n, A), of windows of one image."""
    missing = frame.layer.ndim - linked.layer.ndim
    to_frame = world.between(linked.layer, frame.layer)
    linear = to_frame[:-1, :-1]
    yx, own_yx = ([missing_ + axes.index(a) for a in "YX"]
                  for missing_, axes in ((0, frame.axes), (missing, linked.axes)))  # fmt: skip
    aligned = np.zeros(linear.shape, bool)
    aligned[yx, own_yx] = True
    sliders = [i for i in range(len(linear)) if i not in yx]
    own_sliders = [i for i in range(len(linear)) if i not in own_yx]
    aligned[np.ix_(sliders, own_sliders)] = True
    if np.abs(linear[~aligned]).max(initial=0) > 1e-6 * np.abs(linear).max():
        return None
    everywhere = [*range(missing), *(
        missing + i for i, a in enumerate(linked.axes) if a == "C" or (projected and a == "Z")
    )]  # fmt: skip
    data = np.zeros((len(rows), len(linear)))
    for i, axis in enumerate(linked.axes):
        if axis == IMAGE_AXIS:
            data[:, missing + i] = linked.position
        elif axis != "C":
            data[:, missing + i] = table[axis.lower()].to_numpy()[rows]
    placed = transformed(data, to_frame)
    places = np.rint(placed[:, sliders]).astype(np.int64)
    for number, slider in enumerate(sliders):
        if np.abs(linear[slider, everywhere]).max(initial=0) > 0:
            places[:, number] = EVERYWHERE
    half = table["size"].to_numpy()[rows][:, None] / 2 * np.abs(linear[yx, own_yx])
    return placed[:, yx], half, places
