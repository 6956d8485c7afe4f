"""Which arithmetic a training uses: float32 or bfloat16, compiled or not."""

from __future__ import annotations

import copy
from collections.abc import Generator
from typing import Literal, NamedTuple

import torch

from napari_tsimcne.control import Control
from napari_tsimcne.errors import TrainingError
from napari_tsimcne.events import Event, Preparing
from napari_tsimcne.learning._checkpoint import TrainingState
from napari_tsimcne.learning._device import (
    BFLOAT16_DEVICES,
    Check,
    Precision,
    compiled_seconds,
    compiles_faster,
    fastest_precision,
    step_seconds,
)
from napari_tsimcne.learning._pausing import PausePoint
from napari_tsimcne.learning._views import Views
from napari_tsimcne.learning._world import World
from napari_tsimcne.recipe import Recipe, Stage

COMPILED_FROM = 600.0
"""Seconds of training with the whole network from which compiling it may pay."""

TIMED_VIEWS = 64
SHORT = 200 * TIMED_VIEWS
"""Views of a training that is over before timing the arithmetic, which takes 18 steps, has paid."""


class Pins(NamedTuple):
    """Arithmetic that is not to be chosen by a stopwatch; None: it is."""

    precision: Literal["float32", "bfloat16"] | None = None
    compiled: bool | None = None

    def check(self, device: torch.device, processes: int, begun: TrainingState | None) -> None:
        """Check that a device can do so, and a training has done so that goes on.

        Raises
        ------
        TrainingError
            Where it cannot, or has not.
        """
        if self.precision == "bfloat16" and device.type not in BFLOAT16_DEVICES:
            raise TrainingError("bfloat16 is for CPUs and NVIDIA GPUs: take float32 here")
        if self.compiled and (device.type not in BFLOAT16_DEVICES or processes > 1):
            raise TrainingError(
                "compiling is for one process on a CPU or an NVIDIA GPU: do without it here"
            )
        if begun is None:
            return
        there = Pins("bfloat16" if begun.bfloat16 else "float32", begun.compiled)
        for what, wanted, was in zip(self._fields, self, there, strict=True):
            if wanted not in (None, was):
                raise TrainingError(
                    f"this training began with {what} {was}: leave that choice out to go on, or "
                    "train a new run"
                )


def views_drawn(recipe: Recipe, patches: int) -> int:
    """How many views a training of so many patches draws."""
    epochs = sum(stage.passes(patches) * stage.epochs for stage in recipe.running_stages)
    return 2 * patches * epochs


def choose_arithmetic(
    views: Views,
    recipe: Recipe,
    patches: int,
    pins: Pins,
    pause_point: PausePoint,
    control: Control,
) -> Generator[Event, None, None]:
    """Let the network run by what is pinned, else by what is faster on so many patches."""
    world = pause_point.world
    timed = _timed(views, recipe, patches, pins, world)
    if any(timed):
        yield Preparing(text="timing which arithmetic is fastest here")
    chosen = yield from pause_point.during(
        lambda check: _fastest(views, recipe, patches, world, pins, timed, check), control
    )
    if chosen is not None:
        views.precision, views.compiled = chosen


def compiles_again(
    views: Views, batch_size: int, pause_point: PausePoint, control: Control
) -> Generator[Event, None, bool]:
    """Whether a network that was compiled can be compiled here too; also once stopped."""
    model = copy.deepcopy(views.model).train()

    def tried(check: Check) -> bool:
        example = views.example(2 * batch_size)
        return compiled_seconds(model, example, views.precision, check) is not None

    return (yield from pause_point.during(tried, control)) is not False


class _Timed(NamedTuple):
    precision: bool
    compiling: bool


def _timed(views: Views, recipe: Recipe, patches: int, pins: Pins, world: World) -> _Timed:
    """Return what is chosen by timing: nothing of the shortest trainings, nor what is pinned.

    Processes that share batches do without compiling.
    """
    device = views.random.device
    if device.type not in BFLOAT16_DEVICES or views_drawn(recipe, patches) < SHORT:
        return _Timed(False, False)
    return _Timed(
        precision=pins.precision is None and recipe.precision == "auto",
        compiling=pins.compiled is None and bool(_whole(recipe)) and world.size == 1,
    )


def _whole(recipe: Recipe) -> list[Stage]:
    """Stages in which the whole network is trained."""
    return [stage for stage in recipe.running_stages if not stage.cached]


def _fastest(
    views: Views,
    recipe: Recipe,
    patches: int,
    world: World,
    pins: Pins,
    timed: _Timed,
    check: Check,
) -> tuple[Precision, bool]:
    """Return the faster of float32 and bfloat16, and whether compiling pays, as timed.

    Compiling takes about a minute: where the whole network is to train for a short time only,
    it is not tried. The network stays as it is: a copy is timed.
    """
    precision = views.precision.with_bfloat16(pins.precision == "bfloat16")
    if not any(timed):
        return precision, bool(pins.compiled)
    few = views.example(TIMED_VIEWS)
    model = copy.deepcopy(views.model).train()
    if timed.precision:
        faster = fastest_precision(model, few, check)
        bfloat16 = bool(world.agree(int(faster.name == "bfloat16")))
        precision = faster.with_bfloat16(bfloat16)
    if not timed.compiling:
        return precision, bool(pins.compiled)
    whole = _whole(recipe)
    drawn = 2 * patches * sum(stage.passes(patches) * stage.epochs for stage in whole)
    seconds = step_seconds(model, few, precision, check)
    if seconds * drawn / len(few) <= COMPILED_FROM:
        return precision, False
    batch = views.example(2 * whole[0].batch_size)
    return precision, compiles_faster(model, batch, precision, check)
