import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from napari_tsimcne import Grid, ImageSource, Recipe, Run
from napari_tsimcne.control import Control
from napari_tsimcne.errors import TrainingError
from napari_tsimcne.events import (
    EpochEnded,
    MapMoved,
    Paused,
    Prepared,
    Progress,
    Resumed,
    RolledBack,
)
from napari_tsimcne.explore import evaluate
from napari_tsimcne.learning import (
    Checkpoint,
    Familiarity,
    Scaling,
    Trainer,
    center_crop,
    choose_device,
    preview,
)
from napari_tsimcne.learning._device import Precision, compiles_faster
from napari_tsimcne.recipe import PRESETS, Network

EIGHT_BITS = Scaling(np.array([[0.0]]), np.array([[255.0]]))
KINDS = np.arange(96) % 2


def discs_and_crosses(dtype=np.uint8):
    """Bright discs and crosses in turn, (96, 1, 16, 16)."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[-7.5:8, -7.5:8]
    shapes = np.stack([np.hypot(y, x) < 5, np.minimum(abs(y), abs(x)) < 2])
    return (shapes[KINDS] * 150 + random.integers(0, 60, (96, 16, 16))).astype(dtype)[:, None]


def small_recipe(preset="quick", least_draws=0, **options):
    options = {"epochs": (2, 3), "batch_size": 32, "network": Network(groups=3, width=8), **options}
    recipe = PRESETS[preset](Grid(size=16), margin=0, **options)
    # Batches that leave some over, and several a stage.
    changes = {"batch_size": 40, "least_draws": least_draws}
    stages = tuple(s.model_copy(update=changes) for s in recipe.stages)
    return recipe.model_copy(update={"precision": "float32", "stages": stages})


def small_trainer(recipe=None, patches=None, **options):
    patches = discs_and_crosses() if patches is None else patches
    return Trainer(patches, EIGHT_BITS, False, recipe or small_recipe(), "cpu", **options)


def finish(trainer, control=None):
    events = list(trainer.train(control))
    *_, (coordinates, features) = trainer.embed()
    return events, coordinates, features


class StopsAfter(Control):
    """Asked to stop once it was looked at so many times."""

    def __init__(self, looks):
        super().__init__()
        self._looks = looks

    @property
    def stopping(self):
        self._looks -= 1
        return self._looks < 0


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_preset_ends_with_a_map_and_tells_of_every_epoch(preset):
    stages = PRESETS[preset]().stages
    recipe = small_recipe(preset, epochs=[2] * len(stages))
    events, coordinates, features = finish(small_trainer(recipe))
    assert coordinates.shape == (96, 2) and features.shape == (96, recipe.network.features)
    epochs = [(e.stage, e.epoch) for e in events if isinstance(e, EpochEnded)]
    assert epochs == [(stage.name, epoch) for stage in stages for epoch in (1, 2)]
    fractions = [e.fraction for e in events if isinstance(e, Progress)]
    assert fractions == sorted(fractions) and 0 < fractions[0] < fractions[-1] <= 1


def test_small_collections_are_passed_several_times_an_epoch():
    recipe = small_recipe(epochs=(1, 1), least_draws=200)
    events, *_ = finish(small_trainer(recipe))
    # 92 patches are trained on: three passes of three batches.
    assert {e.steps for e in events if isinstance(e, Progress) and e.epoch} == {9}
    assert max(e.fraction for e in events if isinstance(e, Progress)) <= 1


def test_a_map_of_three_dimensions():
    _, coordinates, _ = finish(small_trainer(small_recipe(map_dimensions=3)))
    assert coordinates.shape == (96, 3) and np.linalg.matrix_rank(coordinates - coordinates[0]) == 3


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32, np.float64])
def test_every_pixel_type_gives_the_same_map(dtype):
    expected = finish(small_trainer())[1]
    assert np.array_equal(finish(small_trainer(patches=discs_and_crosses(dtype)))[1], expected)


def test_uint16_above_half_its_range():
    patches = discs_and_crosses(np.uint16) * 200 + 20_000
    scaling = Scaling(np.array([[20_000.0]]), np.array([[71_000.0]]))
    high = Trainer(patches, scaling, False, small_recipe(), "cpu")
    assert np.allclose(finish(high)[1], finish(small_trainer())[1], atol=1e-3)


def test_images_can_be_scaled_each_by_its_own_range():
    patches = discs_and_crosses(np.float32)
    group = np.arange(96) // 48
    patches[48:] = patches[48:] * 10 + 7
    scaling = Scaling(np.array([[0.0], [7.0]]), np.array([[255.0], [2557.0]]), group)
    own = Trainer(patches, scaling, False, small_recipe(), "cpu")
    assert np.allclose(finish(own)[1], finish(small_trainer())[1], atol=1e-2)


def test_the_seed_decides_the_result():
    results = [finish(small_trainer(small_recipe(seed=seed)))[1] for seed in (1, 1, 2)]
    assert np.array_equal(results[0], results[1])
    assert not np.allclose(results[0], results[2])


def test_the_paper_freezes_all_but_the_readout_in_its_second_stage():
    trainer = small_trainer(small_recipe("paper", epochs=(1, 1, 1)))
    after = {}
    for event in trainer.train():
        if isinstance(event, EpochEnded):
            after[event.stage] = {
                name: weight.detach().clone()
                for name, weight in trainer.model.named_parameters()
                if "readout" not in name
            }
    moved = [
        {name for name in after[a] if not torch.equal(after[a][name], after[b][name])}
        for a, b in (("features", "readout"), ("readout", "fine-tuning"))
    ]
    assert moved[0] == set() and len(moved[1]) > 40


# --- nothing is lost ----------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["quick", "paper", "paper-annealing"])
@pytest.mark.parametrize("cut", [1, 3, 5, 8, 11])
def test_resumed_is_bit_identical_to_uninterrupted(preset, cut, tmp_path):
    recipe = small_recipe(preset, epochs=[2] * len(PRESETS[preset]().stages))
    expected = finish(small_trainer(recipe))
    saved = []
    first = small_trainer(recipe, save=saved.append, checkpoint_seconds=0)
    for event in first.train():
        # As if killed: nothing is said to the trainer, it is just never asked again.
        if event.kind == "saved" and len(saved) == cut:
            break
    saved[-1].save(tmp_path / "checkpoint.safetensors")
    checkpoint = Checkpoint.load(tmp_path / "checkpoint.safetensors", recipe, 96)
    torch.manual_seed(12345)
    resumed = finish(small_trainer(recipe, checkpoint=checkpoint))
    assert np.array_equal(resumed[1], expected[1]) and np.array_equal(resumed[2], expected[2])
    last = [e.loss for e in expected[0] if isinstance(e, EpochEnded)][-1]
    assert [e.loss for e in resumed[0] if isinstance(e, EpochEnded)][-1:] in ([last], [])


def test_arithmetic_is_timed_only_where_the_training_is_long_enough_to_gain(monkeypatch):
    timed = []
    monkeypatch.setattr(
        "napari_tsimcne.learning._arithmetic.fastest_precision",
        lambda *_: timed.append(1) or Precision(torch.device("cpu"), bfloat16=False),
    )
    recipe = small_recipe().model_copy(update={"precision": "auto"})
    finish(small_trainer(recipe))
    assert not timed
    monkeypatch.setattr("napari_tsimcne.learning._arithmetic.SHORT", 0)
    finish(small_trainer(recipe))
    assert timed == [1]


def prepared(events):
    return next(event for event in events if isinstance(event, Prepared))


@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_it_learns_the_same_and_resumes_bit_identical(monkeypatch):
    recipe = small_recipe(network=Network(groups=2, width=8), epochs=(2, 2))
    plain = finish(small_trainer(recipe))
    monkeypatch.setattr("napari_tsimcne.learning._arithmetic.SHORT", 0)
    monkeypatch.setattr("napari_tsimcne.learning._arithmetic.COMPILED_FROM", 0.0)
    monkeypatch.setattr("napari_tsimcne.learning._arithmetic.compiles_faster", lambda *_: True)
    saved = []
    events, *compiled = finish(small_trainer(recipe, save=saved.append, checkpoint_seconds=0))
    assert prepared(events).compiled and not prepared(plain[0]).compiled
    first = [next(e.loss for e in said if isinstance(e, EpochEnded)) for said in (events, plain[0])]
    assert first[0] == pytest.approx(first[1], abs=1e-3)
    resumed = finish(small_trainer(recipe, checkpoint=saved[2]))
    assert prepared(resumed[0]).compiled and np.array_equal(resumed[1], compiled[0])


def test_where_nothing_compiles_training_goes_on_without():
    class Breaks(torch.nn.Linear):
        def forward(self, values):
            raise AssertionError("compiled" if torch.compiler.is_compiling() else "run")

    precision = Precision(torch.device("cpu"), bfloat16=False)
    assert not compiles_faster(Breaks(2, 2), torch.zeros(4, 2), precision)


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_refused(tmp_path):
    saved = []
    list(small_trainer(save=saved.append).train())
    path = tmp_path / "checkpoint.safetensors"
    saved[0].save(path)
    with pytest.raises(TrainingError, match="another training"):
        Checkpoint.load(path, small_recipe(seed=5), 96)
    with pytest.raises(TrainingError, match="another training"):
        Checkpoint.load(path, small_recipe(), 95)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(TrainingError, match="damaged"):
        Checkpoint.load(path, small_recipe(), 96)


def test_stopped_in_the_first_stage_there_is_a_map_and_training_can_go_on():
    expected = finish(small_trainer())[1]
    saved = []
    trainer = small_trainer(save=saved.append)
    events, coordinates, _ = finish(trainer, StopsAfter(1))
    assert trainer.stopped and np.isfinite(coordinates).all() and coordinates.std() > 0.1
    assert {e.stage for e in events if isinstance(e, EpochEnded)} == {"map"}
    assert np.array_equal(finish(small_trainer(checkpoint=saved[-1]))[1], expected)


def test_pausing_holds_until_resumed_and_changes_nothing():
    expected = finish(small_trainer())[1]
    control = Control()
    trainer = small_trainer()
    said = []
    for event in trainer.train(control):
        said.append(event)
        if isinstance(event, Progress) and not any(isinstance(e, Paused) for e in said):
            control.pause()
        elif isinstance(event, Paused):
            assert not control._go.is_set()
            control.resume()
    assert sum(isinstance(e, Resumed) for e in said) == 1
    *_, (coordinates, _) = trainer.embed()
    assert np.array_equal(coordinates, expected)


def test_a_loss_that_is_not_finite_rolls_back_once():
    trainer = small_trainer()
    events = []
    for event in trainer.train():
        events.append(event)
        if isinstance(event, Progress) and sum(isinstance(e, Progress) for e in events) == 1:
            with torch.no_grad():
                trainer.model.head.readout.weight.fill_(torch.nan)
    (rollback,) = [e for e in events if isinstance(e, RolledBack)]
    assert "nan" in rollback.reason and rollback.rate_scale < 1
    *_, (coordinates, _) = trainer.embed()
    assert np.isfinite(coordinates).all()


def test_a_loss_that_is_never_finite_ends_with_a_sentence():
    trainer = small_trainer()
    with pytest.raises(TrainingError, match=r"nan in stage 'features', epoch 1, again"):
        for _ in trainer.train():
            with torch.no_grad():
                trainer.model.head.readout.weight.fill_(torch.nan)


def test_a_map_that_collapses_is_noticed():
    patches = np.full((96, 1, 16, 16), 100, np.uint8)
    recipe = small_recipe("paper", epochs=(3, 3, 3))
    off = {name: {"on": False} for name in type(recipe.augmentations).model_fields}
    recipe = type(recipe).model_validate({**recipe.model_dump(), "augmentations": off})
    with pytest.raises(TrainingError, match="collapsed: all patches came to lie in one place"):
        list(small_trainer(recipe, patches).train())


# --- what is told -------------------------------------------------------------------------------


def test_the_forming_map_is_told(monkeypatch):
    monkeypatch.setattr("napari_tsimcne.learning._report.MAP_SECONDS", 0.0)
    monkeypatch.setattr("napari_tsimcne.learning._report.MAP_SHARE", 1e9)
    monkeypatch.setattr("napari_tsimcne.learning._report.MAP_POINTS", 50)
    trainer = small_trainer(small_recipe(epochs=(1, 3)))
    events, coordinates, _ = finish(trainer)
    moved = [e for e in events if isinstance(e, MapMoved)]
    # Every other of the 92 that are trained on.
    assert len(moved) >= 3 and moved[0].coordinates.shape == (46, 2)
    assert np.allclose(moved[-1].coordinates, coordinates[moved[-1].rows], atol=1e-3)
    from napari_tsimcne.events import parse_event

    again = parse_event(moved[-1].model_dump_json())
    assert np.array_equal(again.coordinates, moved[-1].coordinates)
    assert np.array_equal(finish(small_trainer(small_recipe(epochs=(1, 3))))[1], coordinates)


def test_two_kinds_of_patches_separate_on_the_map():
    recipe = small_recipe(epochs=(8, 20), least_draws=1000)
    _, coordinates, features = finish(small_trainer(recipe))
    scores = evaluate(coordinates, features, pd.Series(KINDS, name="kind"))
    assert scores.knn_2d > 0.95 and scores.knn_features > 0.95


def test_preview_gives_the_patch_and_its_views():
    patches = discs_and_crosses()[:3]
    augmentations = small_recipe().augmentations
    shown = preview(patches, 8, EIGHT_BITS, False, augmentations, 16)
    assert shown.shape == (3, 9, 1, 16, 16) and shown.dtype == np.float32
    assert np.allclose(shown[:, 0], patches / 255, atol=1e-6)
    assert np.abs(shown[:, 1:] - shown[:, :1]).mean() > 0.01
    assert np.array_equal(shown, preview(patches, 8, EIGHT_BITS, False, augmentations, 16))


def test_familiarity_is_calibrated_on_held_out_patches():
    random = np.random.default_rng(0)
    features = random.normal(size=(3000, 16)).astype(np.float32) + 2
    held_out = np.arange(0, 3000, 10)
    score = Familiarity(features, held_out)
    like = score((random.normal(size=(2000, 16)) + 2).astype(np.float32))
    assert abs((like <= 0.1).mean() - 0.1) < 0.04
    unlike = score((random.normal(size=(200, 16)) - 2).astype(np.float32))
    assert unlike.max() < 0.01
    assert 0.3 < np.median(Familiarity(features, np.array([], int))(features[held_out])) <= 1


def test_an_absent_device_is_named():
    assert choose_device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(TrainingError, match="'cuda' is not available"):
            choose_device("cuda")


def test_center_crop_takes_the_margin_off():
    patches = torch.arange(2 * 36).float().view(2, 1, 6, 6)
    assert torch.equal(center_crop(patches, 2), patches[:, :, 2:4, 2:4])


# --- real images --------------------------------------------------------------------------------


def test_blood_cells_separate_within_a_minute(real_data, tmp_path):
    """Three kinds of blood cells, 750 patches: kNN on the map far above the chance of 1/3."""
    from napari_tsimcne.images import open_file
    from napari_tsimcne.training import train

    images = []
    for kind in ("erythroblast", "neutrophil", "platelet"):
        (image,) = open_file(real_data / "pbc" / f"{kind}.png")
        mosaic = image.read(0, 0, slice(0, 280), slice(0, 700))
        images.append(ImageSource.from_array(mosaic.transpose(1, 2, 0), "YXS", name=kind))
    recipe = Recipe.quick(Grid(size=28), margin=0, rgb=True, epochs=(2, 15), batch_size=128)
    run = Run.create(tmp_path / "run", images, recipe)
    assert len(run.table) == 3 * 250
    train(run, device="cpu")
    scores = evaluate(run.coordinates, run.features, run.table["image"])
    assert scores.knn_2d > 0.75
