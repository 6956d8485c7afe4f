"""What the points of a map are coloured by."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib import colormaps
from matplotlib.colors import to_hex, to_rgba

from napari_tsimcne.explore import Coloring, Exploration
from napari_tsimcne.explore._colors import CONTINUOUS
from napari_tsimcne.explore._density import density

GREY = "#808080"
PLAIN = "#5ca6ee"

texts = st.sampled_from(["drug A", "drug B", "none", "1", "µ", ""]) | st.text(max_size=3)


def exploration_of(**columns):
    count = len(next(iter(columns.values())))
    table = pd.DataFrame({"patch": np.arange(count), **columns})
    random = np.random.default_rng(0)
    return Exploration(table, random.normal(size=(count, 2)), lambda: np.zeros((count, 2)))


def coloring_by(column, values):
    coloring = Coloring(exploration_of(**{column: values}))
    coloring.choose(column)
    return coloring


def classes_agree(coloring):
    """Every patch has the colour of exactly one class, and there are as many as are counted."""
    hexes = np.array([to_hex(color) for color in coloring.colors])
    for category in coloring.categories:
        of_class = hexes == category.color
        assert of_class.sum() == category.count
        assert (coloring.shown[of_class] == category.shown).all()
    assert sum(category.count for category in coloring.categories) == len(hexes)
    names = [category.name for category in coloring.categories]
    assert len(set(names)) == len(names)


# --- classes --------------------------------------------------------------------------------------


@given(st.lists(texts | st.none(), min_size=2, max_size=60), st.data())
def test_every_patch_has_the_colour_of_its_class(values, data):
    coloring = Coloring(exploration_of(drug=values))
    if "drug" not in coloring.choices:
        assert len(set(values)) == 1 or len(set(values)) == len(values) > 20
        return
    coloring.choose("drug")
    classes_agree(coloring)
    names = [category.name for category in coloring.categories]
    for row, value in enumerate(values):
        if value in names and not (value == "none" and None in values):
            expected = coloring.categories[names.index(value)].color
            assert to_hex(coloring.colors[row]) == expected
    for name in data.draw(st.lists(st.sampled_from(names), max_size=4)):
        before = {c.name: c.shown for c in coloring.categories}
        coloring.toggle(name)
        after = {c.name: c.shown for c in coloring.categories}
        if any(shown for other, shown in before.items() if other != name) or not before[name]:
            assert after == {**before, name: not before[name]}
        else:
            assert all(after.values())
        classes_agree(coloring)
    chosen = data.draw(st.sets(st.sampled_from(names), min_size=1))
    coloring.isolate(chosen)
    assert {c.name for c in coloring.categories if c.shown} == chosen
    classes_agree(coloring)
    coloring.isolate(None)
    assert coloring.shown.all()


@given(st.integers(21, 60), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_of_many_values_the_most_frequent_stay(different, missing, seed):
    random = np.random.default_rng(seed)
    sizes = random.permutation(np.arange(2, 100))[:different].tolist()
    values = [f"v{i}" for i, size in enumerate(sizes) for _ in range(size)] + [None] * missing
    values = random.permutation(np.array(values, object))
    coloring = coloring_by("kind", values)
    classes_agree(coloring)
    counts = {category.name: category.count for category in coloring.categories}
    largest = sorted(sizes)[-19:]
    assert sorted(counts[name] for name in counts if name.startswith("v")) == largest
    assert counts[f"other ({different - 19})"] == sum(sizes) - sum(largest)
    assert counts.get("none", 0) == missing
    assert [name for name in counts if name.startswith("v")] == sorted(
        (name for name in counts if name.startswith("v")), key=lambda name: int(name[1:])
    )


@pytest.mark.parametrize("values, names", [
    (["A10", "A2", "b1", None], ["A2", "A10", "b1", "none"]),
    ([10, 9, 9, 1], ["1", "9", "10"]),
    ([10.0, 9.0, np.nan, -1.0], ["-1", "9", "10", "none"]),
    ([True, False, True, True], ["False", "True"]),
    (pd.array([True, None, True, False], dtype="boolean"), ["False", "True", "none"]),
    ([True, None, True, False], ["False", "True", "none"]),
    (pd.array([3, None, 1, 3], dtype="Int64"), ["1", "3", "none"]),
    (pd.Categorical(["late", "early", "late", None], ["early", "mid", "late"]),
     ["early", "late", "none"]),
    (["none", None, "a", "a"], ["a", "none", "(none)"]),
    ([1, "1", "a", None], ["1", "a", "none"]),
])  # fmt: skip
def test_classes_are_named_and_in_order(values, names):
    coloring = coloring_by("c", values)
    assert [category.name for category in coloring.categories] == names
    assert coloring.limits is None
    classes_agree(coloring)


def test_what_can_be_coloured_by():
    count = 30
    coloring = Coloring(exploration_of(
        t=[0] * count, label=np.arange(count), area=np.linspace(0, 1, count),
        name=[f"cell {i}" for i in range(count)], image=["a", "b"] * (count // 2),
        x=np.arange(count) * 1.5, nothing=[None] * count, density=np.arange(count),
    ))  # fmt: skip
    # The table's own density keeps its name.
    assert coloring.choices == ["cluster", "density of the map", "image", "area", "x", "density"]
    assert coloring.column == "cluster"
    with pytest.raises(ValueError, match="label"):
        coloring.choose("label")


# --- numbers --------------------------------------------------------------------------------------


@given(arrays(float, st.integers(20, 200), elements=st.floats(allow_nan=True, width=32)))
def test_numbers_run_from_the_first_to_the_99th_percentile(values):
    finite = values[np.isfinite(values)]
    whole = (finite == np.round(finite)).all() and not np.isinf(values).any()
    coloring = Coloring(exploration_of(area=values))
    if "area" not in coloring.choices or (whole and len(set(finite)) <= 12):
        return
    coloring.choose("area")
    assert coloring.categories == () and coloring.shown.all()
    missing = np.isnan(values)
    assert coloring.missing == missing.sum()
    assert (coloring.colors[missing] == np.float32(to_rgba(GREY))).all()
    if len(finite) and finite.min() < finite.max():
        low, high = coloring.limits
        assert finite.min() <= low < high <= finite.max()
        for edge, at in ((0, values <= low), (-1, values >= high)):
            assert (coloring.colors[at] == coloring.steps[edge]).all()
        # A larger number never has a colour from further down.
        order = np.argsort(values[~missing])
        lightness = coloring.colors[~missing][order][:, :3] @ [0.2126, 0.7152, 0.0722]
        assert (np.diff(lightness) > -0.01).all()


def test_every_colour_of_a_scale_is_seen_on_black_and_on_white():
    coloring = coloring_by("area", np.linspace(0, 1, 100))
    # Contrast as by the WCAG, for which light is counted, not the number that stands for it.
    light = np.where(coloring.steps <= 0.04045, coloring.steps / 12.92,
                     ((coloring.steps + 0.055) / 1.055) ** 2.4)[:, :3]  # fmt: skip
    luminance = light @ [0.2126, 0.7152, 0.0722]
    assert (luminance + 0.05).min() / 0.05 > 1.9
    assert 1.05 / (luminance + 0.05).max() > 1.2
    assert (np.diff(luminance) >= 0).all()
    assert np.allclose(coloring.steps[-1], colormaps[coloring.colormap](1.0))


def test_extreme_values_do_not_leave_the_others_alike():
    values = np.r_[np.linspace(0, 1, 998), 1e9, -1e9]
    coloring = coloring_by("area", values)
    assert np.allclose(coloring.limits, (0, 1), atol=0.02)
    assert len(np.unique(coloring.colors, axis=0)) > 150


# --- clusters -------------------------------------------------------------------------------------


def test_clusters_are_followed_by_their_own_colours():
    exploration = exploration_of(kind=["a", "b"] * 6)
    coloring, told = Coloring(exploration), []
    coloring.changed.connect(lambda: told.append(coloring.column))
    clusters = exploration.clusters
    assert (coloring.colors == np.float32(to_rgba(PLAIN))).all()
    classes_agree(coloring)
    left = np.arange(12) < 4
    first = clusters.create(left, name="unassigned", color="#112233")
    second = clusters.create(~left & (np.arange(12) < 7), name="mitotic", color="#aabbcc")
    assert [(c.name, c.color, c.count) for c in coloring.categories] == [
        ("unassigned", "#112233", 4), ("mitotic", "#aabbcc", 3), ("(unassigned)", GREY, 5)
    ]  # fmt: skip
    classes_agree(coloring)
    coloring.isolate(["mitotic"])
    assert len(told) == 3
    clusters.describe(second.id, name="dividing", note="a note")
    assert np.array_equal(coloring.shown, clusters.members(second.id)), "known when renamed"
    clusters.describe(second.id, note="nobody sees it in a colour")
    assert len(told) == 4
    clusters.delete([second.id])
    assert coloring.shown.all(), "there is nothing left to be seen alone"
    exploration.history.undo()
    classes_agree(coloring)
    coloring.choose("kind")
    told.clear()
    clusters.assign(first.id, ~left)
    assert told == []
    coloring.choose("cluster")
    assert [c.count for c in coloring.categories] == [12, 0]
    classes_agree(coloring)


def test_many_clusters_are_all_classes():
    exploration = exploration_of(kind=["a"] * 90)
    coloring = Coloring(exploration)
    exploration.clusters.replace(np.arange(90) % 45 - 1)
    assert len(coloring.categories) == 45
    classes_agree(coloring)


# --- density --------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(st.integers(1, 1000), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_density_does_not_depend_on_the_maps_units(count, scale, shift):
    points = np.random.default_rng(count).normal(size=(count, 2)) * [1, 3]
    crowded = density(points)
    assert crowded.shape == (count,) and crowded.min() > 0 and crowded.max() == 1
    assert np.allclose(crowded, density(points * scale + shift), atol=0.02)


def test_density_is_that_of_the_distribution_the_points_are_from():
    random = np.random.default_rng(0)
    points = random.normal(size=(40_000, 2))
    expected = np.exp(-(points**2).sum(axis=1) / 2)
    assert np.corrcoef(density(points), expected)[0, 1] > 0.97
    far = np.r_[points, [[1e4, 0]]]
    assert density(far)[-1] < 0.01
    assert (density(np.ones((5, 2))) == 1).all()


def test_differences_have_zero_in_the_middle_of_their_colours():
    values = np.linspace(-0.5, 1, 40)
    exploration = exploration_of(drug=["a", "b"] * 20)
    exploration.add_columns(pd.DataFrame({"kept": values}), "checks")
    exploration.add_columns(pd.DataFrame({"more": values}), "conditions", differences=True)
    copy = Exploration(exploration.table, exploration.coordinates, lambda: exploration.features,
                       differences=exploration.differences)  # fmt: skip
    for one in (exploration, copy):
        coloring = Coloring(one)
        coloring.choose("more")
        low, high = coloring.limits
        assert low == -high and coloring.colormap != CONTINUOUS
        # Purple below 0, grey at 0, orange above.
        red, _, blue, _ = coloring.steps.T
        assert (red - blue)[0] < -0.1 < 0.1 < (red - blue)[-1]
        assert np.ptp(coloring.steps[127:129, :3]) < 0.05
        of_colors = coloring.colors[:, 0] - coloring.colors[:, 2]
        assert (of_colors[values < -0.1] < 0).all() and (of_colors[values > 0.1] > 0).all()
        light = (((coloring.steps[:, :3] + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
        assert (light + 0.05).min() / 0.05 > 1.9 and 1.05 / (light + 0.05).max() > 1.2
        coloring.choose("kept")
        assert coloring.limits[0] > -0.5 and coloring.colormap == CONTINUOUS
    exploration.remove_columns("conditions")
    assert not exploration.differences


# --- columns that are added -----------------------------------------------------------------------


def test_added_columns_can_be_coloured_by_until_they_are_taken_away():
    exploration = exploration_of(drug=["a", "b"] * 20, area=np.arange(40.0))
    coloring, told = Coloring(exploration), []
    coloring.choices_changed.connect(lambda: told.append(list(coloring.choices)))
    kept = np.linspace(0, 1, 40)
    before = exploration.table
    names = exploration.add_columns(pd.DataFrame({"kept": kept, "same": 1.0}), "checks")
    assert names == {"kept": "kept", "same": "same"}
    assert "kept" not in before, "another thread may still read it"
    assert told == [["cluster", "density", "drug", "area", "kept"]]
    coloring.choose("kept")
    assert coloring.limits == pytest.approx((0, 1), abs=0.02)
    exploration.add_columns(pd.DataFrame({"kept": 2 + kept}), "checks")
    assert coloring.column == "kept" and coloring.limits == pytest.approx((2, 3), abs=0.02)
    assert "same" not in exploration.table
    exploration.remove_columns("checks")
    assert coloring.column == "cluster" and exploration.table.equals(before)
    with pytest.raises(ValueError, match="40 patches"):
        exploration.add_columns(pd.DataFrame({"kept": kept[1:]}), "checks")


def test_what_is_isolated_stays_while_other_columns_change():
    exploration = exploration_of(drug=["a", "b"] * 20)
    coloring = Coloring(exploration)
    coloring.choose("drug")
    coloring.isolate(["a"])
    exploration.add_columns(pd.DataFrame({"kept": np.arange(40)}), "checks")
    assert coloring.column == "drug" and coloring.shown.sum() == 20


names_asked = st.lists(
    st.sampled_from(["drug", "cluster", "map_x", "density", "kept"]), unique=True
)


@given(names_asked, names_asked)
def test_names_of_added_columns_are_their_own(first, second):
    exploration = exploration_of(drug=list("ab") * 3)
    random = np.random.default_rng(0)
    coloring = Coloring(exploration)
    coloring.choose("density")
    was = coloring.colors.copy()
    for _ in range(2):
        for source, asked in (("checks", first), ("difference", second)):
            values = pd.DataFrame({name: random.normal(size=6) for name in asked}, range(6))
            named = exploration.add_columns(values, source)
            for name, new in named.items():
                assert np.array_equal(exploration.columns()[new], values[name])
        columns = list(exploration.columns().columns)
        assert len(set(columns)) == len(columns) == 5 + len(first) + len(second)
        assert set(columns[2 : 2 + len(first) + len(second)]).isdisjoint(["map_x", "cluster"])
        assert np.array_equal(coloring.colors, was), "the density of the map"
        assert len(set(coloring.choices)) == len(coloring.choices)
    assert exploration.table["drug"].tolist() == list("ab") * 3


def test_codes_are_the_places_of_the_classes_of_patches_whatever_is_isolated():
    coloring = coloring_by("drug", ["b", "a", None, "b"])
    names = [coloring.categories[code].name for code in coloring.codes]
    assert names[:2] == ["b", "a"] and names[3] == "b" and len(set(names)) == 3
    coloring.isolate(["a"])
    assert [coloring.categories[code].name for code in coloring.codes] == names
    assert coloring_by("dose", np.linspace(0, 1, 30)).codes is None


# --- numbers as a gradient or as classes ----------------------------------------------------------


def lightness(coloring):
    """Of the colours of the classes, in their order, but for that of missing values."""
    colors = [to_rgba(one.color)[:3] for one in coloring.categories if one.color != GREY]
    return np.array(colors) @ (0.299, 0.587, 0.114)


@pytest.mark.parametrize("values", [
    [0, 1, 2, 5, 10], [10.0, 0.0, 2.0, np.nan], [-1, 3, 2], [0, 0.01, 0.1, 1, 100],
    list(range(12)),
])  # fmt: skip
def test_ordered_numbers_get_a_gradient_and_may_be_classes(values):
    coloring = coloring_by("dose_level", np.repeat(values, 4))
    classes_agree(coloring)
    assert coloring.kinds == ("gradient", "classes") and coloring.kind == "gradient"
    assert (np.diff(lightness(coloring)) > 0).all()
    names = [float(one.name) for one in coloring.categories if one.name != "none"]
    assert names == sorted(names)
    gradient = coloring.colors.copy()
    told = []
    coloring.changed.connect(lambda: told.append(coloring.kind))
    coloring.show_as("classes")
    assert told == ["classes"] and not (np.diff(lightness(coloring)) > 0).all()
    classes_agree(coloring)
    coloring.choose("cluster")
    assert coloring.kinds == () and coloring.kind == "classes"
    coloring.choose("dose_level")
    assert coloring.kind == "classes", "what was chosen stays"
    coloring.show_as("gradient")
    assert np.array_equal(coloring.colors, gradient)


@pytest.mark.parametrize(
    "name", ["k-means cluster", "field", "plateID", "class", "site", "label 2"]
)
def test_numbers_of_things_are_classes(name):
    coloring = coloring_by(name, np.arange(40) % 5)
    assert coloring.kind == "classes" and coloring.kinds == ("gradient", "classes")
    coloring.show_as("gradient")
    assert (np.diff(lightness(coloring)) > 0).all()


def test_other_columns_have_one_kind():
    random = np.random.default_rng(0)
    for name, values, kind in (
        ("area", random.normal(size=40), "gradient"), ("drug", ["a", "b"] * 20, "classes"),
        ("positive", [True, False] * 20, "classes"), ("kept", np.arange(40) % 16 / 15, "gradient"),
    ):  # fmt: skip
        coloring = coloring_by(name, values)
        assert coloring.kinds == () and coloring.kind == kind
        other = "classes" if kind == "gradient" else "gradient"
        with pytest.raises(ValueError, match="cannot be coloured"):
            coloring.show_as(other)
    assert coloring_by("two", np.arange(40) % 2).kind == "classes"


def test_an_exploration_keeps_what_was_chosen():
    exploration = exploration_of(dose=np.arange(40) % 4)
    exploration.color_as = {"dose": "classes"}
    for one in (exploration, exploration.frozen()):
        coloring = Coloring(one)
        coloring.choose("dose")
        assert coloring.kind == "classes" and coloring.chosen_kinds == {"dose": "classes"}
