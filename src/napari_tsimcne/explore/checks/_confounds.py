"""What similar patches share: a column, an image, brightness, focus, and so on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from napari_tsimcne.explore._classes import (
    distinct_texts,
    is_constant,
    is_ordered,
    names_each,
    numbers,
)
from napari_tsimcne.explore.checks._aspects import Aspect
from napari_tsimcne.explore.checks._image_test import LEVEL, ImageTest, image_test
from napari_tsimcne.explore.checks._predicted import majority, neighbors_mean
from napari_tsimcne.explore.checks._questions import question

PERMUTATIONS = 25
"""How often values are dealt out anew, to see what chance would give."""

DEVIATIONS = 4
"""By how many standard deviations chance must be exceeded: of 1,000 columns that have nothing to
do with the map hardly one does that."""

LEAST_EXCESS = 0.02
"""Share of the possible above chance, below which nobody would see it on the map."""

CLEAR_EXCESS = 0.1
"""From which on it is worth a question."""

FEWEST_KNOWN = 50
LEAST_KNOWN = 0.1
"""Patches with a value, and share of all, below which a column is left out."""

MOST_SCORED = 10_000
"""Patches whose neighbours are asked; of more, a sample. Neighbours are any of all."""

Told = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Confounds:
    """What neighbourhoods follow, the most first.

    ``ranked``: a row for each, by name of the column.

    - ``label``: what it is called in a sentence; ``kind``: see `Kind`.
    - ``measure``: ``accuracy`` of the most frequent class among the neighbours, or ``R2``: the
      square of the correlation of numbers with their neighbours' mean, of ranks; 0 where it is
      negative.
    - ``score``; ``by_chance`` and ``chance_95``: mean and 95th percentile of the score where values
      are dealt out anew among the patches.
    - ``images_swapped``: mean of the score where the images trade their values, in all ways where
      these are few; missing where values differ within images, or are the images themselves.
      ``images_p``: the share of these ways that give such a score; ``images_smallest_p``: the
      smallest that so many images can give; ``design``: what was traded, see `ImageTest`.
      ``beyond_images``: whether p is at most 0.05. If it is not, and could be, the column is shared
      only because patches of one image lie together; if it could not be, it cannot be determined.
    - ``excess``: share of the possible above chance, (score - by_chance) / (1 - by_chance).
    - ``follows``: ``clearly``, ``a little`` or ``no``.
    - ``same_as``: other columns that group patches in the same way.
    - ``known``: patches with a value.
    - ``sentence``: all this in words.

    ``left_out``: why others were not looked at, by name. ``scored``: of how many patches
    neighbours were asked.
    """

    ranked: pd.DataFrame
    left_out: Mapping[str, str]
    scored: int


def confounds(
    near: np.ndarray,
    asked: Mapping[str, Aspect],
    images: np.ndarray | None = None,
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    told: Told = lambda what, done, total: None,
) -> Confounds:
    """Report how well the neighbours of patches predict what is known of these.

    Of classes, by the share of patches whose own class is the most frequent one of their
    neighbours; of numbers, by the share of their variance that the neighbours' mean explains, of
    ranks rather than the numbers, so that few extreme ones do not decide. The patch itself never is
    among its neighbours. To know what chance gives, the values are dealt out anew among the
    patches, which keep their neighbours.

    Parameters
    ----------
    near
        Neighbours on the map, (N, k), see `nearest`.
    asked
        See `aspects`. Columns with one value, a name for each patch, or few values are left out.
    images
        (N,): which image each patch is of, to tell what is the same in all patches of an image.
    permutations
        20 or more.
    seed
        Of permutations, and of the 10,000 patches that are asked where there are more.
    told
        Progress in columns; may raise to cancel.
    """
    random = np.random.default_rng(seed)
    rows = np.arange(len(near))
    if len(rows) > MOST_SCORED:
        rows = np.sort(random.choice(len(near), MOST_SCORED, replace=False))
    image_codes = None if images is None else pd.factorize(images)[0]
    found: dict[str, dict[str, object]] = {}
    left_out: dict[str, str] = {}
    groups: dict[bytes, str] = {}
    for number, (name, aspect) in enumerate(asked.items()):
        told("Comparing what neighbours share", number, len(asked))
        column = aspect.values.rename(name)
        reason = _unfit(column)
        if reason:
            left_out[name] = reason
            continue
        values, classes = _read(column)
        if classes:
            alike = pd.factorize(values)[0].tobytes()
            if alike in groups:
                found[groups[alike]]["same_as"] = (*found[groups[alike]]["same_as"], name)  # type: ignore[misc]
                continue
            groups[alike] = name
        found[name] = {
            "label": aspect.label, "kind": aspect.kind,
            "measure": "accuracy" if classes else "R2",
            **_scored(near, rows, values, classes, permutations, random),
            "same_as": (),
        }  # fmt: skip
        tested = None
        if image_codes is not None and aspect.kind != "image":
            others = {
                other: one.values for other, one in asked.items()
                if other != name and one.kind == "metadata"
            }  # fmt: skip
            tested = image_test(near, rows, values, image_codes, others, classes=classes, seed=seed)
        found[name] |= _of_images(tested)
    told("Comparing what neighbours share", len(asked), len(asked))
    columns = [
        "label", "kind", "measure", "score", "by_chance", "chance_95", "images_swapped",
        "images_p", "images_smallest_p", "design", "beyond_images", "excess", "follows", "same_as",
        "known",
    ]  # fmt: skip
    ranked = pd.DataFrame.from_dict(found, orient="index", columns=columns)
    ranked = ranked.sort_values("excess", ascending=False, kind="stable").rename_axis("column")
    ranked["sentence"] = [question(ranked.iloc[[i]]) for i in range(len(ranked))]
    return Confounds(ranked, left_out, len(rows))


# --- which columns ----------------------------------------------------------------------------


def _unfit(column: pd.Series) -> str:
    """Say why a column cannot be asked about; nothing where it can."""
    known = column.notna()
    if known.sum() < max(FEWEST_KNOWN, LEAST_KNOWN * len(column)):
        return f"only {known.sum():,} of {len(column):,} patches have a value"
    if is_constant(column[known]):
        return "it is the same for all patches"
    if names_each(column[known]):
        return "it is different for every patch"
    values, classes = _read(column)
    if classes:
        counts = np.bincount(values[values >= 0])
        if np.count_nonzero(counts) > known.sum() / 3:
            return "hardly any patches have the same value"
    elif np.isfinite(values).sum() < FEWEST_KNOWN:
        return "it has hardly any finite numbers"
    return ""


def _read(column: pd.Series) -> tuple[np.ndarray, bool]:
    """Return codes of classes (-1: missing), or numbers (NaN: missing), and whether they are codes.

    Numbers with an order are numbers, as for colours.
    """
    if is_ordered(column):
        values = numbers(column)
        return np.where(np.isfinite(values), values, np.nan), False
    return distinct_texts(column)[0].astype(np.int32), True


# --- how well it is predicted ---------------------------------------------------------------------


def _scored(
    near: np.ndarray,
    rows: np.ndarray,
    values: np.ndarray,
    classes: bool,
    permutations: int,
    random: np.random.Generator,
) -> dict[str, object]:
    known = np.flatnonzero(values >= 0 if classes else np.isfinite(values))
    score: Callable[[np.ndarray], float]
    if classes:
        score = _accuracy_at(near, rows)
    else:
        values = values.copy()
        values[known] = rankdata(values[known]) / len(known)
        score = _r2_at(near, rows)
    own = score(values)
    dealt = values.copy()
    null = np.empty(permutations)
    for i in range(permutations):
        dealt[known] = values[random.permutation(known)]
        null[i] = score(dealt)
    by_chance = float(null.mean())
    excess = (own - by_chance) / max(1 - by_chance, 1e-9)
    beyond = own > null.max() and own > by_chance + DEVIATIONS * float(null.std(ddof=1))
    follows = "no"
    if beyond and excess >= LEAST_EXCESS:
        follows = "clearly" if excess >= CLEAR_EXCESS else "a little"
    return {
        "score": own,
        "by_chance": by_chance,
        "chance_95": float(np.percentile(null, 95)),
        "excess": excess,
        "follows": follows,
        "known": len(known),
    }


def _accuracy_at(near: np.ndarray, rows: np.ndarray) -> Callable[[np.ndarray], float]:
    def accuracy(codes: np.ndarray) -> float:
        found, own = majority(codes, near[rows]), codes[rows]
        told = (own >= 0) & (found >= 0)
        return float(np.mean(found[told] == own[told])) if told.any() else 0.0

    return accuracy


def _r2_at(near: np.ndarray, rows: np.ndarray) -> Callable[[np.ndarray], float]:
    def r2(values: np.ndarray) -> float:
        found, own = neighbors_mean(values, near[rows]), values[rows]
        told = np.isfinite(found) & np.isfinite(own)
        found, own = found[told], own[told]
        if not len(own) or found.std() == 0 or own.std() == 0:
            return 0.0
        return max(0.0, float(np.corrcoef(found, own)[0, 1])) ** 2

    return r2


def _of_images(tested: ImageTest | None) -> dict[str, object]:
    if tested is None:
        return {"images_swapped": np.nan, "images_p": np.nan, "images_smallest_p": np.nan,
                "design": "", "beyond_images": True}  # fmt: skip
    return {
        "images_swapped": tested.mean, "images_p": tested.p,
        "images_smallest_p": tested.smallest_p, "design": tested.design,
        "beyond_images": tested.p <= LEVEL,
    }  # fmt: skip
