"""Which windows of which images: grid geometry, the patch table, the pixel store, statistics."""

from napari_tsimcne.patches._extract import extract_patches, iterate_patches
from napari_tsimcne.patches._grid import grid_origins, place_grid
from napari_tsimcne.patches._locate import patch_at, patch_corners
from napari_tsimcne.patches._statistics import ChannelRange, channel_ranges
from napari_tsimcne.patches._store import PatchStoreWriter, open_store
from napari_tsimcne.patches._table import COLUMNS, validate_table

__all__ = [
    "COLUMNS",
    "ChannelRange",
    "PatchStoreWriter",
    "channel_ranges",
    "extract_patches",
    "grid_origins",
    "iterate_patches",
    "open_store",
    "patch_at",
    "patch_corners",
    "place_grid",
    "validate_table",
]
