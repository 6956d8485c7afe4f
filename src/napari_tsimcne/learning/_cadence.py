"""What is due between two steps: by the time that has passed, and by what is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, wait
from enum import IntFlag
from typing import TypeVar

import torch

from napari_tsimcne.control import Control
from napari_tsimcne.events import Event
from napari_tsimcne.learning._device import Check

T = TypeVar("T")

POLL_SECONDS = 0.2
"""Between looks whether to pause or stop while a thread works."""


class Due(IntFlag):
    """What is due after a step; decided by the first process for all."""

    TELL = 1
    MAP = 2
    SAVE = 4
    PAUSE = 8
    STOP = 16


class Cadence:
    """Remembers when each thing was last done."""

    def __init__(self) -> None:
        now = time.perf_counter()
        self._last = {Due.TELL: now, Due.MAP: now, Due.SAVE: now}

    def waited(self, what: Due) -> float:
        """Return the seconds since something was last done."""
        return time.perf_counter() - self._last[what]

    def done(self, what: Due) -> None:
        """Note that something was just done."""
        self._last[what] = time.perf_counter()


class _Abandoned(BaseException):
    """What a thread does is not wanted any more."""


def in_thread(
    work: Callable[[Check], T],
    control: Control,
    pause_point: Callable[[Control], Generator[Event, None, bool]],
) -> Generator[Event, None, T | None]:
    """Do in a thread what cannot be interrupted, such as compiling; return its result.

    None once stopped: the thread then ends when it next calls its ``check``.

    Parameters
    ----------
    work
        Calls what it is given between its parts; must not touch what is used after a stop.
    control
        Pauses and stops.
    pause_point
        Holds, and returns whether to stop.
    """
    abandoned = threading.Event()
    result: Future[T] = Future()
    threads = torch.get_num_threads()

    def check() -> None:
        while control.pausing and not abandoned.is_set():
            control.wait(POLL_SECONDS)
        if abandoned.is_set():
            raise _Abandoned

    def run() -> None:
        torch.set_num_threads(threads)
        try:
            result.set_result(work(check))
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        while not wait([result], POLL_SECONDS).done:
            if (yield from pause_point(control)):
                return None
        return result.result()
    finally:
        abandoned.set()
