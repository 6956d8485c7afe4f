"""What a training tells of itself: its progress, and the map as it moves."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from napari_tsimcne.events import Embedding, MapMoved, Progress
from napari_tsimcne.learning._checkpoint import Position
from napari_tsimcne.learning._clock import Clock, Kind
from napari_tsimcne.learning._live_state import DivergedError
from napari_tsimcne.learning._stage_run import StageRun
from napari_tsimcne.learning._views import Views
from napari_tsimcne.learning._world import World
from napari_tsimcne.recipe import Stage

MAP_SECONDS, MAP_SHARE = 2.0, 0.05
"""Coordinates are told at most so often, and never cost more than this share of the time."""
MAP_POINTS = 5_000
"""Of more patches, an even sample is told: a window draws it while it does other things."""


class Report:
    """Makes the events of a training from its clock and its network."""

    def __init__(self, stages: Sequence[Stage], views: Views, world: World, clock: Clock) -> None:
        self._stages = stages
        self._views = views
        self._world = world
        self._clock = clock
        self._step = -(-len(views.data) // MAP_POINTS)
        self._rows: Tensor = torch.arange(0, len(views.data), self._step)
        self._map_seconds: float | None = None

    def progress(
        self,
        position: Position,
        stage: Stage,
        epoch: int = 0,
        step: int = 0,
        steps: int = 0,
        loss: float | None = None,
    ) -> Progress:
        """Tell how far the training is; epoch 0 while features are computed."""
        return Progress(
            stage=stage.name,
            stage_number=min(position.stage, len(self._stages) - 1) + 1,
            stages=len(self._stages),
            epoch=epoch,
            epochs=stage.epochs,
            step=step,
            steps=steps,
            loss=loss,
            images_per_second=self._clock.images_per_second,
            fraction=self._clock.fraction,
            seconds_left=self._clock.seconds_left,
        )

    def embedding(self, fraction: float) -> Embedding:
        """Tell how many of the patches are on the map."""
        return Embedding(
            fraction=fraction, whole=self._clock.fraction, seconds_left=self._clock.seconds_left
        )

    def map_is_due(self, run: StageRun, epoch: int, waited: float) -> bool:
        """Whether the map may be told, so many seconds after the last time."""
        if waited < MAP_SECONDS or run.stage.dimensions(epoch) != self._stages[-1].output_dim:
            return False
        cost = self._map_seconds
        if cost is None:
            passes = len(self._rows) * self._views.orientations
            cost = 0.0 if run.cache else self._clock.seconds(Kind.EMBED, passes)
        return cost is not None and cost < MAP_SHARE * waited

    def moved_map(self, run: StageRun) -> MapMoved:
        """Embed all patches, or a sample of very many, as the network now is.

        Where features are cached these are the patches trained on, and the head is all that runs.

        Raises
        ------
        DivergedError
            Where the map is not finite.
        """
        begun = time.perf_counter()
        self._views.model.eval()
        with torch.no_grad():
            if run.cache is not None:
                rows, coordinates = run.cached_map(self._step)
            else:
                rows = self._rows
                found = self._views.outputs(rows, self._world, precise=False)
                coordinates = torch.cat([z for z, _ in found])
        self._views.model.train()
        values = coordinates.cpu().numpy().astype(np.float32)
        self._map_seconds = time.perf_counter() - begun
        if not np.isfinite(values).all():
            raise DivergedError("the map is not finite any more")
        return MapMoved(dimensions=values.shape[1], rows=rows.numpy(), values=values.ravel())
