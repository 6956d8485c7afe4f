"""What a training takes on this machine, measured by a few of its steps on noise."""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import Generator, Tensor

from napari_tsimcne.advice import Device, Estimated
from napari_tsimcne.errors import InputError, TrainingError
from napari_tsimcne.learning._arithmetic import SHORT, TIMED_VIEWS, views_drawn
from napari_tsimcne.learning._cache import FeatureCache
from napari_tsimcne.learning._clock import Kind, parts_of, step_kind
from napari_tsimcne.learning._device import (
    choose_device,
    describe_device,
    fastest_precision,
    memory_errors_explained,
    memory_layout,
)
from napari_tsimcne.learning._network import TSimCNE
from napari_tsimcne.learning._patch_set import PatchSet, Scaling
from napari_tsimcne.learning._stage_run import StageRun
from napari_tsimcne.learning._views import Views
from napari_tsimcne.learning._world import World
from napari_tsimcne.recipe import Background, Depth, Grid, Recipe, Stage

TIMED_SECONDS = 0.5
"""A kind of work is timed at least so long."""
CPU_STEP, LONG_STEP = 16, 1.0
"""On a CPU, batches grow from so many images on until a step takes so many seconds."""
CPU_EMBEDDED = 16
STEPS_AT_ONCE = 4
"""A GPU has work waiting, as it has while it trains."""
NOISE_PATCHES = 256
PAIRED = 4096
"""Neighbours are timed among so many."""
LEAST_BATCH = 8
MEMORY_SHARE = 0.8
"""Of the free memory, what a step may take."""
STEP_OVERHEAD = 1.25
"""Memory of a step, relative to what it keeps for the way back."""


def find_devices() -> tuple[Device, ...]:
    """Return the devices that can train here, the one that ``auto`` takes first."""
    found = []
    if torch.cuda.is_available():
        cuda = choose_device("cuda")
        free, total = torch.cuda.mem_get_info(cuda)
        found.append(_device("cuda", describe_device(cuda), free, total))
    memory = psutil.virtual_memory()
    if torch.backends.mps.is_available():
        # Its memory is the computer's.
        apple = describe_device(torch.device("mps"))
        found.append(_device("mps", apple, memory.available, memory.total))
    title = f"{_processor()}, {_threads()}"
    found.append(_device("cpu", title, memory.available, memory.total))
    return tuple(found)


def estimate(
    recipe: Recipe, patches: int, channels: int, rgb: bool, device: str = "auto"
) -> Estimated:
    """Measure how long a training takes here, and which batch fits into memory.

    Network, loss, views and optimisers are those of the training, the patches are noise. A second
    estimate of the same steps, with other epochs or of more patches, takes no time.

    Parameters
    ----------
    recipe
        With the side of its patches in pixels.
    patches
        How many there will be, those held out included.
    channels
        Of a patch.
    rgb
        Whether the channels are red, green and blue.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises
    ------
    InputError
        Where there are fewer than two patches to train on, or their side is not known yet.
    TrainingError
        Where the device is not available, or memory does not even hold a small batch.
    """
    here = choose_device(device)
    if not recipe.patches.pixels:
        raise InputError("the size of the patches in pixels is not known before they are cut")
    trained = patches - int(recipe.held_out * patches)
    if trained < 2:
        raise InputError("there are too few patches to learn from: a training needs two")
    paces = _measured(_steps_of(recipe, trained), channels, rgb, here)
    if here.type == "cuda":
        torch.cuda.empty_cache()  # what was taken to measure is the training's
    stages = recipe.running_stages
    times = dict.fromkeys((stage.name for stage in stages), 0.0)
    embedding = 0.0
    for part in parts_of(stages, trained, patches, recipe.orientations):
        if part.kind is Kind.EMBED:
            embedding += part.amount / paces.work[part.kind]
            continue
        stage = stages[part.stage]
        amount = _images(stage, trained) if part.kind is Kind.CACHED_STEP else part.amount
        times[stage.name] += amount / paces.work[part.kind]
    choosing = paces.choosing if views_drawn(recipe, trained) >= SHORT else 0.0
    asked = recipe.batch_size
    return Estimated(
        device=f"CPU, {_threads()}" if here.type == "cpu" else describe_device(here),
        seconds=choosing + sum(times.values()) + embedding,
        stage_seconds=times,
        embedding_seconds=embedding,
        choosing_seconds=choosing,
        images_per_second=paces.work[step_kind(stages[0])],
        fitting_batch=asked if paces.batch >= min(asked, trained) else paces.batch,
    )


@dataclass(frozen=True)
class _Paces:
    """``work`` of each kind a second; ``batch``: images that a step may take.

    ``choosing``: seconds to choose the arithmetic.
    """

    work: dict[Kind, float]
    choosing: float
    batch: int


def _steps_of(recipe: Recipe, trained: int) -> Recipe:
    """Return the recipe without all that does not decide how long a step takes."""
    stages = tuple(
        stage.model_copy(
            update={"epochs": 1, "warmup_epochs": 0, "batch_size": min(stage.batch_size, trained)}
        )
        for stage in recipe.running_stages
    )
    return recipe.model_copy(
        update={
            "preset": "custom", "patches": Grid(size=recipe.patches.pixels), "depth": Depth(),
            "background": Background(), "seed": 0, "held_out": 0.0, "stages": stages,
        }
    )  # fmt: skip


def _images(stage: Stage, trained: int) -> int:
    """Images of a cached stage; a last, smaller batch costs a head what a whole one does."""
    batch = min(stage.batch_size, trained)
    return stage.passes(trained) * stage.epochs * -(-trained // batch) * batch


# --- measuring ----------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def _measured(recipe: Recipe, channels: int, rgb: bool, device: torch.device) -> _Paces:
    bench = _Bench(recipe, channels, rgb, device)
    whole = [stage.batch_size for stage in recipe.stages if not stage.cached]
    batch = bench.fitting_batch(max(whole)) if whole else recipe.batch_size
    work: dict[Kind, float] = {}
    with memory_errors_explained(batch):
        for stage in recipe.stages:
            if step_kind(stage) in work:
                continue
            run = bench.open_stage(stage)
            if stage.cached:
                work[Kind.FEATURES] = _pace(partial(bench.fill_cache, run))
            if stage.neighbors:
                work[Kind.PAIRS] = bench.pairs_pace(stage.neighbors, recipe.network.features)
            count = stage.batch_size if stage.cached else min(stage.batch_size, batch)
            work[step_kind(stage)] = bench.step_pace(run, count)
        work[Kind.EMBED] = _pace(bench.embed)
    return _Paces(work, bench.choosing, batch)


class _Bench:
    """The parts of a training, at work on patches of noise."""

    def __init__(self, recipe: Recipe, channels: int, rgb: bool, device: torch.device) -> None:
        first = recipe.stages[0]
        side = recipe.patches.pixels + 2 * (recipe.margin or 0)
        noise = np.random.default_rng(0).integers(
            0, 256, (NOISE_PATCHES, channels, side, side), np.uint8 if rgb else np.uint16
        )
        scaling = Scaling(np.zeros((1, channels)), np.full((1, channels), 255.0))
        self._data = PatchSet(noise, scaling, device)
        model = TSimCNE(channels, recipe.network, first.start_dim or first.output_dim)
        self._model = model.to(device).to(memory_format=memory_layout(device))
        random = Generator(device).manual_seed(0)
        self._views = Views(self._model, self._data, recipe, rgb, random)
        self._device = device
        batch = self._views.embedding_batch
        self.embedded = min(CPU_EMBEDDED, batch) if device.type == "cpu" else batch
        self.choosing = 0.0
        if recipe.precision == "auto" and device.type in ("cpu", "cuda"):
            few = self._some_views(8 if device.type == "cpu" else TIMED_VIEWS)
            begun = time.perf_counter()
            self._views.precision = fastest_precision(self._model.train(), few)
            self.choosing = (time.perf_counter() - begun) * TIMED_VIEWS / len(few)

    @staticmethod
    def _rows(count: int, of: int = NOISE_PATCHES) -> Tensor:
        """So many rows of a few patches, again and again."""
        return torch.arange(count) % of

    def _some_views(self, count: int) -> Tensor:
        return self._views.augmented(self._data[self._rows(count)])

    def open_stage(self, stage: Stage) -> StageRun:
        """Bring head and optimisers to where a stage begins."""
        outputs = stage.start_dim or stage.output_dim
        if stage.head_layers:
            self._model.replace_head(outputs, stage.head_layers)
        elif outputs != self._model.output_dim:
            self._model.head.replace_readout(outputs)
        rows = self._rows(self.embedded if stage.cached else NOISE_PATCHES)
        return StageRun(stage, self._views, rows, World(), Generator())

    # --- memory -------------------------------------------------------------------------------

    def fitting_batch(self, asked: int) -> int:
        """Return the batch asked for, or its largest half, quarter... of which a step fits."""
        batch = asked
        while not self._fits(batch):
            batch //= 2
            if batch < LEAST_BATCH:
                raise TrainingError(
                    f"memory does not hold a batch of {LEAST_BATCH} images: use a smaller patch "
                    "size or a narrower network"
                )
        return batch

    def _fits(self, batch: int) -> bool:
        if self._device.type == "cpu":
            # Trying would make other programs swap, or have the system kill this one.
            return self._step_bytes(batch) < MEMORY_SHARE * psutil.virtual_memory().available
        try:
            with memory_errors_explained(batch):
                self._views.try_batch(batch)
        except TrainingError:
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            return False
        return True

    def _step_bytes(self, batch: int) -> float:
        """Memory of a step, in proportion to what a small one keeps for the way back."""
        weights = {weight.untyped_storage().data_ptr() for weight in self._model.parameters()}
        kept: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        views = self._some_views(LEAST_BATCH)
        hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
        with hooks, self._views.precision():
            self._model.train()(views)
        of_views = sum(size for place, size in kept.items() if place not in weights)
        return STEP_OVERHEAD * of_views / len(views) * 2 * batch

    # --- time ---------------------------------------------------------------------------------

    def step_pace(self, run: StageRun, batch: int) -> float:
        """Images a second of steps with a batch."""
        if self._device.type != "cpu" or run.cache is not None:
            return _pace(partial(self._steps, run, batch, STEPS_AT_ONCE))
        # A whole batch may take too long to be tried here. The larger it is, the longer takes an
        # image of it: it leaves the processor's caches.
        few = min(batch, CPU_STEP)
        self._steps(run, few)
        seconds = _seconds(partial(self._steps, run, few))
        while few < batch and seconds < LONG_STEP:
            few = min(batch, 2 * few)
            seconds = _seconds(partial(self._steps, run, few))
        return few / seconds if seconds > TIMED_SECONDS else _pace(partial(self._steps, run, few))

    def _steps(self, run: StageRun, batch: int, count: int = 1) -> int:
        """Take some steps; return the images of them."""
        patches = NOISE_PATCHES if run.cache is None else len(run.cache.clean)
        chunks = [self._rows(batch, patches)] * count
        for loss in run.losses(chunks, run.stage.dimensions(0)):
            run.step(loss, 1.0)
        # Reading it waits for the device, which a training does not do at every step.
        float(loss.detach())
        return batch * count

    def fill_cache(self, run: StageRun) -> int:
        """Fill the cache of a stage; return the passes of one view."""
        passes = sum(int(amount) for kind, amount in run.fill_cache() if kind is Kind.FEATURES)
        assert run.cache is not None
        float(run.cache.clean[0, 0])
        return passes

    def embed(self) -> int:
        """Embed some patches; return the passes of one view."""
        rows = self._rows(self.embedded)
        self._model.eval()
        with torch.inference_mode():
            for z, _ in self._views.outputs(rows, World(), precise=True):
                z.cpu()
        return len(rows) * self._views.orientations

    def pairs_pace(self, neighbors: int, features: int) -> float:
        """Pairs of patches a second that are compared to find neighbours."""
        cache = FeatureCache(0, PAIRED, features, self._device)
        cache.clean.normal_()

        def find() -> int:
            for _ in cache.find_neighbors(neighbors):
                pass
            cache.pairs(self._rows(1), Generator())[0].cpu()
            return PAIRED**2

        return _pace(find)


def _pace(work: Callable[[], int]) -> float:
    """Time some work, after once to warm up; return how much of it is done in a second."""
    work()
    done, begun, elapsed = 0, time.perf_counter(), 0.0
    while elapsed < TIMED_SECONDS:
        done += work()
        elapsed = time.perf_counter() - begun
    return done / elapsed


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


# --- devices ------------------------------------------------------------------------------------


def _device(name: str, title: str, free: int, total: int) -> Device:
    return Device(name=name, title=title, free_bytes=free, total_bytes=total)


def _threads() -> str:
    count = torch.get_num_threads()
    return f"{count} thread{'s' if count > 1 else ''}"


def _processor() -> str:
    """Name of the processor, as far as the system tells."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        name = next(line for line in told.splitlines() if line.startswith("model name"))
        name = name.partition(":")[2]
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    name = re.sub(r"\((R|TM)\)|\b(CPU|Processor)\b|@.*", "", name, flags=re.IGNORECASE)
    return " ".join(name.split()) or "CPU"
