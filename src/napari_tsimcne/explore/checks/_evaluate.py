"""How well a known truth can be read off the map, by nearest neighbours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.neighbors import KNeighborsClassifier

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore._classes import Scale, read_column
from napari_tsimcne.explore._cluster_table import MOST_WHOLE_NUMBERS

NEIGHBORS = 15
SPLITS = 5


class Evaluation(NamedTuple):
    """kNN accuracies in 0..1, in the map and in the features, and the patches they rest on."""

    knn_2d: float
    knn_features: float
    n: int


def evaluate(coordinates: np.ndarray, features: np.ndarray, truth: pd.Series) -> Evaluation:
    """Score a map (N, 2) and features (N, D) against a known class of each patch.

    Classes are text, yes and no, or at most 12 different whole numbers. Patches without a class,
    and classes of a single patch, are left out.

    Raises
    ------
    InputError
        Where the truth is of other numbers, or fewer than two classes, or too few patches for a
        split, are left.
    """
    if isinstance(read_column(truth), Scale):
        raise InputError(
            f"'{truth.name}' holds numbers, not classes: a truth is a column of text, of yes and "
            f"no, or of at most {MOST_WHOLE_NUMBERS} different whole numbers"
        )
    known = truth.notna().to_numpy(copy=True)
    names = truth.astype(str).to_numpy()
    counts = truth[known].astype(str).value_counts()
    known &= np.isin(names, counts[counts > 1].index)
    classes, labels = np.unique(names[known], return_inverse=True)
    if len(classes) < 2:
        raise InputError(
            f"'{truth.name}' must hold at least two classes of two patches; it has {len(classes)}"
        )
    if len(labels) * 0.1 < len(classes):
        raise InputError(
            f"{len(labels)} patches are too few to test {len(classes)} classes of '{truth.name}'"
        )
    return Evaluation(
        knn_2d=knn_accuracy(coordinates[known], labels, "euclidean"),
        knn_features=knn_accuracy(features[known], labels, "cosine"),
        n=len(labels),
    )


def knn_accuracy(points: np.ndarray, labels: np.ndarray, metric: str) -> float:
    """Accuracy of 15 nearest neighbours: stratified 90/10, mean of 5 seeded splits.

    ``points`` (N, D); ``labels`` (N,); ``metric`` ``euclidean`` or ``cosine``. The protocol of
    the t-SimCNE paper.
    """
    splits = StratifiedShuffleSplit(SPLITS, test_size=0.1, random_state=0)
    scores = []
    for train, test in splits.split(points, labels):
        classifier = KNeighborsClassifier(min(NEIGHBORS, len(train)), metric=metric)
        classifier.fit(points[train], labels[train])
        scores.append(classifier.score(points[test], labels[test]))
    return float(np.mean(scores))
