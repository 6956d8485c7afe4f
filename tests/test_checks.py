from math import comb

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import make_tiny_run, mapped
from scipy import stats
from scipy.ndimage import gaussian_filter
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from napari_tsimcne import Grid, ImageSource, InputError, Recipe, Run, open_images
from napari_tsimcne.explore import (
    Clusters,
    Exploration,
    MapChecks,
    Stability,
    aspects,
    chance,
    confounds,
    faithfulness,
    nearest,
    suspects,
    truth_scores,
)
from napari_tsimcne.explore.checks._aspects import Aspect
from napari_tsimcne.explore.checks._findings import (
    of_confounds,
    of_faithfulness,
    of_stability,
    of_truth,
)
from napari_tsimcne.explore.checks._image_test import image_test
from napari_tsimcne.explore.checks._predicted import majority, neighbors_mean
from napari_tsimcne.explore.checks._suspects import unlike_all
from napari_tsimcne.patches import _measures, measure_patches
from napari_tsimcne.runs import check_run, open_exploration, save_exploration, seed_run


def random(seed=0):
    return np.random.default_rng(seed)


def texture(count, channels=1, side=16, seed=0, dtype=np.uint16):
    """Patches of smooth noise, each of another texture and brightness."""
    noise = gaussian_filter(random(seed).normal(size=(count, channels, side, side)), (0, 0, 1, 1))
    level = random(seed + 1).uniform(800, 1200, (count, channels, 1, 1))
    return (level + 400 * noise).astype(dtype)


# --- what is measured of pixels -------------------------------------------------------------------


@settings(max_examples=25)
@given(
    count=st.integers(1, 9), channels=st.integers(1, 3), side=st.integers(3, 9),
    margin=st.integers(0, 3), seed=st.integers(0, 99), at_once=st.sampled_from([1, 500, 1 << 22]),
)  # fmt: skip
def test_measures_are_those_of_the_window_without_its_margin(
    count, channels, side, margin, seed, at_once
):
    store = random(seed).integers(0, 60_000, (count, channels, *2 * [side + 2 * margin]), np.uint16)
    names = [f"c{i}" for i in range(channels)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_measures, "VALUES_AT_ONCE", at_once)
        found = measure_patches(store, margin, names)
    inner = store[:, :, margin : margin + side, margin : margin + side].astype(np.float64)
    for channel, name in enumerate(names):
        assert np.allclose(found[f"mean {name}"], inner[:, channel].mean(axis=(1, 2)), rtol=1e-5)
        assert np.allclose(found[f"std {name}"], inner[:, channel].std(axis=(1, 2)), rtol=1e-4)
    assert len(found) == count and set(found.dtypes) == {np.dtype(np.float32)}


@settings(max_examples=20)
@given(gain=st.floats(0.2, 5), offset=st.floats(0, 500), seed=st.integers(0, 99))
def test_focus_tells_sharp_from_blurred_whatever_brightness_and_contrast(gain, offset, seed):
    sharp = texture(4, seed=seed, dtype=np.float32)
    blurred = gaussian_filter(sharp, (0, 0, 2, 2))
    brighter = gain * sharp + offset
    focus = [measure_patches(part, 0, ["DNA"])["focus DNA"] for part in (sharp, blurred, brighter)]
    assert (focus[1] < focus[0] / 2).all()
    assert np.allclose(focus[2], focus[0], rtol=0.02)


def test_focus_of_noise_is_1_and_of_a_flat_patch_missing():
    noise = random().normal(100, 5, (1, 1, 256, 256)).astype(np.float32)
    assert measure_patches(noise, 0, ["a"])["focus a"][0] == pytest.approx(1, rel=0.05)
    assert np.isnan(measure_patches(np.ones((1, 1, 8, 8)), 0, ["a"])["focus a"][0])


def test_saturated_are_pixels_at_the_limit_of_the_type_or_of_the_camera():
    eight_bits = np.zeros((2, 1, 8, 8), np.uint8)
    eight_bits[0, 0, 0, :4] = 255
    twelve_bits = np.minimum(texture(40) * np.uint16(4), 4095)
    dim = texture(40)
    assert measure_patches(eight_bits, 0, ["a"])["saturated a"].tolist() == [4 / 64, 0]
    found = measure_patches(twelve_bits, 0, ["a"])["saturated a"]
    assert np.allclose(found, (twelve_bits == 4095).mean(axis=(1, 2, 3))) and found.mean() > 0.1
    assert not measure_patches(dim, 0, ["a"])["saturated a"].any()


def test_measuring_can_be_cancelled(monkeypatch):
    monkeypatch.setattr(_measures, "VALUES_AT_ONCE", 1)

    def told(what, done, total):
        if done == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        measure_patches(texture(5), 0, ["a"], told)


# --- faithfulness ---------------------------------------------------------------------------------


@settings(max_examples=30)
@given(
    count=st.integers(8, 60), k=st.integers(1, 15), dimensions=st.integers(2, 9),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_faithfulness_is_that_of_all_ranks(count, k, dimensions, seed):
    features = random(seed).normal(size=(count, dimensions))
    coordinates = features[:, :2] + random(seed + 1).normal(size=(count, 2))
    found = faithfulness(coordinates, features, k)
    k = found.neighbors
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    similar = unit @ unit.T
    np.fill_diagonal(similar, -np.inf)
    in_features = np.argsort(-similar, axis=1)[:, :k]
    near = nearest(coordinates, k)
    recall = [len(set(a) & set(b)) / k for a, b in zip(near, in_features, strict=True)]
    expected = trustworthiness(unit, coordinates, n_neighbors=k, metric="cosine")
    assert found.recall.dtype == np.float32 and np.allclose(found.recall, recall)
    assert found.trustworthiness == pytest.approx(expected, abs=1e-6)
    assert found.chance == chance(count, k) and found.looked_at == count


def test_of_many_patches_a_sample_is_compared_with_all():
    features = random().normal(size=(500, 8))
    whole = faithfulness(features[:, :2], features)
    part = faithfulness(features[:, :2], features, most_products=500 * 8 * 100)
    known = np.isfinite(part.recall)
    assert known.sum() == part.looked_at == 100
    assert np.array_equal(part.recall[known], whole.recall[known])
    assert part.trustworthiness == pytest.approx(whole.trustworthiness, abs=0.03)
    assert "100 of 500 patches" in of_faithfulness(part)[0].sentence


def test_a_map_is_good_that_keeps_the_features_and_bad_that_does_not():
    angles = random().uniform(0, 2 * np.pi, 400)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    good, bad = faithfulness(circle, circle), faithfulness(random(1).normal(size=(400, 2)), circle)
    assert good.mean > 0.99 and good.trustworthiness > 0.999
    assert bad.mean < 3 * bad.chance and bad.trustworthiness < 0.6
    assert of_faithfulness(good)[0].severity == "good"
    (finding,) = of_faithfulness(bad)
    assert finding.severity == "bad" and finding.sentence.startswith("Do not read neighbourhoods")
    assert bad.recall[finding.rows].max() <= np.sort(bad.recall)[len(finding.rows)]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_few_patches_have_a_faithfulness(count):
    found = faithfulness(random().normal(size=(count, 2)), random(1).normal(size=(count, 3)))
    assert np.isfinite(found.recall).all() and 0 <= found.trustworthiness <= 1
    assert len(of_faithfulness(found)) == 1


# --- what neighbours say --------------------------------------------------------------------------


@settings(max_examples=40)
@given(count=st.integers(2, 30), k=st.integers(1, 9), seed=st.integers(0, 99))
def test_neighbours_vote_and_the_nearest_of_equals_wins(count, k, seed):
    near = random(seed).integers(0, count, (count, k))
    codes = random(seed + 1).integers(-1, 3, count)
    values = np.where(codes < 0, np.nan, codes + 0.5)
    for own, mean, row in zip(
        majority(codes, near), neighbors_mean(values, near), near, strict=True
    ):
        votes = [code for code in codes[row] if code >= 0]
        assert own == (max(votes, key=votes.count) if votes else -1)
        assert np.allclose(
            mean, np.mean(np.array(votes) + 0.5) if votes else np.nan, equal_nan=True
        )


# --- what neighbourhoods follow -------------------------------------------------------------------


def asked(**columns):
    return {
        name: Aspect(name, "image" if name == "image" else "metadata", pd.Series(values))
        for name, values in columns.items()
    }


def test_a_planted_batch_is_named_and_what_has_nothing_to_do_with_the_map_is_not():
    count = 900
    batch = random(1).integers(0, 3, count)
    places = random().normal(size=(count, 2)) + 1.5 * np.array([[0, 0], [1, 0], [0, 1]])[batch]
    columns = asked(
        plate=np.array(["A", "B", "C"])[batch],
        temperature=batch + random(2).normal(0, 0.3, count),
        operator=random(3).choice(["Ann", "Bob"], count),
        humidity=random(4).normal(size=count),
    )
    ranked = confounds(nearest(places), columns).ranked
    assert ranked["follows"].to_dict() == {
        "plate": "clearly", "temperature": "clearly", "operator": "no", "humidity": "no",
    }  # fmt: skip
    plate = ranked.loc["plate"]
    assert plate.measure == "accuracy" and ranked.loc["humidity"].measure == "R2"
    assert plate.sentence == (
        f"similar patches share the plate (accuracy {plate.score:.2f}; chance "
        f"{plate.by_chance:.2f}): possible confounder, unless it is the biology you study"
    )
    nothing = "similar patches share the operator no more than by chance"
    assert ranked.loc["operator"].sentence.startswith(nothing)
    findings = of_confounds(confounds(nearest(places), columns))
    assert [one.severity for one in findings] == ["look", "look", "good"]
    assert findings[-1].sentence.startswith("Similar patches share no more than by chance: the ")
    assert "operator" in findings[-1].sentence and "humidity" in findings[-1].sentence


def test_false_alarms_are_rare():
    alarms = 0
    for seed in range(40):
        near = nearest(random(seed).normal(size=(200, 2)))
        deal = random(1000 + seed)
        columns = asked(
            two=deal.integers(0, 2, 200), many=deal.integers(0, 12, 200).astype(str),
            rare=deal.random(200) < 0.1, number=deal.normal(size=200), heavy=deal.pareto(1, 200),
        )  # fmt: skip
        alarms += (confounds(near, columns, seed=seed).ranked["follows"] != "no").sum()
    assert alarms <= 2  # of 200


def test_what_is_the_same_in_all_patches_of_an_image_is_told_from_the_image():
    """Each image lies for itself: so any grouping of images is followed, a real one more."""
    image = np.repeat(np.arange(24), 40)
    # 12 images lie left, 12 right; within these anywhere.
    side = np.arange(24) % 2
    centers = random(5).uniform(0, 30, (24, 2)) + 100 * side[:, None]
    places = centers[image] + random(6).normal(size=(len(image), 2))
    effect = places + 0
    effect[:] = 100 * side[image][:, None] + 10 * random(7).normal(size=places.shape)
    columns = asked(
        image=[f"{i}.tif" for i in image], side=np.array(["l", "r"])[side[image]],
        arbitrary=np.array(["a", "b"])[(np.arange(24) // 2 % 2)[image]],
    )  # fmt: skip
    apart = confounds(nearest(places), columns, image).ranked
    assert (apart["follows"] == "clearly").all()
    assert not apart.loc["arbitrary"].beyond_images
    assert "no more than differences between images explain" in apart.loc["arbitrary"].sentence
    assert np.isnan(apart.loc["image"].images_swapped)
    treated = confounds(nearest(effect), columns, image).ranked
    assert treated.loc["side"].beyond_images and treated.loc["side"].images_swapped < 0.9
    assert treated.loc["side"].design == "12 + 12 images"
    assert "more than differences between images explain" in treated.loc["side"].sentence


@pytest.mark.parametrize("each", [2, 3, 4, 6])
def test_a_perfect_effect_is_beyond_images_or_cannot_be_determined(each):
    image = np.repeat(np.arange(2 * each), 60)
    drug = np.where(image < each, "dmso", "drug")
    places = random().normal(size=(len(image), 2)) + 20 * (drug == "drug")[:, None]
    for seed in range(3):
        (row,) = confounds(nearest(places), asked(drug=drug), image, seed=seed).ranked.itertuples()
        # Of all ways to choose the treated images, those in which the sides change are the same.
        assert row.images_smallest_p == pytest.approx(2 / comb(2 * each, each))
        assert row.images_p == pytest.approx(row.images_smallest_p)
        assert row.beyond_images == (each >= 4)
        assert "it is the image" not in row.sentence
        undetermined = f"cannot be determined with {each} + {each} images"
        assert (undetermined in row.sentence) == (each < 4)


def effect_free(sizes, plate=None, seed=0):
    """Images of some sizes, each lying for itself, on plates that lie for themselves."""
    deal, image = random(seed), np.repeat(np.arange(len(sizes)), sizes)
    centers = deal.normal(0, 1, (len(sizes), 2))
    if plate is not None:
        centers += deal.normal(0, 6, (max(plate) + 1, 2))[plate]
    return image, centers[image] + deal.normal(size=(len(image), 2))


def test_p_of_images_is_uniform_where_only_images_differ():
    found = []
    for seed in range(150):
        image, places = effect_free(random(seed).integers(8, 30, 11), seed=seed + 500)
        values = (image >= 5).astype(np.int64)
        near = nearest(places)
        found.append(image_test(near, np.arange(len(near)), values, image, {}, classes=True).p)
    assert np.mean(np.array(found) <= 0.05) <= 0.1
    assert stats.kstest(found, "uniform").pvalue > 0.01


def of_images(values, image, places, classes=True, **named):
    near, rows = nearest(places), np.arange(len(image))
    columns = {name: pd.Series(np.asarray(given)[image]) for name, given in named.items()}
    return image_test(near, rows, np.asarray(values)[image], image, columns, classes=classes)


def test_wells_and_plates_trade_values_where_they_hold_several_images():
    well = np.arange(12) // 3
    image, places = effect_free([20] * 12)
    drug = (well >= 2).astype(int)
    assert of_images(drug, image, places).design == "6 + 6 images"
    nested = of_images(drug, image, places, well=well)
    assert nested.design == "2 + 2 wells" and nested.smallest_p == pytest.approx(1 / 3)
    # Wells of the same name on two plates are two.
    both = of_images(well % 2, image, places, well=well % 2, plate=well // 2)
    assert both.design == "2 + 2 wells"
    # A drug for each plate cannot be told from the plate.
    assert of_images(drug, image, places, plate=drug + 10 * (well % 2)).design == "2 + 2 plates"
    # A column that no name calls a unit is none.
    assert of_images(drug, image, places, dose=well).design == "6 + 6 images"


def test_values_are_traded_within_plates_of_different_proportions():
    plate = np.repeat([0, 1], 6)
    drug = np.array([0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1])
    within, anywhere = [], []
    for seed in range(40):
        image, places = effect_free([20] * 12, plate, seed)
        found = of_images(drug, image, places, plate=plate)
        within.append(found.p)
        anywhere.append(of_images(drug, image, places).p)
    assert found.design == "6 + 6 images, within plates"
    assert found.smallest_p == pytest.approx(1 / 36)
    assert np.mean(np.array(within) <= 0.05) <= 0.1 < 0.3 < np.mean(np.array(anywhere) <= 0.05)
    even = of_images(np.tile([0, 1], 6), image, places, plate=plate)
    assert even.design == "6 + 6 images"


def test_one_image_a_value_shows_an_order_but_no_classes():
    image, _ = effect_free([30] * 8)
    places = random(1).normal(size=(len(image), 2)) + 1.5 * image[:, None]
    found = of_images(np.arange(8), image, places)
    assert found.smallest_p == 1 and not found.determined
    doses = of_images(np.arange(8.0), image, places, classes=False)
    assert doses.p < 0.02 and doses.smallest_p < 0.05
    few = of_images(np.arange(4.0), *effect_free([30] * 4), classes=False)
    assert few.smallest_p == pytest.approx(2 / 24) and not few.determined


def test_a_column_that_differs_within_images_is_not_traded():
    image, places = effect_free([30] * 6)
    near = nearest(places)
    values = random().integers(0, 2, len(image))
    assert image_test(near, np.arange(len(near)), values, image, {}, classes=True) is None
    # Missing values stay where they are.
    values = np.where(random(1).random(len(image)) < 0.2, -1, image // 3)
    found = image_test(near, np.arange(len(near)), values, image, {}, classes=True)
    assert found.design == "3 + 3 images"


def test_values_may_be_missing():
    count = 600
    left = np.arange(count) < 300
    places = random().normal(size=(count, 2)) + 8 * left[:, None]
    known = random(1).random(count) < 0.6
    drug = pd.Series(np.where(left, "a", "b")).where(known)
    dose = pd.Series(np.where(left, 1.0, 2.0) + random(2).normal(0, 0.1, count)).where(known)
    ranked = confounds(nearest(places), asked(drug=drug, dose=dose)).ranked
    assert ranked["known"].tolist() == [known.sum()] * 2
    assert ranked.loc["drug"].score == 1 and ranked.loc["drug"].by_chance < 0.6
    # Of the ranks of two levels with noise, neighbours know the level.
    assert 0.6 < ranked.loc["dose"].score < 0.9


def test_columns_that_tell_nothing_are_left_out_with_the_reason():
    near = nearest(random().normal(size=(300, 2)))
    names = [f"cell {i}" for i in range(300)]
    sparse = pd.Series([1.5] * 300).where(np.arange(300) < 10)
    found = confounds(near, asked(
        constant=["x"] * 300, name=names, sparse=sparse, nothing=[None] * 300,
        pairs=[name for name in names[::2] for _ in range(2)], group=["a", "b"] * 150,
        infinite=[np.inf, -np.inf] * 150,
    ))  # fmt: skip
    assert list(found.ranked.index) == ["group"]
    assert found.left_out == {
        "constant": "it is the same for all patches",
        "name": "it is different for every patch",
        "sparse": "only 10 of 300 patches have a value",
        "nothing": "only 0 of 300 patches have a value",
        "pairs": "hardly any patches have the same value",
        "infinite": "it has hardly any finite numbers",
    }


def test_columns_that_group_patches_alike_are_asked_once():
    image = np.repeat(["b.tif", "a.tif"], 200)
    places = random().normal(size=(400, 2)) + 9 * (image == "a.tif")[:, None]
    well = np.where(image == "a.tif", 7, 3)
    ranked = confounds(nearest(places), asked(image=image, well=well)).ranked
    assert list(ranked.index) == ["image"] and ranked.loc["image"].same_as == ("well",)
    assert "share the image (or well, which is the same) (accuracy" in ranked["sentence"].iloc[0]


def test_what_is_asked_are_columns_pixels_places_and_the_length_of_features():
    table = pd.DataFrame({
        "patch": range(4), "image": ["a", "a", "b", "b"], "y": [0.0, 2, 0, 9], "x": [0.0, 2, 0, 0],
        "label": range(4), "area": [3, 4, 5, 6], "plate": list("uvuv"), "mean DNA": [1.0, 2, 3, 4],
        "unfamiliar": [True, False, True, False],
    })  # fmt: skip
    measures = measure_patches(texture(4, channels=2), 0, ["DNA", "Actin"])
    found = aspects(table, np.ones((4, 3)), measures, ["DNA", "Actin"])
    assert {name: one.kind for name, one in found.items()} == {
        "image": "image", "y": "position", "x": "position", "area": "size", "plate": "metadata",
        "mean DNA": "brightness", "focus DNA": "focus", "mean Actin": "brightness",
        "focus Actin": "focus", "distance from the centre": "position", "norm of H": "features",
    }  # fmt: skip
    assert found["mean DNA"].values.tolist() == [1, 2, 3, 4]  # the table's own
    assert found["distance from the centre"].values.tolist() == [2**0.5, 2**0.5, 4.5, 4.5]


# --- patches to look at ---------------------------------------------------------------------------


def found_suspects(store, features=None, near=None, spans=1000.0, margin=0):
    names = [f"c{i}" for i in range(store.shape[1])]
    if features is None:  # similar patches have similar features
        pixels = store.reshape(len(store), -1).astype(float)
        features = pixels - pixels.mean(axis=1, keepdims=True)
    near = nearest(features[:, :2]) if near is None else near
    spans = np.full(store.shape[1], spans)
    measures = measure_patches(store, margin, names)
    return suspects(store, margin, features, near, measures, names, spans)


def test_patches_of_the_same_pixels_are_found_wherever_they_are():
    store = texture(60, channels=2)
    store[[50, 7]] = store[3]
    store[20] = store[41]
    store[20, :, 0] += 1  # only the margin differs
    store[[1, 2]] = 500  # empty ones are no duplicates
    found = found_suspects(store, random().normal(size=(60, 8)), margin=1)
    assert [group.tolist() for group in found.exact] == [[3, 7, 50], [20, 41]]
    assert found.near == () and found.empty.tolist() == [1, 2]


@pytest.mark.parametrize("change", ["noise", "turned", "mirrored", "brighter"])
def test_patches_of_nearly_the_same_pixels_are_found(change):
    store = texture(60, channels=2, side=20)
    copy = store[5].astype(float)
    copy = {
        "noise": copy + random(9).normal(0, 10, copy.shape),
        "turned": np.rot90(copy, axes=(1, 2)),
        "mirrored": copy[:, :, ::-1],
        "brighter": 1.05 * copy - 40,
    }[change]
    store[33] = copy.round()
    # As a network that knows no direction would see them.
    features = random().normal(size=(60, 8))
    features[33] = features[5]
    found = found_suspects(store, features)
    assert found.exact == () and [group.tolist() for group in found.near] == [[5, 33]]


def test_near_duplicates_are_found_however_far_apart_they_lie_on_the_map():
    store, features = texture(90), random().normal(size=(90, 8))
    store[80] = store[3] + random(1).integers(0, 6, store[3].shape, np.uint16)
    features[80] = features[3]
    places = np.arange(90.0)[:, None] * [1, 1]
    assert 80 not in nearest(places)[3]
    found = found_suspects(store, features, nearest(places))
    assert [group.tolist() for group in found.near] == [[3, 80]] and found.exact == ()


def test_near_duplicates_of_a_pair_that_is_told_already_are_not_told_again():
    store, features = texture(40), random().normal(size=(40, 8))
    store[8], store[9] = store[2], store[2] + random(1).integers(0, 6, store[2].shape, np.uint16)
    features[[8, 9]] = features[2]
    store[20], features[20] = store[21], features[21]
    found = found_suspects(store, features)
    assert [group.tolist() for group in found.exact] == [[2, 8], [20, 21]]
    assert [group.tolist() for group in found.near] == [[2, 8, 9]]


def test_a_patch_unlike_all_others_is_found_and_none_among_equals():
    features = np.concatenate([random().normal(0, 0.2, (200, 16)) + 1, -np.ones((1, 16))])
    unlike = found_suspects(texture(201), features).unlike
    assert unlike[0] == 200 and len(unlike) <= 3
    assert not len(found_suspects(texture(50), np.ones((50, 4))).unlike)


def test_a_kind_that_varies_more_is_not_unlike_all_others():
    tight = random().normal(0, 0.05, (240, 16)) + np.eye(16)[0] * 3
    loose = random(1).normal(0, 0.5, (60, 16)) + np.eye(16)[1] * 3
    unlikeness = np.repeat([0.01, 0.2], [240, 60])
    places = np.concatenate([tight[:, :2], loose[:, :2] + 50])
    assert not len(unlike_all(unlikeness, nearest(places)))
    # Seen by what is usual of all, each of them would be.
    assert len(unlike_all(unlikeness, np.zeros((300, 0), int))) == 60
    unlikeness[250] = 0.9
    assert unlike_all(unlikeness, nearest(places)).tolist() == [250]


def test_saturated_patches_come_with_the_worst_first():
    store = texture(30, dtype=np.uint16) // 8
    store = store.astype(np.uint8)
    store[4, 0, :6], store[11, 0, :12], store[12, 0, 0, 0] = 255, 255, 255
    found = found_suspects(store)
    assert found.saturated.tolist() == [11, 4]
    assert found.highest.loc["c0", "patches"] == 3


# --- truth and stability --------------------------------------------------------------------------


def test_a_truth_is_compared_with_map_features_and_clusters():
    classes = np.repeat([0, 1, 2], 100)
    places = random().normal(size=(300, 2)) + 20 * classes[:, None]
    places[:50] = places[100:150]  # half of the first lie among the second
    truth = pd.Series(np.array(["a", "b", "c"])[classes], name="kind")
    truth[299] = None
    clusters = Clusters(300)
    clusters.replace(np.where(np.arange(300) < 290, classes, -1))
    found = truth_scores(places, random(1).normal(size=(300, 4)), clusters, truth, nearest(places))
    assert found.adjusted_rand == found.homogeneity == 1 and found.clustered == 290 / 299
    assert found.confusion.loc["b"].sum() == 100 and found.confusion.loc["c", "c"] == 99
    assert found.confusion.to_numpy().sum() == 299
    own, other, share = found.worst_confusion
    assert {own, other} == {"a", "b"} and share >= 0.2
    assert found.accuracy.knn_2d > 0.6 > found.accuracy.knn_features and found.silhouette > 0
    assert f"'{own}' lie among '{other}'" in of_truth(found)[1].sentence
    none = truth_scores(places, places, Clusters(300), truth, nearest(places))
    assert none.adjusted_rand is None and len(of_truth(none)) == 2


@pytest.mark.parametrize("apart, severity", [(20, "good"), (0, "look")])
def test_a_truth_is_good_only_well_above_chance(apart, severity):
    kinds = np.repeat([0, 1], [160, 140])
    places = random().normal(size=(300, 2)) + apart * kinds[:, None]
    clusters = Clusters(300)
    clusters.replace(np.where(places[:, 0] > np.median(places[:, 0]), 1, 0))
    truth = pd.Series(np.array(["control", "drug"])[kinds], name="drug")
    found = of_truth(truth_scores(places, places, clusters, truth, nearest(places)))
    assert {one.severity for one in found} == {severity}
    assert ("hardly shows the drug" in found[0].sentence) == (severity == "look")
    assert ("hardly those of the drug" in found[-1].sentence) == (severity == "look")


@pytest.mark.parametrize("values", [
    np.arange(300) % 13, np.arange(300) % 2 / 2, np.arange(300) / 7,
])  # fmt: skip
def test_numbers_are_no_truth(values):
    places = random().normal(size=(300, 2))
    truth = pd.Series(values, name="area")
    with pytest.raises(InputError, match="'area' holds numbers, not classes"):
        truth_scores(places, places, Clusters(300), truth, nearest(places))


def test_clusters_that_another_seed_does_not_keep_are_named():
    table = pd.DataFrame({
        "name": ["red", "blue", "large", "nearly all", "empty"],
        "together": [0.2, 0.9, 0.7, 0.99, np.nan],
        "together_by_chance": [0.1, 0.1, 0.6, 0.95, 0],
    })  # fmt: skip
    found = Stability((1,), np.array([0.4, 0.5, np.nan], np.float32), table)
    sentences = [one.sentence for one in of_stability(found)]
    assert "1 other seed compared" in sentences[0] and "train with more" in sentences[0]
    assert "'red' and 'large' do not keep together" in sentences[1]
    assert "'nearly all'" in sentences[2] and "cannot be determined" in sentences[2]
    found = Stability((1, 2), found.values, table[:2])
    sentences = [one.sentence for one in of_stability(found)]
    assert "2 other seeds" in sentences[0] and "more" not in sentences[0]
    assert sentences[0].startswith("45 of 100 nearest neighbours")
    assert "'red' does not keep together" in sentences[1]


# --- all checks of a run --------------------------------------------------------------------------


def test_a_run_is_checked(tiny_run):
    run = mapped(tiny_run)
    other = mapped(seed_run(run, 1), 1)
    exploration = open_exploration(run)
    exploration.clusters.create(np.arange(len(exploration)) < 30, "first")
    save_exploration(run, exploration)
    before = sorted(path.name for path in run.folder.iterdir())
    asked_for = []
    checks = check_run(run, exploration, told=lambda what, done, total: asked_for.append(what))
    assert isinstance(checks, MapChecks) and len(checks) == len(run.table) == 81
    assert sorted(path.name for path in run.folder.iterdir()) == before
    assert {"Measuring patches", "Comparing neighbours"} < set(asked_for)
    assert checks.stability.seeds == (other.recipe.seed,)
    assert checks.stability.by_cluster["name"].tolist() == ["first"]
    # The map is made up: it keeps nothing of the features.
    assert checks.findings[0].severity == "bad" and checks.findings[0].topic == "faithfulness"
    order = [one.severity for one in checks.findings]
    assert order == sorted(order, key=["bad", "look", "good"].index)
    for one in checks.findings:
        assert one.sentence[0].isupper() or one.sentence[0].isdigit()
        assert one.sentence[-1] in ".?" and "nan" not in one.sentence
    columns = checks.columns()
    assert len(columns) == 81 and not set(columns) & set(run.table)
    assert {"neighbours kept", "outlier score", "duplicates", "norm of H"} < set(columns)


def test_columns_of_a_run_are_not_replaced(tiny_run):
    run = mapped(tiny_run)
    name = f"mean {run.info.channels[0].name}"
    run.table = run.table.assign(**{name: 1.0, "outlier score": "x"})
    checks = check_run(run, open_exploration(run))
    assert not {name, "outlier score"} & set(checks.columns())


def test_a_truth_must_be_a_column_and_a_map_must_be_there(tmp_path):
    run = make_tiny_run(tmp_path / "run")
    nothing = Exploration(run.table, None, lambda: np.empty((81, 0)))
    with pytest.raises(InputError, match="has no map yet"):
        check_run(run, nothing)
    run = mapped(run)
    with pytest.raises(InputError, match="no column 'kind': they have patch, image"):
        check_run(run, open_exploration(run), truth="kind")
    with pytest.raises(InputError, match="at least two classes"):
        check_run(run, open_exploration(run), truth="image")


def make_batches(folder, shift):
    """Two plates of the same blobs; the second is brighter by ``shift``; H is what is seen."""
    blobs = gaussian_filter(random().normal(size=(4, 128, 128)), (0, 2, 2))
    images = [
        ImageSource.from_array((2000 + 4000 * blob + (i % 2) * shift).astype(np.uint16), "YX",
                               name=f"plate {i % 2}, {i // 2}")
        for i, blob in enumerate(blobs)
    ]  # fmt: skip
    run = Run.create(folder, images, Recipe.quick(Grid(size=16), batch_size=32))
    plates = run.table["image"].str[:7]
    run.table = run.table.assign(plate=plates)
    margin = run.recipe.margin or 0
    pixels = run.store[:, 0, margin : margin + 16, margin : margin + 16].astype(float)
    seen = np.stack([pixels.mean(axis=(1, 2)) / 300, pixels[:, :8].mean(axis=(1, 2)) / 300,
                     pixels[:, :, :8].mean(axis=(1, 2)) / 300], axis=1)  # fmt: skip
    features = PCA(3).fit_transform(seen)
    run.save_map(
        features[:, :2], features, stopped=False, write_weights=lambda p: p.write_bytes(b"")
    )
    return run


@pytest.mark.parametrize(("shift", "follows"), [(0, "no"), (3000, "clearly")])
def test_a_batch_effect_in_the_pixels_is_named_and_none_where_there_is_none(
    tmp_path, shift, follows
):
    run = make_batches(tmp_path / "run", shift)
    checks = check_run(run, open_exploration(run))
    ranked = checks.confounds.ranked
    assert ranked.loc["plate", "follows"] == follows
    assert ranked.loc["mean channel 0", "follows"] == "clearly"
    asks = [one.sentence for one in checks.findings if one.severity == "look"]
    assert any("share the plate" in sentence for sentence in asks) == (follows == "clearly")
    assert any("the mean intensity of channel 0" in sentence for sentence in asks)


@pytest.fixture(scope="module")
def blood_cells(real_data, tmp_path_factory):
    """Blood cells on a map of principal components; each image holds cells of one class."""
    files = sorted((real_data / "pbc").glob("*.png"))
    images = open_images(*files).images
    run = Run.create(tmp_path_factory.mktemp("pbc") / "run", images, Recipe.quick(Grid(size=28)))
    margin = run.recipe.margin or 0
    inner = slice(margin, margin + 28)
    pixels = run.store[:, :, inner, inner].reshape(len(run.table), -1).astype(np.float32)
    features = PCA(16, random_state=0).fit_transform(pixels)
    run.save_map(
        features[:, :2], features, stopped=False, write_weights=lambda p: p.write_bytes(b"")
    )
    return run


def test_of_blood_cells_duplicates_image_and_background_are_named(blood_cells):
    checks = check_run(blood_cells, open_exploration(blood_cells), truth="image")
    sentences = {one.topic: one.sentence for one in reversed(checks.findings)}
    assert sentences["duplicates"].startswith("4 pairs of patches have exactly the same pixels")
    assert "basophil" in sentences["duplicates"]
    assert "highest value in red: harmless" in sentences["saturated"]
    ranked = checks.confounds.ranked
    assert ranked.loc["image", "follows"] == "clearly" and ranked.loc["y", "follows"] == "no"
    assert checks.truth.accuracy.knn_features > checks.truth.accuracy.knn_2d > 0.3
