"""The command that writes a map as files for other programs and people."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_tsimcne.errors import InputError
from napari_tsimcne.terminal._terminal import bars, console

if TYPE_CHECKING:
    from napari_tsimcne.export import Excerpt
    from napari_tsimcne.runs import Run

KINDS = ("table", "anndata", "crops", "labels", "geojson", "figure", "annotated", "html", "methods")
"""As of the exports, which are not loaded to tell their names."""

KindName = Annotated[
    str,
    typer.Argument(
        help="table (.csv, .parquet), anndata (.h5ad), crops, labels, geojson (folders), "
        "figure, annotated (.png, .pdf, .svg), html (.html) or methods (.md, .txt).",
        metavar="KIND",
    ),
]
Out = Annotated[Path, typer.Argument(help="File or folder to write.", metavar="OUT")]
Selected = Annotated[bool, typer.Option("--selected", help="Only the selected patches.")]
ClusterNames = Annotated[
    list[str] | None,
    typer.Option("--cluster", help="Only the patches of this cluster; can be repeated.",
                 metavar="NAME"),
]  # fmt: skip
ColorBy = Annotated[
    str,
    typer.Option(help="Column of the colours, of figure and html: cluster if not given.",
                 metavar="COLUMN"),
]  # fmt: skip


class ColorKind(StrEnum):
    """How few different numbers are coloured."""

    gradient = "gradient"
    classes = "classes"


ColorAs = Annotated[
    ColorKind | None,
    typer.Option(help="A column of a few different numbers as gradient, in their order, or as "
                 "classes, of figure and html; by its name if not given."),
]  # fmt: skip
Thumbnails = Annotated[
    bool, typer.Option("--thumbnails", help="Pictures of patches on the map, of figure.")
]
NoLegend = Annotated[bool, typer.Option("--no-legend", help="No legend, of figure.")]
Tiles = Annotated[
    bool,
    typer.Option("--tiles", help="Windows in place of objects, of labels and geojson: images "
                 "are not needed."),
]  # fmt: skip


def export_in_terminal(
    run: Run,
    kind: str,
    out: Path,
    *,
    selected: bool = False,
    clusters: Sequence[str] = (),
    color_by: str = "",
    color_as: str = "",
    thumbnails: bool = False,
    legend: bool = True,
    tiles: bool = False,
    overwrite: bool = False,
) -> None:
    """Write the map of a run, or some of its patches, and print what was written where.

    Parameters
    ----------
    run
        With a map.
    kind
        Name of one of the `export.KINDS`.
    out
        File or folder to write.
    selected, clusters
        Which patches: the selected ones, or those of clusters of these names; all by default.
    color_by, color_as, thumbnails, legend, tiles
        Of the kinds that have colours, pictures, a legend, or objects.
    overwrite
        Replace what is there.

    Raises
    ------
    InputError
        Where these do not fit together or the run, or ``out`` is in use.
    """
    from napari_tsimcne.export import export, kind_of

    chosen = kind_of(kind)
    if chosen.whole and (selected or clusters):
        raise InputError(f"'{kind}' tells of the whole run: leave out --selected and --cluster")
    options: dict[str, Any] = {}
    for name, given, value in (
        ("color_by", bool(color_by), color_by),
        ("color_as", bool(color_as), color_as),
        ("thumbnails", thumbnails, True),
        ("legend", not legend, False),
        ("tiles", tiles, True),
    ):
        if given:
            options[name] = value
    completed = chosen.completed(out, f"'{kind}'")
    if not overwrite and chosen.standing(completed) == "replaceable":
        raise InputError(f"{completed} exists: choose another name, or give --overwrite")
    excerpt = _excerpt(run, selected, clusters)
    with bars() as told:
        written = export(chosen, excerpt, out, overwrite=overwrite, told=told, **options)
    text = f"Wrote {written.path}: {written.amount}"
    console.print(text, highlight=False, markup=False, soft_wrap=True)
    if written.notice:
        console.print(f"Note: {written.notice}", highlight=False, markup=False, soft_wrap=True)


def _excerpt(run: Run, selected: bool, clusters: Sequence[str]) -> Excerpt:
    from napari_tsimcne.export import Excerpt
    from napari_tsimcne.runs import extended, open_exploration

    if selected and clusters:
        raise InputError("--selected and --cluster exclude each other: choose one of the two")
    run = extended(run)
    _ = run.coordinates
    exploration = open_exploration(run)
    if selected:
        return Excerpt.selected(run, exploration)
    if clusters:
        return Excerpt.of_clusters(run, exploration, clusters)
    return Excerpt.all(run, exploration)
