"""The map as one page of HTML: to be sent to a colleague, and opened without anything else."""

from __future__ import annotations

import base64
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from pandas.api.types import is_bool_dtype, is_integer_dtype, is_numeric_dtype

from napari_tsimcne import __version__
from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import MISSING_COLOR, Coloring, ColorKind, Exploration
from napari_tsimcne.export._excerpt import Excerpt
from napari_tsimcne.export._outputs import new_file
from napari_tsimcne.export._pictures import Pictures, patch_pictures
from napari_tsimcne.export.figures._map_figure import show_as
from napari_tsimcne.export.pages._page import inlined, policy, render
from napari_tsimcne.export.pages._sheets import draw_sheets
from napari_tsimcne.patches import Told
from napari_tsimcne.runs import ADDED_COLUMNS

CLUSTER = "cluster"

SCRIPTS = ("map_data.js", "map_view.js", "map_card.js", "map_input.js", "map_legend.js")

MOST_COLUMNS = 24
"""That can be coloured by, and whose values are told of each patch."""

PLACE = ("patch", "image", "t", "z", "y", "x", "size", "label")
"""Columns of every patch table; all others were measured or joined."""

EXACT_IN_FLOAT32 = 2**24
"""Whole numbers up to here are."""

BAR_STEP = 15
"""Of the colours of a scale, every so many are given to the colour bar: the last one, too."""


def export_html_map(
    excerpt: Excerpt,
    path: Path,
    *,
    color_by: str = CLUSTER,
    color_as: ColorKind | None = None,
    title: str = "",
    pictures: Pictures | None = None,
    most_pictures: int = 10_000,
    overwrite: bool = False,
    told: Told = lambda what, done, total: None,
) -> int:
    """Write the map as one page that needs no other file and no network; return its patches.

    A browser shows it: moved and zoomed, with each patch and what is known of it under the
    pointer, coloured by any of its columns.

    Parameters
    ----------
    excerpt
        What is on it: those of its patches that have a place on the map.
    path
        Of the page, ``.html``.
    color_by
        The column that it is coloured by at first, one of `Coloring.choices`.
    color_as
        That column as a ``gradient`` or as ``classes``, where it holds a few different numbers;
        None: as in the window.
    title
        Its heading; the run's name if empty.
    pictures
        Draws patches; in the ranges of their channels if not given.
    most_pictures
        Of more patches, so many evenly drawn ones have a picture; 0: none has.
    overwrite
        Replace the file that is at ``path``.
    told
        Progress; an exception it raises cancels, and nothing is written.

    Raises
    ------
    InputError
        Where there is no map, no such column, or the file cannot be written.
    """
    run, exploration = excerpt.run, excerpt.exploration
    rows = excerpt.rows[exploration.placed[excerpt.rows]]
    if not len(rows):
        raise InputError(f"{run.folder.name} has no map yet: train it first")
    colorings = _colorings(exploration, rows, color_by, color_as)
    columns, left_out = _columns(exploration.table, rows)
    with new_file(path, overwrite) as draft:
        some = rows[_evenly(len(rows), most_pictures)]
        pictures = pictures or patch_pictures(run)
        sheets = draw_sheets(pictures, some, told)
        content = {
            "count": len(rows),
            "coordinates": _stored(exploration.coordinates[rows].astype(np.float32)),
            "patches": _stored(rows.astype(np.uint32)),
            "colorings": colorings,
            "columns": columns,
            "pictures": None
            if not len(some)
            else {
                "tiles": _tiles(rows, some),
                "kind": sheets.kind,
                "side": sheets.side,
                "cell": sheets.cell,
                "across": sheets.across,
                "capacity": sheets.capacity,
                "patch": pictures.side,
                "channels": pictures.channels,
            },
        }
        script = inlined(*SCRIPTS)
        page = render(
            "map.html",
            title=title or run.folder.name,
            lines=_lines(excerpt, len(rows), len(some), left_out),
            version=__version__,
            policy=policy(script),
            content=content,
            sheets=[base64.b64encode(sheet).decode() for sheet in sheets.files],
            script=script,
        )
        draft.write_bytes(page.encode())
    return len(rows)


def _lines(excerpt: Excerpt, count: int, with_picture: int, left_out: int) -> list[str]:
    """Say what the map is of, and from when."""
    run = excerpt.run
    images = excerpt.run.table["image"].iloc[excerpt.rows].nunique()
    total = len(run.table)
    many = f"{count:,}" if count == total else f"{count:,} of {total:,}"
    dimensions = ", the first two of its three dimensions" if run.recipe.map_dimensions == 3 else ""
    stopped = "; its training was stopped early" if run.info.state == "stopped" else ""
    lines = [
        f"t-SimCNE map of {many} patch{'' if total == 1 else 'es'} of {images:,} "
        f"image{'' if images == 1 else 's'}{dimensions}{stopped}. Patches cut on "
        f"{run.info.created:%Y-%m-%d}, page written on {date.today():%Y-%m-%d} by "
        f"napari-tsimcne {__version__}."
    ]
    if with_picture < count:
        lines.append(
            f"{with_picture:,} of the patches, evenly drawn, have a picture."
            if with_picture
            else "Patches have no pictures."
        )
    if left_out:
        lines.append(
            f"{left_out} further column{' is' if left_out == 1 else 's are'} not on this page."
        )
    return lines


def _evenly(count: int, most: int) -> np.ndarray:
    """Places of up to ``most`` of ``count`` things, ascending, evenly spaced."""
    if most >= count:
        return np.arange(count)
    return np.linspace(0, count - 1, max(0, most)).round().astype(np.intp)


# --- what they are coloured by --------------------------------------------------------------------


def _colorings(
    exploration: Exploration, rows: np.ndarray, first: str, kind: ColorKind | None
) -> list[dict[str, Any]]:
    """Describe what can be coloured by, ``first`` being the first."""
    coloring = Coloring(exploration)
    choices = list(coloring.choices)
    if first not in choices:
        raise InputError(
            f"the map cannot be coloured by '{first}': choose one of {', '.join(choices)}"
        )
    if not len(exploration.clusters) and first != CLUSTER:
        choices.remove(CLUSTER)
    clusters = len(exploration.clusters)
    described = []
    for column in [first, *(name for name in choices if name != first)][:MOST_COLUMNS]:
        coloring.choose(column)
        if column == first and kind is not None:
            show_as(coloring, kind)
        if coloring.limits:
            described.append({"column": column, **_scale(coloring, rows)})
            continue
        last = coloring.categories[-1]
        # A cluster may have any colour.
        is_missing = (
            len(coloring.categories) > clusters
            if column == CLUSTER
            else last.color == MISSING_COLOR
        )
        missing = last.name if is_missing else None
        described.append({"column": column, **_classes(coloring, rows, missing)})
    return described


def _classes(coloring: Coloring, rows: np.ndarray, missing: str | None) -> dict[str, Any]:
    """Describe those classes that some of the patches are in; ``missing`` is that of no value."""
    assert coloring.codes is not None
    held, codes, counts = np.unique(coloring.codes[rows], return_inverse=True, return_counts=True)
    categories = [coloring.categories[i] for i in held]
    names = [category.name for category in categories]
    return {
        "codes": _stored(codes.astype(np.uint16)),
        "names": names,
        "colors": [category.color for category in categories],
        "counts": counts.tolist(),
        "missing": names.index(missing) if missing in names else None,
    }


def _scale(coloring: Coloring, rows: np.ndarray) -> dict[str, Any]:
    """Describe the colours that some of the patches have, and the colour bar."""
    colors, codes = np.unique(coloring.colors[rows], axis=0, return_inverse=True)
    names = [to_hex(color) for color in colors]
    missing = names.index(MISSING_COLOR) if MISSING_COLOR in names else None
    return {
        "codes": _stored(codes.reshape(-1).astype(np.uint16)),
        "colors": names,
        "limits": coloring.limits,
        "bar": [to_hex(color) for color in coloring.steps[::BAR_STEP]],
        "missing": missing,
        "count_missing": int((codes == missing).sum()) if missing is not None else 0,
    }


# --- what is told of a patch ----------------------------------------------------------------------


def _columns(table: pd.DataFrame, rows: np.ndarray) -> tuple[list[dict[str, Any]], int]:
    """Describe what is told of each patch; also return how many columns are left out."""
    moves = [name for name in "tz" if table[name].nunique() > 1]
    places = {"image": "image", **dict.fromkeys([*moves, "y", "x"], "position")}
    if set(ADDED_COLUMNS) <= set(table):
        places |= {name: name for name in ADDED_COLUMNS}
    values = [name for name in table.columns if name not in places and name not in PLACE]
    # What was joined to the patches, such as a treatment, tells more than one more number.
    values.sort(key=lambda name: is_numeric_dtype(table[name]))
    kept = values[:MOST_COLUMNS]
    described = [
        {"name": str(name), "place": places.get(name, ""), **_values(table[name].iloc[rows])}
        for name in [*places, *kept]
    ]
    return described, len(values) - len(kept)


def _values(column: pd.Series) -> dict[str, Any]:
    """Store a column: numbers as they are (missing: NaN), all else as places in a list of texts.

    A missing text has the place behind the last.
    """
    if is_numeric_dtype(column) and not is_bool_dtype(column):
        values = column.to_numpy(np.float64, na_value=np.nan)
        is_whole = is_integer_dtype(column)
        if not is_whole or np.nanmax(np.abs(values), initial=0) <= EXACT_IN_FLOAT32:
            values = values.astype(np.float32)
        return {"kind": "whole" if is_whole else "number", "values": _stored(values)}
    codes, texts = pd.factorize(column.astype("string"))
    codes = np.where(codes < 0, len(texts), codes).astype(np.uint32)
    return {"kind": "text", "values": _stored(codes), "texts": [str(text) for text in texts]}


def _stored(values: np.ndarray) -> dict[str, str]:
    """Store an array as its bytes, the lowest first; integers in as few as they need."""
    if values.dtype.kind == "u":
        values = values.astype(np.min_scalar_type(int(values.max(initial=0))))
    little = values.astype(values.dtype.newbyteorder("<"))
    return {"type": str(values.dtype), "data": base64.b64encode(little.tobytes()).decode()}


# --- pictures -------------------------------------------------------------------------------------


def _tiles(rows: np.ndarray, with_picture: np.ndarray) -> dict[str, str]:
    """Give each patch the number of its tile, from 1; 0: it has no picture."""
    tiles = np.zeros(len(rows), np.uint32)
    tiles[np.searchsorted(rows, with_picture)] = np.arange(1, len(with_picture) + 1)
    return _stored(tiles)
