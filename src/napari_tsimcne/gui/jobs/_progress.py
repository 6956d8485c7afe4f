"""How far work is, and a button that cancels it."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_tsimcne.gui._bar import Bar
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.jobs._job import Job


class Progress(QWidget):
    """Follows one job at a time, and is seen only meanwhile.

    ``ended`` is emitted once it has finished, failed, or was cancelled.
    """

    ended = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.job: Job | None = None
        self.text = Wrapped()
        self.bar = Bar()
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop, and leave all as it was.")
        self.cancel_button.clicked.connect(self.cancel)
        row = QHBoxLayout()
        row.addWidget(self.bar, stretch=1)
        row.addWidget(self.cancel_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        layout.addLayout(row)
        self.hide()

    def follow(self, job: Job, text: str) -> None:
        """Start a job, of which ``text`` says what it does."""
        self.job = job
        job.placing.connect(self._show)
        job.finished.connect(self._on_ended)
        job.failed.connect(self._on_ended)
        job.cancelled.connect(self._on_ended)
        # It is followed no longer than this widget is there, however the window is closed.
        self.destroyed.connect(job.close)
        self.cancel_button.setEnabled(True)
        self._show(text, 0, 0)
        self.show()
        job.start()

    def cancel(self) -> None:
        """Stop the job; it ends a moment later."""
        if self.job is not None:
            self.cancel_button.setEnabled(False)
            self.text.setText("Stopping")
            self.job.stop()

    def close_job(self) -> None:
        """End the job at once; it tells nothing any more."""
        if self.job is not None:
            self.job.close()
            self._end()

    def _show(self, what: str, done: int, total: int) -> None:
        if self.job is None or not self.cancel_button.isEnabled():
            return
        self.bar.count(done, total)
        self.text.setText(f"{what}: {done:,} of {total:,}" if total else what)

    # Signals of a job come from its thread: a method brings them into that of the window.

    def _on_ended(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        self.job = None
        self.hide()
        self.ended.emit()
