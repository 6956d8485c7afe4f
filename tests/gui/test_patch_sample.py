"""A few of the user's own patches, cut before all are."""

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tsimcne import ImageSource, InputError
from napari_tsimcne.gui.steps._inputs import Inputs
from napari_tsimcne.gui.steps._patch_sample import MOST_BYTES, WIDEST, sample_patches
from napari_tsimcne.images import open_file, open_images
from napari_tsimcne.patches import Placed, place_patches
from napari_tsimcne.recipe import Grid, Objects, Recipe

SIZE = 16


def placed(images, patches=None, labels=None, **options) -> Placed:
    recipe = Recipe.quick(patches or Grid(size=SIZE), rgb=images[0].rgb, **options)
    images = [image.at_depth(recipe.depth) for image in images]
    return place_patches(images, recipe, labels=labels)


def fields(count, side=96, seed=0) -> list[ImageSource]:
    """Images in which no two patches are the same, and whose values tell them apart."""
    random = np.random.default_rng(seed)
    return [
        ImageSource.from_array(
            random.integers(1000 * n, 1000 * n + 900, (side, side), np.uint16), "YX", name=f"{n}"
        )
        for n in range(count)
    ]


def pixels(source: ImageSource) -> np.ndarray:
    whole = [slice(0, source.length(axis)) for axis in "YX"]
    return source.read(0, 0, *whole)[0]


def of_image(sample) -> list[int]:
    return [int(patch.min()) // 1000 for patch in sample.patches]


@settings(max_examples=15)
@given(st.integers(1, 9), st.integers(1, 8), st.integers(0, 5))
def test_patches_are_those_of_the_table_spread_over_the_images(images, count, seed):
    sources = fields(images)
    windows = placed(sources)
    sample = sample_patches(Inputs(sources, {}), windows, count, seed)
    assert len(sample) == count and sample.size == SIZE
    times = np.bincount(of_image(sample), minlength=images)
    assert times.max() - times.min() <= 1
    cut = {
        patch.tobytes()
        for source in sources
        for rows in np.split(pixels(source), 96 // SIZE, axis=0)
        for patch in np.split(rows, 96 // SIZE, axis=1)
    }
    shown = [sample.patch(n, 0)[0, 0] for n in range(count)]
    assert {patch.tobytes() for patch in shown} <= cut
    assert len({patch.tobytes() for patch in shown}) == count


def test_margins_hold_what_lies_around_and_are_mirrored_at_the_edge():
    (source,) = fields(1, side=3 * SIZE)
    sample = sample_patches(Inputs([source], {}), placed([source]))
    assert sample.margin == WIDEST.margin(SIZE)
    margin = SIZE
    mirrored = np.pad(pixels(source), margin, mode="symmetric")
    tiles = [
        mirrored[y : y + SIZE + 2 * margin, x : x + SIZE + 2 * margin]
        for y in range(0, 3 * SIZE, SIZE)
        for x in range(0, 3 * SIZE, SIZE)
    ]
    for number in range(len(sample)):
        patch = sample.patch(number, margin)[0, 0]
        assert any(np.array_equal(patch, tile) for tile in tiles)


def test_another_seed_takes_other_patches_and_fewer_are_given_where_there_are_fewer():
    sources = fields(2)
    windows = placed(sources)
    inputs = Inputs(sources, {})
    one, other = (sample_patches(inputs, windows, seed=seed).patches for seed in (0, 1))
    assert np.array_equal(one, sample_patches(inputs, windows, seed=0).patches)
    assert not np.array_equal(one, other)
    small = fields(1, side=2 * SIZE)
    assert len(sample_patches(Inputs(small, {}), placed(small), count=6)) == 4


def test_patches_with_content_are_preferred():
    image = np.zeros((128, 128), np.uint8)
    # One patch of two holds a cell.
    image[4:128:16, 4:128:32] = 200
    source = ImageSource.from_array(image, "YX", name="sparse")
    sample = sample_patches(Inputs([source], {}), placed([source]))
    assert all(sample.patch(n, 0).any() for n in range(len(sample)))


def test_values_are_scaled_as_the_recipe_says():
    (source,) = fields(1)
    sample = sample_patches(Inputs([source], {}), placed([source]))
    assert 0 <= sample.low[0] < 10 and 890 < sample.high[0] < 900
    assert sample.low.dtype == sample.high.dtype == np.float32
    sample = sample_patches(Inputs([source], {}), placed([source], normalization="none"))
    assert (sample.low[0], sample.high[0]) == (0, 65535)
    blank = ImageSource.from_array(np.full((64, 64), 7, np.uint8), "YX", name="blank")
    with pytest.raises(InputError, match="nothing to learn"):
        sample_patches(Inputs([blank], {}), placed([blank]))


def test_images_that_cannot_be_read_are_left_out(tmp_path):
    sources = fields(3)
    for source in sources:
        tifffile.imwrite(tmp_path / f"{source.name}.tif", pixels(source))
    sources = [open_file(tmp_path / f"{n}.tif")[0] for n in range(3)]
    windows = placed(sources)
    (tmp_path / "1.tif").write_bytes(b"")
    sample = sample_patches(Inputs(sources, {}), windows)
    assert set(of_image(sample)) == {0, 2}
    for n in (0, 2):
        (tmp_path / f"{n}.tif").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be read"):
        sample_patches(Inputs(sources, {}), windows)


def test_surroundings_of_objects_are_cut_as_the_recipe_says():
    random = np.random.default_rng(0)
    labels = np.zeros((96, 96), np.uint16)
    labels[20:30, 20:30], labels[20:30, 32:42], labels[60:70, 60:70] = 1, 2, 3
    image = ImageSource.from_array(random.integers(1, 255, (96, 96), np.uint8), "YX", name="a")
    own = {"a": ImageSource.from_array(labels, "YX", name="labels")}
    windows = placed([image], Objects(size=24, surroundings="mask"), labels=own)
    sample = sample_patches(Inputs([image], {}, labels=own), windows)
    assert len(sample) == 3
    assert [int((sample.patch(n, 0) > 0).sum()) for n in range(3)] == [100] * 3


def test_large_patches_have_less_around_them_but_enough_to_be_turned():
    array = np.random.default_rng(0).integers(0, 9, (3, 2048, 2048), np.uint16)
    source = ImageSource.from_array(array, "CYX", name="large")
    windows = placed([source], Grid(size=1024))
    sample = sample_patches(Inputs([source], {}), windows)
    assert 212 <= sample.margin < WIDEST.margin(1024)
    assert sample.patches.nbytes <= 1.2 * MOST_BYTES


def test_colours_are_those_of_the_layers_or_told_apart():
    two = ImageSource.from_array(np.arange(2 * 64 * 64).reshape(2, 64, 64), "CYX", name="two")
    sample = sample_patches(Inputs([two], {}), placed([two]))
    values = np.zeros((1, 2, 4, 4), np.uint8)
    values[0, 0, :2], values[0, 1, 2:] = 255, 255
    picture = sample.pictures(values)[0]
    assert picture.shape == (4, 4, 3) and (picture[0] != picture[3]).any()

    red = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    rgb = ImageSource.from_array(red, "YXS", name="rgb")
    sample = sample_patches(Inputs([rgb], {}), placed([rgb]))
    values = np.arange(48, dtype=np.uint8).reshape(1, 3, 4, 4) * 5
    assert sample.rgb and np.array_equal(sample.pictures(values)[0], values[0].transpose(1, 2, 0))


def test_patches_of_real_wells(real_data):
    opened = open_images(real_data / "bbbc013" / "wells")
    windows = placed(list(opened.images), Grid(size=48))
    assert isinstance(windows.table, pd.DataFrame)
    sample = sample_patches(Inputs(opened.images, {}), windows)
    assert len(sample) == 6 and sample.patches.shape[1] == 2
    assert (sample.high > sample.low).all()
