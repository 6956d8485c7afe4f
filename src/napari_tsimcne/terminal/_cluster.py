"""The command that makes the clusters of a map by an algorithm."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from napari_tsimcne.errors import InputError
from napari_tsimcne.terminal._terminal import console, warn

if TYPE_CHECKING:
    from napari_tsimcne.explore import Clusters, Method
    from napari_tsimcne.runs import Run


class MethodName(StrEnum):
    """Methods by the names they have in the terminal."""

    hdbscan = "hdbscan"
    kmeans = "kmeans"
    gaussian = "gaussian"


METHODS: dict[MethodName, Method] = {
    MethodName.hdbscan: "hdbscan",
    MethodName.kmeans: "k-means",
    MethodName.gaussian: "gaussian mixture",
}

USUAL_COUNT = 8


def cluster_in_terminal(
    run: Run,
    method: Method,
    *,
    count: int | None = None,
    least: int | None = None,
    in_features: bool = False,
    overwrite: bool = False,
) -> None:
    """Make clusters by an algorithm, as the window does, keep them in the run, and print them.

    Parameters
    ----------
    run
        With a map; patches that were added are clustered with its own.
    method
        How clusters are found.
    count
        How many, of all methods but HDBSCAN; 8 if not given.
    least
        Fewest patches in a cluster, of HDBSCAN; a 200th of all, and at least 5, if not given.
    in_features
        Whether the features H are clustered in place of the map.
    overwrite
        Replace the clusters that there are.

    Raises
    ------
    InputError
        Where the run has no map, it has clusters that are not to be replaced, an option does not
        fit the method, or no cluster is found.
    """
    from napari_tsimcne.explore import Origin, automatic_clusters, doubts, reduced
    from napari_tsimcne.runs import extended, open_exploration, save_exploration

    run = extended(run)
    points = run.coordinates
    exploration = open_exploration(run)
    clusters = exploration.clusters
    if len(clusters) and not overwrite:
        there = f"{len(clusters):,} cluster{'' if len(clusters) == 1 else 's'}"
        raise InputError(f"the run has {there}: give --overwrite to replace what there is")
    size = _size(method, count, least, len(points))
    if in_features:
        points = reduced(exploration.features)
    labels = automatic_clusters(points, method, size)
    if not (labels >= 0).any():
        raise InputError("no cluster was found: try a smaller --min-size, or another --method")
    origin = Origin(method=method, size=size, on="features" if in_features else "map")
    clusters.replace(labels, f"clustering by {method}", origin)
    save_exploration(run, exploration)
    _print(clusters)
    for sentence in doubts(labels):
        warn(sentence)


def _size(method: Method, count: int | None, least: int | None, patches: int) -> int:
    """Return the fewest patches in a cluster of HDBSCAN, or how many clusters others make."""
    if method == "hdbscan":
        if count is not None:
            raise InputError(
                "--n-clusters is for kmeans and gaussian: leave it out, or give --min-size"
            )
        return max(5, patches // 200) if least is None else least
    if least is not None:
        raise InputError("--min-size is for hdbscan: leave it out, or give --n-clusters")
    if count is not None and count > patches:
        raise InputError(f"--n-clusters {count} is more than there are patches ({patches:,})")
    return min(USUAL_COUNT, patches) if count is None else count


def _print(clusters: Clusters) -> None:
    from rich.markup import escape
    from rich.table import Column, Table

    sizes = clusters.sizes()
    table = Table("cluster", Column("patches", justify="right"), box=None)
    for one in clusters.all:
        table.add_row(escape(one.name), f"{sizes[one.id]:,}")
    outside = int((clusters.ids == 0).sum())
    if outside:
        table.add_row("unassigned", f"{outside:,}")
    console.print(table)
