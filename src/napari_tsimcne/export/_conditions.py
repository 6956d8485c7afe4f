"""Conditions compared: tables and figures in one folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from napari_tsimcne.explore import (
    ConditionColumns,
    ConditionResults,
    Exploration,
    condition_results,
)
from napari_tsimcne.export._condition_notes import how_compared
from napari_tsimcne.export._outputs import check_outside, new_folder
from napari_tsimcne.export.figures._condition_figures import (
    difference_figure,
    dose_figure,
    plate_figure,
    shares_figure,
)
from napari_tsimcne.export.figures._drawing import missing_letters, missing_notice
from napari_tsimcne.export.patches._file_names import distinct, file_name
from napari_tsimcne.patches import Told
from napari_tsimcne.runs import Run

DPI = 300

__all__ = ["ConditionColumns", "ConditionResults", "condition_results", "export_conditions",
           "write_conditions"]  # fmt: skip

CONDITIONS = "conditions"
"""The kind of folder, beside those of `KINDS`."""


def export_conditions(
    run: Run,
    exploration: Exploration,
    folder: Path,
    *,
    condition: str,
    replicate: str | Sequence[str] | None = None,
    control: str | None = None,
    treated: str | None = None,
    well: str | None = None,
    dose: str | None = None,
    plate: str | None = None,
    block: str | None = None,
    mask: np.ndarray | None = None,
    where: str = "",
    overwrite: bool = False,
    told: Told = lambda what, done, total: None,
) -> str:
    """Write what conditions do to the frequencies of clusters: tables and figures in a folder.

    Tables (CSV): ``shares`` and ``replicates``; ``comparison`` with a control; ``doses``,
    ``dose_replicates`` and ``trends`` with a dose; ``plates`` with wells; and for every condition
    that is compared with a control ``difference CONDITION``, and for all of several together
    ``difference all others``, with the difference of densities and
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
    condition, replicate, control, treated, well, dose, plate, block
        See `ConditionColumns`.
    mask
        (N,) booleans: which patches are looked at; None: all.
    where
        What the mask stands for, such as the expression that has found it, for the notes.
    overwrite
        Replace a folder that such an export has made, and that holds nothing else.
    told
        Progress; may raise to cancel.

    Returns
    -------
    A notice, where letters in the figures are in no installed font; else empty.

    Raises
    ------
    InputError
        Where columns do not fit, there are no clusters, or the folder is in use or in the run's
        own folder.
    """
    check_outside(folder, run.folder)
    columns = ConditionColumns(
        condition, replicate, control, treated, well, dose, plate, block
    )  # fmt: skip
    results = condition_results(exploration, columns, mask=mask, told=told)
    return write_conditions(
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
) -> str:
    """Write what was found of conditions as `export_conditions` does, and return its notice."""
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
        letters = missing_letters(
            columns.condition, str(columns.dose or ""),
            *(one.name for one in exploration.clusters.all), *results.shares["condition"].unique(),
        )  # fmt: skip
        notice = missing_notice(letters, "in the figures")
        notes = [
            f"Conditions of {run.folder.name}, by the column '{columns.condition}'",
            *results.sentences(columns.control),
            *results.notes,
            *results.doubts,
            *([f"{notice}."] if notice else []),
            how_compared(
                columns, columns.replicate_names(exploration.table), where, results.counted,
                results.comparison, results.differences, results.trends is not None,
            ),
        ]  # fmt: skip
        (draft / "notes.txt").write_text("\n\n".join(notes) + "\n", encoding="utf-8")
    return notice


# --- inside ---------------------------------------------------------------------------------------


def _write_tables(folder: Path, exploration: Exploration, results: ConditionResults) -> None:
    tables = {
        "shares": results.shares, "replicates": results.replicates,
        "comparison": results.comparison, "doses": results.doses,
        "dose_replicates": results.dose_replicates, "trends": results.trends,
    }  # fmt: skip
    if results.plates:
        names = {one.id: one.name for one in exploration.clusters.all}
        found = pd.concat(
            {
                (names[number], plate): table
                for number, plates in results.plates.items()
                for plate, table in plates.items()
            },
            names=["cluster", "plate", "row"],
        ).reset_index()
        tables["plates"] = found if found["plate"].any() else found.drop(columns="plate")
    for name, one in results.differences.items():
        rows = exploration.table[["patch", "image"]]
        tables[file_name(f"difference {name}")] = rows.assign(
            difference=one.at(exploration.coordinates), p=one.p_at(exploration.coordinates)
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
        for plate, table in results.plates.get(cluster.id, {}).items():
            title = f"{cluster.name}, {plate}" if plate else cluster.name
            found.append((f"plate {title}", partial(plate_figure, table, title=title)))
        if results.doses is not None and results.dose_replicates is not None:
            shares = results.doses[results.doses["id"] == cluster.id]
            points = results.dose_replicates[results.dose_replicates["id"] == cluster.id]
            dose = partial(
                dose_figure, shares, points, color=cluster.color, unit=str(columns.dose),
                title=cluster.name,
            )  # fmt: skip
            found.append((f"dose {cluster.name}", dose))
    return found
