"""The map as a figure for print: PNG, PDF or SVG."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import MISSING_COLOR, Category, Coloring, ColorKind, rgba
from napari_tsimcne.export._excerpt import Excerpt
from napari_tsimcne.export._outputs import new_file
from napari_tsimcne.export._pictures import Pictures, patch_pictures
from napari_tsimcne.export.figures._drawing import (
    POINT,
    TITLE_SIZE,
    WIDTH,
    Box,
    Drawing,
    check_suffix,
)
from napari_tsimcne.export.figures._figure_legend import Legend, Scale
from napari_tsimcne.export.figures._map_panel import CONTEXT_COLOR, MapPanel, placed_rows, shape_of
from napari_tsimcne.export.figures._picture_key import KEY, draw_picture_key

CLUSTER = "cluster"
PATCHES = "patches"
"""What all are called where there is no cluster yet."""

NOT_EXPORTED = "not exported"

EDGE, GAP, FOOT = 1.0, 4.0, 6.0
"""Millimetres: at the right end, between map and legend, below the map for the scale bar."""

LEAST_HEIGHT = 74.0
"""Millimetres: 20 classes, as a column of the table has at most, are listed beside the map."""


def export_figure(
    excerpt: Excerpt,
    path: Path,
    *,
    color_by: str = CLUSTER,
    color_as: ColorKind | None = None,
    legend: bool = True,
    thumbnails: bool = False,
    pictures: Pictures | None = None,
    title: str = "",
    overwrite: bool = False,
) -> str:
    """Draw the map, 180 mm wide as two columns of a journal are, in the colours of the window.

    Letters are 7 and 8 points high and stay text in PDF and SVG. Above 20,000 patches the points
    are one picture of 500 dpi in these, too. Patches that are not exported are light grey below
    the others. A scale bar tells how far apart neighbours are: in widths of the Cauchy kernel.

    Parameters
    ----------
    excerpt
        The patches shown in colour.
    path
        Ends in ``.png`` (500 dpi), ``.pdf`` or ``.svg``.
    color_by
        One of `Coloring.choices`: ``cluster``, ``density``, or a column of the patch table.
    color_as
        Few different numbers as a ``gradient`` or as ``classes``; None: as in the window.
    legend
        Classes with their numbers of patches, or a scale of colours, beside the map. Of more
        classes than there is room for, the largest.
    thumbnails
        Pictures of patches stand in frames of their colours where they do not overlap.
    pictures
        Makes them; by default as the run stores their ranges.
    title
        Above the map.
    overwrite
        Replace a file at ``path``.

    Returns
    -------
    str
        What the user is to be told of it, a sentence: empty if nothing is.

    Raises
    ------
    InputError
        Where there is no map, nothing of the name ``color_by``, or the file exists or cannot be
        written.
    """
    check_suffix(path)
    with new_file(path, overwrite) as draft:
        if thumbnails and pictures is None:
            pictures = patch_pictures(excerpt.run)
        drawn = pictures if thumbnails else None
        drawing = map_drawing(excerpt, color_by, legend, drawn, title, color_as)
        notice = drawing.save(draft, title or f"Map of {len(excerpt):,} patches")
    return notice


def map_drawing(
    excerpt: Excerpt, color_by: str, legend: bool, pictures: Pictures | None, title: str,
    color_as: ColorKind | None = None,
) -> Drawing:  # fmt: skip
    """Draw the map; see `export_figure`."""
    exploration, rows = excerpt.exploration, placed_rows(excerpt)
    coloring = _coloring(excerpt, color_by, color_as)
    every = exploration.coordinates[exploration.placed]
    others = np.setdiff1d(np.flatnonzero(exploration.placed), rows, assume_unique=True)
    beside = None
    if legend:
        scale = Scale(coloring.steps, coloring.limits) if coloring.limits else None
        entries = _entries(coloring, rows)
        if not len(exploration.clusters) and color_by == CLUSTER:
            entries = [replace(entry, name=PATCHES) for entry in entries]
        if len(others):
            entries.append(Category(NOT_EXPORTED, CONTEXT_COLOR, len(others), True))
        beside = Legend(color_by, entries, scale)
        if not beside.fits(_map_size(every, beside)[1]):
            beside = Legend(color_by, entries, scale, columns=2)
    width, height = _map_size(every, beside)
    head = 2 * TITLE_SIZE * POINT if title else 0.0
    foot = FOOT + (KEY if pictures else 0.0)
    drawing = Drawing(WIDTH, foot + height + head)
    if title:
        drawing.text(
            0.5, foot + height + 2, title, width=WIDTH - 1, size=TITLE_SIZE, weight="bold",
            gid="title",
        )  # fmt: skip
    panel = MapPanel(drawing, Box(0, foot, width, height), every, 4.0 if pictures else 1.5)
    panel.context(exploration.coordinates[others])
    places, colors = exploration.coordinates[rows], coloring.colors[rows]
    panel.points(places, colors)
    if pictures:
        panel.thumbnails(rows, places, colors, pictures)
        draw_picture_key(drawing, 1.5, FOOT, WIDTH - 3, pictures)
    panel.scale_bar(1.5, 1.8, WIDTH - 3)
    if beside:
        beside.draw(drawing, Box(width + GAP, foot, beside.width, height))
    return drawing


def _map_size(coordinates: np.ndarray, beside: Legend | None) -> tuple[float, float]:
    """Return width and height of the map in millimetres, beside its legend."""
    width = WIDTH - EDGE - (GAP + beside.width if beside else 0.0)
    return width, max(width * shape_of(coordinates), LEAST_HEIGHT)


def _coloring(excerpt: Excerpt, color_by: str, color_as: ColorKind | None = None) -> Coloring:
    coloring = Coloring(excerpt.exploration)
    if color_by not in coloring.choices:
        raise InputError(
            f"the map cannot be coloured by '{color_by}': "
            f"choose one of {', '.join(coloring.choices)}"
        )
    coloring.choose(color_by)
    if color_as is not None:
        show_as(coloring, color_as)
    return coloring


def show_as(coloring: Coloring, kind: ColorKind) -> None:
    """Colour as a gradient or as classes.

    Raises
    ------
    InputError
        Where the column cannot be coloured so.
    """
    if kind != coloring.kind and kind not in coloring.kinds:
        raise InputError(
            f"'{coloring.column}' cannot be coloured as {kind}: only columns of a few different "
            "numbers can be coloured as a gradient or as classes"
        )
    coloring.show_as(kind)


def _entries(coloring: Coloring, rows: np.ndarray) -> list[Category]:
    """Return the classes of some rows, counted among these."""
    entries = list(coloring.categories)
    if coloring.codes is not None:
        counts = np.bincount(coloring.codes[rows], minlength=len(entries)).tolist()
        entries = [replace(one, count=n) for one, n in zip(entries, counts, strict=True)]
    if coloring.missing:
        grey = (coloring.colors[rows] == rgba([MISSING_COLOR])).all(axis=1)
        entries.append(Category("missing", MISSING_COLOR, int(grey.sum()), True))
    return [entry for entry in entries if entry.count]
