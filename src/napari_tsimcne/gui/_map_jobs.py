"""Work on the map that is open: new images put onto it, and the map of another seed compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QDialog

from napari_tsimcne.gui._add_images import AddImages
from napari_tsimcne.gui._adding import AddingJob
from napari_tsimcne.gui._compare import CompareJob, CompareSeeds
from napari_tsimcne.gui._inputs import Inputs
from napari_tsimcne.runs import Comparison, Run


class MapJobs(QObject):
    """Asks what is to be done with a map, and makes the job of it.

    ``begun`` carries the job and what is said of it, ``added`` the name of an addition and its
    inputs, ``compared`` a `Comparison`.

    Parameters
    ----------
    viewer
        The napari viewer.
    parent
        The widget that dialogs stand over.
    """

    begun = Signal(object, str)
    added = Signal(str, object)
    compared = Signal(object)

    def __init__(self, viewer: Any, parent: Any) -> None:
        super().__init__(parent)
        self._viewer, self._parent = viewer, parent
        self.dialog: QDialog | None = None
        self._inputs: Inputs | None = None

    def add_images(self, run: Run, device: str) -> None:
        """Ask which images are put onto the map of a run, and do it."""
        dialog = AddImages(self._viewer, run, self._parent)
        self._ask(dialog, lambda: self.begin_adding(run, dialog.chosen(), device))

    def compare_seeds(self, run: Run, device: str) -> None:
        """Ask for a seed, and learn the map of a run with it."""
        dialog = CompareSeeds(run, self._parent)
        self._ask(dialog, lambda: self.begin_comparing(run, dialog.seed.value(), device))

    def begin_adding(self, run: Run, inputs: Inputs, device: str) -> None:
        """Put images onto the map of a run."""
        job = AddingJob(run, inputs, device)
        job.finished.connect(self._on_added)
        self._inputs = inputs
        self.begun.emit(job, "Cutting the new patches")

    def begin_comparing(self, run: Run, seed: int, device: str) -> None:
        """Learn the map of a run with another seed, and compare."""
        job = CompareJob(run, seed, device)
        job.finished.connect(self._on_compared)
        self.begun.emit(job, f"Learning the map with the seed {seed}")

    # Signals of a job come from its thread: a method brings them into that of the window.

    def _on_added(self, name: str) -> None:
        self.added.emit(name, self._inputs)

    def _on_compared(self, found: Comparison) -> None:
        self.compared.emit(found)

    def _ask(self, dialog: QDialog, accepted: Callable[[], None]) -> None:
        self.dialog = dialog
        dialog.accepted.connect(accepted)
        # Images can be opened, and layers moved, while it is there.
        dialog.setModal(False)
        dialog.show()
