"""How well a map shows a known truth: neighbours, islands, confusions and clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score, homogeneity_score, silhouette_score

from napari_tsimcne.explore._classes import distinct_texts
from napari_tsimcne.explore._clusters import NONE, Clusters
from napari_tsimcne.explore.checks._evaluate import Evaluation, evaluate
from napari_tsimcne.explore.checks._predicted import majority

MOST_COMPARED = 10_000
"""Patches that the silhouette compares with each other; of more, a sample."""


@dataclass(frozen=True, eq=False)
class TruthScores:
    """How well a map, its features and its clusters show a known class of each patch.

    Parameters
    ----------
    column
        Name of the truth.
    accuracy
        Of 15 nearest neighbours on the map and in the features, see `evaluate`.
    silhouette
        Of the classes on the map, -1..1: above 0 patches lie nearer to their own class than to the
        next one.
    confusion
        Patches of each class (rows) by the most frequent class among their neighbours on the map
        (columns).
    adjusted_rand, homogeneity
        Of the clusters: agreement with the classes, 0 by chance and 1 where they are the same; and
        how pure they are, 0..1. None without clusters.
    clustered
        Share of the patches with a class that are in a cluster; on these both rest.
    """

    column: str
    accuracy: Evaluation
    silhouette: float
    confusion: pd.DataFrame
    adjusted_rand: float | None
    homogeneity: float | None
    clustered: float

    @property
    def largest(self) -> float:
        """Share of the largest class: so many are told right by whoever always says its name."""
        sizes = self.confusion.to_numpy().sum(axis=1)
        return float(sizes.max() / sizes.sum())

    @property
    def worst_confusion(self) -> tuple[str, str, float] | None:
        """Class, class it is taken for most often, and the share of its patches; None for none."""
        counts = self.confusion.to_numpy(np.float64).copy()
        sizes = counts.sum(axis=1, keepdims=True)
        np.fill_diagonal(counts, 0)
        shares = counts / np.maximum(sizes, 1)
        row, column = np.unravel_index(shares.argmax(), shares.shape)
        if not shares[row, column]:
            return None
        names = self.confusion.index
        return str(names[row]), str(names[column]), float(shares[row, column])


def truth_scores(
    coordinates: np.ndarray,
    features: np.ndarray,
    clusters: Clusters,
    truth: pd.Series,
    near: np.ndarray,
    seed: int = 0,
) -> TruthScores:
    """Score a map against a known class of each patch.

    Parameters
    ----------
    coordinates, features
        The map, (N, 2), and H, (N, D).
    clusters
        Of the N patches.
    truth
        N values with a name: text, yes and no, or at most 12 different whole numbers; missing ones
        are left out.
    near
        Neighbours on the map, (N, k), see `nearest`.
    seed
        Of the 10,000 patches that the silhouette looks at where there are more.

    Raises
    ------
    InputError
        Where the truth is of other numbers, there are fewer than two classes, or too few patches,
        see `evaluate`.
    """
    accuracy = evaluate(coordinates, features, truth)
    codes, names = distinct_texts(truth)
    known = codes >= 0
    predicted = majority(codes, near)
    told = known & (predicted >= 0)
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, (codes[told], predicted[told]), 1)
    order = np.argsort(names, kind="stable")
    confusion = pd.DataFrame(counts, names, names).iloc[order, order]
    held = confusion.to_numpy().sum(axis=0) + confusion.to_numpy().sum(axis=1) > 0
    inside = known & (clusters.ids != NONE)
    score = inside.any() and len(clusters) > 0
    return TruthScores(
        column=str(truth.name),
        accuracy=accuracy,
        silhouette=_silhouette(coordinates[known], codes[known], seed),
        confusion=confusion.loc[held, held],
        adjusted_rand=(
            float(adjusted_rand_score(codes[inside], clusters.ids[inside])) if score else None
        ),
        homogeneity=(
            float(homogeneity_score(codes[inside], clusters.ids[inside])) if score else None
        ),
        clustered=float(inside.sum() / known.sum()),
    )


def _silhouette(coordinates: np.ndarray, codes: np.ndarray, seed: int) -> float:
    """Mean silhouette of at most 10,000 patches; NaN where they are of one class."""
    if len(codes) > MOST_COMPARED:
        rows = np.random.default_rng(seed).choice(len(codes), MOST_COMPARED, replace=False)
        coordinates, codes = coordinates[rows], codes[rows]
    if not 1 < len(np.unique(codes)) < len(codes):
        return np.nan
    return float(silhouette_score(coordinates, codes))
