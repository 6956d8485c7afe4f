"""The map explored: selection, clusters, colours, neighbours, checks. Models only, no window."""

from napari_tsimcne.explore._classes import MISSING_COLOR, PLAIN_COLOR
from napari_tsimcne.explore._cluster_table import (
    cluster_table,
    groupings,
    medoids,
    value_counts,
)
from napari_tsimcne.explore._clustering import (
    Method,
    automatic_clusters,
    counted,
    doubts,
    percent,
    reduced,
)
from napari_tsimcne.explore._clusters import NONE, Cluster, Clusters
from napari_tsimcne.explore._coloring import Category, Coloring
from napari_tsimcne.explore._colors import class_colors, rgba
from napari_tsimcne.explore._evaluate import Evaluation, evaluate, knn_accuracy
from napari_tsimcne.explore._exploration import Exploration
from napari_tsimcne.explore._find import find, written
from napari_tsimcne.explore._history import History
from napari_tsimcne.explore._lasso import points_in_lasso
from napari_tsimcne.explore._neighbors import similar
from napari_tsimcne.explore._ordering import (
    by_column,
    by_similarity,
    representative,
    shuffled,
    unusual,
)
from napari_tsimcne.explore._pictures import composite, rgb_pictures
from napari_tsimcne.explore._raster import (
    LONGEST,
    NOTHING,
    PaintedArray,
    Raster,
    pixels_a_window,
    values_of_labels,
)
from napari_tsimcne.explore._selection import Mode, Selection
from napari_tsimcne.explore._stability import (
    NEIGHBORS,
    chance,
    cluster_stability,
    nearest,
    shared,
    stability,
    stability_text,
    together,
)
from napari_tsimcne.explore._thumbnails import lay_out, without_overlap

__all__ = [
    "LONGEST",
    "MISSING_COLOR",
    "NEIGHBORS",
    "NONE",
    "NOTHING",
    "PLAIN_COLOR",
    "Category",
    "Cluster",
    "Clusters",
    "Coloring",
    "Evaluation",
    "Exploration",
    "History",
    "Method",
    "Mode",
    "PaintedArray",
    "Raster",
    "Selection",
    "automatic_clusters",
    "by_column",
    "by_similarity",
    "chance",
    "class_colors",
    "cluster_stability",
    "cluster_table",
    "composite",
    "counted",
    "doubts",
    "evaluate",
    "find",
    "groupings",
    "knn_accuracy",
    "lay_out",
    "medoids",
    "nearest",
    "percent",
    "pixels_a_window",
    "points_in_lasso",
    "reduced",
    "representative",
    "rgb_pictures",
    "rgba",
    "shared",
    "shuffled",
    "similar",
    "stability",
    "stability_text",
    "together",
    "unusual",
    "value_counts",
    "values_of_labels",
    "without_overlap",
    "written",
]
