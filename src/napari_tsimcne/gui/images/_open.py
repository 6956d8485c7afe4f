"""Shows a run in napari: its images side by side, the dock, and the linked map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import dask.array as da
import napari
import numpy as np
from napari.layers import Image, Labels, Layer
from napari.utils.notifications import show_warning

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui.images._crops import COLORMAPS
from napari_tsimcne.gui.images._outlines import LinkedLayer
from napari_tsimcne.gui.steps._inputs import JOINED_BY, images_of
from napari_tsimcne.images import ImageSource, World, corners, in_micrometres, labels_from_layer
from napari_tsimcne.runs import (
    ExtendedRun,
    ImageRecord,
    Run,
    given_name,
    images_by_part,
    missing_images,
)

MOST_IMAGES = 36
GAP = 1.04
READ_WHOLE = 128 << 20
"""Bytes of an image up to which it is read at once; larger ones are read as they are looked at."""

_FILES: WeakKeyDictionary[Layer, ImageSource] = WeakKeyDictionary()
"""The images of files, by the layers that were added to show them."""


def show_run(run: Run) -> None:
    """Open napari on a run and stay until its window is closed."""
    viewer = napari.Viewer(title=f"napari: {run.folder.name}")
    _, dock = viewer.window.add_plugin_dock_widget("napari-tsimcne", "t-SimCNE")
    dock.open_run(run.folder)
    napari.run()


def link_images(viewer: Any, run: Run) -> dict[str, LinkedLayer]:
    """Return layers that show the images of a run, by their names.

    Images that were layers, and files that are shown already, are looked for among those of the
    viewer; other files are opened, see `add_images`. Those that are not where they were are passed
    over: `MovedImages` asks for them.
    """
    linked, moved = shown_images(viewer, run), {record.path for record in missing_images(run)}
    others = [r for r in run.info.images if r.name not in linked and r.path not in moved]
    return linked | add_images(viewer, run, others)


def link_inputs(viewer: Any, run: Run, layers: Mapping[str, LinkedLayer]) -> dict[str, LinkedLayer]:
    """Return layers that show the images of a run that was just made of some ``layers`` and files.

    What is left of the layers is taken as it is; files are found or opened, with label images.
    """
    known = still_there(viewer, layers)
    for record in run.info.images:
        if record.path is not None:
            shown = _layer_of(viewer, record, run)
            known.pop(record.name, None)
            known |= {record.name: shown} if shown is not None else {}
    missing = [r for r in run.info.images if r.path is not None and r.name not in known]
    return known | add_images(viewer, run, missing)


def still_there(viewer: Any, layers: Mapping[str, LinkedLayer]) -> dict[str, LinkedLayer]:
    """Return what is left of layers that the user may have removed meanwhile."""
    left = {name: linked.among(viewer.layers) for name, linked in layers.items()}
    return {name: linked for name, linked in left.items() if linked is not None}


def shown_images(viewer: Any, run: Run) -> dict[str, LinkedLayer]:
    """Return the layers of the viewer that show images of a run, by their names."""
    there = {record.name: _layer_of(viewer, record, run) for record in run.info.images}
    return {name: layer for name, layer in there.items() if layer is not None}


def layers_of(viewer: Any, run: Run, name: str) -> dict[str, LinkedLayer]:
    """Return layers that show one image of a run, by its name, as `link_images` does for all."""
    record = run.image(name)
    there = _layer_of(viewer, record, run)
    return add_images(viewer, run, [record]) if there is None else {name: there}


def add_images(viewer: Any, run: Run, records: Sequence[ImageRecord]) -> dict[str, LinkedLayer]:
    """Add images of a run as layers, with the label images that objects are of.

    Each has a place of its own beside the others; those not found are warned of.
    """
    images, labels, lost = [], {}, []
    for record in records[:MOST_IMAGES]:
        try:
            images.append(record.open())
            if record.name in run.info.labels:
                labels[record.name] = run.info.labels[record.name].open()
        except InputError as error:
            lost.append(str(error))
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        show_warning(f"Not shown: {lost[0]}{more}. The map works all the same.")
    if len(records) > MOST_IMAGES:
        show_warning(f"The first {MOST_IMAGES} of {len(records)} images are shown.")
    places = _places_in(viewer, run)
    linked = {}
    for image in images:
        shown = _add_image(viewer, image, places[image.name])
        if image.name in labels:
            layer = _add_labels(viewer, labels[image.name], image, places[image.name])
            shown = shown._replace(labels=layer)
        linked[image.name] = shown
    return linked


def link_addition(
    viewer: Any, run: ExtendedRun, name: str, layers: Mapping[str, LinkedLayer]
) -> dict[str, LinkedLayer]:
    """Return layers that show the images of an addition, by their names in the run.

    ``layers`` that show them already, by the names the images were given; the others are opened.
    """
    names = run.names_in(name)
    linked = {names[given]: layer for given, layer in layers.items() if given in names}
    missing = [run.image(image) for image in names.values() if image not in linked]
    return linked | add_images(viewer, run, missing)


def add_files(
    viewer: Any, images: Sequence[ImageSource], among: Sequence[ImageSource]
) -> dict[str, LinkedLayer]:
    """Add images of files as layers, each where it has its place ``among`` others.

    Raises
    ------
    InputError
        Where the pixels of an image cannot be read.
    """
    places = _places(viewer, among)
    return {image.name: _add_image(viewer, image, places[image.name]) for image in images}


def file_of(layer: Layer) -> ImageSource | None:
    """Return the image of a file that a layer was added to show; None for any other layer."""
    return _FILES.get(layer)


def shown_file(viewer: Any, image: ImageSource | ImageRecord) -> LinkedLayer | None:
    """Return the layers that were added to show an image of a file, with the same axes."""
    key = (image.path, image.series, image.axes)
    layers = []
    for layer in viewer.layers:
        shown = file_of(layer) if isinstance(layer, Image) else None
        if shown is not None and (shown.path, shown.series, shown.axes) == key:
            layers.append(layer)
    if not layers:
        return None
    axes = image.axes.replace("S", "").replace("C", "")
    return LinkedLayer(layers[0], axes, tuple(layers[1:]))


def _places(
    viewer: Any, images: Sequence[ImageSource | ImageRecord], width: float = 0.0
) -> dict[str, np.ndarray]:
    """Where the corner (y, x) of each image of a file lies, by its name: side by side.

    They do not depend on which of them are shown: an image that is added later finds its place
    empty. They begin beside the layers that are no such images. They take at least a ``width``,
    where they are that many.
    """
    if not images:
        return {}
    lengths = [[i.shape[i.axes.index(axis)] for axis in "YX"] for i in images]
    sizes = [_shown_size(image)[0] for image in images]
    step = np.max(np.multiply(lengths, sizes), axis=0) * GAP
    # By whole pixels, so that one picture fits over all of them.
    step = np.ceil(step / sizes[0]) * sizes[0]
    columns = round(np.sqrt(min(len(images), MOST_IMAGES) * step[0] / step[1]))
    columns = max(1, columns, round(width / step[1]))
    places = {i.name: step * np.array(divmod(n, columns)) for n, i in enumerate(images)}
    begin = _begin(viewer, images, places)
    return {name: begin + place for name, place in places.items()}


def _places_in(viewer: Any, run: Run) -> dict[str, np.ndarray]:
    """Where the corner (y, x) of each image of a run's files lies, by its name.

    Those of an addition begin below all that were there before.
    """
    places: dict[str, np.ndarray] = {}
    bottom = width = 0.0
    for part in images_by_part(run):
        files = [record for record in part if record.path is not None]
        own = _places(viewer, files, width)
        if places and not any(shown_file(viewer, record) for record in files):
            own = {name: np.array([bottom, 0.0]) + place for name, place in own.items()}
        places |= own
        for record in files:
            lengths = [record.shape[record.axes.index(axis)] for axis in "YX"]
            size, _ = _shown_size(record)
            end = own[record.name] + GAP * np.multiply(lengths, size)
            # By whole pixels, as all places are.
            below = np.ceil(end[0] / size[0]) * size[0]
            bottom, width = max(bottom, float(below)), max(width, float(end[1]))
    return places


def _begin(
    viewer: Any,
    images: Sequence[ImageSource | ImageRecord],
    places: Mapping[str, np.ndarray],
) -> np.ndarray:
    """Where the first image lies (y, x): as those that are shown, else right of other images."""
    known = all(_shown_size(image)[1] == "µm" for image in images)
    world = World.of(viewer)
    if known and world.units is not None:
        # Layers in other units of length are shown by what they measure.
        world = World(("µm",) * len(world.units))
    for image in images:
        shown = shown_file(viewer, image)
        if shown is not None:
            corner = world.places(shown.layer, np.zeros(shown.layer.ndim))[-2:]
            return np.array(corner) - places[image.name]
    others = [la for la in viewer.layers if isinstance(la, Image) and file_of(la) is None]
    if not others:
        return np.zeros(2)
    # Of all corners, as a layer may be turned.
    ends = [world.places(la, corners(np.array(la.extent.data[1]) + 1)) for la in others]
    return np.array([0.0, max(float(end[:, -1].max()) for end in ends) * GAP])


# --- layers that are there ------------------------------------------------------------------------


def _layer_of(viewer: Any, record: ImageRecord, run: Run) -> LinkedLayer | None:
    """Return the layer that an image was, or the layers of its channels, with the same pixels."""
    if record.path is not None:
        return _file_layer_of(viewer, record, run)
    by_name = {layer.name: layer for layer in viewer.layers if isinstance(layer, Image)}
    given = given_name(run, record.name)
    names = [given] if given in by_name else given.split(JOINED_BY)
    if not set(names) <= set(by_name):
        return None
    joined = len(names) > 1
    axes = record.axes.replace("S", "").replace("C" if joined else "", "")
    try:
        inputs = images_of([by_name[name] for name in names], [axes] * len(names), joined)
        if not _same(inputs.images[0], record):
            return None
    except InputError:
        return None
    linked = inputs.layers[given]
    return linked._replace(labels=_labels_of(viewer, run.info.labels.get(record.name)))


def _file_layer_of(viewer: Any, record: ImageRecord, run: Run) -> LinkedLayer | None:
    """Return the layers that show the file of an image, as long as it is the same."""
    linked = shown_file(viewer, record)
    if linked is None or not _same(_FILES[linked.layer], record):
        return None
    labels = run.info.labels.get(record.name)
    if labels is None or labels.path is None:
        return linked._replace(labels=_labels_of(viewer, labels))
    return linked._replace(labels=_labels_of_file(viewer, labels, linked.layer))


def _labels_of_file(viewer: Any, record: ImageRecord, image: Layer) -> Labels | None:
    """Return the layer that shows a label file, which is added where it is not shown yet."""
    for layer in viewer.layers:
        shown = file_of(layer) if isinstance(layer, Labels) else None
        if shown is not None and (shown.path, shown.series) == (record.path, record.series):
            return layer
    try:
        return _add_labels(viewer, record.open(), _FILES[image], np.array(image.translate[-2:]))
    except InputError as error:
        show_warning(f"Not shown: {error}. The map works all the same.")
        return None


def _labels_of(viewer: Any, record: ImageRecord | None) -> Labels | None:
    """Return the layer that a label image was, with the same pixels."""
    for layer in viewer.layers:
        if record is not None and isinstance(layer, Labels) and layer.name == record.name:
            try:
                return layer if _same(labels_from_layer(layer, axes=record.axes), record) else None
            except InputError:
                return None
    return None


def _same(image: ImageSource, record: ImageRecord) -> bool:
    return image.shape == record.shape and image.fingerprint() == record.fingerprint


# --- layers that are added ------------------------------------------------------------------------


def _add_image(viewer: Any, image: ImageSource, offset: np.ndarray) -> LinkedLayer:
    data, multiscale = _levels(image)
    axes = image.axes.replace("S", "")
    options = {"multiscale": multiscale, **_space(image, axes.replace("C", ""), offset)}
    if "C" not in axes:
        layers = [Image(data, name=image.name, rgb=image.rgb, **options)]
    else:
        at = axes.index("C")
        layers = [
            Image(
                [_taken(level, at, i) for level in data] if multiscale else _taken(data, at, i),
                name=f"{image.name} {channel}",
                colormap=COLORMAPS[i % len(COLORMAPS)],
                blending="additive" if i else "translucent_no_depth",
                **options,
            )
            for i, channel in enumerate(image.channel_names)
        ]
    # Before they are in the viewer: whoever is told of them there can ask what they show.
    _FILES.update(dict.fromkeys(layers, image))
    viewer.layers.extend(layers)
    return LinkedLayer(layers[0], axes.replace("C", ""), tuple(layers[1:]))


def _taken(array: Any, axis: int, at: int) -> Any:
    return array[(slice(None),) * axis + (at,)]


def _add_labels(viewer: Any, labels: ImageSource, image: ImageSource, offset: np.ndarray) -> Any:
    """Add a label image over its image, whose place and pixel size it has."""
    data, multiscale = _levels(labels)
    if labels.dtype.kind not in "ui":
        data = [level.astype(np.int64) for level in data] if multiscale else data.astype(np.int64)
    name = labels.name if labels.name != image.name else f"{image.name} objects"
    space = _space(image, labels.axes, offset)
    layer = viewer.add_labels(data, name=name, multiscale=multiscale, opacity=0.4, **space)
    _FILES[layer] = labels
    # Patches were cut by these objects. And the keys 1 to 7, which napari gives to its brushes,
    # are those of clusters here.
    layer.editable = False
    return layer


def _space(image: ImageSource, axes: str, offset: np.ndarray) -> dict[str, Any]:
    """Where a layer lies, for these axes of it."""
    size, unit = _shown_size(image)
    return {
        "scale": [size["YX".index(a)] if a in "YX" else 1.0 for a in axes],
        "translate": [offset["YX".index(a)] if a in "YX" else 0.0 for a in axes],
        "units": tuple(unit if a in "YX" else "pixel" for a in axes),
        "axis_labels": tuple(a.lower() for a in axes),
    }


def _shown_size(image: ImageSource | ImageRecord) -> tuple[tuple[float, float], str]:
    """Size of a pixel in the viewer, and its unit: µm whatever a file says, so that all fit."""
    return in_micrometres(image.pixel_size, image.unit)


# --- pixels -------------------------------------------------------------------------------------


def _levels(image: ImageSource) -> tuple[Any, bool]:
    """Return the array of an image, or of all levels of a pyramid, and whether it is one."""
    if image.levels:
        return [_lazy(image, level) for level in range(len(image.levels) + 1)], True
    size = image.dtype.itemsize * int(np.prod(image.shape, dtype=float))
    if size > READ_WHOLE:
        return _lazy(image, 0), False
    return np.asarray(image.load()[(slice(None),) * len(image.axes)]), False


def _lazy(image: ImageSource, level: int) -> da.Array:
    """Return a level of an image as a dask array in the image's own chunks."""
    height_width = dict(zip("YX", image.level_height_width(level), strict=True))
    shape = tuple(height_width.get(axis, image.length(axis)) for axis in image.axes)
    chunk = dict(zip("YX", image.chunk(level), strict=True)) | {"T": 1, "Z": 1}
    chunks = tuple(chunk.get(axis, image.length(axis)) for axis in image.axes)
    load = image.load if level == 0 else image.levels[level - 1].load
    pixels = _Pixels(load(), shape, image.dtype)
    return da.from_array(pixels, chunks=chunks, asarray=False, name=False)


@dataclass(frozen=True)
class _Pixels:
    """What dask needs to know of an array."""

    array: Any
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, index: tuple) -> np.ndarray:
        return np.asarray(self.array[index])
