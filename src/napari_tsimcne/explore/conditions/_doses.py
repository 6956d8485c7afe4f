"""Shares of the clusters against the dose of a drug."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore._clusters import Clusters
from napari_tsimcne.explore._design import Replicate
from napari_tsimcne.explore._relabelings import arrangements
from napari_tsimcne.explore.conditions._conditions import (
    CONFIDENCE,
    PERMUTATIONS,
    SEED,
    condition_shares,
    ordered_texts,
    replicate_shares,
)
from napari_tsimcne.explore.conditions._permutations import max_p_values, p_values

FEWEST_DOSES = 3


def dose_shares(
    clusters: Clusters,
    dose: pd.Series,
    replicate: Replicate = None,
    drug: pd.Series | None = None,
    *,
    confidence: float = CONFIDENCE,
    mask: np.ndarray | None = None,
) -> pd.DataFrame:
    """Share of each cluster at each dose, with an interval between replicates.

    Parameters
    ----------
    clusters
        Of N patches.
    dose
        N numbers; patches without one are left out.
    replicate, confidence, mask
        As of `condition_shares`.
    drug
        N values: doses of each are taken for themselves. None: all are of one.

    Returns
    -------
    As `condition_shares`, with ``drug`` (text, empty where none is given) and ``dose`` (float64)
    in place of the condition.

    Raises
    ------
    InputError
        Where doses are no numbers, or no patch has one.
    """
    return _per_drug(
        lambda values, own: condition_shares(
            clusters, values, replicate, confidence=confidence, mask=own
        ),
        dose, drug, mask,
    )  # fmt: skip


def replicate_dose_shares(
    clusters: Clusters,
    dose: pd.Series,
    replicate: Replicate = None,
    drug: pd.Series | None = None,
    *,
    mask: np.ndarray | None = None,
) -> pd.DataFrame:
    """Share of each cluster in each replicate of each dose.

    Parameters and errors are those of `dose_shares`; the table is that of `replicate_shares`, with
    ``drug`` and ``dose`` in place of the condition.
    """
    return _per_drug(
        lambda values, own: replicate_shares(clusters, values, replicate, mask=own),
        dose, drug, mask,
    )  # fmt: skip


def dose_trends(
    clusters: Clusters,
    dose: pd.Series,
    replicate: Replicate,
    drug: pd.Series | None = None,
    *,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
    mask: np.ndarray | None = None,
) -> pd.DataFrame:
    """Tell whose share rises or falls with the dose, by Spearman's rank correlation.

    Replicates are the points of the correlation, and doses are permuted between them, in all ways
    or, where there are more, in 9,999 random ones.

    Parameters
    ----------
    clusters, dose, replicate, drug, mask
        As of `dose_shares`.
    permutations
        Most that are made, besides the real one.
    seed
        Of random ones.

    Returns
    -------
    A row a drug and cluster: ``drug``, ``id``, ``cluster``, ``correlation`` (-1..1), ``p`` of none
    (two-sided), ``p_adjusted`` for the number of clusters by the largest correlation,
    ``smallest_p`` that so many replicates can give, and how many ``replicates`` and different
    ``doses``. Drugs of fewer than three different doses, as a control,
    are left out.

    Raises
    ------
    InputError
        Where doses are no numbers, or no drug has three different ones.
    """
    shares = replicate_dose_shares(clusters, dose, replicate, drug, mask=mask)
    found, few = [], []
    for name, rows in shares.groupby("drug", sort=False):
        points = rows.pivot(index=["dose", "replicate"], columns="id", values="share")
        doses = points.index.get_level_values("dose").to_numpy()
        different = len(np.unique(doses))
        if different < FEWEST_DOSES:
            few.append(f"'{name}' has {different}" if name else f"there are {different}")
            continue
        ranks = _standard_ranks(doses[:, None])[:, 0]
        levels, own = np.unique(ranks, return_inverse=True)
        made = arrangements(own, permutations, seed)
        # Reversed, doses that are spread evenly give the same correlation, with another sign.
        sizes = np.bincount(own)
        mirrored = made.exact and np.array_equal(sizes, sizes[::-1])
        correlations = levels[made.codes] @ _standard_ranks(points.to_numpy()) / len(ranks)
        statistics = np.abs(correlations)
        table = rows[["drug", "id", "cluster"]].drop_duplicates("id").set_index("id", drop=False)
        found.append(
            table.loc[points.columns].assign(
                correlation=correlations[0],
                p=p_values(statistics),
                p_adjusted=max_p_values(statistics[0], statistics.max(axis=1)),
                smallest_p=(2 if mirrored else 1) / len(made),
                replicates=len(ranks),
                doses=different,
            ).loc[table.index]
        )  # fmt: skip
    if not found:
        raise InputError(
            f"{few[0]} different doses: a trend cannot be determined with fewer than "
            f"{FEWEST_DOSES}: choose another column"
        )
    return pd.concat(found, ignore_index=True)


def trend_doubts(trends: pd.DataFrame, level: float = 0.05) -> tuple[str, ...]:
    """Return a sentence for each drug of which so many replicates cannot show a trend."""
    weak = trends[trends["smallest_p"] > level].drop_duplicates("drug")
    return tuple(
        f"Whether frequencies change with the dose{f' of {row.drug}' if row.drug else ''} cannot "
        f"be determined with {row.replicates} replicates (the smallest possible p is "
        f"{row.smallest_p:.2g})."
        for row in weak.itertuples()
    )


# --- inside ---------------------------------------------------------------------------------------


def _per_drug(
    shares: Callable[[pd.Series, np.ndarray], pd.DataFrame],
    dose: pd.Series,
    drug: pd.Series | None,
    mask: np.ndarray | None,
) -> pd.DataFrame:
    """Make a table of shares of the doses of each drug, one below the other."""
    doses = pd.Series(_numbers(dose))
    looked_at = doses.notna().to_numpy() & (True if mask is None else mask)
    codes, drugs = (np.zeros(len(doses), int), [""]) if drug is None else ordered_texts(drug)
    found = []
    for place, name in enumerate(drugs):
        own = looked_at & (codes == place)
        if own.any():
            table = shares(doses, own)
            table.insert(0, "drug", name)
            table.insert(1, "dose", table.pop("condition").astype(np.float64))
            found.append(table)
    if not found:
        raise InputError(f"no patch has a dose in '{dose.name}': choose another column")
    return pd.concat(found, ignore_index=True)


def _numbers(dose: pd.Series) -> np.ndarray:
    numbers = pd.to_numeric(dose, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    odd = np.isnan(numbers) & dose.notna().to_numpy() | np.isinf(numbers)
    if odd.any():
        first = dose.iloc[int(np.argmax(odd))]
        raise InputError(f"doses must be numbers: the column '{dose.name}' has '{first}'")
    return numbers


def _standard_ranks(values: np.ndarray) -> np.ndarray:
    """Rank each column of (R, K), to mean 0 and standard deviation 1; 0 where all are the same."""
    ranks = stats.rankdata(values, axis=0)
    ranks -= ranks.mean(axis=0)
    spread = ranks.std(axis=0)
    return ranks / np.where(spread > 0, spread, 1)
