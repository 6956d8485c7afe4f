"""The export dialog: which patches, as what, where to, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import Coloring, Exploration
from napari_tsimcne.export import Written
from napari_tsimcne.gui._bar import Bar
from napari_tsimcne.gui._sentences import capital
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.export._export_kinds import KindList
from napari_tsimcne.gui.export._export_patches import PatchChoice
from napari_tsimcne.gui.export._export_target import ExportTarget
from napari_tsimcne.gui.export._exporting import ExportJob, remember_folder
from napari_tsimcne.gui.images._crops import Crops
from napari_tsimcne.images import ImageSource
from napari_tsimcne.runs import Run

CHOICES_WIDTH = 480


class ExportDialog(QDialog):
    """Asks what of a map is exported, as what and where to, does it, and says what was written.

    The map can be worked on meanwhile: counts follow it, and what is exported is what was there
    when the export began. ``open_folder`` shows a folder to the user.

    Parameters
    ----------
    run, exploration
        With a map.
    coloring
        Of the map.
    crops
        Pictures of the patches.
    parent
        Over which it stands.
    labels
        Gives label images that are in no files, by the name of their image.
    """

    def __init__(
        self,
        run: Run,
        exploration: Exploration,
        coloring: Coloring,
        crops: Crops,
        parent: QWidget | None = None,
        labels: Callable[[], Mapping[str, ImageSource]] = dict,
    ) -> None:
        super().__init__(parent)
        self.run, self._crops, self._labels = run, crops, labels
        self.job: ExportJob | None = None
        self.written: Written | None = None
        self.open_folder: Callable[[Path], object] = _show_folder
        self._left = False
        self.kinds, self.patches = KindList(), PatchChoice(exploration)
        self.target = ExportTarget(run, coloring)
        self.setWindowTitle(f"Export {run.folder.name}")
        self._build()
        self.kinds.chosen.connect(self._on_kind)
        self.patches.changed.connect(self._refresh)
        self.target.changed.connect(self._refresh)
        self.finished.connect(self._release)
        self._on_kind()

    # --- widgets ------------------------------------------------------------------------------

    def _build(self) -> None:
        self.message = Wrapped(lines=2)
        self.message.make_selectable()
        self.folder_button = QPushButton("Open folder")
        self.folder_button.setToolTip("Show where it was written.")
        self.folder_button.setAutoDefault(False)
        self.folder_button.clicked.connect(self._open_folder)
        self.bar = Bar(says=True)
        self.export_button, self.close_button = QPushButton("Export"), QPushButton("Close")
        self.export_button.setDefault(True)
        self.export_button.clicked.connect(self.export)
        self.close_button.setAutoDefault(False)
        self.close_button.clicked.connect(self.reject)
        choices = QWidget()
        choices.setMinimumWidth(CHOICES_WIDTH)
        right = QVBoxLayout(choices)
        right.setContentsMargins(0, 0, 0, 0)
        right.addWidget(self.patches, stretch=1)
        right.addWidget(self.target)
        sides = QHBoxLayout()
        sides.setSpacing(12)
        sides.addWidget(self.kinds)
        sides.addWidget(choices, stretch=1)
        foot = QHBoxLayout()
        foot.addWidget(self.message, stretch=1)
        foot.addWidget(self.bar, stretch=1)
        for button in (self.folder_button, self.export_button, self.close_button):
            foot.addWidget(button, alignment=Qt.AlignmentFlag.AlignBottom)
        layout = QVBoxLayout(self)
        layout.addLayout(sides, stretch=1)
        layout.addLayout(foot)

    def _on_kind(self) -> None:
        self.patches.show_whole(self.kinds.kind.whole)
        self.target.show_kind(self.kinds.kind)

    def _refresh(self) -> None:
        kind, count, running = self.kinds.kind, self.patches.count, self.job is not None
        many = "" if kind.whole else f" {count:,} patch{'es' * (count != 1)}"
        self.export_button.setText(f"Export{many}")
        self.export_button.setEnabled(
            self.target.ready and count > 0 and not running and not self._left
        )
        for widget in (self.kinds, self.patches, self.target):
            widget.setEnabled(not running and not self._left)
        self.close_button.setText("Cancel" if running else "Close")
        self.bar.setVisible(running)
        self.message.setVisible(not running)
        self.folder_button.setVisible(self.written is not None and not running)

    # --- the export ---------------------------------------------------------------------------

    def export(self) -> None:
        """Write what is chosen, in a worker; what is wrong is said."""
        try:
            path, excerpt = self.target.chosen_path(), self.patches.excerpt(self.run)
            labels = self._labels()
        except InputError as error:
            self._say(str(error))
            return
        self.written = None
        self.job = ExportJob(
            self.kinds.kind, excerpt, path, overwrite=self.target.overwrite.isChecked(),
            pictures=self._crops.still(), labels=labels, options=self.target.options(),
        )  # fmt: skip
        self.job.placing.connect(self._on_placing)
        self.job.finished.connect(self._on_written)
        self.job.failed.connect(self._on_failed)
        self.job.cancelled.connect(self._on_cancelled)
        # It goes on no longer than this dialog is there.
        self.destroyed.connect(self.job.close)
        self.bar.wait()
        self._refresh()
        self.close_button.setFocus()
        self.job.start()

    def reject(self) -> None:
        """Cancel what is being written; close, where nothing is."""
        if self.job is None:
            super().reject()
        else:
            self.job.stop()
            self.close_button.setText("Cancelling")

    def leave(self) -> None:
        """Let go of the map, which is shown no longer: close once nothing is being written."""
        self._left = True
        self.patches.release()
        self.target.release()
        if self.job is None:
            super().reject()
        else:
            self._refresh()

    def stop_at_once(self) -> None:
        """End what is being written; nothing of it is left, nor told."""
        if self.job is not None:
            self.job.close()
            self.job = None

    def _on_placing(self, what: str, done: int, total: int) -> None:
        self.bar.count(done, total, f"{what}: {done:,} of {total:,}")

    def _on_written(self, written: Written) -> None:
        self.written = written
        remember_folder(written.path.parent)
        notice = f". {capital(written.notice)}" if written.notice else ""
        self._end(f"Wrote {written.path.name}: {written.amount}{notice}")
        self.message.setToolTip(str(written.path))
        self.folder_button.setFocus()

    def _on_failed(self, reason: str) -> None:
        self._end(reason)

    def _on_cancelled(self) -> None:
        self._end("Cancelled: nothing was written")

    def _end(self, text: str) -> None:
        self.job = None
        # What was written is there now.
        self.target.look()
        self._say(text)

    def _say(self, text: str) -> None:
        self.message.setText(f"{capital(text).removesuffix('.')}.")
        self.message.setToolTip("")
        self._refresh()

    def _open_folder(self) -> None:
        assert self.written is not None
        path = self.written.path
        self.open_folder(path if path.is_dir() else path.parent)

    def _release(self) -> None:
        self.patches.release()
        self.target.release()


def _show_folder(folder: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
