"""The command that finds the images of a run that were moved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from napari_tsimcne.errors import FAILURE
from napari_tsimcne.terminal._terminal import bars, console, warn

if TYPE_CHECKING:
    from napari_tsimcne.runs import Run

NAMED = 3
"""Images that are named, before the rest is counted."""


def locate_in_terminal(run: Run, folder: Path) -> None:
    """Look for missing images and label images, and say what was found and what is still missing.

    Parameters
    ----------
    run
        With its additions.
    folder
        Where to look, and in all below it.

    Raises
    ------
    InputError
        Where there is no such folder, or what was found cannot be remembered.
    typer.Exit
        With the status of a failure, where some are still missing.
    """
    from napari_tsimcne.runs import locate_images, missing_images

    before = len(missing_images(run))
    with bars() as told:
        missing = locate_images(run, folder, told=told)
    found = before - len(missing)
    if found > 0:
        console.print(f"Found {found:,} of {before:,} missing images", highlight=False)
    if not missing:
        console.print("All images are where the run looks for them", highlight=False)
        return
    names = ", ".join(record.name for record in missing[:NAMED])
    rest = len(missing) - NAMED
    more = f" and {rest:,} more" if rest > 0 else ""
    count = "1 image is" if len(missing) == 1 else f"{len(missing):,} images are"
    warn(f"{count} still missing ({names}{more}): look in another folder, too")
    raise typer.Exit(FAILURE)
