"""Write a large file past the system's page cache, where the system can.

What is written there is not read again soon: to find memory for it, and to copy into it, takes more
processor time than cutting does.
"""

from __future__ import annotations

import errno
import mmap
import os
import threading
from pathlib import Path
from types import TracebackType

import numpy as np

ALIGNED = max(4096, mmap.PAGESIZE)
"""Bytes to whose multiples direct writing keeps, in file and memory.

Whole pages, which are larger on some ARM servers: the cache writes a page back whole, over what was
written past it.
"""

WORTH_WHILE = 256 << 10
"""Bytes from which on direct writing is faster: below, the wait for the disk costs more."""

AT_ONCE = 1 << 20
"""Bytes of the memory that is written from, in each thread."""

_of_thread = threading.local()


class DirectFile:
    """A file that exists, open for writing at any place.

    Several threads and processes may write different places at once, each with one of its own.
    """

    def __init__(self, path: Path) -> None:
        binary = getattr(os, "O_BINARY", 0)
        self._plain = os.open(path, os.O_RDWR | binary)
        self._direct: int | None = None
        if hasattr(os, "O_DIRECT"):
            try:
                self._direct = os.open(path, os.O_RDWR | os.O_DIRECT)
            except OSError as error:
                # Not every file system can.
                if error.errno != errno.EINVAL:
                    os.close(self._plain)
                    raise

    def __enter__(self) -> DirectFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._plain)
        if self._direct is not None:
            os.close(self._direct)

    def write(self, values: memoryview, offset: int) -> None:
        """Write bytes from ``offset`` on."""
        first, last = -(-offset // ALIGNED) * ALIGNED, (offset + len(values)) // ALIGNED * ALIGNED
        if self._direct is None or last - first < WORTH_WHILE:
            _write(self._plain, values, offset)
            return
        # Pages that are not whole may hold a neighbour's bytes: the cache puts both together.
        _write(self._plain, values[: first - offset], offset)
        for begin in range(first, last, AT_ONCE):
            part = _aligned_copy(values[begin - offset : min(begin + AT_ONCE, last) - offset])
            try:
                _write(self._direct, part, begin)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                _write(self._plain, part, begin)
        _write(self._plain, values[last - offset :], last)


def _aligned_copy(values: memoryview) -> memoryview:
    if not hasattr(_of_thread, "memory"):
        _of_thread.memory = np.frombuffer(mmap.mmap(-1, AT_ONCE), np.uint8)
    copy = _of_thread.memory[: len(values)]
    # numpy copies without the interpreter's lock, which other threads may want.
    copy[:] = np.frombuffer(values, np.uint8)
    return copy.data


def _write(file: int, values: memoryview, offset: int) -> None:
    while len(values):
        if hasattr(os, "pwrite"):
            written = os.pwrite(file, values, offset)
        else:
            os.lseek(file, offset, os.SEEK_SET)
            written = os.write(file, values)
        values, offset = values[written:], offset + written
