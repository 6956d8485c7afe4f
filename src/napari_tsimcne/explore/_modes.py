"""Where a cluster lies on the map: at the mode of its density."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import KernelDensity

from napari_tsimcne.explore._clusters import NONE

NARROWER = 1 / 2
"""Of the width by Scott's rule, which would blur the islands of a cluster into each other."""

MOST_COMPARED = 2_000
"""Patches of a cluster whose density is estimated; of more, a sample."""


def cluster_modes(coordinates: np.ndarray, ids: np.ndarray, seed: int = 0) -> dict[int, int]:
    """Find the patch of each cluster around which its own patches lie most densely.

    The mean of a cluster of two islands, or of one that is bent, lies where none of its patches
    is; the mode lies in its largest heap. The density is a Gaussian kernel's, of half the width by
    Scott's rule (1992), and of the cluster alone: of no others that lie between its patches.

    Parameters
    ----------
    coordinates
        The map, (N, 2), finite.
    ids
        Cluster of each patch, (N,) integers; 0 is none.
    seed
        Of the sample of 2,000 that is looked at of a larger cluster.

    Returns
    -------
    Number of the patch, 0..N-1, by cluster id; of every cluster that holds a patch.
    """
    random = np.random.default_rng(seed)
    modes = {}
    for cluster in np.unique(ids[ids != NONE]).tolist():
        members = np.flatnonzero(ids == cluster)
        if len(members) > MOST_COMPARED:
            members = np.sort(random.choice(members, MOST_COMPARED, replace=False))
        modes[cluster] = int(members[_mode(coordinates[members].astype(np.float64))])
    return modes


def _mode(points: np.ndarray) -> int:
    """Return the number of the point (n, 2) around which others lie most densely."""
    # Quartiles: a few patches far off do not widen the kernel.
    quartiles = np.percentile(points, (25, 75), axis=0)
    spread = float(np.mean(quartiles[1] - quartiles[0])) / 1.349 or float(points.std())
    if spread == 0:
        return 0
    width = NARROWER * spread * len(points) ** (-1 / 6)
    # The order of densities is asked for: relative errors below a thousandth do not matter.
    kernel = KernelDensity(bandwidth=width, rtol=1e-3).fit(points)
    return int(kernel.score_samples(points).argmax())
