"""Learning rate over a stage, and from when on what was learnt is a map."""

from __future__ import annotations

import math
from collections.abc import Sequence

from napari_tsimcne.learning._checkpoint import Position
from napari_tsimcne.recipe import Stage

MAP_ENOUGH = 0.25
"""Share of the epochs of a map's stage after which a stop keeps its map as it is."""


def rate_factor(stage: Stage, epoch: int, step: int, steps: int) -> float:
    """Share of the full learning rate, 0..1, at a step (from 0, of ``steps`` an epoch).

    It rises in a line over the warm-up, then falls by half a cosine to zero.

    With ``schedule="epoch"`` the rate is that of the epoch's beginning, as published: with a
    warm-up, the first epoch has rate 0. With ``schedule="step"`` it moves at every step.
    """
    position = float(epoch) if stage.schedule == "epoch" else epoch + (step + 1) / steps
    if position < stage.warmup_epochs:
        return position / stage.warmup_epochs
    length = stage.epochs - stage.warmup_epochs
    if stage.schedule == "step":
        # The last step keeps a little: at the end of the cosine it would be wasted.
        position -= 1 / steps
    progress = min(1.0, max(0.0, (position - stage.warmup_epochs) / length)) if length > 0 else 0.0
    return 0.5 * (1 + math.cos(math.pi * progress))


def map_is_learnt(stages: Sequence[Stage], at: Position, dimensions: int) -> bool:
    """Whether what was learnt up to a position is a map that a stop may keep as it is."""
    if at.stage >= len(stages):
        return True
    stage = stages[at.stage]
    if stage.annealing != "none" or stage.output_dim != dimensions:
        return False
    before = stages[at.stage - 1] if at.stage else None
    goes_on = before is not None and before.output_dim == stage.output_dim
    if goes_on and not stage.head_layers:
        return True
    return at.epoch >= MAP_ENOUGH * stage.epochs
