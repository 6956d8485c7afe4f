"""Which runs were made or opened on this computer, so that a training is found again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from platformdirs import user_data_path

from napari_tsimcne.errors import InputError
from napari_tsimcne.recipe import preset_text
from napari_tsimcne.runs._files import write_text
from napari_tsimcne.runs._images import is_there
from napari_tsimcne.runs._run_info import INFO, read_info, read_recipe
from napari_tsimcne.runs._training_record import is_training

MOST = 50
"""Runs that are remembered."""


@dataclass(frozen=True)
class UnfinishedRun:
    """A run without its whole map: ``training`` in some process, or ``cut off``.

    ``preset``: how it is learnt, as of `preset_text`.
    """

    folder: Path
    state: Literal["training", "cut off"]
    preset: str


def recent_runs() -> list[Path]:
    """Return the folders of runs that were remembered, the latest first."""
    try:
        folders = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if not isinstance(folders, list):
        return []
    return [Path(folder) for folder in folders if isinstance(folder, str)][:MOST]


def remember_run(folder: Path) -> None:
    """Put a run's folder first; that nothing can be written there is no reason to stop."""
    folder = folder.resolve()
    _write([folder, *(other for other in recent_runs() if other != folder)])


def is_run(folder: Path) -> bool:
    """Whether a folder is there and looks like a run; its files are not read."""
    return is_there(folder / INFO)


def forget_run(folder: Path) -> None:
    """Offer a run no more; its folder stays."""
    folder = folder.resolve()
    _write([other for other in recent_runs() if other != folder])


def unfinished_runs() -> list[UnfinishedRun]:
    """Return remembered runs that are being trained, or whose training was cut off."""
    found = []
    for folder in recent_runs():
        try:
            info, preset = read_info(folder), preset_text(read_recipe(folder))
        except InputError:
            continue  # gone, or damaged
        if is_training(folder):
            found.append(UnfinishedRun(folder, "training", preset))
        elif info.state == "cut":
            found.append(UnfinishedRun(folder, "cut off", preset))
    return found


def _path() -> Path:
    return Path(user_data_path("napari-tsimcne", appauthor=False)) / "runs.json"


def _write(folders: list[Path]) -> None:
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps([str(folder) for folder in folders[:MOST]], indent=1))
    except (OSError, InputError):
        return
