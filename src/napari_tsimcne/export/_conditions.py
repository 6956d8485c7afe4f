"""Conditions compared: tables and figures in one folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import (
    DifferenceMap,
    Exploration,
    compare_conditions,
    comparison_doubts,
    condition_shares,
    difference_map,
    difference_text,
    dose_shares,
    dose_trends,
    ordered_texts,
    plate_table,
    replicate_dose_shares,
    replicate_shares,
    share_doubts,
)
from napari_tsimcne.export._condition_notes import how_compared
from napari_tsimcne.export._outputs import check_outside, new_folder
from napari_tsimcne.export.figures._condition_figures import (
    difference_figure,
    dose_figure,
    plate_figure,
    shares_figure,
)
from napari_tsimcne.export.patches._file_names import distinct, file_name
from napari_tsimcne.patches import Told
from napari_tsimcne.runs import Run

DPI = 300

CONDITIONS = "conditions"
"""The kind of folder, beside those of `KINDS`."""


@dataclass(frozen=True)
class ConditionColumns:
    """Which columns of the patch table say what.

    Parameters
    ----------
    condition
        Such as the treatment.
    replicate
        Tells replicates of a condition apart, such as the well.
    control
        The condition that others are compared with, as text.
    treated
        The condition that is compared with it; None: all others, each for itself.
    well
        Names of wells, for plates.
    dose
        Numbers: a curve of them is drawn for each condition, such as a drug.
    """

    condition: str
    replicate: str | None = None
    control: str | None = None
    treated: str | None = None
    well: str | None = None
    dose: str | None = None

    def check(self, table: pd.DataFrame) -> None:
        """Refuse columns that a table does not have, and what does not go together.

        Raises
        ------
        InputError
            With what there is.
        """
        for name in (self.condition, self.replicate, self.well, self.dose):
            if name is not None and name not in table:
                raise InputError(
                    f"there is no column '{name}': the patches have {', '.join(map(str, table))}"
                )
        if self.treated is not None and self.control is None:
            raise InputError(
                f"'{self.treated}' needs something to be compared with: name the control, too"
            )
        known = ordered_texts(table[self.condition])[1]
        for name in (self.control, self.treated):
            if name is not None and name not in known:
                raise InputError(
                    f"'{self.condition}' is nowhere '{name}': it is {', '.join(known[:12])}"
                )
        if self.control is not None and self.control == self.treated:
            raise InputError(f"'{self.control}' cannot be compared with itself")


@dataclass(frozen=True, eq=False)
class ConditionResults:
    """What was found of conditions.

    Parameters
    ----------
    counted
        Which patches were looked at, (N,) booleans.
    shares, replicates
        Of `condition_shares` and `replicate_shares`.
    comparison
        Of `compare_conditions`, where there are a control and replicates.
    doses, dose_replicates, trends
        Of `dose_shares`, `replicate_dose_shares` and, where there are replicates, `dose_trends`.
    plates
        Of `plate_table`, by the id of the cluster.
    differences
        Difference maps by the condition that is compared with the control.
    doubts
        Sentences on what all this cannot tell.
    """

    counted: np.ndarray
    shares: pd.DataFrame
    replicates: pd.DataFrame
    comparison: pd.DataFrame | None = None
    doses: pd.DataFrame | None = None
    dose_replicates: pd.DataFrame | None = None
    trends: pd.DataFrame | None = None
    plates: dict[int, pd.DataFrame] = field(default_factory=dict)
    differences: dict[str, DifferenceMap] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    def sentences(self, control: str | None) -> list[str]:
        """Say how the map of each condition differs from that of the control."""
        return [
            f"{name} against {control}: {difference_text(found)}"
            for name, found in self.differences.items()
        ]


def condition_results(
    exploration: Exploration,
    columns: ConditionColumns,
    *,
    mask: np.ndarray | None = None,
    told: Told = lambda what, done, total: None,
) -> ConditionResults:
    """Compare the conditions of an exploration, in numbers.

    Parameters
    ----------
    exploration
        With clusters; patches that have no place on the map yet are passed over.
    columns
        Which say what.
    mask
        (N,) booleans: which patches are looked at, such as all but positive controls. None: all.
    told
        Progress; may raise to cancel.

    Raises
    ------
    InputError
        Where there are no clusters, or columns do not fit.
    """
    clusters, table = exploration.clusters, exploration.table
    counted = exploration.placed if mask is None else exploration.placed & mask
    columns.check(table)
    if not len(clusters):
        raise InputError("there are no clusters to share out: make some on the map first")
    condition = table[columns.condition]
    replicate = None if columns.replicate is None else table[columns.replicate]
    shares = condition_shares(clusters, condition, replicate, mask=counted)
    replicates = replicate_shares(clusters, condition, replicate, mask=counted)
    doubts = [*share_doubts(shares)]
    comparison = doses = dose_replicates = trends = None
    if columns.control is not None and replicate is not None:
        looked_at = counted & _either(condition, columns)
        comparison = compare_conditions(
            clusters, condition, replicate, columns.control, mask=looked_at
        )
        doubts += comparison_doubts(comparison)
    if columns.dose is not None:
        drug = None if columns.dose == columns.condition else condition
        dose = table[columns.dose]
        doses = dose_shares(clusters, dose, replicate, drug, mask=counted)
        dose_replicates = replicate_dose_shares(clusters, dose, replicate, drug, mask=counted)
        if replicate is not None:
            trends = dose_trends(clusters, dose, replicate, drug, mask=counted)
    plates = {}
    if columns.well is not None:
        wells = table[columns.well].where(counted)
        plates = {one.id: plate_table(wells, clusters.members(one.id)) for one in clusters.all}
    differences = _differences(exploration, columns, counted, told)
    return ConditionResults(
        counted, shares, replicates, comparison, doses, dose_replicates, trends, plates,
        differences, tuple(doubts),
    )  # fmt: skip


def export_conditions(
    run: Run,
    exploration: Exploration,
    folder: Path,
    *,
    condition: str,
    replicate: str | None = None,
    control: str | None = None,
    treated: str | None = None,
    well: str | None = None,
    dose: str | None = None,
    mask: np.ndarray | None = None,
    where: str = "",
    overwrite: bool = False,
    told: Told = lambda what, done, total: None,
) -> None:
    """Write what conditions do to the shares of the clusters: tables and figures in a folder.

    Tables (CSV): ``shares`` and ``replicates``; ``comparison`` with a control; ``doses``,
    ``dose_replicates`` and ``trends`` with a dose; ``plates`` with wells; and for every condition
    that is compared with a control ``difference CONDITION``, with the difference of densities and
    its p for each patch. Figures of all of them, each as PNG (300 dpi) and PDF. ``notes.txt`` says
    in sentences what they cannot tell, and how it was compared, to be cited.

    Parameters
    ----------
    run
        Named in the notes.
    exploration
        Of it, with clusters.
    folder
        To write; must be new or empty.
    condition, replicate, control, treated, well, dose
        See `ConditionColumns`.
    mask
        (N,) booleans: which patches are looked at; None: all.
    where
        What the mask stands for, such as the expression that has found it, for the notes.
    overwrite
        Replace a folder that such an export has made, and that holds nothing else.
    told
        Progress; may raise to cancel.

    Raises
    ------
    InputError
        Where columns do not fit, there are no clusters, or the folder is in use or in the run's
        own folder.
    """
    check_outside(folder, run.folder)
    columns = ConditionColumns(condition, replicate, control, treated, well, dose)
    results = condition_results(exploration, columns, mask=mask, told=told)
    write_conditions(
        run, exploration, columns, results, folder, where=where, overwrite=overwrite, told=told
    )


def write_conditions(
    run: Run,
    exploration: Exploration,
    columns: ConditionColumns,
    results: ConditionResults,
    folder: Path,
    *,
    where: str = "",
    overwrite: bool = False,
    told: Told = lambda what, done, total: None,
) -> None:
    """Write what was found of conditions as `export_conditions` does."""
    check_outside(folder, run.folder)
    with new_folder(folder, CONDITIONS, overwrite) as draft:
        _write_tables(draft, exploration, results)
        figures = _figures(exploration, columns, results)
        stems = distinct([file_name(name) for name, _ in figures])
        for number, (stem, (_, draw)) in enumerate(zip(stems, figures, strict=True)):
            told("Drawing", number, len(figures))
            figure = draw()
            figure.savefig(draft / f"{stem}.png", dpi=DPI)
            figure.savefig(draft / f"{stem}.pdf", dpi=DPI)
        told("Drawing", len(figures), len(figures))
        notes = [
            f"Conditions of {run.folder.name}, by the column '{columns.condition}'",
            *results.sentences(columns.control),
            *results.doubts,
            how_compared(
                columns.replicate, columns.control, columns.treated, where, results.counted,
                results.comparison, results.differences, results.trends is not None,
            ),
        ]  # fmt: skip
        (draft / "notes.txt").write_text("\n\n".join(notes) + "\n", encoding="utf-8")


# --- inside ---------------------------------------------------------------------------------------


def _either(condition: pd.Series, columns: ConditionColumns) -> np.ndarray:
    """Tell which patches are of the control or of what is compared with it, (N,)."""
    codes, names = ordered_texts(condition)
    if columns.treated is None:
        return codes >= 0
    return np.isin(codes, [names.index(columns.treated), names.index(columns.control or "")])


def _differences(
    exploration: Exploration, columns: ConditionColumns, counted: np.ndarray, told: Told
) -> dict[str, DifferenceMap]:
    """Make a difference map for each condition that is compared with the control."""
    if columns.control is None:
        return {}
    table = exploration.table
    codes, names = ordered_texts(table[columns.condition])
    replicate = None if columns.replicate is None else table[columns.replicate]
    control = names.index(columns.control)
    others = [names.index(columns.treated)] if columns.treated is not None else [
        place for place in range(len(names)) if place != control
    ]  # fmt: skip
    return {
        names[place]: difference_map(
            exploration.coordinates, counted & (codes == place), counted & (codes == control),
            replicate, told=told,
        )
        for place in others
        if (counted & (codes == place)).any()
    }  # fmt: skip


def _write_tables(folder: Path, exploration: Exploration, results: ConditionResults) -> None:
    tables = {
        "shares": results.shares, "replicates": results.replicates,
        "comparison": results.comparison, "doses": results.doses,
        "dose_replicates": results.dose_replicates, "trends": results.trends,
    }  # fmt: skip
    if results.plates:
        names = {one.id: one.name for one in exploration.clusters.all}
        tables["plates"] = pd.concat(
            {names[number]: table for number, table in results.plates.items()},
            names=["cluster", "row"],
        ).reset_index()
    for name, found in results.differences.items():
        rows = exploration.table[["patch", "image"]]
        tables[file_name(f"difference {name}")] = rows.assign(
            difference=found.at(exploration.coordinates), p=found.p_at(exploration.coordinates)
        )
    for stem, table in tables.items():
        if table is not None:
            table.to_csv(folder / f"{stem}.csv", index=False)


def _figures(
    exploration: Exploration, columns: ConditionColumns, results: ConditionResults
) -> list[tuple[str, Callable[[], Figure]]]:
    """Name all figures, each with what draws it."""
    clusters = exploration.clusters.all
    colors = {cluster.id: cluster.color for cluster in clusters}
    title = f"Clusters by {columns.condition}"
    found: list[tuple[str, Callable[[], Figure]]] = [
        ("shares", partial(shares_figure, results.shares, results.replicates, colors, title=title))
    ]
    coordinates = exploration.coordinates[results.counted]
    for name, one in results.differences.items():
        draw = partial(
            difference_figure, one, coordinates, treated=name, control=str(columns.control)
        )
        found.append((f"difference {name}", draw))
    for cluster in clusters:
        if cluster.id in results.plates:
            table = results.plates[cluster.id]
            plate = partial(plate_figure, table, title=cluster.name)
            found.append((f"plate {cluster.name}", plate))
        if results.doses is not None and results.dose_replicates is not None:
            shares = results.doses[results.doses["id"] == cluster.id]
            points = results.dose_replicates[results.dose_replicates["id"] == cluster.id]
            dose = partial(
                dose_figure, shares, points, color=cluster.color, unit=str(columns.dose),
                title=cluster.name,
            )  # fmt: skip
            found.append((f"dose {cluster.name}", dose))
    return found
