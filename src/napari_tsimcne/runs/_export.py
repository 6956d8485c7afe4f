"""Files for other programs: a table and a figure of the map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from napari_tsimcne.explore import Exploration, class_colors
from napari_tsimcne.runs._files import written_whole
from napari_tsimcne.runs._run import Run

MAX_CLASSES = 20


def export_csv(
    run: Run,
    path: Path,
    mask: np.ndarray | None = None,
    exploration: Exploration | None = None,
) -> int:
    """Write the rows of all patches, or of those in a boolean mask (N,), and return how many.

    Columns are those of the patch table, and ``map_x, map_y`` where there is a map; with an
    ``exploration`` of the run also ``cluster``, the name of each patch's cluster, and what else
    was found. A file at ``path`` is replaced.
    """
    rows = run.rows() if exploration is None else exploration.columns()
    if mask is not None:
        rows = rows[mask]
    with written_whole(Path(path)) as draft:
        rows.to_csv(draft, index=False)
    return len(rows)


def save_map_figure(run: Run, path: Path, color_by: str | None = None) -> None:
    """Draw the map as a PNG of 1600 x 1200 px, coloured by a column of the patch table.

    One unit of the map is one width of the Cauchy kernel; the scale bar says how many it spans. Of
    three dimensions, the first two are drawn.
    """
    x, y = run.coordinates.T[:2]
    figure = Figure(figsize=(8, 6), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    size = float(np.clip(3000 / len(x), 0.5, 12))
    classes = sorted(run.table[color_by].dropna().astype(str).unique()) if color_by else []
    if 1 < len(classes) <= MAX_CLASSES:
        column = run.table[color_by].astype(str).to_numpy()
        palette = class_colors(len(classes))
        for name, color in zip(classes, palette, strict=True):
            chosen = column == name
            axes.scatter(
                x[chosen], y[chosen], s=size, color=color, linewidths=0,
                label=f"{name} ({chosen.sum():,})",
            )  # fmt: skip
        axes.legend(title=color_by, loc="center left", bbox_to_anchor=(1, 0.5), markerscale=4,
                    frameon=False)  # fmt: skip
    else:
        axes.scatter(x, y, s=size, color="#3b6fb6", linewidths=0)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(f"t-SimCNE map of {len(x):,} patches", loc="left")
    _scale_bar(axes, float(np.ptp(x)))
    with written_whole(Path(path)) as draft:
        figure.savefig(draft, format="png")


def _scale_bar(axes: Any, width: float) -> None:
    rough = max(width / 5, 1e-6)
    power = 10 ** np.floor(np.log10(rough))
    length = float(power * max(step for step in (1, 2, 5) if step * power <= rough))
    bar = AnchoredSizeBar(
        axes.transData,
        length,
        f"{length:g} kernel widths",
        "lower left",
        frameon=False,
    )
    axes.add_artist(bar)
