"""Intervals of shares between replicates, and of patches taken as independent."""

from __future__ import annotations

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


def share_interval(
    counts: np.ndarray, sizes: np.ndarray, confidence: float = CONFIDENCE
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of the mean share of replicates.

    Student's t of the replicates' shares with R - 1 degrees of freedom, on the logit scale by the
    delta method, so that it stays within 0 and 1 and is skewed as shares are. Of two replicates, on
    the arcsine scale: on the logit's it would often reach from 0 to 1, and hold the mean no more
    often. Nowhere is it narrower than Wilson's interval of patches taken as independent, which
    matters where replicates happen to agree, or all have none.

    In simulations with over-dispersed replicates (beta-binomial, a correlation of 0.01 to 0.05
    within one) 95 % intervals held a mean share of 10 % or more 94 to 98 times in 100, and one of
    2 % 91 to 98 times from three replicates on, 81 times of two.

    Parameters
    ----------
    counts
        Patches of each replicate in each cluster, (R, K).
    sizes
        Patches of each replicate, (R,), 1 or more.
    confidence
        Between 0 and 1.

    Returns
    -------
    Two arrays (K,) in 0..1; missing with one replicate.
    """
    shares = counts / sizes[:, None]
    replicates, width = shares.shape
    if replicates < 2:
        return np.full(width, np.nan), np.full(width, np.nan)
    mean = shares.mean(axis=0)
    error = shares.std(axis=0, ddof=1) / np.sqrt(replicates)
    reach = stats.t.ppf(0.5 + confidence / 2, replicates - 1) * error
    low, high = wilson(mean * sizes.sum(), int(sizes.sum()), confidence)
    inside = (mean > 0) & (mean < 1)
    mean, reach = mean[inside], reach[inside]
    variance = mean * (1 - mean)
    if replicates == 2:
        angle, reach = np.arcsin(np.sqrt(mean)), reach / (2 * np.sqrt(variance))
        ends = np.sin(np.clip([angle - reach, angle + reach], 0, np.pi / 2)) ** 2
    else:
        logit, reach = stats.logistic.ppf(mean), reach / variance
        ends = stats.logistic.cdf([logit - reach, logit + reach])
    low[inside], high[inside] = np.minimum(low[inside], ends[0]), np.maximum(high[inside], ends[1])
    return low, high


def wilson(counts: np.ndarray, size: int, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's interval (1927) of shares of independent patches."""
    z = stats.norm.ppf(0.5 + confidence / 2)
    share, part = np.asarray(counts) / size, z**2 / size
    centre = (share + part / 2) / (1 + part)
    reach = z * np.sqrt(share * (1 - share) / size + part / (4 * size)) / (1 + part)
    # Shares of 0 and 1 are ends themselves, but for rounding.
    low = np.where(share <= 0, 0.0, centre - reach)
    return low, np.where(share >= 1, 1.0, centre + reach)
