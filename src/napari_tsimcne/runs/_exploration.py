"""Clusters and selection in the run folder, written as they change."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import Cluster, Exploration
from napari_tsimcne.runs._files import read_or_explain, written_whole
from napari_tsimcne.runs._run import Run

FILE = "exploration.parquet"
KEY = b"napari-tsimcne:clusters"
SECONDS = 0.3
"""After the first of several changes until they are written."""

_CLUSTERS = TypeAdapter(tuple[Cluster, ...])


def open_exploration(run: Run) -> Exploration:
    """Open what was explored of a run's map, with the clusters and selection that were kept.

    Raises
    ------
    InputError
        Where there is no map yet, or what was kept is damaged.
    """
    coordinates = run.coordinates
    path = run.folder / FILE
    if not path.exists():
        return Exploration(run.table, coordinates, lambda: run.features)
    kept = read_or_explain(path, _read)
    try:
        return Exploration(run.table, coordinates, lambda: run.features, **kept)
    except ValueError as error:
        raise InputError(
            f"the file {path} does not fit its run ({error}): put back an earlier copy of it, or "
            "move it away to open the map without clusters"
        ) from error


def save_exploration(run: Run, exploration: Exploration) -> None:
    """Write clusters and selection to the run's folder, whole or not at all."""
    # Each is swapped as a whole when it changes, so that another thread may change it meanwhile.
    clusters, ids = exploration.clusters.snapshot()
    table = pa.table(
        {
            "patch": np.arange(len(ids)),
            "cluster": ids,
            "selected": exploration.selection.mask,
        }
    ).replace_schema_metadata({KEY: _CLUSTERS.dump_json(clusters)})
    with written_whole(run.folder / FILE) as draft:
        pq.write_table(table, draft)


def _read(path: Path) -> dict[str, Any]:
    table = pq.read_table(path)
    found = {
        "clusters": _CLUSTERS.validate_json((table.schema.metadata or {})[KEY]),
        "ids": table["cluster"].to_numpy(),
        "selected": table["selected"].to_numpy(),
    }
    if found["ids"].dtype.kind not in "iu":
        raise ValueError("its clusters are no whole numbers")
    return found


class Autosave:
    """Writes clusters and selection within a second of every change, from a thread of its own.

    Parameters
    ----------
    run, exploration
        What is written where.
    failed
        Is told in a sentence, from the thread, when writing has failed; the next change tries
        again.
    """

    def __init__(self, run: Run, exploration: Exploration, failed: Callable[[str], None]) -> None:
        self._run, self._exploration, self._failed = run, exploration, failed
        self._unsaved = False
        self._wake, self._closing = threading.Event(), threading.Event()
        exploration.history.changed.connect(self._on_changed)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is not yet written, and end."""
        self._exploration.history.changed.disconnect(self._on_changed, missing_ok=True)
        self._closing.set()
        self._wake.set()
        self._thread.join()
        self._save()

    def _on_changed(self) -> None:
        self._unsaved = True
        self._wake.set()

    def _work(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._closing.wait(SECONDS)
            self._wake.clear()
            self._save()

    def _save(self) -> None:
        if not self._unsaved:
            return
        self._unsaved = False
        try:
            save_exploration(self._run, self._exploration)
        except OSError as error:
            self._unsaved = True
            self._failed(f"clusters and selection could not be written ({error})")
