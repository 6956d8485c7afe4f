"""A patch of the user's own and eight views of it, redrawn as the choices change."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import QRect, Qt, QTimer
from qtpy.QtGui import QColor, QPainter, QPalette, QPixmap
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.advice import Answer, ViewsAsked, ViewsMade
from napari_tsimcne.gui._sentences import capital
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.images._crops import pixmap
from napari_tsimcne.gui.jobs._advisor import Advisor
from napari_tsimcne.gui.steps._patch_sample import PatchSample
from napari_tsimcne.recipe import Augmentations

VIEWS = 8
COLUMNS = 3
"""Of the grid: the patch itself and eight views."""

REDRAWN_MS = 60
"""A time in which changes come together, as those of a slider that is dragged."""

SLOW_MS = 500
"""After so long it is said that views are being made."""

SIDES = (72, 128)
"""Least and greatest side of a picture, in pixels."""

SPACE = 4
FRAME = 2
FRAME_COLOR = "#ffb347"

NOTHING = "Once images and patches are chosen, views of your own patches are shown here."
STARTING = "Making views: the first time takes some seconds."
MAKING = "making views…"


class ViewsPreview(QWidget):
    """Views are asked for while this is seen.

    Parameters
    ----------
    advisor
        That makes views.
    """

    def __init__(self, advisor: Advisor) -> None:
        super().__init__()
        self._advisor = advisor
        self._augmentations = Augmentations()
        self._sample: PatchSample | None = None
        self._number = self._seed = 0
        self._soon = _timer(self, REDRAWN_MS, self._ask)
        self._slow = _timer(self, SLOW_MS, self._say_slow)
        self._build()
        self.show_patches(None)

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.bar = QWidget()
        bar = QHBoxLayout(self.bar)
        bar.setContentsMargins(0, 0, 0, 0)
        self.back, self.forward = QToolButton(), QToolButton()
        for button, arrow, step, tip in (
            (self.back, Qt.ArrowType.LeftArrow, -1, "The patch before."),
            (self.forward, Qt.ArrowType.RightArrow, 1, "The next patch."),
        ):
            button.setArrowType(arrow)
            button.setToolTip(tip)
            button.clicked.connect(partial(self._step, step))
        self.counter = QLabel()
        self.again = QPushButton("Draw again")
        self.again.setToolTip("Eight other views of this patch, drawn by the same choices.")
        self.again.clicked.connect(self._draw_again)
        for widget in (self.back, self.counter, self.forward):
            bar.addWidget(widget)
        bar.addStretch()
        bar.addWidget(self.again)
        self.grid = _Grid()
        self.message = Wrapped()
        for widget in (self.bar, self.grid, self.message):
            layout.addWidget(widget)

    def release(self) -> None:
        """Ask for nothing any more."""
        self._sample = None
        self._soon.stop()
        self._slow.stop()

    # --- what is shown ------------------------------------------------------------------------

    def show_patches(self, sample: PatchSample | None) -> None:
        """Show views of these patches from now on; None: a sentence that says what is missing."""
        self._sample, self._number = sample, 0
        self.grid.show_pictures([])
        self._refresh("" if sample is not None else NOTHING)
        self._soon.start()

    def show_augmentations(self, augmentations: Augmentations) -> None:
        """Show what these make of the patches."""
        if augmentations != self._augmentations:
            self._augmentations = augmentations
            self._soon.start()

    def showEvent(self, event: Any) -> None:  # noqa: N802
        """Ask for the views that were not asked for while nobody saw them."""
        super().showEvent(event)
        self._soon.start()

    def _step(self, step: int) -> None:
        if self._sample is not None:
            self._number = (self._number + step) % len(self._sample)
            self._refresh("")
            self._ask()

    def _draw_again(self) -> None:
        self._seed += 1
        self._ask()

    def _refresh(self, message: str) -> None:
        shown = self._sample is not None
        count = len(self._sample) if self._sample is not None else 0
        self.bar.setVisible(shown)
        self.back.setEnabled(count > 1)
        self.forward.setEnabled(count > 1)
        self.counter.setText(f"Patch {self._number + 1} of {count}")
        self.grid.setVisible(shown and not message)
        self.message.setText(message)
        self.message.setVisible(bool(message))

    # --- asking -------------------------------------------------------------------------------

    def _ask(self) -> None:
        self._soon.stop()
        sample, augmentations = self._sample, self._augmentations
        if sample is None or not self.isVisible():
            return
        question = ViewsAsked(
            patches=sample.patch(self._number, augmentations.margin(sample.size)),
            low=sample.low,
            high=sample.high,
            rgb=sample.rgb,
            size=sample.size,
            augmentations=augmentations,
            views=VIEWS,
            seed=self._seed,
        )
        self._slow.start()
        self._advisor.ask(question, partial(self._on_views, sample), self._on_failed)

    def _say_slow(self) -> None:
        self.grid.say(MAKING if self.grid.pictures else STARTING)

    def _on_views(self, sample: PatchSample, answer: Answer) -> None:
        self._slow.stop()
        if sample is self._sample and isinstance(answer, ViewsMade):
            values = _shrunk(answer.values[0], self.grid.picture_pixels)
            self.grid.show_pictures([pixmap(one) for one in sample.pictures(values)])
            self._refresh("")

    def _on_failed(self, reason: str) -> None:
        self._slow.stop()
        if self._sample is not None:
            self._refresh(f"{capital(f'views cannot be shown: {reason}')}.")


def _timer(parent: QWidget, milliseconds: int, over: Any) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(over)
    return timer


def _shrunk(views: np.ndarray, side: int) -> np.ndarray:
    """Means of blocks of views (n, C, S, S), so that they are not much larger than ``side``."""
    step = views.shape[-1] // side
    if step < 2:
        return views
    whole = views.shape[-1] // step * step
    blocks = views[..., :whole, :whole].reshape(*views.shape[:2], whole // step, step, -1, step)
    return np.rint(blocks.mean(axis=(3, 5))).astype(views.dtype)


class _Grid(QWidget):
    """Pictures in rows, the first framed as the original; as large as there is room."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[QPixmap] = []
        self._text = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(COLUMNS * SIDES[0] + (COLUMNS - 1) * SPACE)
        self.setAccessibleName("A patch and eight views of it")
        self._side = SIDES[0]

    @property
    def picture_pixels(self) -> int:
        """Side of a picture in pixels of the screen."""
        return round(self._side * self.devicePixelRatioF())

    def show_pictures(self, pictures: list[QPixmap]) -> None:
        """Show the original and its views."""
        self.pictures, self._text = pictures, ""
        self.update()

    def say(self, text: str) -> None:
        """Write a text over the pictures, or in their place, until others are shown."""
        self._text = text
        self.update()

    def resizeEvent(self, event: Any) -> None:  # noqa: N802
        """Make pictures as large as the width allows."""
        super().resizeEvent(event)
        side = (self.width() - (COLUMNS - 1) * SPACE) // COLUMNS
        # In steps: a scroll bar that comes and goes must not change the height.
        self._side = max(SIDES[0], min(side // 8 * 8, SIDES[1]))
        self.setFixedHeight(self._rect(VIEWS).bottom() + 1)

    def paintEvent(self, event: Any) -> None:  # noqa: N802
        """Draw pictures, frame and text."""
        painter = QPainter(self)
        for number in range(VIEWS + 1):
            self._paint_picture(painter, number)
        if self._text:
            if self.pictures:
                corner = QRect(0, 0, self._rect(COLUMNS - 1).right() + 1, self.height())
                _paint_tag(painter, corner, self._text, Qt.AlignmentFlag.AlignRight)
            else:
                painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
                flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
                painter.drawText(self.rect(), flags, self._text)

    def _paint_picture(self, painter: QPainter, number: int) -> None:
        rect = self._rect(number)
        if number >= len(self.pictures):
            ground = self.palette().color(QPalette.ColorRole.WindowText)
            ground.setAlpha(16)
            painter.fillRect(rect, ground)
            return
        picture = self.pictures[number]
        # Pixels of small patches stay what they are; those of large ones are averaged.
        grown = 2 * picture.width() <= self.picture_pixels
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not grown)
        painter.drawPixmap(rect, picture)
        if not number:
            color = QColor(FRAME_COLOR)
            for inset in range(FRAME):
                painter.setPen(color)
                painter.drawRect(rect.adjusted(inset, inset, -inset - 1, -inset - 1))
            _paint_tag(painter, rect, "original", Qt.AlignmentFlag.AlignLeft)

    def _rect(self, number: int) -> QRect:
        row, column = divmod(number, COLUMNS)
        step = self._side + SPACE
        return QRect(column * step, row * step, self._side, self._side)


def _paint_tag(painter: QPainter, within: QRect, text: str, side: Qt.AlignmentFlag) -> None:
    """Write a text into a lower corner, on a ground on which it can be read."""
    size = painter.fontMetrics().boundingRect(text).adjusted(-4, -1, 4, 1).size()
    rect = QRect(within.bottomLeft(), size)
    rect.moveBottom(within.bottom() - FRAME)
    if side == Qt.AlignmentFlag.AlignRight:
        rect.moveRight(within.right())
    else:
        rect.moveLeft(within.left() + FRAME)
    painter.fillRect(rect, QColor(0, 0, 0, 160))
    painter.setPen(QColor("white"))
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)
