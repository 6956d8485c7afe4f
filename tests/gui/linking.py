"""A run linked to layers of the viewer, and the mouse over its images."""

import numpy as np
from driving import drag, drag_on, to_canvas
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_tsimcne.gui.images._outlines import IMAGE_AXIS


def noise(*shape):
    return np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)


TURNED = {"scale": (2, 0.5, 1.0), "translate": (0, 30, -20), "rotate": 25,
          "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}  # fmt: skip
"""Pixels of 0.5 x 1 µm, turned, every 2 s."""


def settle():
    for _ in range(5):
        QApplication.processEvents()


def canvas(viewer):
    return viewer.window._qt_viewer.canvas.native


def world_of(link, patch):
    """Where the centre of a patch lies, in world coordinates."""
    row = link.run.table.iloc[patch]
    linked = link.layers[row["image"]]
    at = [linked.position if axis == IMAGE_AXIS else row[axis.lower()] for axis in linked.axes]
    return np.array(linked.layer.data_to_world(at))


def click(viewer, world, modifier=Qt.KeyboardModifier.NoModifier):
    settle()
    drag(canvas(viewer), [to_canvas(viewer, canvas(viewer), np.asarray(world)[-2:])], modifier)


def lasso(viewer, corners, modifier=Qt.KeyboardModifier.NoModifier):
    """Drag along corners, (y, x) in world coordinates."""
    settle()
    native = canvas(viewer)
    path = [to_canvas(viewer, native, corner) for corner in corners]
    drag_on(viewer, native, path, modifier)


def around(link, patches, room=0.3):
    """A path around the centres of patches along their image's rows and columns."""
    table = link.run.table.iloc[patches]
    linked = link.layers[table["image"].iloc[0]]
    pad = room * table["size"].iloc[0]
    low, high = table[["y", "x"]].min().to_numpy() - pad, table[["y", "x"]].max().to_numpy() + pad
    yx = [(low[0], low[1]), (low[0], high[1]), (high[0], high[1]), (high[0], low[1])]
    at = {axis: table[axis.lower()].iloc[0] for axis in linked.axes if axis != IMAGE_AXIS}
    at[IMAGE_AXIS] = linked.position
    places = [{**at, "Y": y, "X": x} for y, x in yx]
    return [
        linked.layer.data_to_world([place[axis] for axis in linked.axes])[-2:] for place in places
    ]


def selected(link):
    return list(link.exploration.selection.rows)


def seen(layer, world):
    """Value of a Labels layer at a place in world coordinates, 0 outside of it."""
    at = np.round(layer.world_to_data(world)).astype(int)
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    if (at < 0).any() or (at >= shape).any():
        return 0
    data = layer.data[0] if layer.multiscale else layer.data
    return int(data[tuple(at)])
