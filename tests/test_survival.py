"""Trainings that are killed, shared between processes, or applied to new images."""

import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from making import make_tiny_run
from test_cutting import draw_cells

from napari_tsimcne import ImageSource, InputError, Objects, Recipe, Run
from napari_tsimcne.events import Failed, Finished, Paused, Prepared, Progress, Resumed, Saved
from napari_tsimcne.images import open_images
from napari_tsimcne.recipe import Optimizer
from napari_tsimcne.runs import TrainingProcess
from napari_tsimcne.samples import write_sample
from napari_tsimcne.training import embed, train


def set_stages(run, epochs, **changes):
    """Give a run other epochs, and float32."""
    stages = tuple(
        stage.model_copy(update={"epochs": e, **changes})
        for stage, e in zip(run.recipe.stages, epochs, strict=True)
    )
    recipe = run.recipe.model_copy(update={"stages": stages, "precision": "float32"})
    (run.folder / "recipe.json").write_text(recipe.model_dump_json())
    return Run.open(run.folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that was trained without an interruption."""
    run = set_stages(make_tiny_run(tmp_path_factory.mktemp("survival") / "whole"), (3, 4))
    train(run, device="cpu", threads=1)
    return run


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.parametrize("saves", [1, 4, 9])
def test_killed_and_resumed_the_map_is_bit_identical(tmp_path, whole, saves):
    cut = set_stages(make_tiny_run(tmp_path / "cut"), (3, 4))
    child = TrainingProcess(cut.folder, "cpu", threads=1, checkpoint_seconds=0)
    events = child.events()
    for _ in range(saves):
        while not isinstance(next(events), Saved):
            pass
    os.kill(child.pid, signal.SIGKILL)
    assert isinstance([*events][-1], Failed | Finished | Saved | Progress)
    child.kill()
    assert cut.checkpoint_path.is_file()
    again = TrainingProcess(cut.folder, "cpu", threads=1)
    events = [*again.events()]
    assert isinstance(events[0], Prepared) and events[0].resumed
    assert isinstance(events[-1], Finished) and not events[-1].stopped
    assert events[-1].peak_host_bytes > 50e6
    assert np.array_equal(Run.open(cut.folder).coordinates, whole.coordinates)
    assert np.array_equal(Run.open(cut.folder).features, whole.features)
    assert not cut.checkpoint_path.exists()


def test_pause_resume_and_stop_by_message(tmp_path):
    run = set_stages(make_tiny_run(tmp_path / "run"), (500, 5))
    child = TrainingProcess(run.folder, "cpu", threads=1)
    seen = []
    for event in child.events():
        seen.append(type(event))
        if isinstance(event, Prepared):
            child.pause()
        elif isinstance(event, Paused):
            child.resume()
        elif isinstance(event, Resumed):
            child.stop()
    assert Paused in seen and Resumed in seen and seen[-1] is Finished
    stopped = Run.open(run.folder)
    assert stopped.info.state == "stopped" and np.isfinite(stopped.coordinates).all()
    assert stopped.checkpoint_path.is_file()  # so that it can go on


def test_two_processes_learn_what_one_learns(tmp_path):
    # SGD: AdamW divides by the size of gradients, and makes much of what rounding left of zeros.
    # Whitening does the same to axes along which H hardly varies.
    exact = {"optimizer": Optimizer(method="sgd", learning_rate=0.03), "whitening": 0.0}
    one = set_stages(make_tiny_run(tmp_path / "one"), (2, 2), **exact)
    train(one, device="cpu", threads=1)
    two = set_stages(make_tiny_run(tmp_path / "two"), (2, 2), **exact)
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "-m", "napari_tsimcne", "train", str(two.folder), "--device", "cpu", "--threads", "1",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    two = Run.open(two.folder)
    for name in ("features", "coordinates"):
        expected, found = getattr(one, name), getattr(two, name)
        # Rounding, and what ten steps made of it.
        assert np.abs(found - expected).max() < 0.02 * expected.std(), name


def test_new_images_onto_an_old_map(tmp_path):
    run = make_tiny_run(tmp_path / "run")
    train(run, device="cpu")
    sample = write_sample(tmp_path / "images", fields=1, seed=5)
    images, _ = open_images(*sample.files)
    table = pd.concat(embed(run, images, device="cpu"))
    assert len(table) == sum(len(part) for part in
                             [pd.concat(embed(run, images, device="cpu", part=(k, 3)))
                              for k in range(3)])  # fmt: skip
    assert table["familiarity"].between(0, 1).all()
    assert (table["unfamiliar"] == (table["familiarity"] < 0.01)).all()
    assert np.isfinite(table[["map_x", "map_y"]].to_numpy()).all()


def test_the_patches_of_a_run_land_where_they_are(tmp_path):
    from napari_tsimcne.samples import CHANNELS, synthetic_field

    run = make_tiny_run(tmp_path / "run")
    train(run, device="cpu")
    field = synthetic_field(cells=9)
    image = ImageSource.from_array(field.image, "CYX", name="new", channel_names=CHANNELS)
    table = pd.concat(embed(run, [image], device="cpu"))
    assert np.allclose(table[["map_x", "map_y"]], run.coordinates, atol=1e-3)
    assert (table["familiarity"] > 0.5).mean() > 0.3


def test_new_objects_onto_a_map_of_objects(tmp_path):
    sources, labels = [], {}
    for number in range(4):
        pixels, marks = draw_cells(seed=number)
        sources.append(ImageSource.from_array(pixels, "CYX", name=str(number)))
        labels[str(number)] = ImageSource.from_array(marks)
    recipe = Recipe.quick(Objects(surroundings="dim"), epochs=(1, 2), batch_size=16)
    run = Run.create(tmp_path / "run", sources[:3], recipe, labels=labels)
    train(run, device="cpu")
    with pytest.raises(InputError, match="need label images"):
        next(embed(run, sources[3:], device="cpu"))
    table = pd.concat(embed(run, sources[3:], labels=labels, device="cpu"))
    assert len(table) == 25 and sorted(table["label"]) == list(range(1, 26))
    # The size found for the run holds for new images too.
    assert (table["size"] == run.recipe.patches.size).all()
    known = pd.concat(embed(run, sources[:3], labels=labels, device="cpu"))
    known = known.sort_values("patch")
    assert np.allclose(known[["map_x", "map_y"]], run.coordinates, atol=1e-3)


def test_embed_on_the_command_line(tmp_path):
    run = make_tiny_run(tmp_path / "run")
    train(run, device="cpu")
    sample = write_sample(tmp_path / "images", fields=1, seed=5)

    def embed_to(out):
        command = [sys.executable, "-m", "napari_tsimcne", "embed", str(run.folder),
                   *map(str, sample.files), "--out", str(out), "--device", "cpu"]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, timeout=300)

    for name, read in (("new.csv", pd.read_csv), ("new.parquet", pd.read_parquet)):
        done = embed_to(tmp_path / name)
        assert done.returncode == 0, done.stderr
        table = read(tmp_path / name)
        assert {"image", "y", "x", "map_x", "map_y", "familiarity", "unfamiliar"} <= set(table)
    refused = embed_to(tmp_path / "new.csv")
    assert refused.returncode == 2 and "exists" in refused.stderr
