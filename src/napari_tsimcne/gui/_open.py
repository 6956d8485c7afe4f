"""Shows a run in napari: its images side by side, the dock, and the linked map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import napari
import numpy as np
from napari.layers import Image, Labels
from napari.utils.notifications import show_warning

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui._crops import COLORMAPS
from napari_tsimcne.gui._inputs import JOINED_BY, images_of
from napari_tsimcne.gui._outlines import LinkedLayer
from napari_tsimcne.images import ImageSource, labels_from_layer
from napari_tsimcne.runs import ImageRecord, Run

MOST_IMAGES = 36
GAP = 1.04
READ_WHOLE = 128 << 20
"""Bytes of an image up to which it is read at once; larger ones are read as they are looked at."""


def show_run(run: Run) -> None:
    """Open napari on a run and stay until its window is closed."""
    viewer = napari.Viewer(title=f"napari: {run.folder.name}")
    _, dock = viewer.window.add_plugin_dock_widget("napari-tsimcne", "t-SimCNE")
    dock.open_run(run.folder)
    napari.run()


def link_images(viewer: Any, run: Run) -> dict[str, LinkedLayer]:
    """Return layers that show the images of a run, by their names.

    Images that were layers are looked for among those of the viewer; files are opened, see
    `add_images`.
    """
    there = {record.name: _layer_of(viewer, record, run) for record in run.info.images}
    linked = {name: layer for name, layer in there.items() if layer is not None}
    missing = [record for record in run.info.images if record.name not in linked]
    return linked | add_images(viewer, run, missing)


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
    places = _places(run)
    linked = {}
    for image in images:
        shown = _add_image(viewer, image, places[image.name])
        if image.name in labels:
            layer = _add_labels(viewer, labels[image.name], image, places[image.name])
            shown = shown._replace(labels=layer)
        linked[image.name] = shown
    return linked


def _places(run: Run) -> dict[str, np.ndarray]:
    """Where the corner (y, x) of each image that came from a file lies, side by side.

    They do not depend on which of them are shown: an image that is added later finds its place
    empty.
    """
    records = [record for record in run.info.images if record.path is not None]
    if not records:
        return {}
    lengths = [[r.shape[r.axes.index(axis)] for axis in "YX"] for r in records]
    step = np.max(np.multiply(lengths, [r.pixel_size for r in records]), axis=0) * GAP
    # By whole pixels, so that one picture fits over all of them.
    step = np.ceil(step / records[0].pixel_size) * records[0].pixel_size
    columns = max(1, round(np.sqrt(min(len(records), MOST_IMAGES) * step[0] / step[1])))
    return {r.name: step * np.array(divmod(i, columns)) for i, r in enumerate(records)}


# --- layers that are there ------------------------------------------------------------------------


def _layer_of(viewer: Any, record: ImageRecord, run: Run) -> LinkedLayer | None:
    """Return the layer that an image was, or the layers of its channels, with the same pixels."""
    if record.path is not None:
        return None
    by_name = {layer.name: layer for layer in viewer.layers if isinstance(layer, Image)}
    names = [record.name] if record.name in by_name else record.name.split(JOINED_BY)
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
    linked = inputs.layers[record.name]
    return linked._replace(labels=_labels_of(viewer, run.info.labels.get(record.name)))


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
        layer = viewer.add_image(data, name=image.name, rgb=image.rgb, **options)
        return LinkedLayer(layer, axes)
    layers = viewer.add_image(
        data,
        channel_axis=axes.index("C"),
        name=[f"{image.name} {channel}" for channel in image.channel_names],
        colormap=[COLORMAPS[i % len(COLORMAPS)] for i in range(image.channels)],
        **options,
    )
    return LinkedLayer(layers[0], axes.replace("C", ""), tuple(layers[1:]))


def _add_labels(viewer: Any, labels: ImageSource, image: ImageSource, offset: np.ndarray) -> Any:
    """Add a label image over its image, whose place and pixel size it has."""
    data, multiscale = _levels(labels)
    if labels.dtype.kind not in "ui":
        data = [level.astype(np.int64) for level in data] if multiscale else data.astype(np.int64)
    name = labels.name if labels.name != image.name else f"{image.name} objects"
    space = _space(image, labels.axes, offset)
    layer = viewer.add_labels(data, name=name, multiscale=multiscale, opacity=0.4, **space)
    # Patches were cut by these objects. And the keys 1 to 7, which napari gives to its brushes,
    # are those of clusters here.
    layer.editable = False
    return layer


def _space(image: ImageSource, axes: str, offset: np.ndarray) -> dict[str, Any]:
    """Where a layer lies, for these axes of it."""
    return {
        "scale": [image.pixel_size["YX".index(a)] if a in "YX" else 1.0 for a in axes],
        "translate": [offset["YX".index(a)] if a in "YX" else 0.0 for a in axes],
        "units": tuple(image.unit if a in "YX" else "pixel" for a in axes),
        "axis_labels": tuple(a.lower() for a in axes),
    }


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
