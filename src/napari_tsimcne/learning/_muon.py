"""Muon: momentum whose direction is made orthogonal, for the weights of convolutions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import Optimizer

# Newton-Schulz iteration of fifth order, with coefficients steep at 0 (Jordan et al.).
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class Muon(Optimizer):
    """Stochastic gradient descent with orthogonalised momentum.

    Jordan et al., *Muon: an optimizer for hidden layers in neural networks* (2024). The update of a
    weight, seen as a matrix (outputs, all else), has singular values near 1: every direction of a
    layer learns at one pace. PyTorch's own Muon takes matrices only.

    Parameters
    ----------
    weights
        Of two dimensions or more.
    lr
        Step length: a change by ``lr`` in spectral norm, times the root of outputs / inputs where
        that is above 1.
    momentum
        Of Nesterov, 0..1.
    weight_decay
        Share of a weight taken off at a step, per ``lr``.
    """

    def __init__(
        self,
        weights: list[torch.nn.Parameter],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        settings = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(weights, settings)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            momentum, rate = group["momentum"], group["lr"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                moving = state["momentum"].mul_(momentum).add_(weight.grad)
                direction = weight.grad.add(moving, alpha=momentum).flatten(1)
                stretch = max(1.0, len(direction) / direction.shape[1]) ** 0.5
                weight.mul_(1 - rate * group["weight_decay"])
                change = orthogonalized(direction).view(weight.shape)
                weight.add_(change, alpha=-rate * stretch)


def orthogonalized(matrix: Tensor) -> Tensor:
    """Bring the singular values of a matrix (n, m) near 1, between about .7 and 1.2."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x
