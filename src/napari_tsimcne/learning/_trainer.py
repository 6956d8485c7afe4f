"""Runs the stages of a recipe over the patches and reports what happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator

import numpy as np
import torch
from torch import Tensor

from napari_tsimcne.control import Control
from napari_tsimcne.errors import TrainingError
from napari_tsimcne.events import EpochEnded, Event, Noted, Prepared, RolledBack, Saved
from napari_tsimcne.learning._arithmetic import Pins, choose_arithmetic, compiles_again
from napari_tsimcne.learning._cadence import PROGRESS_SECONDS, Cadence, Due
from napari_tsimcne.learning._checkpoint import Checkpoint, Position, restore_optimizers
from napari_tsimcne.learning._clock import Clock, step_kind
from napari_tsimcne.learning._device import (
    choose_device,
    describe_device,
    memory_errors_explained,
    memory_layout,
)
from napari_tsimcne.learning._live_state import DivergedError, LiveState
from napari_tsimcne.learning._network import TSimCNE, count_parameters, start_from_pretrained
from napari_tsimcne.learning._patch_set import PatchSet, Scaling
from napari_tsimcne.learning._pausing import PausePoint
from napari_tsimcne.learning._report import Report
from napari_tsimcne.learning._schedule import map_is_learnt, rate_factor
from napari_tsimcne.learning._stage_run import StageRun, check_batches
from napari_tsimcne.learning._views import Views
from napari_tsimcne.learning._whole_map import embed_all
from napari_tsimcne.learning._world import join_world
from napari_tsimcne.recipe import Recipe, Stage, short_map_stage

CHECKPOINT_SECONDS = 60.0
ROLLBACK_SCALE = 0.3
"""Factor on the learning rate after a rollback, until the end of the stage."""
SHORT_MAP_PATCHES = 10_000
"""Patches that the map of a stopped training is learnt from at most: a stop must not take long."""


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
        Where to go on; from the beginning without it. One of another kind of device is gone on
        from with other random numbers, which `Noted` tells.
    save
        Writes a checkpoint; called every ``checkpoint_seconds`` and at every stage's end.
    pins
        Arithmetic that is not to be chosen by timing.

    Attributes
    ----------
    stopped
        Whether it was stopped before the recipe's end.
    short_map
        Whether its map was then made by `short_map_stage`.

    Raises
    ------
    TrainingError
        Where the device is not available or cannot do what is pinned, pretrained weights cannot
        be had, there are too few patches, or the checkpoint is of another training.
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
        pins: Pins = Pins(),  # noqa: B008 (immutable)
    ) -> None:
        self.recipe = recipe
        self.device = choose_device(device)
        self.stopped = self.short_map = False
        self.world = join_world(self.device)
        pins.check(self.device, self.world.size, checkpoint.state if checkpoint else None)
        self._pins = pins
        self._save_checkpoint = save
        self._checkpoint_seconds = checkpoint_seconds
        self._stages = recipe.running_stages
        self._data = PatchSet(patches, scaling, self.device)
        held_out = recipe.held_out_rows(len(patches))
        self._rows = torch.from_numpy(np.setdiff1d(np.arange(len(patches)), held_out))
        check_batches(self._stages, len(self._rows), self.world.size)
        torch.manual_seed(recipe.seed)
        views_random = torch.Generator(self.device).manual_seed(recipe.seed)
        first = self._stages[0]
        model = TSimCNE(self._data.channels, recipe.network, first.start_dim or first.output_dim)
        if recipe.network.pretrained and checkpoint is None:
            start_from_pretrained(model, recipe.network)
        self.world.synchronize_statistics(model)
        self.model = model.to(self.device).to(memory_format=memory_layout(self.device))
        self._views = Views(self.model, self._data, recipe, rgb, views_random)
        self._state = LiveState(recipe, self._views, self.world)
        self._seconds_before, self._started = 0.0, time.perf_counter()
        self._resumed = checkpoint is not None
        if checkpoint is not None:
            self._seconds_before = checkpoint.state.seconds
            self._state.restore(checkpoint)
        self._good = checkpoint or self._state.snapshot((), 0.0)
        self._clock = Clock(
            self._stages, len(self._rows), len(self._data), recipe.orientations,
            self._state.position,
        )  # fmt: skip
        self._pause_point = PausePoint(self.world, self._clock)
        self._report = Report(self._stages, self._views, self.world, self._clock)

    # --- training -----------------------------------------------------------------------------

    def train(self, control: Control | None = None) -> Iterator[Event]:
        """Run all stages; hold and stop as ``control`` says.

        Stopped before the map's stage has done enough, a map is made of what was learnt.

        Raises
        ------
        TrainingError
            Where memory runs out, training diverges again after a rollback, or another process
            of it is lost.
        """
        control = control or Control()
        # Of several processes, those that still have memory would not try along.
        try_batch = self._views.try_batch if self.world.size == 1 else None
        with (
            self.world.losses_explained(),
            memory_errors_explained(self.recipe.batch_size, try_batch),
        ):
            yield from self._settle_arithmetic(control)
            yield Prepared(
                patches=len(self._data), parameters=count_parameters(self.model),
                device=describe_device(self.device), precision=self._views.precision.name,
                compiled=self._views.compiled, resumed=self._resumed,
            )  # fmt: skip
            for text in self._state.notes:
                yield Noted(text=text)
            self.stopped = not (yield from self._run_stages(control))
            if self.stopped and not map_is_learnt(
                self._stages, self._state.position, self.recipe.map_dimensions
            ):
                self._plan_short_map()
                # It is what a stop asks for: asking again changes nothing.
                yield from self._run_stages(Control())

    def _settle_arithmetic(self, control: Control) -> Iterator[Event]:
        """Choose the arithmetic, or go on with that of the checkpoint."""
        views, hold = self._views, self._pause_point
        if not self._resumed:
            trained = len(self._rows)
            yield from choose_arithmetic(views, self.recipe, trained, self._pins, hold, control)
            self._good = self._state.snapshot((), self.seconds)
        elif views.compiled:
            at = min(self._state.position.stage, len(self._stages) - 1)
            batch = self._stages[at].batch_size
            if not (yield from compiles_again(views, batch, hold, control)):
                views.compiled = False
                self._state.notes.append(
                    "the training goes on without torch.compile, which does not work here: its "
                    "numbers differ in their last digits"
                )

    def _run_stages(self, control: Control) -> Generator[Event, None, bool]:
        """Run the stages that are left; False when stopped."""
        while self._state.position.stage < len(self._stages):
            try:
                if (yield from self._pause_point(control)):
                    if self._state.position.starts_stage:
                        yield from self._save(None)
                    return False
                if not (yield from self._run_stage(control)):
                    return False
            except DivergedError as trouble:
                yield self._roll_back(str(trouble))
        return True

    def _run_stage(self, control: Control) -> Generator[Event, None, bool]:
        """Take the steps of the present stage from the present position; False when stopped."""
        stage = self._stages[self._state.position.stage]
        self._clock.enter(self._state.position.stage)
        run = yield from self._open_stage(stage, control)
        if run is None:
            return False
        cadence = Cadence()
        while self._state.position.epoch < stage.epochs:
            if not (yield from self._run_epoch(run, cadence, control)):
                return False
        self._state.check_finite(run.optimizers)
        if stage.annealing != "none":
            self.model.head.keep_outputs(stage.output_dim)
        self._state.rate_scale = 1.0
        self._state.position = Position(stage=self._state.position.stage + 1)
        yield from self._save(None)
        return True

    def _run_epoch(
        self, run: StageRun, cadence: Cadence, control: Control
    ) -> Generator[Event, None, bool]:
        """Take the steps of the present epoch from the present one on; False when stopped."""
        stage, place = run.stage, self._state.position
        if self._state.order is None:
            self._state.order, self._state.loss_sum = run.draw_order(), 0.0
        chunks = run.chunks(self._state.order)
        # On the device: reading every loss would make a GPU wait for the host.
        unread: list[Tensor] = []
        losses = run.losses(chunks[place.step :], stage.dimensions(place.epoch))
        for step, loss in enumerate(losses, start=place.step):
            rate = self._state.rate_scale * rate_factor(stage, place.epoch, step, len(chunks))
            run.step(loss, rate)
            unread.append(loss.detach())
            self._clock.count(step_kind(stage), len(chunks[step]))
            ends = step + 1 == len(chunks)
            over = ends and place.epoch + 1 == stage.epochs
            self._state.position = Position(stage=place.stage, epoch=place.epoch, step=step + 1)
            due = self._due(run, ends, cadence, control)
            if not due:
                continue
            value = self._state.add_losses(unread)
            unread.clear()
            if due & Due.TELL:
                cadence.done(Due.TELL)
                yield self._report.progress(
                    place, stage, place.epoch + 1, step + 1, len(chunks), value
                )
            if ends:
                self._state.order = None
                self._state.position = Position(stage=place.stage, epoch=place.epoch + 1)
                mean = self._state.loss_sum / len(chunks)
                yield EpochEnded(
                    stage=stage.name, epoch=place.epoch + 1, epochs=stage.epochs, loss=mean
                )
                if place.epoch > stage.warmup_epochs and run.collapsed:
                    raise DivergedError("the map collapsed: all patches came to lie in one place")
            if due & Due.MAP:
                yield self._report.moved_map(run)
                cadence.done(Due.MAP)
            if not over and due & (Due.SAVE | Due.PAUSE | Due.STOP):
                yield from self._save(run)
                cadence.done(Due.SAVE)
            if due & (Due.PAUSE | Due.STOP):
                stop = yield from self._pause_point(control)
                if stop and not over:
                    return False
        return True

    def _due(self, run: StageRun, ends: bool, cadence: Cadence, control: Control) -> Due:
        """Return what is due after a step; ``ends``: the last one of an epoch."""
        due = Due.TELL * (ends or cadence.waited(Due.TELL) > PROGRESS_SECONDS)
        due |= Due.SAVE * (cadence.waited(Due.SAVE) > self._checkpoint_seconds)
        epoch, waited = self._state.position.epoch, cadence.waited(Due.MAP)
        due |= Due.MAP * self._report.map_is_due(run, epoch, waited)
        due |= Due.PAUSE * control.pausing | Due.STOP * control.stopping
        return Due(self.world.agree(due))

    def _open_stage(
        self, stage: Stage, control: Control
    ) -> Generator[Event, None, StageRun | None]:
        """Bring network, cache and optimiser to where the stage begins or goes on.

        None when stopped meanwhile.
        """
        fresh = self._state.position.starts_stage
        random = self._views.random
        if fresh:
            outputs = stage.start_dim or stage.output_dim
            if stage.head_layers:
                self._state.replace_head(outputs, stage.head_layers)
            elif outputs != self.model.output_dim:
                self.model.head.replace_readout(outputs)
            self._state.cache_random = random.get_state()
        run = StageRun(stage, self._views, self._rows, self.world, self._state.order_random)
        if stage.cached:
            state = random.get_state()
            # The backbone is frozen: the same views of it can be made again.
            random.set_state(self._state.cache_random)
            told = time.perf_counter()
            for kind, amount in run.fill_cache():
                self._clock.count(kind, amount)
                if time.perf_counter() - told > PROGRESS_SECONDS:
                    told = time.perf_counter()
                    yield self._report.progress(self._state.position, stage)
                if (yield from self._pause_point(control)):
                    return None
            if fresh:
                run.start_from_principal_axes()
            else:
                random.set_state(state)
        if self._state.optimizer:
            restore_optimizers(run.optimizers, self._state.optimizer)
            self._state.optimizer = {}
        return run

    # --- the map of a stopped training --------------------------------------------------------

    def _plan_short_map(self) -> None:
        """Plan a map of features learnt so far; the checkpoint stays where training stopped."""
        self.short_map = True
        self._stages = (short_map_stage(self.recipe.map_dimensions),)
        self._rows = self._rows[:: -(-len(self._rows) // SHORT_MAP_PATCHES)]
        self._state.begin_anew()
        self._save_checkpoint = None
        self._good = self._state.snapshot((), self.seconds)
        self._clock.replan(self._stages, len(self._rows), self._state.position)
        self._report = Report(self._stages, self._views, self.world, self._clock)

    # --- checkpoints --------------------------------------------------------------------------

    def _save(self, run: StageRun | None) -> Iterator[Event]:
        optimizers = run.optimizers if run is not None else ()
        self._state.check_finite(optimizers)
        self._good = self._state.snapshot(optimizers, self.seconds)
        if self._save_checkpoint is not None and self.world.rank == 0:
            self._save_checkpoint(self._good)
            yield Saved()

    def _roll_back(self, reason: str) -> RolledBack:
        place = self._state.position
        if self._state.rate_scale < 1:
            raise TrainingError(
                f"{reason} in stage '{self._stages[place.stage].name}', epoch {place.epoch + 1}, "
                "again after a rollback with a lower learning rate: check that the patches differ "
                "(not blank or all the same), or use a larger batch"
            )
        self._state.restore(self._good)
        self._state.rate_scale = ROLLBACK_SCALE
        self._clock.replan(self._stages, len(self._rows), self._state.position)
        return RolledBack(reason=reason, rate_scale=self._state.rate_scale)

    # --- what is reported, what is made -------------------------------------------------------

    @property
    def seconds(self) -> float:
        """Time spent on this training, in this process and before it, without pauses.

        What was lost by a rollback counts: it was spent.
        """
        spent = time.perf_counter() - self._started - self._pause_point.held
        return self._seconds_before + spent

    @property
    def trained(self) -> int:
        """Patches that the present stage is trained on."""
        return len(self._rows)

    @property
    def precision(self) -> str:
        """``float32`` or ``bfloat16``."""
        return self._views.precision.name

    @property
    def threads(self) -> int:
        """CPU threads."""
        return self._good.state.threads

    @property
    def compiled(self) -> bool:
        """Whether the network is compiled."""
        return self._views.compiled

    def embed(
        self, control: Control | None = None
    ) -> Iterator[Event | tuple[np.ndarray, np.ndarray]]:
        """Make the map of all patches, as `embed_all` does.

        It holds as ``control`` says, and goes on when stopped: the map is what a stop keeps.
        """
        control = control or Control()
        self._clock.enter(len(self._stages))
        with self.world.losses_explained():
            yield from embed_all(self._views, self._clock, self._report, self._pause_point, control)
