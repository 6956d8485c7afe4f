import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tsimcne import Grid, ImageSource, InputError
from napari_tsimcne.patches import (
    channel_ranges,
    extract_patches,
    grid_origins,
    open_store,
    patch_at,
    patch_corners,
    place_grid,
    validate_table,
)
from napari_tsimcne.recipe import Normalization

grids = st.builds(Grid, size=st.integers(8, 40), stride=st.integers(1, 50))
few = settings(deadline=None, max_examples=60)


@given(st.integers(1, 200), grids)
def test_windows_fit_and_no_further_one_would(length, grid):
    origins = grid_origins(length, grid)
    assert len(origins) == max(0, (length - grid.size) // grid.stride + 1)
    assert all(o >= 0 and o + grid.size <= length for o in origins)
    assert np.array_equal(origins, np.arange(len(origins)) * grid.stride)


@given(st.integers(8, 90), st.integers(8, 90), st.integers(8, 30))
def test_tiles_cover_every_pixel_of_the_covered_part_once(height, width, size):
    image = ImageSource.from_array(np.zeros((height, width), np.uint8))
    if min(height, width) < size:
        with pytest.raises(InputError, match="larger than every image"):
            place_grid([image], Grid(size=size))
        return
    count = np.zeros((height, width), int)
    table = place_grid([image], Grid(size=size))
    for corners in patch_corners(table, np.arange(len(table))):
        (top, left), (bottom, right) = corners[0] + 0.5, corners[2] + 0.5
        count[int(top) : int(bottom), int(left) : int(right)] += 1
    whole = count[: height // size * size, : width // size * size]
    assert (whole == 1).all() and count.sum() == whole.size


@few
@given(
    st.integers(8, 60), st.integers(8, 60), grids, st.integers(0, 12),
    st.integers(1, 2), st.integers(1, 3),
)  # fmt: skip
def test_crops_hold_exactly_their_pixels(tmp_path_factory, height, width, grid, margin, t, c):
    if min(height, width) < grid.size:
        return
    pixels = np.random.default_rng(0).integers(0, 60000, (t, c, height, width), dtype=np.uint16)
    image = ImageSource.from_array(pixels, "TCYX")
    table = place_grid([image], grid)
    path = tmp_path_factory.mktemp("store") / "patches.npy"
    written, skipped = extract_patches([image], table, margin, path)
    store = open_store(path)
    assert not skipped and len(store) == len(written) == len(table)
    edges = ((0, 0), (0, 0), (margin, margin), (margin, margin))
    padded = np.pad(pixels, edges, mode="symmetric")
    for row, crop in zip(written.itertuples(), store, strict=True):
        top, left = (int(v - (grid.size - 1) / 2) for v in (row.y, row.x))
        side = grid.size + 2 * margin
        assert np.array_equal(crop, padded[row.t, :, top : top + side, left : left + side])


@few
@given(
    st.integers(20, 70), st.integers(20, 70), st.integers(8, 20), st.floats(0, 1), st.floats(0, 1)
)
def test_a_place_finds_its_patch(height, width, size, fy, fx):
    image = ImageSource.from_array(np.zeros((height, width), np.uint8), name="a")
    table = place_grid([image], Grid(size=size))
    y, x = fy * (height - 1), fx * (width - 1)
    found = patch_at(table, "a", 0, 0, y, x)
    row, column = round(y) // size, round(x) // size
    columns = width // size
    if row >= height // size or column >= columns:
        # Half a pixel beyond the last whole number still belongs to the patch.
        assert found is None or max(y - row * size, x - column * size) <= 0.5
    elif abs((y + 0.5) % size) > 1e-6 and abs((x + 0.5) % size) > 1e-6:
        expected = int((y + 0.5) // size) * columns + int((x + 0.5) // size)
        assert found == expected
    assert patch_at(table, "b", 0, 0, y, x) is None
    assert patch_at(table, "a", 1, 0, y, x) is None


def test_overlapping_windows_give_the_nearest_centre():
    table = place_grid([ImageSource.from_array(np.zeros((16, 40), np.uint8), name="a")],
                       Grid(size=16, stride=4))  # fmt: skip
    assert patch_at(table, "a", 0, 0, 8, 12) == 1


def test_images_without_room_have_no_patch_but_do_not_hinder():
    images = [ImageSource.from_array(np.zeros((n, n), np.uint8), name=str(n)) for n in (10, 40)]
    assert set(place_grid(images, Grid(size=20))["image"]) == {"40"}


def test_an_image_that_cannot_be_read_is_left_out_whole(tmp_path):
    class Breaks:
        def __getitem__(self, index):
            if index[0].start > 20:
                raise OSError("disk error")
            return np.ones((40, 40), np.uint8)[index]

    good = ImageSource.from_array(np.zeros((40, 40), np.uint8), name="good")
    bad = ImageSource("bad", "YX", (40, 40), np.dtype("uint8"), ("c",), load=Breaks)
    table = place_grid([bad, good], Grid(size=10))
    written, skipped = extract_patches([bad, good], table, 0, tmp_path / "p.npy")
    assert set(written["image"]) == {"good"} and len(written) == 16
    assert np.array_equal(written["patch"], np.arange(16))
    assert [s.name for s in skipped] == ["bad"] and "disk error" in skipped[0].reason
    store = open_store(tmp_path / "p.npy")
    assert store.shape == (16, 1, 10, 10) and not store.any()


def test_values_that_are_not_finite_are_refused(tmp_path):
    pixels = np.zeros((40, 40), np.float32)
    pixels[25, 3] = np.nan
    image = ImageSource.from_array(pixels, name="broken")
    with pytest.raises(InputError, match=r"'broken' holds 1 values that are not finite"):
        extract_patches([image], place_grid([image], Grid(size=10)), 0, tmp_path / "p.npy")


def test_ranges_come_from_percentiles_or_the_type():
    store = np.tile(np.arange(1000, dtype=np.uint16).reshape(10, 100), (1, 1)).reshape(
        10, 1, 10, 10
    )
    (found,) = channel_ranges(store, ["a"], Normalization(percentiles=(10.0, 90.0)))
    assert (found.low, found.high) == pytest.approx((99.9, 899.1))
    (found,) = channel_ranges(store, ["a"], Normalization(method="none"))
    assert (found.low, found.high) == (0, 65535)


def test_rare_spots_are_no_constant_and_constants_are_refused():
    store = np.zeros((50, 1, 10, 10), np.uint8)
    with pytest.raises(InputError, match="nothing to learn"):
        channel_ranges(store, ["a"], Normalization())
    store[0, 0, 0, 0] = 200
    (found,) = channel_ranges(store, ["a"], Normalization())
    assert (found.low, found.high) == (0, 200)


def test_a_table_from_elsewhere_is_checked():
    table = place_grid([ImageSource.from_array(np.zeros((40, 40), np.uint8))], Grid(size=10))
    validate_table(table)
    with pytest.raises(InputError, match="lacks the columns size"):
        validate_table(table.drop(columns="size"))
    with pytest.raises(InputError, match="number"):
        validate_table(table.iloc[1:])
    with pytest.raises(InputError, match="wrong type"):
        validate_table(table.assign(y="here"))
