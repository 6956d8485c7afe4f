"""Long work seen from the window: placing windows, cutting them, and training in a child."""

from __future__ import annotations

import threading
from pathlib import Path

from napari.qt.threading import create_worker
from qtpy.QtCore import QObject, Signal

from napari_tsimcne.errors import sentence
from napari_tsimcne.events import Event, Failed, Finished
from napari_tsimcne.gui._inputs import Inputs
from napari_tsimcne.patches import place_patches
from napari_tsimcne.recipe import Recipe
from napari_tsimcne.runs import Run, TrainingProcess


class CancelledError(Exception):
    """The user has stopped the work; raised where it asks whether to go on."""


class Job(QObject):
    """Work in a worker thread; every signal arrives in the thread of the window.

    ``placing`` says what is done, how much of it, and of how much. ``finished`` carries the
    result, ``failed`` a sentence, ``cancelled`` nothing: it was stopped before there was a
    result. Exactly one of these is emitted, unless the job was closed.
    """

    placing = Signal(str, int, int)
    finished = Signal(object)
    failed = Signal(str)
    cancelled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._stop = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin, in a worker thread."""
        worker = create_worker(self._work, _start_thread=False)
        # What goes wrong is told by `failed`; napari's own notice would tell it twice.
        worker.errored.connect(lambda error: None)
        worker.start()

    def stop(self) -> None:
        """Stop, and keep what there is."""
        with self._lock:
            self._stop.set()

    def close(self) -> None:
        """End at once; nothing is told any more."""
        with self._lock:
            self._closed.set()
            self._stop.set()

    def _work(self) -> None:
        try:
            self._run()
        except CancelledError:
            self._tell(self.cancelled)
        except Exception as error:
            self._tell(self.failed, sentence(error))

    def _run(self) -> None:
        raise NotImplementedError

    def _on_placing(self, what: str, done: int, total: int) -> None:
        if self._stop.is_set():
            raise CancelledError
        self._tell(self.placing, what, done, total)

    def _tell(self, signal: object, *values: object) -> None:
        if not self._closed.is_set():
            signal.emit(*values)  # type: ignore[attr-defined]


class PlacingJob(Job):
    """Places windows and cuts none; ``finished`` carries what was `Placed`."""

    def __init__(self, inputs: Inputs, recipe: Recipe) -> None:
        super().__init__()
        self.inputs, self.recipe = inputs, recipe

    def _run(self) -> None:
        images = [image.at_depth(self.recipe.depth) for image in self.inputs.images]
        placed = place_patches(
            images, self.recipe, labels=self.inputs.labels, points=self.inputs.points,
            told=self._on_placing,
        )  # fmt: skip
        if self.inputs.measure is not None:
            # What cannot be joined is told now, and not when the user has set off a training.
            self.inputs.measure(placed.table)
        self._tell(self.finished, placed)


class TrainingJob(Job):
    """One training: cuts patches, then trains in a child; ``finished`` carries the run.

    ``told`` carries the events of the child. Stopped while patches were cut, it is cancelled;
    stopped while it trains, it finishes with the map of what was learnt.
    """

    told = Signal(object)

    def __init__(self, inputs: Inputs, recipe: Recipe, folder: Path, device: str) -> None:
        super().__init__()
        self.inputs, self.recipe = inputs, recipe
        self._folder, self._device = folder, device
        self.process: TrainingProcess | None = None

    def stop(self) -> None:
        """Stop cutting, or stop training and keep the map of what was learnt."""
        super().stop()
        with self._lock:
            if self.process is not None:
                self.process.stop()

    def close(self) -> None:
        """End the child at once; nothing is told any more."""
        super().close()
        with self._lock:
            if self.process is not None:
                self.process.kill()

    def _run(self) -> None:
        run = Run.create(
            self._folder, self.inputs.images, self.recipe, labels=self.inputs.labels,
            points=self.inputs.points, measure=self.inputs.measure, told=self._on_placing,
        )  # fmt: skip
        with self._lock:
            if self._closed.is_set():
                return
            self.process = TrainingProcess(run.folder, self._device)
            if self._stop.is_set():
                self.process.stop()
        last: Event | None = None
        for last in self.process.events():
            self._tell(self.told, last)
        if isinstance(last, Finished):
            self._tell(self.finished, Run.open(run.folder))
        elif isinstance(last, Failed):
            self._tell(self.failed, last.reason)
