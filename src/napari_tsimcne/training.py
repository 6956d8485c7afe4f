"""Joins a run folder to the learning: trains it in this process and writes the map."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from napari_tsimcne.events import Embedding, Event, Finished
from napari_tsimcne.learning import Trainer, save_weights
from napari_tsimcne.runs import Run


def train(
    run: Run,
    *,
    device: str = "auto",
    threads: int | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Learn the map of a run and write it into its folder.

    Parameters
    ----------
    run
        A run whose patches are cut. A map it has already is replaced once the new one is there.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    threads
        CPU threads; as many as PyTorch chooses where left out.
    on_event
        Told of every event.
    should_stop
        Asked at every step; once true, the map of what was learnt is made and written.

    Raises
    ------
    TrainingError
        Where the device is not available, memory runs out, or training diverges.
    """
    started = time.perf_counter()
    if threads:
        torch.set_num_threads(threads)
    ranges = [(channel.low, channel.high) for channel in run.info.channels]
    trainer = Trainer(run.store, ranges, run.info.rgb, run.recipe, device)
    for event in trainer.train(should_stop):
        on_event(event)
    for result in trainer.embed():
        if isinstance(result, Embedding):
            on_event(result)
        else:
            coordinates, features = result
    run.save_map(
        coordinates,
        features,
        stopped=trainer.stopped,
        write_weights=lambda path: save_weights(trainer.model, run.recipe, path),
    )
    on_event(Finished(stopped=trainer.stopped, seconds=time.perf_counter() - started))
