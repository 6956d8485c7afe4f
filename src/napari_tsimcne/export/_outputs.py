"""Where exports are written: nothing is overwritten unless told, nothing is left half-written."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from napari_tsimcne.errors import InputError

MARK = ".napari-tsimcne-export"
"""In folders that were made by an export: JSON with its kind and the names of its files.

Only these are ever replaced.
"""

LARGEST_MARK = 128 << 20
"""Bytes that are read of it; a million names have about half of that."""

OF_FILE_MANAGERS = (".DS_Store", "Thumbs.db", "desktop.ini")
"""Files that come into a folder by looking at it."""


def check_outside(path: Path, run_folder: Path) -> None:
    """Refuse a path in the folder of a run, which holds only what the run itself writes.

    Raises
    ------
    InputError
        Where ``path``, or what a link there leads to, is the folder or is in it.
    """
    path, folder = path.expanduser().absolute(), run_folder.resolve()
    # A file takes the place of a link, so that the link's own place counts, too.
    for place in (path.resolve(), path.parent.resolve() / path.name):
        if any(_is_same(parent, folder) for parent in (place, *place.parents)):
            raise InputError(f"{path} is in the run's own folder: choose a place outside of it")


def why_not_replaced(path: Path, kind: str) -> str | None:
    """Say why a folder is not replaced by an export of a kind; None where it can be.

    It can where an export of that kind has made it, and it holds nothing else. The reason goes on
    after the name of the folder: ``holds 'notes.txt', which no export has made``.
    """
    made = _read_mark(path)
    if made is None:
        return "was not made by an export"
    if made[0] != kind:
        return f"is an export of another kind ('{made[0][:40]}')"
    try:
        foreign = _foreign(path, made[1])
    except OSError as error:
        return f"cannot be looked into ({error.strerror})"
    return None if foreign is None else f"holds '{foreign}', which no export has made"


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
        raise _not_written(path, draft, error) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path, kind: str, overwrite: bool = False) -> Iterator[Path]:
    """Give an empty folder to write into, which becomes ``path`` once it is complete.

    With ``overwrite``, a folder that an export of the same ``kind`` has made is replaced, if
    nothing else is in it; no other ever is.

    Raises
    ------
    InputError
        Where ``path`` exists and is not to be replaced, or cannot be written.
    """
    if path.is_symlink():
        path = path.resolve()  # the link stays, and leads to what is written
    _refuse_folder(path, kind, overwrite)
    draft = path.with_name(f".writing-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        yield draft
        names = [name for name, is_folder in _contents(draft) if not is_folder]
        text = json.dumps({"kind": kind, "files": names})
        (draft / MARK).write_text(text, encoding="utf-8")
        # Something may have come into it meanwhile.
        _refuse_folder(path, kind, overwrite)
        before = path.with_name(f".replaced-{path.name}")
        if path.exists():
            path.replace(before)
        draft.replace(path)
        shutil.rmtree(before, ignore_errors=True)
    except OSError as error:
        raise _not_written(path, draft, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


# --- inside ---------------------------------------------------------------------------------------


def _refuse(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists: choose another name, or let it be overwritten")


def _refuse_folder(path: Path, kind: str, overwrite: bool) -> None:
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    reason = why_not_replaced(path, kind)
    if reason is not None:
        raise InputError(f"{path} {reason}: name a new folder")
    _refuse(path, overwrite)


def _not_written(path: Path, draft: Path, error: OSError) -> InputError:
    reason = (error.strerror or str(error)).replace(draft.name, path.name)
    return InputError(f"{path} cannot be written ({reason})")


def _is_same(one: Path, other: Path) -> bool:
    """Whether two paths are of one folder, also where the case of letters does not matter."""
    try:
        return one == other or one.samefile(other)
    except OSError:
        return False


def _read_mark(folder: Path) -> tuple[str, set[str]] | None:
    """Return the kind of the export that has made a folder, and its files; None for no export."""
    mark = folder / MARK
    try:
        if mark.is_symlink() or not mark.is_file() or mark.stat().st_size > LARGEST_MARK:
            return None
        told = json.loads(mark.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    kind, files = told.get("kind"), told.get("files")
    if not isinstance(kind, str) or not isinstance(files, list):
        return None
    return (kind, set(files)) if all(isinstance(name, str) for name in files) else None


def _foreign(folder: Path, files: set[str]) -> str | None:
    """Return the name of something in a folder that is none of some files or of their folders."""
    folders = {str(parent) for name in files for parent in PurePosixPath(name).parents}
    for name, is_folder in _contents(folder):
        if name not in (folders if is_folder else files):
            return name
    return None


def _contents(folder: Path) -> Iterator[tuple[str, bool]]:
    """Yield the names of all in a folder, relative with ``/``, and whether each is a folder.

    A link is a file, wherever it leads. The mark is passed over.
    """

    def stop(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(folder, onerror=stop):
        at = Path(place).relative_to(folder)
        for name in sorted(folders):
            yield (at / name).as_posix(), not (Path(place) / name).is_symlink()
        for name in sorted(files):
            if name not in OF_FILE_MANAGERS and (at / name) != Path(MARK):
                yield (at / name).as_posix(), False
