"""One stage at work: weights that move, their optimiser, and the loss of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from napari_tsimcne.errors import TrainingError
from napari_tsimcne.learning._augment import Share
from napari_tsimcne.learning._cache import FeatureCache
from napari_tsimcne.learning._clock import Kind
from napari_tsimcne.learning._device import compiled_model
from napari_tsimcne.learning._loss import cauchy_info_nce, cosine_info_nce
from napari_tsimcne.learning._muon import Muon
from napari_tsimcne.learning._network import TSimCNE
from napari_tsimcne.learning._views import Views
from napari_tsimcne.learning._world import World
from napari_tsimcne.recipe import Stage

COLLAPSED_SPREAD = 1e-3
"""Outputs within so little of each other (standard deviation, kernel widths) are one place."""
MAP_SPREAD = 10.0
"""Standard deviation of the principal axis from which a cached stage starts, in kernel widths."""
SMALL_BATCH = 8
"""A batch of fewer patches would be a whole step by what hardly anything says."""


def batch_sizes(patches: int, batch: int, least: int = SMALL_BATCH) -> list[int]:
    """Return the sizes of the batches in one pass over the patches.

    All are of ``batch`` patches but the last. Where that would have fewer than ``least``, the last
    two share their patches evenly, or are one where these do not suffice for two.
    """
    least = min(least, batch)
    whole, rest = divmod(patches, batch)
    sizes = [batch] * whole + [rest] * bool(rest)
    if len(sizes) > 1 and sizes[-1] < least:
        both = sum(sizes[-2:])
        sizes[-2:] = [both - both // 2, both // 2] if both // 2 >= least else [both]
    return sizes


def check_batches(stages: Sequence[Stage], patches: int, processes: int) -> None:
    """Check that there is something to learn from, for each of the processes in every batch.

    Raises
    ------
    TrainingError
        Where there is not.
    """
    if patches < 2:
        raise TrainingError(f"{patches} patches are too few to learn from: a training needs two")
    least = max(SMALL_BATCH, processes)
    smallest = min(
        size for stage in stages for size in batch_sizes(patches, stage.batch_size, least)
    )
    if smallest < processes:
        raise TrainingError(
            f"a batch has {smallest} patches, fewer than the {processes} processes that share it: "
            f"start at most {smallest} processes"
        )


class StageRun:
    """The loss of a stage, batch by batch.

    Parameters
    ----------
    stage
        What is trained, and how.
    views
        Makes the views.
    rows
        Patches that are trained on; batches number them from 0.
    world
        Shares the work.
    order
        Source of randomness for pairs drawn from a cache.
    """

    def __init__(
        self, stage: Stage, views: Views, rows: Tensor, world: World, order: Generator
    ) -> None:
        self.stage = stage
        self.cache: FeatureCache | None = None
        self._views = views
        self._rows = rows
        self._world = world
        self._order = order
        self._outputs: Tensor | None = None
        views.model.train_part(stage.trains)
        views.model.train()
        whole = not stage.cached
        self._module = world.wrap(views.model if whole else views.model.head)
        # For whole batches; an epoch's last, smaller one takes the plain way.
        self._compiled = compiled_model(views.model) if whole and views.compiled else None
        self.optimizers = make_optimizers(views.model, stage)

    @torch.no_grad()
    def fill_cache(self) -> Iterator[tuple[Kind, float]]:
        """Compute the features of patches and views, and neighbours; yields the work done."""
        model, views = self._views.model, self._views
        model.eval()
        cache = FeatureCache(
            self.stage.cached_views, len(self._rows), model.head.features, views.random.device
        )
        if self.stage.whitening:
            model.whitening.reset()
        for count in self._fill(cache.clean, lambda patches, _: views.features(patches)):
            yield Kind.FEATURES, count * views.orientations
        if self.stage.whitening:
            model.whitening.fit(cache.clean, self.stage.whitening)
            cache.clean = model.whitening(cache.clean).to(cache.clean.dtype)
        for view in cache.views:
            for count in self._fill(
                view, lambda patches, part: model.features(views.augmented(patches, part))
            ):
                yield Kind.FEATURES, count
        if self.stage.neighbors:
            for count in cache.find_neighbors(self.stage.neighbors):
                yield Kind.PAIRS, count
        self.cache = cache
        model.train()

    def _fill(self, target: Tensor, apply: Callable[[Tensor, Share], Tensor]) -> Iterator[int]:
        """Fill (N, D) with what ``apply`` makes of the patches, batch by batch."""
        chunks = torch.arange(len(self._rows)).split(self._views.embedding_batch)
        shares = [chunk[self._world.share(len(chunk))] for chunk in chunks]
        loaded = self._views.data.batches([self._rows[share] for share in shares])
        for chunk, share, patches in zip(chunks, shares, loaded, strict=True):
            with self._views.precision():
                features = apply(patches, Share(share - chunk[0], len(chunk))).float()
            target[chunk] = self._world.gather(features, len(chunk)).to(target.dtype)
            yield len(chunk)

    def cached_map(self, step: int) -> tuple[Tensor, Tensor]:
        """Rows and coordinates of every ``step``-th cached patch, by the head alone."""
        assert self.cache is not None
        return self._rows[::step], self._views.model.head(self.cache.clean[::step].float())

    def start_from_principal_axes(self) -> None:
        """Begin with the principal axes of the cached features."""
        assert self.cache is not None
        self._views.model.train()
        sample = self.cache.clean[:: -(-len(self.cache.clean) // 20_000)].float()
        self._views.model.head.start_from_principal_axes(sample, MAP_SPREAD)

    def draw_order(self) -> Tensor:
        """Draw the order of an epoch: each pass over the patches has all of them once."""
        count = len(self._rows)
        passes = range(self.stage.passes(count))
        return torch.cat([torch.randperm(count, generator=self._order) for _ in passes])

    def chunks(self, order: Tensor) -> list[Tensor]:
        """Return the batches of an epoch, see `batch_sizes`; none holds a patch twice."""
        count = len(self._rows)
        sizes = batch_sizes(count, self.stage.batch_size, max(SMALL_BATCH, self._world.size))
        return [chunk for rows in order.split(count) for chunk in rows.split(sizes)]

    def losses(self, chunks: Sequence[Tensor], dimensions: int) -> Iterator[Tensor]:
        """Yield the loss of each chunk of rows, ready to go backward."""
        if self.cache is not None:
            for chunk in chunks:
                first, second = self.cache.pairs(chunk, self._order)
                own = self._world.share(len(chunk))
                outputs = self._module(torch.cat([first[own], second[own]]))
                yield self._loss(outputs, len(chunk), dimensions)
            return
        shares = [chunk[self._world.share(len(chunk))] for chunk in chunks]
        loaded = self._views.data.batches([self._rows[share] for share in shares])
        for chunk, patches in zip(chunks, loaded, strict=True):
            count = len(chunk)
            mine = torch.arange(count)[self._world.share(count)]
            # Both views pass as one batch, so that batch normalisation sees them together.
            share = Share(torch.cat([mine, mine + count]), 2 * count)
            views = self._views.augmented(torch.cat([patches, patches]), share)
            module = self._module
            if self._compiled is not None and count == self.stage.batch_size:
                module = self._compiled
            with self._views.precision():
                outputs = module(views)
            yield self._loss(outputs, count, dimensions)

    def _loss(self, outputs: Tensor, count: int, dimensions: int) -> Tensor:
        first, second = (
            self._world.gather(z, count) for z in outputs.float()[:, :dimensions].chunk(2)
        )
        self._outputs = first.detach()
        if self.stage.loss == "cosine":
            return cosine_info_nce(first, second, self.stage.temperature)
        return cauchy_info_nce(first, second)

    @property
    def collapsed(self) -> bool:
        """Whether the outputs of the last step lie all in one place."""
        outputs = self._outputs
        if outputs is None or len(outputs) < 2:
            return False
        if self.stage.loss == "cosine":
            outputs = F.normalize(outputs, dim=1)
        return float(outputs.std(dim=0).max()) < COLLAPSED_SPREAD

    def step(self, loss: Tensor, factor: float) -> None:
        """Move the weights down the slope of a loss, at a share of their learning rates."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["full_lr"] * factor
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()


def make_optimizers(model: TSimCNE, stage: Stage) -> list[torch.optim.Optimizer]:
    """Return the optimisers of the weights that a stage trains, each at its full learning rate."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    settings = stage.optimizer
    made: list[torch.optim.Optimizer] = []
    if settings.method == "muon":
        filters = [w for w in model.backbone.parameters() if w.requires_grad and w.dim() == 4]
        if filters:
            made.append(Muon(filters, settings.muon_rate, weight_decay=settings.weight_decay))
        taken = {id(weight) for weight in filters}
        weights = [weight for weight in weights if id(weight) not in taken]
    fused = all(weight.device.type in ("cpu", "cuda") for weight in weights)
    rate, decay = settings.rate(stage.batch_size), settings.weight_decay
    if settings.method == "sgd":
        made.append(torch.optim.SGD(
            weights, lr=rate, momentum=settings.momentum, weight_decay=decay, fused=fused
        ))  # fmt: skip
    else:
        made.append(torch.optim.AdamW(weights, lr=rate, weight_decay=decay, fused=fused))
    for optimizer in made:
        for group in optimizer.param_groups:
            group["full_lr"] = group["lr"]
    return made
