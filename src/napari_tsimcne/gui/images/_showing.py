"""Images that are opened in a worker thread, and shown layer by layer while the window lives on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_tsimcne.errors import InputError, sentence
from napari_tsimcne.gui._bar import Bar
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.images._batches import MOST_LAYERS, Batch
from napari_tsimcne.gui.images._open import OPENING, Request
from napari_tsimcne.gui.jobs._job import CancelledError, Job

SHOWING = "Showing images"


class ShowingJob(Job):
    """Opens and reads images in a worker thread.

    ``found`` carries the layers that show images already. ``many``: the images need so many
    layers that it waits for `go_on`. ``total``: so many layers will come. ``ready`` carries each
    batch that was read. ``finished`` carries nothing more.

    Parameters
    ----------
    request
        What is to be shown.
    """

    found = Signal(object)
    many = Signal(int, int)
    total = Signal(int)
    ready = Signal(object)

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request
        self._answered = threading.Event()
        self._most_layers: int | None = None

    def go_on(self, most_layers: int | None) -> None:
        """Read what needs no more layers than these; None: all."""
        self._most_layers = most_layers
        self._answered.set()

    def stop(self) -> None:
        """Stop, and keep what there is."""
        super().stop()
        self._answered.set()

    def close(self) -> None:
        """End at once; nothing is reported any more."""
        super().close()
        self._answered.set()

    def _run(self) -> None:
        # Where it is installed, dask imports it once napari is given an array, in a second.
        with suppress(ImportError):
            import_module("distributed")
        batches = self.request.batches(self._on_placing)
        self._tell(self.found, self.request.wanted.shown)
        layers = sum(batch.layers for batch in batches)
        if layers > MOST_LAYERS:
            self._tell(self.many, sum(len(batch.images) for batch in batches), layers)
            self._answered.wait()
            batches = self._chosen(batches)
        self._tell(self.total, sum(batch.layers for batch in batches))
        for batch in batches:
            if self._stop.is_set():
                raise CancelledError
            try:
                batch.read()
            except InputError as error:
                self.request.wanted.lost.append(str(error))
                continue
            self._tell(self.ready, batch)
        if self._stop.is_set():
            raise CancelledError
        self._tell(self.finished, None)

    def _chosen(self, batches: list[Batch]) -> list[Batch]:
        if self._most_layers is None:
            return batches
        chosen, layers = [], 0
        for batch in batches:
            layers += batch.layers
            if layers > self._most_layers:
                break
            chosen.append(batch)
        return chosen


class Showing(QWidget):
    """Shows images: how far it is, a button that cancels, and a question before many layers.

    ``shown`` carries layers by image name, as they come; ``lost`` sentences on what cannot be
    shown; ``ended``: all that was requested is shown, or it was cancelled.

    Parameters
    ----------
    viewer
        The napari viewer.
    """

    shown = Signal(object)
    lost = Signal(list)
    ended = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._job: ShowingJob | None = None
        self._waiting: list[Request] = []
        self._batches: list[Batch] = []
        self._steps: Iterator[Any] | None = None
        self._read = True
        self._done = self._total = 0
        self.text = QLabel(OPENING)
        self.bar = Bar()
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Show no further images; the map stays.")
        self.cancel_button.clicked.connect(self.cancel)
        row = QHBoxLayout()
        row.addWidget(self.bar, stretch=1)
        row.addWidget(self.cancel_button)
        self.question = _Question()
        self.question.answered.connect(self._on_answer)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        layout.addLayout(row)
        layout.addWidget(self.question)
        # One layer a turn of the event loop: napari takes long to add one.
        self._turn = QTimer(self)
        self._turn.setInterval(0)
        self._turn.timeout.connect(self._step)
        self.hide()

    @property
    def busy(self) -> bool:
        """Whether images are still to come."""
        return self._job is not None or bool(self._waiting)

    def ask_for(self, request: Request) -> None:
        """Show images, after those that were requested before."""
        self._waiting.append(request)
        if self._job is None:
            self._next()

    def close_job(self) -> None:
        """Show nothing more."""
        self._waiting.clear()
        self._batches.clear()
        self._steps = None
        self._turn.stop()
        if self._job is not None:
            self._job.close()
            self._job = None
        self.hide()

    def _next(self) -> None:
        if not self._waiting:
            self._job = None
            self.hide()
            self.ended.emit()
            return
        job = self._job = ShowingJob(self._waiting.pop(0))
        job.found.connect(self._on_found)
        job.many.connect(self._on_many)
        job.ready.connect(self._on_ready)
        job.finished.connect(self._on_read)
        job.cancelled.connect(self._on_read)
        job.failed.connect(self._on_failed)
        job.placing.connect(self._on_placing)
        job.total.connect(self._on_total)
        # It ends with this widget.
        self.destroyed.connect(job.close)
        self._read, self._done = False, 0
        self._tell(OPENING, 0, 0)
        self.cancel_button.setEnabled(True)
        self.show()
        job.start()

    # Signals of a job come from its thread: a method brings them into that of the window.

    def _on_placing(self, what: str, done: int, total: int) -> None:
        self._tell(what, done, total)

    def _on_total(self, layers: int) -> None:
        self._total = layers
        self._tell(SHOWING, 0, layers)

    def _tell(self, what: str, done: int, total: int) -> None:
        self.bar.count(done, total)
        self.text.setText(f"{what}: {done:,} of {total:,}" if done else what)

    def _on_found(self, shown: Any) -> None:
        if self._job is not None and shown:
            self.shown.emit(self._job.request.linked(shown))

    def _on_many(self, images: int, layers: int) -> None:
        self.question.ask(images, layers)

    def _on_answer(self, most_layers: int) -> None:
        if self._job is not None:
            self._job.go_on(None if most_layers < 0 else most_layers)

    def _on_ready(self, batch: Batch) -> None:
        self._batches.append(batch)
        self._turn.start()

    def _on_read(self, *_: object) -> None:
        self._read = True
        self._turn.start()

    def _on_failed(self, reason: str) -> None:
        if self._job is not None:
            self._job.request.wanted.lost.append(reason)
        self._on_read()

    def cancel(self) -> None:
        """Show nothing more than what is shown."""
        self.cancel_button.setEnabled(False)
        self.question.hide()
        self._waiting.clear()
        self._batches.clear()
        if self._job is not None:
            self._job.stop()

    def _step(self) -> None:
        """Add one layer."""
        job = self._job
        if job is None:
            self._turn.stop()
            return
        if self._steps is None and self._batches:
            self._steps = job.request.add(self._batches.pop(0))
        if self._steps is not None:
            shown: Any = None
            try:
                shown = next(self._steps)
            except StopIteration:
                self._steps = None
            except Exception as error:
                job.request.wanted.lost.append(sentence(error))
                self._steps = None
            self._done += 1
            self._tell(SHOWING, min(self._done, self._total), self._total)
            if shown:
                left = {n: one.among(self._viewer.layers) for n, one in shown.items()}
                self.shown.emit(
                    job.request.linked({n: one for n, one in left.items() if one is not None})
                )
            return
        self._turn.stop()
        if self._read:
            if job.request.wanted.lost:
                self.lost.emit(job.request.wanted.lost)
            self._next()


class _Question(QWidget):
    """Asks how many layers are added; ``answered`` carries the most, -1 for all."""

    answered = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.text = Wrapped()
        self.all_button, self.some_button, self.none_button = (
            QPushButton(text) for text in ("All", f"The first {MOST_LAYERS}", "None")
        )
        self.none_button.setToolTip(
            "The map works all the same. A double click on a point shows the image of its patch."
        )
        row = QHBoxLayout()
        for button, most in (
            (self.all_button, -1), (self.some_button, MOST_LAYERS), (self.none_button, 0)
        ):  # fmt: skip
            button.clicked.connect(lambda checked=False, most=most: self._answer(most))
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        layout.addLayout(row)
        self.hide()

    def ask(self, images: int, layers: int) -> None:
        """Ask for some images, which need so many layers."""
        self.text.setText(
            f"{images:,} images of different sizes or channels need {layers:,} layers, which takes "
            "napari a while. Which layers are to be shown?"
        )
        self.show()

    def _answer(self, most: int) -> None:
        self.hide()
        self.answered.emit(most)
