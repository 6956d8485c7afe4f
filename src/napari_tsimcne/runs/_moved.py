"""Where the images of a run are now: computers and disks name them differently, folders move.

An image is looked for where it was recorded; then where the user has found it, which ``moved.json``
remembers; then at the same place relative to the run, as when both were copied together. These
look at names alone. That an image is the same, `ImageRecord.open` tells by its fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from platformdirs import user_data_path

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import spellings
from napari_tsimcne.runs._files import write_text
from napari_tsimcne.runs._images import ImageRecord, is_there
from napari_tsimcne.runs._trust import read_json

FILE = "moved.json"
SEEDS = "seeds"
ABOVE, DEEP = 3, 4
"""Folders above the run that may hold the images' folders, and how many of these are compared."""


def recorded_parts(path: PurePath | str) -> tuple[str, ...]:
    """Return folders and name of a recorded path, whichever system it was recorded on."""
    text = str(path)
    windows = not text.startswith("/") and ("\\" in text or re.match(r"[A-Za-z]:", text))
    pure = PureWindowsPath(text) if windows else PurePosixPath(text)
    return pure.parts[1:] if pure.anchor else pure.parts


class Whereabouts:
    """Finds the images of a run by where they were recorded; looks at names only.

    Parameters
    ----------
    folder
        Of the run.
    created
        When it was made, which tells it from other runs wherever it is copied to.
    """

    def __init__(self, folder: Path, created: datetime) -> None:
        # The runs of other seeds in a run's folder are of the same images.
        self._home = folder.parent.parent if folder.parent.name == SEEDS else folder
        digest = hashlib.blake2b(created.isoformat().encode(), digest_size=16).hexdigest()
        data = Path(user_data_path("napari-tsimcne", appauthor=False))
        self._remembered_at = (self._home / FILE, data / "moved" / f"{digest}.json")
        self._remembered = {
            name: place
            for file in reversed(self._remembered_at)
            for name, place in _remembered(file).items()
        }
        self._beside: dict[tuple[str, ...], list[Path]] = {}

    def now(self, record: ImageRecord) -> ImageRecord:
        """Return a record with the path where the image is now; as recorded where it is nowhere."""
        if record.path is None or is_there(record.path):
            return record
        parts = recorded_parts(record.path)
        known = self._remembered.get("/".join(parts))
        # Other systems may write the letters of the same name in another form.
        places = [record.path, *([Path(known)] if known else []), *self._guesses(parts)]
        written = (form for place in places for form in spellings(place))
        found = next((place for place in written if is_there(place)), None)
        return record if found is None else record.model_copy(update={"path": found})

    def remember(self, found: Mapping[tuple[str, ...], Path]) -> None:
        """Keep where images were found, by their `recorded_parts`.

        In the run; for runs that cannot be written to, among the user's data.

        Raises
        ------
        InputError
            Where neither can be written.
        """
        self._remembered |= {"/".join(parts): str(place) for parts, place in found.items()}
        text = json.dumps(self._remembered, indent=1)
        inside, own = self._remembered_at
        try:
            write_text(inside, text)
        except InputError:
            try:
                own.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(
                    f"where images were found cannot be kept in {self._home} or {own.parent} "
                    f"({error})"
                ) from error
            write_text(own, text)

    def _guesses(self, parts: tuple[str, ...]) -> list[Path]:
        """Places relative to the run; which folders there are is looked up once for all images."""
        *folders, name = parts or ("",)
        if not name or ".." in parts:
            return []
        key = tuple(folders)
        if key not in self._beside:
            above = [self._home, *self._home.parents][: ABOVE + 1]
            ends = [folders[len(folders) - n :] for n in range(min(DEEP, len(folders)), 0, -1)]
            same = [place.joinpath(*end) for end in ends for place in above]
            self._beside[key] = [*filter(Path.is_dir, same), *above[:2]]
        return [folder / name for folder in self._beside[key]]


def _remembered(file: Path) -> dict[str, str]:
    try:
        places = read_json(file)
    except InputError:
        return {}  # to be asked again is all that is lost
    if not isinstance(places, dict):
        return {}
    return {name: place for name, place in places.items() if isinstance(place, str)}
