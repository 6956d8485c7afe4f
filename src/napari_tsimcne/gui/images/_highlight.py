"""The selected patches in the viewer: their outlines, in a form that is fast for their number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Labels, Vectors
from napari.utils.colormaps import CyclicLabelColormap

from napari_tsimcne.explore import PaintedArray, rgba
from napari_tsimcne.gui._viewer import active_layer_kept
from napari_tsimcne.gui.images._outline_picture import WindowsInFrame, windows_in_frame
from napari_tsimcne.gui.images._outlines import VIEW, LinkedLayer, OutlineLayer, copies
from napari_tsimcne.images import World

HIGHLIGHT_NAME = "selected patches"
WIDTH = 2
"""Of an outline, in pixels of the screen."""

MOST_VECTORS = 1_000
"""Outlines drawn as lines, which are sharp at any zoom; of more, a picture of them is drawn."""

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
        self._lines = OutlineLayer(viewer, HIGHLIGHT_NAME, color, WIDTH)
        self._picture: Labels | None = None
        self._windows: WindowsInFrame | None = None
        self._known = False
        self._rows = np.zeros(0, np.intp)
        self._here: Callable[..., np.ndarray] = lru_cache(PLANES_KEPT)(self._on_plane)

    @property
    def layer(self) -> Vectors | Labels | None:
        """The layer of the outlines; None where there is none, or someone removed it."""
        return self._picture if self._picture in self._viewer.layers else self._lines.layer

    def show(self, rows: np.ndarray, layers: Mapping[str, LinkedLayer]) -> None:
        """Outline the patches of these rows, in place of those outlined before."""
        if self._many(len(rows), layers):
            self._rows = rows
            self._here = lru_cache(PLANES_KEPT)(self._on_plane)
            # One of the two is in the list of layers.
            self._lines.remove()
            self._show_picture()
            return
        self._remove_picture()
        if layers:
            self._lines.show(self._table, rows, layers, self._projected)
        else:
            self._lines.clear()

    def layers_changed(self) -> None:
        """Find out anew where the images lie, when it is next needed."""
        self._known, self._windows = False, None
        self._remove_picture()

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

    def _show_picture(self) -> None:
        if self._picture is not None and self._picture in self._viewer.layers:
            self._picture.refresh(extent=False, thumbnail=False)
            return
        windows = self._windows
        assert windows is not None
        frame = windows.frame.layer
        with active_layer_kept(self._viewer):
            self._picture = self._viewer.add_labels(
                [
                    PaintedArray(windows.frame.axes, shape, np.uint8, partial(self._paint, level))
                    for level, shape in enumerate(windows.shapes)
                ],
                multiscale=True,
                name=HIGHLIGHT_NAME,
                affine=windows.affine,
                units=frame.units,
                axis_labels=frame.axis_labels,
                colormap=label_colors([self._color]),
                metadata=dict(VIEW),
                opacity=1.0,
            )
        self._picture.editable = False

    def _remove_picture(self) -> None:
        picture, self._picture = self._picture, None
        if picture is not None and picture in self._viewer.layers:
            self._viewer.layers.remove(picture)

    def _paint(self, level: int, at: Mapping[str, int], rows: Any, columns: Any) -> np.ndarray:
        windows = self._windows
        assert windows is not None
        axes = windows.frame.axes
        lengths = [windows.shapes[level][axes.index(axis)] for axis in "YX"]
        y, x = (
            range(length)[one] if isinstance(one, slice) else range(one, one + 1)
            for length, one in zip(lengths, (rows, columns), strict=True)
        )
        painted = windows.outlined(level, self._here(tuple(at.values())), y, x)
        return painted[tuple(slice(None) if isinstance(i, slice) else 0 for i in (rows, columns))]

    def _on_plane(self, at: tuple[int, ...]) -> np.ndarray:
        assert self._windows is not None
        return self._windows.on_plane(self._rows, np.array(at, np.int64))


def label_colors(colors: Sequence[str]) -> CyclicLabelColormap:
    """Return the colormap that shows 0 clear and the labels from 1 on in these colours.

    Unlike a colormap by label it needs no code that is compiled first, which takes seconds.
    """
    clear = np.zeros((1, 4), np.float32)
    return CyclicLabelColormap(colors=np.concatenate([clear, rgba(colors)]))
