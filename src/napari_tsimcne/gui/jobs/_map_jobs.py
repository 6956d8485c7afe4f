"""Work on the map that is open: exports, moved and new images, another seed compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QDialog

from napari_tsimcne.gui._explorer import Explorer
from napari_tsimcne.gui._sentences import capital, left_out
from napari_tsimcne.gui.dialogs._add_images import AddImages
from napari_tsimcne.gui.dialogs._compare import CompareJob, CompareSeeds
from napari_tsimcne.gui.dialogs._moved import MovedImages
from napari_tsimcne.gui.export._export import ExportDialog
from napari_tsimcne.gui.export._exporting import labels_of_layers
from napari_tsimcne.gui.jobs._adding import AddingJob
from napari_tsimcne.gui.steps._inputs import Inputs
from napari_tsimcne.runs import Comparison, Run, refused_additions


class MapJobs(QObject):
    """Asks what is to be done with a map, and makes the job of it.

    ``begun`` carries the job and what is said of it, ``added`` the name of an addition and its
    inputs, ``compared`` a `Comparison`. ``moved`` asks for images that are not where they were.

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
        self.exporting: ExportDialog | None = None
        self.moved = MovedImages(parent)
        self._inputs: Inputs | None = None

    def export(self, explorer: Explorer) -> None:
        """Ask what is exported of the map that is shown; the question shows how far it is."""
        if self.exporting is None:
            run, link = explorer.run, explorer.link
            self.exporting = ExportDialog(
                run, explorer.exploration, explorer.coloring, explorer.crops, self._parent,
                lambda: labels_of_layers(run, link.layers),
            )  # fmt: skip
            self.exporting.finished.connect(self._on_export_closed)
        self.exporting.show()
        self.exporting.raise_()
        self.exporting.activateWindow()

    def find_images(self, explorer: Explorer) -> None:
        """Ask where the images of the run that is shown are now."""
        self.moved.ask(explorer.run, again=True)

    def tell_what_is_missing(self, run: Run) -> None:
        """Tell of additions that cannot be opened and columns renamed; ask for missing images."""
        refused = refused_additions(run)
        if refused:
            show_warning(f"Added images are missing. {left_out(refused)}")
        if run.renamed:
            show_info(f"{capital(run.renamed)}.")
        self.moved.ask(run)

    def leave_map(self) -> None:
        """Let go of the map that is shown; what is being written of it is written."""
        self.moved.close()
        if self.exporting is not None:
            self.exporting.leave()

    def release(self) -> None:
        """Let go of the map that is shown, at once."""
        if self.exporting is not None:
            self.exporting.stop_at_once()
        self.leave_map()

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

    def _on_export_closed(self) -> None:
        if self.exporting is not None:
            self.exporting.deleteLater()
            self.exporting = None

    def _ask(self, dialog: QDialog, accepted: Callable[[], None]) -> None:
        self.dialog = dialog
        dialog.accepted.connect(accepted)
        # Images can be opened, and layers moved, while it is there.
        dialog.setModal(False)
        dialog.show()
