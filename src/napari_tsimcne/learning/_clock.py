"""Measures the pace of the work and what is left of it, in passes of one view."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from napari_tsimcne.learning._checkpoint import Position
from napari_tsimcne.recipe import Stage

# Cost of one image, in passes of one view: forward and backward is about three forward passes.
FULL_STEP, FROZEN_STEP, CACHED_STEP, EMBED = 6.0, 2.0, 0.3, 1.0
RECENT_SECONDS = 20.0


class Clock:
    """Pace and time left; ``images_per_second`` counts training images, two views each.

    Costs of different kinds of steps are guesses until a kind has been timed: what is left is
    reckoned by each kind's own measured pace where there is one. Work ``done`` before this process
    began is left out. Embedding a patch takes a pass of each of its ``orientations``.
    """

    def __init__(
        self,
        trained: int,
        patches: int,
        orientations: int,
        stages: Sequence[Stage],
        done: Position,
    ) -> None:
        self._orientations = orientations
        self._left: dict[float, float] = {}
        for stage in stages:
            cost = step_cost(stage)
            self._left[cost] = self._left.get(cost, 0.0) + self.drawn(stage, trained, stage.epochs)
            if stage.cached:
                self._left[EMBED] = self._left.get(EMBED, 0.0) + self.cached(stage, trained)
        self._left[EMBED] = self._left.get(EMBED, 0.0) + patches * orientations
        self._total = self._work()
        self._pace: dict[float, float] = {}
        self._recent: deque[tuple[float, float]] = deque()
        self._kind: float | None = None
        self._count = 0.0
        for stage in stages[: done.stage]:
            self._skip(step_cost(stage), self.drawn(stage, trained, stage.epochs))
            if stage.cached:
                self._skip(EMBED, self.cached(stage, trained))
        if done.stage < len(stages):
            stage = stages[done.stage]
            self._skip(step_cost(stage), self.drawn(stage, trained, done.epoch))

    @staticmethod
    def drawn(stage: Stage, trained: int, epochs: int) -> int:
        """Return the patches drawn in some epochs of a stage."""
        return trained * stage.passes(trained) * epochs

    def cached(self, stage: Stage, trained: int) -> float:
        """Return the passes of one view that fill the cache of a stage."""
        return (stage.cached_views + self._orientations) * trained

    def _work(self) -> float:
        return sum(cost * count for cost, count in self._left.items())

    def begin(self, kind: float) -> None:
        """Begin to time a kind of work, named by its cost."""
        self._kind, self._count = kind, 0.0
        self._recent = deque([(time.perf_counter(), 0.0)])

    def count(self, images: float) -> None:
        """Note work done of the kind begun."""
        assert self._kind is not None
        self._left[self._kind] = max(0.0, self._left.get(self._kind, 0.0) - images)
        self._count += images
        now = time.perf_counter()
        self._recent.append((now, self._count))
        # The first steps are slow, and a busy machine changes its pace.
        while len(self._recent) > 2 and now - self._recent[0][0] > RECENT_SECONDS:
            self._recent.popleft()
        (start, before), (end, after) = self._recent[0], self._recent[-1]
        if end > start:
            self._pace[self._kind] = (after - before) / (end - start)

    def _skip(self, kind: float, images: float) -> None:
        self._left[kind] = max(0.0, self._left.get(kind, 0.0) - images)

    @property
    def images_per_second(self) -> float:
        """Pace of the kind of work begun."""
        return self._pace.get(self._kind or 0.0, 0.0)

    def seconds(self, kind: float, images: float) -> float | None:
        """Return the time that some work will take; None before anything was timed."""
        if kind in self._pace:
            return images / self._pace[kind]
        if not self._pace:
            return None
        # By the pace of the costliest kind timed: small steps tell little of large ones.
        known = max(self._pace)
        return images * kind / (self._pace[known] * known)

    @property
    def fraction(self) -> float:
        """Share of all work that is done, 0..1."""
        return 1 - self._work() / self._total

    @property
    def seconds_left(self) -> float | None:
        """Time left of all work; None before anything was timed."""
        times = [self.seconds(kind, count) for kind, count in self._left.items()]
        return None if None in times else sum(t for t in times if t is not None)


def step_cost(stage: Stage) -> float:
    """Cost of one image of a stage."""
    if stage.cached:
        return CACHED_STEP
    return FULL_STEP if stage.trains == "all" else FROZEN_STEP
