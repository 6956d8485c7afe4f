"""Where pixels come from: files, arrays and napari layers behind one lazy source."""

from napari_tsimcne.images._files import Opened, Skipped, find_files, open_file, open_images
from napari_tsimcne.images._layers import from_layer, guess_axes
from napari_tsimcne.images._source import ImageSource, check_alike, join_channels

__all__ = [
    "ImageSource",
    "Opened",
    "Skipped",
    "check_alike",
    "find_files",
    "from_layer",
    "guess_axes",
    "join_channels",
    "open_file",
    "open_images",
]
