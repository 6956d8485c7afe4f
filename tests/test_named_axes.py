"""Axes that the user names in place of what a file says."""

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_tsimcne import Grid, ImageSource, InputError, Recipe, Run, open_images
from napari_tsimcne.images import Level

ORDERS = ["".join(axes) for n in (2, 3, 4, 5) for axes in permutations("TCZYX", n)
          if {"Y", "X"} <= set(axes)]  # fmt: skip
KINDS = {"numpy": np.asarray, "dask": da.from_array, "zarr": zarr.array}


def regions(lengths):
    ends = st.tuples(*(st.tuples(st.integers(0, n), st.integers(0, n)) for n in lengths))
    return ends.map(lambda pairs: [slice(min(pair), max(pair)) for pair in pairs])


@given(st.data(), st.sampled_from(ORDERS), st.sampled_from(list(KINDS)))
@settings(max_examples=60)
def test_pixels_are_where_their_axes_say(data, axes, kind):
    shape = data.draw(st.tuples(*(st.integers(1, 5) for _ in axes)))
    pixels = np.arange(np.prod(shape)).reshape(shape)
    # As whatever it was stored and named before.
    image = ImageSource.from_array(KINDS[kind](pixels), "TCZYX"[-len(axes) :]).with_axes(axes)
    assert image.axes.index("Y") < image.axes.index("X")
    assert image.exchanged == (axes.index("X") < axes.index("Y"))
    length = dict(zip(axes, shape, strict=True))
    assert image.height_width == (length["Y"], length["X"])
    rows, columns = data.draw(regions(image.height_width))
    t, z = (data.draw(st.integers(0, length.get(axis, 1) - 1)) for axis in "TZ")
    for missing in "CTZ":
        if missing not in axes:
            pixels, axes = pixels[np.newaxis], missing + axes
    right = pixels.transpose([axes.index(axis) for axis in "TZCYX"])[t, z]
    assert np.array_equal(image.read(t, z, rows, columns), right[:, rows, columns])


def test_levels_alpha_and_pixel_sizes_are_exchanged_too():
    pixels = np.arange(80 * 60, dtype=np.uint16).reshape(80, 60)
    image = ImageSource.from_array(pixels, "YX", pixel_size=(0.5, 0.25), unit="µm")
    image = replace(image, levels=(Level((40, 30), lambda: pixels[::2, ::2]),),
                    alpha=lambda: pixels > 600)  # fmt: skip
    turned = image.with_axes("XY")
    assert turned.pixel_size == (0.25, 0.5) and turned.levels[0].height_width == (30, 40)
    part = slice(3, 20), slice(2, 35)
    assert np.array_equal(turned.read(0, 0, *part, level=1)[0], pixels[::2, ::2].T[part])
    assert np.array_equal(turned.opaque(0, 0, *part), (pixels > 600).T[part])
    back = turned.with_axes("XY")
    assert back.pixel_size == (0.5, 0.25) and back.levels[0].height_width == (40, 30)
    assert np.array_equal(back.read(0, 0, *part)[0], pixels[part])


def test_what_is_not_asked_for_is_not_read():
    class Counted:
        shape, dtype, chunks = (1000, 2000), np.dtype(np.uint8), (100, 50)
        read = 0

        def __getitem__(self, index):
            region = np.zeros(self.shape, np.uint8)[index]
            self.read += region.size
            return region

    counted = Counted()
    image = ImageSource("big", "YX", counted.shape, counted.dtype, ("a",), lambda: counted)
    turned = image.with_axes("XY")
    assert turned.chunk() == (50, 100)
    turned.read(0, 0, slice(0, 10), slice(0, 20))
    assert counted.read == 200


# --- files --------------------------------------------------------------------------------------


@pytest.fixture
def colours():
    return np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)


def written(folder: Path, kind: str, colours: np.ndarray) -> Path:
    path = folder / f"a.{kind}"
    if kind == "png":
        Image.fromarray(colours).save(path)
    else:
        tifffile.imwrite(path, colours, photometric="rgb")
    return path


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_colours_are_channels_where_they_are_named_so(tmp_path, colours, kind):
    (image,) = open_images(written(tmp_path, kind, colours), axes="YXC").images
    assert not image.rgb and image.channel_names == ("red", "green", "blue")
    everything = slice(None), slice(None)
    assert np.array_equal(image.read(0, 0, *everything), colours.transpose(2, 0, 1))
    (turned,) = open_images(written(tmp_path, kind, colours), axes="XYC").images
    assert np.array_equal(turned.read(0, 0, *everything), colours.transpose(2, 1, 0))


def test_a_grey_image_has_no_channels_after_its_columns(tmp_path, colours):
    path = written(tmp_path, "png", colours[..., 0])
    with pytest.raises(InputError, match=r"axes 'YXC' do not describe a shape \(40, 60\)"):
        open_images(path, axes="YXC")


@pytest.mark.parametrize("axes", ["XY", "YXC", "XYC"])
def test_a_run_opens_its_images_with_the_axes_that_were_named(tmp_path, colours, axes):
    colours = colours if "C" in axes else colours[..., 0]
    path = written(tmp_path, "png", colours)
    recipe = Recipe.quick(Grid(size=10), batch_size=2)
    run = Run.create(tmp_path / "run", open_images(path, axes=axes).images, recipe)
    order = [axes.index(axis) for axis in ("CYX" if "C" in axes else "YX")]
    right = ImageSource.from_array(colours.transpose(order), "CYX"[-len(axes) :])
    expected = Run.create(tmp_path / "expected", [right], recipe)
    assert np.array_equal(run.store, expected.store)
    again = Run.open(run.folder).info.images[0].open()
    whole = slice(None), slice(None)
    assert np.array_equal(again.read(0, 0, *whole), right.read(0, 0, *whole))
    assert again.exchanged == axes.startswith("X")
