"""Names that people gave, as names of files and folders on any system."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

from napari_tsimcne.images import folded, split_ending

LONGEST = 60
"""Characters of a name: paths of more than 260 cannot be opened everywhere."""

LONGEST_BYTES = 180
"""Of a name in UTF-8: with suffixes and numbers, file systems take 255."""

_DEVICES = {
    "con", "prn", "aux", "nul", "conin$", "conout$",
    *(f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³"),
}  # fmt: skip
"""Names that mean a device on Windows, whatever suffix follows."""

_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')


def file_name(name: str, otherwise: str = "unnamed") -> str:
    """Return what of a name can be the name of a file or folder everywhere.

    Letters of any script stay. What a file system does not take becomes ``_``; dots and spaces
    at either end are dropped, so that nothing is hidden or leads to another folder.

    Parameters
    ----------
    name
        As it was given.
    otherwise
        Stands for a name of which nothing is left.
    """
    text = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", name))
    text = "".join("_" if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in text)
    text = text[:LONGEST].encode()[:LONGEST_BYTES].decode(errors="ignore").strip(". ") or otherwise
    return f"_{text}" if text.split(".")[0].rstrip(" ").lower() in _DEVICES else text


def image_file_name(name: str) -> str:
    """Return the `file_name` of an image, without the suffix of the file it came from."""
    # One letter more: an ending alone is dropped, too.
    return file_name(split_ending(f"_{name}")[0][1:], "image")


def distinct(names: Sequence[str], taken: Collection[str] = (), suffix: str = "") -> list[str]:
    """Tell names apart that are alike or taken, in either case of letters: ``a``, ``a 2``.

    Each gets a ``suffix``, which what is ``taken`` has already.
    """
    used = {_folded(name) for name in taken}
    found = []
    for name in names:
        new, number = f"{name}{suffix}", 1
        while _folded(new) in used:
            number += 1
            new = f"{name} {number}{suffix}"
        used.add(_folded(new))
        found.append(new)
    return found


def _folded(name: str) -> str:
    """Return a name as file systems compare it that tell neither case nor accents' form apart."""
    return unicodedata.normalize("NFKC", folded(name))
