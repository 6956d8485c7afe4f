"""OME-XML that fits the files it is of: renamed ones, sets of files, metadata in a companion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import tifffile

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._messages import gathered_logs
from napari_tsimcne.images._names import folded
from napari_tsimcne.images._source import Skipped

_OWN = "urn:uuid:this-file"


class OmeXml(NamedTuple):
    """OME-XML of an OME-TIFF, whose images are all in files that are there.

    ``missing``: the images that are left out, by their number among all.
    """

    text: str
    missing: dict[int, Skipped]


def ome_of(path: Path) -> OmeXml | None:
    """Return what an OME-TIFF says of itself, made to fit the file; None for any other TIFF.

    A file that was renamed is known by its own planes, metadata in a companion is looked for
    beside the file, and images of which a file is missing are left out.

    Raises
    ------
    InputError
        Where the metadata cannot be parsed, is missing, or describes other planes or pixels than
        the file holds, or no image is left.
    """
    return _ome_of(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _ome_of(path: Path, modified: int) -> OmeXml | None:
    with gathered_logs(), tifffile.TiffFile(path) as tiff:
        if not tiff.is_ome:
            _check_whole(tiff.pages.first.description)
            return None
        root = _parsed(tiff.pages.first.description)
        companion = root.find("{*}BinaryOnly")
        if companion is not None:
            root = _companion(path, companion)
        images = [i for i in root.iterfind("{*}Image") if i.find("{*}Pixels") is not None]
        if not images:
            raise InputError("its OME-XML describes no image")
        pages = len(tiff.pages)
        _know_own(path, root, images, pages)
        missing = _without_missing(path, root, images)
        _check_pixels(tiff, images, missing)
    if len(missing) == len(images):
        raise InputError("; ".join(dict.fromkeys(one.reason for one in missing.values())))
    return OmeXml(ElementTree.tostring(root, encoding="unicode"), missing)


def _check_whole(text: str) -> None:
    """Check that what begins as OME-XML ends, too: cut off it is passed over as any text."""
    if re.match(r"\s*(<\?xml[^>]*\?>\s*)?(<!--.*?-->\s*)*<(\w+:)?OME[\s>]", text, re.DOTALL):
        raise InputError("its OME-XML is cut off: write the file again, or remove its description")


def _parsed(text: str) -> Any:
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InputError(f"its OME-XML cannot be read ({error})") from error


def _companion(path: Path, binary_only: Any) -> Any:
    """Metadata of a file that says it is in another one."""
    name = Path(binary_only.get("MetadataFile", "")).name
    file = _there(path.parent, name)
    if file is None:
        raise InputError(
            f"its metadata is in the file '{name}', which is missing: put it beside this one"
        )
    if file.suffix.lower() in (".tif", ".tiff", ".btf", ".tf2", ".tf8"):
        with tifffile.TiffFile(file) as tiff:
            text = tiff.ome_metadata or ""
    else:
        text = file.read_text(encoding="utf-8-sig")
    root = _parsed(text)
    root.set("UUID", binary_only.get("UUID", ""))
    return root


def _know_own(path: Path, root: Any, images: list[Any], pages: int) -> None:
    """Mark which planes are in this file: by its identifier, its name, or as the only ones."""
    uuid = root.get("UUID")
    if not any(True for image in images for _ in _planes_of(image)):
        _number_planes(images, pages)
        return
    named = [data.find("{*}UUID") for image in images for data in _planes_of(image)]
    own: list[Any] = []
    others: dict[str, list[Any]] = {}
    for one in named:
        if one is None:
            continue
        name = one.get("FileName", "")
        if (uuid and one.text == uuid) or not name or _same_name(name, path.name):
            own.append(one)
        else:
            others.setdefault(name, []).append(one)
    if own or any(one is None for one in named):
        for one in own:
            one.text = _OWN
        root.set("UUID", _OWN)
        return
    if len(others) > 1:
        listed = ", ".join(f"'{name}'" for name in list(others)[:3])
        gone = [name for name in others if _there(path.parent, name) is None]
        missing = f"; '{gone[0]}' is missing: if this is it, give it that name" if gone else ""
        raise InputError(
            f"its metadata describes an image in {len(others)} files ({listed}), and this is none "
            f"of them{missing}"
        )
    (name, parts), planes = next(iter(others.items())), sum(map(_count, images))
    if planes != pages:
        raise InputError(
            f"its metadata is of the file '{name}' with {planes} planes, but it holds {pages}: it "
            f"was renamed and changed, or belongs to '{name}', which is needed to read it"
        )
    for one in parts:
        one.text = _OWN
    root.set("UUID", _OWN)


def _number_planes(images: list[Any], pages: int) -> None:
    """Planes follow one another where the metadata does not say where they are."""
    counts = [_count(image) for image in images]
    if sum(counts) != pages:
        raise InputError(
            f"its metadata describes {sum(counts)} planes, but it holds {pages}: it is cut off, or "
            "the metadata is of another file"
        )
    first = 0
    for image, count in zip(images, counts, strict=True):
        pixels = image.find("{*}Pixels")
        ElementTree.SubElement(pixels, "TiffData", IFD=str(first), PlaneCount=str(count))
        first += count


def _without_missing(path: Path, root: Any, images: list[Any]) -> dict[int, Skipped]:
    """Take out images of which a file is missing."""
    missing: dict[int, Skipped] = {}
    for number, image in enumerate(images):
        for data in _planes_of(image):
            named = data.find("{*}UUID")
            if named is None or named.text == _OWN:
                continue
            name = named.get("FileName", "")
            file = _there(path.parent, name)
            if file is None:
                of = image.get("Name") or image.get("ID") or f"#{number}"
                reason = f"the file '{name}' is missing, which holds planes of the image '{of}'"
                missing[number] = Skipped(name, reason)
                root.remove(image)
                break
            named.set("FileName", file.name)
    return missing


def _check_pixels(tiff: tifffile.TiffFile, images: list[Any], missing: dict[int, Skipped]) -> None:
    """Check that planes in this file have the rows and columns that are declared."""
    for number, image in enumerate(images):
        own = [d for d in _planes_of(image)
               if (u := d.find("{*}UUID")) is None or u.text == _OWN]  # fmt: skip
        at = int(own[0].get("IFD", 0)) if own and number not in missing else len(tiff.pages)
        if at >= len(tiff.pages):
            continue
        pixels = image.find("{*}Pixels")
        declared = _size(pixels, "Y"), _size(pixels, "X")
        tags: Any = tiff.pages[at].aspage().tags
        found = int(tags.valueof(257)), int(tags.valueof(256))
        if declared != found:
            raise InputError(
                f"its metadata declares {declared[0]} x {declared[1]} pixels, but it holds "
                f"{found[0]} x {found[1]}: the metadata is of another file"
            )


def _planes_of(image: Any) -> Iterator[Any]:
    return image.iterfind("{*}Pixels/{*}TiffData")


def _count(image: Any) -> int:
    """Planes of an image, of which samples of a colour are one."""
    pixels = image.find("{*}Pixels")
    channels = pixels.findall("{*}Channel")
    samples = int(channels[0].get("SamplesPerPixel", 1)) if channels else 1
    return prod(_size(pixels, axis) for axis in "CZT") // max(samples, 1)


def _size(pixels: Any, axis: str) -> int:
    try:
        return int(pixels.get(f"Size{axis}"))
    except (TypeError, ValueError):
        raise InputError(f"its OME-XML has no size along {axis}") from None


def _there(folder: Path, name: str) -> Path | None:
    """Return the file of a name in a folder, whichever Unicode form and case; None: missing."""
    if not name:
        return None
    file = folder / name
    if file.is_file():
        return file
    return next((one for one in folder.iterdir() if _same_name(one.name, name)), None)


def _same_name(one: str, other: str) -> bool:
    return folded(one) == folded(other)
