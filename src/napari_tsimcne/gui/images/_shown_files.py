"""Which layers were added to show which files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from napari.layers import Image, Layer

from napari_tsimcne.gui.images._outlines import LinkedLayer, with_image_axis
from napari_tsimcne.images import ImageSource
from napari_tsimcne.runs import ImageRecord

Key = tuple[Path | None, int]
"""What tells images of files apart: the file, and which of its images."""

SLIDER = "image"
"""Label of the axis along which one of several images is chosen."""

_FILES: WeakKeyDictionary[Layer, list[ImageSource | None]] = WeakKeyDictionary()
"""Images by the layers that show them, in the order of the axis that counts them."""


def shows(layer: Layer, images: Iterable[ImageSource | None]) -> None:
    """Keep which images a layer shows."""
    _FILES[layer] = list(images)


def files_of(layer: Layer) -> list[ImageSource]:
    """Return the images of files that a layer was added to show; none for any other layer."""
    return [image for image in _FILES.get(layer, []) if image is not None]


def file_at(linked: LinkedLayer) -> ImageSource | None:
    """Return the image of a file that layers were added to show."""
    return file_in(linked.layer, linked.position)


def file_in(layer: Layer, position: int) -> ImageSource | None:
    """Return the image of a file that a layer was added to show at a position of the slider."""
    images = _FILES.get(layer, [])
    return images[position] if 0 <= position < len(images) else None


def position_in(viewer: Any, stack: Layer) -> int | None:
    """Return the position of the image that is seen of a stack; None where the slider is beyond."""
    axis = stack.axis_labels.index(SLIDER)
    point = viewer.dims.point[-stack.ndim :]
    position = round(point[axis] - stack.translate[axis])
    return position if 0 <= position < len(_FILES.get(stack, [])) else None


def forget_file(layer: Layer, key: Key) -> bool:
    """Let a layer count as showing an image no longer; return whether none is left in it."""
    images = _FILES.get(layer, [])
    images[:] = [
        None if image is not None and (image.path, image.series) == key else image
        for image in images
    ]
    return not any(image is not None for image in images)


class ShownFiles:
    """The files that layers of a viewer were added to show, as they are now."""

    def __init__(self, viewer: Any) -> None:
        self._found: dict[tuple[Path | None, int, str, bool], list[tuple[Layer, int]]] = {}
        self._labels: dict[tuple[Path | None, int, bool], tuple[Layer, int]] = {}
        for layer in viewer.layers:
            for index, image in enumerate(_FILES.get(layer, [])):
                if image is None:
                    continue
                if isinstance(layer, Image):
                    key = image.path, image.series, image.axes, image.exchanged
                    self._found.setdefault(key, []).append((layer, index))
                else:
                    numbered = image.unnumbered is not None
                    self._labels[image.path, image.series, numbered] = layer, index

    def image(self, image: ImageSource | ImageRecord) -> LinkedLayer | None:
        """Return the layers that were added to show an image of a file, with the same axes."""
        found = self._found.get((image.path, image.series, image.axes, image.exchanged))
        if not found:
            return None
        layer, index = found[0]
        axes = image.axes.replace("S", "").replace("C", "")
        if layer.ndim > len(axes):
            axes = with_image_axis(axes)
        # Shown twice, alone and among others, only the layers of one picture belong together.
        others = tuple(la for la, at in found[1:] if la.ndim == layer.ndim and at == index)
        return LinkedLayer(layer, axes, others, position=index)

    def labels(self, record: ImageRecord) -> tuple[Layer, int] | None:
        """Return the layer that was added to show a file of labels, and where in it."""
        return self._labels.get((record.path, record.series, record.number_objects))
