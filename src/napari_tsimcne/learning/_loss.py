"""InfoNCE losses, in log space.

Two views of b images give Z of shape (2b, D): first views a, then second views c. With a
similarity s, every other view is a negative and the positive stays in the denominator:

    loss = - mean_i log s(a_i, c_i) + mean over all 2b views v of log sum_{w != v} s(v, w)
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def cauchy_info_nce(first: Tensor, second: Tensor) -> Tensor:
    """InfoNCE with the Cauchy kernel s(x, y) = 1 / (1 + |x - y|²), the loss of t-SimCNE.

    Parameters
    ----------
    first, second
        Outputs of the network for the two views of each image, (b, D), floating point.

    Returns
    -------
    Tensor
        Scalar, of the inputs' dtype.

    Notes
    -----
    Böhm, Berens, Kobak (ICLR 2023). With log s = -log1p(|x - y|²) nothing over- or underflows.
    """
    return _info_nce(-torch.log1p(_squared_distances(torch.cat([first, second]))))


def cosine_info_nce(first: Tensor, second: Tensor, temperature: float = 0.5) -> Tensor:
    """InfoNCE with s(x, y) = exp(cos(x, y) / temperature), the loss of SimCLR.

    Parameters and result as of `cauchy_info_nce`.
    """
    z = F.normalize(torch.cat([first, second]), dim=1)
    return _info_nce(z @ z.T / temperature)


def _info_nce(log_similarity: Tensor) -> Tensor:
    count = len(log_similarity)
    positive = log_similarity.diagonal(count // 2)
    number = torch.arange(count, device=log_similarity.device)
    itself = number[:, None] == number
    others = log_similarity.masked_fill(itself, -torch.inf)
    return others.logsumexp(dim=1).mean() - positive.mean()


def _squared_distances(z: Tensor) -> Tensor:
    if z.shape[1] <= 4:
        # Exact: a map is hundreds of units wide while neighbours are one unit apart.
        return sum((c[:, None] - c[None, :]).square() for c in z.unbind(1))  # type: ignore[return-value]
    z = z - z.mean(dim=0)
    norms = z.square().sum(dim=1)
    return (norms[:, None] + norms[None, :] - 2 * (z @ z.T)).clamp_min(0)
