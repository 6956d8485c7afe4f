"""The command that learns a map again with another seed, and tells which of it to believe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_tsimcne.terminal._terminal import console, train_in_terminal

if TYPE_CHECKING:
    import pandas as pd

    from napari_tsimcne.explore import Clusters
    from napari_tsimcne.runs import Comparison, Run


def compare_in_terminal(run: Run, seed: int | None, device: str) -> None:
    """Train the patches of a run with another seed, compare the maps, and print how stable it is.

    Parameters
    ----------
    run
        With a map learnt to its end.
    seed
        None: one that was begun and not learnt to its end, or else a new one.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises
    ------
    InputError
        Where the run has no such map, or the seed is its own.
    """
    from napari_tsimcne.runs import compare_seeds, next_seed, seed_run

    seed = next_seed(run) if seed is None else seed
    other = seed_run(run, seed)
    if other.info.state == "trained":
        console.print(f"The seed {seed} was learnt before", highlight=False)
    else:
        console.print(f"Learning the map again with the seed {seed}", highlight=False)
        train_in_terminal(other, device)
    _print(run, compare_seeds(run))


def _print(run: Run, found: Comparison) -> None:
    from napari_tsimcne.explore import cluster_stability, stability_text
    from napari_tsimcne.runs import open_exploration

    if len(found.seeds) > 1:
        seeds = ", ".join(map(str, found.seeds))
        console.print(f"Means over the seeds {seeds}", highlight=False)
    console.print(stability_text(found.stability, found.neighbors), highlight=False, soft_wrap=True)
    clusters = open_exploration(run).clusters
    if not len(clusters):
        clusters = _islands(run.coordinates)
        console.print("Islands of the map, as HDBSCAN finds them (the run has no clusters yet):")
    if len(clusters):
        _print_clusters(cluster_stability(clusters, found.stability, found.near))


def _islands(coordinates: np.ndarray) -> Clusters:
    from napari_tsimcne.explore import Clusters, automatic_clusters

    count = len(coordinates)
    clusters = Clusters(count)
    clusters.replace(automatic_clusters(coordinates, "hdbscan", max(5, count // 200)))
    return clusters


def _print_clusters(found: pd.DataFrame) -> None:
    from rich.table import Column, Table

    names = ("patches", "same neighbours", "keeps together", "by chance")
    table = Table("cluster", *(Column(name, justify="right") for name in names), box=None)
    for row in found.itertuples():
        shares = (row.stability, row.together, row.together_by_chance)
        texts = ["" if np.isnan(share) else f"{share:.1%}" for share in shares]
        table.add_row(row.name, f"{row.size:,}", *texts)
    console.print(table)
    console.print(
        "Same neighbours: share of the nearest patches that stay the same. Keeps together: share "
        "of a patch's nearest ones on the other map that are of its own cluster; a cluster that "
        "keeps together is an island there too.",
        highlight=False,
    )
