"""The command that compares conditions: frequencies of clusters, with intervals and doubts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_tsimcne.errors import InputError
from napari_tsimcne.terminal._terminal import bars, console, warn

if TYPE_CHECKING:
    import pandas as pd

    from napari_tsimcne.runs import Run


def conditions_in_terminal(
    run: Run,
    condition: str,
    *,
    replicate: str | None = None,
    control: str | None = None,
    treated: str | None = None,
    well: str | None = None,
    dose: str | None = None,
    plate: str | None = None,
    block: str | None = None,
    where: str = "",
    out: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Print the frequency of each cluster in each condition, and write tables and figures if asked.

    Parameters
    ----------
    run
        With a map and clusters.
    condition, replicate, control, treated, well, dose, plate, block
        Columns and values, see `ConditionColumns`.
    where
        Expression, see `find`, that limits which patches are looked at; empty: all.
    out
        A folder to write, see `export_conditions`; None: only print.
    overwrite
        Replace a folder that this command has made, and that holds nothing else.

    Raises
    ------
    InputError
        Where the run has no map, columns do not fit, there are no clusters, or the folder is in
        use or in the run's own folder.
    """
    from napari_tsimcne.explore import find
    from napari_tsimcne.export import (
        ConditionColumns,
        check_outside,
        condition_results,
        write_conditions,
    )
    from napari_tsimcne.runs import extended, open_exploration

    if out is not None:
        check_outside(out, run.folder)
        if out.exists() and not overwrite:
            raise InputError(f"{out} exists: choose another name, or give --overwrite")
    run = extended(run)
    _ = run.coordinates
    exploration = open_exploration(run)
    columns = ConditionColumns(
        condition, replicate, control, treated, well, dose, plate, block
    )  # fmt: skip
    mask = find(exploration.columns(), where) if where else None
    if mask is not None and not mask.any():
        raise InputError(f"no patch is found by {where}: look for something else")
    notice = ""
    with bars() as told:
        results = condition_results(exploration, columns, mask=mask, told=told)
        if out is not None:
            notice = write_conditions(
                run, exploration, columns, results, out, where=where, overwrite=overwrite, told=told
            )
    _print_shares(results.shares)
    if results.comparison is not None:
        _print_comparison(results.comparison, str(control))
    if results.trends is not None:
        _print_trends(results.trends)
    for sentence in results.sentences(control):
        console.print(sentence, highlight=False, markup=False, soft_wrap=True)
    for sentence in results.notes:
        console.print(sentence, highlight=False, markup=False, soft_wrap=True)
    for sentence in results.doubts:
        warn(sentence)
    if notice:
        warn(notice)
    if out is not None:
        console.print(f"Tables and figures are in {out}", highlight=False, soft_wrap=True)


def _print_shares(shares: pd.DataFrame) -> None:
    from rich.table import Column, Table

    names = ("frequency", "interval", "patches", "replicates")
    table = Table(
        "condition", "cluster", *(Column(one, justify="right") for one in names), box=None
    )
    for row in shares.itertuples():
        if row.id or row.patches:
            interval = "" if np.isnan(row.low) else f"{row.low:.1%} to {row.high:.1%}"
            table.add_row(row.condition, row.cluster, f"{row.share:.1%}", interval,
                          f"{row.patches:,}", f"{row.replicates or ''}")  # fmt: skip
    console.print(table)


def _print_comparison(comparison: pd.DataFrame, control: str) -> None:
    from rich.table import Column, Table

    names = (f"difference from {control}, points", "p", "p, adjusted")
    table = Table(
        "condition", "cluster", *(Column(one, justify="right") for one in names), box=None
    )
    for row in comparison.itertuples():
        if row.id or row.difference:
            table.add_row(row.condition, row.cluster, f"{100 * row.difference:+.1f}",
                          f"{row.p:.2g}", f"{row.p_adjusted:.2g}")  # fmt: skip
    console.print(table)


def _print_trends(trends: pd.DataFrame) -> None:
    from rich.table import Column, Table

    names = ("correlation with the dose", "p", "p, adjusted")
    table = Table(
        "condition", "cluster", *(Column(one, justify="right") for one in names), box=None
    )
    for row in trends.itertuples():
        if row.id or row.correlation:
            table.add_row(row.drug, row.cluster, f"{row.correlation:+.2f}", f"{row.p:.2g}",
                          f"{row.p_adjusted:.2g}")  # fmt: skip
    console.print(table)
