"""What becomes of a training run when its window is closed: asked, and waited for in sight."""

from __future__ import annotations

from time import monotonic
from typing import Any, Literal

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.events import Embedding, Event, Progress, readable_time
from napari_tsimcne.gui._bar import Bar
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.jobs._job import Job

AtClose = Literal["go on", "stop", "cancel"]
WIDTH = 420


def ask_at_close(window: QWidget) -> AtClose:
    """Ask whether training goes on, stops, or the window is not closed."""
    box = QMessageBox(window)
    box.setWindowTitle("t-SimCNE")
    box.setText("A map is still being learnt. Quit napari?")
    box.setInformativeText(
        "In the background, training continues without napari; t-SimCNE offers the run the next "
        "time it is opened.\nTo stop, the map of what was learnt so far is made first, which takes "
        "minutes where there are many patches; it is shown, and can be left to the background."
    )
    role = QMessageBox.ButtonRole
    go_on = box.addButton("Quit, and continue in the background", role.AcceptRole)
    stop = box.addButton("Stop, and keep the map so far", role.DestructiveRole)
    box.addButton("Do not quit", role.RejectRole)
    box.exec()
    if box.clickedButton() is go_on:
        return "go on"
    return "stop" if box.clickedButton() is stop else "cancel"


class Stopping(QDialog):
    """Shows how the map of a stopped training run is made, and closes once it is there.

    Accepted: the map is there, or is finished in the background; rejected: napari stays open.

    Parameters
    ----------
    parent
        Over which it stands.
    job
        That was asked to stop.
    """

    def __init__(self, parent: QWidget, job: Job) -> None:
        super().__init__(parent)
        self.setWindowTitle("t-SimCNE")
        self.setMinimumWidth(WIDTH)
        self._begun = monotonic()
        self._doing = "Stopping after this step"
        self.text, self.bar = Wrapped(lines=3), Bar(says=True)
        self.bar.wait()
        self.buttons = QDialogButtonBox()
        role = QDialogButtonBox.ButtonRole
        self.quit_now = self.buttons.addButton("Quit now", role.AcceptRole)
        self.quit_now.setToolTip(
            "Do not wait: the map is finished in the background, and is in the run's folder then."
        )
        self.stay = self.buttons.addButton("Do not quit", role.RejectRole)
        self.stay.setToolTip("Training stops all the same, and its map is shown here.")
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for widget in (self.text, self.bar, self.buttons):
            layout.addWidget(widget)
        job.told.connect(self._on_event)
        for ended in (job.finished, job.failed, job.cancelled):
            ended.connect(self._on_ended)
        self._clock = QTimer(self)
        self._clock.timeout.connect(self._show)
        self._clock.start(500)
        self._show()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Embedding):
            self._doing = "Drawing the map of all patches"
            self.bar.advance(event.fraction)
        elif isinstance(event, Progress):
            at = f"epoch {event.epoch} of {event.epochs}"
            self._doing = f"Making the map, stage {event.stage}: {at}"
            done = (event.epoch - 1 + event.step / max(event.steps, 1)) / max(event.epochs, 1)
            self.bar.advance(done)
        self._show()

    def _show(self) -> None:
        waited = readable_time(monotonic() - self._begun)
        self.text.setText(
            f"The map of what was learnt so far is being made; then napari quits.\n"
            f"{self._doing} ({waited})."
        )

    def _on_ended(self, *_: Any) -> None:
        self.accept()
