"""Opening files and folders of the user's in a worker thread, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui._sentences import capital
from napari_tsimcne.gui.jobs._job import Job
from napari_tsimcne.images import (
    ImageSource,
    Opened,
    Skipped,
    find_files,
    grey_as_one,
    noted,
    open_parts,
)

MOST_TOLD, MOST_IN_TIP = 3, 30
"""Files that were left out of which the reason is told, and of which the tooltip tells."""


class OpeningJob(Job):
    """Opens files, folders and patterns; ``finished`` carries what was `Opened`.

    Only headers are read, and pixels of RGB images. Images have the names that their files give
    them, which need not tell them apart. ``placing`` says how many files are opened. Stopped, it
    finishes with what was opened until then.
    """

    def __init__(self, sources: Sequence[Path]) -> None:
        super().__init__()
        self._sources = sources

    def _run(self) -> None:
        images: list[ImageSource] = []
        skipped: list[Skipped] = []
        files: list[Path] = []
        for source in self._sources:
            try:
                files += find_files([source])
            except InputError as error:
                skipped.append(Skipped(source.name, str(error)))
        for number, file in enumerate(files):
            if self._stop.is_set():
                break
            self._tell(self.placing, "Opening files", number, len(files))
            try:
                opened = open_parts(file)
                images += opened.images
                skipped += [one for one in opened.skipped if one not in skipped]
            except InputError as error:
                skipped.append(Skipped(file.name, str(error)))
        images = grey_as_one(
            images,
            lambda done, total: self._tell(self.placing, "Looking for colours", done, total),
            self._stop.is_set,
        )
        self._tell(self.finished, Opened(images, skipped))


def opened_text(opened: Opened, count: int) -> tuple[str, str]:
    """Say what was opened, of which ``count`` images are new; and all notes, for a tooltip."""
    known = len(opened.images) - count
    parts = [f"Added {count:,} image{'s' * (count != 1)}." if count or not known else ""]
    if known:
        parts.append("All of them are listed already." if not count
                     else f"{known:,} were listed already.")  # fmt: skip
    notes = [capital(note) for note in noted(opened.images)]
    parts += notes[:MOST_TOLD]
    parts += _left_out(opened.skipped[:MOST_TOLD], len(opened.skipped))
    everything = "\n".join(
        [
            *notes[:MOST_IN_TIP],
            *_left_out(opened.skipped[:MOST_IN_TIP], len(opened.skipped)),
        ]
    )
    return "\n".join(part for part in parts if part), everything


def _left_out(skipped: Sequence[Skipped], count: int) -> list[str]:
    """Name files that were left out, each with its reason on a line of its own."""
    lines = [f"{file.name}: {file.reason}" for file in skipped]
    more = count - len(lines)
    return [
        *([f"Left out {count:,} file{'s' * (count != 1)}:"] if count else []),
        *lines,
        *([f"and {more:,} more"] if more else []),
    ]
