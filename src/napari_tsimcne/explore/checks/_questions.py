"""What neighbourhoods follow, in sentences that ask whether it is biology."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from napari_tsimcne.explore.checks._aspects import Kind

BRIGHTNESS = (
    "If it is staining or illumination, normalise each image by itself, or let the augmentation of "
    "intensity vary it more"
)

QUESTIONS: dict[Kind, str] = {
    "metadata": "is this biology?",
    "image": "is this biology?",
    "added": (
        "are the added images of another batch? If so, normalise each image by itself and learn "
        "again"
    ),
    "position": (
        "is this biology? If not, it may be uneven illumination: correct the images for it, or let "
        "the augmentation of intensity vary brightness more"
    ),
    "brightness": f"is this biology? {BRIGHTNESS}",
    "contrast": f"is this biology? {BRIGHTNESS}",
    "focus": (
        "is this biology? If not, blurred patches lie apart from sharp ones: leave out what is out "
        "of focus, or switch on the augmentation of blur"
    ),
    "size": "is this biology? If size should not matter, let the augmentation of scale vary it",
    "features": (
        "patches of weak features lie apart, which often are empty, blurred or of a rare kind: "
        "look at those of the shortest"
    ),
}
"""What to ask where neighbourhoods follow something, and what to do if it is not wanted."""

TOGETHER: tuple[Kind, ...] = ("brightness", "contrast", "focus", "position", "size")
"""Kinds of which all columns get one sentence: it says the same of each."""


def question(rows: pd.DataFrame) -> str:
    """Say in one sentence how much neighbourhoods follow something.

    ``rows``: of `Confounds.ranked`, one, or several of the same ``kind`` and ``follows``.
    """
    label = _joined([_with_same(row.label, row.same_as) for row in rows.itertuples()])
    score = listed([shown(value) for value in rows["score"]])
    by_chance = shown(rows["by_chance"].max())
    first = rows.iloc[0]
    if first["follows"] == "no":
        return f"neighbourhoods do not follow the {label} ({score}; by chance {by_chance})"
    much = "more" if first["follows"] == "clearly" else "a little more"
    follow = f"neighbourhoods follow the {label} {much} than chance"
    swapped = first["images_swapped"] if len(rows) == 1 else np.nan
    if np.isnan(swapped):
        return f"{follow} ({score} against {by_chance}): {QUESTIONS[first['kind']]}"
    if first["beyond_images"]:
        numbers = f"{score} against {by_chance}; {shown(swapped)} where images trade their values"
        return f"{follow} ({numbers}): {QUESTIONS[first['kind']]}"
    return (
        f"{follow} ({score} against {by_chance}), but no more than where images trade their values "
        f"({shown(swapped)}): it is the image that they follow"
    )


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
