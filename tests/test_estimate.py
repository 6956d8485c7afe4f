import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_tsimcne import Grid, Recipe
from napari_tsimcne.errors import InputError, TrainingError
from napari_tsimcne.learning import Scaling, Trainer, choose_device, estimate, find_devices
from napari_tsimcne.learning import _estimate as estimating
from napari_tsimcne.recipe import PRESETS, Network, Objects

SMALL = Network(groups=2, width=8, hidden=32)


def small_recipe(preset="quick", size=8, **options):
    return PRESETS[preset](Grid(size=size), network=SMALL, **{"batch_size": 32, **options})


@pytest.fixture(autouse=True)
def _measured_anew(monkeypatch):
    """Each test measures for itself, in processor time: other programs may be at work."""
    estimating._measured.cache_clear()
    clock = SimpleNamespace(perf_counter=time.process_time)
    monkeypatch.setattr(estimating, "time", clock)
    monkeypatch.setattr(estimating, "TIMED_SECONDS", 0.1)
    yield
    estimating._measured.cache_clear()


def has_free_memory(monkeypatch, free):
    memory = SimpleNamespace(available=free, total=2**36)
    monkeypatch.setattr(estimating.psutil, "virtual_memory", lambda: memory)


def test_an_estimate_is_near_what_the_training_takes():
    recipe = small_recipe(size=16, epochs=(4, 12), batch_size=64).model_copy(
        update={"precision": "float32"}
    )
    side = 16 + 2 * recipe.margin
    patches = np.random.default_rng(0).integers(0, 255, (500, 2, side, side), np.uint8)
    guess = estimate(recipe, len(patches), 2, False, "cpu")
    scaling = Scaling(np.zeros((1, 2)), np.full((1, 2), 255.0))
    begun = time.process_time()
    trainer = Trainer(patches, scaling, False, recipe, "cpu")
    for _ in trainer.train():
        pass
    for _ in trainer.embed():
        pass
    seconds = time.process_time() - begun
    assert seconds / 2 < guess.seconds < 2 * seconds


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_stage_of_every_preset_is_told(preset):
    recipe = small_recipe(preset, rgb=True)
    guess = estimate(recipe, 200, 3, True, "cpu")
    assert list(guess.stage_seconds) == [stage.name for stage in recipe.stages]
    assert all(seconds > 0 for seconds in guess.stage_seconds.values())
    assert guess.seconds > sum(guess.stage_seconds.values())
    assert guess.fitting_batch == 32 and guess.device.startswith("CPU, ")


def test_stages_without_epochs_take_no_time():
    guess = estimate(small_recipe(epochs=(0, 2)), 200, 1, False, "cpu")
    assert list(guess.stage_seconds) == ["map"]


def test_other_epochs_seeds_and_more_patches_are_not_measured_again(monkeypatch):
    short = estimate(small_recipe(epochs=(10, 10)), 2000, 1, False, "cpu")
    monkeypatch.setattr(estimating, "_Bench", None)
    long = estimate(small_recipe(epochs=(20, 10), seed=3), 2000, 1, False, "cpu")
    assert long.stage_seconds["features"] == pytest.approx(2 * short.stage_seconds["features"])
    assert long.stage_seconds["map"] == short.stage_seconds["map"]
    many = estimate(small_recipe(epochs=(10, 10)), 4000, 1, False, "cpu")
    assert many.stage_seconds["features"] == pytest.approx(2 * short.stage_seconds["features"])


def test_of_a_batch_that_does_not_fit_the_largest_half_is_told(monkeypatch):
    recipe = small_recipe(size=16, batch_size=512).model_copy(update={"precision": "float32"})
    has_free_memory(monkeypatch, 2**40)
    assert estimate(recipe, 1000, 1, False, "cpu").fitting_batch == 512
    estimating._measured.cache_clear()
    has_free_memory(monkeypatch, 20 * 2**20)
    fits = estimate(recipe, 1000, 1, False, "cpu").fitting_batch
    assert fits in (8, 16, 32, 64, 128, 256)
    estimating._measured.cache_clear()
    # Of twice the memory, twice as many.
    has_free_memory(monkeypatch, 40 * 2**20)
    assert estimate(recipe, 1000, 1, False, "cpu").fitting_batch == 2 * fits


def test_a_batch_larger_than_the_patches_only_has_to_hold_these(monkeypatch):
    has_free_memory(monkeypatch, 2**40)
    assert estimate(small_recipe(batch_size=60_000), 100, 1, False, "cpu").fitting_batch == 60_000


def test_where_no_batch_fits_it_says_what_to_change(monkeypatch):
    has_free_memory(monkeypatch, 1000)
    with pytest.raises(TrainingError, match="smaller patch size or a narrower network"):
        estimate(small_recipe(), 200, 1, False, "cpu")


def test_what_cannot_be_estimated_is_told():
    with pytest.raises(InputError, match="too few patches"):
        estimate(small_recipe(), 1, 1, False, "cpu")
    with pytest.raises(InputError, match="not known before they are cut"):
        estimate(Recipe.quick(Objects()), 100, 1, False, "cpu")


def test_devices_have_names_and_memory_and_begin_with_what_auto_takes():
    devices = find_devices()
    assert devices[0].name == choose_device("auto").type
    assert devices[-1].name == "cpu" and f"{torch.get_num_threads()} thread" in devices[-1].title
    for device in devices:
        assert 0 < device.free_bytes <= device.total_bytes and device.title
