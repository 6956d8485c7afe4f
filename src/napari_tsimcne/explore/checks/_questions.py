"""What similar patches share, in sentences, and what it may be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from napari_tsimcne.explore.checks._aspects import Kind
from napari_tsimcne.explore.checks._image_test import LEVEL

MEASURES = {"accuracy": "accuracy", "R2": "R²"}

BRIGHTNESS = (
    "If it is staining or illumination, normalise each image by itself, or let the augmentation of "
    "intensity vary it more"
)

ADVICE: dict[Kind, str] = {
    "metadata": "possible confounder, unless it is the biology you study",
    "image": "possible batch effect, unless images hold different cells",
    "added": ("possible batch effect: normalise each image by itself, and train again"),
    "position": (
        "possible confounder. If it is uneven illumination, correct the images for it, or let the "
        "augmentation of intensity vary brightness more"
    ),
    "brightness": f"possible confounder. {BRIGHTNESS}",
    "contrast": f"possible confounder. {BRIGHTNESS}",
    "focus": (
        "possible confounder. Leave out what is out of focus, or switch on the augmentation of blur"
    ),
    "size": (
        "possible confounder. If size should not matter, let the augmentation of scale vary it"
    ),
    "features": (
        "patches with small vectors, often empty or blurred ones, lie apart: review those"
    ),
}
"""What it may be that similar patches share, and what to do if it is not wanted."""

TOGETHER: tuple[Kind, ...] = ("brightness", "contrast", "focus", "position", "size")
"""Kinds of which all columns get one sentence: it says the same of each."""


def question(rows: pd.DataFrame) -> str:
    """Say in one sentence how much similar patches share something.

    ``rows``: of `Confounds.ranked`, one, or several of the same ``kind`` and ``follows``.
    """
    label = _joined([_with_same(row.label, row.same_as) for row in rows.itertuples()])
    first = rows.iloc[0]
    measure = MEASURES[first["measure"]] if rows["measure"].nunique() == 1 else "score"
    score = listed([shown(value) for value in rows["score"]])
    numbers = f"{measure} {score}; chance {shown(rows['by_chance'].max())}"
    if first["follows"] == "no":
        return f"similar patches share the {label} no more than by chance ({numbers})"
    slightly = "" if first["follows"] == "clearly" else "slightly "
    share = f"similar patches {slightly}share the {label} ({numbers})"
    if len(rows) > 1 or np.isnan(first["images_p"]):
        return f"{share}: {ADVICE[first['kind']]}"
    return f"{share}{_beyond_images(first)}"


def _beyond_images(row: pd.Series) -> str:
    """Say whether it is more than that patches of one image lie together."""
    design, smallest = row["design"], row["images_smallest_p"]
    # Images, or wells or plates: the first word of what was traded.
    units = next(word for word in design.split() if word.isalpha())
    if smallest > LEVEL:
        return (
            f". Whether this is more than differences between {units} cannot be determined with "
            f"{design} (the smallest possible p is {smallest:.2g})"
        )
    traded = f"{shown(row['images_swapped'])} where these trade their values"
    tested = f"({design}: p = {row['images_p']:.2g}; {traded})"
    if row["beyond_images"]:
        return f", more than differences between {units} explain {tested}: {ADVICE[row['kind']]}"
    return f", no more than differences between {units} explain {tested}"


def grouped(ranked: pd.DataFrame) -> list[pd.DataFrame]:
    """Part rows of `Confounds.ranked` into those that get one sentence, in their order."""
    kinds = ranked["kind"].where(ranked["kind"].isin(TOGETHER), ranked.index.to_series())
    return [rows for _, rows in ranked.groupby(kinds.to_numpy(), sort=False)]


def shown(score: float) -> str:
    """Write a score, or what chance gives, 0..1."""
    return f"{score:.2f}"


def listed(names: Sequence[str]) -> str:
    """Join names as a sentence does."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _joined(labels: Sequence[str]) -> str:
    """Join labels, and say what they have in common once: focus of red and green."""
    what = {label.partition(" of ")[0] for label in labels}
    if len(labels) > 1 and len(what) == 1 and all(" of " in label for label in labels):
        return f"{what.pop()} of {listed([label.partition(' of ')[2] for label in labels])}"
    return listed(labels)


def _with_same(label: str, same_as: Sequence[str]) -> str:
    if not same_as:
        return label
    return f"{label} (or {listed(same_as)}, which {'is' if len(same_as) == 1 else 'are'} the same)"
