"""The map explored: selection, clusters, colours, neighbours, checks. Models only, no window."""

from napari_tsimcne.explore._clusters import NONE, Cluster, Clusters
from napari_tsimcne.explore._colors import class_colors, rgba
from napari_tsimcne.explore._evaluate import Evaluation, evaluate, knn_accuracy
from napari_tsimcne.explore._exploration import Exploration
from napari_tsimcne.explore._history import History
from napari_tsimcne.explore._lasso import points_in_lasso
from napari_tsimcne.explore._pictures import composite, rgb_pictures
from napari_tsimcne.explore._selection import Mode, Selection

__all__ = [
    "NONE",
    "Cluster",
    "Clusters",
    "Evaluation",
    "Exploration",
    "History",
    "Mode",
    "Selection",
    "class_colors",
    "composite",
    "evaluate",
    "knn_accuracy",
    "points_in_lasso",
    "rgb_pictures",
    "rgba",
]
