"""How long a training takes on this machine, in words, measured once nothing changes any more."""

from __future__ import annotations

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_tsimcne.advice import (
    Answer,
    DevicesAsked,
    DevicesFound,
    EstimateAsked,
    Estimated,
)
from napari_tsimcne.gui._sentences import capital
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.jobs._advisor import Advisor
from napari_tsimcne.recipe import PRESETS

QUIET_MS = 700
"""Time without a change after which is measured."""

COMPARED = {"quick": "thorough", "thorough": "quick"}
"""Presets whose steps are the same: one measurement tells of both."""


class TrainingTime(QWidget):
    """The estimate of one training; says so where its batch does not fit, and offers one that does.

    ``devices_found`` carries the devices of this machine, asked for along with an estimate;
    ``batch_wanted`` the batch size that the user takes instead.

    Parameters
    ----------
    advisor
        Measures, and tells of devices.
    """

    devices_found = Signal(tuple)
    batch_wanted = Signal(int)

    def __init__(self, advisor: Advisor) -> None:
        super().__init__()
        self._advisor = advisor
        self._wanted: EstimateAsked | None = None
        self._known: dict[EstimateAsked, Estimated] = {}
        self._released = False
        self._fitting = 0
        self._build()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(QUIET_MS)
        self._soon.timeout.connect(self._ask)

    def release(self) -> None:
        """Ask for nothing any more, and hear no answer."""
        self._released = True
        self._soon.stop()

    def _build(self) -> None:
        self.text, self.too_large = Wrapped(lines=2), Wrapped()
        self.use_fitting = QPushButton()
        self.use_fitting.clicked.connect(lambda: self.batch_wanted.emit(self._fitting))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for label in (self.text, self.too_large):
            layout.addWidget(label)
        layout.addWidget(self.use_fitting)
        self._show_fitting(None)

    # --- asking -------------------------------------------------------------------------------

    def tell(self, text: str) -> None:
        """Say why there is no estimate."""
        self._wanted = None
        self._soon.stop()
        self._show_text(text)

    @property
    def known(self) -> bool:
        """Whether what is wanted was measured."""
        return self._wanted in self._known

    def follow(self, wanted: EstimateAsked) -> None:
        """Measure this, unless it is known or being measured already."""
        # The seed does not matter for time.
        recipe = wanted.recipe.model_copy(update={"seed": 0})
        wanted = wanted.model_copy(update={"recipe": recipe})
        if wanted == self._wanted:
            return
        self._wanted = wanted
        self._soon.stop()
        if wanted in self._known:
            self._show(wanted)
        else:
            self._show_text("Measuring how long it takes here...")
            self._soon.start()

    def _ask(self) -> None:
        if self._wanted is not None:
            self._advisor.ask(DevicesAsked(), self._take_devices, lambda reason: None)
            self._ask_about(self._wanted)

    def _ask_about(self, asked: EstimateAsked) -> None:
        """Ask about what is wanted, or about what it is compared with."""
        wanted = self._wanted

        def take(answer: Answer) -> None:
            if self._released or not isinstance(answer, Estimated):
                return
            self._known[asked] = answer
            if wanted is not None and wanted == self._wanted:
                self._show(wanted)

        def refused(reason: str) -> None:
            if not self._released and asked == self._wanted:
                self._show_text(f"{capital(reason)}.")

        self._advisor.ask(asked, take, refused)

    def _take_devices(self, answer: Answer) -> None:
        if not self._released and isinstance(answer, DevicesFound):
            self.devices_found.emit(answer.devices)

    # --- what is shown ------------------------------------------------------------------------

    def _show_text(self, text: str) -> None:
        self.text.setText(text)
        self.text.setToolTip("")
        self._show_fitting(None)

    def _show(self, wanted: EstimateAsked) -> None:
        answer = self._known[wanted]
        parts = ", ".join(f"{name} {rough(s)}" for name, s in answer.parts.items())
        text = f"About {rough(answer.seconds)} here ({answer.device})."
        compared = _compared(wanted)
        if compared in self._known:
            text += f"\n{capital(compared.recipe.preset)}: "
            text += f"about {rough(self._known[compared].seconds)}."
        elif compared is not None:
            self._ask_about(compared)
        self.text.setText(text)
        self.text.setToolTip(
            f"{capital(parts)}.\n"
            f"Measured by a few steps: {answer.images_per_second:,.0f} images a second.\n"
            "Other programs at work make it slower."
        )
        fits = answer.fitting_batch
        self._show_fitting(fits if fits < wanted.recipe.batch_size else None)
        self.too_large.setText(
            f"Memory does not hold batches of {wanted.recipe.batch_size:,} images; {fits:,} fit."
        )

    def _show_fitting(self, batch: int | None) -> None:
        """Offer a batch that fits; None: nothing is known against the one there is."""
        self.too_large.setVisible(batch is not None)
        self.use_fitting.setVisible(batch is not None)
        if batch is not None:
            self._fitting = batch
            self.use_fitting.setText(f"Use {batch:,}")
            self.use_fitting.setToolTip(f"Train with batches of {batch:,} images.")


def _compared(wanted: EstimateAsked) -> EstimateAsked | None:
    """Return the same with the preset that takes the same steps, fewer or more of them."""
    recipe = wanted.recipe
    if recipe.preset not in COMPARED:
        return None
    other = PRESETS[COMPARED[recipe.preset]](
        recipe.patches, depth=recipe.depth, background=recipe.background, rgb=wanted.rgb,
        augmentations=recipe.augmentations, batch_size=recipe.batch_size,
    )  # fmt: skip
    return wanted.model_copy(update={"recipe": other})


def rough(seconds: float) -> str:
    """Return a duration as exact as an estimate is: ``40 s``, ``6 min``, ``2 h 10 min``."""
    if seconds < 57.5:
        return f"{max(5, round(seconds / 5) * 5)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    minutes = round(minutes / 10) * 10
    if minutes < 600:
        hours, rest = divmod(minutes, 60)
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    hours = round(seconds / 3600)
    return f"{hours} h" if hours < 48 else f"{round(hours / 24)} days"
