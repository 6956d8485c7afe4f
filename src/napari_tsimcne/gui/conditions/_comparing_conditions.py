"""What conditions do to the map: numbers, figures and words of it, for another thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import (
    NONE,
    Cluster,
    Clusters,
    DifferenceMap,
    Exploration,
    compare_conditions,
    comparison_doubts,
    condition_shares,
    difference_map,
    difference_text,
    dose_shares,
    dose_trends,
    in_percent,
    ordered_texts,
    plate_table,
    replicate_dose_shares,
    replicate_shares,
    share_doubts,
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
"""Clusters that are drawn one below the other."""

MOST_TOLD = 5
LEVEL = 0.05
"""Of p, below which a difference is told as one."""

SHARES_EXPLAINED = "Dots are replicates, the line is their mean, the bar its 95 % interval."


@dataclass(frozen=True)
class Question:
    """What is to be shown.

    ``condition``, ``replicate``, ``well``, ``plate`` and ``dose`` are columns of the patch table,
    ``control``, ``treated`` and ``on_plate`` values as text; ``treated`` None stands for all
    others. ``cluster`` is the id of one, or `SELECTION`; None stands for every cluster.
    """

    view: View
    condition: str
    replicate: str | None = None
    control: str | None = None
    treated: str | None = None
    well: str | None = None
    plate: str | None = None
    on_plate: str | None = None
    dose: str | None = None
    cluster: int | None = None


@dataclass(frozen=True, eq=False)
class Answer:
    """Figures, what they show in words, and the difference map where that was asked for."""

    drawings: tuple[Drawing, ...]
    words: str
    difference: DifferenceMap | None = None


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

    def _run(self) -> None:
        export_conditions(
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
    views: dict[View, Callable[[Exploration, Question], Answer]] = {
        "shares": _shares, "difference": _difference, "plate": _plate, "dose": _dose,
    }  # fmt: skip
    return views[question.view](exploration, question)


# --- shares ---------------------------------------------------------------------------------------


def _shares(exploration: Exploration, question: Question) -> Answer:
    clusters = _clusters(exploration, question)
    condition, replicate = _columns(exploration, question)
    mask = exploration.placed
    shares = condition_shares(clusters, condition, replicate, mask=mask)
    points = replicate_shares(clusters, condition, replicate, mask=mask)
    colors = {one.id: one.color for one in clusters.all}
    shown, left_out = _shown(clusters, question)
    drawings = []
    for one in shown:
        figure = shares_figure(shares[shares["id"] == one], points[points["id"] == one], colors)
        figure.supxlabel("")
        drawings.append(Drawing(figure, scales=False))
    words = [*left_out, *([SHARES_EXPLAINED] if replicate is not None else [])]
    if replicate is not None and question.control is not None:
        compared = compare_conditions(
            clusters, condition, replicate, question.control,
            mask=mask & _either(condition, question),
        )  # fmt: skip
        words += _compared_words(compared[compared["id"].isin(shown)], question.control)
        words += comparison_doubts(compared)
    return Answer(tuple(drawings), "\n\n".join([*words, *share_doubts(shares)]))


def _compared_words(compared: pd.DataFrame, control: str) -> list[str]:
    """Tell the surest differences from the control."""
    if not len(compared):
        return []
    ranked = compared.sort_values("p_adjusted", kind="stable")
    sure = ranked[ranked["p_adjusted"] <= LEVEL]
    lines = [
        f"'{row.cluster}': {in_percent(row.share)} in {row.condition} against "
        f"{in_percent(row.control_share)} in {control} (p = {row.p_adjusted:.2g})."
        for row in sure.head(MOST_TOLD).itertuples()
    ]
    if len(sure) > MOST_TOLD:
        lines.append(f"And {len(sure) - MOST_TOLD} more; Save writes all of them.")
    if not lines:
        least = ranked["p_adjusted"].iloc[0]
        return [f"No share differs from that in {control} more than replicates do "
                f"(smallest p = {least:.2g})."]  # fmt: skip
    return ["\n".join(lines)]


# --- difference map -------------------------------------------------------------------------------


def _difference(exploration: Exploration, question: Question) -> Answer:
    condition, replicate = _columns(exploration, question)
    assert question.control is not None
    control = _is(condition, question.control)
    treated = _either(condition, question) & ~control
    placed = exploration.placed
    found = difference_map(exploration.coordinates, treated & placed, control & placed, replicate)
    of = treated | control
    name = question.treated or "all others"
    figure = difference_figure(
        found, exploration.coordinates[of & placed], treated=name, control=question.control
    )
    # In words below it, where there is room for them.
    figure.axes[0].set_xlabel("")
    words = f"{name} minus {question.control}: {difference_text(found)}"
    return Answer((Drawing(figure, scales=True),), words, found)


# --- plate ----------------------------------------------------------------------------------------


def _plate(exploration: Exploration, question: Question) -> Answer:
    clusters, table = _clusters(exploration, question), exploration.table
    assert question.well is not None
    wells = table[question.well].where(exploration.placed)
    words = []
    if question.plate is not None and question.on_plate is not None:
        wells = wells.where(_is(table[question.plate], question.on_plate))
    elif question.plate is not None:
        words.append("Wells of the same name on several plates are taken together.")
    shown, left_out = _shown(clusters, question, with_none=False)
    names = {one.id: one.name for one in clusters.all}
    drawings = []
    for one in shown:
        plate = plate_table(wells, clusters.members(one))
        figure = plate_figure(plate, title=names[one])
        drawings.append(Drawing(figure, scales=True))
        values = plate.to_numpy()
        low, high = np.nanmin(values), np.nanmax(values)
        words.append(f"'{names[one]}': from {in_percent(low)} to {in_percent(high)} of a well.")
    return Answer(tuple(drawings), "\n".join([*left_out, *words]))


# --- dose -----------------------------------------------------------------------------------------


def _dose(exploration: Exploration, question: Question) -> Answer:
    clusters = _clusters(exploration, question)
    assert question.dose is not None
    dose = exploration.table[question.dose]
    condition, replicate = _columns(exploration, question)
    drug = None if question.condition == question.dose else condition
    mask = exploration.placed
    shares = dose_shares(clusters, dose, replicate, drug, mask=mask)
    points = replicate_dose_shares(clusters, dose, replicate, drug, mask=mask)
    colors = {one.id: one.color for one in clusters.all}
    shown, left_out = _shown(clusters, question, with_none=False)
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
    if replicate is None:
        words = share_doubts(shares.assign(condition=shares["drug"]))
    else:
        words = _trend_words(clusters, dose, replicate, drug, mask, shown)
    return Answer(tuple(drawings), "\n\n".join([*left_out, *words]))


def _trend_words(
    clusters: Clusters,
    dose: pd.Series,
    replicate: pd.Series,
    drug: pd.Series | None,
    mask: np.ndarray,
    shown: list[int],
) -> tuple[str, ...]:
    """Tell whose share rises or falls with the dose, the surest first."""
    try:
        trends = dose_trends(clusters, dose, replicate, drug, mask=mask)
    except InputError:
        return ("No trend can be told: that takes three doses or more.",)
    told = trends[trends["id"].isin(shown)]
    ranked = told.sort_values("p_adjusted", kind="stable")
    lines = []
    for row in ranked.head(2 * MOST_TOLD).itertuples():
        of = f" of {row.drug}" if row.drug else ""
        goes = "rises" if row.correlation > 0 else "falls"
        does = f"{goes} with the dose{of}" if row.p_adjusted <= LEVEL else (
            f"does not follow the dose{of} more than by chance"
        )  # fmt: skip
        lines.append(
            f"The share of '{row.cluster}' {does} (rank correlation {row.correlation:.2f}, "
            f"p = {row.p_adjusted:.2g}, {row.replicates} replicates)."
        )
    return ("\n".join(lines),)


# --- parts ----------------------------------------------------------------------------------------


def _clusters(exploration: Exploration, question: Question) -> Clusters:
    if question.cluster != SELECTION:
        return exploration.clusters
    one = Cluster(id=1, name="selected patches", color=SELECTED_COLOR)
    return Clusters(len(exploration), None, [one], exploration.selection.mask.astype(np.int32))


def _columns(exploration: Exploration, question: Question) -> tuple[pd.Series, pd.Series | None]:
    table, replicate = exploration.table, question.replicate
    return table[question.condition], None if replicate is None else table[replicate]


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


def _is(column: pd.Series, value: str) -> np.ndarray:
    codes, texts = ordered_texts(column)
    return codes == (texts.index(value) if value in texts else len(texts))


def _either(condition: pd.Series, question: Question) -> np.ndarray:
    """Tell which patches are of the control or of what is compared with it, (N,)."""
    if question.treated is None:
        return condition.notna().to_numpy()
    return _is(condition, question.treated) | _is(condition, question.control or "")
