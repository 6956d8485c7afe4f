"""Images of a run that are not where they were: the question where they are, and the search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.gui._bar import Bar
from napari_tsimcne.gui._sentences import capital, listed
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.jobs._job import Job
from napari_tsimcne.runs import ImageRecord, Run, extended, locate_images, missing_images

WIDTH = 420
_left_alone: set[Path] = set()
"""Runs whose images the user does not want to look for in this session."""


class MovedImages(QObject):
    """Asks where the images of a run are now, once a session.

    ``found``: some images were found, and the run is to be opened again.

    Parameters
    ----------
    parent
        Over which the question stands.
    """

    found = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._parent = parent
        self.dialog: FindImages | None = None

    def ask(self, run: Run, again: bool = False) -> None:
        """Ask, where images are missing; of runs that are left alone only ``again``.

        The run can be worked on while the question stands.
        """
        self.close()
        if not missing_images(run) or (run.folder in _left_alone and not again):
            return
        self.dialog = FindImages(run, self._parent)
        self.dialog.finished.connect(self._on_finished)
        self.dialog.setModal(False)
        self.dialog.show()

    def close(self) -> None:
        """Take the question back."""
        if self.dialog is not None:
            dialog, self.dialog = self.dialog, None
            dialog.finished.disconnect(self._on_finished)
            dialog.close_now()

    def _on_finished(self) -> None:
        dialog, self.dialog = self.dialog, None
        assert dialog is not None
        if dialog.missing:
            _left_alone.add(dialog.run.folder)
        dialog.deleteLater()
        if dialog.any_found:
            self.found.emit()


class FindImages(QDialog):
    """Says which images of a run are missing, and looks for them in folders.

    ``choose_folder`` asks for one, and returns its path, empty where the user gave up.

    Parameters
    ----------
    run
        With images that are missing.
    parent
        Over which it stands.
    """

    def __init__(self, run: Run, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run, self.missing = run, missing_images(run)
        self.any_found = False
        self.job: FindingJob | None = None
        self.choose_folder: Callable[[], str] = self._ask_for_folder
        self.setWindowTitle("Images not found")
        self.setMinimumWidth(WIDTH)
        self.text = Wrapped()
        self.bar = Bar(says=True)
        self.folder_button = QPushButton("Choose folder...")
        self.folder_button.setDefault(True)
        self.folder_button.clicked.connect(self._choose)
        self.without_button = QPushButton()
        self.without_button.setAutoDefault(False)
        self.without_button.clicked.connect(self.reject)
        buttons = QHBoxLayout()
        buttons.addStretch()
        buttons.addWidget(self.folder_button)
        buttons.addWidget(self.without_button)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addWidget(self.bar)
        layout.addLayout(buttons)
        self._tell(
            f"{missing_text(run, self.missing)} Choose the folder they are in now; the folders "
            "in it are searched, too."
        )

    def reject(self) -> None:
        """Stop a search; go on without images where there is none."""
        if self.job is None:
            super().reject()
        else:
            self.job.stop()

    def close_now(self) -> None:
        """Close, also while searching."""
        if self.job is not None:
            self.job.close()
            self.job = None
        super().reject()
        self.deleteLater()

    def _choose(self) -> None:
        folder = self.choose_folder()
        if not folder:
            return
        self.job = FindingJob(self.run, Path(folder))
        self.job.placing.connect(self._on_placing)
        self.job.finished.connect(self._on_searched)
        self.job.failed.connect(self._on_failed)
        self.job.cancelled.connect(self._on_cancelled)
        # It goes on no longer than this dialog is there.
        self.destroyed.connect(self.job.close)
        self.bar.wait()
        self._tell(f"Looking in {folder}")
        self.job.start()

    def _ask_for_folder(self) -> str:
        return QFileDialog.getExistingDirectory(self, "Folder with the images of the run")

    def _on_placing(self, what: str, done: int, total: int) -> None:
        much = f"{done:,} of {total:,}" if total else f"{done:,}"
        self.bar.count(done, total, f"{what}: {much}")

    def _on_searched(self, run: Run) -> None:
        """Close where all are found; say what is still missing otherwise."""
        before, self.run, self.job = len(self.missing), run, None
        self.missing = missing_images(run)
        found = before - len(self.missing)
        self.any_found = self.any_found or found > 0
        if not self.missing:
            self.accept()
            return
        first = f"Found {found:,}." if found else "None of them is there."
        names = listed([record.name for record in self.missing])
        self._tell(f"{first} Still missing: {names}. Choose another folder, or go on without.")

    def _on_failed(self, reason: str) -> None:
        self.job = None
        self._tell(f"{capital(reason).removesuffix('.')}.")

    def _on_cancelled(self) -> None:
        self.job = None
        self._tell(f"Stopped. {missing_text(self.run, self.missing)}")

    def _tell(self, text: str) -> None:
        self.text.setText(text)
        searching = self.job is not None
        self.bar.setVisible(searching)
        self.folder_button.setEnabled(not searching)
        rest = "Without these" if self.any_found else "Without images"
        self.without_button.setText("Stop" if searching else rest)
        # It does not make room by itself.
        self.layout().activate()
        self.resize(self.width(), self.heightForWidth(self.width()))


class FindingJob(Job):
    """Looks for the missing images of a run; ``finished`` carries the run opened again.

    Parameters
    ----------
    run
        As it is explored.
    folder
        Where to look, with all folders in it.
    """

    def __init__(self, run: Run, folder: Path) -> None:
        super().__init__()
        self.run, self.folder = run, folder

    def _run(self) -> None:
        locate_images(self.run, self.folder, told=self._on_placing)
        self._tell(self.finished, extended(Run.open(self.run.folder)))


def missing_text(run: Run, missing: Sequence[ImageRecord]) -> str:
    """Say how many images of a run are not where they were."""
    files = [r for r in (*run.info.images, *run.info.labels.values()) if r.path is not None]
    what = "images and label images" if run.info.labels else "images"
    are = "is not where it was" if len(missing) == 1 else "are not where they were"
    names = listed([record.name for record in missing])
    return f"{len(missing):,} of {len(files):,} {what} of this run {are} ({names})."
