"""Long work seen from the window, in a worker thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

from napari.qt.threading import create_worker
from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Signal

from napari_tsimcne.errors import InputError, sentence
from napari_tsimcne.runs import TrainingProcess


class CancelledError(Exception):
    """The user has stopped the work; raised where it asks whether to go on."""


class Job(QObject):
    """Work in a worker thread; every signal arrives in the thread of the window.

    ``placing`` says what is done, how much of it, and of how much; ``told`` carries the events of
    a training that is a part of the work. ``finished`` carries the
    result, ``failed`` a sentence, ``cancelled`` nothing: it was stopped before there was a
    result. Exactly one of these is emitted, unless the job was closed.
    """

    placing = Signal(str, int, int)
    told = Signal(object)
    finished = Signal(object)
    failed = Signal(str)
    cancelled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._stop = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self.process: TrainingProcess | None = None
        """Trains, where that is a part of the work."""

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
            if self.process is not None:
                self._ask(self.process.stop)

    def pause(self) -> None:
        """Hold a training; other work cannot be held."""
        if self.process is not None:
            self._ask(self.process.pause)

    def resume(self) -> None:
        """Go on after a pause."""
        if self.process is not None:
            self._ask(self.process.resume)

    def close(self) -> None:
        """End at once; nothing is told any more."""
        with self._lock:
            self._closed.set()
            self._stop.set()

    def _ask(self, ask: Callable[[], None]) -> None:
        """Ask something of a process; what stands in the way, as a full disk, becomes a notice."""
        try:
            ask()
        except InputError as error:
            show_error(f"t-SimCNE: {error}")

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
