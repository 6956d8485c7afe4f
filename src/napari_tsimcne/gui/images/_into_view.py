"""Moves sliders and camera of the viewer so that a patch is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from napari_tsimcne.gui._viewer import camera_of
from napari_tsimcne.gui.images._outlines import IMAGE_AXIS, LinkedLayer
from napari_tsimcne.images import World, transformed

LEAST_ON_SCREEN = 40
"""Pixels of the screen along the side of a patch, below which the view is zoomed in."""

COMFORTABLE = 100
"""Pixels of the screen that the side of a patch has then."""


def bring_into_view(viewer: Any, linked: LinkedLayer, patch: pd.Series, projected: bool) -> None:
    """Move to a patch, a row of the patch table; the zoom stays unless the patch were too small.

    Where patches are of a projection, the slider of the depth stays.
    """
    layers = (linked.layer, *linked.channels)
    if not any(layer.visible for layer in layers):
        linked.layer.visible = True
    to_world = World.of(viewer).matrix(linked.layer)
    at = {"T": patch["t"], "Z": patch["z"], "C": 0, "Y": patch["y"], "X": patch["x"]}
    at[IMAGE_AXIS] = linked.position
    world = transformed(np.array([float(at[axis]) for axis in linked.axes]), to_world)
    missing = viewer.dims.ndim - len(world)
    kept = {"C", "Z"} if projected else {"C"}
    displayed = viewer.dims.displayed
    for axis, letter in enumerate(linked.axes):
        if letter not in kept and missing + axis not in displayed:
            viewer.dims.set_point(missing + axis, world[axis])
    camera = camera_of(viewer)
    whole = np.concatenate([np.zeros(missing), world])
    if projected and "Z" in linked.axes and viewer.dims.ndisplay == 3:
        # The middle of the depth that was projected.
        whole[missing + linked.axes.index("Z")] = camera.center[0]
    center = [whole[axis] for axis in displayed]
    camera.center = (*([camera.center[0]] * (3 - len(center))), *center)
    sides = [to_world[:-1, linked.axes.index(axis)] * patch["size"] for axis in "YX"]
    side = min(float(np.linalg.norm(side)) for side in sides)
    if side * camera.zoom < LEAST_ON_SCREEN:
        camera.zoom = COMFORTABLE / side
