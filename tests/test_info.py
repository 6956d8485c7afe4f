"""What a run folder holds, printed; whole, damaged, old, and on its way."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
import typer
from making import make_tiny_run, mapped
from test_additions import add, field_image
from test_old_runs import RECIPES, write_old_run

from napari_tsimcne import Grid, InputError, Objects, Recipe, Run, open_images
from napari_tsimcne.events import Progress
from napari_tsimcne.images import pair_labels
from napari_tsimcne.runs import (
    compare_seeds,
    extended,
    open_exploration,
    save_exploration,
    seed_run,
)
from napari_tsimcne.terminal._info import print_info, run_facts


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    run = make_tiny_run(tmp_path_factory.mktemp("whole") / "run")
    random = np.random.default_rng(0)
    run.save_map(random.normal(size=(81, 2)), random.normal(size=(81, 8)), stopped=False,
                 write_weights=lambda path: path.write_bytes(b"w"),
                 versions={"torch": "2.9.1"})  # fmt: skip
    add(run, [field_image("more")], "more")
    mapped(seed_run(run, 7), seed=1)
    compare_seeds(run)
    both = extended(run)
    explored = open_exploration(both)
    explored.clusters.create(np.arange(97) < 20, "first [bold]\x1b[31m")
    explored.selection.select(np.arange(97) > 60)
    save_exploration(both, explored)
    return run.folder


def test_what_a_run_holds(whole):
    facts = run_facts(whole)
    run = Run.open(whole)
    assert facts["damaged"] == [] and facts["state"] == "trained" and facts["format"] == 3
    assert facts["versions"] == {"torch": "2.9.1"}
    assert facts["patches"] == {
        "count": 81, "side": 32, "margin": run.recipe.margin, "dtype": "uint16"
    }  # fmt: skip
    assert [one["name"] for one in facts["channels"]] == [c.name for c in run.info.channels]
    assert facts["images"] == [{"name": "field", "state": "layer", "path": None}]
    assert facts["map"]["dimensions"] == 2 and facts["map"]["features"] == 8
    assert facts["map"]["extent"] == pytest.approx(np.ptp(run.coordinates, axis=0).tolist())
    assert facts["clusters"] == [{"name": "first [bold]\x1b[31m", "patches": 20, "made": "by hand"}]
    assert facts["selected"] == 36
    assert facts["additions"] == [{"name": "001-more", "images": 1, "patches": 16}]
    assert facts["seeds"] == [{"seed": 7, "state": "trained"}]
    assert 0 <= facts["stability"] <= 1
    total = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file())
    assert sum(facts["bytes"].values()) == total
    assert facts["bytes"]["patches.npy"] == (whole / "patches.npy").stat().st_size


def test_for_people_and_for_programs(whole, capsys):
    print_info(whole, as_json=True)
    assert json.loads(capsys.readouterr().out) == run_facts(whole)
    print_info(whole, as_json=False)
    text = capsys.readouterr().out
    for part in ("trained", "81 of 32 px", "first [bold]", "001-more", "7 (trained)",
                 "preset quick", "features: 1 epoch ", "batches of 32", "torch 2.9.1",
                 "36 patches"):  # fmt: skip
        assert part in text, part
    assert "\x1b" not in text and "damaged" not in text


def test_damaged_parts_are_told_and_the_rest_is_shown(whole, tmp_path, capsys):
    for name, there, gone in (
        ("exploration.parquet", "map", "clusters"),
        ("embedding.parquet", "patches", "map"),
        ("features.npy", "patches", "map"),
        ("patches.npy", "channels", "patches"),
        ("recipe.json", "channels", "recipe"),
        ("run.json", "bytes", "recipe"),
        ("seeds/7/run.json", "clusters", "seeds"),
    ):
        folder = shutil.copytree(whole, tmp_path / name.replace("/", "-"))
        (folder / name).write_bytes(b"damage")
        facts = run_facts(folder)
        assert there in facts and gone not in facts, name
        assert any(name in sentence for sentence in facts["damaged"]), name
        for as_json in (False, True):
            with pytest.raises(typer.Exit) as end:
                print_info(folder, as_json=as_json)
            assert end.value.exit_code == 1 and "damaged" in capsys.readouterr().out
    folder = shutil.copytree(whole, tmp_path / "added")
    (folder / "added/001-more/patches.npy").write_bytes(b"damage")
    (refused,) = run_facts(folder)["refused_additions"]
    assert refused["name"] == "001-more" and "patches.npy" in refused["reason"]


def test_images_found_moved_and_missing(tmp_path):
    random = np.random.default_rng(0)
    for name in "abc":
        pixels = random.integers(0, 99, (64, 64), np.uint8)
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels)
    images, _ = open_images(*(tmp_path / f"{name}.tif" for name in "abc"))
    run = Run.create(tmp_path / "run", images, Recipe.quick(Grid(size=8), batch_size=8))
    (run.folder / "b.tif").write_bytes((tmp_path / "b.tif").read_bytes())
    (tmp_path / "b.tif").unlink()
    (tmp_path / "c.tif").unlink()
    facts = run_facts(run.folder)
    assert [one["state"] for one in facts["images"]] == ["found", "moved", "missing"]
    assert facts["images"][1]["path"] == str(run.folder / "b.tif")
    assert facts["state"] == "cut" and "map" not in facts


def test_label_images_are_counted_as_images_are(tmp_path, capsys):
    objects = np.zeros((64, 64), np.uint16)
    objects[16:40, 16:40] = 1
    noise = np.random.default_rng(0).integers(0, 99, (64, 64), np.uint16)
    for folder, pixels in (("images", noise), ("labels", objects)):
        (tmp_path / folder).mkdir()
        for name in ("a.tif", "b.tif"):
            tifffile.imwrite(tmp_path / folder / name, pixels)
    images, labels = (open_images(tmp_path / name)[0] for name in ("images", "labels"))
    recipe = Recipe.quick(Objects(size=16), batch_size=2)
    run = Run.create(tmp_path / "run", images, recipe, labels=pair_labels(images, labels))
    (tmp_path / "labels" / "b.tif").unlink()
    facts = run_facts(run.folder)
    # An image is there, though its label image of the same name is not.
    assert [one["state"] for one in facts["images"]] == ["found", "found"]
    assert [one["state"] for one in facts["label_images"]] == ["found", "missing"]
    print_info(run.folder, as_json=False)
    told = " ".join(capsys.readouterr().out.split())
    assert "label images 2: 1 found, 1 missing missing: b.tif" in told


def test_a_training_that_was_cut_off_and_how_far_it_was(tiny_run, capsys):
    assert "training" not in run_facts(tiny_run.folder)
    tiny_run.checkpoint_path.write_bytes(b"")
    assert run_facts(tiny_run.folder)["training"] == {"running": False}
    event = Progress(stage="features", stage_number=1, stages=2, epoch=3, epochs=20, step=1,
                     steps=5, loss=1.0, images_per_second=9.0, fraction=0.25,
                     seconds_left=None)  # fmt: skip
    (tiny_run.folder / "events.jsonl").write_text(event.model_dump_json() + "\n")
    assert run_facts(tiny_run.folder)["training"] == {
        "running": False, "stage": "features", "epoch": 3, "epochs": 20, "fraction": 0.25
    }  # fmt: skip
    print_info(tiny_run.folder, as_json=False)
    assert "a training can go on: 25% done, features 3/20" in " ".join(
        capsys.readouterr().out.split()
    )


def test_old_runs_and_none(tmp_path):
    folder = write_old_run(tmp_path / "old", *RECIPES["1 quick"])
    facts = run_facts(folder)
    assert facts["format"] == 1 and facts["damaged"] == [] and facts["software"] == "0.1.0"
    assert [one["state"] for one in facts["images"]] == ["missing"]
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(InputError, match=r"no folder|no run folder"):
            run_facts(place)
    info = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**info, "format": 99}))
    with pytest.raises(InputError, match="newer version"):
        run_facts(Path(folder))
