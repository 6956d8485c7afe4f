"""Where a training holds while it is paused, and learns that it is to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, wait
from typing import TypeVar

import torch

from napari_tsimcne.control import Control
from napari_tsimcne.events import Event, Paused, Resumed
from napari_tsimcne.learning._clock import Clock
from napari_tsimcne.learning._device import Check
from napari_tsimcne.learning._world import World

T = TypeVar("T")

POLL_SECONDS = 0.2
"""Between looks whether to pause or stop while a thread works."""


class _Abandoned(BaseException):
    """What a thread does is not wanted any more."""


class PausePoint:
    """Every kind of work comes by here about once a second or more often.

    Attributes
    ----------
    held
        Seconds that it was paused for.
    """

    def __init__(self, world: World, clock: Clock) -> None:
        self.world = world
        self.held = 0.0
        self._clock = clock

    def __call__(self, control: Control) -> Generator[Event, None, bool]:
        """Hold as long as a pause is asked for, then return whether to stop."""
        asked = self.world.agree(2 * control.stopping + control.pausing)
        if asked == 1:
            begun = time.perf_counter()
            yield Paused()
            while self.world.agree(control.pausing):
                control.wait(1.0)
            self.held += time.perf_counter() - begun
            self._clock.rest()
            yield Resumed()
            asked = self.world.agree(2 * control.stopping)
        return asked >= 2

    def during(
        self, work: Callable[[Check], T], control: Control
    ) -> Generator[Event, None, T | None]:
        """Hold and stop while work is done that cannot be interrupted; return its result.

        None once stopped: the thread that works then ends when it next calls its ``check``. Of
        several processes, which have to take the same steps, none holds or stops meanwhile.

        Parameters
        ----------
        work
            Calls what it is given between its parts; must not touch what is used after a stop.
        control
            Pauses and stops.
        """
        if self.world.size > 1:
            return work(lambda: None)
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
                if (yield from self(control)):
                    return None
            return result.result()
        finally:
            abandoned.set()
