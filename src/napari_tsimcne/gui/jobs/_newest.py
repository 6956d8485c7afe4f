"""Work in another thread, of which only the newest result is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.qt.threading import create_worker
from qtpy.QtCore import QObject, Signal

from napari_tsimcne.errors import sentence


class Newest(QObject):
    """Does in a worker thread what was asked for last.

    One thing at a time: what is asked for meanwhile waits, and what is outdated is dropped, waiting
    or done. ``failed`` carries a sentence; ``busy_changed`` whether there is something to wait for.
    """

    failed = Signal(str)
    busy_changed = Signal(bool)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.busy = False
        self._worker: Any = None
        self._waiting: Callable[[], Any] | None = None
        self._done: Callable[[Any], None] = lambda result: None
        self._outdated = False

    def ask(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Have ``work`` done in a thread and its result handed to ``done`` in this one."""
        self._waiting, self._done, self._outdated = work, done, True
        self._set_busy(True)
        if self._worker is None:
            self._start()

    def cancel(self) -> None:
        """Ask for nothing any more."""
        self._waiting, self._outdated = None, True
        self._set_busy(False)

    def _start(self) -> None:
        work, self._waiting, self._outdated = self._waiting, None, False
        self._worker = create_worker(_attempt, work, _start_thread=False)
        self._worker.returned.connect(self._on_returned)
        self._worker.finished.connect(self._on_finished)
        self._worker.start()

    def _on_returned(self, outcome: tuple[Any, str]) -> None:
        if self._outdated:
            return
        result, reason = outcome
        self._set_busy(False)
        if reason:
            self.failed.emit(reason)
        else:
            self._done(result)

    def _on_finished(self) -> None:
        self._worker = None
        if self._waiting is not None:
            self._start()

    def _set_busy(self, busy: bool) -> None:
        if self.busy != busy:
            self.busy = busy
            self.busy_changed.emit(busy)


def _attempt(work: Callable[[], Any]) -> tuple[Any, str]:
    """Return a result, or the reason why there is none: superqt raises errors a second time."""
    try:
        return work(), ""
    except Exception as error:
        return None, sentence(error)
