"""Weights, features and map are of one training; what is on an earlier map is seen to be."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from making import mapped
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from napari_tsimcne import Grid, ImageSource, Recipe, Run, train
from napari_tsimcne.control import Control
from napari_tsimcne.errors import InputError
from napari_tsimcne.events import Embedding, EpochEnded
from napari_tsimcne.learning import load_weights
from napari_tsimcne.recipe import Network
from napari_tsimcne.runs import (
    ExtendedRun,
    addition_names,
    cut_addition,
    extended,
    new_addition,
)
from napari_tsimcne.runs._binding import quick_digest
from napari_tsimcne.training import embed, embed_addition

FILES = ("weights.safetensors", "features.npy", "embedding.parquet")


@pytest.mark.parametrize("late", FILES)
def test_files_of_two_trainings_are_never_taken_for_one_map(tiny_run, tmp_path, late):
    mapped(tiny_run, seed=0)
    other = shutil.copytree(tiny_run.folder, tmp_path / "other")
    again = Run.open(other)
    n = len(again.table)
    again.save_map(np.ones((n, 2)), np.ones((n, 8)), stopped=False,
                   write_weights=lambda path: path.write_bytes(b"x"))  # fmt: skip
    # As when a process is killed before it writes run.json.
    shutil.copyfile(other / late, tiny_run.folder / late)
    run = Run.open(tiny_run.folder)
    with pytest.raises(InputError, match="are of different trainings") as refused:
        _ = run.coordinates, run.features
        run.check_bound(run.weights_path)
    assert late in str(refused.value) and "napari-tsimcne train" in str(refused.value)


def test_a_run_that_was_opened_before_it_was_learnt_anew_gives_no_other_map(tiny_run):
    mapped(tiny_run, seed=0)
    opened = Run.open(tiny_run.folder)
    mapped(Run.open(tiny_run.folder), seed=1)
    for read in (lambda: opened.coordinates, lambda: opened.features):
        with pytest.raises(InputError, match="learnt anew since it was opened: open it again"):
            read()
    _ = Run.open(tiny_run.folder).coordinates


def test_runs_without_digests_are_opened(tiny_run):
    mapped(tiny_run)
    path = tiny_run.folder / "run.json"
    stored = json.loads(path.read_text())
    assert stored.pop("map_files").keys() == set(FILES)
    del stored["learnt"]
    path.write_text(json.dumps(stored))
    run = Run.open(tiny_run.folder)
    assert run.coordinates.shape[1:] == (2,) and run.features.shape[1:] == (8,)


def test_large_files_are_told_apart_by_a_sample(tmp_path):
    path = tmp_path / "features.npy"
    values = np.random.default_rng(0).normal(size=(40_000, 32)).astype("f4")
    np.save(path, values)
    first = quick_digest(path)
    np.save(path, values)
    assert quick_digest(path) == first
    np.save(path, values + 1e-3)
    assert quick_digest(path) != first


# --- trainings ----------------------------------------------------------------------------------


def field(name, seed=0):
    pixels = np.random.default_rng(seed).gamma(2.0, 300, (96, 96)).astype(np.uint16)
    return ImageSource.from_array(pixels, "YX", name=name)


def small_run(folder, images, **options):
    options = {"epochs": (1, 2), "batch_size": 32, "network": Network(groups=2, width=8, hidden=32),
               **options}  # fmt: skip
    recipe = Recipe.quick(Grid(size=16), **options)
    stages = tuple(stage.model_copy(update={"least_draws": 0}) for stage in recipe.stages)
    return Run.create(folder, images, recipe.model_copy(update={"stages": stages}))


def test_what_was_chosen_is_noted_in_the_run(tmp_path):
    run = small_run(tmp_path / "run", [field("a")])
    train(run, device="cpu", precision="bfloat16", compiled=False, threads=1)
    learnt = Run.open(run.folder).info.learnt
    assert (learnt.kind, learnt.precision, learnt.compiled) == ("cpu", "bfloat16", False)
    assert (learnt.threads, learnt.processes, learnt.short_map) == (1, 1, False)


@pytest.mark.parametrize("method", ["image", "percentile", "none"])
def test_a_runs_own_images_land_where_they_are(tmp_path, method):
    blank = ImageSource.from_array(np.full((96, 96), 7, np.uint16), "YX", name="blank")
    images = [field("a", 0), field("b", 1), blank]
    run = small_run(tmp_path / "run", images, normalization=method)
    train(run, device="cpu")
    parts = [pd.concat(embed(run, images, device="cpu", part=(k, 2))) for k in range(2)]
    table = pd.concat(parts)
    moved = table[["map_x", "map_y"]].to_numpy() - run.coordinates
    assert len(table) == len(run.table)
    assert np.abs(moved).max() < 1e-3 * run.coordinates.std()


def added(run, images):
    with new_addition(run, "more") as folder:
        cut = cut_addition(run, folder, images)
        embed_addition(run, cut.name, device="cpu")
    return cut.name


def test_what_was_added_moves_along_when_a_stopped_training_goes_on(tmp_path):
    run = small_run(tmp_path / "run", [field("a")], epochs=(2, 2))
    control = Control()

    def stop(event):
        if isinstance(event, EpochEnded):
            control.stop()

    train(run, device="cpu", on_event=stop, control=control)
    assert run.info.state == "stopped" and run.info.learnt.short_map
    name = added(run, [field("b", 1)])
    before = extended(run).coordinates
    events = []
    train(run, device="cpu", on_event=events.append)
    both = extended(Run.open(run.folder))
    assert isinstance(both, ExtendedRun) and not both.refused and addition_names(run) == [name]
    assert any(isinstance(e, Embedding) and e.addition == name for e in events)
    assert not np.allclose(both.coordinates[-len(both.additions[0].table) :],
                           before[-len(both.additions[0].table) :])  # fmt: skip


@pytest.mark.parametrize("version", ["first", "second"])
def test_weights_of_earlier_versions_are_read(tmp_path, version):
    run = small_run(tmp_path / "run", [field("a")])
    first = version == "first"
    stages = tuple(
        stage.model_copy(update={"head_layers": 0, "whitening": 0.0}) for stage in run.recipe.stages
    )
    run.recipe = run.recipe.model_copy(update={"stages": stages})
    train(run, device="cpu")
    with safe_open(run.weights_path, framework="pt") as file:
        metadata = file.metadata()
    # As they were written: without a format, and without what these versions did not know.
    tensors = load_file(run.weights_path)
    for name in ("whitening.center", "whitening.matrix", *(("mean", "std") if first else ())):
        del tensors[name]
    if first:
        tensors = {name.removeprefix("head."): value for name, value in tensors.items()}
    old = {"recipe": json.dumps({"stages": "as they were"}), "channels": metadata["channels"],
           "output_dim": "2"}  # fmt: skip
    save_file(tensors, tmp_path / "old.safetensors", metadata=old)
    expected, _ = load_weights(run.weights_path)
    model, recipe = load_weights(tmp_path / "old.safetensors", run.recipe)
    views = torch.rand(2, 1, 16, 16)
    with torch.inference_mode():
        assert torch.equal(model.eval()(views), expected.eval()(views))
    assert recipe == run.recipe
