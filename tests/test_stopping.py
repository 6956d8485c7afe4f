"""Pause and stop are obeyed wherever a training is, and a stop leaves a map that was learnt."""

import time

import numpy as np
import pandas as pd
import pytest
from test_trainer import KINDS, discs_and_crosses, small_recipe
from test_trainer import small_trainer as trainer_of

from napari_tsimcne.control import Control
from napari_tsimcne.errors import TrainingError
from napari_tsimcne.events import Embedding, EpochEnded, Paused, Progress, Resumed
from napari_tsimcne.explore import evaluate
from napari_tsimcne.learning import _pausing
from napari_tsimcne.learning import _trainer as training
from napari_tsimcne.recipe import PRESETS, Network

NARROW = Network(groups=3, width=8, hidden=32)


def narrow_recipe(preset="quick", **options):
    return small_recipe(preset, network=NARROW, **options)


def small_trainer(recipe=None, patches=None, **options):
    return trainer_of(recipe or narrow_recipe(), patches, **options)


@pytest.fixture(autouse=True)
def _everything_is_reported(monkeypatch):
    monkeypatch.setattr(training, "PROGRESS_SECONDS", 0.0)


def stopped_at(trainer, wanted):
    """Stop at the first event that is wanted; return all events."""
    control = Control()
    events = []
    for event in trainer.train(control):
        events.append(event)
        if wanted(event):
            control.stop()
            control.stop()  # an impatient second time changes nothing
    assert control.stopping, "the moment never came"
    return events


def short_epochs(events):
    return sum(isinstance(e, EpochEnded) and e.epochs == 30 for e in events)


MOMENTS = {
    "at the last epoch of features":
        lambda e: isinstance(e, EpochEnded) and e.stage == "features" and e.epoch == e.epochs,
    "while features are computed":
        lambda e: isinstance(e, Progress) and e.stage == "map" and e.epoch == 0,
    "at the first step of the map":
        lambda e: isinstance(e, Progress) and e.stage == "map" and e.epoch == 1,
}  # fmt: skip


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_stop_leaves_a_map_that_was_learnt(moment):
    trainer = small_trainer(narrow_recipe(epochs=(6, 40), least_draws=600))
    events = stopped_at(trainer, MOMENTS[moment])
    assert trainer.stopped and trainer.short_map and short_epochs(events) == 30
    *_, (coordinates, features) = trainer.embed()
    scores = evaluate(coordinates, features, pd.Series(KINDS, name="kind"))
    assert scores.knn_2d > 0.9
    fractions = [e.fraction for e in events if isinstance(e, Progress)]
    assert fractions == sorted(fractions)


def test_a_map_that_is_learnt_far_enough_is_kept_by_a_stop():
    trainer = small_trainer(narrow_recipe(epochs=(1, 8)))
    events = stopped_at(
        trainer, lambda e: isinstance(e, EpochEnded) and (e.stage, e.epoch) == ("map", 4)
    )
    assert trainer.stopped and not trainer.short_map and not short_epochs(events)


@pytest.mark.parametrize("preset", list(PRESETS))
def test_stopped_in_any_stage_of_any_preset_the_map_is_learnt(preset, monkeypatch):
    """Either its stage went on from a map, or did enough, or a short stage made one."""
    stages = PRESETS[preset]().stages
    recipe = narrow_recipe(preset, epochs=[2] * len(stages))
    for number, stage in enumerate(stages):
        trainer = small_trainer(recipe)

        # The first step of each stage.
        def wanted(event, name=stage.name):
            return isinstance(event, Progress) and event.stage == name and event.epoch == 1

        events = stopped_at(trainer, wanted)
        goes_on = number > 0 and stages[number - 1].output_dim == 2
        assert trainer.short_map == (not goes_on) == (short_epochs(events) == 30)
        *_, (coordinates, _) = trainer.embed()
        assert np.isfinite(coordinates).all() and coordinates.std() > 0.1


def test_stopped_before_the_first_step_there_is_a_checkpoint_and_a_map():
    saved, control = [], Control()
    control.stop()
    trainer = small_trainer(save=saved.append)
    list(trainer.train(control))
    assert trainer.stopped and trainer.short_map and saved[-1].state.position.starts_stage


def test_stopped_after_its_last_step_a_training_is_complete():
    trainer = small_trainer()
    stopped_at(trainer, lambda e: isinstance(e, EpochEnded) and (e.stage, e.epoch) == ("map", 3))
    assert not trainer.stopped and not trainer.short_map


def test_the_map_of_a_stopped_training_is_learnt_from_a_sample(monkeypatch):
    monkeypatch.setattr(training, "SHORT_MAP_PATCHES", 50)
    trainer = small_trainer()
    stopped_at(trainer, lambda e: isinstance(e, Progress))
    assert len(trainer._rows) == 46  # every other of 92
    *_, (coordinates, _) = trainer.embed()
    assert coordinates.shape == (96, 2)


def test_patches_that_are_all_the_same_end_a_stopped_training_with_a_sentence():
    patches = np.full((96, 1, 16, 16), 100, np.uint8)
    recipe = narrow_recipe(epochs=(5, 5))
    off = {name: {"on": False} for name in type(recipe.augmentations).model_fields}
    recipe = type(recipe).model_validate({**recipe.model_dump(), "augmentations": off})
    with pytest.raises(TrainingError, match="check that the patches differ"):
        stopped_at(small_trainer(recipe, patches), lambda e: isinstance(e, Progress))


# --- pauses -------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_pause_is_obeyed_before_anything_else_is_done(moment):
    control = Control()
    trainer = small_trainer(
        narrow_recipe(epochs=(2, 2)), np.tile(discs_and_crosses(), (6, 1, 1, 1))
    )
    said = []
    for event in trainer.train(control):
        said.append(event)
        if MOMENTS[moment](event) and not any(isinstance(e, Paused) for e in said):
            control.pause()
        elif isinstance(event, Paused):
            control.resume()
    kinds = [type(e) for e in said]
    asked = next(i for i, e in enumerate(said) if MOMENTS[moment](e))
    # What else comes of a step that was under way, and the checkpoint; no further progress.
    between = kinds[asked + 1 : kinds.index(Paused)]
    assert between.count(Progress) <= 1 and kinds.count(Resumed) == 1


def test_a_pause_is_obeyed_while_all_patches_are_put_onto_the_map():
    trainer = small_trainer(
        narrow_recipe(epochs=(1, 1)), np.tile(discs_and_crosses(), (6, 1, 1, 1))
    )
    list(trainer.train())
    expected = [*trainer.embed()][-1][0]
    control, said = Control(), []
    for event in trainer.embed(control):
        said.append(event)
        if isinstance(event, Embedding) and len(said) == 1:
            control.pause()
        if isinstance(event, Paused):
            control.resume()
    assert [type(e) for e in said[:3]] == [Embedding, Paused, Resumed]
    control.stop()  # the map is what a stop keeps: it goes on
    *_, (coordinates, _) = trainer.embed(control)
    assert np.array_equal(coordinates, expected) and np.array_equal(said[-1][0], expected)


def test_pauses_are_no_time_of_the_training():
    begun, held = time.perf_counter(), 0.0
    control, trainer = Control(), small_trainer()
    for event in trainer.train(control):
        if isinstance(event, Progress) and not held:
            control.pause()
        if isinstance(event, Paused):
            time.sleep(1.0)
            held = 1.0
            control.resume()
    assert trainer.seconds <= time.perf_counter() - begun - held


def test_what_cannot_be_interrupted_is_left_behind_by_a_stop(monkeypatch):
    monkeypatch.setattr(_pausing, "POLL_SECONDS", 0.01)
    control = Control()
    trainer = small_trainer()
    ended = []

    def compiles(check):
        try:
            while True:
                time.sleep(0.01)
                check()
        finally:
            ended.append(1)

    waiting = trainer._pause_point.during(compiles, control)
    control.pause()
    assert isinstance(next(waiting), Paused)
    control.stop()
    assert isinstance(next(waiting), Resumed)
    with pytest.raises(StopIteration) as result:
        next(waiting)
    assert result.value.value is None
    for _ in range(200):
        if ended:
            break
        time.sleep(0.01)
    assert ended


def test_batches_are_small_enough_to_pause_between():
    """Patches that are embedded at once on a CPU take about the same time whatever their size."""
    import torch

    from napari_tsimcne import Grid, Recipe
    from napari_tsimcne.learning._views import embedding_batch

    cpu = torch.device("cpu")
    batch = {
        size: embedding_batch(Recipe.quick(Grid(size=size)), cpu) for size in (16, 32, 64, 256)
    }
    assert batch == {16: 128, 32: 32, 64: 8, 256: 1}
    assert embedding_batch(Recipe.paper(Grid(size=32)), cpu) == 64
