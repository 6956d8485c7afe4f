"""Where pixels come from: files, arrays and napari layers behind one lazy source."""

from napari_tsimcne.images._as_labels import (
    NUMBER_OBJECTS,
    as_labels,
    connected,
    label_image,
    whole_numbers,
)
from napari_tsimcne.images._axes import NAMES
from napari_tsimcne.images._exchanged import EXCHANGED
from napari_tsimcne.images._files import (
    Opened,
    distinct_names,
    files_below,
    find_files,
    open_file,
    open_images,
    open_parts,
)
from napari_tsimcne.images._geometry import World, corners, layer_matrix, transformed
from napari_tsimcne.images._grey import grey_as_one, in_one_form, one_channel, with_colours
from napari_tsimcne.images._join import check_alike, join_channels
from napari_tsimcne.images._labels import check_labels, named_alike, pair_labels
from napari_tsimcne.images._layers import (
    from_layer,
    guess_axes,
    labels_along,
    labels_from_layer,
)
from napari_tsimcne.images._names import (
    KIND_OF_ENDING,
    NameIndex,
    folded,
    near,
    parse,
    seen,
    shown,
    spellings,
    split_ending,
    stem,
    tidy,
    unified,
    well_of_image,
    without_series,
)
from napari_tsimcne.images._notes import noted
from napari_tsimcne.images._source import ImageSource, Level, Skipped
from napari_tsimcne.images._units import MICROMETRES, in_micrometres
from napari_tsimcne.images._wells import (
    is_about_columns,
    is_about_rows,
    is_about_wells,
    well_from,
    well_place,
)

__all__ = [
    "EXCHANGED",
    "KIND_OF_ENDING",
    "MICROMETRES",
    "NAMES",
    "NUMBER_OBJECTS",
    "ImageSource",
    "Level",
    "NameIndex",
    "Opened",
    "Skipped",
    "World",
    "as_labels",
    "check_alike",
    "check_labels",
    "connected",
    "corners",
    "distinct_names",
    "files_below",
    "find_files",
    "folded",
    "from_layer",
    "grey_as_one",
    "guess_axes",
    "in_micrometres",
    "in_one_form",
    "is_about_columns",
    "is_about_rows",
    "is_about_wells",
    "join_channels",
    "label_image",
    "labels_along",
    "labels_from_layer",
    "layer_matrix",
    "named_alike",
    "near",
    "noted",
    "one_channel",
    "open_file",
    "open_images",
    "open_parts",
    "pair_labels",
    "parse",
    "seen",
    "shown",
    "spellings",
    "split_ending",
    "stem",
    "tidy",
    "transformed",
    "unified",
    "well_from",
    "well_of_image",
    "well_place",
    "whole_numbers",
    "with_colours",
    "without_series",
]
