"""Commands about a run that is there: what it holds, how good its map is, and files of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_tsimcne.errors import InputError
from napari_tsimcne.terminal import _export as exporting
from napari_tsimcne.terminal import _options as options
from napari_tsimcne.terminal._check import check_in_terminal
from napari_tsimcne.terminal._cluster import METHODS, MethodName, cluster_in_terminal
from napari_tsimcne.terminal._compare import compare_in_terminal
from napari_tsimcne.terminal._conditions import conditions_in_terminal
from napari_tsimcne.terminal._info import print_info
from napari_tsimcne.terminal._locate import locate_in_terminal
from napari_tsimcne.terminal._terminal import console

if TYPE_CHECKING:
    from napari_tsimcne.runs import Run

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def info(run: options.RunFolder, as_json: JsonOption = False, debug: options.Debug = False) -> None:
    """Show what a run holds: patches, images, recipe, map, clusters, what was added."""
    print_info(run, as_json)


def locate(
    run: options.RunFolder,
    folder: Annotated[Path, typer.Argument(help="Where the images are now.", metavar="FOLDER")],
    debug: options.Debug = False,
) -> None:
    """Find images and label images of a run that were moved, in a folder and all below it."""
    locate_in_terminal(_open(run), folder)


def export(
    run: options.RunFolder,
    kind: exporting.KindName,
    out: exporting.Out,
    selected: exporting.Selected = False,
    cluster: exporting.ClusterNames = None,
    color_by: exporting.ColorBy = "",
    color_as: exporting.ColorAs = None,
    thumbnails: exporting.Thumbnails = False,
    no_legend: exporting.NoLegend = False,
    tiles: exporting.Tiles = False,
    overwrite: options.Overwrite = False,
    debug: options.Debug = False,
) -> None:
    """Write the map for other programs and people: tables, crops, label images, figures, pages."""
    exporting.export_in_terminal(
        _open(run), kind, out, selected=selected, clusters=cluster or (), color_by=color_by,
        color_as=color_as or "",
        thumbnails=thumbnails, legend=not no_legend, tiles=tiles, overwrite=overwrite,
    )  # fmt: skip


def check(
    run: options.RunFolder,
    truth: Annotated[
        str | None,
        typer.Option(help="Column with the known class of patches.", metavar="COLUMN"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Report to write, .html; NAME-check.html here if not given.",
                     metavar="FILE"),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: JsonOption = False,
    debug: options.Debug = False,
) -> None:  # fmt: skip
    """Check whether the map can be trusted, and write a report of one page."""
    check_in_terminal(_open(run), truth, out, overwrite, as_json)


def cluster(
    run: options.RunFolder,
    method: Annotated[
        MethodName,
        typer.Option(help="hdbscan finds islands, the others make as many as you ask for."),
    ] = MethodName.hdbscan,
    count: Annotated[
        int | None,
        typer.Option("--n-clusters", "--count",
                     help="Clusters of kmeans and gaussian; 8 if not given.", min=2),
    ] = None,
    least: Annotated[
        int | None,
        typer.Option("--min-size", "--least", min=2,
                     help="Fewest patches in a cluster of hdbscan; a 200th of all if not given."),
    ] = None,
    features: Annotated[
        bool, typer.Option("--features", help="Cluster the features H in place of the map.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the clusters that there are.")
    ] = False,
    debug: options.Debug = False,
) -> None:  # fmt: skip
    """Make clusters of the map by an algorithm, and keep them in the run."""
    cluster_in_terminal(
        _open(run), METHODS[method], count=count, least=least, in_features=features,
        overwrite=overwrite,
    )  # fmt: skip


def conditions(
    run: options.RunFolder,
    by: Annotated[str, typer.Option(help="Column of conditions, such as a drug.")],
    replicate: Annotated[
        str | None,
        typer.Option(
            help="Column of what was repeated, such as a well; several joined by commas, "
            "such as plate,well, where each combination is a replicate."
        ),
    ] = None,
    control: Annotated[
        str | None, typer.Option(help="Condition that others are compared with.")
    ] = None,
    treated: Annotated[
        str | None, typer.Option(help="Condition whose difference from the control is mapped.")
    ] = None,
    well: Annotated[str | None, typer.Option(help="Column of wells, for the plate.")] = None,
    dose: Annotated[str | None, typer.Option(help="Column of doses, for the curves.")] = None,
    plate: Annotated[
        str | None,
        typer.Option(help="Column of plates, each of which is drawn; by its name if not given."),
    ] = None,
    block: Annotated[
        str | None,
        typer.Option(help="Column, such as plate or donor, within which replicates are compared."),
    ] = None,
    where: Annotated[
        str,
        typer.Option(
            help="Look only at patches that this is true of, as control != 'positive'; "
            "the language of the window's Find bar.",
            metavar="EXPRESSION",
        ),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="Folder to write tables and figures into.", metavar="OUT")
    ] = None,
    overwrite: options.Overwrite = False,
    debug: options.Debug = False,
) -> None:
    """Compare conditions: how frequent each cluster is in them, and how sure that is."""
    conditions_in_terminal(
        _open(run), by, replicate=replicate, control=control, treated=treated, well=well,
        dose=dose, plate=plate, block=block, where=where, out=out, overwrite=overwrite,
    )  # fmt: skip


def evaluate(
    run: options.RunFolder,
    truth: Annotated[str, typer.Option(help="Column of the patch table with the known class.")],
    as_json: JsonOption = False,
    debug: options.Debug = False,
) -> None:
    """Score the map against known classes: kNN accuracy in 2D and in the features."""
    scores = _evaluate(_open(run), truth)
    if as_json:
        typer.echo(json.dumps(scores))
    else:
        for name, value in scores.items():
            console.print(f"{name:<14}{value:{'.4f' if isinstance(value, float) else ','}}")


def compare(
    run: options.RunFolder,
    seed: Annotated[
        int | None, typer.Option(help="Of the other map; a new one if not given.", min=0)
    ] = None,
    device: options.DeviceOption = options.Device.auto,
    debug: options.Debug = False,
) -> None:
    """Learn the map again with another seed, and tell which of its islands to believe."""
    compare_in_terminal(_open(run), seed, device)


COMMANDS: tuple[Callable[..., None], ...] = (
    info, check, cluster, conditions, export, locate, evaluate, compare,
)  # fmt: skip


def _open(folder: Path) -> Run:
    from napari_tsimcne.runs import Run

    return Run.open(folder)


def _evaluate(run: Run, truth: str) -> dict[str, float]:
    from napari_tsimcne.explore import evaluate as evaluate_map

    if truth not in run.table:
        raise InputError(f"the run has no column '{truth}': it has {', '.join(run.table.columns)}")
    return evaluate_map(run.coordinates, run.features, run.table[truth])._asdict()
