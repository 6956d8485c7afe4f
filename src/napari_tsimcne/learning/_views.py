"""Views of patches, and the network applied to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import torch
from torch import Generator, Tensor

from napari_tsimcne.learning._augment import Share, augment, center_crop
from napari_tsimcne.learning._device import (
    Precision,
    compiles_faster,
    fastest_precision,
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


def views_drawn(recipe: Recipe, patches: int) -> int:
    """How many views a training of so many patches draws."""
    epochs = sum(stage.passes(patches) * stage.epochs for stage in recipe.running_stages)
    return 2 * patches * epochs


def embedding_batch(device: torch.device) -> int:
    """Patches embedded at once: few on a CPU, where what stays in its caches is faster."""
    return 128 if device.type == "cpu" else 1024


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
        self._augmentations = recipe.augmentations
        self._rgb = rgb

    def augmented(self, patches: Tensor, share: Share | None = None) -> Tensor:
        """Draw one view of each patch (N, C, S, S)."""
        views = augment(patches, self.size, self._augmentations, self._rgb, self.random, share)
        return views.contiguous(memory_format=torch.channels_last)

    def features(self, patches: Tensor) -> Tensor:
        """H (N, D) of patches as they are."""
        return self.model.oriented_features(center_crop(patches, self.size), self.orientations)

    def outputs(self, rows: Tensor, world: World, precise: bool) -> Iterator[tuple[Tensor, Tensor]]:
        """Z and H of patches, batch by batch, each process its share."""
        chunks = rows.split(embedding_batch(self.random.device))
        shares = [chunk[world.share(len(chunk))] for chunk in chunks]
        for chunk, patches in zip(chunks, self.data.batches(shares), strict=True):
            # The map must not depend on which precision was faster: float32 where it is kept.
            with nullcontext() if precise else self.precision():
                features = self.features(patches)
                outputs = self.model.head(features)
            yield (
                world.gather(outputs.float(), len(chunk)),
                world.gather(features.float(), len(chunk)),
            )

    def choose_arithmetic(self, recipe: Recipe, patches: int, world: World) -> None:
        """Take the faster of float32 and bfloat16, and compile where it pays, as timed.

        Compiling takes about a minute: where the whole network is to train for a short time only,
        it is not tried. Processes that share batches do without. Of the shortest trainings nothing
        is timed.
        """
        if self.random.device.type not in ("cpu", "cuda") or views_drawn(recipe, patches) < SHORT:
            return
        few = self._example(TIMED_VIEWS)
        if recipe.precision == "auto":
            faster = fastest_precision(self.model.train(), few)
            bfloat16 = bool(world.agree(int(faster.name == "bfloat16")))
            self.precision = faster.with_bfloat16(bfloat16)
        whole = [stage for stage in recipe.running_stages if not stage.cached]
        if not whole or world.size > 1:
            return
        views = 2 * patches * sum(stage.passes(patches) * stage.epochs for stage in whole)
        seconds = step_seconds(self.model.train(), few, self.precision)
        if seconds * views / len(few) > COMPILED_FROM:
            batch = self._example(2 * whole[0].batch_size)
            self.compiled = compiles_faster(self.model, batch, self.precision)

    def _example(self, count: int) -> Tensor:
        """So many views; the random numbers of the training stay."""
        state = self.random.get_state()
        views = self.augmented(self.data[torch.arange(count) % len(self.data)])
        self.random.set_state(state)
        return views

    def try_batch(self, batch_size: int) -> None:
        """Take one step with blank views, to see whether memory holds it."""
        size = self.size
        views = torch.zeros(
            (2 * batch_size, self.data.channels, size, size), device=self.random.device
        )
        with self.precision():
            outputs = self.model(views.contiguous(memory_format=torch.channels_last))
        outputs.float().square().mean().backward()
        self.model.zero_grad(set_to_none=True)
