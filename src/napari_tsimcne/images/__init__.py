"""Where pixels come from: files, arrays and napari layers behind one lazy source."""

from napari_tsimcne.images._files import (
    Opened,
    Skipped,
    distinct_names,
    find_files,
    open_file,
    open_images,
)
from napari_tsimcne.images._geometry import World, corners, layer_matrix, transformed
from napari_tsimcne.images._join import check_alike, join_channels
from napari_tsimcne.images._labels import check_labels, named_alike, pair_labels
from napari_tsimcne.images._layers import from_layer, guess_axes, labels_from_layer
from napari_tsimcne.images._source import ImageSource, Level
from napari_tsimcne.images._units import MICROMETRES, in_micrometres, length_text

__all__ = [
    "MICROMETRES",
    "ImageSource",
    "Level",
    "Opened",
    "Skipped",
    "World",
    "check_alike",
    "check_labels",
    "corners",
    "distinct_names",
    "find_files",
    "from_layer",
    "guess_axes",
    "in_micrometres",
    "join_channels",
    "labels_from_layer",
    "layer_matrix",
    "length_text",
    "named_alike",
    "open_file",
    "open_images",
    "pair_labels",
    "transformed",
]
