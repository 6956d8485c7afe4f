"""Files of a run, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pandas as pd

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
