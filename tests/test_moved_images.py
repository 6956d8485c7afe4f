"""Images that are elsewhere than they were: copied with their run, found again, or gone."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import tifffile
import typer
from hypothesis import given
from hypothesis import strategies as st
from making import mapped
from test_additions import add

from napari_tsimcne import Grid, InputError, Recipe, Run, open_images
from napari_tsimcne.explore import evaluate, find
from napari_tsimcne.export import patch_pictures
from napari_tsimcne.runs import (
    extended,
    locate_images,
    missing_images,
    open_exploration,
    save_exploration,
    seed_run,
    seed_runs,
)
from napari_tsimcne.runs._moved import recorded_parts
from napari_tsimcne.terminal._locate import locate_in_terminal

EVERYTHING = (slice(None), slice(None))


def write(folder, name, seed, suffix=".tif"):
    pixels = np.random.default_rng(seed).integers(0, 999, (64, 64), dtype=np.uint16)
    folder.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(folder / f"{name}{suffix}", pixels)
    return pixels


@pytest.fixture
def project(tmp_path):
    """A folder with two plates of images of the same names, and a run of them with a map."""
    folder = tmp_path / "here" / "project"
    for number, plate in enumerate(("plate 1", "plate 2")):
        for name in "ab":
            write(folder / "images" / plate, name, seed=10 * number + ord(name))
    write(folder / "images" / "more", "c", seed=99)
    images, _ = open_images(folder / "images" / "plate 1", folder / "images" / "plate 2")
    recipe = Recipe.quick(Grid(size=8), batch_size=8)
    run = mapped(Run.create(folder / "runs" / "run", images, recipe))
    add(run, open_images(folder / "images" / "more").images, "more")
    return folder


def shows_its_images(run):
    """Whether each image, opened again, has the pixels that were cut from it."""
    store, margin = run.store, run.recipe.margin
    for record in run.info.images:
        row = int(np.flatnonzero(run.table["image"] == record.name)[0])
        y, x = (round(run.table[axis][row] - 3.5) for axis in "yx")
        pixels = record.open().read(0, 0, slice(y, y + 8), slice(x, x + 8))
        inner = slice(margin, margin + 8)
        if not np.array_equal(pixels, store[row][:, inner, inner]):
            return False
    return True


def test_where_they_were_they_are_found(project):
    run = extended(Run.open(project / "runs" / "run"))
    assert missing_images(run) == () and len(run.info.images) == 5 and shows_its_images(run)


def test_a_run_copied_with_its_images_finds_them(project, tmp_path):
    there = shutil.move(project, tmp_path / "there" / "renamed")
    run = extended(Run.open(there / "runs" / "run"))
    assert missing_images(run) == () and shows_its_images(run)
    assert all(record.path.is_relative_to(there) for record in run.info.images)
    assert not (run.folder / "moved.json").exists()


def test_images_beside_the_run_are_found(project, tmp_path):
    there = tmp_path / "there"
    shutil.move(project / "runs" / "run", there / "run")
    for folder in ("plate 1", "more"):
        for path in (project / "images" / folder).iterdir():
            shutil.move(path, there / path.name)
    shutil.move(project / "images" / "plate 2", there / "plate 2")
    shutil.rmtree(project)
    run = extended(Run.open(there / "run"))
    assert missing_images(run) == () and shows_its_images(run)


def test_without_its_images_all_else_works(project, tmp_path):
    there = tmp_path / "there" / "run"
    shutil.copytree(project / "runs" / "run", there)
    new = write(tmp_path / "new", "new", seed=5)
    shutil.rmtree(project)
    run = Run.open(there)
    assert len(missing_images(run)) == 5
    both = extended(run)
    explored = open_exploration(both)
    explored.clusters.create(find(explored.columns(), "image == 'c.tif'"), "more")
    save_exploration(both, explored)
    assert open_exploration(extended(Run.open(there))).clusters.sizes() == {1: 64}
    assert patch_pictures(both)(np.array([0, 256])).shape == (2, 8, 8, 3)
    truth = pd.Series(np.arange(256) % 2)
    assert 0 <= evaluate(run.coordinates, run.features, truth).knn_2d <= 1
    add(run, open_images(tmp_path / "new" / "new.tif").images, "new")
    assert len(extended(run).table) == 256 + 64 + 64 and new.shape == (64, 64)
    mapped(seed_run(run, 1))
    assert [len(missing_images(other)) for other in seed_runs(run)] == [4]
    with pytest.raises(InputError, match="no longer at"):
        run.info.images[0].open()


def test_images_are_found_by_name_and_fingerprint_and_remembered(project, tmp_path):
    there, archive = tmp_path / "there" / "run", tmp_path / "archive"
    shutil.copytree(project / "runs" / "run", there)
    # The same names lie elsewhere, in other folders, and one is another image.
    for number, plate in enumerate(("plate 2", "plate 1", "more")):
        shutil.copytree(project / "images" / plate, archive / str(number) / "deep")
    (archive / "1" / "deep" / "b.tif").rename(archive / "1" / "deep" / "B.TIF")
    tifffile.imwrite(archive / "0" / "deep" / "a.tif", np.zeros((64, 64), np.uint16))
    shutil.rmtree(project)
    run = Run.open(there)
    told = []
    left = locate_images(run, archive, lambda *progress: told.append(progress))
    assert [record.name for record in left] == ["plate 2/a.tif"]
    assert left == missing_images(run) == missing_images(extended(Run.open(there)))
    assert told[0] == ("Looking for images", 0, 5) and told[-1] == ("Looking for images", 4, 5)
    again = extended(Run.open(there))
    paths = {record.name: record.path for record in again.info.images}
    assert paths["plate 1/b.tif"] == archive / "1" / "deep" / "B.TIF"
    assert paths["c.tif"] == archive / "2" / "deep" / "c.tif"
    opened = [record.open() for record in again.info.images if record not in left]
    assert len(opened) == 4

    # Copied on with what was found, to where the rest is.
    write(tmp_path / "rest", "a", seed=10 + ord("a"))
    assert locate_images(again, tmp_path / "rest") == ()
    assert shows_its_images(extended(Run.open(there)))


def test_an_image_taken_for_another_by_its_place_is_refused_and_found(project, tmp_path):
    there = tmp_path / "there"
    shutil.copytree(project / "runs" / "run", there / "run")
    shutil.copytree(project / "images", tmp_path / "archive")
    write(there, "a", seed=1234)
    shutil.rmtree(project)
    run = Run.open(there / "run")
    taken = [record for record in run.info.images if record.path == there / "a.tif"]
    assert len(taken) == 2
    with pytest.raises(InputError, match="has changed since the run was made"):
        taken[0].open()
    assert locate_images(run, tmp_path / "archive") == ()
    assert shows_its_images(Run.open(there / "run"))


def test_what_was_found_of_a_run_that_cannot_be_written_is_remembered(
    project, tmp_path, monkeypatch
):
    there = tmp_path / "there" / "run"
    shutil.copytree(project / "runs" / "run", there)
    shutil.move(project / "images", tmp_path / "archive")
    from napari_tsimcne.runs import _moved

    whole = _moved.write_text

    def refuse(path, text):
        if path.is_relative_to(there):
            raise InputError("read-only")
        whole(path, text)

    monkeypatch.setattr(_moved, "write_text", refuse)
    assert locate_images(Run.open(there), tmp_path / "archive") == ()
    assert not (there / "moved.json").exists()
    assert shows_its_images(extended(Run.open(there)))


def test_a_map_learnt_elsewhere_does_not_forget_where_images_were(project, tmp_path):
    there = tmp_path / "there"
    shutil.copytree(project / "images", there / "images")
    shutil.copytree(project / "runs" / "run", there / "runs" / "run")
    hidden = project.rename(tmp_path / "hidden")
    run = mapped(Run.open(there / "runs" / "run"), seed=3)
    assert run.info.images[0].path.is_relative_to(there)
    shutil.rmtree(there / "images")
    hidden.rename(project)
    assert missing_images(Run.open(run.folder)) == ()


def test_cancelled_and_nowhere(project, tmp_path):
    run = Run.open(project / "runs" / "run")
    shutil.move(project / "images", tmp_path / "archive")

    def cancel(what, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        locate_images(run, tmp_path / "archive", cancel)
    with pytest.raises(InputError, match="no folder"):
        locate_images(run, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert len(locate_images(run, tmp_path / "empty")) == 5


def test_the_terminal_sums_up_what_is_missing(project, tmp_path, capsys):
    images = project / "images"
    images.rename(tmp_path / "archive")
    (tmp_path / "empty").mkdir()
    run = Run.open(project / "runs" / "run")
    with pytest.raises(typer.Exit) as end:
        locate_in_terminal(run, tmp_path / "empty")
    printed = capsys.readouterr()
    assert end.value.exit_code == 1 and len(printed.err.splitlines()) == 1
    assert "5 images are still missing" in printed.err and "and 2 more" in printed.err
    with pytest.raises(typer.Exit):
        locate_in_terminal(run, tmp_path / "archive" / "more")
    printed = capsys.readouterr()
    assert "Found 1 of 5 missing images" in printed.out and "4 images are still" in printed.err
    locate_in_terminal(Run.open(run.folder), tmp_path / "archive")
    printed = capsys.readouterr()
    assert "All images are where the run looks for them" in printed.out and not printed.err


def test_images_that_are_folders_are_found(tmp_path):
    zarr = pytest.importorskip("zarr")
    pixels = np.random.default_rng(0).integers(0, 99, (64, 64), dtype=np.uint8)
    path = tmp_path / "here" / "a.zarr"
    zarr.save_array(path, pixels)
    (image,), _ = open_images(path)
    run = Run.create(tmp_path / "run", [image], Recipe.quick(Grid(size=8), batch_size=8))
    shutil.move(path, tmp_path / "archive" / "deep" / "a.zarr")
    assert len(missing_images(Run.open(run.folder))) == 1
    assert locate_images(run, tmp_path / "archive") == ()
    (record,) = Run.open(run.folder).info.images
    assert np.array_equal(record.open().read(0, 0, *EVERYTHING)[0], pixels)


names = st.text(
    st.characters(blacklist_characters="/\\:\0", blacklist_categories=["Cs"]), min_size=1
)


@given(st.lists(names.filter(lambda name: name not in (".", "..")), min_size=1, max_size=5))
def test_paths_of_other_systems_are_understood(parts):
    expected = tuple(parts)
    assert recorded_parts("/" + "/".join(parts)) == expected
    if not parts[0].startswith("?"):
        assert recorded_parts("C:\\" + "\\".join(parts)) == expected
        assert recorded_parts("\\\\server\\share\\" + "\\".join(parts)) == expected


def test_a_run_made_on_windows_finds_its_images(project, tmp_path):
    there = shutil.move(project, tmp_path / "there")
    path = there / "runs" / "run" / "run.json"
    info = json.loads(path.read_text())
    for record in info["images"]:
        plate, name = record["name"].split("/")
        record["path"] = f"D:\\data\\project\\images\\{plate}\\{name}"
    path.write_text(json.dumps(info))
    run = Run.open(path.parent)
    assert missing_images(run) == () and shows_its_images(run)
    shutil.move(there / "images", tmp_path / "archive")
    assert len(missing_images(Run.open(path.parent))) == 5
    assert locate_images(run, tmp_path / "archive") == ()
    assert shows_its_images(Run.open(path.parent))
