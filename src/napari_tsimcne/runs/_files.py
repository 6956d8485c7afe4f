"""Files of a run, written whole or not at all, and read with a sentence where that fails."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ValidationError

from napari_tsimcne.errors import InputError, sentence

T = TypeVar("T")

LONGEST_REASON = 200
"""Characters of what a library says about a damaged file."""


# --- writing ------------------------------------------------------------------------------------


@contextmanager
def written_whole(path: Path, lasting: bool = True) -> Iterator[Path]:
    """Give a path to write to, which takes the place of ``path`` once it is complete.

    ``lasting``: it must survive that the computer breaks down right after.

    Raises
    ------
    InputError
        Where it cannot be written; what was at ``path`` is still there.
    """
    draft = path.with_name(f".{path.name}.writing")
    try:
        # What lies there, a link to elsewhere perhaps, is not written into.
        draft.unlink(missing_ok=True)
        yield draft
        if lasting:
            _onto_disk(draft)
        draft.replace(path)
    except OSError as error:
        raise cannot_write(path.parent, error) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with written_whole(path) as draft:
        draft.write_text(text, encoding="utf-8")


def json_text(model: BaseModel) -> str:
    """Return a model as JSON, in which names of files that are no UTF-8 stay what they are."""
    text = json.dumps(model.model_dump(mode="json"), indent=2, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a Parquet file whole."""
    with written_whole(path) as draft:
        table.to_parquet(draft, engine="pyarrow", index=False)


def cannot_write(folder: Path, error: OSError) -> InputError:
    """Return what to tell the user where writing into a folder of a run has failed."""
    reason = error.strerror or str(error)
    # numpy counts what it could not write, and gives no number of the error.
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)) or "requested and" in reason:
        return InputError(f"the disk of {folder} is full: free some space, then try again")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return InputError(
            f"{folder} cannot be written to ({reason}): change its permissions, or work on a copy"
        )
    if not folder.is_dir():
        return InputError(f"the folder {folder} is no longer there: put it back, then try again")
    return InputError(f"{folder} cannot be written to ({reason})")


def check_room(folder: Path, needed: int) -> None:
    """Check that a disk has so many bytes free.

    Parameters
    ----------
    folder
        On the disk; need not exist yet.
    needed
        Bytes.

    Raises
    ------
    InputError
        Where it has fewer, with both numbers.
    """
    there = next((place for place in (folder, *folder.parents) if place.is_dir()), None)
    if there is None:
        return
    free = shutil.disk_usage(there).free
    if needed > free:
        raise InputError(
            f"the patches take {needed / 1e9:,.3g} GB, but the disk of {folder} has "
            f"{free / 1e9:,.3g} GB free: choose another disk, or cut fewer or smaller patches"
        )


def _onto_disk(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())


# --- reading ------------------------------------------------------------------------------------


def read_or_explain(path: Path, read: Callable[[Path], T]) -> T:
    """Read a file of a run; whatever is wrong with it becomes one sentence.

    Raises
    ------
    InputError
        Where the file is missing or damaged.
    """
    if not path.is_file():  # nor what would never end, such as a pipe
        raise InputError(f"the run lacks its file {path}")
    try:
        return read(path)
    except Exception as error:  # whatever the parsers of a damaged file stumble over
        raise InputError(f"the file {path} is damaged ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    if isinstance(error, InputError | ValidationError):
        text = sentence(error)
    else:
        text = str(error).strip().split("\n")[0] or type(error).__name__
    return text if len(text) <= LONGEST_REASON else text[:LONGEST_REASON] + " ..."


# --- tables part by part ------------------------------------------------------------------------


class TableWriter:
    """Writes a table part by part, as Parquet or CSV by its suffix; whole or not at all.

    A context manager.

    Raises
    ------
    InputError
        Where the file exists, or its suffix is neither ``.parquet`` nor ``.csv``.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix not in (".parquet", ".csv"):
            raise InputError(f"the table {path} must end in .parquet or .csv")
        if path.exists():
            raise InputError(f"{path} exists: name another file, nothing was changed")
        self.written = 0
        self._path = path
        self._draft = path.with_name(f".{path.name}.writing")
        self._parquet: pq.ParquetWriter | None = None

    def append(self, rows: pd.DataFrame) -> None:
        """Add rows with the columns of the first ones."""
        if self._path.suffix == ".csv":
            first = self.written == 0
            rows.to_csv(self._draft, mode="w" if first else "a", header=first, index=False)
        else:
            table = pa.Table.from_pandas(rows, preserve_index=False)
            if self._parquet is None:
                self._parquet = pq.ParquetWriter(self._draft, table.schema)
            self._parquet.write_table(table)
        self.written += len(rows)

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._parquet is not None:
            self._parquet.close()
        if kind is None and self.written:
            self._draft.replace(self._path)
        self._draft.unlink(missing_ok=True)
