"""Runs the stages of a recipe over the patches and tells what happens."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from enum import IntFlag

import numpy as np
import torch
from torch import Tensor

from napari_tsimcne.control import Control
from napari_tsimcne.errors import TrainingError
from napari_tsimcne.events import (
    Embedding,
    EpochEnded,
    Event,
    Paused,
    Prepared,
    Resumed,
    RolledBack,
    Saved,
)
from napari_tsimcne.learning._checkpoint import (
    Checkpoint,
    Position,
    TrainingState,
    on_host,
    optimizer_tensors,
    restore_optimizers,
)
from napari_tsimcne.learning._clock import EMBED, Clock, step_cost
from napari_tsimcne.learning._device import (
    choose_device,
    describe_device,
    memory_errors_explained,
)
from napari_tsimcne.learning._network import TSimCNE, count_parameters, start_from_pretrained
from napari_tsimcne.learning._patch_set import PatchSet, Scaling
from napari_tsimcne.learning._report import Report
from napari_tsimcne.learning._schedule import rate_factor
from napari_tsimcne.learning._stage_run import StageRun
from napari_tsimcne.learning._views import Views, embedding_batch
from napari_tsimcne.learning._world import join_world
from napari_tsimcne.recipe import Recipe, Stage, map_stage

PROGRESS_SECONDS = 0.5
CHECKPOINT_SECONDS = 60.0
ROLLBACK_SCALE = 0.3
"""Factor on the learning rate after a rollback."""


class _Do(IntFlag):
    """What is due after a step; decided by the first process for all."""

    TELL = 1
    MAP = 2
    SAVE = 4
    PAUSE = 8
    STOP = 16


class _DivergedError(Exception):
    """Training went wrong; the text says how."""


class Trainer:
    """Trains t-SimCNE on patches by a recipe.

    Parameters
    ----------
    patches
        (N, C, S + 2 margin, S + 2 margin), integers or floats; may be a memory map.
    scaling
        Values taken as 0 and 1.
    rgb
        Whether the channels are red, green and blue.
    recipe
        Augmentations, network, stages, seed.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    checkpoint
        Where to go on; from the beginning without it.
    save
        Writes a checkpoint; called every ``checkpoint_seconds`` and at every stage's end.

    Raises
    ------
    TrainingError
        Where the device is not available, or pretrained weights cannot be had.
    """

    def __init__(
        self,
        patches: np.ndarray,
        scaling: Scaling,
        rgb: bool,
        recipe: Recipe,
        device: str = "auto",
        *,
        checkpoint: Checkpoint | None = None,
        save: Callable[[Checkpoint], None] | None = None,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
    ) -> None:
        self.recipe = recipe
        self.device = choose_device(device)
        self.stopped = False
        self.world = join_world(self.device)
        self._save_checkpoint = save
        self._checkpoint_seconds = checkpoint_seconds
        self._stages = recipe.running_stages
        self._data = PatchSet(patches, scaling, self.device)
        held_out = recipe.held_out_rows(len(patches))
        self._rows = torch.from_numpy(np.setdiff1d(np.arange(len(patches)), held_out))
        torch.manual_seed(recipe.seed)
        self._order_random = torch.Generator().manual_seed(recipe.seed)
        views_random = torch.Generator(self.device).manual_seed(recipe.seed)
        first = self._stages[0]
        model = TSimCNE(self._data.channels, recipe.network, first.start_dim or first.output_dim)
        if recipe.network.pretrained and checkpoint is None:
            start_from_pretrained(model, recipe.network)
        self.world.synchronize_statistics(model)
        self.model = model.to(self.device).to(memory_format=torch.channels_last)
        self._views = Views(self.model, self._data, recipe, rgb, views_random)
        self._position = Position()
        self._cache_random = views_random.get_state()
        self._order: Tensor | None = None
        self._loss_sum = 0.0
        self._rate_scale = 1.0
        # Apple's GPUs have no float64.
        self._sum_type = torch.float32 if self.device.type == "mps" else torch.float64
        self._optimizer_state: dict[str, Tensor] = {}
        self._seconds_before = 0.0
        self._started = time.perf_counter()
        self._resumed = checkpoint is not None
        if checkpoint is not None:
            self._restore(checkpoint)
        self._good = checkpoint or self._snapshot(None)
        self._watch()

    # --- training -----------------------------------------------------------------------------

    def train(self, control: Control | None = None) -> Iterator[Event]:
        """Run all stages; hold and stop as ``control`` says.

        Stopped before the map's stage, a map is made of what was learnt.

        Raises
        ------
        TrainingError
            Where memory runs out, or training diverges again after a rollback.
        """
        control = control or Control()
        with memory_errors_explained(self.recipe.batch_size, self._views.try_batch):
            if not self._resumed:
                self._views.choose_arithmetic(self.recipe, len(self._rows), self.world)
                self._good = self._snapshot(None)
            yield Prepared(
                patches=len(self._data), parameters=count_parameters(self.model),
                device=describe_device(self.device), precision=self._views.precision.name,
                compiled=self._views.compiled, resumed=self._resumed,
            )  # fmt: skip
            while self._position.stage < len(self._stages) and not self.stopped:
                try:
                    complete = yield from self._run_stage(control)
                except _DivergedError as trouble:
                    yield self._roll_back(str(trouble))
                    continue
                self.stopped = not complete
            if self.stopped and self.model.output_dim != self.recipe.map_dimensions:
                yield from self._fit_short_readout()

    def _run_stage(self, control: Control) -> Generator[Event, None, bool]:
        """Take the steps of the present stage from the present position; False when stopped."""
        stage = self._stages[self._position.stage]
        run = yield from self._open_stage(stage)
        kind = step_cost(stage)
        self._clock.begin(kind)
        told = mapped = saved = time.perf_counter()
        for epoch in range(self._position.epoch, stage.epochs):
            first = self._position.step
            if self._order is None:
                self._order = run.draw_order()
                self._loss_sum = 0.0
            chunks = run.chunks(self._order)
            # On the device: reading every loss would make the GPU wait for the host.
            loss_sum = torch.tensor(self._loss_sum, dtype=self._sum_type, device=self.device)
            losses = run.losses(chunks[first:], stage.dimensions(epoch))
            for step, loss in enumerate(losses, start=first):
                count = len(chunks[step])
                run.step(loss, self._rate_scale * rate_factor(stage, epoch, step, len(chunks)))
                value = loss.detach()
                loss_sum += value.to(loss_sum)
                last = step + 1 == len(chunks)
                self._clock.count(count)
                if not last:
                    self._position = Position(
                        stage=self._position.stage, epoch=epoch, step=step + 1
                    )
                now = time.perf_counter()
                due = _Do.TELL * (last or now - told > PROGRESS_SECONDS)
                due |= _Do.SAVE * (not last and now - saved > self._checkpoint_seconds)
                due |= _Do.MAP * self._report.map_is_due(run, epoch, now - mapped)
                due |= _Do.PAUSE * control.pausing | _Do.STOP * control.stopping
                due = _Do(self.world.agree(due))
                if not due:
                    continue
                number = float(value)
                if not math.isfinite(number) or not math.isfinite(float(loss_sum)):
                    raise _DivergedError(f"the loss became {number}")
                if due & _Do.TELL:
                    told = now
                    yield self._report.progress(
                        self._position, stage, epoch + 1, step + 1, len(chunks), number
                    )
                self._loss_sum = float(loss_sum)
                if due & _Do.MAP:
                    yield self._report.moved_map(run)
                    mapped = time.perf_counter()
                if not last and due & (_Do.SAVE | _Do.PAUSE | _Do.STOP):
                    yield from self._save(run)
                    saved = time.perf_counter()
                if due & _Do.PAUSE and not due & _Do.STOP:
                    yield from self._hold(control)
                    self._clock.begin(kind)
                    due |= _Do.STOP * bool(self.world.agree(control.stopping))
                if due & _Do.STOP and not last:
                    return False
            self._order = None
            self._position = Position(stage=self._position.stage, epoch=epoch + 1)
            mean = float(loss_sum) / len(chunks)
            yield EpochEnded(stage=stage.name, epoch=epoch + 1, epochs=stage.epochs, loss=mean)
            if epoch > stage.warmup_epochs and run.collapsed:
                raise _DivergedError("the map collapsed: all patches came to lie in one place")
            now = time.perf_counter()
            due = _Do.SAVE * (now - saved > self._checkpoint_seconds) | _Do.STOP * control.stopping
            due = _Do(self.world.agree(due))
            if epoch + 1 < stage.epochs and due:
                yield from self._save(run)
                saved = time.perf_counter()
                if due & _Do.STOP:
                    return False
        if stage.annealing != "none":
            self.model.head.keep_outputs(stage.output_dim)
        self._position = Position(stage=self._position.stage + 1)
        yield from self._save(None)
        return True

    def _open_stage(self, stage: Stage) -> Generator[Event, None, StageRun]:
        """Bring network, cache and optimiser to where the stage begins, or goes on."""
        fresh = self._position.starts_stage
        random = self._views.random
        if fresh:
            outputs = stage.start_dim or stage.output_dim
            if stage.head_layers:
                self._replace_head(outputs, stage.head_layers)
            elif outputs != self.model.output_dim:
                self.model.head.replace_readout(outputs)
            self._cache_random = random.get_state()
        run = StageRun(stage, self._views, self._rows, self.world, self._order_random)
        if stage.cached:
            state = random.get_state()
            # The backbone is frozen: the same views of it can be made again.
            random.set_state(self._cache_random)
            self._clock.begin(EMBED)
            told = time.perf_counter()
            for count in run.fill_cache():
                self._clock.count(count)
                if time.perf_counter() - told > PROGRESS_SECONDS:
                    told = time.perf_counter()
                    yield self._report.progress(self._position, stage)
            if fresh:
                run.start_from_principal_axes()
            else:
                random.set_state(state)
        if self._optimizer_state:
            restore_optimizers(run.optimizers, self._optimizer_state)
            self._optimizer_state = {}
        return run

    def _replace_head(self, outputs: int, layers: int) -> None:
        self.model.replace_head(outputs, layers)
        self.world.synchronize_statistics(self.model)

    def _hold(self, control: Control) -> Iterator[Event]:
        yield Paused()
        while self.world.agree(control.pausing):
            control.wait(1.0)
        yield Resumed()

    def _fit_short_readout(self) -> Iterator[Event]:
        """Make a map of features learnt so far; the checkpoint stays where training stopped."""
        self._stages = (map_stage(self.recipe.map_dimensions, epochs=30),)
        self._position, self._order, self._optimizer_state = Position(), None, {}
        self._save_checkpoint = None
        self._watch()
        yield from self._run_stage(Control())

    # --- checkpoints --------------------------------------------------------------------------

    def _snapshot(self, run: StageRun | None) -> Checkpoint:
        tensors = {f"model.{k}": on_host(v) for k, v in self.model.state_dict().items()}
        if run is not None:
            moments = optimizer_tensors(run.optimizers)
            tensors |= {f"optimizer.{k}": on_host(v) for k, v in moments.items()}
        tensors["random.views"] = self._views.random.get_state()
        tensors["random.cache"] = self._cache_random
        tensors["random.order"] = self._order_random.get_state()
        tensors["random.weights"] = torch.get_rng_state()
        if self._order is not None:
            tensors["order"] = self._order.clone()
        state = TrainingState(
            recipe=self.recipe,
            patches=len(self._data),
            channels=self._data.channels,
            position=self._position,
            output_dim=self.model.output_dim,
            head_layers=self.model.head.layers,
            loss=self._loss_sum,
            rate_scale=self._rate_scale,
            bfloat16=self._views.precision.name == "bfloat16",
            compiled=self._views.compiled,
            threads=torch.get_num_threads(),
            seconds=self.seconds,
        )
        return Checkpoint(state, tensors)

    def _save(self, run: StageRun | None) -> Iterator[Event]:
        self._good = self._snapshot(run)
        if self._save_checkpoint is not None and self.world.rank == 0:
            self._save_checkpoint(self._good)
            yield Saved()

    def _restore(self, checkpoint: Checkpoint) -> None:
        state = checkpoint.state
        if state.channels != self._data.channels:
            raise TrainingError("the checkpoint is of patches with other channels than this run")
        self._replace_head(state.output_dim, state.head_layers)
        try:
            self.model.load_state_dict(checkpoint.part("model"))
            random = checkpoint.part("random")
            self._views.random.set_state(random["views"])
            self._order_random.set_state(random["order"])
            torch.set_rng_state(random["weights"])
            self._cache_random = random["cache"]
        except (RuntimeError, KeyError, TypeError) as error:
            reason = str(error).split("\n")[0]
            raise TrainingError(f"the checkpoint does not fit this training ({reason})") from error
        self._order = checkpoint.tensors.get("order")
        self._optimizer_state = checkpoint.part("optimizer")
        self._position = state.position
        self._loss_sum = state.loss
        self._rate_scale = state.rate_scale
        self._views.precision = self._views.precision.with_bfloat16(state.bfloat16)
        self._views.compiled = state.compiled
        self._seconds_before = state.seconds
        self._started = time.perf_counter()

    def _roll_back(self, reason: str) -> RolledBack:
        if self._rate_scale < 1:
            stage = self._stages[self._position.stage]
            raise TrainingError(
                f"{reason} in stage '{stage.name}', epoch {self._position.epoch + 1}, again after "
                "a rollback with a lower learning rate: check that the patches differ (not blank "
                "or all alike), or use a larger batch"
            )
        self._restore(self._good)
        self._rate_scale = ROLLBACK_SCALE
        return RolledBack(reason=reason, rate_scale=self._rate_scale)

    # --- what is told, what is made -----------------------------------------------------------

    @property
    def seconds(self) -> float:
        """Time spent on this training, in this process and before it."""
        return self._seconds_before + time.perf_counter() - self._started

    def _watch(self) -> None:
        stages, passes = self._stages, self.recipe.orientations
        self._clock = Clock(len(self._rows), len(self._data), passes, stages, self._position)
        self._report = Report(stages, self._views, self.world, self._clock)

    def embed(self) -> Iterator[Embedding | tuple[np.ndarray, np.ndarray]]:
        """Apply the network to every patch, in eval mode and without augmentation.

        Yields progress, and at last the coordinates (N, 2 or 3) and the features H (N, D),
        float32.
        """
        self.model.eval()
        count, found, batch = len(self._data), [], embedding_batch(self.device)
        with memory_errors_explained(batch), torch.inference_mode():
            for z, h in self._views.outputs(torch.arange(count), self.world, precise=True):
                found.append((z.cpu().numpy(), h.cpu().numpy()))
                yield Embedding(fraction=min(1.0, len(found) * batch / count))
        coordinates, features = (np.concatenate(parts) for parts in zip(*found, strict=True))
        if not (np.isfinite(coordinates).all() and np.isfinite(features).all()):
            raise TrainingError("the map is not finite: train again with a lower learning rate")
        yield coordinates, features
