"""Where exports are written: nothing is overwritten unless told, nothing is left half-written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_tsimcne.errors import InputError

MARK = ".napari-tsimcne-export"
"""In folders that were made by an export, so that only these are ever replaced."""


@contextmanager
def new_file(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Give a path to write to, of the same suffix, which becomes ``path`` once it is complete.

    Raises
    ------
    InputError
        Where ``path`` exists and ``overwrite`` is false, or it cannot be written.
    """
    _refuse(path, overwrite and not path.is_dir())
    draft = path.with_name(f".writing-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        draft.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error})") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Give an empty folder to write into, which becomes ``path`` once it is complete.

    With ``overwrite``, a folder that an export has made is replaced; no other ever is.

    Raises
    ------
    InputError
        Where ``path`` exists and is not to be replaced, or cannot be written.
    """
    empty = path.is_dir() and not any(path.iterdir())
    if path.exists() and not empty:
        _refuse(path, overwrite)
        if not (path / MARK).is_file():
            raise InputError(f"{path} was not made by an export: name a new folder")
    draft = path.with_name(f".writing-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        yield draft
        (draft / MARK).touch()
        before = path.with_name(f".replaced-{path.name}")
        if path.exists():
            path.replace(before)
        draft.replace(path)
        shutil.rmtree(before, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error})") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _refuse(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists: choose another name, or let it be overwritten")
