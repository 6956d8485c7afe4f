"""Files of a run, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from napari_tsimcne.errors import InputError

T = TypeVar("T")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a path to write to, which takes the place of ``path`` once it is complete."""
    draft = path.with_name(f".{path.name}.writing")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with written_whole(path) as draft:
        draft.write_text(text, encoding="utf-8")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a Parquet file whole."""
    with written_whole(path) as draft:
        table.to_parquet(draft, engine="pyarrow", index=False)


def read_or_explain(path: Path, read: Callable[[Path], T]) -> T:
    """Read a file of a run; whatever is wrong with it becomes one sentence.

    Raises
    ------
    InputError
        Where the file is missing or damaged.
    """
    try:
        return read(path)
    except FileNotFoundError as error:
        raise InputError(f"the run lacks its file {path}") from error
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"the file {path} is damaged ({reason})") from error


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
