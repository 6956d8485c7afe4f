"""Clusters and selection in the run folder, written as they change."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, FailFast, TypeAdapter

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import NONE, Cluster, ColorKind, Exploration
from napari_tsimcne.runs._additions import addition_names
from napari_tsimcne.runs._columns import restore_columns, save_columns
from napari_tsimcne.runs._extended import parts_of
from napari_tsimcne.runs._files import read_or_explain, written_whole
from napari_tsimcne.runs._parquet import parse_table
from napari_tsimcne.runs._run import Run
from napari_tsimcne.runs._seeds import with_stability
from napari_tsimcne.runs._trust import parse_json

FILE = "exploration.parquet"
KEY = b"napari-tsimcne:clusters"
SECONDS = 0.3
"""After the first of several changes until they are written."""

MOST_ID = 1_000_000
"""Of a cluster: they are counted up, by hand."""

MOST_ROWS = 4_000_000
"""Of additions that are gone; four times the run's own are taken besides."""

_CLUSTERS = TypeAdapter(Annotated[tuple[Cluster, ...], FailFast()])

COLORS_KEY = b"napari-tsimcne:colors"


class _Colors(BaseModel):
    """What the map was coloured by, and as what by choice; see `Exploration.color_by`."""

    color_by: str = ""
    color_as: dict[str, ColorKind] = {}


def open_exploration(run: Run) -> Exploration:
    """Open what was explored of a run, with the clusters and selection that were kept.

    Columns that were added to its patches, and what it was coloured by, are there again, too.
    Of a run that is still to be trained, patches have no place on the map yet. Patches that were
    added since are in no cluster; what was kept of additions that are gone is passed over.

    Raises
    ------
    InputError
        Where the map, or what was kept, is damaged.
    """
    coordinates = run.coordinates if run.has_map else None
    path = run.folder / FILE
    if not path.exists():
        exploration = Exploration(with_stability(run), coordinates, lambda: run.features)
        restore_columns(run, exploration)
        return exploration
    kept = _read(run)
    table = with_stability(run)
    try:
        ids, selected = _placed(run, kept.rows)
        exploration = Exploration(
            table, coordinates, lambda: run.features,
            clusters=kept.clusters, ids=ids, selected=selected,
        )  # fmt: skip
        exploration.color_by = kept.colors.color_by
        exploration.color_as = dict(kept.colors.color_as)
        restore_columns(run, exploration)
        return exploration
    except ValueError as error:
        raise InputError(
            f"the file {path} does not fit its run ({error}): put back an earlier copy of it, or "
            "move it away to open the map without clusters"
        ) from error


def save_exploration(run: Run, exploration: Exploration) -> None:
    """Write clusters, selection and colours to the run's folder, whole or not at all.

    What was kept of additions that are there but are not part of this run, because they cannot be
    opened, is kept on.

    Raises
    ------
    InputError
        Where the run cannot be written to, or what was kept of such additions is damaged.
    """
    # Each is swapped as a whole when it changes, so that another thread may change it meanwhile.
    clusters, ids = exploration.clusters.snapshot()
    parts = parts_of(run)
    rows = pd.DataFrame(
        {
            "patch": np.concatenate([np.arange(count) for _, count in parts]),
            "added": np.repeat([key for key, _ in parts], [count for _, count in parts]),
            "cluster": ids,
            "selected": exploration.selection.mask,
        }
    )
    rows = pd.concat([rows, _kept_on(run, clusters)], ignore_index=True)
    table = pa.Table.from_pandas(rows, preserve_index=False)
    colors = _Colors(color_by=exploration.color_by, color_as=exploration.color_as)
    table = table.replace_schema_metadata(
        {KEY: _CLUSTERS.dump_json(clusters), COLORS_KEY: colors.model_dump_json()}
    )
    with written_whole(run.folder / FILE) as draft:
        pq.write_table(table, draft)


class _Kept(NamedTuple):
    """The clusters, and a row a patch.

    Columns are ``patch``, its number in its part of the run, ``added``, the key of that part,
    ``cluster`` and ``selected``.
    """

    clusters: tuple[Cluster, ...]
    rows: pd.DataFrame
    colors: _Colors


def _read(run: Run) -> _Kept:
    most = 4 * len(run.table) + MOST_ROWS
    return read_or_explain(run.folder / FILE, lambda path: _parse(path, most))


def _parse(path: Path, most_rows: int) -> _Kept:
    table, metadata = parse_table(path, most_rows)
    clusters = _CLUSTERS.validate_python(parse_json(metadata[KEY]))
    if any(cluster.id > MOST_ID for cluster in clusters):
        raise ValueError(f"it has a cluster with a number above {MOST_ID:,}")
    rows = table[["patch", "cluster", "selected"]].copy()
    if rows["cluster"].dtype.kind not in "iu" or rows["patch"].dtype.kind not in "iu":
        raise ValueError("its clusters or patches are no whole numbers")
    if not rows["cluster"].between(NONE, MOST_ID).all():
        raise ValueError("its patches are in clusters that there cannot be")
    if rows["selected"].dtype != bool:
        raise ValueError("its selection is not of yes and no")
    # Of a run that nothing was added to before this was written.
    rows["added"] = table.get("added", "")
    if not rows["added"].map(lambda key: isinstance(key, str)).all():
        raise ValueError("it does not say of which addition its patches are")
    colors = _Colors()
    if COLORS_KEY in metadata:
        colors = _Colors.model_validate(parse_json(metadata[COLORS_KEY]))
    return _Kept(clusters, rows, colors)


def _placed(run: Run, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return cluster and selection of each patch of a run."""
    count = len(run.table)
    ids, selected = np.zeros(count, np.int32), np.zeros(count, bool)
    by_part = dict(list(rows.groupby("added", sort=False)))
    start = 0
    for key, length in parts_of(run):
        part = by_part.get(key, rows[:0])
        # Of the run itself there must be all: less is another run's.
        if (len(part) or not key) and not np.array_equal(part["patch"], np.arange(length)):
            raise ValueError(f"it holds {len(part)} of {length} patches")
        ids[start : start + len(part)] = part["cluster"]
        selected[start : start + len(part)] = part["selected"]
        start += length
    return ids, selected


def _kept_on(run: Run, clusters: tuple[Cluster, ...]) -> pd.DataFrame | None:
    """Return the rows of additions that cannot be opened now, as they were kept."""
    known = {key for key, _ in parts_of(run)}
    closed = set(addition_names(run)) - {key.split(" ")[0] for key in known}
    path = run.folder / FILE
    if not closed or not path.exists():
        return None
    kept = _read(run)
    rows = kept.rows[kept.rows["added"].str.split(" ").str[0].isin(closed)].copy()
    # A cluster of the same number may be another by now.
    names = {(cluster.id, cluster.name) for cluster in clusters}
    same = [one.id for one in kept.clusters if (one.id, one.name) in names]
    rows.loc[~rows["cluster"].isin(same), "cluster"] = NONE
    return rows


class Autosave:
    """Writes what is explored within a second of every change, from a thread of its own.

    Parameters
    ----------
    run, exploration
        What is written where.
    failed
        Is told in a sentence, from the thread, when writing has failed; the next change tries
        again, and is told of only if writing has worked in between.
    """

    def __init__(self, run: Run, exploration: Exploration, failed: Callable[[str], None]) -> None:
        self._run, self._exploration, self._failed = run, exploration, failed
        self._unsaved = self._unsaved_columns = self._told = False
        self._wake, self._closing = threading.Event(), threading.Event()
        exploration.history.changed.connect(self._on_changed)
        exploration.columns_changed.connect(self._on_columns)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is not yet written, and end."""
        self._exploration.history.changed.disconnect(self._on_changed, missing_ok=True)
        self._exploration.columns_changed.disconnect(self._on_columns, missing_ok=True)
        self._closing.set()
        self._wake.set()
        self._thread.join()
        self._save()

    def keep_colors(self) -> None:
        """Write what the map is coloured by, which is no step that is undone."""
        self._on_changed()

    def _on_changed(self) -> None:
        self._unsaved = True
        self._wake.set()

    def _on_columns(self, _: object) -> None:
        self._unsaved_columns = True
        self._wake.set()

    def _work(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._closing.wait(SECONDS)
            self._wake.clear()
            self._save()

    def _save(self) -> None:
        if not (self._unsaved or self._unsaved_columns):
            return
        explored, columns = self._unsaved, self._unsaved_columns
        self._unsaved = self._unsaved_columns = False
        try:
            if explored:
                save_exploration(self._run, self._exploration)
            if columns:
                save_columns(self._run, self._exploration)
            self._told = False
        except (OSError, InputError) as error:
            self._unsaved, self._unsaved_columns = explored, columns
            if not self._told:
                self._told = True
                self._failed(f"clusters and selection are not kept: {error}")
