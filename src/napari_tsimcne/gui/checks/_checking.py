"""Checking a map, and writing the report of it, seen from the window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_tsimcne.explore import Exploration, MapChecks
from napari_tsimcne.export import Pictures, export_check_report
from napari_tsimcne.gui.export._exporting import frozen
from napari_tsimcne.gui.jobs._job import CancelledError, Job
from napari_tsimcne.runs import Run, check_run


class CheckJob(Job):
    """Checks a map; ``finished`` carries the `MapChecks`.

    Parameters
    ----------
    run
        With a map.
    exploration
        Of the map; it is read as it is now, whatever is changed while the job runs.
    truth
        Column of classes that the map is compared with; None for none.
    """

    def __init__(self, run: Run, exploration: Exploration, truth: str | None) -> None:
        super().__init__()
        self.run, self._truth = run, truth
        self._exploration = frozen(exploration)

    def _run(self) -> None:
        self._on_placing("Finding neighbours", 0, 0)
        found = check_run(self.run, self._exploration, truth=self._truth, told=self._on_placing)
        self._tell(self.finished, found)


class ReportJob(Job):
    """Writes the report of checks as one page; ``finished`` carries its path.

    Parameters
    ----------
    checks
        What it tells.
    run, exploration
        What was checked.
    path
        Of the HTML file.
    overwrite
        Replace what is there.
    pictures
        Of patches, made in the worker's thread.
    """

    def __init__(
        self,
        checks: MapChecks,
        run: Run,
        exploration: Exploration,
        path: Path,
        *,
        overwrite: bool,
        pictures: Pictures,
    ) -> None:
        super().__init__()
        self.run, self._checks, self.path = run, checks, path
        self._exploration = frozen(exploration)
        self._overwrite, self._pictures = overwrite, pictures

    def _run(self) -> None:
        self._on_placing("Drawing the report", 0, 0)
        export_check_report(
            self._checks, self.run, self._exploration, self.path,
            pictures=replace(self._pictures, draw=self._draw), overwrite=self._overwrite,
        )  # fmt: skip
        self._tell(self.finished, self.path)

    def _draw(self, rows: np.ndarray) -> np.ndarray:
        # It tells of no progress, but can be stopped here.
        if self._stop.is_set():
            raise CancelledError
        return self._pictures(rows)
