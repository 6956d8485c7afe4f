"""What is asked of a running training: pause, go on, stop. Safe to call from any thread."""

from __future__ import annotations

import threading


class Control:
    """Asked by the training at every step, told by whoever watches it."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._go = threading.Event()
        self._go.set()

    def stop(self) -> None:
        """End the training soon, with a map of what was learnt; also from a pause."""
        self._stop.set()
        self._go.set()

    def pause(self) -> None:
        """Hold the training until `resume` or `stop`."""
        if not self._stop.is_set():
            self._go.clear()

    def resume(self) -> None:
        """Go on after a pause."""
        self._go.set()

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    @property
    def pausing(self) -> bool:
        """Whether the training is to hold."""
        return not self._go.is_set()

    def wait(self, seconds: float) -> None:
        """Return once the training may go on, or after some seconds."""
        self._go.wait(seconds)
