import os
import shutil

import numpy as np
import pandas as pd
import pytest
import torch  # noqa: F401  # where tests of the window run first, it cannot be loaded after Qt
from hypothesis import given, settings
from hypothesis import strategies as st
from making import make_tiny_run, mapped

from napari_tsimcne import InputError, Run
from napari_tsimcne.explore import (
    Clusters,
    chance,
    cluster_stability,
    nearest,
    stability,
    stability_text,
    together,
)
from napari_tsimcne.runs import (
    compare_seeds,
    next_seed,
    save_exploration,
    seed_run,
    seed_runs,
    stability_column,
    training_seconds,
    with_seed,
    with_stability,
)
from napari_tsimcne.runs._exploration import open_exploration
from napari_tsimcne.terminal._compare import compare_in_terminal


def scattered(count, seed=0, dimensions=2):
    return np.random.default_rng(seed).normal(size=(count, dimensions))


# --- the measure ----------------------------------------------------------------------------------


@settings(max_examples=30)
@given(
    count=st.integers(2, 60), k=st.integers(1, 20), dimensions=st.integers(2, 3),
    seed=st.integers(0, 99), grid=st.booleans(),
)  # fmt: skip
def test_nearest_are_those_with_the_smallest_distances(count, k, dimensions, seed, grid):
    points = scattered(count, seed, dimensions)
    if grid:
        points = np.round(points)  # many at the same place
    found = nearest(points, k)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    expected = np.sort(distances, axis=1)[:, : min(k, count - 1)]
    assert found.shape == expected.shape and found.dtype == np.int32
    assert np.allclose(np.take_along_axis(distances, found, 1), expected)
    assert all(len(set(row)) == len(row) for row in found)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 99), angle=st.floats(0, 2 * np.pi), scale=st.floats(0.01, 100),
    mirrored=st.booleans(), k=st.integers(1, 30),
)  # fmt: skip
def test_a_map_turned_moved_mirrored_or_scaled_is_the_same(seed, angle, scale, mirrored, k):
    points = scattered(80, seed)
    cos, sin = np.cos(angle), np.sin(angle)
    other = points @ np.array([[cos, -sin], [sin, cos]]) * scale + 7
    if mirrored:
        other = other[:, ::-1]
    values = stability(points, [points, other], k)
    assert values.shape == (80,) and values.dtype == np.float32
    assert (values == 1).all()


def test_unrelated_maps_share_what_chance_gives():
    points = scattered(3000)
    unrelated = [scattered(3000, seed) for seed in (1, 2)]
    for k in (15, 150):
        mean = stability(points, unrelated, k).mean()
        assert mean == pytest.approx(chance(3000, k), rel=0.1)
    assert chance(3000, 15) == pytest.approx(15 / 2999) and chance(10, 15) == 1


def test_the_stability_is_high_only_where_the_maps_agree():
    points, other = scattered(2000), scattered(2000)
    moved = points[:, 0] > 0
    other[moved] = scattered(2000, seed=1)[moved] + 100
    values = stability(points, [other])
    assert values[~moved].mean() > 0.9 and values[moved].mean() < 0.1
    # The mean over other maps is that of the shares.
    both = stability(points, [other, points])
    assert np.allclose(both, (values + 1) / 2)


def test_an_island_of_patches_all_alike_keeps_together():
    """Its neighbours change by chance, but it is the same island."""
    islands = np.repeat([0, 1], 1000)
    maps = [scattered(2000, seed) + 50 * islands[:, None] for seed in (0, 1)]
    near = [nearest(points) for points in maps]
    assert stability(maps[0], [maps[1]]).mean() < 0.05
    assert (together(islands, near[1]) == 1).all()
    random = np.random.default_rng(0).permutation(islands)
    assert together(random, near[1]).mean() == pytest.approx(0.5, abs=0.03)


def test_few_patches_can_keep_together_wholly():
    ids = np.array([1, 1, 1, 2, 3, 3])
    near = np.array([[1, 2, 3], [2, 0, 3], [0, 3, 1], [0, 1, 2], [5, 0, 1], [0, 4, 1]])
    found = together(ids, near)
    assert found == pytest.approx([1, 1, 0.5, np.nan, 1, 0], nan_ok=True)


def test_each_cluster_is_told_of():
    clusters = Clusters(100)
    rows = np.arange(100)
    first = clusters.create(rows < 20, name="first")
    second = clusters.create((rows >= 20) & (rows < 60), name="second")
    empty = clusters.create(rows < 0, name="empty")
    values = np.where(rows < 20, 0.9, 0.2).astype(np.float32)
    # All neighbours of a patch are its cluster's, but for the second, of which half are.
    near = np.stack([(rows + 1) % 20, (rows + 2) % 20], axis=1)
    near[rows >= 20] = [70, 30]
    found = cluster_stability(clusters, values[:90], [near[:90]])
    assert list(found.index) == [first.id, second.id, empty.id]
    assert list(found["name"]) == ["first", "second", "empty"]
    assert list(found["size"]) == [20, 40, 0]
    assert found["stability"].to_numpy() == pytest.approx([0.9, 0.2, np.nan], nan_ok=True)
    assert found["together"].to_numpy() == pytest.approx([1, 0.5, np.nan], nan_ok=True)
    assert found["together_by_chance"].to_numpy() == pytest.approx([19 / 89, 39 / 89, 0])


def test_a_sentence_says_it():
    values = np.full(15_001, 0.624, np.float32)
    assert stability_text(values) == (
        "62 of 100 nearest neighbours on the map are the same with another seed; by chance it "
        "would be 0.1"
    )
    assert stability_text(values[:21]).endswith("by chance it would be 75")
    with pytest.raises(InputError, match="at least two"):
        nearest(np.zeros((1, 2)))


# --- runs with other seeds ------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path):
    return mapped(make_tiny_run(tmp_path / "run"))


def read_all(run):
    return (np.array(run.store), run.table, run.info.channels)


def test_a_seed_has_the_patches_and_another_seed(run, tmp_path):
    other = with_seed(run, tmp_path / "other", 7)
    assert other.recipe == run.recipe.model_copy(update={"seed": 7})
    assert not other.has_map and not other.checkpoint_path.exists()
    store, table, channels = read_all(other)
    assert np.array_equal(store, run.store) and channels == run.info.channels
    pd.testing.assert_frame_equal(table, run.table)
    assert (other.folder / "patches.npy").samefile(run.folder / "patches.npy")
    with pytest.raises(InputError, match="choose another one"):
        with_seed(run, tmp_path / "same", 0)
    with pytest.raises(InputError, match="is in use"):
        with_seed(run, tmp_path / "other", 8)


def test_without_hard_links_patches_are_copied(run, tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError("not here")

    monkeypatch.setattr(os, "link", refuse)
    other = with_seed(run, tmp_path / "other", 1)
    assert np.array_equal(other.store, run.store)
    assert not (other.folder / "patches.npy").samefile(run.folder / "patches.npy")


def test_a_full_disk_leaves_nothing(run, tmp_path, monkeypatch):
    def full(source, target):
        raise OSError("No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(InputError, match="No space left"):
        with_seed(run, tmp_path / "other", 1)
    assert not (tmp_path / "other").exists()


def test_seeds_of_a_run_are_found_again(run):
    assert seed_runs(run) == [] and next_seed(run) == 1
    left = run.folder / "seeds" / "1"
    left.mkdir(parents=True)
    (left / "patches.npy").write_bytes(b"cut off")
    assert next_seed(run) == 1
    made = seed_run(run, 1)
    assert made.folder == left and np.array_equal(made.store, run.store)
    # It is to be learnt to its end before another is begun.
    assert next_seed(run) == 1
    mapped(made, seed=1)
    assert next_seed(run) == 2 and seed_run(run, 1).has_map
    mapped(seed_run(run, 10))
    assert [other.recipe.seed for other in seed_runs(run)] == [1, 10]


def test_maps_are_compared_and_the_stability_is_kept(run):
    with pytest.raises(InputError, match="one seed only"):
        compare_seeds(run)
    assert stability_column(run.table) not in with_stability(run)
    same, unlike = mapped(seed_run(run, 3), seed=0), mapped(seed_run(run, 5), seed=1)
    found = compare_seeds(run)
    assert found.seeds == (3, 5) and found.neighbors == 15
    expected = stability(run.coordinates, [same.coordinates, unlike.coordinates])
    assert np.array_equal(found.stability, expected) and 0.5 < expected.mean() < 0.75
    table = with_stability(run)
    assert np.array_equal(table["stability"], expected) and "stability" not in run.table
    written = pd.read_parquet(run.folder / "stability.parquet")
    assert list(written) == ["patch", "stability"]
    assert [path.name for path in run.folder.glob(".*.writing")] == []


def test_a_stability_that_does_not_fit_is_passed_over(run):
    mapped(seed_run(run, 1), seed=1)
    compare_seeds(run)
    assert "stability" in with_stability(run)
    path = run.folder / "stability.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "stability" not in with_stability(run)
    path.write_bytes(whole)
    mapped(run, seed=2)
    assert "stability" not in with_stability(run)


def test_a_column_of_the_user_keeps_its_name(run):
    mapped(seed_run(run, 1), seed=1)
    compare_seeds(run)
    run.table = run.table.assign(stability="mine")
    table = with_stability(run)
    assert set(table["stability"]) == {"mine"}
    assert table[stability_column(run.table)].between(0, 1).all()


def test_patches_that_were_not_learnt_from_have_none(run):
    mapped(seed_run(run, 1), seed=1)
    found = compare_seeds(run)
    run.table = pd.concat([run.table, run.table.head(5)], ignore_index=True)
    column = with_stability(run)["stability"]
    assert np.array_equal(column[:-5], found.stability) and column[-5:].isna().all()


def test_a_map_that_was_stopped_is_not_compared(tmp_path):
    run = make_tiny_run(tmp_path / "run")
    for ended in (run, mapped_and_stopped(run)):
        with pytest.raises(InputError, match="not learnt to its end"):
            seed_run(ended, 1)
        with pytest.raises(InputError, match="not learnt to its end"):
            compare_seeds(ended)
    run = mapped(run)
    mapped(seed_run(run, 1), seed=1)
    mapped_and_stopped(seed_run(run, 2))
    assert compare_seeds(run).seeds == (1,)


def mapped_and_stopped(run):
    count = len(run.table)
    run.save_map(scattered(count), scattered(count, dimensions=8), stopped=True,
                 write_weights=lambda path: path.write_bytes(b""))  # fmt: skip
    return run


# --- the command ----------------------------------------------------------------------------------


def test_the_command_trains_compares_and_tells_of_each_cluster(run, capsys):
    assert training_seconds(run) is None
    exploration = open_exploration(run)
    exploration.clusters.create(exploration.coordinates[:, 0] > 0, name="right")
    save_exploration(run, exploration)
    before = (run.folder / "embedding.parquet").read_bytes()

    compare_in_terminal(run, None, "cpu")
    told = " ".join(capsys.readouterr().out.split())
    assert "with the seed 1" in told and "Trained in" in told
    assert "nearest neighbours on the map are the same" in told and "by chance it would be" in told
    assert "right" in told and "keeps together" in told
    other = Run.open(run.folder / "seeds" / "1")
    assert other.info.state == "trained" and other.recipe.seed == 1
    assert training_seconds(other) > 0
    assert not np.allclose(other.coordinates, run.coordinates)
    assert (run.folder / "embedding.parquet").read_bytes() == before
    assert with_stability(run)["stability"].between(0, 1).all()

    compare_in_terminal(run, 1, "cpu")
    told = " ".join(capsys.readouterr().out.split())
    assert "was learnt before" in told and "Trained in" not in told


def test_islands_stand_for_clusters_that_were_not_made(run, capsys):
    random = np.random.default_rng(0)
    count = len(run.table)
    islands = np.repeat([[0, 0], [40, 0]], [count - 50, 50], axis=0)
    for one in (run, seed_run(run, 1)):
        one.save_map(islands + random.normal(size=(count, 2)), random.normal(size=(count, 8)),
                     stopped=False, write_weights=lambda path: path.write_bytes(b""))  # fmt: skip
    compare_in_terminal(run, 1, "cpu")
    told = " ".join(capsys.readouterr().out.split())
    assert "Islands of the map, as HDBSCAN finds them" in told
    assert "cluster 1 50 " in told and "100.0%" in told
