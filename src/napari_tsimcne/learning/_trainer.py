"""The trainer: runs a recipe's stages over a patch store and yields events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from napari_tsimcne.errors import TrainingError
from napari_tsimcne.events import Embedding, EpochEnded, Event, Prepared, Progress
from napari_tsimcne.learning._augment import augment, center_crop
from napari_tsimcne.learning._device import (
    Precision,
    choose_device,
    describe_device,
    fastest_precision,
    memory_errors_explained,
)
from napari_tsimcne.learning._loss import cauchy_info_nce
from napari_tsimcne.learning._network import (
    TSimCNE,
    count_parameters,
    start_readout_from_pca,
)
from napari_tsimcne.learning._schedule import rate_factor
from napari_tsimcne.recipe import Optimizer, Recipe, Stage

EVENT_SECONDS = 0.5
EMBEDDING_BATCH = 512

# Cost of one image, in passes of one view: forward and backward is about three forward passes.
FULL_STEP, READOUT_STEP, CACHED_STEP, EMBED = 6.0, 2.0, 0.2, 1.0

STOPPED_READOUT = Stage(
    name="readout",
    epochs=40,
    output_dim=2,
    trains="readout",
    optimizer=Optimizer(method="adamw", learning_rate=1e-2, weight_decay=0.0),
    batch_size=1024,
    cached_views=2,
)
"""Makes a map of what was learnt when training is stopped before it has two outputs."""


class Trainer:
    """Trains t-SimCNE on patches by a recipe.

    Parameters
    ----------
    patches
        (N, C, S + 2 margin, S + 2 margin), integers or floats; may be a memory map.
    ranges
        Values taken as 0 and 1, one pair (low, high) a channel.
    rgb
        Whether the channels are red, green and blue.
    recipe
        Augmentations, network, stages, seed.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises
    ------
    TrainingError
        Where the device is not available.
    """

    def __init__(
        self,
        patches: np.ndarray,
        ranges: Sequence[tuple[float, float]],
        rgb: bool,
        recipe: Recipe,
        device: str = "auto",
    ) -> None:
        self.recipe = recipe
        self.device = choose_device(device)
        self.stopped = False
        self._patches = patches
        self._rgb = rgb
        self._size = recipe.patches.size
        shape = (1, len(ranges), 1, 1)
        self._low = torch.tensor([low for low, _ in ranges]).view(shape).to(self.device)
        high = torch.tensor([high for _, high in ranges]).view(shape).to(self.device)
        self._width = high - self._low
        torch.manual_seed(recipe.seed)
        self._views = torch.Generator(self.device).manual_seed(recipe.seed)
        self._order = torch.Generator().manual_seed(recipe.seed)
        first = next(stage for stage in recipe.stages if stage.epochs)
        model = TSimCNE(len(ranges), recipe.network, first.output_dim)
        self.model = model.to(self.device).to(memory_format=torch.channels_last)
        self._precision = Precision(self.device, bfloat16=False)
        self._clock = _Clock(len(patches), recipe.stages)

    def train(self, should_stop: Callable[[], bool] = lambda: False) -> Iterator[Event]:
        """Run all stages; stop early, with a map, once ``should_stop()`` is true.

        Raises
        ------
        TrainingError
            Where memory runs out or the loss is no longer finite.
        """
        stages = [stage for stage in self.recipe.stages if stage.epochs]
        with memory_errors_explained(self.recipe.batch_size):
            self._choose_precision()
            yield Prepared(
                patches=len(self._patches),
                parameters=count_parameters(self.model),
                device=describe_device(self.device),
                precision=self._precision.name,
            )
            for number, stage in enumerate(stages, start=1):
                yield from self._run_stage(stage, number, len(stages), should_stop)
                if should_stop():
                    self.stopped = True
                    break
            if self.stopped and self.model.output_dim != 2:
                readout = STOPPED_READOUT
                yield from self._run_stage(readout, len(stages), len(stages), lambda: False)

    def embed(self) -> Iterator[Embedding | tuple[np.ndarray, np.ndarray]]:
        """Apply the network to every patch, in eval mode and without augmentation.

        Yields progress, and at last the coordinates (N, 2) and the features H (N, D), float32.
        """
        self.model.eval()
        coordinates, features = [], []
        count = len(self._patches)
        with memory_errors_explained(EMBEDDING_BATCH), torch.inference_mode():
            for start in range(0, count, EMBEDDING_BATCH):
                rows = np.arange(start, min(start + EMBEDDING_BATCH, count))
                crops = center_crop(self._load(rows), self._size)
                # Always float32: the map must not depend on which precision was faster.
                h = self.model.backbone(crops.contiguous(memory_format=torch.channels_last))
                features.append(h.cpu().numpy())
                coordinates.append(self.model.readout(self.model.hidden(h)).cpu().numpy())
                yield Embedding(fraction=(start + len(rows)) / count)
        z, h = np.concatenate(coordinates), np.concatenate(features)
        if not (np.isfinite(z).all() and np.isfinite(h).all()):
            raise TrainingError("the map is not finite: train again with a lower learning rate")
        yield z, h

    # --- stages -------------------------------------------------------------------------------

    def _run_stage(
        self, stage: Stage, number: int, stages: int, should_stop: Callable[[], bool]
    ) -> Iterator[Event]:
        model = self.model
        if stage.output_dim != model.output_dim:
            model.replace_readout(stage.output_dim)
        model.train_only_readout(stage.trains == "readout")
        model.train()
        cached: Tensor | None = None
        self._clock.enter(stage)
        told = time.perf_counter()
        if stage.cached_views:
            caching = self._cache_hidden(stage.cached_views)
            for part in caching:
                if isinstance(part, Tensor):
                    cached = part
                elif time.perf_counter() - told > EVENT_SECONDS:
                    told = time.perf_counter()
                    yield self._progress(stage, number, stages, 0, float("nan"))
            assert cached is not None
            start_readout_from_pca(model, cached.flatten(0, 1), spread=10.0)
        optimizer = _make_optimizer(model, stage)
        cost = _step_cost(stage)
        steps = -(-len(self._patches) // stage.batch_size)
        for epoch in range(stage.epochs):
            order = torch.randperm(len(self._patches), generator=self._order)
            total = 0.0
            for step, rows in enumerate(order.split(stage.batch_size)):
                rate = stage.optimizer.rate(stage.batch_size) * rate_factor(
                    stage, epoch, step, steps
                )
                for group in optimizer.param_groups:
                    group["lr"] = rate
                first, second = self._outputs(rows, cached)
                loss = cauchy_info_nce(first.float(), second.float())
                value = float(loss.detach())
                if not np.isfinite(value):
                    raise TrainingError(
                        f"the loss became {value} in stage '{stage.name}', epoch {epoch + 1}: "
                        "train again with a larger batch or a lower learning rate"
                    )
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                total += value
                self._clock.count(cost * len(rows), len(rows))
                if should_stop():
                    return
                if time.perf_counter() - told > EVENT_SECONDS:
                    told = time.perf_counter()
                    yield self._progress(stage, number, stages, epoch + 1, value)
            told = time.perf_counter()
            yield self._progress(stage, number, stages, epoch + 1, value)
            yield EpochEnded(
                stage=stage.name, epoch=epoch + 1, epochs=stage.epochs, loss=total / steps
            )

    def _outputs(self, rows: Tensor, cached: Tensor | None) -> tuple[Tensor, Tensor]:
        """Z of two views of the patches in ``rows``, through the network or from the cache."""
        if cached is not None:
            pair = torch.randperm(len(cached), generator=self._order)[:2].tolist()
            hidden = cached[pair][:, rows.to(cached.device)]
            first, second = self.model.readout(hidden).unbind(0)
            return first, second
        views = self._two_views(rows.numpy())
        with self._precision():
            first, second = self.model(views).chunk(2)
        return first, second

    def _two_views(self, rows: np.ndarray) -> Tensor:
        patches = self._load(rows)
        # Both views pass as one batch, so that batch normalisation sees them together.
        return self._augment(torch.cat([patches, patches]))

    def _augment(self, patches: Tensor) -> Tensor:
        views = augment(patches, self._size, self.recipe.augmentations, self._rgb, self._views)
        return views.contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def _cache_hidden(self, views: int) -> Iterator[Tensor | None]:
        """Hidden units of some views of every patch, (views, N, units), at last."""
        self.model.eval()
        count, batch = len(self._patches), EMBEDDING_BATCH
        units = self.recipe.network.hidden
        cached = torch.empty((views, count, units), device=self.device)
        for view in range(views):
            for start in range(0, count, batch):
                rows = np.arange(start, min(start + batch, count))
                with self._precision():
                    h = self.model.backbone(self._augment(self._load(rows)))
                    hidden = self.model.hidden(h)
                cached[view, start : start + len(rows)] = hidden.float()
                self._clock.count(EMBED * len(rows), len(rows) / 2)
                yield None
        self.model.train()
        yield cached

    # --- data ---------------------------------------------------------------------------------

    def _load(self, rows: np.ndarray) -> Tensor:
        """Patches of some rows on the device, with their margin, normalised to 0..1."""
        values = np.ascontiguousarray(self._patches[rows], dtype=np.float32)
        patches = torch.from_numpy(values).to(self.device)
        return ((patches - self._low) / self._width).clamp_(0, 1)

    def _choose_precision(self) -> None:
        if self.recipe.precision == "auto" and self.device.type in ("cpu", "cuda"):
            count = min(64, len(self._patches))
            example = self._augment(self._load(np.arange(count)))
            self.model.train()
            self._precision = fastest_precision(self.model, example)
            self._views.manual_seed(self.recipe.seed)

    def _progress(
        self, stage: Stage, number: int, stages: int, epoch: int, loss: float
    ) -> Progress:
        return Progress(
            stage=stage.name,
            stage_number=number,
            stages=stages,
            epoch=epoch,
            epochs=stage.epochs,
            loss=None if np.isnan(loss) else loss,
            images_per_second=self._clock.images_per_second,
            fraction=self._clock.fraction,
            seconds_left=self._clock.seconds_left,
        )


class _Clock:
    """Measures the pace of the work and what is left of it, in passes of one view."""

    def __init__(self, patches: int, stages: Sequence[Stage]) -> None:
        self._patches = patches
        self._stages = {stage.name: self._cost(stage) for stage in stages}
        self._total = sum(self._stages.values()) + patches * EMBED
        self._done = 0.0
        self._recent: list[tuple[float, float, float]] = []
        self._images = 0.0

    def _cost(self, stage: Stage) -> float:
        cache = stage.cached_views * EMBED if stage.epochs else 0.0
        return self._patches * (stage.epochs * _step_cost(stage) + cache)

    def enter(self, stage: Stage) -> None:
        self._recent = [(time.perf_counter(), self._done, self._images)]

    def count(self, cost: float, images: float) -> None:
        self._done += cost
        self._images += images
        self._recent.append((time.perf_counter(), self._done, self._images))
        # The last 200 steps: the first ones are slow, and a busy machine changes its pace.
        self._recent = self._recent[-200:]

    def _pace(self, column: int) -> float:
        start, end = self._recent[0], self._recent[-1]
        seconds = end[0] - start[0]
        return (end[column] - start[column]) / seconds if seconds > 0 else 0.0

    @property
    def images_per_second(self) -> float:
        return self._pace(2)

    @property
    def fraction(self) -> float:
        return min(1.0, self._done / self._total)

    @property
    def seconds_left(self) -> float | None:
        pace = self._pace(1)
        return max(0.0, self._total - self._done) / pace if pace else None


def _step_cost(stage: Stage) -> float:
    if stage.cached_views:
        return CACHED_STEP
    return READOUT_STEP if stage.trains == "readout" else FULL_STEP


def _make_optimizer(model: nn.Module, stage: Stage) -> torch.optim.Optimizer:
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    settings = stage.optimizer
    if settings.method == "sgd":
        return torch.optim.SGD(
            weights, lr=0.0, momentum=settings.momentum, weight_decay=settings.weight_decay
        )
    return torch.optim.AdamW(weights, lr=0.0, weight_decay=settings.weight_decay)
