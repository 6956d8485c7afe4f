"""Opening files and folders of the user's in a worker thread, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui.jobs._job import Job
from napari_tsimcne.images import (
    ImageSource,
    Opened,
    Skipped,
    find_files,
    grey_as_one,
    open_parts,
)


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
