"""The map explored: selection, lasso, colours, checks. Models only, no window."""

from napari_tsimcne.explore._colors import point_colors
from napari_tsimcne.explore._evaluate import Evaluation, evaluate, knn_accuracy
from napari_tsimcne.explore._lasso import points_in_lasso
from napari_tsimcne.explore._selection import Mode, Selection

__all__ = [
    "Evaluation",
    "Mode",
    "Selection",
    "evaluate",
    "knn_accuracy",
    "point_colors",
    "points_in_lasso",
]
