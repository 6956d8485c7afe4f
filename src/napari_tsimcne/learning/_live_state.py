"""What of a training changes as it goes on, and how checkpoints keep it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.optim import Optimizer

from napari_tsimcne.errors import TrainingError
from napari_tsimcne.learning._checkpoint import (
    Checkpoint,
    Position,
    TrainingState,
    all_finite,
    on_host,
    optimizer_tensors,
)
from napari_tsimcne.learning._device import BFLOAT16_DEVICES
from napari_tsimcne.learning._views import Views
from napari_tsimcne.learning._world import World
from napari_tsimcne.recipe import Recipe


class DivergedError(Exception):
    """Training went wrong; the text says how."""


class LiveState:
    """Weights, random generators and the next step.

    Attributes
    ----------
    position
        The next step to take.
    order
        Of the patches in the running epoch; None between two epochs.
    loss_sum
        Over the steps of the running epoch.
    rate_scale
        Factor on the learning rate, below 1 after a rollback until the end of the stage.
    cache_random
        State of the generator of views at the beginning of the stage: its cache can be made again.
    optimizer
        Moments that the next stage to be opened takes up.
    notes
        Sentences for the user on what is not as it was.
    """

    def __init__(self, recipe: Recipe, views: Views, world: World) -> None:
        self.position = Position()
        self.order: Tensor | None = None
        self.loss_sum, self.rate_scale = 0.0, 1.0
        self.order_random = Generator().manual_seed(recipe.seed)
        self.cache_random = views.random.get_state()
        self.optimizer: dict[str, Tensor] = {}
        self.notes: list[str] = []
        self._recipe, self._views, self._world = recipe, views, world

    def replace_head(self, outputs: int, layers: int) -> None:
        """Begin with a new head."""
        self._views.model.replace_head(outputs, layers)
        self._world.synchronize_statistics(self._views.model)

    def begin_anew(self) -> None:
        """Go on with the weights there are at the first step of other stages."""
        self.position, self.order, self.optimizer = Position(), None, {}
        self.rate_scale = 1.0

    def add_losses(self, losses: Sequence[Tensor]) -> float:
        """Add losses of steps to the sum of the epoch, one by one, and return the last of them.

        Raises
        ------
        DivergedError
            Where one is not finite.
        """
        values = torch.stack(list(losses)).tolist()
        for value in values:
            if not math.isfinite(value):
                raise DivergedError(f"the loss became {value}")
            self.loss_sum += value
        return values[-1]

    def check_finite(self, optimizers: Sequence[Optimizer]) -> None:
        """Check all weights and moments: they may not be finite though the last loss was.

        Raises
        ------
        DivergedError
            Where they are not.
        """
        moments = optimizer_tensors(optimizers).values()
        finite = all_finite([*self._views.model.state_dict().values(), *moments])
        if not self._world.agree(finite):
            raise DivergedError("the weights are not finite any more")

    # --- checkpoints --------------------------------------------------------------------------

    def snapshot(self, optimizers: Sequence[Optimizer], seconds: float) -> Checkpoint:
        """Return all that is needed to go on from here; ``seconds``: time spent so far."""
        model, views = self._views.model, self._views
        tensors = {f"model.{k}": on_host(v) for k, v in model.state_dict().items()}
        moments = optimizer_tensors(optimizers)
        tensors |= {f"optimizer.{k}": on_host(v) for k, v in moments.items()}
        tensors["random.views"] = views.random.get_state()
        tensors["random.cache"] = self.cache_random
        tensors["random.order"] = self.order_random.get_state()
        tensors["random.weights"] = torch.get_rng_state()
        if self.order is not None:
            tensors["order"] = self.order.clone()
        state = TrainingState(
            recipe=self._recipe,
            patches=len(views.data),
            channels=views.data.channels,
            position=self.position,
            output_dim=model.output_dim,
            head_layers=model.head.layers,
            loss=self.loss_sum,
            rate_scale=self.rate_scale,
            bfloat16=views.precision.name == "bfloat16",
            compiled=views.compiled,
            device=views.random.device.type,
            threads=torch.get_num_threads(),
            seconds=seconds,
        )
        return Checkpoint(state, tensors)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint; what cannot be as it was there is added to ``notes``.

        Raises
        ------
        TrainingError
            Where it is of another training.
        """
        state = checkpoint.state
        if state.channels != self._views.data.channels:
            raise TrainingError("the checkpoint is of patches with other channels than this run")
        self.replace_head(state.output_dim, state.head_layers)
        try:
            self._views.model.load_state_dict(checkpoint.part("model"))
            random = checkpoint.part("random")
            self.order_random.set_state(random["order"])
            torch.set_rng_state(random["weights"])
            self._restore_views(random["views"], random["cache"], checkpoint.seed_here)
        except (RuntimeError, KeyError, TypeError) as error:
            reason = str(error).split("\n")[0]
            raise TrainingError(f"the checkpoint does not fit this training ({reason})") from error
        self.order = checkpoint.tensors.get("order")
        self.optimizer = checkpoint.part("optimizer")
        self.position = state.position
        self.loss_sum, self.rate_scale = state.loss, state.rate_scale
        self._restore_arithmetic(state)

    def _restore_views(self, views: Tensor, cache: Tensor, seed: int) -> None:
        """Take up the generators of views; other kinds of devices have other generators."""
        random = self._views.random
        try:
            for state in (cache, views):
                random.set_state(state)
            self.cache_random = cache
        except (RuntimeError, TypeError):
            random.manual_seed(seed)
            self.cache_random = random.get_state()
            self.notes.append(
                "the training was begun on another kind of device than this "
                f"({random.device.type}): it goes on with other random views, so its map will "
                "differ from that of a training that was not moved"
            )

    def _restore_arithmetic(self, state: TrainingState) -> None:
        views = self._views
        kind = views.random.device.type
        bfloat16 = state.bfloat16 and kind in BFLOAT16_DEVICES
        views.precision = views.precision.with_bfloat16(bfloat16)
        views.compiled = state.compiled and state.device in ("", kind)
        if state.bfloat16 and not bfloat16:
            self.notes.append("the training goes on in float32: this device has no bfloat16")
        if state.compiled and not views.compiled:
            self.notes.append("the training goes on without torch.compile on this device")
