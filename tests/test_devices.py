"""What differs between kinds of devices, tried on a CPU that behaves like another one."""

import json
import os
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from test_trainer import EIGHT_BITS, discs_and_crosses, finish
from test_trainer import small_recipe as recipe_of
from test_trainer import small_trainer as trainer_of
from torch.utils._python_dispatch import TorchDispatchMode

from napari_tsimcne.control import Control
from napari_tsimcne.errors import TrainingError
from napari_tsimcne.events import EpochEnded, Noted, Progress, RolledBack
from napari_tsimcne.learning import Embedder, Familiarity, Pins, Trainer
from napari_tsimcne.learning import _trainer as training
from napari_tsimcne.learning._cache import FeatureCache
from napari_tsimcne.learning._device import memory_layout
from napari_tsimcne.learning._stage_run import batch_sizes
from napari_tsimcne.learning._world import World, _SharedBatchNorm
from napari_tsimcne.recipe import PRESETS, Network


def small_recipe(preset="quick", **options):
    return recipe_of(preset, network=Network(groups=3, width=8, hidden=32), **options)


def small_trainer(recipe=None, patches=None, **options):
    return trainer_of(recipe or small_recipe(), patches, **options)


class WithoutFloat64(TorchDispatchMode):
    """As Apple's GPUs: no tensor may become float64, and no matrix is decomposed."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if any(
            name in str(func) for name in ("linalg_eig", "linalg_svd", "linalg_qr", "linalg_chol")
        ):
            raise NotImplementedError(f"{func} is not there for this device")
        found = func(*args, **(kwargs or {}))
        for one in found if isinstance(found, tuple | list) else [found]:
            if isinstance(one, torch.Tensor) and one.dtype == torch.float64:
                raise TypeError(f"{func}: this device has no float64")
        return found


@pytest.mark.parametrize("preset", list(PRESETS))
def test_whole_trainings_need_no_float64(preset):
    recipe = small_recipe(preset, epochs=[1] * len(PRESETS[preset]().stages))
    saved = []
    with WithoutFloat64():
        trainer = small_trainer(
            recipe, discs_and_crosses(np.float64), save=saved.append, checkpoint_seconds=0
        )
        _, coordinates, features = finish(trainer)
        finish(small_trainer(recipe, checkpoint=saved[1]))
        apply = Embedder(trainer.model, recipe, "cpu")
        again, h = apply(discs_and_crosses(), EIGHT_BITS)
        Familiarity(features, np.array([], int))(h)
    assert np.allclose(again, coordinates, atol=1e-4)


def test_a_stopped_training_needs_no_float64():
    control = Control()
    control.stop()
    with WithoutFloat64():
        trainer = small_trainer()
        list(trainer.train(control))
    assert trainer.short_map


def test_apples_gpus_get_images_as_batch_normalisation_takes_them_there():
    assert memory_layout(torch.device("mps")) == torch.contiguous_format
    assert memory_layout(torch.device("cuda")) == torch.channels_last


# --- from one kind of device to another ---------------------------------------------------------


def checkpoint_after(count, recipe=None):
    saved = []
    for event in small_trainer(recipe, save=saved.append, checkpoint_seconds=0).train():
        if event.kind == "saved" and len(saved) == count:
            return saved[-1]
    raise AssertionError("there are fewer checkpoints")


def test_a_checkpoint_of_another_kind_of_device_is_gone_on_from_and_that_is_told():
    checkpoint = checkpoint_after(2)
    for name in ("views", "cache"):
        checkpoint.tensors[f"random.{name}"] = torch.zeros(16, dtype=torch.uint8)
    first = finish(small_trainer(checkpoint=checkpoint))
    second = finish(small_trainer(checkpoint=checkpoint))
    (note,) = [e for e in first[0] if isinstance(e, Noted)]
    assert "another kind of device" in note.text
    assert np.array_equal(first[1], second[1])


def test_on_the_same_kind_of_device_nothing_is_told():
    events, *_ = finish(small_trainer(checkpoint=checkpoint_after(2)))
    assert not any(isinstance(e, Noted) for e in events)


def test_arithmetic_that_is_pinned_is_not_timed_and_cannot_change_on_the_way(monkeypatch):
    monkeypatch.setattr("napari_tsimcne.learning._arithmetic.SHORT", 0)
    monkeypatch.setattr("napari_tsimcne.learning._arithmetic.fastest_precision", None)
    recipe = small_recipe().model_copy(update={"precision": "auto"})
    trainer = small_trainer(recipe, pins=Pins("bfloat16", False))
    events, *_ = finish(trainer)
    assert events[0].precision == trainer.precision == "bfloat16" and not trainer.compiled
    with pytest.raises(TrainingError, match="began with precision float32"):
        small_trainer(checkpoint=checkpoint_after(1), pins=Pins("bfloat16"))
    small_trainer(checkpoint=checkpoint_after(1), pins=Pins("float32", False))


# --- rollbacks ----------------------------------------------------------------------------------


def spoilt(trainer, when, spoil):
    """Run a training whose weights are spoilt once; return its events."""
    events, done = [], False
    for event in trainer.train():
        events.append(event)
        if not done and when(event):
            done = True
            with torch.no_grad():
                spoil(trainer.model)
    assert done
    return events


def blank_readout(model):
    model.head.readout.weight.fill_(torch.nan)


def test_after_a_rollback_fractions_go_on_and_the_next_stage_has_its_full_rate(
    monkeypatch,
):
    monkeypatch.setattr(training, "PROGRESS_SECONDS", 0.0)
    factors = []
    step = training.StageRun.step

    def noted(self, loss, factor):
        factors.append((self.stage.name, factor))
        return step(self, loss, factor)

    monkeypatch.setattr(training.StageRun, "step", noted)
    trainer = small_trainer(small_recipe(epochs=(6, 4)))
    events = spoilt(trainer, lambda e: isinstance(e, EpochEnded) and e.epoch == 5, blank_readout)
    assert sum(isinstance(e, RolledBack) for e in events) == 1
    place = next(i for i, e in enumerate(events) if isinstance(e, RolledBack))
    fractions = [e.fraction for e in events if isinstance(e, Progress)]
    assert all(a <= b + 1e-9 for a, b in pairwise(fractions))
    after = [e.fraction for e in events[place:] if isinstance(e, Progress)]
    assert after[-1] > after[len(after) // 2] > after[0] and 0.8 < after[-1] <= 1
    rates = [f for stage, f in factors if stage == "map"]
    assert max(rates) > 0.9


def test_each_stage_may_be_rolled_back_once():
    trainer = small_trainer(small_recipe(epochs=(4, 8)))
    spoilt_in = set()
    events = []
    for event in trainer.train():
        events.append(event)
        if isinstance(event, EpochEnded) and event.epoch == 3 and event.stage not in spoilt_in:
            spoilt_in.add(event.stage)
            with torch.no_grad():
                blank_readout(trainer.model)
    assert [e.rate_scale for e in events if isinstance(e, RolledBack)] == [0.3, 0.3]


def test_weights_that_are_not_finite_are_never_saved_though_the_loss_is():
    saved = []

    def save(checkpoint):
        weights = checkpoint.part("model").values()
        saved.append(all(torch.isfinite(w).all() for w in weights if w.is_floating_point()))

    trainer = small_trainer(small_recipe("paper", epochs=(3, 2, 2)), save=save)

    def spoil(model):  # what no loss depends on
        model.backbone.bn1.running_mean.fill_(torch.nan)

    events = spoilt(trainer, lambda e: isinstance(e, EpochEnded) and e.epoch == 3, spoil)
    assert any(isinstance(e, RolledBack) for e in events) and all(saved) and saved
    *_, (coordinates, _) = trainer.embed()
    assert np.isfinite(coordinates).all()


# --- batches ------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [2, 3, 8, 12, 40, 256])
def test_no_batch_is_of_few_patches(batch):
    for count in range(2, 4 * batch + 3):
        sizes = batch_sizes(count, batch)
        assert sum(sizes) == count and max(sizes) < batch + 8
        assert min(sizes) >= min(count, batch, 8) >= 2
        assert len(sizes) in (count // batch, -(-count // batch)) or count < batch
        if count % batch == 0 or count % batch >= 8:
            assert sizes == [batch] * (count // batch) + [count % batch] * (count % batch > 0)


def test_a_training_takes_no_step_with_one_patch():
    recipe = small_recipe("paper-2d", epochs=[2]).model_copy(update={"held_out": 0.0})
    trainer = small_trainer(recipe, discs_and_crosses()[:81])  # two batches of 40, and one patch
    steps = {e.steps for e in trainer.train() if isinstance(e, Progress)}
    assert steps == {3}
    assert batch_sizes(81, 40) == [40, 21, 20]


def test_one_patch_is_no_training():
    recipe = small_recipe().model_copy(update={"held_out": 0.0})
    with pytest.raises(TrainingError, match="too few to learn from"):
        small_trainer(recipe, discs_and_crosses()[:1])


@pytest.mark.parametrize("mean", [0, 300, 3000])
def test_shared_batch_normalisation_is_exact_for_large_means(mean, monkeypatch):
    monkeypatch.setattr("torch.distributed.all_reduce", lambda *_, **__: None)
    values = torch.randn(4096, 4, generator=torch.Generator().manual_seed(0)) + mean
    reference = torch.nn.BatchNorm1d(4, affine=False)
    shared = _SharedBatchNorm.of(reference)
    exact = values.double()
    exact = (exact - exact.mean(0)) / (exact.var(0, unbiased=False) + 1e-5).sqrt()
    assert (shared(values) - exact).abs().max() < 1e-3
    expected = 0.9 + 0.1 * values.double().var(0)
    assert np.allclose(shared.running_var, expected, rtol=1e-3)


def test_neighbours_are_found_block_by_block():
    cache = FeatureCache(0, 300, 8, torch.device("cpu"))
    cache.clean.normal_(generator=torch.Generator().manual_seed(0))
    assert sum(cache.find_neighbors(5)) == 300 * 300
    unit = torch.nn.functional.normalize(cache.clean, dim=1)
    similarity = unit @ unit.T
    similarity.fill_diagonal_(-2)
    expected = similarity.topk(5, dim=1).indices
    assert torch.equal(cache._neighbors, expected)


PROCESSES = """
import sys
sys.path.insert(0, {tests!r})
from test_devices import discs_and_crosses, small_recipe, small_trainer
import numpy as np
recipe = small_recipe({preset!r}, epochs={epochs}).model_copy(update={{"held_out": 0.0}})
trainer = small_trainer(recipe, discs_and_crosses()[:{patches}])
losses = [round(e.loss, 3) for e in trainer.train() if e.kind == "epoch"]
*_, (coordinates, _) = trainer.embed()
if trainer.world.rank == 0:
    print("RESULT", losses, coordinates.shape)
trainer.world.close()
"""


def in_processes(tmp_path, count, preset, epochs, patches):
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(PROCESSES.format(
        tests=str(Path(__file__).parent), preset=preset, epochs=epochs, patches=patches
    )))  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node",
         str(count), str(script)],
        capture_output=True, text=True, timeout=240, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="torchrun needs libuv there")
def test_three_processes_share_odd_numbers_of_patches(tmp_path):
    """81 patches: a batch of one would be left over; 7 at once would leave shares empty."""
    text = in_processes(tmp_path, 3, "paper", [1, 1, 1], 81)
    assert "RESULT" in text, text
    recipe = small_recipe("paper", epochs=[1, 1, 1]).model_copy(update={"held_out": 0.0})
    trainer = small_trainer(recipe, discs_and_crosses()[:81])
    alone = [round(e.loss, 3) for e in trainer.train() if isinstance(e, EpochEnded)]
    told = json.loads(text.split("RESULT")[1].split("]")[0] + "]")
    assert told == pytest.approx(alone, abs=5e-3) and "(81, 2)" in text


def test_more_processes_than_patches_in_a_batch_are_refused(monkeypatch):
    class Many(World):
        size = 9

    monkeypatch.setattr(training, "join_world", lambda device: Many())
    recipe = small_recipe().model_copy(update={"held_out": 0.0})
    with pytest.raises(TrainingError, match="start at most 7 processes"):
        Trainer(discs_and_crosses()[:7], EIGHT_BITS, False, recipe, "cpu")
