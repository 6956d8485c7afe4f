"""Train, pause, stop, and how far a training is."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.events import (
    Embedding,
    EpochEnded,
    Event,
    Noted,
    Paused,
    Prepared,
    Preparing,
    Progress,
    Resumed,
    RolledBack,
    readable_time,
)
from napari_tsimcne.gui._bar import Bar
from napari_tsimcne.gui._sentences import capital
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.steps._loss_curve import LossCurve


class TrainingPanel(QWidget):
    """Buttons and progress of one training at a time.

    ``train_wanted``, ``pause_wanted``, ``resume_wanted`` and ``stop_wanted`` are emitted by the
    buttons; what is done about it is told by `show_event`, `begin` and `end`.
    """

    train_wanted = Signal()
    pause_wanted = Signal()
    resume_wanted = Signal()
    stop_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._busy = self._training = self._paused = self._stopping = False
        self._can_train = self._can_resume = False
        self._build()
        self._refresh()

    def _build(self) -> None:
        self.train_button = QPushButton("Train")
        self.train_button.setToolTip("Cut the patches and learn their map.")
        self.train_button.clicked.connect(self.train_wanted)
        self.pause_button = QPushButton("Pause")
        self.pause_button.clicked.connect(self._on_pause)
        self.stop_button = QPushButton("Stop")
        self.stop_button.setToolTip("Stop now; of a training the map of what was learnt is kept.")
        self.stop_button.clicked.connect(self.stop_wanted)
        buttons = QHBoxLayout()
        for button in (self.train_button, self.pause_button, self.stop_button):
            buttons.addWidget(button)
        self.stage_label = Wrapped(lines=2)
        self.stage_bar = Bar(says=True)
        self.whole_label = Wrapped(lines=2)
        self.bar = Bar(says=True)
        self.status = Wrapped()
        for label in (self.stage_label, self.whole_label):
            label.setAlignment(Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeft)
        self.curve = LossCurve()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(buttons)
        for widget in (
            self.stage_label, self.stage_bar, self.whole_label, self.bar, self.status, self.curve
        ):  # fmt: skip
            layout.addWidget(widget)
        # What room there is beyond comes last: it moves nothing as lines come and go.
        layout.addStretch(1)

    # --- what is going on ---------------------------------------------------------------------

    def allow(self, train: bool, resume: bool) -> None:
        """Let a training begin, or one that was cut off go on, once nothing else is done."""
        self._can_train, self._can_resume = train, resume
        self._refresh()

    def begin(self, text: str) -> None:
        """Show that patches are being cut, or a training is being started."""
        self._busy, self._training = True, False
        self._paused = self._stopping = False
        self.stage_bar.advance(0)
        self.whole_label.setText("")
        self.stage_label.setText("")
        self.bar.wait()
        self.curve.clear()
        self.tell(text)

    def show_cutting(self, what: str, done: int, total: int) -> None:
        """Show how many patches are placed or cut."""
        self.bar.advance(done / max(total, 1))
        self.whole_label.setText(f"{what}: {done:,} of {total:,}")

    def show_training(self) -> None:
        """Show that the child trains, and can be paused."""
        self._training = True
        self.bar.wait()
        self.whole_label.setText("Starting")
        self.tell("")

    def show_event(self, event: Event) -> None:
        """Show what a training tells."""
        if isinstance(event, Preparing):
            self.whole_label.setText(capital(event.text))
        elif isinstance(event, Prepared):
            self._training = True
            self._refresh()
            self.whole_label.setText(f"Training on {event.device}")
        elif isinstance(event, Progress):
            self._show_progress(event)
        elif isinstance(event, EpochEnded):
            self.curve.add(event.stage, event.loss)
        elif isinstance(event, Paused):
            self._paused = True
            self.tell("Paused. Resume goes on; Stop makes the map of what was learnt.")
        elif isinstance(event, Resumed):
            self._paused = False
            self.tell("")
        elif isinstance(event, RolledBack):
            self.tell(f"{event.reason}: back to the last checkpoint, with a lower learning rate")
        elif isinstance(event, Noted):
            self.tell(event.text)
        elif isinstance(event, Embedding):
            self._show_embedding(event)

    def show_stopping(self) -> None:
        """Show that what is done is about to end."""
        self._stopping = True
        self.tell(
            "Stopping: the map of what was learnt is being made" if self._training else "Stopping"
        )

    def end(self, text: str) -> None:
        """Show that nothing is done any more, and what came of it."""
        self._busy = self._training = self._paused = self._stopping = False
        self.tell(text)

    def tell(self, text: str) -> None:
        """Say something below the bars."""
        self.status.setText(text)
        self._refresh()

    def _show_progress(self, event: Progress) -> None:
        done = (event.epoch - 1 + event.step / max(event.steps, 1)) / max(event.epochs, 1)
        self.stage_label.setText(
            f"Stage {event.stage_number} of {event.stages}, {event.stage}: "
            f"epoch {event.epoch} of {event.epochs}"
        )
        self.stage_bar.advance(done)
        self.bar.advance(event.fraction)
        if event.seconds_left is None:
            self.whole_label.setText("Whole training: measuring how long it takes")
        else:
            left = readable_time(event.seconds_left)
            pace = f"{event.images_per_second:,.0f} images/s"
            self.whole_label.setText(f"Whole training: {left} left, {pace}")

    def _show_embedding(self, event: Embedding) -> None:
        what = f"the images of {event.addition}" if event.addition else "all patches"
        self.stage_label.setText(f"Putting {what} onto the map")
        self.stage_bar.advance(event.fraction)
        if event.whole is not None:
            self.bar.advance(event.whole)
        if event.seconds_left is not None:
            self.whole_label.setText(f"Whole training: {readable_time(event.seconds_left)} left")

    def _on_pause(self) -> None:
        if self._training and not self._paused:
            self.pause_button.setEnabled(False)
            self.status.setText("Pausing")
            self.pause_wanted.emit()
        else:
            self.resume_wanted.emit()

    def _refresh(self) -> None:
        resume = self._paused or (not self._busy and self._can_resume)
        self.train_button.setEnabled(not self._busy and self._can_train)
        self.pause_button.setText("Resume" if resume else "Pause")
        self.pause_button.setToolTip(
            "Go on where the training was." if resume
            else "Hold the training; nothing is lost, and the processor is free."
        )  # fmt: skip
        self.pause_button.setEnabled((self._training or resume) and not self._stopping)
        self.stop_button.setEnabled(self._busy and not self._stopping)
        # All at once: lines that come one by one push what is below them.
        for widget in (self.whole_label, self.bar, self.stage_label, self.stage_bar):
            widget.setVisible(self._busy)
        self.status.setVisible(bool(self.status.text()))
        self.curve.setVisible(self._busy or bool(self.curve.stages))
