"""How conditions were compared, in the words that a reader of the results needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from napari_tsimcne import __version__
from napari_tsimcne.explore import ConditionColumns, DifferenceMap
from napari_tsimcne.explore.conditions._conditions import CONFIDENCE, PERMUTATIONS, SEED
from napari_tsimcne.explore.conditions._difference import PERMUTATIONS as OF_MAPS
from napari_tsimcne.explore.conditions._permutations import ways

OTHERS = "every other condition, each for itself; on the map also all of them together"


def how_compared(
    columns: ConditionColumns,
    replicate: Sequence[str],
    where: str,
    counted: np.ndarray,
    comparison: pd.DataFrame | None,
    differences: Mapping[str, DifferenceMap],
    trends: bool,
) -> str:
    """Tell what was compared how, a line each: what must be cited with the results.

    Parameters
    ----------
    columns
        Which said what.
    replicate
        The columns that told replicates apart.
    where
        What limits the patches; empty: nothing.
    counted
        Which patches were looked at, (N,) booleans.
    comparison, differences
        Of `compare_conditions` and `difference_map`, by condition.
    trends
        Whether there are some of doses.
    """
    control, treated = columns.control, columns.treated
    patches = f"{counted.sum():,} of {len(counted):,}"
    lines = [
        f"Replicate: {', '.join(replicate) or 'none, patches are taken as independent'}",
        f"Control: {control or 'none'}",
        f"Treated: {treated or (OTHERS if control else 'none')}",
        f"Patches: {patches}" + (f", those with {where}" if where else ""),
        f"Intervals of frequencies: {100 * CONFIDENCE:.0f} %",
        "Differences of frequencies: fractions in the tables, of which 0.01 is 1 percentage point",
    ]
    if columns.block is not None:
        lines.append(
            f"Blocks: replicates are relabelled and compared within each value of '{columns.block}'"
            f" only, in all ways or in {PERMUTATIONS:,} random ones (maps: {OF_MAPS:,})"
        )
    elif comparison is not None:
        lines += [
            f"Relabelings of replicates, frequencies, {row.condition} against {control}: "
            f"{ways(row.replicates, row.control_replicates, PERMUTATIONS)}"
            for row in comparison.drop_duplicates("condition").itertuples()
        ]
    for name, found in differences.items():
        if columns.block is not None:
            made, what = "within blocks", "Relabelings of replicates"
        elif found.treated_replicates:
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
        lines.append(
            f"Permutations of doses, trends: all, or {PERMUTATIONS:,} drawn at random where there "
            "are more"
        )
    lines += [f"Seed of what is drawn: {SEED}", f"Software: napari-tsimcne {__version__}"]
    return "\n".join(["How it was compared", *lines])
