import json
import os

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_tsimcne import Grid, ImageSource, InputError, Objects, Recipe, Run, open_images, train
from napari_tsimcne.events import Failed, Finished, Prepared, parse_event
from napari_tsimcne.runs import EventReader, TrainingProcess, is_training
from napari_tsimcne.terminal._terminal import cut_text


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_a_run_opens_again_as_it_was(tiny_run):
    again = Run.open(tiny_run.folder)
    assert again.recipe == tiny_run.recipe and again.info == tiny_run.info
    pd.testing.assert_frame_equal(again.table, tiny_run.table)
    assert again.store.shape == (81, 2, 32 + 2 * again.recipe.margin, 32 + 2 * again.recipe.margin)
    assert again.store.dtype == np.uint16
    with pytest.raises(InputError, match="no map yet"):
        _ = again.coordinates


def test_training_fills_the_folder_and_leaves_no_drafts(tiny_run):
    train(tiny_run, device="cpu")
    again = Run.open(tiny_run.folder)
    assert again.info.state == "trained"
    assert again.coordinates.shape == (81, 2) and again.features.shape == (81, 128)
    assert names(tiny_run.folder) == {
        "run.json", "recipe.json", "patches.parquet", "patches.npy", "weights.safetensors",
        "embedding.parquet", "features.npy", "events.jsonl", "training.lock",
    }  # fmt: skip
    import torch

    assert again.info.versions["torch"] == torch.__version__
    assert set(again.info.versions) == {
        "napari-tsimcne", "python", "torch", "torchvision", "numpy"
    }  # fmt: skip
    # Whoever may read the run may read its weights.
    assert again.weights_path.stat().st_mode == (again.folder / "run.json").stat().st_mode


def test_nothing_is_overwritten(tiny_run, stripes, tmp_path):
    image = ImageSource.from_array(stripes)
    recipe = Recipe.quick(Grid(size=8), batch_size=8)
    before = (tiny_run.folder / "run.json").read_bytes()
    with pytest.raises(InputError, match="holds another run"):
        Run.create(tiny_run.folder, [image], recipe)
    assert (tiny_run.folder / "run.json").read_bytes() == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="not empty"):
        Run.create(tmp_path / "mine", [image], recipe)
    with pytest.raises(InputError, match="is a file"):
        Run.create(tmp_path / "mine" / "thesis.txt", [image], recipe)
    assert names(tmp_path / "mine") == {"thesis.txt"}


def test_what_cannot_become_a_run_leaves_no_folder(stripes, tmp_path):
    recipe = Recipe.quick(Grid(size=8), batch_size=8)
    constant = ImageSource.from_array(np.full((64, 64), 7, np.uint8))
    with pytest.raises(InputError, match="nothing to learn"):
        Run.create(tmp_path / "a" / "run", [constant], recipe)
    nan = ImageSource.from_array(np.full((64, 64), np.nan))
    with pytest.raises(InputError, match="not finite"):
        Run.create(tmp_path / "a" / "run", [nan], recipe)
    with pytest.raises(InputError, match=r"80 patches are fewer than one batch of 500"):
        Run.create(tmp_path / "a" / "run", [ImageSource.from_array(stripes)],
                   Recipe.quick(Grid(size=8), batch_size=500))  # fmt: skip
    with pytest.raises(InputError, match="larger than every image"):
        Run.create(tmp_path / "a" / "run", [ImageSource.from_array(stripes)],
                   Recipe.quick(Grid(size=70), batch_size=8))  # fmt: skip

    def cancel(what, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Run.create(tmp_path / "a" / "run", [ImageSource.from_array(stripes)], recipe, told=cancel)
    assert not (tmp_path / "a" / "run").exists()


@pytest.mark.parametrize("name", ["run.json", "recipe.json", "patches.parquet", "patches.npy"])
@pytest.mark.parametrize("damage", ["missing", "cut", "nonsense"])
def test_a_damaged_run_is_refused_in_one_sentence(tiny_run, name, damage):
    path = tiny_run.folder / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"nonsense")
    with pytest.raises(InputError) as caught:
        Run.open(tiny_run.folder)
    assert "\n" not in str(caught.value) and str(tiny_run.folder) in str(caught.value)


def test_pickles_are_not_loaded(tiny_run, tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "executed"),))

    np.save(tiny_run.folder / "patches.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(InputError):
        Run.open(tiny_run.folder)
    assert not (tmp_path / "executed").exists()


def test_newer_formats_are_refused(tiny_run):
    path = tiny_run.folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(InputError, match="newer version"):
        Run.open(tiny_run.folder)


def test_images_are_found_again_and_changes_noticed(tmp_path, stripes):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stripes)
    images, _ = open_images(path)
    run = Run.create(tmp_path / "run", images, Recipe.quick(Grid(size=8), batch_size=8))
    record = Run.open(run.folder).image("a.tif")
    everything = (slice(None), slice(None))
    assert np.array_equal(record.open().read(0, 0, *everything)[0], stripes)
    tifffile.imwrite(path, stripes[::-1])
    with pytest.raises(InputError, match="has changed"):
        record.open()
    path.unlink()
    with pytest.raises(InputError, match="no longer at"):
        record.open()


def test_what_was_left_out_is_told(tiny_run):
    assert cut_text(tiny_run) == "81 patches of 1 image"
    tiny_run.recipe = Recipe.quick(Objects(size=24, unit="µm"))
    tiny_run.info = tiny_run.info.model_copy(update={
        "objects_left_out": (3, 1200), "background_windows": 7,
        "background_thresholds": {"DNA": 41.97},
    })  # fmt: skip
    assert cut_text(tiny_run) == (
        "81 patches of 1 image, 24 µm around each object; 3 objects at the border left out "
        "(--keep-border keeps them); 1,200 objects smaller than --least-area left out; 7 windows "
        "without content skipped (content is above DNA 41.97)"
    )


# --- the child process --------------------------------------------------------------------------


def test_the_child_trains_and_tells(tiny_run):
    process = TrainingProcess(tiny_run.folder, device="cpu", threads=1)
    events = list(process.events())
    assert isinstance(events[0], Prepared) and events[0].patches == 81
    assert isinstance(events[-1], Finished) and not events[-1].stopped
    assert Run.open(tiny_run.folder).has_map and not process.running


def long_run(tmp_path):
    from making import make_tiny_run

    run = make_tiny_run(tmp_path / "long")
    # So long that no test sees its end, but not so long that compiling is tried.
    first = run.recipe.stages[0].model_copy(update={"epochs": 300})
    stages = (first, *run.recipe.stages[1:])
    recipe = run.recipe.model_copy(update={"stages": stages, "precision": "float32"})
    (run.folder / "recipe.json").write_text(recipe.model_dump_json())
    return run


def test_a_stopped_child_leaves_a_map(tmp_path):
    run = long_run(tmp_path)
    process = TrainingProcess(run.folder, device="cpu", threads=1)
    last = None
    for event in process.events():
        if event.kind == "epoch" and event.stage == "features" and event.epoch == 1:
            process.stop()
        last = event
    assert isinstance(last, Finished) and last.stopped
    assert Run.open(run.folder).info.state == "stopped"


def test_a_killed_child_is_explained(tmp_path):
    run = long_run(tmp_path)
    process = TrainingProcess(run.folder, device="cpu", threads=1)
    last = None
    for event in process.events():
        if event.kind == "prepared":
            os.kill(process.pid, 9)
        last = event
    assert isinstance(last, Failed) and "memory" in last.reason


def test_a_failure_in_the_child_carries_its_reason(tiny_run):
    path = tiny_run.folder / "patches.npy"
    path.write_bytes(path.read_bytes()[:500])
    (*_, last) = TrainingProcess(tiny_run.folder, device="cpu").events()
    assert isinstance(last, Failed) and "patches.npy" in last.reason


def test_a_training_outlives_its_window_and_another_attaches(tmp_path):
    run = long_run(tmp_path)
    assert TrainingProcess.attach(run.folder) is None
    first = TrainingProcess(run.folder, device="cpu", threads=1)
    seen = []
    for event in first.events():
        seen.append(event)
        if event.kind == "epoch":
            first.leave()
    assert not isinstance(seen[-1], Finished | Failed) and first.running

    second = TrainingProcess.attach(run.folder)
    with pytest.raises(InputError, match="another process is training"):
        TrainingProcess(run.folder, device="cpu")
    events = second.events()
    assert [next(events) for _ in seen] == seen  # what was told before is told again
    second.stop()
    assert isinstance([*events][-1], Finished)
    assert Run.open(run.folder).info.state == "stopped" and not is_training(run.folder)


def test_the_events_of_a_training_that_goes_on_are_added(tmp_path):
    run = long_run(tmp_path)
    process = TrainingProcess(run.folder, device="cpu", threads=1, checkpoint_seconds=0)
    for event in process.events():
        if event.kind == "saved":
            os.kill(process.pid, 9)
    assert not is_training(run.folder)
    again = TrainingProcess(run.folder, device="cpu", threads=1)
    for event in again.events():
        if event.kind == "epoch":
            again.stop()
    history = [event.kind for event in EventReader(run.folder).read()]
    assert history.count("prepared") == 2 and history[-1] == "finished"


def test_events_are_read_as_they_are_written(tmp_path):
    path, reader = tmp_path / "events.jsonl", EventReader(tmp_path)
    assert not [*reader.read()]
    line = Finished(stopped=True, seconds=1.5).model_dump_json()
    path.write_text(f"{line}\nno event\n{line[:9]}", encoding="utf-8")
    assert len([*reader.read()]) == 1
    with path.open("a", encoding="utf-8") as file:
        file.write(line[9:] + "\n")
    assert len([*reader.read()]) == 1 and not [*reader.read()]
    path.write_text(f"{line}\n", encoding="utf-8")  # begun anew
    assert len([*reader.read()]) == 1


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive"])
def test_a_live_map_that_cannot_be_read_is_passed_over(tmp_path, damage):
    (tmp_path / "events.jsonl").write_text('{"kind":"map"}\n')
    assert not [*EventReader(tmp_path).read()]
    (tmp_path / "live_map.npz").write_bytes(damage)
    assert not [*EventReader(tmp_path).read()]


def test_what_is_no_event_is_passed_over():
    assert parse_event("UserWarning: something") is None
    assert parse_event('{"kind": "unknown"}') is None
    event = Finished(stopped=True, seconds=1.5)
    assert parse_event(event.model_dump_json()) == event
