"""The map of all patches, made by the network as it is."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np
import torch

from napari_tsimcne.control import Control
from napari_tsimcne.errors import TrainingError
from napari_tsimcne.events import Event
from napari_tsimcne.learning._cadence import PROGRESS_SECONDS
from napari_tsimcne.learning._clock import Clock, Kind
from napari_tsimcne.learning._device import memory_errors_explained
from napari_tsimcne.learning._pausing import PausePoint
from napari_tsimcne.learning._report import Report
from napari_tsimcne.learning._views import Views


@torch.inference_mode()
def embed_all(
    views: Views, clock: Clock, report: Report, pause_point: PausePoint, control: Control
) -> Iterator[Event | tuple[np.ndarray, np.ndarray]]:
    """Apply the network to every patch, in eval mode and without augmentation.

    Yields events, and at last the coordinates (N, 2 or 3) and the features H (N, D), float32.

    Raises
    ------
    TrainingError
        Where memory runs out, or the map is not finite.
    """
    views.model.eval()
    clock.rest()
    count, done, found = len(views.data), 0, []
    reported = -math.inf
    with memory_errors_explained(views.embedding_batch):
        for z, h in views.outputs(torch.arange(count), pause_point.world, precise=True):
            found.append((z.cpu().numpy(), h.cpu().numpy()))
            done += len(z)
            clock.count(Kind.EMBED, len(z) * views.orientations)
            if done == count or time.perf_counter() - reported > PROGRESS_SECONDS:
                reported = time.perf_counter()
                yield report.embedding(done / count)
            yield from pause_point(control)
    coordinates, features = (np.concatenate(parts) for parts in zip(*found, strict=True))
    if not (np.isfinite(coordinates).all() and np.isfinite(features).all()):
        raise TrainingError("the map is not finite: train again with a lower learning rate")
    yield coordinates, features
