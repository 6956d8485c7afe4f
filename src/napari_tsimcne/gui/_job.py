"""A training seen from the window: cuts patches in a worker thread, then trains in a child."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from napari.qt.threading import create_worker
from qtpy.QtCore import QObject, Signal

from napari_tsimcne.errors import sentence
from napari_tsimcne.events import Event, Failed, Finished
from napari_tsimcne.images import ImageSource
from napari_tsimcne.recipe import Recipe
from napari_tsimcne.runs import Run, TrainingProcess


class _CancelledError(Exception):
    pass


class TrainingJob(QObject):
    """One training; every signal arrives in the thread of the window.

    ``finished`` carries the run with its map, ``failed`` a sentence, ``cancelled`` nothing: it
    was stopped while patches were cut. Exactly one of them is emitted, unless the job was closed.
    """

    cutting = Signal(int, int)
    told = Signal(object)
    finished = Signal(object)
    failed = Signal(str)
    cancelled = Signal()

    def __init__(
        self, images: Sequence[ImageSource], recipe: Recipe, folder: Path, device: str
    ) -> None:
        super().__init__()
        self._images, self._recipe = images, recipe
        self._folder, self._device = folder, device
        self._stop = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self.process: TrainingProcess | None = None

    def start(self) -> None:
        """Begin, in a worker thread."""
        worker = create_worker(self._work, _start_thread=False)
        # What goes wrong is told by `failed`; napari's own notice would tell it twice.
        worker.errored.connect(lambda error: None)
        worker.start()

    def stop(self) -> None:
        """Stop cutting, or stop training and keep the map of what was learnt."""
        with self._lock:
            self._stop.set()
            if self.process is not None:
                self.process.stop()

    def close(self) -> None:
        """End the child at once; nothing is told any more."""
        with self._lock:
            self._closed.set()
            self._stop.set()
            if self.process is not None:
                self.process.kill()

    def _work(self) -> None:
        try:
            run = Run.create(self._folder, self._images, self._recipe, progress=self._on_cut)
            self._train(run)
        except _CancelledError:
            self._tell(self.cancelled)
        except Exception as error:
            self._tell(self.failed, sentence(error))

    def _on_cut(self, done: int, total: int) -> None:
        if self._stop.is_set():
            raise _CancelledError
        self._tell(self.cutting, done, total)

    def _train(self, run: Run) -> None:
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

    def _tell(self, signal: object, *values: object) -> None:
        if not self._closed.is_set():
            signal.emit(*values)  # type: ignore[attr-defined]
