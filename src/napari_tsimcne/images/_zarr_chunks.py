"""Chunks of a Zarr array in a folder, decoded in the thread that asks for them."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, ZstdCodec


def decoders(array: Any) -> list[Any] | None:
    """Return what turns the bytes of a chunk into its values, None where more is to be done."""
    metadata = array.metadata
    if metadata.zarr_format == 2:
        if metadata.order != "C" or metadata.filters:
            return None
        return [metadata.compressor] if metadata.compressor else []
    first, *others = metadata.codecs
    known = all(isinstance(codec, BloscCodec | GzipCodec | ZstdCodec) for codec in others)
    if not known or not isinstance(first, BytesCodec):
        return None
    if first.endian not in (None, BytesCodec().endian):  # that of this machine by default
        return None
    return [numcodecs.get_codec({"id": codec.to_dict()["name"]}) for codec in reversed(others)]


class ZarrChunks:
    """A Zarr array in a local folder for which there are `decoders`.

    zarr itself reads in one event loop and a pool of threads, which all that ask share and compete
    with; here several threads that read different regions keep as many cores busy.
    """

    def __init__(self, folder: Path, array: Any, decoders: list[Any]) -> None:
        self._folder = folder
        self._array = array
        self._decoders = decoders
        self.shape = tuple(int(n) for n in array.shape)
        self.dtype = np.dtype(array.dtype)
        self.chunks = tuple(int(n) for n in array.chunks)

    def __getitem__(self, index: tuple[int | slice, ...]) -> np.ndarray:
        """Read a region, an index or a slice of step 1 an axis."""
        wanted = [
            range(n)[i] if isinstance(i, slice) else range(i, i + 1)
            for i, n in zip(index, self.shape, strict=True)
        ]
        out = np.empty([len(one) for one in wanted], self.dtype)
        places = product(
            *(
                range(one.start // n, -(-one.stop // n))
                for one, n in zip(wanted, self.chunks, strict=True)
            )
        )
        for place in places:
            inside, at = [], []
            for one, n, length, number in zip(wanted, self.chunks, self.shape, place, strict=True):
                corner = number * n
                begin, end = max(one.start, corner), min(one.stop, corner + n, length)
                inside.append(slice(begin - corner, end - corner))
                at.append(slice(begin - one.start, end - one.start))
            out[tuple(at)] = self._chunk(place)[tuple(inside)]
        return out[tuple(slice(None) if isinstance(i, slice) else 0 for i in index)]

    def _chunk(self, place: tuple[int, ...]) -> np.ndarray:
        file = self._folder / self._array.metadata.encode_chunk_key(place)
        try:
            data = file.read_bytes()
        except FileNotFoundError:  # left out: zarr says what was there
            return self._array[
                tuple(slice(i * n, (i + 1) * n) for i, n in zip(place, self.chunks, strict=True))
            ]
        for decoder in self._decoders:
            data = decoder.decode(data)
        # Chunks at the edge are whole as well.
        return np.frombuffer(data, self.dtype).reshape(self.chunks)
