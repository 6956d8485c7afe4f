"""Where images of files lie in the viewer: side by side, or all at one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Layer

from napari_tsimcne.gui.images._batches import is_stack, shown_size
from napari_tsimcne.gui.images._outlines import is_view
from napari_tsimcne.gui.images._shown_files import ShownFiles, files_of
from napari_tsimcne.images import ImageSource, World, corners
from napari_tsimcne.runs import ImageRecord, Run, images_by_part

GAP = 1.04
MOST_COLUMNS = 6


def places_of(
    viewer: Any,
    shown: ShownFiles,
    images: Sequence[ImageSource | ImageRecord],
    width: float = 0.0,
) -> dict[str, np.ndarray]:
    """Where the corner (y, x) of each image of a file lies, by its name: side by side.

    They do not depend on which of them are shown: an image that is added later finds its place
    empty. They begin beside the layers that are no such images. They take at least a ``width``,
    where they are that many.
    """
    if not images:
        return {}
    lengths = [[i.shape[i.axes.index(axis)] for axis in "YX"] for i in images]
    sizes = [shown_size(image)[0] for image in images]
    step = np.max(np.multiply(lengths, sizes), axis=0) * GAP
    # By whole pixels, so that one picture fits over all of them.
    step = np.ceil(step / sizes[0]) * sizes[0]
    columns = round(np.sqrt(len(images) * step[0] / step[1]))
    columns = max(1, min(columns, MOST_COLUMNS), round(width / step[1]))
    places = {i.name: step * np.array(divmod(n, columns)) for n, i in enumerate(images)}
    begin = _begin(viewer, shown, images, places)
    return {name: begin + place for name, place in places.items()}


def places_in(viewer: Any, run: Run) -> dict[str, np.ndarray]:
    """Where the corner (y, x) of each image of a run's files lies, by its name.

    Those of an addition begin below all that were there before.
    """
    places: dict[str, np.ndarray] = {}
    shown = ShownFiles(viewer)
    bottom = width = 0.0
    for part in images_by_part(run):
        files = [record for record in part if record.path is not None]
        own = places_of(viewer, shown, files, width)
        if places and not any(shown.image(record) for record in files):
            own = {name: np.array([bottom, 0.0]) + place for name, place in own.items()}
        places |= own
        for record in files:
            lengths = [record.shape[record.axes.index(axis)] for axis in "YX"]
            size, _ = shown_size(record)
            end = own[record.name] + GAP * np.multiply(lengths, size)
            # By whole pixels, as all places are.
            below = np.ceil(end[0] / size[0]) * size[0]
            bottom, width = max(bottom, float(below)), max(width, float(end[1]))
    return places


def _begin(
    viewer: Any,
    shown: ShownFiles,
    images: Sequence[ImageSource | ImageRecord],
    places: Mapping[str, np.ndarray],
) -> np.ndarray:
    """Where the first image lies (y, x): as those that are shown, else right of other images."""
    world = _world_of(viewer, images)
    for image in images:
        linked = shown.image(image)
        if linked is not None and not linked.stacked:
            corner = world.places(linked.layer, np.zeros(linked.layer.ndim))[-2:]
            return np.array(corner) - places[image.name]
    return _right_of(world, [layer for layer in viewer.layers if not files_of(layer)])


def corner_of_stacks(viewer: Any, image: ImageSource) -> np.ndarray:
    """Where images that share layers begin (y, x): all at one place, right of other images."""
    world = _world_of(viewer, [image])
    for layer in viewer.layers:
        if is_stack(layer):
            return np.array(world.places(layer, np.zeros(layer.ndim))[-2:])
    return _right_of(world, list(viewer.layers))


def _world_of(viewer: Any, images: Sequence[ImageSource | ImageRecord]) -> World:
    world = World.of(viewer)
    if world.units is not None and all(shown_size(image)[1] == "µm" for image in images):
        # Layers in other units of length are shown by what they measure.
        return World(("µm",) * len(world.units))
    return world


def _right_of(world: World, layers: Sequence[Layer]) -> np.ndarray:
    images = [layer for layer in layers if isinstance(layer, Image) and not is_view(layer)]
    if not images:
        return np.zeros(2)
    # Of all corners, as a layer may be turned.
    ends = [world.places(la, corners(np.array(la.extent.data[1]) + 1)) for la in images]
    return np.array([0.0, max(float(end[:, -1].max()) for end in ends) * GAP])
