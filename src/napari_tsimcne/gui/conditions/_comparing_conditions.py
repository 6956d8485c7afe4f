"""What conditions do to the map: numbers, figures and words of it, for another thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from napari_tsimcne.explore import (
    NONE,
    Cluster,
    Clusters,
    ConditionColumns,
    ConditionResults,
    DifferenceMap,
    Exploration,
    compared_sentences,
    condition_results,
    ordered_texts,
    plate_sentence,
    trend_sentences,
)
from napari_tsimcne.export import (
    difference_figure,
    dose_figure,
    export_conditions,
    plate_figure,
    shares_figure,
)
from napari_tsimcne.gui._figure_view import Drawing
from napari_tsimcne.gui.export._exporting import frozen
from napari_tsimcne.gui.jobs._job import Job
from napari_tsimcne.runs import Run

View = Literal["shares", "difference", "plate", "dose"]

SELECTION = -1
"""In place of a cluster's id: the selected patches."""

SELECTED_COLOR = "#56b4e9"
MOST_DRAWN = 12
"""Clusters, or difference maps, that are drawn one below the other."""

MOST_FIGURES = 36
"""Plates that are drawn one below the other."""

SHARES_EXPLAINED = "Dots are replicates, the line is their mean, the bar its 95 % interval."


@dataclass(frozen=True)
class Question:
    """What is to be shown.

    ``condition``, ``replicate``, ``well``, ``plate`` and ``dose`` are columns of the patch table,
    ``control``, ``treated`` and ``on_plate`` values as text; ``treated`` None stands for all
    others. ``replicate`` may be several columns. ``cluster`` is the id of one, or `SELECTION`; None
    stands for every cluster.
    """

    view: View
    condition: str
    replicate: str | Sequence[str] | None = None
    control: str | None = None
    treated: str | None = None
    well: str | None = None
    plate: str | None = None
    on_plate: str | None = None
    dose: str | None = None
    block: str | None = None
    cluster: int | None = None

    @property
    def columns(self) -> ConditionColumns:
        """Which columns say what."""
        return ConditionColumns(
            self.condition, self.replicate, self.control, self.treated, self.well, self.dose,
            self.plate, self.block,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Answer:
    """Figures, what they show in words; the first difference map, and what it compares."""

    drawings: tuple[Drawing, ...]
    words: str
    difference: DifferenceMap | None = None
    compared: str = ""


class ConditionsJob(Job):
    """Writes tables and figures of conditions; ``finished`` carries the folder.

    Parameters
    ----------
    run, exploration
        What is compared, as it is now.
    folder
        To be made.
    columns
        Those that `export_conditions` is told.
    """

    def __init__(
        self, run: Run, exploration: Exploration, folder: Path, columns: dict[str, Any]
    ) -> None:
        super().__init__()
        self.run, self.folder = run, folder
        self._exploration, self._columns = frozen(exploration), columns
        self.notice = ""
        """What the user is to know of what was written; empty where nothing."""

    def _run(self) -> None:
        self.notice = export_conditions(
            self.run, self._exploration, self.folder, told=self._on_placing, **self._columns
        )
        self._tell(self.finished, self.folder)


def answer(exploration: Exploration, question: Question) -> Answer:
    """Compute what was asked, and draw its figures.

    Parameters
    ----------
    exploration
        That does not change meanwhile, see `frozen`.
    question
        Of it.

    Raises
    ------
    InputError
        Where columns do not fit the question.
    """
    clusters = _clusters(exploration, question)
    found = condition_results(
        exploration, question.columns, clusters=clusters, parts=[question.view],
        most_maps=MOST_DRAWN,
    )  # fmt: skip
    views: dict[View, Callable[[_Found], Answer]] = {
        "shares": _shares, "difference": _difference, "plate": _plate, "dose": _dose,
    }  # fmt: skip
    return views[question.view](_Found(exploration, clusters, question, found))


class _Found(NamedTuple):
    """What was found, and for whom."""

    exploration: Exploration
    clusters: Clusters
    question: Question
    results: ConditionResults


def _answer(drawings: Sequence[Drawing], words: Sequence[str], found: _Found) -> Answer:
    results = found.results
    text = "\n\n".join([*words, *results.notes, *results.doubts])
    compared, difference = next(iter(results.differences.items()), ("", None))
    return Answer(tuple(drawings), text, difference, compared)


def _shares(found: _Found) -> Answer:
    shares, points, comparison = (
        found.results.shares, found.results.replicates, found.results.comparison,
    )  # fmt: skip
    colors = {one.id: one.color for one in found.clusters.all}
    shown, words = _shown(found.clusters, found.question)
    drawings = []
    for one in shown:
        figure = shares_figure(shares[shares["id"] == one], points[points["id"] == one], colors)
        figure.supxlabel("")
        drawings.append(Drawing(figure, scales=False))
    if found.question.replicate:
        words.append(SHARES_EXPLAINED)
    if comparison is not None and found.question.control is not None:
        words += compared_sentences(comparison, found.question.control, shown)
    return _answer(drawings, words, found)


def _difference(found: _Found) -> Answer:
    exploration, control = found.exploration, str(found.question.control)
    codes, names = ordered_texts(exploration.table[found.question.condition])
    drawings = []
    for name, one in found.results.differences.items():
        sides = codes >= 0
        if name in names:
            sides = np.isin(codes, [names.index(name), names.index(control)])
        coordinates = exploration.coordinates[sides & found.results.counted]
        figure = difference_figure(one, coordinates, treated=name, control=control)
        # In words below it, where there is room for them.
        figure.axes[0].set_xlabel("")
        drawings.append(Drawing(figure, scales=True))
    words = found.results.sentences(control)
    left_out = len(names) - 1 - MOST_DRAWN
    if found.question.treated is None and left_out > 0:
        words.append(f"Save writes the maps of {left_out} further conditions.")
    return _answer(drawings, words, found)


def _plate(found: _Found) -> Answer:
    shown, words = _shown(found.clusters, found.question, with_none=False)
    names = {one.id: one.name for one in found.clusters.all}
    on_plate, drawings = found.question.on_plate, []
    for one in shown:
        plates = found.results.plates[one]
        if on_plate is not None:
            plates = {name: table for name, table in plates.items() if name == on_plate}
        for plate, table in plates.items():
            title = f"{names[one]}, {plate}" if plate else names[one]
            drawings.append(Drawing(plate_figure(table, title=title), scales=True))
        if plates:
            words.append(plate_sentence(names[one], plates))
    if len(drawings) > MOST_FIGURES:
        words.insert(0, f"{MOST_FIGURES} of {len(drawings)} plates are drawn: choose a cluster or "
                     "a plate for others.")  # fmt: skip
    return _answer(drawings[:MOST_FIGURES], words, found)


def _dose(found: _Found) -> Answer:
    results, question = found.results, found.question
    shares, points = results.doses, results.dose_replicates
    assert shares is not None and points is not None and question.dose is not None
    colors = {one.id: one.color for one in found.clusters.all}
    shown, words = _shown(found.clusters, question, with_none=False)
    drawings = []
    for one in shown:
        own, dots = shares[shares["id"] == one], points[points["id"] == one]
        figures = [
            dose_figure(own[own["drug"] == name], dots[dots["drug"] == name], color=colors[one],
                        unit=question.dose)
            for name in dict.fromkeys(own["drug"])
        ]  # fmt: skip
        highest = max(figure.axes[0].get_ylim()[1] for figure in figures)
        for figure in figures:
            # As side by side, their curves can be compared.
            figure.axes[0].set_ylim(-0.03 * highest, highest)
            drawings.append(Drawing(figure, scales=True))
    words += trend_sentences(results.trends, shown)
    return _answer(drawings, words, found)


# --- parts ----------------------------------------------------------------------------------------


def _clusters(exploration: Exploration, question: Question) -> Clusters:
    if question.cluster != SELECTION:
        return exploration.clusters
    one = Cluster(id=1, name="selected patches", color=SELECTED_COLOR)
    return Clusters(len(exploration), None, [one], exploration.selection.mask.astype(np.int32))


def _shown(
    clusters: Clusters, question: Question, *, with_none: bool = True
) -> tuple[list[int], list[str]]:
    """Return the ids of the clusters that are drawn, and a sentence where some are left out."""
    if question.cluster == SELECTION:
        return [1], []
    if question.cluster is not None:
        return [question.cluster], []
    sizes = clusters.sizes()
    ids = [one.id for one in clusters.all if sizes[one.id]]
    largest = set(sorted(ids, key=lambda one: -sizes[one])[:MOST_DRAWN])
    shown = [one for one in ids if one in largest]
    if len(shown) < len(ids):
        return shown, [f"The {MOST_DRAWN} largest of {len(ids)} clusters are drawn."]
    outside = with_none and (clusters.ids == NONE).any()
    return ([*shown, NONE] if outside else shown), []
