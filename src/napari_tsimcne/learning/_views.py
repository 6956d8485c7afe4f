"""Views of patches, and the network applied to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import torch
from torch import Generator, Tensor

from napari_tsimcne.learning._augment import Share, augment, center_crop
from napari_tsimcne.learning._device import Precision, fastest_precision
from napari_tsimcne.learning._network import TSimCNE
from napari_tsimcne.learning._patch_set import PatchSet
from napari_tsimcne.learning._world import World
from napari_tsimcne.recipe import Recipe

EMBEDDING_BATCH = 512


class Views:
    """Makes views of patches and runs the network on them; shared by all stages."""

    def __init__(
        self, model: TSimCNE, data: PatchSet, recipe: Recipe, rgb: bool, seed: Generator
    ) -> None:
        self.model = model
        self.data = data
        self.random = seed
        self.precision = Precision(seed.device, bfloat16=False)
        self.size = recipe.patches.size
        self._augmentations = recipe.augmentations
        self._rgb = rgb

    def augmented(self, patches: Tensor, share: Share | None = None) -> Tensor:
        """Draw one view of each patch (N, C, S, S)."""
        views = augment(patches, self.size, self._augmentations, self._rgb, self.random, share)
        return views.contiguous(memory_format=torch.channels_last)

    def unchanged(self, patches: Tensor) -> Tensor:
        """Return the patches without margin (N, C, S, S)."""
        return center_crop(patches, self.size).contiguous(memory_format=torch.channels_last)

    def outputs(self, rows: Tensor, world: World, precise: bool) -> Iterator[tuple[Tensor, Tensor]]:
        """Z and H of patches, batch by batch, each process its share."""
        chunks = rows.split(EMBEDDING_BATCH)
        shares = [chunk[world.share(len(chunk))] for chunk in chunks]
        for chunk, patches in zip(chunks, self.data.batches(shares), strict=True):
            views = self.unchanged(patches)
            # The map must not depend on which precision was faster: float32 where it is kept.
            with nullcontext() if precise else self.precision():
                features = self.model.features(views)
                outputs = self.model.head(features)
            yield (
                world.gather(outputs.float(), len(chunk)),
                world.gather(features.float(), len(chunk)),
            )

    def choose_precision(self, world: World) -> None:
        """Take the faster of float32 and bfloat16, as timed."""
        if self.random.device.type in ("cpu", "cuda"):
            state = self.random.get_state()
            rows = torch.arange(min(64, len(self.data)))
            example = self.augmented(self.data[rows])
            self.model.train()
            faster = fastest_precision(self.model, example)
            bfloat16 = bool(world.agree(int(faster.name == "bfloat16")))
            self.precision = faster.with_bfloat16(bfloat16)
            self.random.set_state(state)

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
