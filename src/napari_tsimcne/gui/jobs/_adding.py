"""Putting new images onto the map of a run, seen from the window."""

from __future__ import annotations

from napari_tsimcne.gui.jobs._job import CancelledError, Job
from napari_tsimcne.gui.steps._inputs import Inputs
from napari_tsimcne.images import stem
from napari_tsimcne.runs import EmbeddingProcess, Run, cut_addition, new_addition


class AddingJob(Job):
    """Cuts images as a run's were, and embeds them in a child; ``finished`` carries the name.

    That of the addition, which `extended` runs hold from then on. Stopped, failed or closed,
    nothing is left of it.

    Parameters
    ----------
    run
        With a map.
    inputs
        Images like its own, with label images or points where its patches are of these.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    """

    def __init__(self, run: Run, inputs: Inputs, device: str = "auto") -> None:
        super().__init__()
        self.run, self.inputs = run, inputs
        self._device = device
        self._process: EmbeddingProcess | None = None

    def stop(self) -> None:
        """Stop, and leave the run as it was."""
        super().stop()
        self._end_child()

    def close(self) -> None:
        """End at once, and leave the run as it was; nothing is told any more."""
        super().close()
        self._end_child()

    def _end_child(self) -> None:
        with self._lock:
            if self._process is not None:
                self._process.kill()

    def _run(self) -> None:
        inputs = self.inputs
        name = stem(inputs.images[0].name)
        with new_addition(self.run, name) as folder:
            cut_addition(
                self.run, folder, inputs.images, labels=inputs.labels, points=inputs.points,
                measure=inputs.measure, told=self._on_placing,
            )  # fmt: skip
            self._on_placing("Starting to embed", 0, 1)
            with self._lock:
                if self._stop.is_set():
                    raise CancelledError
                self._process = EmbeddingProcess(self.run.folder, folder.name, self._device)
            for step in self._process.progress():
                self._on_placing("Embedding", step.done, step.total)
            if self._stop.is_set():
                raise CancelledError
        self._tell(self.finished, folder.name)
