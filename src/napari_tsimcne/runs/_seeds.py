"""The same patches learnt again with other seeds, and how much of the map stays the same.

In the folder of a run:

======================  ======================================================================
``seeds/SEED/``         a run of the same patches, learnt with another seed
``stability.parquet``   ``patch, stability``: share of its neighbours that a patch keeps there
======================  ======================================================================
"""

from __future__ import annotations

import os
import shutil
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from napari_tsimcne.errors import InputError
from napari_tsimcne.events import Finished
from napari_tsimcne.explore import NEIGHBORS, nearest, shared
from napari_tsimcne.runs._files import cannot_write, read_or_explain, written_whole
from napari_tsimcne.runs._new_folder import STORE, TABLE
from napari_tsimcne.runs._parquet import parse_table
from napari_tsimcne.runs._run import Run
from napari_tsimcne.runs._run_info import read_info, write_info_and_recipe
from napari_tsimcne.runs._training_record import EventReader
from napari_tsimcne.runs._trust import parse_json, refuse_links

FOLDER, FILE = "seeds", "stability.parquet"
COLUMN = "stability"
COLUMN_OF_MAP = "stability of the map"
"""Where the patch table has a column of stability of its own."""

KEY = b"napari-tsimcne:stability"


class Comparison(NamedTuple):
    """How much of the map other seeds have in common.

    ``seeds``: M of them. ``stability``: of each patch, the mean over them, (N,) float32 in 0..1.
    ``near``: the nearest patches of each on their maps, (M, N, k) int32.
    """

    seeds: tuple[int, ...]
    stability: np.ndarray
    near: np.ndarray

    @property
    def neighbors(self) -> int:
        """How many neighbours were compared."""
        return int(self.near.shape[2])


class _Made(BaseModel):
    """From what a stability was computed; ``map`` is a digest of the map's file."""

    seeds: tuple[int, ...]
    neighbors: int
    map: str


# --- runs with other seeds ------------------------------------------------------------------------


def with_seed(run: Run, folder: Path, seed: int) -> Run:
    """Make a run of the same patches, to be learnt with another seed.

    Patches and normalisation are those of the run. The patch store takes no room of its own where
    the file system knows hard links.

    Parameters
    ----------
    run
        A run whose patches are cut.
    folder
        Must not exist, or be empty.
    seed
        Another one than the run's.

    Returns
    -------
    The new run, without a map.

    Raises
    ------
    InputError
        Where the seed is the run's own, or the folder is in use or cannot be written.
    """
    # A run may be shown with more patches than its own.
    run = Run.open(run.folder)
    if seed == run.recipe.seed:
        raise InputError(f"{run.folder.name} was learnt with the seed {seed}: choose another one")
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise InputError(f"{folder} is in use: choose a new folder for the seed {seed}")
    recipe = run.recipe.model_copy(update={"seed": seed})
    # Images stay recorded where they were.
    info = read_info(run.folder).model_copy(
        update={"state": "cut", "versions": {}, "learnt": None, "map_files": {}}
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _link_or_copy(run.folder / STORE, folder / STORE)
        shutil.copyfile(run.folder / TABLE, folder / TABLE)
        write_info_and_recipe(folder, info, recipe)
    except OSError as error:
        refused = cannot_write(folder, error)
        shutil.rmtree(folder, ignore_errors=True)
        raise refused from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Run.open(folder)


def seed_run(run: Run, seed: int) -> Run:
    """Return the run of another seed in a run's folder, made where there is none.

    Raises
    ------
    InputError
        As `with_seed`, and where the run was not learnt to its end.
    """
    _refuse_unfinished(run)
    folder = run.folder / FOLDER / str(seed)
    if folder.parent.is_dir():
        refuse_links(folder.parent)
    if (folder / "run.json").is_file():
        return Run.open(folder)
    # What a process that was killed has left is no run.
    shutil.rmtree(folder, ignore_errors=True)
    return with_seed(run, folder, seed)


def seed_runs(run: Run) -> list[Run]:
    """Return the runs of other seeds in a run's folder, by seed, learnt to their end or not.

    Raises
    ------
    InputError
        Where one of them is damaged, or a link.
    """
    folder = run.folder / FOLDER
    if not folder.is_dir():
        return []
    refuse_links(folder)
    found = folder.glob("*/run.json")
    return sorted((Run.open(path.parent) for path in found), key=lambda other: other.recipe.seed)


def next_seed(run: Run) -> int:
    """Return the seed to compare with next: one not learnt to its end, or else a new one."""
    others = seed_runs(run)
    for other in others:
        if other.info.state != "trained":
            return other.recipe.seed
    used = {run.recipe.seed, *(other.recipe.seed for other in others)}
    return next(seed for seed in count() if seed not in used)


def training_seconds(run: Run) -> float | None:
    """Return how long the training of a run took; None where its record is not there."""
    ends = [event for event in EventReader(run.folder).read() if isinstance(event, Finished)]
    return ends[-1].seconds if ends else None


# --- what they have in common ---------------------------------------------------------------------


def compare_seeds(run: Run, neighbors: int = NEIGHBORS) -> Comparison:
    """Compare the map of a run with those of all other seeds that were learnt to their end.

    The stability of each patch is written into the run's folder, see `with_stability`.

    Raises
    ------
    InputError
        Where the run was not learnt to its end, there is no other, one has other patches, or the
        run cannot be written to.
    """
    run = Run.open(run.folder)
    _refuse_unfinished(run)
    coordinates = run.coordinates
    others = [other for other in seed_runs(run) if other.info.state == "trained"]
    if not others:
        raise InputError(f"{run.folder.name} was learnt with one seed only: train another one")
    if any(len(other.table) != len(run.table) for other in others):
        raise InputError(f"a run in {run.folder / FOLDER} is of other patches: remove it")
    near = np.stack([nearest(other.coordinates, neighbors) for other in others])
    own = nearest(coordinates, neighbors)
    values = np.asarray(np.mean([shared(own, other) for other in near], axis=0), np.float32)
    found = Comparison(tuple(other.recipe.seed for other in others), values, near)
    made = _Made(seeds=found.seeds, neighbors=found.neighbors, map=run.map_digest)
    table = pa.table({"patch": run.table["patch"].to_numpy(), COLUMN: values})
    with written_whole(run.folder / FILE) as draft:
        pq.write_table(table.replace_schema_metadata({KEY: made.model_dump_json().encode()}), draft)
    return found


def stability_column(table: pd.DataFrame) -> str:
    """Return the name of the column of stability, beside those a patch table has."""
    return COLUMN_OF_MAP if COLUMN in table else COLUMN


def with_stability(run: Run) -> pd.DataFrame:
    """Return the patch table, with a column of stability where seeds were compared.

    It is missing for patches that were not learnt from. Left out where the map has changed since,
    or what was written is damaged: comparing again takes seconds.
    """
    values = _read_stability(run)
    if values is None or len(values) > len(run.table):
        return run.table
    column = np.full(len(run.table), np.nan, np.float32)
    column[: len(values)] = values
    return run.table.assign(**{stability_column(run.table): column})


def _read_stability(run: Run) -> np.ndarray | None:
    path = run.folder / FILE
    if not path.is_file():
        return None

    def parse(path: Path) -> np.ndarray | None:
        table, metadata = parse_table(path, len(run.table))
        made = _Made.model_validate(parse_json(metadata[KEY]))
        values = table[COLUMN].to_numpy()
        if values.dtype.kind != "f" or not ((values >= 0) & (values <= 1)).all():
            raise ValueError("it holds no shares")
        return values.astype(np.float32) if made.map == run.map_digest else None

    try:
        return read_or_explain(path, parse)
    except InputError:
        return None


def _refuse_unfinished(run: Run) -> None:
    if run.info.state != "trained":
        raise InputError(
            f"{run.folder.name} was not learnt to its end: train it on, then compare seeds"
        )


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)
