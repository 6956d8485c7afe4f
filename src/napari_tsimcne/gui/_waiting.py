"""Work that the window has to wait for, done in a thread: it is drawn on meanwhile."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from importlib import import_module
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")

POLL_MS = 20


def in_thread(work: Callable[[], T]) -> T:
    """Return the result of work that touches no widgets, or raise its error.

    For what has no other way: where napari calls a function and expects its result. Clicks and keys
    wait, under the cursor that says so. Where there is no window, the work is done as usual.
    """
    main = threading.current_thread() is threading.main_thread()
    if "qtpy" not in sys.modules or not main:
        return work()
    from qtpy.QtCore import QEventLoop, Qt, QTimer
    from qtpy.QtWidgets import QApplication

    if QApplication.instance() is None:
        return work()
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:
            result.set_exception(error)

    loop, timer = QEventLoop(), QTimer()
    timer.timeout.connect(lambda: result.done() and loop.quit())
    timer.start(POLL_MS)
    QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
    try:
        threading.Thread(target=run, daemon=True).start()
        # Without clicks and keys: what was asked for would be asked for a second time.
        loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
    finally:
        timer.stop()
        QApplication.restoreOverrideCursor()
    return result.result()


def imported(name: str) -> ModuleType:
    """Import a module, which may take seconds, and return it."""
    return sys.modules.get(name) or in_thread(lambda: import_module(name))
