"""A training seen from the window: cut patches, then train in a child; or follow one that runs."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal

from napari_tsimcne.events import Event, Failed, Finished
from napari_tsimcne.gui.jobs._job import Job
from napari_tsimcne.gui.steps._inputs import Inputs
from napari_tsimcne.recipe import Recipe
from napari_tsimcne.runs import Run, TrainingProcess, remember_run


class TrainingJob(Job):
    """One training; ``finished`` carries the run with its map.

    ``cut`` carries the run once its patches are there, ``told`` the events of the child. Stopped
    while patches were cut, it is cancelled; stopped while it trains, it finishes with the map of
    what was learnt.

    Parameters
    ----------
    folder
        Of the run.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    inputs, recipe
        Of a new run. Without them the run in the folder is trained on from where it was cut off,
        or followed where another process trains it.
    """

    cut = Signal(object)

    def __init__(
        self,
        folder: Path,
        device: str,
        inputs: Inputs | None = None,
        recipe: Recipe | None = None,
    ) -> None:
        super().__init__()
        self.folder, self.inputs, self.recipe = folder, inputs, recipe
        self._device = device

    @property
    def training(self) -> bool:
        """Whether patches are cut, so that a child trains."""
        return self.process is not None

    def close(self) -> None:
        """Tell nothing any more: cutting ends, a training goes on without the window."""
        super().close()
        with self._lock:
            if self.process is not None:
                self.process.leave()

    def _run(self) -> None:
        run = self._run_to_train()
        remember_run(run.folder)
        with self._lock:
            if self._closed.is_set():
                return
            self.process = TrainingProcess.attach(run.folder)
            if self.process is None:
                self.process = TrainingProcess(run.folder, self._device)
            if self._stop.is_set():
                self.process.stop()
        self._tell(self.cut, run)
        last: Event | None = None
        for last in self.process.events():
            self._tell(self.told, last)
        if isinstance(last, Finished):
            self._tell(self.finished, Run.open(run.folder))
        elif isinstance(last, Failed):
            self._tell(self.failed, last.reason)

    def _run_to_train(self) -> Run:
        if self.inputs is None or self.recipe is None:
            return Run.open(self.folder)
        return Run.create(
            self.folder, self.inputs.images, self.recipe, labels=self.inputs.labels,
            points=self.inputs.points, measure=self.inputs.measure, told=self._on_placing,
        )  # fmt: skip
