"""Images that are added to the map of a run: cut, embedded, explored with it, damaged, removed."""

import json
import shutil
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import tifffile
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from making import make_tiny_run, mapped

from napari_tsimcne import Grid, ImageSource, Recipe, Run
from napari_tsimcne.errors import InputError, TrainingError
from napari_tsimcne.explore import find
from napari_tsimcne.images import grey_as_one
from napari_tsimcne.runs import (
    EmbeddingProcess,
    ExtendedRun,
    StackedStore,
    addition_names,
    complete_addition,
    cut_addition,
    extended,
    given_name,
    images_by_part,
    new_addition,
    open_exploration,
    own_run,
    refused_additions,
    save_exploration,
)
from napari_tsimcne.samples import CHANNELS, synthetic_field
from napari_tsimcne.training import embed, embed_addition, train


def field_image(name="field", seed=5, cells=4):
    return ImageSource.from_array(
        synthetic_field(cells=cells, seed=seed).image, "CYX", name=name, channel_names=CHANNELS
    )


def add(run, images, name="", unfamiliar=0, **options):
    """Add images with made-up places on the map; the first so many are unfamiliar."""
    with new_addition(run, name) as folder:
        addition = cut_addition(run, folder, images, **options)
        count = len(addition.table)
        random = np.random.default_rng(count)
        familiarity = np.where(np.arange(count) < unfamiliar, 0.001, 0.5).astype(np.float32)
        x, y = random.normal(size=(2, count)).astype(np.float32)
        placed = pd.DataFrame({"map_x": x, "map_y": y, "familiarity": familiarity,
                               "unfamiliar": familiarity < 0.01})  # fmt: skip
        complete_addition(run, addition, placed, random.normal(size=(count, 8)))
    return addition


@pytest.fixture
def run(tmp_path):
    """A run of 81 patches with a made-up map."""
    return mapped(make_tiny_run(tmp_path / "run"))


# --- one run of several -------------------------------------------------------------------------


def test_own_patches_come_first_and_added_ones_are_marked(run):
    assert extended(run) is run
    first = add(run, [field_image("more")], "Plate 2, well B", unfamiliar=3)
    second = add(run, [field_image("other", seed=6, cells=3)])
    assert addition_names(run) == ["001-plate-2-well-b", "002-images"]
    assert [first.name, second.name] == addition_names(run)

    both = extended(Run.open(run.folder))
    table = both.table
    assert len(table) == 81 + 16 + 9 and np.array_equal(table["patch"], np.arange(106))
    pd.testing.assert_frame_equal(table[: len(run.table)][list(run.table)], run.table)
    assert table["added"].tolist() == [""] * 81 + [first.name] * 16 + [second.name] * 9
    assert table["familiarity"].isna().sum() == 81
    assert np.flatnonzero(table["unfamiliar"]).tolist() == [81, 82, 83]
    assert both.coordinates.shape == (106, 2) and both.features.shape == (106, 8)
    assert np.array_equal(both.coordinates[:81], run.coordinates)
    assert np.array_equal(both.features[81:97], first.features)
    assert [record.name for record in both.info.images] == ["field", "more", "other"]
    assert [[r.name for r in part] for part in images_by_part(both)] == [
        ["field"], ["more"], ["other"]
    ]  # fmt: skip
    assert np.array_equal(both.store[90], first.store[9])
    assert own_run(both).table.equals(run.table) and own_run(run) is run
    assert len(both.rows(table["added"] == second.name)) == 9
    with pytest.raises(TypeError):
        both.save_map(both.coordinates, both.features, stopped=False, write_weights=print)
    assert len(Run.open(run.folder).table) == 81


def test_found_by_expressions(run):
    add(run, [field_image()], "plate 2", unfamiliar=3)
    columns = open_exploration(extended(run)).columns()
    assert find(columns, "added == '001-plate-2'").sum() == 16
    assert find(columns, "unfamiliar").sum() == 3
    assert find(columns, "familiarity > 0.1").sum() == 13


def test_images_whose_name_is_taken_are_told_apart(run):
    add(run, [field_image("field"), field_image("new", seed=6)], "a")
    add(run, [field_image("field", seed=7)], "b")
    both = extended(run)
    names = [record.name for record in both.info.images]
    assert names == ["field", "field (001-a)", "new", "field (002-b)"]
    assert both.table["image"].unique().tolist() == names
    assert [given_name(both, name) for name in names] == ["field", "field", "new", "field"]
    assert both.names_in("001-a") == {"field": "field (001-a)", "new": "new"}
    assert both.image("field (002-b)").fingerprint != both.image("field").fingerprint


@pytest.mark.parametrize("dtype", [int, bool, str, float])
def test_columns_that_one_part_lacks_are_missing_there(run, dtype):
    add(run, [field_image()], measure=lambda table: table.assign(dose=np.ones(len(table), dtype)))
    both = extended(run)
    dose = both.table["dose"]
    assert dose[:81].isna().all() and (dose[81:] == dtype(1)).all()
    # What was whole numbers, or yes and no, is not made something else.
    assert pd.api.types.is_float_dtype(dose.dtype) == (dtype is float)
    assert pd.api.types.is_bool_dtype(dose.dtype) == (dtype is bool)


STORES = st.lists(st.integers(0, 5), min_size=1, max_size=4).filter(any)


@given(lengths=STORES, data=st.data())
@settings(max_examples=100)
def test_stacked_stores_are_read_like_one_array(lengths, data):
    whole = np.arange(sum(lengths) * 2 * 3 * 3, dtype=np.uint16).reshape(-1, 2, 3, 3)
    stacked = StackedStore(np.split(whole, np.cumsum(lengths)[:-1]))
    assert stacked.shape == whole.shape and len(stacked) == len(whole)
    assert stacked.dtype == whole.dtype and stacked.ndim == 4
    n = len(whole)
    rows = data.draw(st.one_of(
        st.lists(st.integers(-n, n - 1), max_size=12).map(lambda r: np.array(r, np.intp)),
        st.lists(st.booleans(), min_size=n, max_size=n).map(np.array),
        st.slices(n), st.integers(-n, n - 1),
    ))  # fmt: skip
    assert np.array_equal(stacked[rows], whole[rows])
    further = data.draw(st.tuples(st.one_of(st.slices(2), st.integers(0, 1)), st.slices(3)))
    assert np.array_equal(stacked[(rows, *further)], whole[(rows, *further)])
    assert np.array_equal(np.asarray(stacked), whole)


def test_ranges_of_each_image_are_kept(tmp_path):
    recipe = Recipe.quick(Grid(size=32), batch_size=8, normalization="image")
    run = mapped(Run.create(tmp_path / "run", [field_image("own")], recipe))
    dim = ImageSource.from_array(field_image(seed=8).load() // 4, "CYX", name="dim",
                                 channel_names=CHANNELS)  # fmt: skip
    add(run, [dim])
    low, high, group = extended(run).value_ranges()
    assert group.tolist() == [0] * 16 + [1] * 16
    assert (high[1] - low[1] < (high[0] - low[0]) / 2).all()


@pytest.mark.parametrize("rgb", [False, True])
def test_grey_images_stored_as_rgb_are_added_as_the_run_is(tmp_path, rgb):
    values = field_image().load()[0]
    stored = [
        ImageSource.from_array(np.stack([v] * 3, axis=-1), "YXS", name=name)
        for name, v in (("own", values), ("new", values // 2))
    ]
    own, new = stored if rgb else grey_as_one(stored)
    recipe = Recipe.quick(Grid(size=32), batch_size=8, rgb=rgb)
    run = mapped(Run.create(tmp_path / "run", [own], recipe))
    for image in (new, stored[1]):
        addition = add(run, [image.renamed(f"added {len(addition_names(run))}")])
        assert addition.store.shape[1] == (3 if rgb else 1)
        assert addition.info.images[0].axes == ("YXS" if rgb else "YX")


# --- what does not fit --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "axes", "says"),
    [
        (np.zeros((64, 64), np.uint16), "YX", "has 1 channels, the run was trained on 2"),
        (np.zeros((64, 64, 3), np.uint8), "YXS", r"3 channels \(RGB\), the run"),
        (np.zeros((2, 64, 64), np.uint8), "CYX", "are uint8, those of the run uint16"),
        (np.zeros((2, 16, 16), np.uint16), "CYX", "larger than"),
    ],
)
def test_images_of_another_kind_are_refused_and_nothing_is_left(run, array, axes, says):
    image = ImageSource.from_array(array, axes, name="odd")
    with pytest.raises(InputError, match=says), new_addition(run) as folder:
        cut_addition(run, folder, [image])
    assert not addition_names(run) and not folder.exists()


def test_one_addition_at_a_time_and_only_onto_a_map(run, tmp_path):
    bare = make_tiny_run(tmp_path / "bare")
    lock = FileLock(run.folder / "training.lock")
    for meanwhile, other, says in (
        (new_addition(run), run, "being added to run already"),
        (lock, run, "is being trained"),
        (nullcontext(), bare, "no map yet"),
    ):
        with meanwhile, pytest.raises(InputError, match=says), new_addition(other):
            pass


# --- half-written, damaged, removed, outdated -----------------------------------------------------


def test_what_is_half_written_is_no_addition_and_goes_with_the_next(run):
    with new_addition(run) as folder:
        cut_addition(run, folder, [field_image()])
        left = shutil.copytree(folder, folder.with_name("007-left"))
    assert not folder.exists() and left.is_dir()
    assert extended(run) is run
    addition = add(run, [field_image()])
    assert not left.exists() and addition.name == "001-images"

    class StopError(Exception):
        pass

    def told(what, done, total):
        raise StopError

    with pytest.raises(StopError), new_addition(run) as folder:
        cut_addition(run, folder, [field_image()], told=told)
    assert not folder.exists() and addition_names(run) == ["001-images"]


FILES = ("images.json", "patches.parquet", "patches.npy", "features.npy", "embedding.parquet",
         "addition.json")  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "cut", "nonsense"])
def test_a_run_opens_without_a_damaged_addition_and_says_why(run, name, damage):
    broken, whole = add(run, [field_image()], "broken"), add(run, [field_image()], "whole")
    path = broken.folder / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"nonsense")
    both = extended(Run.open(run.folder))
    assert both.table["added"].unique().tolist() == ["", whole.name]
    if (name, damage) != ("addition.json", "missing"):  # half-written: not a word on it
        ((refused, reason),) = refused_additions(both)
        assert refused == broken.name and str(broken.folder) in reason and "\n" not in reason


def test_parts_of_two_additions_do_not_mix(run):
    one, other = add(run, [field_image()], "a"), add(run, [field_image(cells=3)], "b")
    for name in ("patches.npy", "embedding.parquet", "features.npy"):
        kept = (one.folder / name).read_bytes()
        (one.folder / name).write_bytes((other.folder / name).read_bytes())
        assert [refused.name for refused in refused_additions(extended(run))] == [one.name]
        (one.folder / name).write_bytes(kept)
    assert not refused_additions(extended(run))


def test_additions_to_an_earlier_map_are_told(run):
    add(run, [field_image()])
    mapped(run, seed=1)
    ((_, reason),) = refused_additions(extended(run))
    assert "earlier map" in reason


# --- clusters and selection ---------------------------------------------------------------------


def found_on(run):
    """Cluster name and selection by image and place."""
    exploration = open_exploration(run)
    names = exploration.clusters.names().astype(object).to_numpy()
    table = run.table
    keys = zip(table["image"], table["y"], table["x"], strict=True)
    return dict(zip(keys, zip(names, exploration.selection.mask, strict=True), strict=True))


def explore(run, masks):
    exploration = open_exploration(run)
    for name, mask in masks.items():
        exploration.clusters.create(mask, name=name)
    exploration.selection.select(masks[next(iter(masks))])
    save_exploration(run, exploration)


def test_clusters_survive_what_is_added_and_removed(run):
    own = np.arange(81) < 20
    explore(run, {"mitotic": own})
    before = found_on(run)
    first = add(run, [field_image("one")], "one")
    both = extended(run)
    assert {key: value for key, value in found_on(both).items() if key in before} == before
    assert all(value == (None, False) or value[0] is np.nan for key, value in found_on(both).items()
               if key not in before)  # fmt: skip

    add(run, [field_image("two", seed=9)], "two")
    three = extended(run)
    explore(three, {"both": np.isin(np.arange(len(three.table)), [0, 85, 100])})
    kept = found_on(three)
    assert sum(name == "both" for name, _ in kept.values()) == 3
    # The first goes: rows of the second are others now, its clusters are not.
    shutil.rmtree(first.folder)
    left = extended(run)
    assert len(left.table) == 97
    assert found_on(left) == {key: kept[key] for key in found_on(left)}
    assert found_on(left)[("two", *left.table[["y", "x"]].iloc[84])] == ("both", True)
    # Another in its place has nothing of it.
    add(run, [field_image("one")], "one")
    assert not any(value[1] for key, value in found_on(extended(run)).items() if key[0] == "one")


def test_clusters_of_what_cannot_be_opened_are_kept_on(run):
    addition = add(run, [field_image("one")], "one")
    both = extended(run)
    explore(both, {"kept": np.arange(97) >= 90, "gone": np.arange(97) == 82})
    hidden = addition.folder / "features.npy"
    content = hidden.read_bytes()
    hidden.unlink()
    # Meanwhile a cluster is deleted, another gets its number.
    alone = extended(run)
    exploration = open_exploration(alone)
    assert len(exploration) == 81
    exploration.clusters.delete([2])
    exploration.clusters.create(np.arange(81) == 3, name="another")
    save_exploration(alone, exploration)
    hidden.write_bytes(content)
    clusters = open_exploration(extended(run)).clusters
    names = clusters.names().astype(object)
    assert (names == "kept").tolist() == [False] * 90 + [True] * 7
    assert np.flatnonzero(names == "another").tolist() == [3]


@given(st.lists(st.integers(0, 3), min_size=2, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=15,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
def test_clusters_are_found_again_whatever_comes_and_goes(tmp_path_factory, steps, random):
    run = mapped(make_tiny_run(tmp_path_factory.mktemp("runs") / "run"))
    known = {}
    for number, step in enumerate(steps):
        names = addition_names(run)
        if step == 0 and names:
            gone = run.folder / "added" / random.choice(names)
            shutil.rmtree(gone)
        elif step < 3:
            add(run, [field_image(f"image {number}", cells=2)], f"n{number}")
        both = extended(run)
        found = found_on(both)
        assert found == {key: known.get(key, found[key]) for key in found}
        mask = np.array([random.random() < 0.3 for _ in range(len(both.table))])
        mask[0] = True
        explore(both, {f"cluster of step {number}": mask})
        known = found_on(both)


def test_what_was_kept_before_anything_could_be_added_opens(run):
    explore(run, {"mitotic": np.arange(81) < 20})
    path = run.folder / "exploration.parquet"
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["added"]), path)
    add(run, [field_image()])
    clusters = open_exploration(extended(run)).clusters
    assert clusters.ids.tolist() == [1] * 20 + [0] * 77


# --- embedded for real --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    recipe = make_tiny_run(tmp_path_factory.mktemp("recipe") / "run").recipe
    folder = tmp_path_factory.mktemp("trained") / "run"
    run = Run.create(folder, [field_image("field", seed=0, cells=12)], recipe)
    train(run, device="cpu", threads=1)
    return Run.open(run.folder)


@pytest.fixture
def copied(trained, tmp_path):
    return Run.open(shutil.copytree(trained.folder, tmp_path / "copied"))


def noise_image():
    pixels = np.random.default_rng(0).integers(0, 60_000, (2, 128, 128)).astype(np.uint16)
    return ImageSource.from_array(pixels, "CYX", name="noise", channel_names=CHANNELS)


def test_an_addition_lies_where_embed_puts_it_and_noise_is_flagged(copied):
    images = [field_image("like", seed=3, cells=6), noise_image()]
    expected = pd.concat(embed(copied, images, device="cpu"))
    steps = []
    with new_addition(copied) as folder:
        cut_addition(copied, folder, images)
        found = embed_addition(copied, folder.name, device="cpu",
                               progress=lambda *step: steps.append(step))  # fmt: skip
    assert steps[-1] == (len(found), len(found))
    added = extended(copied)
    assert np.allclose(added.coordinates[144:], expected[["map_x", "map_y"]], atol=1e-4)
    flags = added.table[144:].groupby("image")["unfamiliar"].mean()
    assert flags["noise"] == 1 and flags["like"] < 0.2
    # An extended run is trained and embedded as the run it is of.
    again = pd.concat(embed(added, images[1:], device="cpu"))
    assert np.allclose(again["familiarity"], added.table["familiarity"][-len(again) :])


def test_embedding_in_a_child(copied):
    with new_addition(copied, "noise") as folder:
        cut_addition(copied, folder, [noise_image()])
        steps = list(EmbeddingProcess(copied.folder, folder.name, "cpu").progress())
    assert (steps[-1].done, steps[-1].total) == (16, 16)
    assert extended(copied).table["unfamiliar"].sum() == 16


def test_a_child_that_fails_says_why(copied):
    with new_addition(copied) as folder:
        cut_addition(copied, folder, [noise_image()])
        (copied.folder / "weights.safetensors").write_bytes(b"nonsense")
        with pytest.raises(TrainingError, match=r"weights\.safetensors"):
            list(EmbeddingProcess(copied.folder, folder.name, "cpu").progress())
    assert not folder.exists()


def test_a_child_that_is_ended_ends_quietly(copied):
    with new_addition(copied) as folder:
        cut_addition(copied, folder, [noise_image()])
        process = EmbeddingProcess(copied.folder, folder.name, "cpu")
        process.kill()
        assert list(process.progress()) == []
    assert not addition_names(copied)


def test_images_of_files_are_recorded(run, tmp_path):
    path = tmp_path / "b.tif"
    tifffile.imwrite(path, field_image().load(), metadata={"axes": "CYX"})
    from napari_tsimcne.images import open_file

    add(run, open_file(path))
    both = extended(run)
    assert isinstance(both, ExtendedRun)
    assert np.array_equal(both.image("b.tif").open().read(0, 0, slice(128), slice(128)),
                          field_image().load())  # fmt: skip
    info = json.loads((both.additions[0].folder / "images.json").read_text())
    assert info["images"][0]["path"] == str(path)
