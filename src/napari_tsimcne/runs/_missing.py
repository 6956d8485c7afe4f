"""Images of a run that are not where they were, and how they are found again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import files_below, folded, open_file, seen, shown
from napari_tsimcne.patches import Told
from napari_tsimcne.runs._additions import FOLDER, addition_names, read_added
from napari_tsimcne.runs._extended import own_run
from napari_tsimcne.runs._images import ImageRecord, is_there
from napari_tsimcne.runs._moved import Whereabouts, recorded_parts
from napari_tsimcne.runs._run import Run
from napari_tsimcne.runs._run_info import read_info

Parts = tuple[str, ...]
LOOKING = "Looking for images"


def missing_images(run: Run) -> tuple[ImageRecord, ...]:
    """Return the images of a run whose files are not there, with label images and additions.

    Only names are looked at: whether a file is the same, `ImageRecord.open` tells. Images that
    were layers are not among them.
    """
    where = _whereabouts(run)
    now = [where.now(record) for record in _recorded(run)]
    return tuple(record for record in now if record.path is not None and not is_there(record.path))


def locate_images(
    run: Run, folder: str | os.PathLike[str], told: Told = lambda what, done, total: None
) -> tuple[ImageRecord, ...]:
    """Look in a folder, and in all below it, for the images of a run that are missing.

    A file is one of them if it has its name, whatever the case of its letters and
    their form (composed or not), and its
    fingerprint. So is what was taken for an image by its place, and is another. What is found is
    remembered; open the run again to have it.

    Parameters
    ----------
    run
        With images that are missing.
    folder
        Where to look.
    told
        Called with how many are found, of how many; may raise to cancel.

    Returns
    -------
    Those that are still missing.

    Raises
    ------
    InputError
        Where there is no such folder, or what was found cannot be remembered.
    """
    folder = seen(folder)
    if not folder.is_dir():
        raise InputError(f"there is no folder {shown(folder)} to look for images in")
    where = _whereabouts(run)
    wanted: dict[Parts, ImageRecord] = {}
    for record in _recorded(run):
        if record.path is not None and not _is_there_as_it_was(where, record):
            wanted.setdefault(recorded_parts(record.path), record)
    found: dict[Parts, Path] = {}

    def tell() -> None:
        told(LOOKING, len(found), len(wanted))

    names = {folded(parts[-1]) for parts in wanted if parts}
    for path in _candidates(folder, names, tell):
        left = {parts: record for parts, record in wanted.items() if parts not in found}
        if not left:
            break
        found.update(dict.fromkeys(_fitting(path, left), path))
    if found:
        where.remember(found)
    tell()
    return missing_images(run)


def _whereabouts(run: Run) -> Whereabouts:
    return Whereabouts(run.folder, run.info.created)


def _recorded(run: Run) -> Iterator[ImageRecord]:
    """Yield all images of a run and its additions, where they were recorded, each file once."""
    own = own_run(run)
    described = [read_info(own.folder)]
    parts: list[Iterable[ImageRecord]] = [
        part for info in described for part in (info.images, info.labels.values())
    ]
    for name in addition_names(own):
        try:
            added = read_added(own.folder / FOLDER / name)
        except InputError:
            continue  # what cannot be opened is not shown either
        parts += [added.images, added.labels.values()]
    known = set()
    for part in parts:
        for record in part:
            if (record.path, record.series) not in known:
                known.add((record.path, record.series))
                yield record


def _is_there_as_it_was(where: Whereabouts, record: ImageRecord) -> bool:
    now = where.now(record)
    if now.path is None or not is_there(now.path):
        return False
    # Where it was recorded it may have changed since: then there is no other to look for.
    return now.path == record.path or _is_same(now)


def _is_same(record: ImageRecord) -> bool:
    try:
        record.open()
    except InputError:
        return False
    return True


def _candidates(folder: Path, names: set[str], tell: Callable[[], None]) -> Iterator[Path]:
    """Yield files, and folders as Zarr is, of some `folded` names, in a folder and below it.

    ``tell`` is called for each folder, and may raise to cancel.
    """
    tell()
    place = folder
    for path in files_below(folder):
        if path.parent != place:
            place = path.parent
            tell()
        if folded(path.name) in names:
            yield path


def _fitting(path: Path, wanted: dict[Parts, ImageRecord]) -> list[Parts]:
    """Return which of the wanted images a file is."""
    alike = {
        parts: record for parts, record in wanted.items() if folded(parts[-1]) == folded(path.name)
    }
    if path.is_file():
        # That of a file is the same whichever of its images is looked at.
        try:
            fingerprint = open_file(path)[0].fingerprint()
        except (InputError, IndexError):
            return []
        return [parts for parts, record in alike.items() if record.fingerprint == fingerprint]
    moved = {
        parts: record.model_copy(update={"path": path}) for parts, record in alike.items()
    }  # fmt: skip
    return [parts for parts, record in moved.items() if _is_same(record)]
