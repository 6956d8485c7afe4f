"""Learning rate over a stage: a linear warm-up, then half a cosine down to zero."""

from __future__ import annotations

import math

from napari_tsimcne.recipe import Stage


def rate_factor(stage: Stage, epoch: int, step: int, steps: int) -> float:
    """Share of the full learning rate, 0..1, at a step (from 0, of ``steps`` an epoch).

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
