"""Measures the pace of the work and what is left of it, part by part."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from napari_tsimcne.learning._cache import NEIGHBOR_POOL
from napari_tsimcne.learning._checkpoint import Position
from napari_tsimcne.recipe import Stage

RECENT_SECONDS = 20.0


class Kind(StrEnum):
    """Kinds of work, each with a pace of its own, and what is counted of each."""

    FULL_STEP = "images of steps of the whole network"
    FROZEN_STEP = "images of steps of the head behind a frozen network"
    CACHED_STEP = "images of steps of the head on cached features"
    FEATURES = "views whose features are computed"
    PAIRS = "pairs of patches compared to find neighbours"
    EMBED = "views of patches put onto the map"


COSTS = {
    Kind.FULL_STEP: 6.0, Kind.FROZEN_STEP: 2.0, Kind.CACHED_STEP: 0.04, Kind.FEATURES: 1.0,
    Kind.PAIRS: 4e-6, Kind.EMBED: 1.0,
}  # fmt: skip
"""Of one image, view or pair, relative to a forward pass of one view: a guess until it is timed.

Of an image two views are trained on; forward and backward is about three forward passes.
"""


@dataclass
class Part:
    """Work of one kind that is left in a stage; after the last stage, all patches are embedded."""

    stage: int
    kind: Kind
    amount: float


def step_kind(stage: Stage) -> Kind:
    """Return the kind of steps that a stage takes."""
    if stage.cached:
        return Kind.CACHED_STEP
    return Kind.FULL_STEP if stage.trains == "all" else Kind.FROZEN_STEP


def parts_of(stages: Sequence[Stage], trained: int, embedded: int, orientations: int) -> list[Part]:
    """Return all work of a training, in order.

    Parameters
    ----------
    stages
        That are run.
    trained
        Patches that are trained on.
    embedded
        Patches that are put onto the map in the end.
    orientations
        Passes of one view that embedding a patch takes.
    """
    parts = []
    for number, stage in enumerate(stages):
        if stage.cached:
            views = (stage.cached_views + orientations) * trained
            parts.append(Part(number, Kind.FEATURES, views))
        if stage.neighbors:
            parts.append(Part(number, Kind.PAIRS, trained * min(trained, NEIGHBOR_POOL)))
        drawn = trained * stage.passes(trained) * stage.epochs
        parts.append(Part(number, step_kind(stage), drawn))
    parts.append(Part(len(stages), Kind.EMBED, embedded * orientations))
    return parts


class Clock:
    """Pace and time left; ``images_per_second`` counts training images, two views each.

    What is left is computed by each kind's own measured pace where there is one. The fraction that
    is done never falls: where work is lost, or the plan changes, what is left then takes the rest
    of it.

    Parameters
    ----------
    stages, trained, embedded, orientations
        As of `parts_of`.
    done
        Where the training goes on.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        trained: int,
        embedded: int,
        orientations: int,
        done: Position,
    ) -> None:
        self._embedded, self._orientations = embedded, orientations
        self._pace: dict[Kind, float] = {}
        self._kind: Kind | None = None
        self._count = 0.0
        self._starting = True
        self._last = time.perf_counter()
        self._recent: deque[tuple[float, float]] = deque()
        self._parts = parts_of(stages, trained, embedded, orientations)
        self._total = self._work()
        self._take_off(stages, trained, done)

    def replan(self, stages: Sequence[Stage], trained: int, position: Position) -> None:
        """Go on with other stages, or from another position: the fraction done stays."""
        left = 1 - self.fraction
        self._parts = parts_of(stages, trained, self._embedded, self._orientations)
        self._take_off(stages, trained, position)
        self._total = self._work() / left if left > 0 else self._total

    def _take_off(self, stages: Sequence[Stage], trained: int, done: Position) -> None:
        """Take off what was done before a position. Features are not kept: they are made anew."""
        self._parts = [part for part in self._parts if part.stage >= done.stage]
        if done.stage < len(stages):
            stage = stages[done.stage]
            drawn = done.epoch * trained * stage.passes(trained) + done.step * stage.batch_size
            self._reduce(done.stage, step_kind(stage), drawn)

    def _reduce(self, stage: int | None, kind: Kind, amount: float) -> None:
        for part in self._parts:
            if part.kind is kind and stage in (None, part.stage):
                part.amount = max(0.0, part.amount - amount)
                return

    def _work(self) -> float:
        return sum(COSTS[part.kind] * part.amount for part in self._parts)

    def enter(self, stage: int) -> None:
        """Note that all stages before one are over."""
        self._parts = [part for part in self._parts if part.stage >= stage]

    def rest(self) -> None:
        """Leave out of the pace what was since the last count: a pause."""
        self._last = time.perf_counter()
        self._recent.clear()
        self._count = 0.0

    def count(self, kind: Kind, amount: float) -> None:
        """Note work done of a kind, in the time since the last."""
        if kind is not self._kind:
            self._kind = kind
            self._recent.clear()
            self._count = 0.0
        if not self._recent:
            self._recent.append((self._last, 0.0))
        self._reduce(None, kind, amount)
        self._count += amount
        self._last = time.perf_counter()
        if self._starting:
            # The first step also starts the device and reads first: its time says nothing.
            self._starting = False
            self.rest()
            return
        self._recent.append((self._last, self._count))
        # The first steps are slow, and a busy machine changes its pace.
        while len(self._recent) > 2 and self._last - self._recent[0][0] > RECENT_SECONDS:
            self._recent.popleft()
        (start, before), (end, after) = self._recent[0], self._recent[-1]
        if end > start:
            self._pace[kind] = (after - before) / (end - start)

    @property
    def images_per_second(self) -> float:
        """Pace of the kind of work that was counted last."""
        return self._pace.get(self._kind, 0.0) if self._kind else 0.0

    def set_pace(self, kind: Kind, pace: float) -> None:
        """Take a pace as measured beforehand: what is counted later takes its place."""
        self._pace[kind] = pace

    def seconds(self, kind: Kind, amount: float) -> float | None:
        """Return the time that some work will take; None before anything was timed."""
        if kind in self._pace:
            return amount / self._pace[kind]
        if not self._pace:
            return None
        # By the pace of the costliest kind timed: small steps tell little of large ones.
        known = max(self._pace, key=COSTS.__getitem__)
        return amount * COSTS[kind] / (self._pace[known] * COSTS[known])

    @property
    def fraction(self) -> float:
        """Share of all work that is done, 0..1."""
        return 1 - self._work() / self._total if self._total else 1.0

    @property
    def seconds_left(self) -> float | None:
        """Time left of all work; None before a second step was timed."""
        times = [self.seconds(part.kind, part.amount) for part in self._parts]
        return None if None in times else sum(t for t in times if t is not None)
