"""The checks of a map as one page of HTML: to be read, printed, or sent."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from napari_tsimcne import __version__
from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import (
    Aspect,
    Coloring,
    Exploration,
    MapChecks,
    Stability,
    Suspects,
    TruthScores,
    aspects,
    in_percent,
    shown,
)
from napari_tsimcne.export._outputs import check_outside, new_file
from napari_tsimcne.export._pictures import Pictures, patch_pictures
from napari_tsimcne.export.pages._page import data_uri, policy, render
from napari_tsimcne.runs import Run

SUFFIXES = (".html", ".htm")

MAP_INCHES, MAP_DPI = 4.2, 180
MAP_ASPECT = (0.6, 1.3)

MOST_MAPS = 3
"""Of what similar patches share."""

MOST_GROUPS, MOST_OF_GROUP = 12, 6
"""Of duplicates, and patches of each, that are shown."""

MOST_PICTURES = 24
"""Of outliers, empty or saturated patches."""

LARGEST_PICTURE = 128
"""Side in pixels; larger ones are reduced."""

MOST_CLASSES = 24
"""Of a confusion matrix; of more, the largest."""


class Tile(NamedTuple):
    """A picture of a patch, its image and its number."""

    picture: str
    image: str
    number: int


class MapPicture(NamedTuple):
    """A map coloured by something.

    ``classes``: colour, name and count of each; or else ``scale``, colours from low to high, and
    its ``limits``.
    """

    title: str
    picture: str
    classes: tuple[tuple[str, str, str], ...] = ()
    scale: str = ""
    limits: tuple[str, str] = ("", "")


def check_report_path(path: Path, run: Run) -> None:
    """Refuse where no report is written: in the folder of a run, and in files of other kinds.

    Raises
    ------
    InputError
        With what to choose.
    """
    check_outside(path, run.folder)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"the report is a page: '{path.name}' must end in .html")


def export_check_report(
    checks: MapChecks,
    run: Run,
    exploration: Exploration,
    path: Path,
    *,
    pictures: Pictures | None = None,
    overwrite: bool = False,
) -> None:
    """Write what the checks of a map have found, with pictures and plots, as one page.

    The page holds all it shows: it needs no other file, no network and no script.

    Parameters
    ----------
    checks
        Of the map.
    run, exploration
        What was checked.
    path
        Of the page, ``.html`` or ``.htm``, outside of the run's folder.
    pictures
        Draws patches; in the ranges of their channels if not given.
    overwrite
        Replace the file that is at ``path``.

    Raises
    ------
    InputError
        Where ``path`` exists and ``overwrite`` is false, or it cannot be written there.
    """
    check_report_path(path, run)
    draw = patch_pictures(run) if pictures is None else pictures
    images, stability = checks.table["image"].to_numpy(), checks.stability
    with new_file(path, overwrite) as draft:
        kept = pd.Series(checks.faithfulness.recall)
        page = render(
            "check.html",
            policy=policy(),
            version=__version__,
            title=f"Checks of the map {run.folder.name}",
            lines=_about(checks, run),
            findings=checks.findings,
            faithfulness=checks.faithfulness,
            kept=_histogram(checks.faithfulness.recall, checks.faithfulness.neighbors),
            chance_at=checks.faithfulness.chance * checks.faithfulness.neighbors,
            kept_map=_map(exploration, Aspect("neighbours kept", "features", kept)),
            confounds=[row._asdict() for row in checks.confounds.ranked.itertuples()],
            left_out=checks.confounds.left_out,
            scored=checks.confounds.scored,
            confound_maps=_confound_maps(checks, exploration, run),
            suspects=_suspects(checks.suspects, images, draw),
            stability=None if stability is None else _stability(stability, exploration),
            truth=None if checks.truth is None else _truth(checks.truth),
            patch_side=draw.side,
            channels=draw.channels,
            pixelated=draw(np.array([0])).shape[1] <= 48,
            shown=shown,
            in_percent=in_percent,
        )
        draft.write_text(page, encoding="utf-8")


def _about(checks: MapChecks, run: Run) -> list[str]:
    count = checks.table["image"].nunique()
    images = f"{count:,} image{'' if count == 1 else 's'}"
    return [
        f"{len(checks):,} patches of {images}; trained with seed {run.recipe.seed}; checked on "
        f"{date.today():%d %B %Y} by napari-tsimcne {__version__}"
    ]


# --- maps -----------------------------------------------------------------------------------------


def _map(exploration: Exploration, aspect: Aspect) -> MapPicture | None:
    """Draw the map by what is known of each patch; None where nothing can be coloured by it."""
    table = pd.DataFrame({"value": aspect.values.array})
    coloring = Coloring(Exploration(table, exploration.coordinates, lambda: np.empty((0, 0))))
    if "value" not in coloring.choices:
        return None
    coloring.choose("value")
    title = aspect.label[:1].upper() + aspect.label[1:]
    picture = data_uri(_scatter(exploration.coordinates, coloring.colors), "image/png")
    if coloring.limits is None:
        classes = [(one.color, one.name, f"{one.count:,}") for one in coloring.categories]
        return MapPicture(title, picture, classes=tuple(classes))
    scale = ", ".join(to_hex(color) for color in coloring.steps[::15])
    low, high = coloring.limits
    return MapPicture(title, picture, scale=scale, limits=(f"{low:.3g}", f"{high:.3g}"))


def _scatter(coordinates: np.ndarray, colors: np.ndarray) -> bytes:
    """Draw points (N, 2) in colours (N, 4), on nothing, as PNG."""
    width, height = np.ptp(coordinates, axis=0)
    aspect = np.clip(height / width, *MAP_ASPECT) if width > 0 else 1.0
    figure = Figure(figsize=(MAP_INCHES, MAP_INCHES * aspect), dpi=MAP_DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.02, 0.02, 0.96, 0.96))
    axes.set_axis_off()
    # In random order, so that no class hides another.
    order = np.random.default_rng(0).permutation(len(coordinates))
    area = float(np.clip(24_000 / max(1, len(coordinates)), 0.6, 16))
    x, y = coordinates[order].T
    axes.scatter(x, y, s=area, c=colors[order], linewidths=0)
    axes.set_aspect("equal", adjustable="datalim")
    content = io.BytesIO()
    figure.savefig(content, format="png", transparent=True)
    return content.getvalue()


def _confound_maps(checks: MapChecks, exploration: Exploration, run: Run) -> list[MapPicture]:
    """Draw the map by the few things it follows most, each of another kind."""
    names = [channel.name for channel in run.info.channels]
    known = aspects(checks.table, exploration.features, checks.measures, names)
    followed = checks.confounds.ranked
    followed = followed[followed["follows"] != "no"]
    # Columns of the table tell each of something else; contrast is much like brightness.
    kinds = (
        followed["kind"]
        .where(followed["kind"] != "metadata", followed.index.to_series())
        .replace("contrast", "brightness")
    )
    found: list[MapPicture] = []
    for name in followed.index[~kinds.duplicated()]:
        drawn = _map(exploration, known[name]) if len(found) < MOST_MAPS else None
        if drawn is not None:
            found.append(drawn)
    return found


# --- plots ----------------------------------------------------------------------------------------


def _histogram(recall: np.ndarray, neighbors: int) -> list[tuple[int, float]]:
    """Patches by how many of their neighbours are kept: their number, and height in 0..1."""
    kept = np.rint(recall[np.isfinite(recall)] * neighbors).astype(int)
    counts = np.bincount(kept, minlength=neighbors + 1)
    return [(int(count), float(count / counts.max())) for count in counts]


# --- patches --------------------------------------------------------------------------------------


def _suspects(found: Suspects, images: np.ndarray, draw: Pictures) -> dict[str, object]:
    def tiles(rows: np.ndarray, most: int) -> list[Tile]:
        rows = np.asarray(rows)[:most]
        if not len(rows):
            return []
        return [
            Tile(data_uri(_png(picture), "image/png"), str(images[row]), int(row))
            for row, picture in zip(rows, draw(rows), strict=True)
        ]

    def groups(of: tuple[np.ndarray, ...]) -> list[tuple[list[Tile], int]]:
        return [(tiles(rows, MOST_OF_GROUP), len(rows)) for rows in of[:MOST_GROUPS]]

    return {
        "exact": groups(found.exact),
        "exact_count": len(found.exact),
        "near": groups(found.near),
        "near_count": len(found.near),
        "unlike": tiles(found.unlike, MOST_PICTURES),
        "unlike_count": len(found.unlike),
        "empty": tiles(found.empty, MOST_PICTURES),
        "empty_count": len(found.empty),
        "saturated": tiles(found.saturated, MOST_PICTURES // 2),
        "saturated_count": len(found.saturated),
        "highest": [row._asdict() for row in found.highest.rename_axis("channel").itertuples()],
    }


def _png(picture: np.ndarray) -> bytes:
    image = Image.fromarray(picture)
    image.thumbnail((LARGEST_PICTURE, LARGEST_PICTURE))
    content = io.BytesIO()
    image.save(content, format="png", optimize=True)
    return content.getvalue()


# --- stability and truth --------------------------------------------------------------------------


def _stability(found: Stability, exploration: Exploration) -> dict[str, object]:
    values = pd.Series(found.values)
    return {
        "seeds": ", ".join(map(str, found.seeds)),
        "mean": float(np.nanmean(found.values)),
        "clusters": [row._asdict() for row in found.by_cluster.itertuples()],
        "map": _map(exploration, Aspect("neighbours that stay", "features", values)),
    }


def _truth(found: TruthScores) -> dict[str, object]:
    sizes = found.confusion.sum(axis=1).sort_values(ascending=False, kind="stable")
    names = [name for name in found.confusion.index if name in sizes.index[:MOST_CLASSES]]
    counts = found.confusion.loc[names, names].to_numpy()
    shares = counts / np.maximum(found.confusion.loc[names].sum(axis=1).to_numpy()[:, None], 1)
    return {
        "scores": found,
        "names": names,
        "rows": [(name, f"{sizes[name]:,}", shares[i].tolist()) for i, name in enumerate(names)],
        "classes": len(found.confusion),
    }
