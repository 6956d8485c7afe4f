from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2hsv
from skimage.filters import threshold_otsu

from napari_tsimcne import ImageSource, InputError, Recipe
from napari_tsimcne.images import Level, open_images
from napari_tsimcne.patches import place_grid, place_patches
from napari_tsimcne.patches._background import foreground
from napari_tsimcne.patches._table import make_table
from napari_tsimcne.recipe import SKIP_EMPTY, Background, Depth, Grid

few = settings(max_examples=60)
OTSU = Background(method="otsu")


def source(array, axes="YX", name="a", alpha=None, levels=()) -> ImageSource:
    image = ImageSource.from_array(array, axes, name=name)
    return ImageSource(
        name, axes, array.shape, array.dtype, image.channel_names, load=lambda: array,
        alpha=None if alpha is None else lambda: alpha, levels=levels,
    )  # fmt: skip


def windows(*places, name="a", size=8.0) -> pd.DataFrame:
    """Windows by their first pixel (row, column)."""
    table = pd.DataFrame(places, columns=["y", "x"]) + (size - 1) / 2
    return make_table(table.assign(image=name, t=0, z=0, size=size))


def spots(seed=0, shape=(64, 80)) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.where(random.random(shape) < 0.3, 200, 10) + random.integers(0, 5, shape)


@few
@given(
    st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 60), st.integers(1, 3),
    st.integers(5, 70), st.booleans(), st.floats(0.5, 2),
    st.lists(st.tuples(*[st.integers(-20, 60)] * 2, st.integers(1, 31)), max_size=12),
)  # fmt: skip
def test_shares_are_those_counted_one_by_one(seed, h, w, channels, side, hidden, factor, places):
    random = np.random.default_rng(seed)
    pixels = random.choice([0, 3, 90, 200], (channels, h, w)).astype(np.uint8)
    alpha = random.integers(0, 2, (h, w)) * 255 if hidden else None
    image = source(pixels, "CYX", alpha=alpha)
    parts = [windows((y, x), size=size) for y, x, size in places]
    table = pd.concat([*parts, windows((0, 0), size=1)], ignore_index=True)
    settings = Background(method="otsu", factor=factor, least_foreground=0.3)
    found = foreground([image], table, settings, block_side=side)
    shown = np.ones((h, w), bool) if alpha is None else alpha > 0
    above = np.zeros((h, w), bool)
    for channel, name in zip(pixels, image.channel_names, strict=True):
        seen = channel[shown]
        if seen.size and seen.min() < seen.max():
            assert found.thresholds[name] == threshold_otsu(seen) * factor
            above |= channel > found.thresholds[name]
    mask = above & shown if found.thresholds else shown
    for row, share in zip(table.itertuples(), found.share, strict=True):
        top, left = (int(v - (row.size - 1) / 2) for v in (row.y, row.x))
        inside = mask[max(top, 0) : max(top + int(row.size), 0),
                      max(left, 0) : max(left + int(row.size), 0)]  # fmt: skip
        nothing = 0 if found.thresholds or hidden else 1
        assert share == pytest.approx(inside.mean() if inside.size else nothing, abs=1e-6)
    kept = found.share >= np.float32(0.3) if found.thresholds else found.share > 0
    assert np.array_equal(found.kept, kept)


def test_large_windows_are_looked_at_coarsely_but_well():
    """Of 100 px: every 6th pixel."""
    field = np.zeros((1000, 1000), np.uint16)
    random = np.random.default_rng(0)
    for y, x in random.integers(0, 970, (120, 2)):
        field[y : y + 30, x : x + 30] = 900
    table = place_grid([source(field)], Grid(size=100))
    found = foreground([source(field)], table, OTSU, block_side=128)
    exact = (field > 400).reshape(10, 100, 10, 100).mean(axis=(1, 3)).ravel()
    assert np.abs(found.share - exact).max() < 0.05

    class Chunked:
        chunks = (70, 50)

        def __getitem__(self, index):
            return field[index]

    chunked = replace(source(field), load=Chunked)
    again = foreground([chunked], table, OTSU, block_side=150, thresholds=found.thresholds)
    assert np.array_equal(found.share, again.share)


def test_a_level_is_read_instead_where_there_is_one():
    fine = np.kron(spots().astype(np.uint16), np.ones((8, 8), np.uint16))

    class Never:
        shape, chunks = fine.shape, (64, 64)

        def __getitem__(self, index):
            raise AssertionError("the full resolution was read")

    coarse = fine[::4, ::4]
    level = Level(coarse.shape, lambda: coarse)
    image = ImageSource("a", "YX", fine.shape, fine.dtype, ("c",), load=Never, levels=(level,))
    table = place_grid([image], Grid(size=64))
    found = foreground([image], table, OTSU)
    exact = (fine > 100).reshape(8, 64, 10, 64).mean(axis=(1, 3)).ravel()
    assert found.share == pytest.approx(exact, abs=1e-6)
    shifted = foreground([image], windows((1, 1), (63, 63), size=64), OTSU).share
    bright = coarse > 100
    assert shifted == pytest.approx([bright[:16, :16].mean(), bright[16:32, 16:32].mean()])


def test_thresholds_are_of_the_whole_collection():
    """Alone, Otsu would split the noise of a dark image in halves."""
    random = np.random.default_rng(0)
    dark = source(random.integers(0, 20, (64, 64)).astype(np.uint8), name="dark")
    bright = source(spots(shape=(64, 64)).astype(np.uint8), name="bright")
    table = place_grid([dark, bright], Grid(size=16))
    found = foreground([dark, bright], table, OTSU)
    assert not found.kept[table["image"] == "dark"].any()
    assert found.kept[table["image"] == "bright"].all()
    known = foreground([dark], table[:16], OTSU, thresholds=found.thresholds)
    assert not known.kept.any() and known.thresholds == found.thresholds


def test_a_few_bright_pixels_do_not_hide_the_cells():
    field = spots().astype(np.float32)
    field[3, 3] = 65000
    found = foreground([source(field)], windows((16, 16), size=24), OTSU)
    assert found.thresholds["channel 0"] < 65000
    exact = (field > found.thresholds["channel 0"])[16:40, 16:40].mean()
    assert found.share[0] == pytest.approx(exact)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "int64", "float32", "bool"])
def test_any_type_of_pixels(dtype):
    field = (spots() > 100).astype(dtype)
    found = foreground([source(field)], windows((0, 0), (8, 8)), OTSU)
    assert found.share == pytest.approx([field[:8, :8].mean(), field[8:16, 8:16].mean()])


def test_values_that_are_not_finite_are_no_foreground():
    field = spots().astype(np.float32)
    field[:8, :8] = np.nan
    found = foreground([source(field)], windows((0, 0), (8, 8)), OTSU)
    assert found.share[0] == 0 and found.share[1] > 0


def test_a_collection_of_one_value_is_kept():
    table = windows((0, 0), (8, 8))
    found = foreground([source(np.full((20, 20), 7, np.uint8))], table, OTSU)
    assert found.kept.all() and found.thresholds == {}
    alpha = np.ones((20, 20), np.uint8)
    alpha[:8, :8] = 0
    found = foreground([source(np.full((20, 20), 7, np.uint8), alpha=alpha)], table, OTSU)
    assert found.kept.tolist() == [False, True]


def test_without_a_filter_only_what_is_hidden_wholly_is_left_out():
    alpha = np.zeros((20, 20), np.uint8)
    alpha[7, 7] = 1

    class Never:
        def __getitem__(self, index):
            raise AssertionError("pixels were read")

    shown = ImageSource("b", "YX", (20, 20), np.dtype("uint8"), ("c",), load=Never)
    hiding = source(np.zeros((20, 20), np.uint8), alpha=alpha)
    table = pd.concat([windows((0, 0), (8, 8)), windows((0, 0), name="b")], ignore_index=True)
    found = foreground([hiding, shown], table, Background())
    assert found.kept.tolist() == [True, False, True]
    assert found.share == pytest.approx([1 / 64, 0, 1])


def test_stain_is_told_from_glass_by_its_saturation():
    random = np.random.default_rng(0)
    slide = np.full((64, 64, 3), 235, np.uint8) + random.integers(0, 8, (64, 64, 1), np.uint8)
    slide[20:40, 20:50] = (190, 110, 170)
    image = source(slide, "YXS")
    table = place_grid([image], Grid(size=8))
    found = foreground([image], table, Background(method="tissue"))
    saturation = rgb2hsv(slide)[..., 1]
    assert found.thresholds["saturation"] == pytest.approx(threshold_otsu(saturation), abs=0.01)
    exact = (saturation > 0.2).reshape(8, 8, 8, 8).mean(axis=(1, 3)).ravel()
    assert found.share == pytest.approx(exact, abs=1e-6)
    with pytest.raises(InputError, match="image 'grey' is not RGB"):
        foreground([source(slide[..., 0], name="grey")], table, Background(method="tissue"))


def test_each_plane_is_looked_at():
    stack = np.stack([spots(), np.zeros((64, 80), int)])
    image = source(stack, "TYX")
    table = place_grid([image], Grid(size=16))
    found = foreground([image], table, OTSU)
    assert found.kept.tolist() == (table["t"] == 0).tolist()
    depth = source(stack[::-1], "ZYX")
    for method, plane, kept in [("max", 0, True), ("plane", 0, False), ("plane", 1, True)]:
        chosen = depth.at_depth(Depth(method=method, plane=plane))
        table = place_grid([chosen], Grid(size=16))
        found = foreground([chosen], table, OTSU, thresholds={"channel 0": 100})
        assert (found.kept == kept).all()


def test_images_that_cannot_be_read_keep_their_windows():
    class Breaks:
        def __getitem__(self, index):
            raise OSError("disk error")

    bad = ImageSource("bad", "YX", (64, 80), np.dtype("int64"), ("channel 0",), load=Breaks)
    good = source(spots(), name="good")
    table = place_grid([bad, good], Grid(size=16))
    told = []
    found = foreground([bad, good], table, OTSU, lambda *step: told.append(step))
    assert np.array_equal(np.isnan(found.share), table["image"] == "bad") and found.kept.all()
    assert told == [(1, 2), (2, 2)]

    def gone():
        raise FileNotFoundError("no such file")

    bad = replace(bad, load=gone)
    alone = foreground([bad], table[table["image"] == "bad"], OTSU)
    assert alone.kept.all() and alone.thresholds == {}


def test_slides_and_wells(real_data):
    from napari_tsimcne.images import open_images

    images = open_images(real_data / "bbbc013" / "wells").images
    table = place_grid(images, Grid(size=64))
    found = foreground(images, table, OTSU)
    exact = []
    for image in images[:3]:
        pixels = image.read(0, 0, slice(None), slice(None))
        mask = np.zeros(pixels.shape[1:], bool)
        for channel, threshold in zip(pixels, found.thresholds.values(), strict=True):
            mask |= channel > threshold
        exact.append(mask.reshape(10, 64, 10, 64).mean(axis=(1, 3)).ravel())
    assert np.abs(found.share[:300] - np.concatenate(exact)).max() < 0.15
    assert 0.5 < found.kept.mean() <= 1


# --- empty windows, where images have background ------------------------------------------------


def _left_out(images, size, rgb=False):
    placed = place_patches(images, Recipe.quick(Grid(size=size), background=SKIP_EMPTY, rgb=rgb))
    return placed.left_out, len(placed.table)


@settings(max_examples=25)
@given(
    level=st.integers(0, 200), noise=st.floats(0.2, 4), faint=st.floats(30, 200),
    rows=st.integers(1, 7), dtype=st.sampled_from(["uint16", "float32"]), seed=st.integers(0, 99),
)  # fmt: skip
def test_empty_windows_are_left_out_and_faint_content_is_kept(
    level, noise, faint, rows, dtype, seed
):
    random = np.random.default_rng(seed)
    image = random.normal(level + 20, noise, (128, 128))
    # Every window of the first rows has a cell, bright ones beside ones that are far fainter.
    for y in range(rows):
        for x in range(8):
            image[16 * y + 4 : 16 * y + 10, 16 * x + 5 : 16 * x + 11] += faint * (1 + 3 * (x % 2))
    source = ImageSource.from_array(image.clip(0).astype(dtype), "YX", name="a")
    assert _left_out([source], 16) == (64 - 8 * rows, 8 * rows)


@settings(max_examples=25)
@given(
    sigma=st.floats(1.5, 12), depth=st.floats(5, 100), noise=st.floats(0, 5),
    shape=st.sampled_from(["even", "skewed", "inverted"]), seed=st.integers(0, 99),
)  # fmt: skip
def test_no_window_of_cells_that_fill_the_image_is_left_out(sigma, depth, noise, shape, seed):
    random = np.random.default_rng(seed)
    texture = gaussian_filter(random.normal(size=(128, 128)), sigma, mode="wrap")
    texture = (texture - texture.min()) / np.ptp(texture)
    texture = {"even": texture, "skewed": texture**2, "inverted": 1 - texture**2}[shape]
    image = (50 + depth * texture + random.normal(0, noise, texture.shape)).clip(0)
    source = ImageSource.from_array(image.astype(np.float32), "YX", name="a")
    assert _left_out([source], 16) == (0, 64)


def test_a_channel_that_fills_the_image_keeps_every_window():
    random = np.random.default_rng(0)
    nuclei = random.normal(20, 1, (64, 64))
    nuclei[4:12, 4:12] += 200
    tissue = 50 + 100 * gaussian_filter(random.normal(size=(64, 64)), 3)
    both = ImageSource.from_array(np.stack([nuclei, tissue]).astype(np.float32), "CYX", name="a")
    alone = ImageSource.from_array(nuclei.astype(np.float32), "YX", name="a")
    assert _left_out([both], 16) == (0, 16) and _left_out([alone], 16) == (15, 1)
    # There is nothing to say of them, so nothing is added to the table.
    recipe = Recipe.quick(Grid(size=16), background=SKIP_EMPTY)
    assert "foreground" not in place_patches([both], recipe).table


def test_nothing_is_left_out_of_images_without_content():
    for image in (np.zeros((64, 64)), np.random.default_rng(0).normal(100, 5, (64, 64))):
        source = ImageSource.from_array(image.astype(np.float32), "YX", name="a")
        assert _left_out([source], 16) == (0, 16)


def test_further_images_are_judged_by_the_thresholds_of_a_run():
    image = np.random.default_rng(0).normal(20, 1, (64, 64)).astype(np.float32)
    empty = ImageSource.from_array(image.copy(), "YX", name="empty")
    image[:16, :32] += 200
    one = ImageSource.from_array(image, "YX", name="one")
    recipe = Recipe.quick(Grid(size=16), background=SKIP_EMPTY)
    placed = place_patches([one], recipe)
    further = place_patches([empty, one], recipe, thresholds=placed.thresholds)
    assert further.left_out == 16 + 14 and set(further.table["image"]) == {"one"}
    kept = place_patches([empty, one], recipe, thresholds={})
    assert kept.left_out == 0


@pytest.mark.parametrize(
    ("folder", "size", "few", "most"),
    [("pbc", 28, 0, 0), ("chula", 80, 0, 0), ("bbbc013/wells", 64, 0.01, 0.1)],
)
def test_real_images_keep_what_has_content(real_data, folder, size, few, most):
    images, _ = open_images(real_data / folder)
    out, kept = _left_out(images, size, rgb=images[0].rgb)
    assert few <= out / (out + kept) <= most
