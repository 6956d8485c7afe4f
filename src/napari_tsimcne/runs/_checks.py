"""All checks of the map of a run."""

from __future__ import annotations

import numpy as np

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import (
    Exploration,
    MapChecks,
    Stability,
    aspects,
    cluster_stability,
    confounds,
    faithfulness,
    nearest,
    shared,
    suspects,
    truth_scores,
)
from napari_tsimcne.patches import Told, measure_patches
from napari_tsimcne.runs._run import Run
from napari_tsimcne.runs._seeds import seed_runs


def check_run(
    run: Run,
    exploration: Exploration,
    *,
    truth: str | None = None,
    told: Told = lambda what, done, total: None,
) -> MapChecks:
    """Check whether the map of a run can be trusted, and what it shows.

    Takes seconds for 10,000 patches, about two minutes for 100,000; nothing is written.

    Parameters
    ----------
    run
        With a map; with its additions, if it has any.
    exploration
        Of all its N patches.
    truth
        A column of the patch table that holds the known class of patches.
    told
        Progress; may raise to cancel.

    Raises
    ------
    InputError
        Where there is no map yet, or no such column, or it cannot be a truth.
    """
    run.check_has_map()
    table = run.table
    if truth is not None and truth not in table:
        there = ", ".join(map(str, table.columns))
        raise InputError(f"the patches have no column '{truth}': they have {there}")
    names = [channel.name for channel in run.info.channels]
    margin = run.recipe.margin or 0
    features = np.asarray(exploration.features)
    coordinates = exploration.coordinates
    near = nearest(coordinates)
    # Before what takes long: it tells whether the column suits.
    scores = None
    if truth is not None:
        scores = truth_scores(coordinates, features, exploration.clusters, table[truth], near)
    measures = measure_patches(run.store, margin, names, told)
    asked = aspects(table, features, measures, names)
    derived = {
        name: aspect.values.to_numpy()
        for name, aspect in asked.items()
        if name not in table and name not in measures
    }
    return MapChecks(
        table=table,
        measures=measures.assign(**derived),
        faithfulness=faithfulness(coordinates, features, told=told),
        confounds=confounds(near, asked, table["image"].to_numpy(), told=told),
        suspects=suspects(
            run.store, margin, features, near, measures, names, _spans(run), told
        ),
        stability=_stability(run, exploration),
        truth=scores,
    )  # fmt: skip


def _spans(run: Run) -> np.ndarray:
    """Width of the range of each channel, (1, C) or (N, C)."""
    low, high, group = run.value_ranges()
    spans = high - low
    return spans if group is None else spans[group]


def _stability(run: Run, exploration: Exploration) -> Stability | None:
    others = [other for other in seed_runs(run) if other.info.state == "trained"]
    if run.info.state != "trained" or not others:
        return None
    near = [nearest(other.coordinates) for other in others]
    count = len(near[0])
    own = nearest(exploration.coordinates[:count])
    kept = np.asarray(np.mean([shared(own, other) for other in near], axis=0), np.float32)
    values = np.full(len(exploration), np.nan, np.float32)
    values[:count] = kept
    return Stability(
        tuple(other.recipe.seed for other in others),
        values,
        cluster_stability(exploration.clusters, kept, near),
    )
