"""What was done while exploring, one thing after another, to be undone and done again."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from psygnal import Signal

T = TypeVar("T")
LONGEST = 100


class _Step(NamedTuple):
    what: str
    undo: Callable[[], None]
    redo: Callable[[], None]


class History:
    """The last 100 changes of selection and clusters; ``changed`` is emitted after every step."""

    changed = Signal()

    def __init__(self) -> None:
        self._past: list[_Step] = []
        self._future: list[_Step] = []

    @property
    def past(self) -> str:
        """What `undo` takes back, in words; empty where there is nothing."""
        return self._past[-1].what if self._past else ""

    @property
    def future(self) -> str:
        """What `redo` does again, in words; empty where there is nothing."""
        return self._future[-1].what if self._future else ""

    def record(self, what: str, before: T, after: T, restore: Callable[[T], None]) -> None:
        """Remember a change that was made: ``restore`` goes back to either state."""
        step = _Step(what, lambda: restore(before), lambda: restore(after))
        self._past = [*self._past, step][-LONGEST:]
        self._future = []
        self.changed.emit()

    def undo(self) -> None:
        """Take back the last change; does nothing where there is none."""
        if self._past:
            step = self._past.pop()
            self._future.append(step)
            step.undo()
            self.changed.emit()

    def redo(self) -> None:
        """Do again what was taken back last; does nothing where there is nothing."""
        if self._future:
            step = self._future.pop()
            self._past.append(step)
            step.redo()
            self.changed.emit()
