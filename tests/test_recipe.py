import pytest
from pydantic import ValidationError

from napari_tsimcne import Grid, Recipe
from napari_tsimcne.recipe import Augmentations, Optimizer, Stage


def test_paper_is_the_published_recipe():
    recipe = Recipe.paper()
    first, readout, third = recipe.stages
    assert [s.epochs for s in recipe.stages] == [1000, 50, 450]
    assert [s.output_dim for s in recipe.stages] == [128, 2, 2]
    assert [s.warmup_epochs for s in recipe.stages] == [10, 0, 10]
    assert [s.trains for s in recipe.stages] == ["all", "readout", "all"]
    assert all(s.batch_size == 1024 and s.schedule == "epoch" for s in recipe.stages)
    assert first.optimizer.rate(1024) == readout.optimizer.rate(1024) == pytest.approx(0.12)
    assert third.optimizer.rate(1024) == pytest.approx(0.12 / 1000)
    assert first.optimizer.momentum == 0.9 and first.optimizer.weight_decay == 5e-4
    assert not any(s.cached_views for s in recipe.stages)
    a = recipe.augmentations
    assert (a.crop_area, a.flip_horizontal, a.rotation) == ((0.2, 1.0), 0.5, 0)
    assert (a.brightness, a.contrast, a.saturation, a.hue) == (0.4, 0.4, 0.4, 0.1)
    assert (a.color_jitter_probability, a.grayscale_probability) == (0.8, 0.2)
    assert recipe.network.width == 64 and recipe.margin == 0


def test_recipes_survive_json():
    for recipe in (Recipe.paper(), Recipe.quick(Grid(size=28, stride=7), rgb=True, seed=3)):
        assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_fewer_epochs_shrink_the_warm_up():
    recipe = Recipe.paper(epochs=(100, 5, 45))
    assert [s.warmup_epochs for s in recipe.stages] == [1, 0, 1]


def test_stride_is_the_size_unless_given():
    assert Grid(size=28).stride == 28 and Grid(size=28, stride=7).stride == 7


def test_the_margin_holds_any_turned_view():
    assert Augmentations().margin(28) == 0
    assert Augmentations(rotation=180).margin(28) == 6  # 28 (sqrt 2 - 1) / 2 = 5.8
    assert Augmentations(scale=(0.8, 1.25)).margin(32) == 4
    assert Recipe.quick(Grid(size=28)).margin == 6
    assert Recipe.quick(Grid(size=28), margin=0).margin == 0


@pytest.mark.parametrize(
    "broken",
    [
        lambda: Grid(size=4),
        lambda: Augmentations(crop_area=(0.5, 1.2)),
        lambda: Augmentations(crop_area=(0.9, 0.5)),
        lambda: Augmentations(gamma=(0.0, 1.0)),
        lambda: Augmentations(flip_vertical=2),
        lambda: Augmentations(unknown=1),
        lambda: Recipe.quick(epochs=(0, 0, 0)),
        lambda: Recipe.quick(epochs=(5, 0, 0)),
        lambda: Recipe.quick(batch_size=1),
        lambda: Stage(name="a", epochs=1, output_dim=2, optimizer=Optimizer(learning_rate=1),
                      batch_size=8, cached_views=4),
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(broken):
    with pytest.raises(ValidationError):
        broken()
