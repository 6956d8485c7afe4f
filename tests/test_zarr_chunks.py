"""Regions of Zarr arrays, whose chunks are decoded by the threads that ask."""

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numcodecs import Blosc, Delta, Zlib

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import open_file
from napari_tsimcne.images._zarr_chunks import decoders

SHAPE = (3, 97, 131)

PLAIN = {
    "zstd": {"dtype": "uint16"},
    "gzip": {"dtype": "float32", "compressors": zarr.codecs.GzipCodec()},
    "blosc": {"dtype": "int16", "compressors": zarr.codecs.BloscCodec(shuffle="bitshuffle")},
    "two codecs": {
        "dtype": "uint8",
        "compressors": [zarr.codecs.ZstdCodec(), zarr.codecs.GzipCodec()],
    },
    "not compressed": {"dtype": "bool", "compressors": None},
    "format 2": {"dtype": ">u2", "zarr_format": 2},
    "format 2, blosc": {"dtype": "<i4", "zarr_format": 2, "compressors": Blosc(shuffle=2)},
    "format 2, not compressed": {"dtype": "uint8", "zarr_format": 2, "compressors": None},
}
UNUSUAL = {
    "shards": {"dtype": "uint16", "shards": (3, 64, 96)},
    "checked": {
        "dtype": "uint16",
        "compressors": [zarr.codecs.ZstdCodec(), zarr.codecs.Crc32cCodec()],
    },
    "transposed": {"dtype": "uint16", "filters": zarr.codecs.TransposeCodec(order=(2, 1, 0))},
    "big endian": {"dtype": "uint16", "serializer": zarr.codecs.BytesCodec(endian="big")},
    "format 2, filter": {
        "dtype": "uint16",
        "zarr_format": 2,
        "filters": [Delta("u2")],
        "compressors": Zlib(),
    },
    "format 2, columns first": {"dtype": "uint16", "zarr_format": 2, "order": "F"},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """By name: the pixels (C, Y, X) and the folder; one chunk was never written."""
    random = np.random.default_rng(0)
    made = {}
    for name, how in (PLAIN | UNUSUAL).items():
        path = tmp_path_factory.mktemp("chunks") / "a.zarr"
        array = zarr.create_array(path, shape=SHAPE, chunks=(1, 32, 48), fill_value=1, **how)
        pixels = random.integers(0, 200, SHAPE).astype(how["dtype"])
        pixels[1, 32:64, 48:96] = 1
        array[:] = pixels
        made[name] = pixels, path
    return made


bounds = st.tuples(st.integers(0, 96), st.integers(1, 97), st.integers(0, 130), st.integers(1, 131))


@settings(max_examples=25)
@given(bounds)
def test_any_region_is_that_of_the_whole(folders, bounds):
    top, height, left, width = bounds
    rows, columns = slice(top, min(97, top + height)), slice(left, min(131, left + width))
    for pixels, path in folders.values():
        (image,) = open_file(path)
        region = image.read(0, 0, rows, columns)
        assert region.dtype == pixels.dtype.newbyteorder("=")
        assert np.array_equal(region, pixels[:, rows, columns])


def test_what_is_more_than_compressed_is_left_to_zarr(folders):
    known = {n for n, (_, path) in folders.items() if decoders(zarr.open_array(path)) is not None}
    assert known == set(PLAIN)


def test_a_plane_may_be_an_index(tmp_path):
    pixels = np.arange(2 * 3 * 40 * 50, dtype=np.uint16).reshape(2, 3, 40, 50)
    zarr.create_array(tmp_path / "a.zarr", data=pixels, chunks=(2, 2, 16, 16),
                      dimension_names=["t", "z", "y", "x"])  # fmt: skip
    (image,) = open_file(tmp_path / "a.zarr")
    assert np.array_equal(image.read(1, 2, slice(3, 40), slice(9, 22))[0], pixels[1, 2, 3:, 9:22])


@pytest.mark.parametrize("kept", [0, 40])
def test_a_broken_chunk_is_named(tmp_path, kept):
    pixels = np.random.default_rng(0).integers(0, 200, (40, 50)).astype(np.uint16)
    zarr.create_array(tmp_path / "a.zarr", data=pixels, chunks=(40, 50))
    chunk = tmp_path / "a.zarr" / "c" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:kept])
    (image,) = open_file(tmp_path / "a.zarr")
    with pytest.raises(InputError, match=r"a\.zarr"):
        image.read(0, 0, slice(0, 40), slice(0, 50))
