import numpy as np
import pandas as pd
import pytest
from figures import assert_whole
from hypothesis import given, settings
from hypothesis import strategies as st
from making import mapped
from matplotlib.text import Text
from scipy import stats

from napari_tsimcne import __version__
from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import (
    ALL_OTHERS,
    Clusters,
    ConditionColumns,
    Exploration,
    compare_conditions,
    comparison_doubts,
    condition_results,
    condition_shares,
    difference_map,
    dose_shares,
    dose_trends,
    replicate_dose_shares,
    replicate_shares,
    share_doubts,
)
from napari_tsimcne.explore._design import joined
from napari_tsimcne.explore.conditions._conditions import share_interval
from napari_tsimcne.explore.conditions._doses import trend_doubts
from napari_tsimcne.explore.conditions._permutations import max_p_values, relabelings, ways
from napari_tsimcne.export._conditions import export_conditions
from napari_tsimcne.export.figures._condition_figures import dose_figure, shares_figure, short
from napari_tsimcne.runs import open_exploration, save_exploration
from napari_tsimcne.terminal._conditions import conditions_in_terminal


def clustered(labels):
    """Clusters of labels (N,), -1 for none, that keep the labels' order."""
    clusters = Clusters(len(labels))
    for label in range(max(labels) + 1):
        clusters.create(np.asarray(labels) == label, name=f"c{label}")
    return clusters


def wells(count, size, share, random, concentration):
    """Patches of wells whose shares of a cluster differ more than chance would have it."""
    shares = random.beta(share * concentration, (1 - share) * concentration, count)
    inside = random.random((count, size)) < shares[:, None]
    return np.where(inside, 0, 1).ravel(), np.repeat([f"w{i}" for i in range(count)], size)


# --- shares ---------------------------------------------------------------------------------------


def test_a_share_is_the_mean_of_the_replicates_however_many_patches_each_has():
    # Well 1: 1 of 2 patches, well 2: 1 of 8; patches taken together would have 2 of 10.
    labels = np.array([0, 1, 0, 1, 1, 1, 1, -1, -1, -1])
    well = pd.Series(["a"] * 2 + ["b"] * 8)
    found = condition_shares(clustered(labels), pd.Series(["drug"] * 10), well)
    assert list(found["cluster"]) == ["c0", "c1", "unassigned"] and list(found["id"]) == [1, 2, 0]
    assert found["share"].to_numpy() == pytest.approx([5 / 16, 1 / 2, 3 / 16])
    assert list(found["patches"]) == [2, 5, 3] and set(found["of"]) == {10}
    assert set(found["replicates"]) == {2}


tables = st.integers(1, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(-1, 3), min_size=n, max_size=n),
        st.lists(st.sampled_from(["x", "y", None]), min_size=n, max_size=n),
        st.lists(st.sampled_from([1, 2, 3]), min_size=n, max_size=n),
    )
)


@settings(max_examples=50)
@given(tables)
def test_shares_add_up_and_intervals_hold_them(columns):
    labels, condition, replicate = columns
    clusters = clustered(np.array(labels))
    condition, replicate = pd.Series(condition, dtype=object), pd.Series(replicate)
    if condition.isna().all():
        with pytest.raises(InputError, match="no patch"):
            condition_shares(clusters, condition, replicate)
        return
    of_wells = replicate_shares(clusters, condition, replicate)
    assert of_wells.groupby(["condition", "replicate"])["share"].sum().to_numpy() == pytest.approx(
        1
    )
    assert of_wells["patches"].sum() == condition.notna().sum()
    for given_ in (replicate, None):
        found = condition_shares(clusters, condition, given_)
        assert found.groupby("condition")["share"].sum().to_numpy() == pytest.approx(1)
        known = found[found["low"].notna()]
        assert (known["low"] <= known["share"]).all() and (known["share"] <= known["high"]).all()
        assert known["low"].ge(0).all() and known["high"].le(1).all()
        assert ((found["replicates"] == 1) == found["low"].isna()).all()


def test_conditions_are_in_the_order_of_their_values():
    clusters = clustered([0] * 4)
    numbers = condition_shares(clusters, pd.Series([10.0, 2.0, np.nan, 0.5]))
    assert list(numbers["condition"].unique()) == ["0.5", "2", "10"]
    category = pd.Series(pd.Categorical(["b", "a", "b", "a"], ["b", "a", "unused"]))
    assert list(condition_shares(clusters, category)["condition"].unique()) == ["b", "a"]
    looked_at = condition_shares(clusters, category, mask=category.eq("a").to_numpy())
    assert list(looked_at["condition"].unique()) == ["a"]


@pytest.mark.parametrize(
    ("share", "replicates"), [(0.1, 2), (0.3, 2), (0.1, 3), (0.3, 3), (0.3, 6), (0.1, 12)]
)
def test_intervals_hold_the_truth_where_wells_differ_and_naive_ones_do_not(share, replicates):
    random = np.random.default_rng(0)
    sizes = random.integers(100, 250, replicates)
    # Beta-binomial, with a correlation of 0.05 within a well; each column is an experiment.
    drawn = random.beta(19 * share, 19 * (1 - share), (replicates, 4000))
    counts = random.binomial(sizes[:, None], drawn)
    low, high = share_interval(counts, sizes)
    assert np.mean((low <= share) & (share <= high)) == pytest.approx(0.95, abs=0.02)
    together = counts.sum(axis=0) / sizes.sum()
    reach = 1.96 * np.sqrt(together * (1 - together) / sizes.sum())
    assert np.mean(np.abs(together - share) <= reach) < 0.6


def test_an_interval_is_no_narrower_than_that_of_independent_patches():
    # Two wells with next to nothing do not leave all open.
    low, high = share_interval(np.array([[1], [0]]), np.array([200, 200]))
    assert low[0] == 0 and high[0] < 0.15
    # Replicates that agree by chance, and such that all have none.
    low, high = share_interval(np.array([[20, 0], [20, 0], [20, 0]]), np.array([100, 100, 100]))
    assert low[0] < 0.165 and high[0] > 0.245
    assert low[1] == 0 and 0.005 < high[1] < 0.02


def test_what_intervals_cannot_tell_is_said():
    clusters = clustered([0, 1] * 6)
    condition = pd.Series(list("aabbbbcccccc"))
    well = pd.Series([1, 1, 1, 1, 2, 2, 1, 1, 2, 2, 3, 3])
    found = share_doubts(condition_shares(clusters, condition, well))
    assert len(found) == 2
    assert found[0].startswith("'a' has one replicate") and "no interval" in found[0]
    assert found[1].startswith("'b' has two replicates")
    (found,) = share_doubts(condition_shares(clusters, condition))
    assert "independent" in found
    (found,) = share_doubts(condition_shares(clusters, condition, pd.Series([1] * 12)))
    assert found.startswith("Every condition has one replicate")


# --- comparison with a control --------------------------------------------------------------------


def test_every_relabeling_comes_once_the_real_one_first():
    treated = np.array([False, True, True, False])
    ways = relabelings(treated, 100)
    assert ways.exact and len(ways) == 6 and (ways.treated[0] == treated).all()
    assert len(np.unique(ways.treated, axis=0)) == 6 and (ways.treated.sum(axis=1) == 2).all()
    assert ways.smallest_p == pytest.approx(2 / 6)
    assert relabelings(np.array([True, False, False]), 9).smallest_p == pytest.approx(1 / 3)
    drawn = relabelings(np.arange(40) < 20, 99)
    assert not drawn.exact and len(drawn) == 100 and drawn.smallest_p == 0.01
    assert (drawn.treated[0] == (np.arange(40) < 20)).all()
    assert (drawn.treated.sum(axis=1) == 20).all()
    assert list(max_p_values(np.array([3.0, 1.0, 5.0]), np.array([3.0, 2, 2, 4]))) == [0.5, 1, 0]


def test_a_difference_is_found_between_wells_with_the_smallest_p_there_is():
    random = np.random.default_rng(1)
    treated, its_wells = wells(4, 60, 0.8, random, 50)
    control, other_wells = wells(4, 60, 0.2, random, 50)
    labels = np.concatenate([treated, control])
    condition = pd.Series(["drug"] * 240 + ["dmso"] * 240)
    # Wells of both conditions have the same names: these are different wells.
    found = compare_conditions(
        clustered(labels), condition, pd.Series([*its_wells, *other_wells]), "dmso"
    )
    assert list(found["condition"].unique()) == ["drug"]
    first = found.iloc[0]
    assert first["difference"] == pytest.approx(0.6, abs=0.15)
    assert first["difference"] == pytest.approx(first["share"] - first["control_share"])
    assert first["p"] == first["p_adjusted"] == first["smallest_p"] == pytest.approx(2 / 70)
    assert found.iloc[2]["cluster"] == "unassigned" and found.iloc[2]["p"] == 1
    assert comparison_doubts(found) == ()
    with pytest.raises(InputError, match="no condition 'water': the column has 'dmso', 'drug'"):
        compare_conditions(clustered(labels), condition, condition, "water")


def test_where_nothing_differs_p_is_uniform_though_wells_do():
    random = np.random.default_rng(2)
    adjusted, single, naive = [], [], []
    for _ in range(250):
        labels, well = wells(8, 50, 0.3, random, 10)
        # A second cluster, so that there is something to adjust for.
        labels = np.where((labels == 1) & (random.random(400) < 0.5), 2, labels)
        condition = pd.Series(np.repeat(["drug", "dmso"], 200))
        found = compare_conditions(clustered(labels), condition, pd.Series(well), "dmso")
        single.append(found.iloc[0]["p"])
        adjusted.append(found["p_adjusted"].min())
        table = pd.crosstab(condition, labels == 0).to_numpy()
        naive.append(stats.chi2_contingency(table).pvalue if table.shape == (2, 2) else 1)
    for values in (single, adjusted):
        # p takes the values 2/70, 4/70, ..., of which 0.2 is one.
        assert np.mean(np.array(values) <= 0.2 + 1e-9) == pytest.approx(0.2, abs=0.07)
        assert np.mean(values) == pytest.approx(0.51, abs=0.06)
    assert np.mean(np.array(naive) < 0.05) > 0.3


def test_too_few_wells_are_said_to_show_nothing():
    labels, well = wells(4, 30, 0.5, np.random.default_rng(0), 10)
    condition = pd.Series(np.repeat(["drug", "dmso"], 60))
    found = compare_conditions(clustered(labels), condition, pd.Series(well), "dmso")
    (text,) = comparison_doubts(found)
    assert "cannot be determined with 2 + 2 replicates (the smallest possible p is 0.33" in text
    more = condition.where(pd.Series(well) != "w0", "third")
    texts = comparison_doubts(compare_conditions(clustered(labels), more, pd.Series(well), "dmso"))
    assert "not for that of the 2 conditions" in texts[-1]


# --- replicates of several columns, and blocks ----------------------------------------------------


def plates(effect=0.0, of_plate=0.0, seed=0, count=3, a_well=40):
    """Patches of two drugs in wells of the same names on each of some plates, and their labels."""
    random, rows = np.random.default_rng(seed), []
    for plate in range(count):
        for well in ("A01", "A02", "B01", "B02"):
            drug = "dmso" if well[0] == "A" else "drug"
            share = 0.3 + effect * (drug == "drug") + of_plate * plate + random.uniform(-0.05, 0.05)
            for _ in range(a_well):
                rows.append((f"p{plate}", well, drug, int(random.random() > share)))
    table = pd.DataFrame(rows, columns=["plate", "well", "drug", "label"])
    table.insert(0, "image", table["plate"] + table["well"] + ".tif")
    return table.drop(columns="label"), table["label"].to_numpy()


def on_a_map(table, labels):
    places = np.random.default_rng(1).normal(size=(len(table), 2)) + 4 * labels[:, None]
    exploration = Exploration(table, places, lambda: places)
    exploration.clusters.create(labels == 0, name="c0")
    return exploration


@pytest.mark.parametrize("as_one", [
    lambda t: t[["plate", "well"]], lambda t: [t["plate"], t["well"]],
    lambda t: t["plate"] + t["well"],
])  # fmt: skip
def test_several_columns_tell_replicates_apart(as_one):
    table, labels = plates()
    clusters, drug = clustered(labels), table["drug"]
    found = compare_conditions(clusters, drug, as_one(table), "dmso").iloc[0]
    assert (found["replicates"], found["control_replicates"]) == (6, 6)
    assert found["smallest_p"] == pytest.approx(2 / 924)
    assert len(replicate_shares(clusters, drug, as_one(table))) == 12 * 3


def test_joined_columns_never_merge_and_miss_where_a_part_does():
    table = pd.DataFrame({"a": ["x", "x, y", "x", None], "b": ["y, z", "z", "y, z", "z"]})
    found = joined(table)
    assert found.nunique() == 2 and found.isna().tolist() == [False, False, False, True]
    assert found[0] == found[2] != found[1] and joined([table["a"]]) is table["a"]


@pytest.mark.parametrize("replicate", ["well", "plate,well", ("plate", "well"), "plate, well"])
@pytest.mark.parametrize("name", ["plate", "batch", "Experiment"])
def test_wells_of_the_same_name_on_several_plates_are_not_merged(replicate, name):
    table, labels = plates()
    table = table.rename(columns={"plate": name})
    as_text = isinstance(replicate, str)
    replicate = replicate.replace("plate", name) if as_text else (name, "well")
    columns = ConditionColumns("drug", replicate, "dmso")
    found = condition_results(on_a_map(table, labels), columns)
    assert set(found.comparison["replicates"]) == {6}
    assert set(found.comparison["smallest_p"]) == {2 / 924}
    (one,) = found.differences.values()
    assert (one.treated_replicates, one.control_replicates) == (6, 6)
    assert bool(found.notes) == (replicate == "well")
    assert not found.notes or ("different replicates" in found.notes[0] and "12" in found.notes[0])


def test_replicates_that_may_be_several_are_named():
    table, labels = plates()
    unknown = on_a_map(table.rename(columns={"plate": "instrument"}), labels)
    found = condition_results(unknown, ConditionColumns("drug", "well", "dmso"), parts=["shares"])
    assert set(found.comparison["replicates"]) == {2}
    assert "choose the replicate instrument,well" in found.notes[0]
    # A donor is the same donor on each plate.
    donors = on_a_map(table.rename(columns={"well": "donor"}).replace("^[AB]0", "d", regex=True),
                      labels)  # fmt: skip
    found = condition_results(donors, ConditionColumns("drug", "donor", "dmso"), parts=["shares"])
    assert set(found.comparison["replicates"]) == {2} and "plate,donor" in found.notes[0]
    table = table.assign(well=table["plate"] + table["well"])
    assert not ConditionColumns("drug", "well").replicate_notes(table)


def test_all_others_together_are_among_the_differences():
    table, labels = plates()
    table["drug"] = table["drug"].where(table["well"] != "B02", "second")
    exploration, columns = on_a_map(table, labels), ConditionColumns("drug", "well", "dmso")
    found = condition_results(exploration, columns)
    assert list(found.differences) == [ALL_OTHERS, "drug", "second"]
    together = difference_map(
        exploration.coordinates, table["drug"] != "dmso", table["drug"] == "dmso",
        table[["plate", "well"]],
    )  # fmt: skip
    assert found.differences[ALL_OTHERS].p == together.p
    one = condition_results(exploration, ConditionColumns("drug", "well", "dmso", "second"))
    assert list(one.differences) == ["second"]
    assert one.differences["second"].p == found.differences["second"].p
    compared = found.comparison[found.comparison["condition"] == "second"]
    assert one.comparison["p"].tolist() == compared["p"].tolist()


def test_each_plate_has_its_own_table():
    table, labels = plates()
    exploration = on_a_map(table, labels)
    found = condition_results(exploration, ConditionColumns("drug", well="well"), parts=["plate"])
    assert list(found.plates[1]) == ["p0", "p1", "p2"] and not found.doubts
    own = table["plate"].eq("p1") & table["well"].eq("A02")
    assert found.plates[1]["p1"].loc["A", 2] == pytest.approx((labels[own] == 0).mean())
    unknown = on_a_map(table.rename(columns={"plate": "instrument"}), labels)
    found = condition_results(unknown, ConditionColumns("drug", well="well"), parts=["plate"])
    assert list(found.plates[1]) == [""] and "'instrument' and are drawn as one" in found.doubts[0]


def test_within_plates_what_differs_between_them_is_not_counted():
    columns = ConditionColumns("drug", "well", "dmso")
    within = ConditionColumns("drug", "well", "dmso", block="plate")
    table, labels = plates(effect=0.15, of_plate=0.25, a_well=80)
    exploration = on_a_map(table, labels)
    anywhere = condition_results(exploration, columns, parts=["shares"]).comparison.iloc[0]
    found = condition_results(exploration, within, parts=["shares"]).comparison.iloc[0]
    assert found["smallest_p"] == pytest.approx(2 / 6**3) and found["p"] < 0.03 < anywhere["p"]
    assert found["difference"] == pytest.approx(anywhere["difference"])
    maps = condition_results(exploration, within, parts=["difference"]).differences["drug"]
    assert maps.smallest_p == pytest.approx(2 / 216)
    # Plates without one of both are left out.
    kept = ~(table["plate"].eq("p2") & table["drug"].eq("dmso")).to_numpy()
    found = condition_results(exploration, within, mask=kept).comparison.iloc[0]
    assert (found["replicates"], found["control_replicates"]) == (4, 4)
    kept = table["plate"].eq("p0") & table["drug"].eq("dmso")
    kept |= table["plate"].eq("p1") & table["drug"].eq("drug")
    with pytest.raises(InputError, match="no value of 'plate' holds both"):
        condition_results(exploration, within, mask=kept.to_numpy())
    with pytest.raises(InputError, match="a replicate lies in several values of 'other'"):
        condition_results(
            on_a_map(table.assign(other=np.arange(len(table)) % 2), labels),
            ConditionColumns("drug", "well", "dmso", block="other"), parts=["shares"],
        )  # fmt: skip


def test_p_within_plates_is_uniform_where_plates_differ_and_hold_unequal_numbers():
    found = []
    for seed in range(120):
        table, labels = plates(of_plate=0.25, seed=seed, a_well=25)
        drug = table["drug"].where(table["plate"] != "p0", "dmso").where(
            table["well"] != "B01", "drug"
        )  # fmt: skip
        made = compare_conditions(
            clustered(labels), drug, table[["plate", "well"]], "dmso", block=table["plate"]
        )
        found.append(made.iloc[0]["p"])
    assert np.mean(np.array(found) <= 0.1) <= 0.17
    assert np.mean(found) == pytest.approx(0.5, abs=0.09)


def test_few_replicates_cannot_determine_a_trend():
    labels, dose, well, drug = dosed(np.random.default_rng(0), True, ("one",), (0, 1, 3))
    trends = dose_trends(clustered(labels), dose, well, drug)
    assert set(trends["smallest_p"]) == {2 / 6} and trends["p"].min() >= 2 / 6
    (text,) = trend_doubts(trends)
    assert "cannot be determined with 3 replicates (the smallest possible p is 0.33)" in text


# --- doses ----------------------------------------------------------------------------------------


def dosed(random, rising, drugs=("one", "two"), doses=(0, 1, 3, 10, 30, 100, 300)):
    """Labels, doses, wells and drugs of patches whose cluster 0 rises with the dose or does not."""
    rows = []
    for drug in drugs:
        for place, dose in enumerate(doses):
            share = 0.1 + 0.8 * place / len(doses) if rising else random.beta(2, 2)
            for _ in range(30):
                rows.append((int(random.random() > share), dose, f"{drug} {dose}", drug))
    labels, dose, well, drug = zip(*rows, strict=True)
    return np.array(labels), pd.Series(dose, name="dose"), pd.Series(well), pd.Series(drug)


def test_a_trend_with_the_dose_is_found_for_each_drug():
    labels, dose, well, drug = dosed(np.random.default_rng(0), rising=True)
    found = dose_trends(clustered(labels), dose, well, drug, permutations=999)
    assert list(found["drug"]) == ["one"] * 3 + ["two"] * 3
    assert list(found["replicates"].unique()) == [7] and list(found["doses"].unique()) == [7]
    rising, falling, none = (found[found["cluster"] == name] for name in ("c0", "c1", "none"))
    assert (rising["correlation"] > 0.9).all() and (rising["p_adjusted"] < 0.02).all()
    assert falling["correlation"].to_numpy() == pytest.approx(-rising["correlation"].to_numpy())
    assert (none["correlation"] == 0).all() and (none["p"] == 1).all()
    shares = replicate_dose_shares(clustered(labels), dose, well, drug)
    one = shares[(shares["drug"] == "one") & (shares["id"] == 1)]
    expected = stats.spearmanr(one["dose"], one["share"])[0]
    assert rising["correlation"].iloc[0] == pytest.approx(expected)


def test_without_a_trend_p_is_uniform():
    random = np.random.default_rng(3)
    found = []
    for _ in range(150):
        labels, dose, well, _ = dosed(random, rising=False, drugs=("one",))
        found.append(dose_trends(clustered(labels), dose, well, permutations=199)["p"].iloc[0])
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_doses_are_numbers_of_one_drug_at_a_time():
    clusters = clustered([0, 0, 1, 1])
    drug = pd.Series(["b", "a", "b", "a"])
    found = dose_shares(clusters, pd.Series(["0", "1.5", "10", None]), drug=drug)
    assert list(found["drug"].unique()) == ["a", "b"] and found["dose"].dtype == np.float64
    assert list(found.loc[found["id"] == 1, "dose"]) == [1.5, 0, 10]
    with pytest.raises(InputError, match="the column 'dose' has 'high'"):
        dose_shares(clusters, pd.Series(["0", "high", "1", "1"], name="dose"))
    with pytest.raises(InputError, match="no patch has a dose"):
        dose_shares(clusters, pd.Series([np.nan] * 4, name="dose"))
    with pytest.raises(InputError, match="'a' has 1 different doses"):
        dose_trends(clusters, pd.Series([0, 1, 5, 1]), drug, drug)


# --- figures --------------------------------------------------------------------------------------


def texts_inside(figure):
    """All texts of a figure that are shown; nothing of it may be cut off."""
    assert_whole(figure)
    shown = figure.findobj(lambda one: isinstance(one, Text) and one.get_visible())
    return [text.get_text() for text in shown]


def test_the_figure_of_shares_shows_every_condition_and_cluster_uncut():
    random = np.random.default_rng(0)
    labels = random.integers(0, 7, 600)
    condition = pd.Series(random.choice(["a condition of a very long name, at 10 µM", "b"], 600))
    well = pd.Series(random.integers(0, 3, 600))
    clusters = clustered(labels)
    clusters.describe(2, name="a cluster whose name goes on for ever and ever")
    found = texts_inside(shares_figure(
        condition_shares(clusters, condition, well), replicate_shares(clusters, condition, well)
    ))  # fmt: skip
    assert {"c0", "c6", "b"} <= set(found) and "none" not in found
    assert any("…" in text for text in found)
    many = pd.Series(np.arange(600) % 61)
    with pytest.raises(InputError, match="61 conditions are too many"):
        shares_figure(condition_shares(clusters, many), replicate_shares(clusters, many))


def test_doses_stand_on_a_logarithmic_axis_where_they_span_much():
    labels, dose, well, drug = dosed(np.random.default_rng(0), rising=True)
    for doses, scale in ((dose, "symlog"), (dose.rank(method="dense"), "linear")):
        shares = dose_shares(clustered(labels), doses, well, drug)
        points = replicate_dose_shares(clustered(labels), doses, well, drug)
        figure = dose_figure(shares[shares["id"] == 1], points[points["id"] == 1])
        assert [axes.get_xscale() for axes in figure.axes] == [scale, scale]
        assert {"one", "two", "c0"} <= set(texts_inside(figure))


def test_an_interval_at_the_first_dose_is_told_from_an_axis():
    labels, dose, well, _ = dosed(np.random.default_rng(0), rising=True)
    few = dose.where(dose > dose.median(), 0.0)
    for replicate, told in ((well, True), (pd.Series(dose.astype(str)), False)):
        doses = few if told else dose
        shares = dose_shares(clustered(labels), doses, replicate)
        points = replicate_dose_shares(clustered(labels), doses, replicate)
        figure = dose_figure(shares[shares["id"] == 1], points[points["id"] == 1])
        words = " ".join(" ".join(texts_inside(figure)).split())
        assert (
            "bars with ends are their intervals" in words
        ) == told and "dots are replicates" in words
        ends = [one for one in figure.axes[0].collections if one.get_gid() == "interval-end"]
        places = np.concatenate([one.get_offsets()[:, 0] for one in ends])
        assert (doses.min() in places) == told
        assert figure.axes[0].get_xlim()[0] < doses.min()


def test_long_names_are_cut_in_their_middle():
    assert short("short") == "short"
    assert short("Wortmannin 250 nM, 24 hours, plate 7", 20) == "Wortmannin 25…late 7"


# --- files and terminal ---------------------------------------------------------------------------


@pytest.fixture
def screened(tiny_run):
    """A run with two treatments in four wells each, and two clusters."""
    run = mapped(tiny_run)
    number = np.arange(len(run.table))
    run.table = run.table.assign(
        drug=np.where(number % 2 == 0, "dmso", "taxol"),
        well=[f"{'AB'[i % 2]}{i // 2 % 4 + 1:02}" for i in number],
        dose=number // 2 % 4 * 1.5,
    )
    exploration = open_exploration(run)
    exploration.clusters.create(exploration.coordinates[:, 0] > 0, name="right / up")
    exploration.clusters.create(exploration.coordinates[:, 0] < -1, name="left")
    return run, exploration


def test_all_of_it_is_written_into_one_folder(screened, tmp_path):
    run, exploration = screened
    out = tmp_path / "out"
    steps = []
    chosen = {
        "condition": "drug",
        "replicate": "well",
        "control": "dmso",
        "well": "well",
        "dose": "dose",
    }
    export_conditions(run, exploration, out, **chosen, told=lambda *step: steps.append(step))
    shares = pd.read_csv(out / "shares.csv")
    assert list(shares["condition"].unique()) == ["dmso", "taxol"]
    assert (shares["replicates"] == 4).all() and shares["low"].notna().all()
    assert len(pd.read_csv(out / "replicates.csv")) == 2 * 4 * 3
    assert pd.read_csv(out / "comparison.csv")["smallest_p"].to_numpy() == pytest.approx(2 / 70)
    assert len(pd.read_csv(out / "trends.csv")) == 6
    assert list(pd.read_csv(out / "plates.csv"))[:3] == ["cluster", "row", "1"]
    differences = pd.read_csv(out / "difference taxol.csv")
    assert len(differences) == len(run.table) and differences["difference"].notna().all()
    figures = {path.stem for path in out.glob("*.png")}
    assert figures == {path.stem for path in out.glob("*.pdf")}
    assert figures == {"shares", "difference taxol", "plate left", "plate right _ up", "dose left",
                       "dose right _ up"}  # fmt: skip
    assert "taxol minus dmso" in (out / "notes.txt").read_text()
    assert steps[-1] == ("Drawing", 6, 6)
    with pytest.raises(InputError, match="exists"):
        export_conditions(run, exploration, out, condition="drug")
    export_conditions(run, exploration, out, condition="drug", overwrite=True)
    assert not (out / "comparison.csv").exists()


def test_patches_are_left_out_and_the_notes_say_what_must_be_cited(screened, capsys, tmp_path):
    run, exploration = screened
    save_exploration(run, exploration)
    out, kept = tmp_path / "out", "well != 'A01'"
    conditions_in_terminal(run, "drug", replicate="well", control="dmso", dose="dose", where=kept,
                           out=out)  # fmt: skip
    assert "difference from dmso, points" in " ".join(capsys.readouterr().out.split())
    shares = pd.read_csv(out / "shares.csv").set_index("condition")["replicates"]
    assert set(shares["dmso"]) == {3} and set(shares["taxol"]) == {4}
    assert "A01" not in set(pd.read_csv(out / "replicates.csv")["replicate"])
    notes = (out / "notes.txt").read_text()
    for line in (
        "Replicate: well", "Control: dmso", "Treated: every other condition, each for itself",
        f"of {len(run.table):,}, those with {kept}", "95 %", "percentage point",
        "frequencies, taxol against dmso: all 35 (exact)", "Gaussian of standard deviation",
        "trends: all, or 9,999 drawn at random", "Seed of what is drawn: 0",
        f"tsimcne {__version__}",
    ):  # fmt: skip
        assert line in notes
    for wrong, message in (("well == 'Z9'", "no patch is found by"), ("wel == 1", "wel")):
        with pytest.raises(InputError, match=message):
            conditions_in_terminal(run, "drug", where=wrong)


def test_relabelings_are_told_as_they_are_made():
    for treated, control, exact in ((3, 3, True), (9, 9, False)):
        made = relabelings(np.arange(treated + control) < treated, 99)
        assert made.exact == exact
        assert ways(treated, control, 99).startswith(f"all {len(made)} (" if exact else "99 of 48,")


def test_what_does_not_fit_is_refused_and_nothing_is_written(screened, tmp_path):
    run, exploration = screened
    for options, message in (
        ({"condition": "treatment"}, "no column 'treatment'"),
        ({"condition": "drug", "control": "water"}, "'drug' is nowhere 'water': it is dmso, taxol"),
        ({"condition": "drug", "treated": "taxol"}, "name the control"),
        ({"condition": "drug", "control": "dmso", "treated": "dmso"}, "compared with itself"),
        ({"condition": "drug", "dose": "well"}, "doses must be numbers"),
        ({"condition": "drug", "well": "image"}, "does not name wells"),
    ):
        with pytest.raises(InputError, match=message):
            export_conditions(run, exploration, tmp_path / "out", **options)
    exploration.clusters.delete([1, 2])
    with pytest.raises(InputError, match="there are no clusters"):
        export_conditions(run, exploration, tmp_path / "out", condition="drug")
    assert not list(tmp_path.glob("*out*"))

    class CancelledError(Exception):
        pass

    def cancel(*step):
        raise CancelledError

    exploration.history.undo()
    with pytest.raises(CancelledError):
        export_conditions(run, exploration, tmp_path / "out", condition="drug", control="dmso",
                          told=cancel)  # fmt: skip
    assert not list(tmp_path.glob("*out*"))


def test_the_terminal_prints_shares_with_their_doubts(screened, capsys, tmp_path):
    run, exploration = screened
    save_exploration(run, exploration)
    conditions_in_terminal(run, "drug", control="dmso")
    printed = capsys.readouterr()
    assert "right / up" in printed.out and " to " in printed.out
    assert "no evidence of a difference" in " ".join(printed.out.split())
    assert "patches are taken as independent" in printed.err.lower()
    conditions_in_terminal(run, "drug", replicate="well", control="dmso", out=tmp_path / "out")
    printed = capsys.readouterr()
    assert "4 + 4 replicates" in " ".join(printed.out.split()) and not printed.err
    assert (tmp_path / "out" / "shares.pdf").is_file()
