"""The patch store: original values of all patches in one .npy file, written as they come."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.lib import format as npy

from napari_tsimcne.errors import InputError


class PatchStoreWriter:
    """Appends crops to an array (N, C, S, S) on disk; N may turn out smaller than expected.

    A context manager; the file is complete once it is left.
    """

    def __init__(self, path: Path, expected: int, crop_shape: tuple[int, ...], dtype: np.dtype):
        self.written = 0
        self._crop_shape = crop_shape
        self._dtype = np.dtype(dtype)
        self._file = path.open("xb")
        self._write_header(expected)
        self._start = self._file.tell()

    def append(self, crops: np.ndarray) -> None:
        """Write crops of shape (n, C, S, S) in the store's dtype."""
        if crops.shape[1:] != self._crop_shape or crops.dtype != self._dtype:
            raise ValueError(f"crops {crops.shape} {crops.dtype} do not fit the store")
        self._file.write(np.ascontiguousarray(crops).data)
        self.written += len(crops)

    def rewind(self, count: int) -> None:
        """Take back all but the first ``count`` crops."""
        crop_bytes = int(np.prod(self._crop_shape)) * self._dtype.itemsize
        self._file.seek(self._start + count * crop_bytes)
        self.written = count

    def _write_header(self, count: int) -> None:
        header = {
            "descr": npy.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (count, *self._crop_shape),
        }
        # The header has room to grow, so that a smaller count takes the same number of bytes.
        npy.write_array_header_1_0(self._file, header)

    def __enter__(self) -> PatchStoreWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._file.truncate()
            self._file.seek(0)
            self._write_header(self.written)
            if self._file.tell() != self._start:
                raise RuntimeError("the header of the patch store changed its length")
        self._file.close()


def open_store(path: Path) -> np.ndarray:
    """Open a patch store as a read-only memory map (N, C, S, S).

    Raises
    ------
    InputError
        Where the file is missing, no such array, or shorter than its header says.
    """
    try:
        store = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"the patch store {path} cannot be opened ({error})") from error
    if store.ndim != 4 or store.shape[2] != store.shape[3] or store.dtype.kind not in "buif":
        raise InputError(f"{path} is no patch store: it holds {store.dtype} of {store.shape}")
    return store
