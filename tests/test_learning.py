import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from napari_tsimcne import Grid, ImageSource, Recipe, Run
from napari_tsimcne.errors import TrainingError
from napari_tsimcne.events import EpochEnded, Progress
from napari_tsimcne.explore import evaluate
from napari_tsimcne.learning import (
    Trainer,
    TSimCNE,
    cauchy_info_nce,
    center_crop,
    choose_device,
    cosine_info_nce,
    count_parameters,
    load_weights,
    rate_factor,
    save_weights,
)
from napari_tsimcne.recipe import Network, Optimizer, Stage

# --- loss ---------------------------------------------------------------------------------------


def golden_views(factor=1.0):
    i = torch.arange(8, dtype=torch.float64)
    a = torch.stack([torch.sin(i), torch.cos(2 * i)], dim=1)
    return a * factor, (a + torch.tensor([0.1, -0.1], dtype=torch.float64)) * factor


@pytest.mark.parametrize(
    ("loss", "factor", "expected"),
    [
        (cauchy_info_nce, 1, 1.9361346126),
        (cosine_info_nce, 1, 1.5188460552),
        (cauchy_info_nce, 10, 0.7044749005),
        (cosine_info_nce, 10, 1.5188460552),
    ],
)
@pytest.mark.parametrize("dimensions", [2, 128])
def test_losses_reproduce_the_golden_values(loss, factor, expected, dimensions):
    a, c = (F.pad(view, (0, dimensions - 2)) for view in golden_views(factor))
    # Values are given to ten decimals.
    assert float(loss(a, c)) == pytest.approx(expected, abs=1e-9)


def test_cauchy_is_the_formula_of_the_paper():
    a, c = (torch.randn(9, 5, dtype=torch.float64, generator=torch.manual_seed(1)) for _ in "ac")

    def s(x, y):
        return 1 / (1 + float(((x - y) ** 2).sum()))

    b, expected = len(a), 0.0
    for i in range(b):
        expected -= math.log(s(a[i], c[i])) / b
        from_c = sum(s(c[i], a[j]) for j in range(b)) + sum(
            s(c[i], c[j]) for j in range(b) if j != i
        )
        from_a = sum(s(a[i], c[j]) for j in range(b)) + sum(
            s(a[i], a[j]) for j in range(b) if j != i
        )
        expected += (math.log(from_c) + math.log(from_a)) / (2 * b)
    assert float(cauchy_info_nce(a, c)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("dimensions", [2, 128])
def test_the_gradient_of_the_loss_is_right(dimensions):
    views = torch.randn(2, 5, dimensions, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: cauchy_info_nce(v[0], v[1]), views)


def test_a_batch_of_one_has_loss_zero():
    a, c = golden_views()
    assert float(cauchy_info_nce(a[:1], c[:1])) == pytest.approx(0, abs=1e-15)


def test_far_apart_points_neither_overflow_nor_vanish():
    a, c = (view.float() * 1e6 for view in golden_views())
    assert torch.isfinite(cauchy_info_nce(a, c))


# --- network and schedule -----------------------------------------------------------------------


def test_the_network_is_the_published_one():
    model = TSimCNE(3, Network(), 128)
    assert count_parameters(model.backbone) == 11_168_832
    assert model.hidden[0].in_features == 512 and model.hidden[0].out_features == 1024
    views = torch.zeros(2, 3, 32, 32)
    assert model.backbone(views).shape == (2, 512) and model(views).shape == (2, 128)


def test_any_channels_and_a_narrow_network():
    model = TSimCNE(5, Network(width=16), 2).eval()
    assert model.backbone(torch.zeros(1, 5, 17, 17)).shape == (1, 128)


def test_the_frozen_readout_stage_changes_the_readout_only():
    model = TSimCNE(1, Network(width=8, hidden=16), 128)
    torch.manual_seed(0)
    model.replace_readout(2)
    assert 0.5 < float(model.readout.weight.detach().std()) < 1.5
    model.train_only_readout(True)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained == {"readout.weight", "readout.bias"}
    model.train_only_readout(False)
    assert all(weight.requires_grad for weight in model.parameters())


def test_published_schedule_steps_by_epoch_from_zero():
    stage = Recipe.paper().stages[0]
    factors = [rate_factor(stage, epoch, 3, 7) for epoch in range(1000)]
    assert factors[0] == 0 and factors[5] == 0.5 and factors[10] == 1
    assert factors[505] == pytest.approx(0.5) and factors[999] < 1e-5
    assert rate_factor(Recipe.paper().stages[1], 0, 0, 7) == 1


def test_schedule_by_step_wastes_no_epoch():
    sgd = Optimizer(learning_rate=1)
    stage = Stage(name="a", epochs=4, output_dim=2, optimizer=sgd, warmup_epochs=1, batch_size=8)
    factors = [rate_factor(stage, e, s, 5) for e in range(4) for s in range(5)]
    assert min(factors) > 0 and max(factors) == pytest.approx(1)
    assert np.argmax(factors) in (4, 5) and factors[-1] < 0.05


# --- trainer ------------------------------------------------------------------------------------


def small_problem(seed=0, stages=None, **options):
    """Bright discs and dark crosses, 96 patches of 16 px."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[-7.5:8, -7.5:8]
    kinds = np.arange(96) % 2
    shapes = np.stack([np.hypot(y, x) < 5, np.minimum(abs(y), abs(x)) < 2])
    patches = (shapes[kinds] * 150 + random.integers(0, 60, (96, 16, 16))).astype(np.uint8)
    options = {"epochs": (2, 3, 1), "batch_size": 32, **options}
    recipe = Recipe.quick(Grid(size=16), margin=0, seed=seed, **options)
    recipe = recipe.model_copy(update={"precision": "float32"})
    return Trainer(patches[:, None], [(0, 255)], False, recipe, "cpu"), kinds


def finish(trainer, should_stop=lambda: False):
    events = list(trainer.train(should_stop))
    *_, (coordinates, features) = trainer.embed()
    return events, coordinates, features


def test_training_ends_with_a_map_and_tells_of_every_epoch():
    trainer, _ = small_problem()
    events, coordinates, features = finish(trainer)
    assert coordinates.shape == (96, 2) and features.shape == (96, 128)
    assert not trainer.stopped
    epochs = [(e.stage, e.epoch) for e in events if isinstance(e, EpochEnded)]
    assert epochs == [("features", 1), ("features", 2), ("readout", 1), ("readout", 2),
                      ("readout", 3), ("fine-tuning", 1)]  # fmt: skip
    fractions = [e.fraction for e in events if isinstance(e, Progress)]
    assert fractions == sorted(fractions)


def test_the_seed_decides_the_result():
    results = [finish(small_problem(seed)[0])[1] for seed in (1, 1, 2)]
    assert np.array_equal(results[0], results[1])
    assert not np.allclose(results[0], results[2])


def test_the_paper_recipe_trains_all_stages_with_a_frozen_backbone_in_the_second():
    patches = np.random.default_rng(0).integers(0, 255, (24, 3, 16, 16), dtype=np.uint8)
    recipe = Recipe.paper(Grid(size=16), epochs=(1, 1, 1), batch_size=8)
    trainer = Trainer(patches, [(0, 255)] * 3, True, recipe, "cpu")
    before, seen = None, []
    for event in trainer.train():
        if isinstance(event, EpochEnded):
            weights = {n: w.detach().clone() for n, w in trainer.model.named_parameters()}
            if event.stage == "readout":
                changed = {n for n in weights if n in before and n.split(".")[0] != "readout"
                           and not torch.equal(weights[n], before[n])}  # fmt: skip
                assert not changed
            before = weights
            seen.append(event.stage)
    assert seen == ["features", "readout", "fine-tuning"]
    assert trainer.model.output_dim == 2


def test_stopped_in_the_first_stage_there_is_still_a_map():
    trainer, _ = small_problem()
    steps = iter(range(100))
    events, coordinates, _ = finish(trainer, lambda: next(steps, 100) >= 1)
    assert trainer.stopped and np.isfinite(coordinates).all()
    assert {e.stage for e in events if isinstance(e, EpochEnded)} == {"readout"}


def test_a_loss_that_is_not_finite_ends_with_a_sentence():
    trainer, _ = small_problem()
    with torch.no_grad():
        trainer.model.readout.weight.fill_(torch.nan)
    with pytest.raises(TrainingError, match="loss became nan in stage 'features', epoch 1"):
        list(trainer.train())


def test_two_kinds_of_patches_separate_on_the_map():
    trainer, kinds = small_problem(epochs=(8, 10, 0))
    _, coordinates, features = finish(trainer)
    import pandas as pd

    scores = evaluate(coordinates, features, pd.Series(kinds, name="kind"))
    assert scores.knn_2d > 0.95 and scores.knn_features > 0.95


def test_an_absent_device_is_named():
    assert choose_device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(TrainingError, match="'cuda' is not available"):
            choose_device("cuda")


def test_center_crop_takes_the_margin_off():
    patches = torch.arange(2 * 36).float().view(2, 1, 6, 6)
    assert torch.equal(center_crop(patches, 2), patches[:, :, 2:4, 2:4])


# --- weights ------------------------------------------------------------------------------------


def test_weights_come_back_and_damaged_files_are_refused(tmp_path):
    recipe = Recipe.quick()
    model = TSimCNE(2, recipe.network, 2).eval()
    save_weights(model, recipe, tmp_path / "w.safetensors")
    loaded, recipe_again = load_weights(tmp_path / "w.safetensors")
    views = torch.rand(3, 2, 16, 16)
    assert recipe_again == recipe and torch.equal(loaded.eval()(views), model(views))
    damaged = (tmp_path / "w.safetensors").read_bytes()[:-100]
    (tmp_path / "w.safetensors").write_bytes(damaged)
    with pytest.raises(TrainingError, match="no weights"):
        load_weights(tmp_path / "w.safetensors")


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
    recipe = Recipe.quick(Grid(size=28), margin=0, rgb=True, epochs=(10, 10, 0), batch_size=128)
    run = Run.create(tmp_path / "run", images, recipe)
    assert len(run.table) == 3 * 250
    train(run, device="cpu")
    scores = evaluate(run.coordinates, run.features, run.table["image"])
    assert scores.knn_2d > 0.75
