"""Whether a folder is that of a run, by the first bytes of its ``run.json``."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

INFO = "run.json"
FIRST_BYTES = 200
FIRST_KEYS = (b'"format"', b'"software"')
"""With which the description of a run begins; other programs may write a file of that name."""


def run_folder(path: str | PathLike[str]) -> Path | None:
    """Return the folder of a run, from that or its ``run.json``; None for any other path."""
    found = Path(path)
    folder = found.parent if found.name == INFO else found
    return folder if _is_run(folder) else None


def _is_run(folder: Path) -> bool:
    try:
        with (folder / INFO).open("rb") as file:
            head = file.read(FIRST_BYTES)
    except OSError:
        return False
    return all(key in head for key in FIRST_KEYS)
