import pytest
from pydantic import ValidationError

from napari_tsimcne import Grid, Recipe
from napari_tsimcne.recipe import (
    PRESETS,
    Augmentations,
    Background,
    Network,
    Objects,
    Optimizer,
    Points,
    Stage,
    changes,
    map_stage,
    preset_text,
)
from napari_tsimcne.recipe._augmentations import Crop, Flips, Intensity, Rotation, Scale


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
    assert not any(s.cached or s.whitening or s.head_layers for s in recipe.stages)
    assert recipe.orientations == 1 and recipe.precision == "float32"
    a = recipe.augmentations
    assert (a.crop.area, a.crop.aspect) == ((0.2, 1.0), (0.75, 4 / 3))
    assert (a.flips.horizontal, a.flips.vertical) == (0.5, 0)
    jitter = a.color_jitter
    assert (jitter.brightness, jitter.contrast, jitter.saturation) == (0.4, 0.4, 0.4)
    assert (jitter.hue, jitter.probability, a.grayscale.probability) == (0.1, 0.8, 0.2)
    switched_on = {name for name in type(a).model_fields if getattr(a, name).on}
    assert switched_on == {"crop", "flips", "color_jitter", "grayscale"}
    assert recipe.network == Network() and recipe.margin == 0 and recipe.held_out == 0


def test_the_strategies_of_the_paper_are_each_a_recipe():
    def strategy(name):
        return [(s.epochs, s.output_dim, s.loss) for s in PRESETS[name]().stages]

    assert strategy("paper-2d") == [(1000, 2, "cauchy")]
    assert strategy("paper-2d-long") == [(5000, 2, "cauchy")]
    assert strategy("paper-cosine") == [
        (1000, 128, "cosine"),
        (50, 2, "cauchy"),
        (450, 2, "cauchy"),
    ]
    (annealed,) = PRESETS["paper-annealing"]().stages
    assert (annealed.start_dim, annealed.output_dim, annealed.annealing) == (128, 2, "cosine")


def test_recipes_survive_json():
    for recipe in (Recipe.paper(), Recipe.quick(Grid(size=28, stride=7), rgb=True, seed=3)):
        assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_fewer_epochs_shrink_the_warm_up():
    recipe = Recipe.paper(epochs=(100, 5, 45))
    assert [s.warmup_epochs for s in recipe.stages] == [1, 0, 1]


def test_stride_is_the_size_unless_given():
    assert Grid(size=28).step == 28 and Grid(size=28, stride=7).step == 7


def test_the_margin_holds_any_turned_view():
    assert Augmentations().margin(28) == 0
    assert Augmentations(rotation=Rotation()).margin(28) == 6  # 28 (sqrt 2 - 1) / 2 = 5.8
    assert Augmentations(scale=Scale(factor=(0.8, 1.25))).margin(32) == 4
    assert Recipe.quick(Grid(size=28)).margin == 6
    assert Recipe.quick(Grid(size=28), margin=0).margin == 0


@pytest.mark.parametrize(
    "broken",
    [
        lambda: Grid(size=4),
        lambda: Crop(area=(0.5, 1.2)),
        lambda: Crop(area=(0.9, 0.5)),
        lambda: Intensity(gamma=(0.0, 1.0)),
        lambda: Flips(vertical=2),
        lambda: Augmentations(unknown=1),
        lambda: Recipe.quick(epochs=(0, 0)),
        lambda: Recipe.quick(epochs=(5, 0)),
        lambda: Recipe.quick(epochs=(5, 5, 5)),
        lambda: Recipe.quick(views="x-rays"),
        lambda: Network(frozen_backbone=True),
        lambda: Network(width=16, pretrained="imagenet"),
        lambda: Recipe.quick(batch_size=1),
        lambda: Stage(name="a", epochs=1, output_dim=2, optimizer=Optimizer(learning_rate=1),
                      batch_size=8, cached_views=4),
        lambda: map_stage(2).model_validate({**map_stage(2).model_dump(), "cached_views": 4}),
        lambda: map_stage(2).model_validate({**map_stage(2).model_dump(), "trains": "readout"}),
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(broken):
    with pytest.raises(ValueError):
        broken()


def test_an_offset_is_a_place_and_no_range():
    assert Grid(size=16, offset=(10, 4)).offset == (10, 4)
    with pytest.raises(ValidationError):
        Grid(size=16, offset=(-1, 0))


# --- what was changed of a preset ---------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_as_it_was_made_is_not_changed(preset):
    for rgb in (False, True):
        for patches in (Grid(size=64), Objects(), Points(size=20, unit="µm")):
            recipe = PRESETS[preset](patches, rgb=rgb, background=Background(method="otsu"))
            assert changes(recipe) == () and preset_text(recipe) == preset


def test_what_was_changed_of_a_preset_is_named_with_both_values():
    recipe = PRESETS["quick"](epochs=[3, 100], batch_size=64, seed=7)
    assert preset_text(recipe) == "quick, changed: epochs, batch size, seed"
    assert changes(recipe)[0] == ("epochs", "3, 100", "20, 100")
    assert str(changes(recipe)[1]) == "batch size 64 (preset: 256)"
    published = PRESETS["paper"](views="fluorescence", map_dimensions=3, normalization="image")
    names = [change.what for change in changes(published)]
    assert names == ["dimensions of the map", "normalisation", "augmentations"]
    other = PRESETS["quick"](network=Network(), held_out=0.2)
    assert [change.what for change in changes(other)] == ["network", "held-out patches"]
    stages = (*other.stages[:-1], other.stages[-1].model_copy(update={"neighbors": 30}))
    assert "settings of stages" in preset_text(other.model_copy(update={"stages": stages}))
    assert changes(recipe.model_copy(update={"preset": "custom"})) == ()
