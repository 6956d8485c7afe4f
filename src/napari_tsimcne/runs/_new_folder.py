"""The folder of a new run: refused where it is in use, cleared after a broken attempt."""

from __future__ import annotations

import shutil
from pathlib import Path

from napari_tsimcne.errors import InputError
from napari_tsimcne.runs._run_info import (
    INFO,
    RECIPE,
)

TABLE, STORE = "patches.parquet", "patches.npy"


def refuse_used(folder: Path) -> None:
    if folder.is_file():
        raise InputError(f"{folder} is a file: choose a new folder for the run")
    if (folder / INFO).exists():
        raise InputError(f"{folder} holds another run: choose a new folder, nothing was changed")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"the folder {folder} is not empty: choose a new folder for the run")


def clear(folder: Path, existed: bool) -> None:
    """Remove what a broken attempt left in a folder that was empty or absent before."""
    if not existed:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for name in (STORE, f".{STORE}.writing", TABLE, RECIPE, INFO):
        (folder / name).unlink(missing_ok=True)
