"""The map explored: selection, lasso, checks. Models only, no window."""

from napari_tsimcne.explore._evaluate import Evaluation, evaluate, knn_accuracy
from napari_tsimcne.explore._lasso import points_in_lasso
from napari_tsimcne.explore._selection import Mode, Selection

__all__ = [
    "Evaluation",
    "Mode",
    "Selection",
    "evaluate",
    "knn_accuracy",
    "points_in_lasso",
]
