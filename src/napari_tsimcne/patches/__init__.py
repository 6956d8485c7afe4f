"""Which windows of which images: geometry, the patch table, the pixel store, statistics."""

from napari_tsimcne.patches._background import Foreground, foreground
from napari_tsimcne.patches._extract import Cut, extract_patches, iterate_patches
from napari_tsimcne.patches._grid import count_grid, grid_origins, place_grid
from napari_tsimcne.patches._labels import read_labels
from napari_tsimcne.patches._locate import patch_at, patch_corners
from napari_tsimcne.patches._looks import Look, look_of
from napari_tsimcne.patches._measurement import Measurement, measurement
from napari_tsimcne.patches._measures import measure_patches
from napari_tsimcne.patches._metadata import join_metadata, path_columns, read_metadata
from napari_tsimcne.patches._objects import place_objects
from napari_tsimcne.patches._place import Placed, Told, place_patches
from napari_tsimcne.patches._points import place_points, read_points
from napari_tsimcne.patches._statistics import ChannelRange, channel_ranges, sampled_rows
from napari_tsimcne.patches._store import (
    keep_rows,
    make_store,
    open_array,
    open_store,
    write_rows,
)
from napari_tsimcne.patches._table import (
    COLUMNS,
    columns_renamed,
    kept_apart,
    renamed,
    renamed_text,
    validate_table,
)

__all__ = [
    "COLUMNS",
    "ChannelRange",
    "Cut",
    "Foreground",
    "Look",
    "Measurement",
    "Placed",
    "Told",
    "channel_ranges",
    "columns_renamed",
    "count_grid",
    "extract_patches",
    "foreground",
    "grid_origins",
    "iterate_patches",
    "join_metadata",
    "keep_rows",
    "kept_apart",
    "look_of",
    "make_store",
    "measure_patches",
    "measurement",
    "open_array",
    "open_store",
    "patch_at",
    "patch_corners",
    "path_columns",
    "place_grid",
    "place_objects",
    "place_patches",
    "place_points",
    "read_labels",
    "read_metadata",
    "read_points",
    "renamed",
    "renamed_text",
    "sampled_rows",
    "validate_table",
    "write_rows",
]
