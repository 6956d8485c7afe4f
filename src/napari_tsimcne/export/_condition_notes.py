"""How conditions were compared, in the words that a reader of the results needs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from napari_tsimcne import __version__
from napari_tsimcne.explore import DifferenceMap
from napari_tsimcne.explore.conditions._conditions import CONFIDENCE, PERMUTATIONS, SEED
from napari_tsimcne.explore.conditions._difference import PERMUTATIONS as OF_MAPS
from napari_tsimcne.explore.conditions._permutations import ways


def how_compared(
    replicate: str | None,
    control: str | None,
    treated: str | None,
    where: str,
    counted: np.ndarray,
    comparison: pd.DataFrame | None,
    differences: Mapping[str, DifferenceMap],
    trends: bool,
) -> str:
    """Tell what was compared how, a line each: what must be cited with the results.

    Parameters
    ----------
    replicate, control, treated
        See `ConditionColumns`.
    where
        What limits the patches; empty: nothing.
    counted
        Which patches were looked at, (N,) booleans.
    comparison, differences
        Of `compare_conditions` and `difference_map`, by condition.
    trends
        Whether there are some of doses.
    """
    patches = f"{counted.sum():,} of {len(counted):,}"
    lines = [
        f"Replicate: {replicate or 'none, patches are taken as independent'}",
        f"Control: {control or 'none'}",
        f"Treated: {treated or ('every other condition, each for itself' if control else 'none')}",
        f"Patches: {patches}" + (f", those with {where}" if where else ""),
        f"Intervals of shares: {100 * CONFIDENCE:.0f} %",
        "Differences of shares: fractions in the tables, of which 0.01 is 1 percentage point",
    ]
    if comparison is not None:
        lines += [
            f"Relabelings of replicates, shares, {row.condition} against {control}: "
            f"{ways(row.replicates, row.control_replicates, PERMUTATIONS)}"
            for row in comparison.drop_duplicates("condition").itertuples()
        ]
    for name, found in differences.items():
        if found.treated_replicates:
            made = ways(found.treated_replicates, found.control_replicates, OF_MAPS)
            what = "Relabelings of replicates"
        else:
            made, what = f"{OF_MAPS:,} drawn at random", "Relabelings of patches"
        lines += [
            f"{what}, difference map, {name} against {control}: {made}",
            f"Smoothing, difference map, {name} against {control}: Gaussian of standard deviation "
            f"{found.bandwidth:.3g} in units of the map",
        ]
    if trends:
        lines.append(f"Permutations of doses, trends: {PERMUTATIONS:,} drawn at random")
    lines += [f"Seed of what is drawn: {SEED}", f"Software: napari-tsimcne {__version__}"]
    return "\n".join(["How it was compared", *lines])
