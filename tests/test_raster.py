"""Patches painted on coarse pixels, whatever their size, step and place."""

import dask.array
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.ndimage import binary_dilation

from napari_tsimcne.explore import (
    NOTHING,
    PaintedArray,
    Raster,
    pixels_a_window,
    values_of_labels,
)

sizes = st.floats(8, 60)


@st.composite
def windows(draw):
    """Low and high edges (n, 2) of windows of one size, somewhere."""
    size = draw(sizes)
    places = arrays.arrays(float, (draw(st.integers(1, 12)), 2), elements=st.floats(-50, 300))
    low = draw(places)
    return low, low + size, size


def centres_of(raster):
    """Where each coarse pixel lies in the image, (h, w, 2)."""
    index = np.stack(np.indices(raster.shape), axis=-1)
    return index @ raster.matrix()[:2, :2].T + raster.matrix()[:2, 2]


@given(windows(), st.integers(1, 9))
def test_a_coarse_pixel_shows_the_nearest_window_that_holds_it(placed, pixels):
    low, high, size = placed
    side = np.full(2, size / pixels)
    raster = Raster.of_insides(low, high, side)
    seen = raster.filled(np.arange(len(low)))
    places = centres_of(raster)[..., None, :]
    inside = ((places > low - 1e-3 * side) & (places < high + 1e-3 * side)).all(axis=-1)
    surely = ((places > low + 1e-3 * side) & (places < high - 1e-3 * side)).all(axis=-1)
    assert not (surely.any(axis=-1) & (seen == NOTHING)).any()
    assert not ((seen != NOTHING) & ~inside.any(axis=-1)).any()
    distance = np.hypot(*np.moveaxis(places - (low + high) / 2, -1, 0))
    shown = np.take_along_axis(distance, np.maximum(seen, 0)[..., None], axis=-1)[..., 0]
    nearest = np.where(inside, distance, np.inf).min(axis=-1)
    assert (shown - nearest)[seen != NOTHING].max(initial=0) <= 1.5 * np.hypot(*side)


@given(windows(), st.integers(4, 12), st.integers(1, 2), st.data())
def test_outlines_are_where_the_edges_are(placed, pixels, width, data):
    low, high, size = placed
    side = np.full(2, size / pixels)
    raster = Raster.of_edges(low, high, side)
    some = st.lists(st.integers(0, len(low) - 1), unique=True)
    rows = np.array(sorted(data.draw(some)), int)
    seen = raster.outlined(rows, width) == 1
    places = centres_of(raster)[..., None, :]
    # How far inwards from the edge of each window, in coarse pixels.
    inwards = (size / 2 - np.abs(places - (low + high)[rows] / 2).max(axis=-1)) / side[0]
    near = ((inwards > -0.51) & (inwards < width - 0.49)).any(axis=-1)
    assert not (seen & ~near).any()
    # A pixel right on an edge is painted, or its neighbour to which the edge was rounded.
    along = (np.abs(inwards) < 0.1).any(axis=-1)
    assert not (along & ~binary_dilation(seen, np.ones((3, 3)))).any()


@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.floats(4, 40),
    st.floats(0, 30),
    st.booleans(),
    st.data(),
)
def test_a_grid_has_one_pixel_a_patch(rows, columns, step, offset, rounded, data):
    index = np.stack(np.divmod(np.arange(rows * columns), columns), axis=1)
    first = np.full(2, offset + (step - 1) / 2)
    centres = first + index * step
    if rounded:
        centres = np.round(centres)
    kept = data.draw(arrays.arrays(bool, rows * columns))
    kept[data.draw(st.integers(0, rows * columns - 1))] = True
    centres = centres[kept]
    raster = Raster.of_steps(centres, first, step)
    seen = raster.filled(np.arange(len(centres)))
    # Every patch is seen once, and its pixel lies around its centre.
    assert sorted(seen[seen != NOTHING]) == list(range(len(centres)))
    places = centres_of(raster)
    for number, centre in enumerate(centres):
        assert np.abs(places[seen == number][0] - centre).max() <= 0.5 + 1e-6


@given(
    arrays.arrays(np.int64, (5, 7), elements=st.integers(-3, 12) | st.integers(0, 2**62)),
    st.sets(st.integers(1, 12) | st.integers(1, 2**62)),
    st.booleans(),
)
def test_labels_get_the_values_of_their_objects(labels, known, unsigned):
    known = np.array(sorted(known), np.int64)
    values = np.arange(1, len(known) + 1).astype(np.uint16)
    by_label = dict(zip(known.tolist(), values.tolist(), strict=True))
    if unsigned:
        labels = np.abs(labels).astype(np.uint64)
    found = values_of_labels(labels, known, values)
    assert found.dtype == np.uint16
    assert found.tolist() == [[by_label.get(int(v), 0) for v in row] for row in labels]


@given(st.integers(1, 200), st.integers(10, 10**6))
def test_a_picture_has_no_more_pixels_than_allowed(count, most):
    low = np.stack([np.arange(count) * 31.0, np.arange(count) * 7.0], axis=1)
    pixels = pixels_a_window(low, low + 20, most, 16)
    assert 0 < pixels <= 16 and (pixels < 1 or pixels == int(pixels))
    height, width = (low.max(axis=0) + 20 - low.min(axis=0)) / (20 / pixels)
    assert height * width <= most * (1 + 1e-9) and max(height, width) <= 8192 * (1 + 1e-9)


# --- an array that is painted -------------------------------------------------------------------


def painted(axes):
    """An array that is painted, and one that holds the same."""
    lengths = {"T": 2, "Z": 3, "Y": 4, "X": 5}
    shape = tuple(lengths[axis] for axis in axes)
    whole = np.arange(np.prod(shape)).reshape(shape)
    order = [axis for axis in axes if axis in "TZ"]
    planes = whole.transpose([axes.index(a) for a in (*order, "Y", "X")])

    def paint(at, rows, columns):
        assert all(type(at[axis]) is int for axis in order)
        return planes[tuple(at[axis] for axis in order)][rows, columns]

    return PaintedArray(axes, shape, np.int64, paint), whole


@pytest.mark.parametrize("axes", ["TZYX", "YX", "TYXZ", "XY"])
@given(data=st.data())
def test_it_is_indexed_like_an_array(axes, data):
    array, whole = painted(axes)
    index = data.draw(arrays.basic_indices(whole.shape, allow_newaxis=False))
    assert np.array_equal(array[index], whole[index])


@pytest.mark.parametrize("axes", ["TZYX", "YX", "TYXZ", "XY"])
def test_it_is_an_array_to_others(axes):
    array, whole = painted(axes)
    assert array.ndim == whole.ndim and array.size == whole.size and len(array) == len(whole)
    assert np.array_equal(np.asarray(array), whole)
    assert np.array_equal(dask.array.from_array(array, asarray=False, name=False), whole)
