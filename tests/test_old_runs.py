"""Runs of formats 1 and 2, as the versions wrote them that had these formats."""

import json

import numpy as np
import pandas as pd
import pytest

from napari_tsimcne import Grid, Recipe, Run
from napari_tsimcne.recipe import VIEWS
from napari_tsimcne.runs import extended, open_exploration, save_exploration, seed_run
from napari_tsimcne.runs._run_info import FORMAT

FLUORESCENCE, NATURAL = VIEWS["fluorescence"], VIEWS["natural"]

INFO = {
    "software": "0.1.0", "created": "2026-11-25T17:34:40.575435Z", "state": "trained",
    "rgb": False, "skipped": [["b.tif", "it is no image"]],
    "channels": [{"name": "channel 0", "low": 0.0, "high": 998.0},
                 {"name": "channel 1", "low": 0.0, "high": 997.0}],
    "images": [{
        "name": "a.tif", "axes": "CYX", "shape": [2, 64, 80], "dtype": "uint16",
        "channel_names": ["channel 0", "channel 1"], "pixel_size": [1.0, 1.0], "unit": "pixel",
        "path": "/data/a.tif", "series": 0, "fingerprint": "68c499e43a090f328e3d9bc096ec4971",
    }],
}  # fmt: skip

COMMON = {
    "patches": {"kind": "grid", "size": 8, "stride": 8}, "margin": 2, "precision": "auto",
    "seed": 3,
}  # fmt: skip


def optimizer(method, rate, decay):
    return {"method": method, "learning_rate": rate, "momentum": 0.9, "weight_decay": decay}


QUICK_1 = {
    **COMMON, "preset": "quick",
    "normalization": {"method": "percentile", "percentiles": [0.1, 99.9]},
    "augmentations": {
        "crop_area": [0.6, 1.0], "crop_aspect": [1.0, 1.0], "scale": [1.0, 1.0],
        "rotation": 180.0, "flip_horizontal": 0.5, "flip_vertical": 0.5,
        "gain": [0.8, 1.25], "offset": [-0.05, 0.05], "gamma": [0.8, 1.25],
        "intensity_probability": 0.8, "brightness": 0.0, "contrast": 0.0, "saturation": 0.0,
        "hue": 0.0, "color_jitter_probability": 0.0, "grayscale_probability": 0.0,
    },
    "network": {"width": 16, "hidden": 1024},
    "stages": [
        {"name": "features", "epochs": 20, "output_dim": 128, "trains": "all",
         "optimizer": optimizer("adamw", 0.003, 0.01), "warmup_epochs": 1.0,
         "schedule": "step", "batch_size": 16, "cached_views": 0},
        {"name": "readout", "epochs": 30, "output_dim": 2, "trains": "readout",
         "optimizer": optimizer("adamw", 0.01, 0.0), "warmup_epochs": 0.0,
         "schedule": "step", "batch_size": 1024, "cached_views": 8},
        {"name": "fine-tuning", "epochs": 1, "output_dim": 2, "trains": "all",
         "optimizer": optimizer("adamw", 0.0001, 0.01), "warmup_epochs": 0.0,
         "schedule": "step", "batch_size": 16, "cached_views": 0},
    ],
}  # fmt: skip

PAPER_1 = {
    **QUICK_1, "preset": "paper", "precision": "float32",
    "normalization": {"method": "dtype", "percentiles": [0.1, 99.9]},
    "augmentations": {
        "crop_area": [0.2, 1.0], "crop_aspect": [0.75, 4 / 3], "scale": [1.0, 1.0],
        "rotation": 0.0, "flip_horizontal": 0.5, "flip_vertical": 0.0,
        "gain": [1.0, 1.0], "offset": [0.0, 0.0], "gamma": [1.0, 1.0],
        "intensity_probability": 0.0, "brightness": 0.4, "contrast": 0.4, "saturation": 0.4,
        "hue": 0.1, "color_jitter_probability": 0.8, "grayscale_probability": 0.2,
    },
    "network": {"width": 64, "hidden": 1024},
}  # fmt: skip


def stage_2(name, epochs, **changes):
    return {
        "name": name, "epochs": epochs, "output_dim": 128, "trains": "all", "loss": "cauchy",
        "temperature": 0.5, "annealing": "none", "start_dim": 0, "cached_views": 0,
        "neighbors": 0, "optimizer": optimizer("adamw", 0.0015, 0.01), "warmup_epochs": 1.0,
        "schedule": "step", "batch_size": 16, **changes,
    }  # fmt: skip


QUICK_2 = {
    **COMMON, "preset": "quick", "held_out": 0.05,
    "normalization": {"method": "image", "percentiles": [0.1, 99.9]},
    "augmentations": FLUORESCENCE.model_dump(mode="json"),
    "network": {"backbone": "resnet18", "stem": "small", "groups": 3, "width": 32,
                "hidden": 1024, "pretrained": "", "frozen_backbone": False},
    "stages": [
        stage_2("features", 20),
        stage_2("map", 40, output_dim=2, trains="head", cached_views=2, neighbors=15),
    ],
}  # fmt: skip

LATER_QUICK_2 = {
    **QUICK_2, "orientations": 8,
    "stages": [
        stage_2("features", 20, head_layers=0, whitening=0.0, least_draws=1024),
        stage_2("map", 100, output_dim=2, trains="head", neighbors=15, head_layers=2,
                whitening=0.75, least_draws=4096),
    ],
}  # fmt: skip

RECIPES = {
    "1 quick": (1, QUICK_1), "1 paper": (1, PAPER_1), "2 quick": (2, QUICK_2),
    "2 later": (2, LATER_QUICK_2),
}  # fmt: skip


def write_old_run(folder, number, recipe):
    folder.mkdir()
    random = np.random.default_rng(0)
    count = 80
    info = {"format": number, **INFO}
    if number == 2:
        ranges = INFO["channels"] if recipe["normalization"]["method"] == "image" else None
        info["image_channels"] = {"a.tif": ranges} if ranges else {}
    (folder / "run.json").write_text(json.dumps(info, indent=2))
    (folder / "recipe.json").write_text(json.dumps(recipe, indent=2))
    y, x = np.indices((8, 10)).reshape(2, -1)
    table = pd.DataFrame({
        "patch": np.arange(count), "image": "a.tif", "t": 0, "z": 0, "y": y * 8 + 3.5,
        "x": x * 8 + 3.5, "size": 8, "label": pd.array([pd.NA] * count, "Int64"),
    })  # fmt: skip
    table.to_parquet(folder / "patches.parquet", engine="pyarrow", index=False)
    np.save(folder / "patches.npy", random.integers(0, 998, (count, 2, 12, 12), dtype=np.uint16))
    places = pd.DataFrame(random.normal(size=(count, 2)).astype("f4"), columns=["map_x", "map_y"])
    places.insert(0, "patch", np.arange(count))
    places.to_parquet(folder / "embedding.parquet", engine="pyarrow", index=False)
    np.save(folder / "features.npy", random.normal(size=(count, 8)).astype("f4"))
    return folder


@pytest.fixture(params=RECIPES)
def old(request, tmp_path):
    return write_old_run(tmp_path / "run", *RECIPES[request.param])


def test_old_runs_are_opened_and_stay_as_they_are(old):
    before = {path.name: path.read_bytes() for path in old.iterdir()}
    run = Run.open(old)
    assert run.info.format == FORMAT and run.info.software == "0.1.0"
    assert run.info.skipped == (("b.tif", "it is no image"),)
    assert run.recipe.patches == Grid(size=8, stride=8, pixels=8) and run.recipe.margin == 2
    assert run.coordinates.shape == (80, 2) and run.features.shape == (80, 8)
    assert len(open_exploration(extended(run))) == 80
    low, high, group = run.value_ranges()
    assert low.shape == high.shape == (1, 2)
    assert (group is not None) == (run.recipe.normalization.method == "image")
    assert {path.name: path.read_bytes() for path in old.iterdir()} == before


def test_old_runs_are_worked_on(old):
    run = Run.open(old)
    explored = open_exploration(run)
    explored.clusters.create(np.arange(80) < 9, "first")
    save_exploration(run, explored)
    assert seed_run(run, 1).recipe.stages == run.recipe.stages
    run.save_map(run.coordinates, np.array(run.features), stopped=False,
                 write_weights=lambda path: path.write_bytes(b""))  # fmt: skip
    again = Run.open(old)
    assert again.recipe == run.recipe and again.info == run.info
    assert json.loads((old / "run.json").read_text())["format"] == FORMAT
    assert len(open_exploration(again).clusters) == 1


def test_a_recipe_that_was_written_before_its_run_was_is_read(old):
    run = Run.open(old)
    # As when the computer breaks down between the two.
    (old / "recipe.json").write_text(run.recipe.model_dump_json())
    assert Run.open(old).recipe == run.recipe


def opened(tmp_path, name):
    return Run.open(write_old_run(tmp_path / "run", *RECIPES[name])).recipe


def test_what_format_1_varied_and_learnt_with(tmp_path):
    recipe = opened(tmp_path, "1 quick")
    views = recipe.augmentations
    on = {name for name in type(views).model_fields if getattr(views, name).on}
    assert on == {"crop", "rotation", "flips", "intensity"}
    assert views.crop == FLUORESCENCE.crop and views.intensity == FLUORESCENCE.intensity
    assert views.margin(8) == 2 == recipe.margin
    assert (recipe.network.backbone, recipe.network.groups, recipe.network.width) == (
        "resnet18", 4, 16
    )  # fmt: skip
    assert recipe.orientations == 1 and recipe.held_out == 0
    assert [stage.cached_views for stage in recipe.stages] == [0, 8, 0]
    assert {stage.loss for stage in recipe.stages} == {"cauchy"}


def test_the_published_recipe_of_format_1_is_todays(tmp_path):
    recipe = opened(tmp_path, "1 paper")
    assert recipe.normalization.method == "none"
    today = Recipe.paper(Grid(size=8))
    assert recipe.network == today.network
    for name in type(NATURAL).model_fields:
        found, expected = (getattr(views, name) for views in (recipe.augmentations, NATURAL))
        assert found.on == expected.on and (not found.on or found == expected), name


def test_pairs_of_format_2_are_of_neighbours(tmp_path):
    recipe = opened(tmp_path, "2 quick")
    assert [(s.cached_views, s.neighbors) for s in recipe.stages] == [(0, 0), (0, 15)]
    assert recipe.orientations == 1 and recipe.held_out == 0.05


def test_newer_and_unknown_formats_are_refused(old):
    from napari_tsimcne import InputError

    info = json.loads((old / "run.json").read_text())
    (old / "run.json").write_text(json.dumps({**info, "format": FORMAT + 1, "software": "9.9"}))
    with pytest.raises(InputError, match=r"newer version \(9\.9\): update"):
        Run.open(old)
    del info["format"]
    (old / "run.json").write_text(json.dumps(info))
    with pytest.raises(InputError, match="does not say its format"):
        Run.open(old)
