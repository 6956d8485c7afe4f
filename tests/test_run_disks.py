"""Disks that are full, read-only or gone: told in a sentence, and what was there stays whole."""

import os
import shutil
import subprocess

import numpy as np
import pytest
from making import make_tiny_run, mapped

from napari_tsimcne import InputError, Run
from napari_tsimcne.events import Finished
from napari_tsimcne.runs import (
    Autosave,
    EventReader,
    is_training,
    new_addition,
    open_exploration,
    save_exploration,
    seed_run,
)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a megabyte, where this process may make one."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.name != "posix" or os.geteuid() or subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True
    ).returncode:  # fmt: skip
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=False)


def fill(place):
    with pytest.raises(OSError, match="No space"), (place / "filler").open("wb", 0) as file:
        while True:
            file.write(bytes(4096))


def test_a_run_that_does_not_fit_is_refused_with_both_numbers(small_disk, tmp_path):
    (small_disk / "filler").write_bytes(bytes(600_000))
    with pytest.raises(InputError, match=r"take 0\.00[0-9]+ GB, but .* has 0\.00[0-9]+ GB free"):
        make_tiny_run(small_disk / "run")
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


def test_a_disk_that_fills_leaves_what_was_there(small_disk, tmp_path):
    kept = mapped(make_tiny_run(tmp_path / "run"))
    (kept.folder / "patches.npy").unlink()  # too large for the disk, and not needed here
    folder = small_disk / "run"
    shutil.copytree(kept.folder, folder)
    run = Run(folder, kept.info, kept.recipe, kept.table)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    fill(small_disk)
    random = np.random.default_rng(1)
    with pytest.raises(InputError, match=r"the disk of .* is full: free some space"):
        run.save_map(random.normal(size=(81, 2)), random.normal(size=(81, 512)), stopped=False,
                     write_weights=lambda path: path.write_bytes(b"w" * 9000))  # fmt: skip
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    told = []
    explored = open_exploration(run)
    autosave = Autosave(run, explored, told.append)
    for number in range(3):
        explored.clusters.create(np.arange(81) == number, str(number))
        autosave._save()  # as its thread does
    assert len(told) == 1 and "is full" in told[0] and "\n" not in told[0]
    (small_disk / "filler").unlink()
    autosave.close()
    assert len(open_exploration(run).clusters) == 3 and len(told) == 1


def test_a_training_on_a_full_disk_ends_with_a_sentence(small_disk, tiny_run):
    import torch

    from napari_tsimcne.control import Control
    from napari_tsimcne.learning import Checkpoint
    from napari_tsimcne.learning._checkpoint import Position, TrainingState
    from napari_tsimcne.runs import recorded_training, written_whole

    path = small_disk / "checkpoint.safetensors"
    state = TrainingState(recipe=tiny_run.recipe, patches=81, channels=2, position=Position(),
                          output_dim=2)  # fmt: skip
    with written_whole(path) as draft:
        Checkpoint(state, {"a": torch.zeros(100)}).save(draft)
    fill(small_disk)
    with pytest.raises(InputError, match="is full"), written_whole(path) as draft:
        Checkpoint(state, {"a": torch.zeros(100_000)}).save(draft)
    assert len(Checkpoint.load(path, tiny_run.recipe, 81).tensors["a"]) == 100
    (small_disk / "filler").write_bytes(b"")
    with (
        pytest.raises(InputError, match="is full"),
        recorded_training(small_disk, Control(), True) as tell,
    ):
        tell(Finished(stopped=False, seconds=1))
        fill(small_disk)
        for _ in range(1000):
            tell(Finished(stopped=False, seconds=2))
    (small_disk / "filler").unlink()
    with recorded_training(small_disk, Control(), True) as tell:
        tell(Finished(stopped=False, seconds=3))
    seconds = [event.seconds for event in EventReader(small_disk).read()]
    assert seconds[0] == 1 and seconds[-1] == 3 and set(seconds) == {1, 2, 3}


def test_a_read_only_run_opens_and_says_what_it_cannot_keep(small_disk, tmp_path):
    kept = mapped(make_tiny_run(tmp_path / "run"))
    explored = open_exploration(kept)
    explored.clusters.create(np.arange(81) < 20, "first")
    save_exploration(kept, explored)
    for path in kept.folder.iterdir():
        if path.name != "patches.npy":
            shutil.copy(path, small_disk)
    store = np.lib.format.open_memmap(small_disk / "patches.npy", "w+", kept.store.dtype,
                                      kept.store.shape)  # fmt: skip
    del store  # sparse: a disk of a megabyte is enough
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    run = Run.open(small_disk)
    assert not is_training(small_disk)
    explored = open_exploration(run)
    assert [one.name for one in explored.clusters.all] == ["first"]
    told = []
    autosave = Autosave(run, explored, told.append)
    explored.selection.select(np.ones(81, bool))
    autosave.close()
    assert len(told) == 1 and "cannot be written to" in told[0]
    with pytest.raises(InputError, match="cannot be written to"), new_addition(run):
        pass
    with pytest.raises(InputError, match="cannot be written to"):
        seed_run(run, 5)


def test_a_folder_that_is_gone_is_told(tmp_path):
    run = mapped(make_tiny_run(tmp_path / "run"))
    explored = open_exploration(run)
    shutil.rmtree(run.folder)
    with pytest.raises(InputError, match="no longer there"):
        save_exploration(run, explored)
    with pytest.raises(InputError, match="no folder"):
        Run.open(run.folder)
    with pytest.raises(InputError, match="lacks its file"):
        _ = run.coordinates
    assert not run.folder.exists()
