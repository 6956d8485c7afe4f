"""Where pixels come from: files, arrays and napari layers behind one lazy source."""

from napari_tsimcne.images._files import (
    Opened,
    Skipped,
    distinct_names,
    find_files,
    open_file,
    open_images,
)
from napari_tsimcne.images._join import check_alike, join_channels
from napari_tsimcne.images._labels import check_labels, named_alike, pair_labels
from napari_tsimcne.images._layers import from_layer, guess_axes, labels_from_layer
from napari_tsimcne.images._source import MICROMETRES, ImageSource, Level

__all__ = [
    "MICROMETRES",
    "ImageSource",
    "Level",
    "Opened",
    "Skipped",
    "check_alike",
    "check_labels",
    "distinct_names",
    "find_files",
    "from_layer",
    "guess_axes",
    "join_channels",
    "labels_from_layer",
    "named_alike",
    "open_file",
    "open_images",
    "pair_labels",
]
