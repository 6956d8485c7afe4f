from types import SimpleNamespace

import pytest

from napari_tsimcne.learning import _clock
from napari_tsimcne.learning._clock import Clock, Position, step_kind
from napari_tsimcne.recipe import Grid, Recipe


def test_the_first_step_which_starts_the_device_says_nothing_of_the_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(_clock, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    stages = Recipe.quick(Grid(size=16)).stages
    clock = Clock(stages, 1000, 1000, 1, Position())
    kind = step_kind(stages[0])
    now[0] += 100
    clock.count(kind, 100)
    assert clock.seconds_left is None and clock.fraction > 0
    for _ in range(3):
        now[0] += 1
        clock.count(kind, 100)
    assert clock.images_per_second == pytest.approx(100)
    assert clock.seconds(kind, 1000) == pytest.approx(10)
