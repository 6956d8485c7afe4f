import numpy as np
import pandas as pd
import pytest
from figures import assert_whole
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import difference_map, difference_text
from napari_tsimcne.export.figures._condition_figures import difference_figure

CENTRES = np.array([[0, 0], [12, 0], [0, 12]])


def wells(random, count, size=40, shares=(1, 1, 1), concentration=1e6):
    """Patches of wells in three heaps, whose shares vary between the wells."""
    drawn = random.dirichlet(np.array(shares) / np.sum(shares) * concentration, count)
    heaps = np.concatenate([random.choice(3, size, p=p) for p in drawn])
    points = CENTRES[heaps] + random.normal(size=(len(heaps), 2))
    return points, np.repeat(np.arange(count), size)


def two_sides(random, count=4, changed=(1, 1, 1), concentration=1e6):
    """Map, treated, control and wells, of so many wells on either side."""
    points, well = wells(random, count, shares=changed, concentration=concentration)
    others, its_wells = wells(random, count, concentration=concentration)
    treated = np.arange(len(points) + len(others)) < len(points)
    names = pd.Series(np.concatenate([well, its_wells + count]))
    return np.concatenate([points, others]), treated, ~treated, names


def test_a_heap_that_grows_is_where_the_difference_is():
    points, treated, control, well = two_sides(np.random.default_rng(0), changed=(1, 1, 8))
    found = difference_map(points, treated, control, well)
    assert found.p == pytest.approx(2 / 70) and found.smallest_p == pytest.approx(2 / 70)
    assert (found.treated_replicates, found.control_replicates) == (4, 4)
    assert (found.treated, found.control) == (160, 160)
    at = found.at(CENTRES)
    assert at[2] > 0.5 * found.limit and at[0] < 0 and at[1] < 0
    assert found.p_at(CENTRES)[2] == pytest.approx(2 / 70)
    assert np.nanmin(found.p_values) == found.p
    assert "lie differently" in difference_text(found)
    # Densities of both add up to one, over the cells' area.
    left, right, bottom, top = found.extent
    rows, columns = found.difference.shape
    area = (right - left) * (top - bottom) / (rows * columns)
    assert found.difference.sum() * area == pytest.approx(0, abs=1e-3)
    assert np.maximum(found.difference, 0).sum() * area == pytest.approx(0.47, abs=0.08)
    backwards = difference_map(points, control, treated, well)
    assert backwards.difference == pytest.approx(-found.difference, abs=1e-7)
    assert backwards.p == found.p


def test_each_replicate_weighs_the_same():
    random = np.random.default_rng(0)
    # A large well in the first heap, a small one in the second: as dense in both.
    heaps = np.repeat([0, 1, 2, 2], [900, 100, 100, 100])
    points = CENTRES[heaps] + random.normal(size=(1200, 2))
    well = pd.Series(np.repeat(list("abcd"), [900, 100, 100, 100]))
    treated = heaps < 2
    at = difference_map(points, treated, ~treated, well, bandwidth=1).at(CENTRES)
    assert at[0] == pytest.approx(at[1], rel=0.25) and at[2] < 0
    at = difference_map(points, treated, ~treated, bandwidth=1).at(CENTRES)
    assert at[0] == pytest.approx(9 * at[1], rel=0.25)


def test_where_wells_differ_anyway_p_is_uniform_but_not_if_patches_are_shuffled():
    random = np.random.default_rng(1)
    by_well, by_patch = [], []
    for _ in range(120):
        points, treated, control, well = two_sides(random, concentration=4)
        by_well.append(difference_map(points, treated, control, well, bandwidth=1.5).p)
        if len(by_patch) < 30:
            found = difference_map(points, treated, control, permutations=99, bandwidth=1.5)
            by_patch.append(found.p)
    by_well, by_patch = np.array(by_well), np.array(by_patch)
    # 0.2 is one of the values that p can take with 4 against 4 wells.
    assert np.mean(by_well <= 0.2 + 1e-9) == pytest.approx(0.2, abs=0.1)
    assert np.mean(by_well) == pytest.approx(0.51, abs=0.08)
    assert np.mean(by_patch < 0.05) > 0.4


def test_where_nothing_differs_p_of_independent_patches_is_uniform_too():
    random = np.random.default_rng(2)
    found = []
    for _ in range(60):
        points, treated, control, _ = two_sides(random)
        found.append(difference_map(points, treated, control, permutations=99, bandwidth=2).p)
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_the_spread_of_independent_patches_is_that_of_replicates_of_one_patch_each():
    random = np.random.default_rng(3)
    points = CENTRES[random.integers(0, 3, 60)] + random.normal(size=(60, 2))
    treated = random.random(60) < 0.5
    alone = difference_map(points, treated, ~treated, permutations=399)
    each = difference_map(points, treated, ~treated, pd.Series(np.arange(60)), permutations=399)
    assert alone.difference == pytest.approx(each.difference, abs=1e-6)
    assert alone.p == pytest.approx(each.p, abs=0.1)
    assert alone.treated_replicates == 0 and each.treated_replicates == treated.sum()
    assert "no evidence" in difference_text(alone)


@pytest.mark.parametrize(
    ("count", "smallest", "said"), [(1, "1", "p is 1,"), (2, "0.33", "p is 0.33,")]
)
def test_too_few_wells_are_said_to_show_nothing(count, smallest, said):
    points, treated, control, well = two_sides(np.random.default_rng(0), count, (1, 1, 8))
    found = difference_map(points, treated, control, well)
    assert f"{found.smallest_p:.2g}" == smallest and found.p >= found.smallest_p
    text = difference_text(found)
    assert f"cannot be determined with {count} + {count} replicates" in text and said in text


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3), st.integers(2, 40))
def test_maps_of_any_scale_and_size_are_compared(seed, scale, count):
    random = np.random.default_rng(seed)
    points = random.normal(size=(count, 2)) * scale * random.choice([0, 1], 2)
    treated = np.arange(count) % 2 == 0
    well = pd.Series(random.integers(0, 3, count))
    for replicate in (well, None):
        found = difference_map(points, treated, ~treated, replicate, permutations=19)
        assert 0 < found.smallest_p <= found.p <= 1
        assert np.isfinite(found.difference).all() and np.isfinite(found.at(points)).all()
        assert max(found.difference.shape) < 200
        again = difference_map(points, treated, ~treated, replicate, permutations=19)
        assert again.p == found.p


def test_what_cannot_be_compared_is_refused():
    points, treated, control, well = two_sides(np.random.default_rng(0), 2)
    with pytest.raises(InputError, match="both treated and control"):
        difference_map(points, treated, treated, well)
    with pytest.raises(InputError, match="no patch is control"):
        difference_map(points, treated, control, well.where(treated))
    unplaced = np.where(np.arange(len(points))[:, None] == 3, np.nan, points)
    with pytest.raises(InputError, match="no place on the map"):
        difference_map(unplaced, treated, control, well)
    # Patches of neither side may lie anywhere, or nowhere.
    aside = np.arange(len(points)) == 3
    difference_map(unplaced, treated & ~aside, control, well)

    def cancel(what, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        difference_map(points, treated, control, well, told=cancel)


def test_the_figure_is_whole_and_outlines_what_is_significant():
    points, treated, control, well = two_sides(np.random.default_rng(0), changed=(1, 1, 8))
    found = difference_map(points, treated, control, well)
    figure = difference_figure(found, points, treated="Wortmannin at 250 nM for two hours")
    assert_whole(figure)
    assert "corrected" in figure.legends[0].get_texts()[0].get_text()
    points, treated, control, well = two_sides(np.random.default_rng(5), 2)
    assert not difference_figure(difference_map(points, treated, control, well), points).legends
