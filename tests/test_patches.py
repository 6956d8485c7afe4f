import gc
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tsimcne import Grid, ImageSource, InputError
from napari_tsimcne.images import Level, open_images
from napari_tsimcne.patches import (
    Cut,
    _extract,
    _store,
    channel_ranges,
    extract_patches,
    grid_origins,
    iterate_patches,
    keep_rows,
    make_store,
    open_store,
    patch_at,
    patch_corners,
    place_grid,
    place_objects,
    validate_table,
    write_rows,
)
from napari_tsimcne.patches._windows import snapped
from napari_tsimcne.recipe import Normalization, Objects

grids = st.builds(Grid, size=st.integers(8, 40), stride=st.integers(1, 50))
few = settings(max_examples=60)
lengths = st.floats(4, 60)


@given(st.integers(1, 200), lengths, lengths, st.floats(0, 40))
def test_windows_fit_and_no_further_one_would(length, size, step, offset):
    origins = grid_origins(length, size, step, offset)
    assert (origins + size <= length + 0.02).all() and (origins >= offset).all()
    assert np.allclose(origins, offset + np.arange(len(origins)) * step)
    assert offset + len(origins) * step + size > length


@given(st.integers(1, 200), lengths, st.floats(0.2, 1), st.floats(0, 40))
def test_padded_windows_cover_every_pixel_from_the_offset_on(length, size, share, offset):
    step = size * share
    origins = grid_origins(length, size, step, offset, "pad")
    if offset >= length:
        assert not len(origins)
        return
    assert origins[0] == offset and origins[-1] < length
    assert origins[-1] + size >= length - 0.02 and (np.diff(origins) <= size + 1e-9).all()
    # None but the last reaches the end: no window is there for nothing.
    assert (origins[:-1] + size < length + 0.02).all()


@given(st.integers(30, 400), st.integers(30, 400), st.floats(0.1, 2), st.floats(3, 20))
def test_sizes_in_micrometres_meet_at_one_scale(height, width, pixel_size, size):
    image = ImageSource.from_array(
        np.zeros((height, width), np.uint8), pixel_size=(pixel_size, pixel_size), unit="µm"
    )
    grid = Grid(size=size, unit="µm", pixels=16, edges="pad")
    table = place_grid([image], grid)
    assert np.allclose(table["size"] * pixel_size, size)
    assert (np.diff(np.unique(table["y"])) * pixel_size).tolist() == pytest.approx(
        [size] * (table["y"].nunique() - 1)
    )


def test_sizes_in_micrometres_need_square_pixels_of_known_size():
    pixels = np.zeros((64, 64), np.uint8)
    grid = Grid(size=20, unit="µm", pixels=16)
    with pytest.raises(InputError, match="does not say how large its pixels are"):
        place_grid([ImageSource.from_array(pixels)], grid)
    with pytest.raises(InputError, match=r"2 x 1 µm, not square"):
        place_grid([ImageSource.from_array(pixels, pixel_size=(2, 1), unit="µm")], grid)


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


class Chunked:
    """An array that is read in chunks, and counts how often each was."""

    def __init__(self, array, chunks):
        self.array, self.chunks, self.reads = array, chunks, []

    def __getitem__(self, index):
        self.reads.append(index)
        return self.array[index]


@few
@given(
    st.integers(8, 60), st.integers(8, 60), grids, st.integers(0, 12), st.integers(1, 2),
    st.integers(1, 3), st.integers(1, 30), st.integers(1, 30), st.integers(1, 4000),
    st.sampled_from(["drop", "pad"]),
)  # fmt: skip
def test_crops_hold_exactly_their_pixels(
    tmp_path_factory, height, width, grid, margin, t, c, rows, columns, block, edges
):
    grid = Grid(**{**grid.model_dump(), "edges": edges})
    if min(height, width) < grid.size and edges == "drop":
        return
    pixels = np.random.default_rng(0).integers(0, 60000, (t, c, height, width), dtype=np.uint16)
    array = Chunked(pixels, (1, c, rows, columns))
    image = replace(ImageSource.from_array(pixels, "TCYX"), load=lambda: array)
    table = place_grid([image], grid)
    path = tmp_path_factory.mktemp("store") / "patches.npy"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_extract, "BLOCK_BYTES", block)
        written, skipped = extract_patches([image], table, Cut(grid.pixels, margin), path)
    store = open_store(path)
    assert not skipped and len(store) == len(written) == len(table)
    beyond = int(grid.size) + margin
    edges = ((0, 0), (0, 0), (beyond, beyond), (beyond, beyond))
    padded = np.pad(pixels, edges, mode="symmetric")
    for row, crop in zip(written.itertuples(), store, strict=True):
        top, left = (int(v - (grid.size - 1) / 2) + beyond - margin for v in (row.y, row.x))
        side = int(grid.size) + 2 * margin
        assert np.array_equal(crop, padded[row.t, :, top : top + side, left : left + side])
    # Blocks are whole chunks, and each is read once.
    assert len(array.reads) == len({str(index) for index in array.reads})
    for index in array.reads:
        for along, chunk, length in zip(index[-2:], (rows, columns), (height, width), strict=True):
            assert along.start % min(chunk, length) == 0


@few
@given(st.floats(9, 60), st.integers(8, 32), st.floats(0, 1), st.floats(0, 1))
def test_a_resampled_ramp_keeps_its_place(size, side, fy, fx):
    """Linear interpolation and a symmetric blur leave a ramp as it is: each value is its place."""
    places = np.stack(np.indices((160, 160))).astype(np.float32)
    image = ImageSource.from_array(places, "CYX")
    reach = size / 2 + 2 * size / side + 3
    y, x = (reach + f * (159 - 2 * reach) for f in (fy, fx))
    table = place_grid([image], Grid(size=16)).iloc[:1].assign(y=y, x=x, size=size)
    ((_, (crop,)),) = iterate_patches([image], table, Cut(side))
    if abs(size - side) < 1e-5:
        return
    expected = (np.arange(side) - (side - 1) / 2) * size / side
    assert np.allclose(crop[0], (y + expected)[:, None], atol=1e-2)
    assert np.allclose(crop[1], (x + expected)[None, :], atol=1e-2)


def test_integers_are_rounded_and_whole_numbers_stay_in_range():
    pixels = np.full((64, 64), 255, np.uint8)
    image = ImageSource.from_array(pixels)
    table = place_grid([image], Grid(size=40, pixels=16))
    ((_, crops),) = iterate_patches([image], table, Cut(16, margin=5))
    assert crops.dtype == np.uint8 and (crops == 255).all()


def test_large_windows_are_read_from_a_pyramid():
    base = np.random.default_rng(0).integers(0, 255, (512, 512), np.uint8)
    quarter = base.reshape(128, 4, 128, 4).mean(axis=(1, 3)).astype(np.uint8)

    def never():
        raise AssertionError("the finest level is not needed")

    image = replace(
        ImageSource.from_array(base), load=never, levels=(Level((128, 128), lambda: quarter),)
    )
    table = place_grid([image], Grid(size=64, pixels=16))
    ((_, crops),) = iterate_patches([image], table, Cut(16))
    # A window of 64 px is 16 px there: it is taken as it is.
    tiles = quarter.reshape(8, 16, 8, 16).swapaxes(1, 2).reshape(-1, 16, 16)
    assert np.array_equal(crops[:, 0], tiles)


@pytest.mark.parametrize("method", ["keep", "dim", "mask"])
def test_surroundings_of_an_object(method):
    pixels = np.full((40, 40), 100, np.uint16)
    marks = np.zeros((40, 40), np.int64)
    marks[10:20, 10:20], marks[10:20, 21:30] = 2**40, 7
    image = ImageSource.from_array(pixels, name="a")
    labels = {"a": ImageSource.from_array(marks)}
    settings = Objects(size=16, surroundings=method, dimming=0.3)
    table, settings = place_objects([image], labels, settings)
    cut = Cut.of(settings, 2, labels)
    ((rows, crops),) = iterate_patches([image], snapped(table, 16), cut)
    for label, (crop,) in zip(rows["label"], crops, strict=True):
        row = rows[rows["label"] == label].iloc[0]
        top, left = (int(row[axis] - 7.5) - 2 for axis in ("y", "x"))
        own = marks[top : top + 20, left : left + 20] == label
        assert own.any() and (crop[own] == 100).all()
        assert (crop[~own] == {"keep": 100, "dim": 30, "mask": 0}[method]).all()


def test_cutting_can_be_cancelled_and_leaves_nothing(tmp_path):
    image = ImageSource.from_array(np.zeros((200, 200), np.uint8))
    table = place_grid([image], Grid(size=10))

    class CancelledError(Exception):
        pass

    def cancel(done, total):
        raise CancelledError

    with pytest.raises(CancelledError):
        extract_patches([image], table, Cut(10), tmp_path / "p.npy", cancel)
    assert not list(tmp_path.iterdir())


def test_the_workers_of_a_cluster_write_one_store(tmp_path):
    distributed = pytest.importorskip("distributed")
    pixels = np.random.default_rng(0).integers(0, 60000, (3, 600, 500), dtype=np.uint16)
    path = tmp_path / "image.tif"
    tifffile.imwrite(
        path, pixels, tile=(64, 64), photometric="minisblack", metadata={"axes": "CYX"}
    )
    images, _ = open_images(path)
    table = place_grid(images, Grid(size=20))
    here, there = tmp_path / "here.npy", tmp_path / "there.npy"
    extract_patches(images, table, Cut(20, 3), here)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setattr(_extract, "BLOCK_BYTES", 1 << 18)
        extract_patches(images, table, Cut(20, 3), there, scheduler=cluster.scheduler_address)
    assert here.read_bytes() == there.read_bytes()


def test_a_cluster_that_is_not_there(tmp_path):
    pytest.importorskip("distributed")
    image = ImageSource.from_array(np.zeros((40, 40), np.uint8))
    table = place_grid([image], Grid(size=10))
    with pytest.raises(InputError, match="cannot be reached"):
        extract_patches([image], table, Cut(10), tmp_path / "p.npy", scheduler="nowhere")


@given(st.lists(st.booleans(), min_size=1, max_size=40).filter(any), st.integers(1, 5))
def test_rows_of_a_store_can_be_left_out(kept, side):
    values = np.random.default_rng(0).integers(0, 255, (len(kept), 2, side, side), np.uint8)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(_store, "COPIED_AT_ONCE", 3 * side)
        path = Path(folder) / "p.npy"
        make_store(path, values.shape, values.dtype)
        order = np.random.default_rng(1).permutation(len(kept))
        for rows in np.array_split(order, 3):
            if len(rows):
                write_rows(path, np.sort(rows), values[np.sort(rows)])
        assert np.array_equal(np.load(path), values)
        keep_rows(path, np.array(kept))
        assert np.array_equal(np.load(path), values[np.array(kept)])


def test_threads_write_rows_at_once(tmp_path):
    # Other threads go on in the midst of what Python's parser does where memory is tidied up in
    # Python, as dask has it.
    def tidied(phase, info):
        sum(range(2000))

    path, values = tmp_path / "p.npy", np.arange(300, dtype=np.uint16).reshape(300, 1, 1, 1)
    make_store(path, values.shape, values.dtype)
    often, at_once = gc.get_threshold(), sys.getswitchinterval()
    gc.callbacks.append(tidied)
    gc.set_threshold(5)
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(6) as threads:
            rows = [np.array([i]) for i in range(len(values))]
            written = [threads.submit(write_rows, path, row, values[row]) for row in rows]
        assert not any(one.exception() for one in written)
    finally:
        gc.callbacks.remove(tidied)
        gc.set_threshold(*often)
        sys.setswitchinterval(at_once)
    assert np.array_equal(open_store(path), values)


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


def test_an_image_that_cannot_be_read_is_left_out_whole(tmp_path, monkeypatch):
    class Breaks(Chunked):
        def __getitem__(self, index):
            if index[0].stop > 20:
                raise OSError("disk error")
            return super().__getitem__(index)

    monkeypatch.setattr(_extract, "BLOCK_BYTES", 400)
    good = ImageSource.from_array(np.zeros((40, 40), np.uint8), name="good")
    array = Breaks(np.ones((40, 40), np.uint8), (10, 40))
    bad = replace(good, name="bad", load=lambda: array)
    table = place_grid([bad, good], Grid(size=10))
    written, skipped = extract_patches([bad, good], table, Cut(10), tmp_path / "p.npy")
    assert array.reads  # part of it could be read
    assert set(written["image"]) == {"good"} and len(written) == 16
    assert np.array_equal(written["patch"], np.arange(16))
    assert [s.name for s in skipped] == ["bad"] and "disk error" in skipped[0].reason
    store = open_store(tmp_path / "p.npy")
    assert store.shape == (16, 1, 10, 10) and not store.any()
    assert [path.name for path in tmp_path.iterdir()] == ["p.npy"]


@pytest.mark.parametrize(("size", "cut"), [(10, Cut(10)), (10, Cut(6)), (10, Cut(10, margin=2))])
def test_only_patches_with_values_that_are_not_finite_are_left_out(tmp_path, size, cut):
    pixels = np.random.default_rng(0).random((40, 40)).astype(np.float32)
    whole = ImageSource.from_array(pixels.copy(), name="whole")
    pixels[25, 5], pixels[38, 35] = np.nan, np.inf
    image = ImageSource.from_array(pixels, name="broken")
    table = place_grid([whole, image], Grid(size=size))
    written, skipped = extract_patches([whole, image], table, cut, tmp_path / "p.npy")
    assert (written["image"] == "whole").sum() == 16
    left = written[written["image"] == "broken"]
    assert len(left) == 14 and not ((left["y"] == 24.5) & (left["x"] == 4.5)).any()
    assert len(skipped) == 1 and skipped[0].name == "broken"
    assert "2 patches left out" in skipped[0].reason and "row 24" in skipped[0].reason
    store = open_store(tmp_path / "p.npy")
    assert len(store) == 30 and np.isfinite(store).all()
    # One by one, as they are embedded: the same.
    told = []
    rows = [rows for rows, _ in iterate_patches([whole, image], table, cut, told.append)]
    assert sum(map(len, rows)) == 30 and {one.name for one in told} == {"broken"}


def test_an_image_without_any_finite_patch_is_refused(tmp_path):
    image = ImageSource.from_array(np.full((40, 40), np.nan), name="broken")
    with pytest.raises(InputError, match=r"broken.*16 patches.*not finite"):
        extract_patches([image], place_grid([image], Grid(size=10)), Cut(10), tmp_path / "p.npy")


def test_ranges_come_from_percentiles_or_the_type():
    store = np.tile(np.arange(1000, dtype=np.uint16).reshape(10, 100), (1, 1)).reshape(
        10, 1, 10, 10
    )
    (found,) = channel_ranges(store, ["a"], Normalization(percentiles=(10.0, 90.0)))
    assert (found.low, found.high) == pytest.approx((99.9, 899.1))
    (found,) = channel_ranges(store, ["a"], Normalization(method="none"))
    assert (found.low, found.high) == (0, 65535)


def test_yes_and_no_have_a_range_too():
    store = np.zeros((4, 1, 6, 6), bool)
    store[:, :, :3] = True
    (found,) = channel_ranges(store, ["mask"], Normalization())
    assert (found.low, found.high) == (0, 1)


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
