"""Figures of conditions, as matplotlib's: shares, difference map, plate, dose curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from textwrap import fill
from typing import ParamSpec

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FixedFormatter,
    FixedLocator,
    FuncFormatter,
    MaxNLocator,
    NullLocator,
    PercentFormatter,
)

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore._colors import CONTINUOUS, DIVERGING
from napari_tsimcne.explore.conditions._difference import (
    SIGNIFICANT,
    DifferenceMap,
    difference_text,
)
from napari_tsimcne.export.figures._drawing import families

INK, SOFT, ACCENT = "#222222", "#8a8a8a", "#0072b2"
EMPTY = "#e8e8e8"
"""Of a well without patches."""

PANELS_A_ROW = 4
MOST_PANELS = 24
MOST_CONDITIONS = 60
LONGEST_NAME, LONGEST_TITLE = 32, 22
LONGEST_INTERVAL = 1.3
"""Times the largest share of a replicate; what is longer is drawn as an arrow."""

MOST_POINTS = 20_000
"""Drawn below a difference map; of more, a sample."""

WRITTEN_ROWS = 8
"""Rows of a plate whose wells have room for a number each."""

CAPTION_WIDTH = 50
"""Of the caption below a panel of doses, in letters."""

LOGARITHMIC_FROM = 20
"""Ratio of the largest to the smallest dose above 0."""


P = ParamSpec("P")


def _in_fonts(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Let letters that one font does not have be taken from the next one."""

    @wraps(draw)
    def drawn(*given: P.args, **named: P.kwargs) -> Figure:
        with rc_context({"font.family": families()}):
            return draw(*given, **named)

    return drawn


@_in_fonts
def shares_figure(
    shares: pd.DataFrame,
    replicates: pd.DataFrame,
    colors: Mapping[int, str] | None = None,
    *,
    title: str = "",
) -> Figure:
    """Draw the share of each cluster in each condition: replicates, mean and interval.

    Parameters
    ----------
    shares
        Of `condition_shares`.
    replicates
        Of `replicate_shares`, of the same conditions.
    colors
        Of the clusters, by their id.
    title
        Above all panels.

    Raises
    ------
    InputError
        Where there are more conditions than a figure has room for.
    """
    conditions = list(dict.fromkeys(shares["condition"]))
    if len(conditions) > MOST_CONDITIONS:
        raise InputError(
            f"{len(conditions)} conditions are too many for a figure: choose a column of at most "
            f"{MOST_CONDITIONS} values"
        )
    sizes = shares.groupby("id", sort=False)["patches"].sum()
    shown = sizes[sizes > 0]
    left_out = len(shown) - MOST_PANELS
    if left_out > 0:
        shown = shown[shown.rank(ascending=False, method="first") <= MOST_PANELS]
        title = f"{title}  ({MOST_PANELS} largest clusters, {left_out} left out)".strip()
    columns = min(PANELS_A_ROW, len(shown))
    rows = -(-len(shown) // columns)
    width = max(2.3 * columns + 1.6, 4.5)
    figure = Figure((width, rows * (0.26 * len(conditions) + 0.75) + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    place = {name: number for number, name in enumerate(conditions)}
    for axes, number in zip(panels.flat, shown.index, strict=False):
        own = shares[shares["id"] == number]
        color = (colors or {}).get(number, SOFT)
        points = replicates[replicates["id"] == number]
        y = points["condition"].map(place) + _spread(points["condition"])
        if (own["replicates"] > 0).any():
            axes.scatter(points["share"], y, s=14, color=color, alpha=0.9, linewidths=0, zorder=2)
        _draw_shares_axis(axes.xaxis, axes.set_xlim, own, points)
        _draw_means(axes, own["condition"].map(place), own, across=True)
        axes.set_title(
            short(str(own["cluster"].iloc[0]), LONGEST_TITLE), loc="left", fontsize=9, color=INK
        )
        axes.grid(axis="x", color=EMPTY, linewidth=0.8, zorder=0)
    for axes in panels.flat[len(shown) :]:
        axes.set_visible(False)
    first = panels[0, 0]
    first.set_yticks(range(len(conditions)), [short(name) for name in conditions])
    first.set_ylim(len(conditions) - 0.5, -0.5)
    for axes in panels.flat:
        _plain(axes)
    _label(figure, title, "frequency (% of patches): dots are replicates, the line is their mean, "
           "the bar its interval (an arrow: it goes on)")  # fmt: skip
    return figure


@_in_fonts
def difference_figure(
    found: DifferenceMap,
    coordinates: np.ndarray,
    *,
    treated: str = "treated",
    control: str = "control",
    title: str = "",
) -> Figure:
    """Draw a difference map, with what is significant outlined, over the faint patches.

    Parameters
    ----------
    found
        Of `difference_map`.
    coordinates
        Of the patches that are drawn, (n, 2 or 3).
    treated, control
        What the two are called.
    title
        Above; by default which is compared with which.
    """
    left, right, bottom, top = found.extent
    shape = float(np.clip((top - bottom) / (right - left), 0.5, 1.5))
    figure = Figure((6.4, 4.7 * shape + 1.2), layout="constrained")
    axes = figure.add_subplot()
    picture = axes.imshow(
        found.difference, origin="lower", extent=found.extent, cmap=DIVERGING,
        vmin=-found.limit, vmax=found.limit, interpolation="bilinear",
    )  # fmt: skip
    rows = np.arange(len(coordinates))
    if len(rows) > MOST_POINTS:
        rows = np.random.default_rng(0).choice(rows, MOST_POINTS, replace=False)
    x, y = np.asarray(coordinates)[rows, :2].T
    axes.scatter(x, y, s=1.5, color=INK, alpha=0.25, linewidths=0, rasterized=True)
    # Logarithms, between which the line is at the right place.
    p = np.log(np.nan_to_num(found.p_values, nan=1.0))
    if p.min() <= np.log(SIGNIFICANT):
        rows_y, columns_x = (np.arange(count) + 0.5 for count in p.shape)
        axes.contour(
            left + columns_x * (right - left) / p.shape[1],
            bottom + rows_y * (top - bottom) / p.shape[0],
            p, levels=[np.log(SIGNIFICANT)], colors=[INK], linestyles="solid", linewidths=1.2,
        )  # fmt: skip
        line = Line2D([], [], color=INK, linewidth=1.2)
        figure.legend(
            [line], [f"p ≤ {SIGNIFICANT:g}, corrected for the whole map"],
            loc="outside lower left", frameon=False, fontsize=8, labelcolor=INK,
        )  # fmt: skip
    axes.set_xlim(x.min() - 2 * found.bandwidth, x.max() + 2 * found.bandwidth)
    axes.set_ylim(y.min() - 2 * found.bandwidth, y.max() + 2 * found.bandwidth)
    axes.set_xticks([])
    axes.set_yticks([])
    ends = f"denser in\n{short(control, 16)}", "equal density", f"denser in\n{short(treated, 16)}"
    # A formatter, as labels that are set by hand are lost with another colormap.
    bar = figure.colorbar(
        picture, ax=axes, shrink=0.7, aspect=30, ticks=[-found.limit, 0, found.limit],
        format=FixedFormatter(ends),
    )  # fmt: skip
    bar.ax.tick_params(labelsize=8, labelcolor=INK, color=INK)
    bar.outline.set_visible(False)
    _label(figure, title or f"{short(treated)} minus {short(control)}", "")
    axes.set_xlabel(fill(difference_text(found), 92), fontsize=8, color=SOFT, loc="left")
    _plain(axes)
    return figure


@_in_fonts
def plate_figure(
    table: pd.DataFrame, *, title: str = "", label: str = "frequency (% of patches)"
) -> Figure:
    """Draw the wells of a plate as a heat map.

    Parameters
    ----------
    table
        Of `plate_table`, shares in 0..1; wells without patches are grey.
    title
        Above the plate.
    label
        Of the scale of colours.
    """
    rows, columns = table.shape
    side = float(np.clip(11 / columns, 0.22, 0.62))
    width = max(side * columns + 1.6, 4.0)
    figure = Figure((width, max(side * rows + 1.0, 2.2)), layout="constrained")
    axes = figure.add_subplot(facecolor=EMPTY)
    values = table.to_numpy()
    highest = float(np.nanmax(values)) or 1.0
    picture = axes.imshow(np.ma.masked_invalid(values), cmap=CONTINUOUS, vmin=0, vmax=highest)
    letters = list(table.index)
    every = 1 if rows <= 16 else 2
    axes.set_yticks(range(0, rows, every), letters[::every])
    axes.set_xticks(range(0, columns, every), list(table.columns)[::every])
    axes.xaxis.tick_top()
    axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="both", length=0, labelsize=8)
    if rows <= WRITTEN_ROWS:
        for (row, column), value in np.ndenumerate(values):
            if np.isfinite(value):
                axes.text(
                    column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=8,
                    color="white" if value < 0.55 * highest else "black",
                )  # fmt: skip
    bar = figure.colorbar(picture, ax=axes, shrink=0.9, aspect=25)
    bar.set_label(label, color=INK)
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=_decimals(highest)))
    bar.ax.tick_params(labelsize=8, labelcolor=INK, color=INK)
    bar.outline.set_visible(False)
    _plain(axes)
    _label(figure, title, "")
    return figure


@_in_fonts
def dose_figure(
    shares: pd.DataFrame,
    replicates: pd.DataFrame,
    *,
    color: str = ACCENT,
    unit: str = "dose",
    title: str = "",
) -> Figure:
    """Draw the share of one cluster against the dose, a panel a drug.

    Doses stand on a logarithmic axis with a place for 0 where the largest is 20 times the smallest
    or more, else on a linear one.

    Parameters
    ----------
    shares
        Of `dose_shares`, of one cluster.
    replicates
        Of `replicate_dose_shares`, of the same cluster.
    color
        Of replicates.
    unit
        What stands below the axis of doses.
    title
        Above all panels; by default the cluster's name.
    """
    drugs = list(dict.fromkeys(shares["drug"]))
    columns = min(3, len(drugs))
    rows = -(-len(drugs) // columns)
    figure = Figure((3.4 * columns + 0.9, 2.7 * rows + 0.7), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    # They are shared by all panels.
    _draw_shares_axis(panels[0, 0].yaxis, panels[0, 0].set_ylim, shares, replicates)
    for axes, drug in zip(panels.flat, drugs, strict=False):
        own = shares[shares["drug"] == drug].sort_values("dose")
        points = replicates[replicates["drug"] == drug]
        axes.plot(own["dose"], own["share"], color=SOFT, linewidth=1, zorder=1)
        axes.scatter(points["dose"], points["share"], s=22, color=color, linewidths=0, zorder=3)
        _draw_means(axes, own["dose"], own, across=False)
        axes.set_title(short(drug) if drug else "", loc="left", fontsize=9, color=INK)
        axes.grid(axis="y", color=EMPTY, linewidth=0.8, zorder=0)
        _draw_doses_axis(axes, np.unique(own["dose"]))
        _plain(axes)
    for axes in panels.flat[len(drugs) :]:
        axes.set_visible(False)
    for axes in panels[:, 0]:
        axes.set_ylabel("frequency (% of patches)", fontsize=8, color=INK)
    caption = "dots are replicates, the line joins their means"
    if shares["low"].notna().any():
        caption += "; bars with ends are their intervals"
    caption = fill(caption, CAPTION_WIDTH * columns)
    _label(figure, title or str(shares["cluster"].iloc[0]), f"{unit}\n{caption}")
    return figure


def short(name: str, longest: int = LONGEST_NAME) -> str:
    """Cut a long name in its middle."""
    if len(name) <= longest:
        return name
    head = longest * 2 // 3
    return f"{name[:head].rstrip()}…{name[-(longest - head - 1) :].lstrip()}"


# --- inside ---------------------------------------------------------------------------------------


def _draw_means(axes: Axes, places: pd.Series, rows: pd.DataFrame, across: bool) -> None:
    """Draw means, and intervals where there are some; with an arrow where they leave the axes.

    ``places``: of the conditions, on y where shares run across, else on x.
    """
    _, highest = axes.get_xlim() if across else axes.get_ylim()
    place, mean = places.to_numpy(np.float64), rows["share"].to_numpy()
    known = rows["low"].notna().to_numpy()
    low, high = rows["low"].to_numpy()[known], rows["high"].to_numpy()[known]
    beyond = high > highest
    ends = np.minimum(high, highest)
    if across:
        axes.hlines(place[known], low, ends, color=INK, linewidth=1.1, zorder=3)
        axes.scatter(mean, place, marker="|", s=90, color=INK, linewidths=1.8, zorder=4)
        arrows = ends[beyond], place[known][beyond], ">"
    else:
        axes.vlines(place[known], low, ends, color=INK, linewidth=1.1, zorder=2)
        axes.scatter(place[known], mean[known], marker="_", s=60, color=INK, linewidths=1.5)
        # Without ends, the interval of the first dose looks like an axis.
        for end, inside in ((low, low > 0), (ends, ~beyond)):
            axes.scatter(place[known][inside], end[inside], marker="_", s=24, color=INK,
                         linewidths=1.1, gid="interval-end")  # fmt: skip
        arrows = place[known][beyond], ends[beyond], "^"
    axes.scatter(*arrows[:2], marker=arrows[2], s=16, color=INK, linewidths=0, clip_on=False)


def _draw_shares_axis(
    axis: Axis,
    limit: Callable[[float, float], object],
    shares: pd.DataFrame,
    replicates: pd.DataFrame,
) -> None:
    """Begin at 0, and end where replicates can be told apart, however long intervals are."""
    most = max(float(replicates["share"].max()), float(shares["share"].max()), 0.005)
    highest = min(np.nanmax([*shares["high"], most]), LONGEST_INTERVAL * most)
    limit(-0.03 * highest, min(1.06 * highest, 1.03))
    axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(PercentFormatter(1, decimals=_decimals(float(highest))))


def _draw_doses_axis(axes: Axes, doses: np.ndarray) -> None:
    above = doses[doses > 0]
    if len(above) and doses.min() >= 0 and above.max() >= LOGARITHMIC_FROM * above.min():
        axes.set_xscale("symlog", linthresh=above.min(), linscale=0.6)
        axes.set_xlim(-0.3 * above.min() if doses.min() == 0 else above.min() / 1.5,
                      above.max() * 1.5)  # fmt: skip
    axes.xaxis.set_minor_locator(NullLocator())
    if len(doses) <= 12:
        axes.xaxis.set_major_locator(FixedLocator(doses.tolist()))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
        if max(len(f"{dose:.4g}") for dose in doses) > 2:
            axes.tick_params(axis="x", labelrotation=45)


def _spread(conditions: pd.Series) -> np.ndarray:
    """Move replicates of a condition apart, up and down by at most a quarter."""
    number = conditions.groupby(conditions, sort=False).cumcount().to_numpy()
    count = conditions.groupby(conditions, sort=False).transform("size").to_numpy()
    return np.where(count > 1, 0.5 * number / np.maximum(count - 1, 1) - 0.25, 0.0)


def _decimals(highest: float) -> int:
    return 0 if highest >= 0.1 else 1


def _plain(axes: Axes) -> None:
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=8, labelcolor=INK)


def _label(figure: Figure, title: str, below: str) -> None:
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, color=INK, weight="bold")
    if below:
        figure.supxlabel(below, fontsize=8, color=INK)
