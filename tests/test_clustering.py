"""Automatic clustering, what it warns of, and what clusters consist of."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score

import napari_tsimcne.explore._clustering as clustering
from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import (
    Clusters,
    automatic_clusters,
    cluster_table,
    counted,
    doubts,
    groupings,
    medoids,
    percent,
    reduced,
    value_counts,
)
from napari_tsimcne.runs import open_exploration
from napari_tsimcne.terminal._cluster import cluster_in_terminal

METHODS = ("hdbscan", "k-means", "gaussian mixture")
# Few different values, so that points coincide; very small and large ones, as maps may have.
coordinates = st.tuples(st.integers(1, 40), st.sampled_from([1e-3, 1.0, 1e4])).flatmap(
    lambda made: arrays(np.float32, (made[0], 2), elements=st.integers(-3, 3)).map(
        lambda points: points * np.float32(made[1])
    )
)


def islands(count, noise=0.0, seed=0, size=6):
    """Points on a map of islands of unequal size and density, and the island of each."""
    random = np.random.default_rng(seed)
    island = random.choice(size, count, p=random.dirichlet(np.full(size, 4)))
    angle = island * 2 * np.pi / size
    middle = 30 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = middle + random.normal(size=(count, 2)) * (1 + island % 3)[:, None]
    between = random.random(count) < noise
    points[between] = random.uniform(-60, 60, (between.sum(), 2))
    return points.astype(np.float32), np.where(between, -1, island)


# --- automatic clustering -----------------------------------------------------------------------


@settings(max_examples=30)
@given(coordinates, st.sampled_from(METHODS), st.integers(2, 9), st.integers(0, 3))
def test_labels_count_from_0_and_a_seed_repeats_them(points, method, size, seed):
    labels = automatic_clusters(points, method, size, seed)
    assert labels.shape == (len(points),) and labels.dtype == np.int32
    found = np.unique(labels[labels >= 0])
    assert list(found) == list(range(len(found))) and labels.min() >= -1
    assert np.array_equal(labels, automatic_clusters(points, method, size, seed))
    if method == "hdbscan":
        assert all(np.bincount(labels[labels >= 0]) >= size)
    else:
        assert labels.min() == 0 and len(found) <= size
    # Points in the same place are alike, and in no two clusters.
    for place in np.unique(points, axis=0):
        here = labels[(points == place).all(axis=1)]
        assert len(set(here) - {-1}) <= 1


@pytest.mark.parametrize("method", METHODS)
def test_islands_are_found(method):
    points, island = islands(3000)
    labels = automatic_clusters(points, method, 40 if method == "hdbscan" else 6)
    assert labels.max() == 5 and adjusted_rand_score(island, labels) > 0.98


@pytest.mark.parametrize("method", METHODS)
def test_the_scale_of_the_map_does_not_matter(method):
    points, _ = islands(1500)
    of_one = automatic_clusters(points, method, 6)
    assert adjusted_rand_score(of_one, automatic_clusters(points * 1000, method, 6)) > 0.99


def exact(points, fewest):
    model = HDBSCAN(min_cluster_size=fewest, min_samples=min(10, fewest), copy=True)
    return model.fit_predict(points)


@settings(max_examples=15)
@example(55, 9, 55)
@given(st.integers(30, 450), st.integers(4, 20), st.integers(0, 99))
def test_hdbscan_of_few_points_takes_every_distance(count, fewest, seed):
    points, _ = islands(count, noise=0.1, seed=seed)
    points = points.astype(np.float64)
    labels, expected = clustering.hdbscan(points, fewest), exact(points, fewest)
    # Where distances tie, a patch at the edge of a cluster may go either way.
    assert labels.max() == expected.max()
    few = np.count_nonzero(labels != expected) <= 2
    assert few or adjusted_rand_score(expected, labels) > 0.9


def test_hdbscan_of_near_neighbours_agrees_with_every_distance():
    points, _ = islands(6000, noise=0.05)
    points = points.astype(np.float64)
    labels = clustering.hdbscan(points, 60)
    assert adjusted_rand_score(exact(points, 60), labels) > 0.98
    assert 0.005 < np.mean(labels < 0) < 0.07


def test_hdbscan_of_a_sample_reaches_every_patch(monkeypatch):
    points, island = islands(6000)
    monkeypatch.setattr(clustering, "MOST_ON_MAP", 1500)
    monkeypatch.setattr(clustering, "MOST_FITTED", 1500)
    for method, size in (("hdbscan", 200), ("gaussian mixture", 6)):
        labels = automatic_clusters(points, method, size)
        assert labels.max() == 5 and adjusted_rand_score(island, labels) > 0.97


def test_features_are_compared_by_their_angle():
    random = np.random.default_rng(0)
    kind = random.integers(0, 3, 600)
    directions = random.normal(size=(3, 64))
    features = (directions[kind] + random.normal(size=(600, 64)) * 0.3).astype(np.float32)
    points = reduced(features * random.uniform(0.1, 10, (600, 1)).astype(np.float32))
    assert points.shape == (600, 20) and points.dtype == np.float32
    assert np.allclose(points, reduced(features), atol=1e-4)
    for method in METHODS:
        labels = automatic_clusters(points, method, 30 if method == "hdbscan" else 3)
        inside = labels >= 0
        assert inside.mean() > 0.8 and adjusted_rand_score(kind[inside], labels[inside]) > 0.98
    assert reduced(features[:5]).shape == (5, 5) and reduced(features[:, :7]).shape == (600, 7)
    assert np.isfinite(reduced(np.zeros((30, 8), np.float32))).all()


# --- in words -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "outside", "says", "warns"),
    [
        ([40, 30, 27], 3, "3 clusters, 3 % of patches unassigned", ()),
        ([50, 50], 0, "2 clusters", ()),
        ([], 100, "0 clusters, 100 % of patches unassigned", ("No cluster was found",)),
        ([100], 0, "1 cluster", ("only one cluster",)),
        ([95, 5], 0, "2 clusters", ("One cluster holds 95 % of all",)),
        (
            [20, 20],
            60,
            "2 clusters, 60 % of patches unassigned",
            ("Most patches (60 %)",),
        ),
        ([30], 70, "1 cluster, 70 % of patches unassigned", ("only one cluster", "Most patches")),
        ([2] * 101, 0, "101 clusters", ("hard to tell apart",)),
        ([999], 1, "1 cluster, <1 % of patches unassigned", ("only one cluster",)),
    ],
)
def test_a_clustering_is_told_in_words(sizes, outside, says, warns):
    labels = np.repeat(np.arange(-1, len(sizes)), [outside, *sizes]).astype(np.int32)
    assert counted(labels) == says
    told = doubts(labels)
    assert len(told) == len(warns)
    assert all(part in sentence for part, sentence in zip(warns, told, strict=True))


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_share_is_0_or_100_only_where_it_is_so(part, whole):
    part = min(part, whole)
    text = percent(part, whole)
    assert (text == "0 %") == (part == 0) and (text == "100 %") == (part == whole)


# --- what clusters consist of -------------------------------------------------------------------

grouped = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["a", "b", "none", None])), min_size=1, max_size=30
)


@given(grouped, st.permutations([1, 2, 3]))
def test_shares_add_up(rows, order):
    made = Clusters(3)
    made.replace(np.array([0, 1, 2]))
    by_id = {cluster.id: cluster for cluster in made.all}
    ids = np.array([row[0] for row in rows], np.int32)
    clusters = Clusters(len(rows), clusters=[by_id[i] for i in order], ids=ids)
    table = pd.DataFrame({"drug": [row[1] for row in rows]}, dtype=object)
    counts = value_counts(clusters, table["drug"])
    assert list(counts.index) == [0, *order]
    text = table["drug"].fillna("none")
    for value in counts.columns:
        assert counts.loc[0, value] == (text == value).sum()
        for i in order:
            assert counts.loc[i, value] == ((text == value) & (ids == i)).sum()
    described = cluster_table(clusters, table, by="drug")
    assert list(described.index) == order
    assert np.allclose(described["share"].sum(), np.mean(ids > 0))
    shares = described.filter(like="drug: ").sum(axis=1)
    assert np.allclose(shares, described["size"] > 0)


def test_the_table_of_clusters():
    clusters = Clusters(8)
    clusters.create(np.arange(8) < 4, name="round", color="#112233", note="all of them")
    clusters.create(np.arange(8) == 7, name="long")
    table = pd.DataFrame({"dose": [0, 0, 0, 10, 10, 10, 10, 10]})
    found = cluster_table(clusters, table, by="dose")
    assert list(found.columns) == ["name", "color", "note", "size", "share", "dose: 0", "dose: 10"]
    assert found.loc[1].tolist() == ["round", "#112233", "all of them", 4, 0.5, 0.75, 0.25]
    assert found.loc[2, ["size", "share", "dose: 0", "dose: 10"]].tolist() == [1, 0.125, 0, 1]
    assert len(cluster_table(Clusters(8), table, by="dose")) == 0


def test_columns_that_clusters_can_be_shared_out_by():
    count = 40
    table = pd.DataFrame({
        "patch": range(count), "image": ["a", "b"] * 20, "t": np.arange(count) % 5, "z": 0,
        "y": 1.0, "x": 2, "size": np.arange(count) % 2, "label": np.arange(count) % 3,
        "drug": ["only one"] * count, "name": [f"cell {i}" for i in range(count)],
        "kind": pd.Categorical(["p", None] * 20), "alive": [True, False] * 20,
        "area": np.linspace(0, 1, count), "well": np.arange(count) % 13,
        "text": pd.array(["u", "v", None, "w"] * 10, dtype="string"),
    })  # fmt: skip
    assert groupings(table) == ["image", "t", "kind", "alive", "text"]


@given(arrays(bool, 30), st.integers(1, 4), st.booleans())
def test_medoids_are_members(mask, count, alike):
    random = np.random.default_rng(0)
    features = np.ones((30, 5)) if alike else random.normal(size=(30, 5))
    found = medoids(features.astype(np.float32), mask, count)
    assert mask[found].all() and len(set(found)) == len(found) == min(count, mask.sum())


def test_medoids_of_many_patches_are_typical():
    random = np.random.default_rng(0)
    direction = random.normal(size=32)
    spread = np.where(np.arange(4000) % 2, 0.3, 3.0)
    features = (direction + random.normal(size=(4000, 32)) * spread[:, None]).astype(np.float32)
    mask = np.arange(4000) != 1
    found = medoids(features, mask, 3)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    closeness = unit @ direction
    # The largest group is that of the patches which are all alike; odd ones are the others.
    assert found[0] % 2 == 1 and closeness[found[0]] > np.quantile(closeness, 0.5)
    assert np.array_equal(found, medoids(features, mask, 3)) and len(set(found)) == 3


# --- in the terminal ------------------------------------------------------------------------------


@pytest.fixture
def two_islands(tiny_run):
    """A run whose map has two islands, of 50 and 31 patches."""
    random = np.random.default_rng(0)
    coordinates = random.normal(0, 0.1, (81, 2)) + np.where(np.arange(81) < 50, 0, 9)[:, None]
    features = random.normal(0, 0.1, (81, 8)) + np.eye(8)[np.arange(81) % 3]
    tiny_run.save_map(coordinates, features, stopped=False,
                      write_weights=lambda path: path.write_bytes(b"w"))  # fmt: skip
    return tiny_run


def test_the_terminal_makes_clusters_and_keeps_them(two_islands, capsys):
    cluster_in_terminal(two_islands, "hdbscan")
    told = " ".join(capsys.readouterr().out.split())
    kept = open_exploration(two_islands).clusters
    assert sorted(kept.sizes().values()) == [31, 50]
    assert all(f"{one.name} {kept.sizes()[one.id]}" in told for one in kept.all)
    # As the window's: the same labels from the same defaults.
    assert (kept.ids == automatic_clusters(two_islands.coordinates, "hdbscan", 5) + 1).all()

    with pytest.raises(InputError, match="has 2 clusters: give --overwrite"):
        cluster_in_terminal(two_islands, "k-means", count=3)
    assert len(open_exploration(two_islands).clusters) == 2
    cluster_in_terminal(two_islands, "gaussian mixture", count=3, in_features=True, overwrite=True)
    sizes = open_exploration(two_islands).clusters.sizes()
    assert list(sizes.values()) == [27, 27, 27]


def test_what_the_terminal_cannot_cluster_is_told(two_islands, capsys):
    for options, told in (
        ({"method": "hdbscan", "count": 3}, "--n-clusters is for kmeans and gaussian"),
        ({"method": "k-means", "least": 3}, "--min-size is for hdbscan"),
        ({"method": "k-means", "count": 99}, "more than there are patches"),
        ({"method": "hdbscan", "least": 60}, "no cluster was found"),
    ):
        with pytest.raises(InputError, match=told):
            cluster_in_terminal(two_islands, **options)
    assert not len(open_exploration(two_islands).clusters)


def test_a_run_without_a_map_has_no_clusters(tiny_run):
    with pytest.raises(InputError, match="has no map yet: train it first"):
        cluster_in_terminal(tiny_run, "hdbscan")
