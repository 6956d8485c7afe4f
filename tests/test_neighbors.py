"""Which patches are alike, and in which order to look at them."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_tsimcne import InputError
from napari_tsimcne.explore import (
    _neighbors,
    _ordering,
    by_column,
    by_similarity,
    representative,
    shuffled,
    similar,
    unusual,
)

COUNT = 40
# Few different values, so that patches of the same features, and of zeros, are met often.
features_of_patches = arrays(np.float32, (COUNT, 3), elements=st.sampled_from([-1, 0, 0.5, 2]))
some_rows = st.sets(st.integers(0, COUNT - 1), min_size=1).map(lambda rows: np.array([*rows]))


def cosines(features):
    """Cosine of each patch with each, (N, N)."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.where(lengths == 0, 1, lengths)
    return unit @ unit.T


# --- similar patches ----------------------------------------------------------------------------


@given(features_of_patches, some_rows, st.integers(0, COUNT + 5), st.integers(1, 200))
def test_the_most_similar_are_found_whatever_fits_into_memory(features, rows, count, at_once):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_neighbors, "VALUES_AT_ONCE", at_once)
        found, similarities = similar(features, rows, count)
    nearest = cosines(features)[:, rows].max(axis=1)
    assert len(found) == min(count, COUNT - len(rows)) and not np.isin(found, rows).any()
    assert len(set(found)) == len(found)
    np.testing.assert_allclose(similarities, nearest[found], atol=1e-5)
    assert (np.diff(similarities) <= 1e-6).all()
    left_out = np.setdiff1d(np.arange(COUNT), [*found, *rows])
    if len(found) and len(left_out):
        assert nearest[left_out].max() <= nearest[found].min() + 1e-5


def test_a_selection_of_two_kinds_finds_more_of_both():
    features = np.repeat(np.eye(4, dtype=np.float32), 10, axis=0)
    found, similarities = similar(features, np.array([0, 10]), 18)
    assert sorted(found) == [*range(1, 10), *range(11, 20)]
    assert (similarities == 1).all()


def test_many_examples_are_sampled_from_a_file_that_is_read_in_parts(tmp_path, monkeypatch):
    features = np.random.default_rng(0).normal(size=(3000, 16)).astype(np.float32)
    np.save(tmp_path / "features.npy", features)
    stored = np.load(tmp_path / "features.npy", mmap_mode="r")
    monkeypatch.setattr(_neighbors, "VALUES_AT_ONCE", 1000)
    rows = np.arange(1000)
    found, similarities = similar(stored, rows, 50, seed=1)
    assert len(found) == 50 and found.min() >= 1000
    # The sample knows of each patch no more than the whole does.
    assert (similarities <= cosines(features)[found][:, rows].max(axis=1) + 1e-5).all()
    np.testing.assert_array_equal(found, similar(stored, rows, 50, seed=1)[0])
    assert not np.array_equal(found, similar(stored, rows, 50, seed=2)[0])


def test_similar_patches_need_an_example():
    with pytest.raises(InputError, match="select one patch or more first"):
        similar(np.zeros((5, 2), np.float32), np.array([], int), 3)


# --- orders -------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(features_of_patches, some_rows, st.sampled_from([3, 10_000]))
def test_every_order_holds_each_patch_once(features, rows, most):
    column = pd.Series(features[:, 0], index=np.arange(COUNT)[::-1])
    orders = [partial(representative, features), partial(unusual, features),
              lambda rows: by_similarity(features, rows, int(rows[-1])),
              partial(by_column, column), partial(shuffled, seed=3)]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_ordering, "MOST_FITTED", most)
        patch.setattr(_ordering, "MOST_COMPARED", most)
        patch.setattr(_neighbors, "VALUES_AT_ONCE", 20)
        for order in orders:
            np.testing.assert_array_equal(np.sort(order(rows)), np.sort(rows))


def blobs(sizes, spread=0.05, seed=0):
    """Patches of several kinds, far from each other: features (N, D), and the kind of each."""
    random = np.random.default_rng(seed)
    kinds = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    around = np.eye(len(sizes), 8)[kinds]
    return (around + spread * random.normal(size=around.shape)).astype(np.float32), kinds


def test_representative_patches_of_every_kind_come_first():
    features, kinds = blobs([200, 100, 6])
    rows = np.arange(len(features))
    order = representative(features, rows)
    assert set(kinds[order[:12]]) == {0, 1, 2}
    # What is far from its own medoid comes last.
    likeness = cosines(features)
    own = [likeness[patch, order[:12]].max() for patch in order[12:]]
    assert np.mean(own[:50]) > np.mean(own[-50:])


def test_the_medoid_of_the_largest_kind_is_the_very_first():
    random = np.random.default_rng(0)
    counts = [5, 30, 12]
    features = np.repeat(np.eye(3, 4, dtype=np.float32), counts, axis=0)[random.permutation(47)]
    order = representative(features, np.arange(47))
    assert [*features[order[:3]].argmax(axis=1)] == [1, 2, 0]


def test_unusual_is_what_does_not_belong_into_the_selection():
    features, kinds = blobs([100, 100])
    # One of a kind that is common, but not among these.
    stranger = np.flatnonzero(kinds == 1)[0]
    rows = np.sort(np.append(np.flatnonzero(kinds == 0), stranger))
    assert unusual(features, rows)[0] == stranger
    whole = unusual(features, np.arange(len(features)))
    assert stranger not in whole[:5]


@given(features_of_patches, some_rows.filter(lambda rows: len(rows) > 2))
def test_unusual_is_measured_by_the_nearest_others(features, rows):
    others = cosines(features[rows])
    np.fill_diagonal(others, -np.inf)
    count = min(15, len(rows) - 1)
    likeness = dict(zip(rows, np.sort(others, axis=1)[:, -count:].mean(axis=1), strict=True))
    assert (np.diff([likeness[row] for row in unusual(features, rows)]) >= -1e-5).all()


def test_unusual_patches_are_found_by_a_sample_of_many(monkeypatch):
    features, _ = blobs([500])
    features[137] = -features[137]
    monkeypatch.setattr(_ordering, "MOST_COMPARED", 50)
    assert unusual(features, np.arange(500))[0] == 137


@given(features_of_patches, some_rows)
def test_similarity_to_the_first(features, rows):
    first = int(rows[len(rows) // 2])
    order = by_similarity(features, rows, first)
    assert order[0] == first
    likeness = cosines(features)[first, order[1:]]
    assert (np.diff(likeness) <= 1e-5).all()


@given(
    st.lists(st.one_of(st.none(), st.floats(-5, 5), st.sampled_from([1.0, 2.0])), min_size=COUNT,
             max_size=COUNT),
    some_rows, st.booleans(),
)  # fmt: skip
def test_a_column_sorts_and_missing_values_come_last(values, rows, descending):
    column = pd.Series(values, dtype="Float64")
    order = by_column(column, rows, descending)
    sorted_values = [values[row] for row in order]
    known = [value for value in sorted_values if value is not None]
    assert known == sorted(known, reverse=descending)
    assert sorted_values[len(known) :] == [None] * (len(rows) - len(known))


def test_columns_of_words_of_clusters_and_of_a_bit_of_both_sort():
    rows = np.array([3, 1, 0, 2])
    words = pd.Series(["b", None, "c", "a"], dtype="str")
    assert [*by_column(words, rows)] == [3, 0, 2, 1]
    clusters = pd.Series(pd.Categorical(["late", "early", None, "late"], ["early", "late"]))
    assert [*by_column(clusters, rows)] == [1, 3, 0, 2]
    mixed = pd.Series([2, "x", None, 1], dtype=object)
    assert [*by_column(mixed, rows, descending=True)] == [1, 0, 3, 2]


def test_a_random_order_is_the_same_for_the_same_seed():
    rows = np.arange(100)
    assert not np.array_equal(shuffled(rows, 0), shuffled(rows, 1))
    np.testing.assert_array_equal(shuffled(rows, 5), shuffled(rows, 5))
