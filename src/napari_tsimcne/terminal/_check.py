"""The command that checks whether a map can be trusted, and writes a report."""

from __future__ import annotations

import json
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from napari_tsimcne.errors import InputError
from napari_tsimcne.terminal._terminal import bars, console

if TYPE_CHECKING:
    from napari_tsimcne.explore import MapChecks
    from napari_tsimcne.runs import Run

MARKS = {
    "bad": "[bold red]do not trust[/]",
    "look": "[bold yellow]review[/]",
    "good": "[green]OK[/]",
}


def check_in_terminal(
    run: Run, truth: str | None, out: Path | None, overwrite: bool, as_json: bool
) -> None:
    """Check the map of a run, print what was found, and write the report of it.

    Parameters
    ----------
    run
        With a map; its additions are checked with it.
    truth
        A column that holds the known class of patches.
    out
        Of the report, an HTML file; None: ``NAME-check.html`` in the current folder.
    overwrite
        Replace the file that is there.
    as_json
        Print what was found as JSON, and nothing else.

    Raises
    ------
    InputError
        Where the run has no map, there is no such column, or the report exists or is to be
        written into the run's folder or as another kind of file.
    """
    from napari_tsimcne.export import check_report_path, export_check_report
    from napari_tsimcne.runs import check_run, extended, open_exploration

    run = extended(run)
    path = Path(f"{run.folder.name}-check.html") if out is None else out
    check_report_path(path, run)
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists: choose another name, or give --overwrite")
    exploration = open_exploration(run)
    if as_json:
        checks = check_run(run, exploration, truth=truth)
    else:
        with bars() as told:
            checks = check_run(run, exploration, truth=truth, told=told)
    export_check_report(checks, run, exploration, path, overwrite=overwrite)
    if as_json:
        print(json.dumps({**_as_json(checks), "report": str(path)}, indent=2, ensure_ascii=False))
        return
    _print(checks)
    console.print(f"Report written to {path}", highlight=False, markup=False, soft_wrap=True)


def _print(checks: MapChecks) -> None:
    from rich.table import Table

    table = Table("", "", box=None, show_header=False, padding=(0, 1, 0, 0))
    for found in checks.findings:
        table.add_row(MARKS[found.severity], escape(found.sentence))
    console.print(table, highlight=False)


def _as_json(checks: MapChecks) -> dict[str, Any]:
    """Return what was found as values of JSON; what is missing is null."""
    faithfulness, truth = checks.faithfulness, checks.truth
    ranked = checks.confounds.ranked.drop(columns="sentence").reset_index()
    found: dict[str, Any] = {
        "patches": len(checks),
        "findings": [
            {
                "severity": one.severity,
                "topic": one.topic,
                "sentence": one.sentence,
                "patches": None if one.rows is None else one.rows.tolist(),
            }
            for one in checks.findings
        ],
        "faithfulness": {
            "neighbors": faithfulness.neighbors,
            "recall": faithfulness.mean,
            "by_chance": faithfulness.chance,
            "trustworthiness": faithfulness.trustworthiness,
            "looked_at": faithfulness.looked_at,
        },
        "confounds": json.loads(ranked.to_json(orient="records")),
    }
    if truth is not None:
        found["truth"] = {
            "column": truth.column,
            **truth.accuracy._asdict(),
            "largest_class": truth.largest,
            "silhouette": None if isnan(truth.silhouette) else truth.silhouette,
            "adjusted_rand": truth.adjusted_rand,
            "homogeneity": truth.homogeneity,
        }
    return found
