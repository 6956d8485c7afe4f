"""Views of patches, and the network applied to them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Literal, NamedTuple

import torch
from torch import Generator, Tensor

from napari_tsimcne.errors import TrainingError
from napari_tsimcne.learning._augment import Share, augment, center_crop
from napari_tsimcne.learning._checkpoint import TrainingState
from napari_tsimcne.learning._device import (
    BFLOAT16_DEVICES,
    Check,
    Precision,
    compiled_seconds,
    compiles_faster,
    fastest_precision,
    memory_layout,
    step_seconds,
)
from napari_tsimcne.learning._network import TSimCNE
from napari_tsimcne.learning._patch_set import PatchSet
from napari_tsimcne.learning._world import World
from napari_tsimcne.recipe import Recipe

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


CPU_BATCH = 32
"""Patches of 32 px a side, with 8 orientations, that a CPU embeds at once in about a second."""


def embedding_batch(recipe: Recipe, device: torch.device) -> int:
    """Patches embedded at once: on a CPU so few that a pause is obeyed soon."""
    if device.type != "cpu":
        return 1024
    network = recipe.network
    pixels = recipe.patches.pixels / (4 if network.stem == "torchvision" else 1)
    work = (pixels / 32) ** 2 * (network.width / 32) ** 2 * recipe.orientations / 8
    return int(min(128, max(1, CPU_BATCH / work)))


class Views:
    """Makes views of patches and runs the network on them; shared by all stages."""

    def __init__(
        self, model: TSimCNE, data: PatchSet, recipe: Recipe, rgb: bool, seed: Generator
    ) -> None:
        self.model = model
        self.data = data
        self.random = seed
        self.precision = Precision(seed.device, bfloat16=False)
        self.compiled = False
        self.size = recipe.patches.pixels
        self.orientations = recipe.orientations
        self.embedding_batch = embedding_batch(recipe, seed.device)
        self._augmentations = recipe.augmentations
        self._rgb = rgb

    def augmented(self, patches: Tensor, share: Share | None = None) -> Tensor:
        """Draw one view of each patch (N, C, S, S)."""
        views = augment(patches, self.size, self._augmentations, self._rgb, self.random, share)
        return views.contiguous(memory_format=memory_layout(views.device))

    def features(self, patches: Tensor) -> Tensor:
        """H (N, D) of patches as they are."""
        return self.model.oriented_features(center_crop(patches, self.size), self.orientations)

    def outputs(self, rows: Tensor, world: World, precise: bool) -> Iterator[tuple[Tensor, Tensor]]:
        """Z and H of patches, batch by batch, each process its share."""
        chunks = rows.split(self.embedding_batch)
        shares = [chunk[world.share(len(chunk))] for chunk in chunks]
        for chunk, patches in zip(chunks, self.data.batches(shares), strict=True):
            # The map must not depend on which precision was faster: float32 where it is kept.
            with nullcontext() if precise else self.precision():
                outputs, features = self.model.embed(patches, self.size, self.orientations)
            yield world.gather(outputs, len(chunk)), world.gather(features, len(chunk))

    def choose_arithmetic(
        self, recipe: Recipe, patches: int, world: World, pins: Pins, check: Check = lambda: None
    ) -> tuple[Precision, bool]:
        """Return the faster of float32 and bfloat16, and whether compiling pays, as timed.

        Compiling takes about a minute: where the whole network is to train for a short time only,
        it is not tried. Processes that share batches do without. Of the shortest trainings nothing
        is timed, nor what is pinned. The network stays as it is: a copy is timed.
        """
        precision = self.precision.with_bfloat16(pins.precision == "bfloat16")
        whole = [stage for stage in recipe.running_stages if not stage.cached]
        device = self.random.device
        short = views_drawn(recipe, patches) < SHORT
        time_precision = pins.precision is None and recipe.precision == "auto" and not short
        time_compiling = pins.compiled is None and not short and bool(whole) and world.size == 1
        if device.type not in BFLOAT16_DEVICES or not (time_precision or time_compiling):
            return precision, bool(pins.compiled)
        few = self._example(TIMED_VIEWS)
        model = copy.deepcopy(self.model).train()
        if time_precision:
            faster = fastest_precision(model, few, check)
            bfloat16 = bool(world.agree(int(faster.name == "bfloat16")))
            precision = faster.with_bfloat16(bfloat16)
        if not time_compiling:
            return precision, bool(pins.compiled)
        views = 2 * patches * sum(stage.passes(patches) * stage.epochs for stage in whole)
        seconds = step_seconds(model, few, precision, check)
        if seconds * views / len(few) <= COMPILED_FROM:
            return precision, False
        batch = self._example(2 * whole[0].batch_size)
        return precision, compiles_faster(model, batch, precision, check)

    def compiles(self, batch_size: int, check: Check = lambda: None) -> bool:
        """Whether the network can be compiled here."""
        model = copy.deepcopy(self.model).train()
        example = self._example(2 * batch_size)
        return compiled_seconds(model, example, self.precision, check) is not None

    def _example(self, count: int) -> Tensor:
        """So many views, by random numbers of their own."""
        patches = self.data[torch.arange(count) % len(self.data)]
        device = self.random.device
        random = Generator(device).manual_seed(0)
        views = augment(patches, self.size, self._augmentations, self._rgb, random)
        return views.contiguous(memory_format=memory_layout(device))

    def try_batch(self, batch_size: int) -> None:
        """Take one step with blank views, to see whether memory holds it."""
        size = self.size
        views = torch.zeros(
            (2 * batch_size, self.data.channels, size, size), device=self.random.device
        )
        with self.precision():
            outputs = self.model(views.contiguous(memory_format=memory_layout(views.device)))
        outputs.float().square().mean().backward()
        self.model.zero_grad(set_to_none=True)
