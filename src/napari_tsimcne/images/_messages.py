"""What the reading libraries log and warn of, gathered instead of shown in a terminal."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import RLock

# Of the current thread and what it starts: others' use of the same libraries is not touched.
_gathered: ContextVar[list[logging.LogRecord] | None] = ContextVar("gathered", default=None)
_warnings_lock = RLock()


def _gather(record: logging.LogRecord) -> bool:
    records = _gathered.get()
    if records is None:
        return True
    records.append(record)
    return False


for _library in ("tifffile", "PIL"):
    logging.getLogger(_library).addFilter(_gather)


@contextmanager
def gathered_logs() -> Iterator[list[logging.LogRecord]]:
    """Gather what tifffile logs within."""
    records: list[logging.LogRecord] = []
    token = _gathered.set(records)
    try:
        yield records
    finally:
        _gathered.reset(token)


@contextmanager
def no_warnings() -> Iterator[None]:
    """Ignore warnings within; one thread at a time, as filters belong to the process."""
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
