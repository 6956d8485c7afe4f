"""What ``run.json`` and ``recipe.json`` hold."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, FailFast, model_validator

from napari_tsimcne import __version__
from napari_tsimcne.errors import InputError
from napari_tsimcne.images import Skipped
from napari_tsimcne.patches import ChannelRange
from napari_tsimcne.recipe import Recipe
from napari_tsimcne.runs._files import json_text, read_or_explain, write_text
from napari_tsimcne.runs._images import ImageRecord
from napari_tsimcne.runs._migrate import FORMAT, migrated_info, migrated_recipe
from napari_tsimcne.runs._trust import read_json

INFO, RECIPE = "run.json", "recipe.json"

Records = Annotated[tuple[ImageRecord, ...], FailFast()]
Ranges = Annotated[tuple[ChannelRange, ...], FailFast()]


class Learnt(BaseModel):
    """How the map was computed, beside the recipe: what was chosen, by the user or by timing.

    ``device`` in words; ``kind`` of it: ``cpu``, ``cuda`` or ``mps``. ``short_map``: training was
    stopped before the map was learnt, which was then made of the features by a short stage, of
    ``short_map_patches`` of the patches.
    """

    model_config = ConfigDict(frozen=True)

    device: str
    kind: str
    precision: Literal["float32", "bfloat16"]
    compiled: bool
    threads: int
    processes: int = 1
    short_map: bool = False
    short_map_patches: int = 0


class RunInfo(BaseModel):
    """What ``run.json`` holds. Written last: a folder without it is no run.

    ``labels``: label images by the name of their image, where patches are of objects.
    ``objects_left_out``: how many for lying at the border, and how many for being small.
    ``background_windows``: how many windows had no content and were left out, by
    ``background_thresholds``. ``versions``: of what the map was learnt with, by name.
    ``learnt``: how, where a version wrote it that knows. ``map_files``: digests of the files of the
    map, by name, see ``_binding.py``.
    """

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    software: str = __version__
    created: datetime
    state: Literal["cut", "trained", "stopped"] = "cut"
    rgb: bool
    channels: Ranges
    image_channels: dict[str, Ranges] = {}
    images: Records
    labels: dict[str, ImageRecord] = {}
    skipped: Annotated[tuple[Skipped, ...], FailFast()] = ()
    objects_left_out: tuple[int, int] = (0, 0)
    background_windows: int = 0
    background_thresholds: dict[str, float] = {}
    versions: dict[str, str] = {}
    learnt: Learnt | None = None
    map_files: dict[str, str] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_ranges(len(self.channels), [self.channels, *self.image_channels.values()])
        names = {record.name for record in self.images}
        if len(names) < len(self.images):
            raise ValueError("two images have the same name")
        if self.image_channels and not names <= self.image_channels.keys():
            raise ValueError("an image has no range of values")
        return self


def check_ranges(channels: int, ranges: Iterable[tuple[ChannelRange, ...]]) -> None:
    """Check that each row of ranges has one for each channel, with numbers that ascend.

    Raises
    ------
    ValueError
        Where one has not.
    """
    for row in ranges:
        if len(row) != channels or not channels:
            raise ValueError(f"{len(row)} ranges of values for {channels} channels")
        if not all(np.isfinite([one.low, one.high]).all() and one.low <= one.high for one in row):
            raise ValueError("a range of values descends")


def read_info(folder: Path) -> RunInfo:
    """Read what ``run.json`` holds, in any format; images are where they were recorded.

    Raises
    ------
    InputError
        Where the folder is no run, of a newer format, or damaged.
    """
    stored = _stored(folder)

    return read_or_explain(
        folder / INFO, lambda path: RunInfo.model_validate(migrated_info(stored))
    )


def stored_format(folder: Path) -> int:
    """Return the format of a run as it is on disk.

    Raises
    ------
    InputError
        As `read_info`.
    """
    return _stored(folder)["format"]


def read_recipe(folder: Path) -> Recipe:
    """Read what ``recipe.json`` holds, in any format.

    Raises
    ------
    InputError
        As `read_info`.
    """
    number, recipe = _stored(folder)["format"], read_json(folder / RECIPE)

    return read_or_explain(
        folder / RECIPE, lambda path: Recipe.model_validate(migrated_recipe(recipe, number))
    )


def write_info_and_recipe(folder: Path, info: RunInfo, recipe: Recipe) -> None:
    """Write both, the recipe first: it may be newer than what ``run.json`` says, never older.

    Raises
    ------
    InputError
        Where the folder cannot be written to.
    """
    write_text(folder / RECIPE, recipe.model_dump_json(indent=2))
    write_text(folder / INFO, json_text(info))


def _stored(folder: Path) -> dict[str, Any]:
    path = folder / INFO
    if not path.is_file():
        raise InputError(f"{folder} is no run folder: it has no {INFO}")
    stored = read_json(path)
    number = stored.get("format") if isinstance(stored, dict) else None
    if not isinstance(number, int) or number < 1:
        raise InputError(f"the file {path} is damaged (it does not say its format)")
    if number > FORMAT:
        software = str(stored.get("software", "unknown"))[:40]
        raise InputError(
            f"{folder} was made by a newer version ({software}): update napari-tsimcne"
        )
    return stored
