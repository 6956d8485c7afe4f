"""Images that are added to a viewer: read in any thread, then added layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer

from napari_tsimcne.explore import channel_colormaps
from napari_tsimcne.gui._viewer import active_layer_kept
from napari_tsimcne.gui.images._limits import give
from napari_tsimcne.gui.images._outlines import (
    IMAGE_AXIS,
    LinkedLayer,
    is_view,
    with_image_axis,
)
from napari_tsimcne.gui.images._shown_files import SLIDER, files_of, shows
from napari_tsimcne.gui.images._stacks import Reader, lazy
from napari_tsimcne.images import ImageSource, in_micrometres
from napari_tsimcne.runs import ImageRecord

MOST_LAYERS = 10
"""Layers up to which images lie side by side; of more, those of a kind share their layers."""

PERCENTILES = (0.1, 99.9)
"""Values of an image that are shown darkest and brightest, where no run says it."""


class Batch:
    """Images that share their layers: one image, or several of one kind.

    Parameters
    ----------
    images
        Of one kind, see `kind_of`.
    labels
        The label image of each, by name; none is added where there is none.
    stacked
        Whether they lie along an axis of the layers, which counts them.
    limits
        (C, 2): values of each channel that are shown darkest and brightest; None: they are taken
        from the first image.
    over
        The layers that show the images already, by image name: only labels are added.
    """

    def __init__(
        self,
        images: Sequence[ImageSource],
        labels: Mapping[str, ImageSource],
        stacked: bool,
        limits: np.ndarray | None = None,
        over: Mapping[str, LinkedLayer] | None = None,
    ) -> None:
        self.images, self.stacked, self.over = list(images), stacked, over or {}
        self.labels = [labels.get(image.name) for image in images]
        self._limits = limits
        self._reader = Reader(self.images)
        self._label_reader = Reader(self.labels)

    @property
    def layers(self) -> int:
        """How many layers they take."""
        return layers_of_kind(self.images[0]) * (not self.over) + any(self.labels)

    def read(self) -> None:
        """Read what is seen first.

        Raises
        ------
        InputError
            Where it cannot be read.
        """
        if self.over:
            return
        first = self.images[0]
        for level in {0, len(first.levels)}:
            self._reader.array(0, level)
        if self._limits is None or first.rgb:
            self._limits = _limits_of(first, self._reader)

    def add(
        self, viewer: Any, corner: np.ndarray, at: int
    ) -> Iterator[dict[str, LinkedLayer] | None]:
        """Add the layers, one a step; the last step returns what shows each image.

        ``corner`` (y, x): where the images begin. ``at``: position of the first along the axis
        that counts them.
        """
        shown = dict(self.over)
        if not shown:
            layers = []
            for layer in self._image_layers(corner, at):
                # Before it is in the viewer: whoever is told of it there can ask what it shows.
                shows(layer, self.images)
                only = not len(viewer.layers)
                viewer.layers.insert(_below_views(viewer), layer)
                if only:
                    _look_at_first(viewer, layer)
                layers.append(layer)
                yield None
            axes = self.images[0].axes.replace("S", "").replace("C", "")
            axes = with_image_axis(axes) if self.stacked else axes
            shown = {
                image.name: LinkedLayer(layers[0], axes, tuple(layers[1:]), position=number)
                for number, image in enumerate(self.images)
            }
        if any(self.labels):
            layer = self._labels_layer(next(iter(shown.values())))
            shows(layer, self.labels)
            with active_layer_kept(viewer):
                viewer.layers.insert(_below_views(viewer), layer)
            # Patches were cut by these objects. And the keys 1 to 7, which napari gives to its
            # brushes, are those of clusters here.
            layer.editable = False
            for image, labels in zip(self.images, self.labels, strict=True):
                if labels is not None and image.name in shown:
                    shown[image.name] = shown[image.name]._replace(labels=layer)
        yield shown

    def _image_layers(self, corner: np.ndarray, at: int) -> list[Image]:
        first = self.images[0]
        options = self._space(first, first.axes.replace("S", "").replace("C", ""), corner, at)
        title = _title(self.images) if self.stacked else first.name
        limits = self._limits
        assert limits is not None
        if "C" not in first.axes:
            data = self._levels(self._reader)
            chosen = {"contrast_limits": tuple(limits[0])}
            layers = [Image(data, name=title, rgb=first.rgb, **options, **chosen)]
        else:
            layers = self._channel_layers(title, options, limits)
        for layer, (low, high) in zip(layers, limits, strict=True):
            give(layer, (float(low), float(high)))
        return layers

    def _channel_layers(
        self, title: str, options: dict[str, Any], limits: np.ndarray
    ) -> list[Image]:
        first = self.images[0]
        maps = channel_colormaps(first.channel_names)
        return [
            Image(
                self._levels(self._reader, number),
                name=f"{channel} ({title})" if self.stacked else f"{title} {channel}",
                colormap=maps[number],
                contrast_limits=tuple(limits[number]),
                blending="additive" if number else "translucent_no_depth",
                **options,
            )
            for number, channel in enumerate(first.channel_names)
        ]

    def _labels_layer(self, shown: LinkedLayer) -> Labels:
        """Return the layer of the label images, over that of the images: hidden, as a picture."""
        labels = next(one for one in self.labels if one is not None)
        image, space = self.images[0], shown.layer
        data = self._levels(
            self._label_reader, dtype=None if labels.dtype.kind in "ui" else np.int64
        )
        name = labels.name if labels.name != image.name else f"{image.name} objects"
        if self.stacked:
            name = f"objects of {_title(self.images)}"
        axes = with_image_axis(labels.axes) if self.stacked else labels.axes
        at = [shown.axes.index(axis) for axis in axes]
        return Labels(
            data,
            name=name,
            multiscale=isinstance(data, list),
            opacity=0.4,
            visible=False,
            scale=np.array(space.scale)[at],
            translate=np.array(space.translate)[at],
            units=tuple(space.units[i] for i in at),
            axis_labels=tuple(space.axis_labels[i] for i in at),
        )

    def _levels(self, reader: Reader, channel: int | None = None, dtype: Any = None) -> Any:
        levels = [
            lazy(reader, level, channel, dtype, alone=not self.stacked)
            for level in range(len(reader.first.levels) + 1)
        ]
        return levels if len(levels) > 1 else levels[0]

    def _space(self, image: ImageSource, axes: str, corner: np.ndarray, at: int) -> dict[str, Any]:
        """Where a layer lies, for these axes of the images."""
        size, unit = shown_size(image)
        found: dict[str, Any] = {
            "scale": [size["YX".index(a)] if a in "YX" else 1.0 for a in axes],
            "translate": [corner["YX".index(a)] if a in "YX" else 0.0 for a in axes],
            "units": [unit if a in "YX" else "pixel" for a in axes],
            "axis_labels": [a.lower() for a in axes],
            "multiscale": bool(image.levels),
        }
        if self.stacked:
            for key, value in (
                ("scale", 1.0), ("translate", float(at)), ("units", "pixel"),
                ("axis_labels", SLIDER),
            ):  # fmt: skip
                found[key].insert(with_image_axis(axes).index(IMAGE_AXIS), value)
        return found


def batches_of(
    images: Sequence[ImageSource],
    labels: Mapping[str, ImageSource],
    stacked: bool,
    limits: Callable[[Sequence[str]], np.ndarray | None],
) -> list[Batch]:
    """Put images into batches: each alone, or where they are ``stacked`` those of a kind."""
    if not stacked:
        return [Batch([image], labels, False, limits([image.name])) for image in images]
    kinds: dict[tuple, list[ImageSource]] = {}
    for image in images:
        own = labels.get(image.name)
        kinds.setdefault((kind_of(image), own and kind_of(own)), []).append(image)
    return [
        Batch(alike, labels, True, limits([image.name for image in alike]))
        for alike in kinds.values()
    ]


def kind_of(image: ImageSource) -> tuple:
    """Return what images have in common that share layers."""
    return (
        image.axes, image.shape, image.dtype, image.channel_names, image.pixel_size, image.unit,
        tuple(level.height_width for level in image.levels),
    )  # fmt: skip


def shown_size(image: ImageSource | ImageRecord) -> tuple[tuple[float, float], str]:
    """Size of a pixel in the viewer, and its unit: µm whatever a file says, so that all fit."""
    return in_micrometres(image.pixel_size, image.unit)


def layers_of_kind(image: ImageSource) -> int:
    """How many layers an image takes, one a channel."""
    return image.length("C")


def has_stacks(viewer: Any) -> bool:
    """Whether images share layers already."""
    return any(is_stack(layer) for layer in viewer.layers)


def is_stack(layer: Layer) -> bool:
    """Whether a layer was added to show images of files along an axis that counts them."""
    return bool(files_of(layer)) and SLIDER in layer.axis_labels


def next_position(viewer: Any) -> int:
    """Where the images that come next begin along the axis that counts them."""
    stacks = [layer for layer in viewer.layers if is_stack(layer)]
    ends = [la.extent.world[1, la.axis_labels.index(SLIDER)] for la in stacks]
    return max((round(float(end)) + 1 for end in ends), default=0)


def _look_at_first(viewer: Any, layer: Layer) -> None:
    """Begin with the first image and time: napari begins in the middle of each axis."""
    for axis, name in enumerate(layer.axis_labels):
        if name in (SLIDER, "t"):
            viewer.dims.set_current_step(axis, 0)


def _below_views(viewer: Any) -> int:
    """Where layers are inserted: below outlines, which are to be seen over them."""
    at = len(viewer.layers)
    while at and is_view(viewer.layers[at - 1]):
        at -= 1
    return at


def _title(images: Sequence[ImageSource]) -> str:
    if len(images) == 1:
        return images[0].name
    height, width = images[0].height_width
    return f"{len(images):,} images {height} x {width}"


def _limits_of(image: ImageSource, reader: Reader) -> np.ndarray:
    """Values of each channel that are shown darkest and brightest, (C, 2); all that RGB has."""
    if image.rgb:
        most = np.iinfo(image.dtype).max if image.dtype.kind in "ui" else 1
        return np.array([[0, most]], float)
    level = len(image.levels)
    plane = tuple(
        0 if axis == "T" else length // 2 if axis == "Z" else slice(None)
        for axis, length in zip(image.axes, image.shape, strict=True)
    )
    pixels = np.asarray(reader.array(0, level)[plane])
    left = [axis for axis in image.axes if axis not in "TZ"]
    channels = np.moveaxis(pixels, left.index("C"), 0) if "C" in left else pixels[None]
    return np.array([_shown_range(channel) for channel in channels])


def _shown_range(pixels: np.ndarray) -> tuple[float, float]:
    values = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels.reshape(-1)
    if not len(values):
        return 0.0, 1.0
    low, high = np.percentile(values, PERCENTILES)
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1)
