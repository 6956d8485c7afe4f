"""Features of some views of each patch, computed once, from which a head learns."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

CPU_BYTES = 3 * 2**30
GPU_SHARE = 0.3
NEIGHBOR_POOL = 100_000
"""Neighbours are looked for among at most so many patches."""
PAIRS_AT_ONCE = 1 << 25
"""Pairs of patches that are compared at once."""


class FeatureCache:
    """H of views and of the unchanged patches.

    Parameters
    ----------
    views
        Views of each patch wanted; fewer, at least 2, where memory does not hold them. With 0,
        pairs are made of neighbours.
    patches
        Number N of patches.
    features
        Dimensions D of H.
    device
        Where the features lie.

    Attributes
    ----------
    views
        (V, N, D), float32, or of 16 bits where memory is short.
    clean
        (N, D): of the patches themselves.
    """

    def __init__(self, views: int, patches: int, features: int, device: torch.device) -> None:
        budget = float(CPU_BYTES)
        if device.type == "cuda":
            budget = GPU_SHARE * torch.cuda.mem_get_info(device)[0]
        dtype = torch.float32
        if (views + 1) * patches * features * 4 > budget:
            # Older Apple systems have no bfloat16.
            dtype = torch.float16 if device.type == "mps" else torch.bfloat16
            fits = int(budget / (2 * patches * features)) - 1
            views = max(2, min(views, fits)) if views else 0
        self.views = torch.empty((views, patches, features), dtype=dtype, device=device)
        self.clean = torch.empty((patches, features), dtype=dtype, device=device)
        self._neighbors: Tensor | None = None

    def find_neighbors(self, count: int) -> Iterator[int]:
        """Find each patch's nearest others by cosine in H, of unchanged patches.

        Yields the number of pairs that were compared.
        """
        unit = F.normalize(self.clean.float(), dim=1)
        stride = -(-len(unit) // NEIGHBOR_POOL)
        pool = unit[::stride]
        found = []
        block = max(1, min(1024, PAIRS_AT_ONCE // len(pool)))
        for start in range(0, len(unit), block):
            similarity = unit[start : start + block] @ pool.T
            rows = torch.arange(start, start + len(similarity), device=unit.device)
            itself = (rows % stride == 0).nonzero().squeeze(1)
            similarity[itself, rows[itself] // stride] = -2
            found.append(similarity.topk(min(count, len(pool) - 1), dim=1).indices * stride)
            yield similarity.numel()
        self._neighbors = torch.cat(found)

    def pairs(self, rows: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Draw features (n, D) of pairs: two views of each patch, or the patch and a neighbour.

        ``generator`` is on the CPU, so that the draws are the same on every device.
        """
        device = self.views.device
        if self._neighbors is None:
            first, second = torch.randperm(len(self.views), generator=generator)[:2].tolist()
            rows = rows.to(device)
            return self.views[first, rows].float(), self.views[second, rows].float()
        choice = torch.randint(self._neighbors.shape[1], (len(rows),), generator=generator)
        rows = rows.to(device)
        others = self._neighbors[rows, choice.to(device)]
        return self.clean[rows].float(), self.clean[others].float()
