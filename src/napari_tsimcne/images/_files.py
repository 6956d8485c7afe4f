"""Image files and folders of them: which there are, what they are called, who reads them."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._bioio import READERS, open_bioio
from napari_tsimcne.images._grey import grey_as_one as as_one
from napari_tsimcne.images._names import seen, shown
from napari_tsimcne.images._pillow import open_pillow
from napari_tsimcne.images._source import ImageSource, Skipped, reason_of
from napari_tsimcne.images._tiff import open_tiff
from napari_tsimcne.images._zarr import is_zarr, open_zarr

SUFFIXES = {
    ".tif", ".tiff", ".btf", ".tf8", ".svs", ".ndpi", ".scn", ".qptiff", ".lsm", ".stk",
    ".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm", ".pbm", *READERS,
}  # fmt: skip
"""Endings of the files that are taken from a folder; what a file is its first bytes tell."""

_TIFF = re.compile(rb"II[*+]\0|MM\0[*+]")
_PILLOW = {
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "BMP": re.compile(rb"BM"),
    "WEBP": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "PPM": re.compile(rb"P[1-6]\s"),
}


_POINTERS = (b"/annex/objects/", b"version https://git-lfs")
"""What data managers put in the place of contents that were not fetched."""

FETCH = "fetch it (git annex get, datalad get or git lfs pull), or correct the link"


class Opened(NamedTuple):
    """Images that can be read, and the files that cannot."""

    images: list[ImageSource]
    skipped: list[Skipped]


def open_images(
    *sources: str | PathLike[str],
    axes: str | None = None,
    pixel_size: float | None = None,
    grey_as_one: bool = True,
) -> Opened:
    """Open files, folders and glob patterns; only headers are read, and pixels of RGB images.

    Images are named by their file, with as many parent folders as tell them apart; further
    images of a file by their number, and fields of a plate by their place.

    Parameters
    ----------
    *sources
        Files, Zarr folders, folders and patterns such as ``plate/*.tif``.
    axes
        One letter of ``TCZYX`` for each axis longer than 1, in place of what the files say.
    pixel_size
        Side of a pixel in µm, in place of what the files say.
    grey_as_one
        Take RGB images as one channel where red, green and blue are equal in all pixels of all of
        them. Those that are large are looked at in parts; reading an image so taken raises
        `InputError` where it has colours.

    Raises
    ------
    InputError
        Where a source does not exist, a folder holds no image, no file can be read, or the pixel
        size is not above 0.
    """
    if pixel_size is not None and not pixel_size > 0:
        raise InputError(f"a pixel size of {pixel_size} µm makes no sense: give one above 0")
    files = find_files(sources)
    images: list[ImageSource] = []
    skipped: list[Skipped] = []
    known: set[tuple[Path | None, int]] = set()
    for file, name in zip(files, distinct_names(files), strict=True):
        own = shown(file.name)
        try:
            opened, missing = open_parts(file)
            if axes is not None:
                opened = [image.with_axes(axes) for image in opened]
        except InputError as error:
            skipped.append(Skipped(name, str(error)))
            continue
        # Each file of a set misses the same.
        skipped += [one for one in missing if one not in skipped]
        # Each file of an OME-TIFF in several files opens all of it.
        new = [image for image in opened if (image.path, image.series) not in known]
        known.update((image.path, image.series) for image in new)
        images += [image.renamed(name + image.name.removeprefix(own)) for image in new]
    if not images:
        reasons = "; ".join(f"{s.name}: {s.reason}" for s in skipped[:3])
        raise InputError(f"none of {len(files)} files could be read ({reasons})")
    if pixel_size is not None:
        images = [image.with_pixel_size(pixel_size) for image in images]
    return Opened(as_one(images) if grey_as_one else images, skipped)


def open_file(path: str | PathLike[str]) -> list[ImageSource]:
    """Open one file or Zarr folder; several images where it holds several series or positions.

    What is missing of it is passed over, see `open_parts`.

    Raises
    ------
    InputError
        Where the file is missing or no image that can be read whole.
    """
    return open_parts(path).images


def open_parts(path: str | PathLike[str]) -> Opened:
    """Open what is there of one file or Zarr folder, and list what is missing of it.

    Images are numbered as they are listed in it, with those that are missing.

    Raises
    ------
    InputError
        Where the file is missing, or holds no image that can be read whole.
    """
    path = Path(path)
    name = shown(path.name)
    try:
        parts = _open(path, name)
    except InputError:
        raise
    except MemoryError as error:
        raise InputError("it needs more memory than there is") from error
    except Exception as error:
        raise InputError(f"it is no image that can be read ({reason_of(error)})") from error
    images = [
        replace(
            part,
            series=number,
            name=part.name + f"#{number}" * (number > 0 and part.name == name),
        )
        for number, part in enumerate(parts)
        if isinstance(part, ImageSource)
    ]
    skipped = [part for part in parts if isinstance(part, Skipped)]
    if not images:
        raise InputError("; ".join(dict.fromkeys(one.reason for one in skipped[:3])))
    return Opened(images, skipped)


def _open(path: Path, name: str) -> Sequence[ImageSource | Skipped]:
    """Open a file with the reader that its first bytes ask for."""
    if path.is_dir() and is_zarr(path):
        return open_zarr(path, name)
    if _leads_nowhere(path):
        raise InputError(
            f"its content is missing: it is a link to {shown(path.readlink())}, which leads "
            f"nowhere; {FETCH}"
        )
    if not path.is_file():
        raise InputError(f"the file {shown(path)} does not exist")
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(_POINTERS):
        raise InputError(f"it holds a note instead of its content, which is missing; {FETCH}")
    if not start:
        raise InputError("the file is empty")
    if path.suffix.lower() in READERS:
        return open_bioio(path, name)
    if _TIFF.match(start):
        return open_tiff(path, name)
    for kind, magic in _PILLOW.items():
        if magic.match(start):
            return open_pillow(path, name, kind)
    raise InputError(
        "it is in none of the formats that can be read (TIFF, OME-Zarr, PNG, JPEG, BMP, WebP, "
        "PPM): save it as TIFF"
    )


def find_files(sources: Iterable[str | PathLike[str]]) -> list[Path]:
    """List image files of files, folders (with all below them) and glob patterns, each once.

    A Zarr folder is one source; nothing is looked for in it.

    Raises
    ------
    InputError
        Where a source does not exist or a folder holds no image.
    """
    found: list[Path] = []
    for source in sources:
        path = seen(source)
        if path.is_file() or (path.is_dir() and is_zarr(path)) or _leads_nowhere(path):
            files = [path]
        elif path.is_dir():
            files = _in_folder(path)
            if not files:
                kinds = ", ".join(sorted(s[1:] for s in SUFFIXES))
                raise InputError(f"the folder {shown(path)} holds no image ({kinds}, or Zarr)")
        else:
            files = _matching(path)
            if not files:
                raise InputError(
                    f"no file, folder or pattern {shown(path)} was found: check the path"
                )
        found += sorted(files, key=_natural)
    return list(dict.fromkeys(found))


def _in_folder(folder: Path) -> list[Path]:
    return [
        path for path in files_below(folder) if path.suffix.lower() in SUFFIXES or is_zarr(path)
    ]


def files_below(folder: Path) -> Iterator[Path]:
    """Yield files and Zarr folders below a folder; linked folders are entered, but for circles."""
    # Of each folder, those that lie around it, and all above the first.
    around = {folder: {_identity(one) for one in (folder, *folder.resolve().parents)}}
    for root, folders, names in os.walk(folder, followlinks=True):
        known = around.pop(Path(root))
        entered = []
        for name in folders:
            path = Path(root, name)
            if name.startswith("."):
                continue
            if is_zarr(path):
                yield path
            elif (identity := _identity(path)) not in known:
                entered.append(name)
                around[path] = {*known, identity}
        folders[:] = sorted(entered)
        yield from (Path(root, name) for name in sorted(names) if not name.startswith("."))


def _identity(folder: Path) -> tuple[int, int] | Path:
    """Tell a folder from others, whatever links lead to it."""
    try:
        status = folder.stat()
    except OSError:
        return folder
    # Some systems have no numbers of files.
    return (status.st_dev, status.st_ino) if status.st_ino else folder.resolve()


def _leads_nowhere(path: Path) -> bool:
    """Whether it is a link whose content is missing."""
    return path.is_symlink() and not path.exists()


def _matching(pattern: Path) -> list[Path]:
    # Folders that are there are taken as they are called, brackets and all.
    there = next(folder for folder in pattern.parents if folder.is_dir())
    wanted = pattern.parts[len(there.parts) :]
    if "**" in wanted:  # which would go round in circles of links
        paths = [
            path for path in files_below(there) if _fits(path.parts[len(there.parts) :], wanted)
        ]
    else:
        # A pattern may be absolute, which Path.glob does not take.
        expression = str(Path(glob.escape(str(there)), *wanted))
        paths = [Path(match) for match in glob.glob(expression)]  # noqa: PTH207
    return [
        path
        for path in paths
        if (path.is_file() or is_zarr(path) or _leads_nowhere(path))
        and not any(map(is_zarr, path.parents))
    ]


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the parts of a path fit those of a pattern, of which ``**`` is any number."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_fits(parts[n:], pattern[1:]) for n in range(len(parts) + 1))
    return bool(parts) and fnmatch(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])


def _natural(path: Path) -> list[tuple[int, int | str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts]


def distinct_names(files: Sequence[Path]) -> list[str]:
    """Name files by their names as they are seen, with as many folders as tell them apart."""
    names = [shown(file.name) for file in files]
    for depth in range(2, 30):
        counts = Counter(names)
        if max(counts.values(), default=1) == 1:
            break
        names = [
            name if counts[name] == 1 else shown("/".join(file.parts[-depth:]))
            for name, file in zip(names, files, strict=True)
        ]
    return names
