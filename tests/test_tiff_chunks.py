"""Regions of compressed TIFF files, whose strips and tiles are decoded by the threads that ask."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tsimcne.images import open_file
from napari_tsimcne.images._chunks import ChunksInFile, lies_in_chunks

LAYOUTS = {
    "tiles": {"tile": (32, 48), "photometric": "minisblack"},
    "strips": {"rowsperstrip": 13, "photometric": "minisblack"},
    "one strip": {"rowsperstrip": 97, "photometric": "minisblack"},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """By name: the pixels (C or page, Y, X[, S]) and the file."""
    folder = tmp_path_factory.mktemp("chunks")
    random = np.random.default_rng(0)
    made = {}
    for name, layout in LAYOUTS.items():
        for dtype, compression in (("uint16", "zlib"), ("float32", "zstd"), ("uint8", "lzw")):
            pixels = random.integers(0, 200, (3, 97, 131)).astype(dtype)
            path = folder / f"{name}-{dtype}.tif"
            tifffile.imwrite(path, pixels, compression=compression, predictor=dtype != "float32",
                             metadata={"axes": "CYX"}, ome=True, **layout)  # fmt: skip
            made[path.stem] = pixels, path
    pixels = random.integers(0, 200, (97, 131, 3), np.uint8)
    path = folder / "rgb.tif"
    tifffile.imwrite(path, pixels, compression="zlib", tile=(32, 32), photometric="rgb")
    made["rgb"] = np.moveaxis(pixels, -1, 0), path
    return made


bounds = st.tuples(st.integers(0, 96), st.integers(1, 97), st.integers(0, 130), st.integers(1, 131))


@settings(max_examples=40)
@given(bounds)
def test_any_region_is_that_of_the_whole(files, bounds):
    top, height, left, width = bounds
    rows, columns = slice(top, min(97, top + height)), slice(left, min(131, left + width))
    for pixels, path in files.values():
        (image,) = open_file(path)
        region = image.read(0, 0, rows, columns)
        assert region.dtype == pixels.dtype
        assert np.array_equal(region, pixels[:, rows, columns])


def test_these_files_are_decoded_by_those_who_ask(files):
    for _, path in files.values():
        with tifffile.TiffFile(path) as tiff:
            assert lies_in_chunks(tiff.series[0])
            array = ChunksInFile(tiff.series[0])
            assert array.shape == tuple(tiff.series[0].shape)
    _, path = files["tiles-uint16"]
    assert open_file(path)[0].chunk() == (32, 48)


def test_planes_of_separate_samples_are_left_to_the_library(tmp_path):
    path = tmp_path / "separate.tif"
    pixels = np.random.default_rng(0).integers(0, 200, (3, 64, 64), np.uint8)
    tifffile.imwrite(path, pixels, compression="zlib", photometric="rgb", planarconfig="separate",
                     tile=(32, 32))  # fmt: skip
    with tifffile.TiffFile(path) as tiff:
        assert not lies_in_chunks(tiff.series[0])
    assert np.array_equal(open_file(path)[0].read(0, 0, slice(0, 64), slice(0, 64)), pixels)


def test_threads_may_read_one_image_at_once(files):
    pixels, path = files["tiles-uint16"]
    (image,) = open_file(path)
    places = [(top, left) for top in range(0, 90, 10) for left in range(0, 120, 10)]

    def right(place):
        rows, columns = slice(place[0], place[0] + 40), slice(place[1], place[1] + 40)
        return np.array_equal(image.read(0, 0, rows, columns), pixels[:, rows, columns])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(right, places * 3))


def test_a_tile_that_was_never_written_is_empty(tmp_path):
    """Sparse files leave tiles out: their offset is 0, and there is nothing to decode."""
    path = tmp_path / "sparse.tif"
    pixels = np.ones((64, 64), np.uint8)
    tifffile.imwrite(path, pixels, compression="zlib", tile=(32, 32))
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        page = tiff.pages[0]
        offsets, counts = list(page.dataoffsets), list(page.databytecounts)
        offsets[1] = counts[1] = 0
        page.tags["TileOffsets"].overwrite(offsets)
        page.tags["TileByteCounts"].overwrite(counts)
    expected = pixels.copy()
    expected[:32, 32:] = 0
    region = open_file(path)[0].read(0, 0, slice(0, 64), slice(0, 64))[0]
    assert np.array_equal(region, expected)
