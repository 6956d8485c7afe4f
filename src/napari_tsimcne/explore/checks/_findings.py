"""What the checks of a map found, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from napari_tsimcne.explore.checks._confounds import CLEAR_EXCESS, Confounds
from napari_tsimcne.explore.checks._faithfulness import Faithfulness
from napari_tsimcne.explore.checks._questions import grouped, listed, question
from napari_tsimcne.explore.checks._stability import stability_text
from napari_tsimcne.explore.checks._suspects import Suspects
from napari_tsimcne.explore.checks._truth import TruthScores

Severity = Literal["bad", "look", "good"]
"""Do not trust it; review it yourself; nothing to worry about."""

SEVERITIES: tuple[Severity, ...] = ("bad", "look", "good")

Topic = Literal[
    "faithfulness", "confounds", "duplicates", "unlike", "empty", "saturated", "stability", "truth"
]

TRUSTED, DOUBTED = 0.9, 0.75
"""Trustworthiness from which on a map is good, and below which it is bad."""

TIMES_CHANCE = 3
"""A map that keeps fewer neighbours than so many times what chance gives is bad."""

HIGHEST_CHANCE = 0.2
"""Neighbours kept by chance, above which patches are too few to judge the map by them."""

MOST_QUESTIONS = 8
"""Confounds that get a sentence of their own; the table has all."""

NAMED = 3
"""Groups of duplicates that are named in a sentence, and of their patches."""

MOSTLY = 0.5
"""Share of patches above which something is a property of the images rather than of patches."""

KEPT_TOGETHER = 0.5
"""Share of the way from chance to all of its neighbours, below which a cluster falls apart."""

MOST_BY_CHANCE = 0.9

KEPT_OF_FEATURES = 0.9
CONFUSED = 0.2

ABOVE_CHANCE = 0.3
"""Share of the way from chance to a perfect score, below which a truth is hardly seen."""


@dataclass(frozen=True, eq=False)
class Stability:
    """What stays of the map with other seeds.

    ``seeds``: which. ``values``: see `stability`, (N,) float32, NaN of patches that were not learnt
    from. ``by_cluster``: see `cluster_stability`.
    """

    seeds: tuple[int, ...]
    values: np.ndarray
    by_cluster: pd.DataFrame


class Finding(NamedTuple):
    """One thing that was found.

    ``sentence``: begins with a capital and ends with a full stop or question mark. ``rows``: the
    patches it is about, (n,) numbers, those to look at first in front; None where it is about all.
    """

    severity: Severity
    topic: Topic
    sentence: str
    rows: np.ndarray | None = None


def of_faithfulness(found: Faithfulness) -> list[Finding]:
    """Report whether the map can be read."""
    count = len(found.recall)
    if found.chance > HIGHEST_CHANCE:
        sentence = (
            f"Whether the map keeps neighbours cannot be determined with {count:,} patches: of "
            f"{found.neighbors} neighbours {in_percent(found.chance)} are kept by chance."
        )
        return [Finding("look", "faithfulness", sentence)]
    severity: Severity = "good" if found.trustworthiness >= TRUSTED else "look"
    if found.trustworthiness < DOUBTED or found.mean < TIMES_CHANCE * found.chance:
        severity = "bad"
    verdict = {
        "good": "Patches that lie together on the map are similar to the network.",
        "look": "Some patches that lie together on the map are not similar to the network.",
        "bad": "Do not read neighbourhoods from this map: train it for longer.",
    }[severity]
    sampled = ""
    if found.looked_at < count:
        sampled = f" ({found.looked_at:,} of {count:,} patches, drawn evenly, were compared)"
    sentence = (
        f"{verdict} Of each patch's {found.neighbors} nearest in the features, "
        f"{in_percent(found.mean)} are among its {found.neighbors} nearest on the map, by chance "
        f"{in_percent(found.chance)}; trustworthiness {found.trustworthiness:.2f} of 1{sampled}."
    )
    least = np.argsort(found.recall, kind="stable")[: max(1, count // 10)]
    return [Finding(severity, "faithfulness", sentence, None if severity == "good" else least)]


def of_confounds(found: Confounds) -> list[Finding]:
    """Report what similar patches share, and what they do not."""
    ranked = found.ranked
    followed = ranked[(ranked["follows"] == "clearly") & (ranked["excess"] >= CLEAR_EXCESS)]
    questions = grouped(followed)
    findings = [
        Finding("look", "confounds", _as_sentence(question(rows)))
        for rows in questions[:MOST_QUESTIONS]
    ]
    further = [label for rows in questions[MOST_QUESTIONS:] for label in rows["label"]]
    for severity, labels, text in (
        ("look", further, "Similar patches also share: the {}."),
        ("good", ranked.loc[ranked["follows"] == "a little", "label"].tolist(),
         "Similar patches share only slightly: the {}."),
        ("good", ranked.loc[ranked["follows"] == "no", "label"].tolist(),
         "Similar patches share no more than by chance: the {}."),
    ):  # fmt: skip
        if labels:
            sentence = text.format(listed(labels))
            findings.append(Finding(severity, "confounds", sentence))  # type: ignore[arg-type]
    return findings


def of_suspects(found: Suspects, images: np.ndarray) -> list[Finding]:
    """Report which patches to review. ``images``: name of each patch's image, (N,)."""
    findings = [
        *_of_duplicates(found.exact, "exactly", images),
        *_of_duplicates(found.near, "nearly", images),
    ] or [Finding("good", "duplicates", "No patch is a duplicate of another.")]
    if len(found.unlike):
        sentence = (
            f"{_patches(len(found.unlike), 'is an outlier', 'are outliers')}: debris, artefacts, "
            "or something rare."
        )
        findings.append(Finding("look", "unlike", sentence, found.unlike))
    else:
        findings.append(Finding("good", "unlike", "No patch is an outlier."))
    if len(found.empty):
        sentence = (
            f"{_patches(len(found.empty), 'holds', 'hold')} hardly any contrast: leave out windows "
            "without content when patches are cut."
        )
        findings.append(Finding("look", "empty", sentence, found.empty))
    else:
        findings.append(Finding("good", "empty", "No patch is empty."))
    return [*findings, _of_saturated(found, len(images))]


def of_stability(found: Stability) -> list[Finding]:
    """Report what stays with another seed."""
    known = found.values[np.isfinite(found.values)]
    seeds = len(found.seeds)
    of_seeds = f"{seeds} other seed{'' if seeds == 1 else 's'}"
    one_only = " One other seed only: train with more to be sure." if seeds == 1 else ""
    findings = [
        Finding("good", "stability", f"{stability_text(known)} ({of_seeds} compared).{one_only}")
    ]
    table = found.by_cluster[found.by_cluster["together"].notna()]
    # A cluster of nearly all patches keeps together on any map.
    by_chance = table["together_by_chance"]
    unknown = by_chance > MOST_BY_CHANCE
    kept = (table["together"] - by_chance) / (1 - by_chance).clip(lower=1e-9)
    apart = [f"'{name}'" for name in table.loc[~unknown & (kept < KEPT_TOGETHER), "name"]]
    if apart:
        sentence = (
            f"With another seed {listed(apart)} {'does' if len(apart) == 1 else 'do'} not keep "
            "together: rest no conclusion on that."
        )
        findings.append(Finding("look", "stability", sentence))
    elif (~unknown).any():
        findings.append(
            Finding("good", "stability", "With another seed all clusters keep together.")
        )
    if unknown.any():
        names = listed([f"'{name}'" for name in table.loc[unknown, "name"]])
        sentence = (
            f"Whether {names} keeps together with another seed cannot be determined: it holds "
            "nearly all patches, which lie together on any map."
        )
        findings.append(Finding("look", "stability", sentence))
    return findings


def of_truth(found: TruthScores) -> list[Finding]:
    """Report how well a known class can be read off the map."""
    accuracy = found.accuracy
    seen = _above_chance(accuracy.knn_2d, found.largest)
    kept = accuracy.knn_2d >= KEPT_OF_FEATURES * accuracy.knn_features
    sentence = (
        f"Nearest neighbours predict the {found.column} of {in_percent(accuracy.knn_2d)} of "
        f"patches on the map, and of {in_percent(accuracy.knn_features)} in the features"
    )
    sentence += f"; the largest class has {in_percent(found.largest)}."
    if not seen:
        sentence += (
            " Always predicting the largest class does nearly as well: the map hardly shows "
            f"the {found.column}."
        )
    if not kept:
        sentence += " The map loses some of what the network has learnt."
    findings = [Finding("good" if seen and kept else "look", "truth", sentence)]
    worst = found.worst_confusion
    if worst is not None:
        own, other, share = worst
        severity: Severity = "good" if seen and share < CONFUSED else "look"
        sentence = f"Most often confused: {in_percent(share)} of '{own}' lie among '{other}'."
        findings.append(Finding(severity, "truth", sentence))
    if found.adjusted_rand is not None:
        agree = _above_chance(found.adjusted_rand, 0)
        sentence = (
            f"Clusters agree with the {found.column} by an adjusted Rand index of "
            f"{found.adjusted_rand:.2f} (0 by chance, 1 where they are the same)"
        )
        sentence += "." if agree else (
            f": they are hardly those of the {found.column}, but follow something else, or part "
            "its classes further."
        )  # fmt: skip
        findings.append(Finding("good" if agree else "look", "truth", sentence))
    return findings


# --- parts of sentences ---------------------------------------------------------------------------


def in_percent(share: float) -> str:
    """Write a share with two digits that count."""
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.2g} %"


def places(rows: np.ndarray, images: np.ndarray) -> str:
    """Name the first patches of a group by image and number."""
    shown = rows[: NAMED + 1]
    parts = []
    for image in dict.fromkeys(images[shown]):
        parts.append(f"{image}: {listed([str(row) for row in shown[images[shown] == image]])}")
    return ", ".join(parts) + (" ..." if len(rows) > len(shown) else "")


def _of_duplicates(groups: Sequence[np.ndarray], how: str, images: np.ndarray) -> list[Finding]:
    if not groups:
        return []
    what = "pair" if all(len(group) == 2 for group in groups) else "group"
    many = len(groups) > 1
    named = "; ".join(places(group, images) for group in groups[:NAMED])
    if len(groups) > NAMED:
        named += f"; and {len(groups) - NAMED:,} more"
    sentence = (
        f"{len(groups):,} {what}{'s' if many else ''} of patches {'have' if many else 'has'} {how} "
        f"the same pixels ({named}): they count more than once in every frequency."
    )
    return [Finding("look", "duplicates", sentence, np.concatenate(groups))]


def _of_saturated(found: Suspects, count: int) -> Finding:
    channels = list(found.highest.index)
    if not len(found.saturated):
        return Finding("good", "saturated", "No patch is saturated.")
    if len(found.saturated) >= MOSTLY * count:
        share = in_percent(float(found.highest["pixels"].max()))
        sentence = (
            f"{'Up to ' if len(channels) > 1 else ''}{share} of all pixels have the highest value "
            f"in {listed(channels)}: harmless where that is a bright background, but structures in "
            "it are lost."
        )
        return Finding("look", "saturated", sentence)
    sentence = (
        f"{_patches(len(found.saturated), 'is', 'are')} saturated in {listed(channels)}: "
        "differences in brightness are lost there."
    )
    return Finding("look", "saturated", sentence, found.saturated)


def _above_chance(score: float, by_chance: float) -> bool:
    """Tell whether a score, at most 1, is well above what chance gives."""
    return score - by_chance >= ABOVE_CHANCE * (1 - by_chance)


def _patches(count: int, one: str, many: str) -> str:
    return f"1 patch {one}" if count == 1 else f"{count:,} patches {many}"


def _as_sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith("?") else ".")
