"""Views of patches, and the network applied to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import torch
from torch import Generator, Tensor

from napari_tsimcne.learning._augment import Share, augment, center_crop
from napari_tsimcne.learning._device import Precision, memory_layout
from napari_tsimcne.learning._network import TSimCNE
from napari_tsimcne.learning._patch_set import PatchSet
from napari_tsimcne.learning._world import World
from napari_tsimcne.recipe import Recipe

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

    def example(self, count: int) -> Tensor:
        """Draw so many views of the first patches, by random numbers of their own."""
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
