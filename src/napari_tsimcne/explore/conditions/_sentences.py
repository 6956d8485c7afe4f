"""What was found of conditions, in sentences: the surest first."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from napari_tsimcne.explore.checks._findings import in_percent

LEVEL = 0.05
"""Of p, up to which a difference or a trend is reported as one."""

MOST_NAMED = 5


def compared_sentences(
    comparison: pd.DataFrame, control: str, ids: Collection[int]
) -> tuple[str, ...]:
    """Report the surest differences of frequencies from the control, of some clusters."""
    compared = comparison[comparison["id"].isin(ids)]
    # What too few replicates cannot show is said by `comparison_doubts`.
    compared = compared[compared["smallest_p"] <= LEVEL]
    if not len(compared):
        return ()
    ranked = compared.sort_values("p_adjusted", kind="stable")
    sure = ranked[ranked["p_adjusted"] <= LEVEL]
    lines = [
        f"'{row.cluster}': {in_percent(row.share)} in {row.condition}, "
        f"{in_percent(row.control_share)} in {control} (p = {row.p_adjusted:.2g})."
        for row in sure.head(MOST_NAMED).itertuples()
    ]
    if len(sure) > MOST_NAMED:
        lines.append(f"And {len(sure) - MOST_NAMED} more; Save writes all of them.")
    if not lines:
        smallest = ranked["p_adjusted"].iloc[0]
        lines = [
            f"No frequency differs from that in {control} more than replicates do "
            f"(smallest p = {smallest:.2g})."
        ]
    return ("\n".join(lines),)


def trend_sentences(trends: pd.DataFrame | None, ids: Collection[int]) -> tuple[str, ...]:
    """Report which clusters become more or less frequent with the dose, of some clusters."""
    if trends is None:
        return ()
    own = trends[trends["id"].isin(ids) & (trends["smallest_p"] <= LEVEL)]
    lines = []
    for row in own.sort_values("p_adjusted", kind="stable").head(2 * MOST_NAMED).itertuples():
        of = f" of {row.drug}" if row.drug else ""
        goes = "increases" if row.correlation > 0 else "decreases"
        does = (
            f"{goes} with the dose{of}"
            if row.p_adjusted <= LEVEL
            else f"does not change with the dose{of} more than by chance"
        )
        lines.append(
            f"The frequency of '{row.cluster}' {does} (rank correlation {row.correlation:.2f}, "
            f"p = {row.p_adjusted:.2g}, {row.replicates} replicates)."
        )
    return ("\n".join(lines),) if lines else ()


def plate_sentence(name: str, plates: dict[str, pd.DataFrame]) -> str:
    """Report between what the frequency of a cluster lies over the wells."""
    values = np.concatenate([table.to_numpy().ravel() for table in plates.values()])
    low, high = np.nanmin(values), np.nanmax(values)
    return f"'{name}': from {in_percent(low)} to {in_percent(high)} of a well."
