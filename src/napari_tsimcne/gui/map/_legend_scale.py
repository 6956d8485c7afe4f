"""The scale of a legend: a colour bar with the numbers at its ends."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QPointF, QRect, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPalette
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_tsimcne.explore import MISSING_COLOR

BAR = 12
GAP = 4
SWATCH = 11
LEAST_WITH_MIDDLE = 200
"""In pixels: height of the bar, space between things, side of a swatch; width from which there is
room for a number in the middle."""

MOST_DIGITS = 12

WIDTH = 220
"""As classes have."""


class ScaleBar(QWidget):
    """Shows the colours of a scale, its limits, and how many numbers are missing."""

    def __init__(self) -> None:
        super().__init__()
        self._image = QImage()
        self._limits, self._missing = (0.0, 1.0), 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_scale(self, steps: np.ndarray, limits: tuple[float, float], missing: int) -> None:
        """Show colours, (n, 4) RGBA in 0..1, between two numbers."""
        colors = np.ascontiguousarray(steps * 255 + 0.5, np.uint8)
        count = len(colors)
        # A copy, as an image does not keep what it is made of.
        self._image = QImage(colors.data, count, 1, 4 * count, QImage.Format.Format_RGBA8888).copy()
        self._limits, self._missing = limits, missing
        low, high = self.labels()[0], self.labels()[-1]
        self.setToolTip(
            f"From {low} to {high}: the 1st and 99th percentile; of differences, the one that is\n"
            "further from 0, on both sides.\n"
            "What lies beyond has the colour of that end; what is missing is grey."
        )
        self.updateGeometry()
        self.update()

    def labels(self) -> list[str]:
        """Return the numbers at the low end, in the middle and at the high end, as texts."""
        low, high = self._limits
        numbers = (low, low / 2 + high / 2, high)
        for digits in range(3, MOST_DIGITS):
            texts = [_text(number, digits) for number in numbers]
            if len(set(texts)) == len(texts):
                return texts
        return [_text(low, MOST_DIGITS), _text(high, MOST_DIGITS)]

    def sizeHint(self) -> QSize:  # noqa: N802
        """Leave room for the bar, its numbers, and what is missing."""
        lines = 2 if self._missing else 1
        return QSize(WIDTH, BAR + GAP + lines * (self.fontMetrics().height() + 2))

    def paintEvent(self, event: Any) -> None:  # noqa: N802
        """Draw."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        width, height = self.width() - 2 * GAP, self.fontMetrics().height() + 2
        painter.drawImage(QRectF(GAP, 0, width, BAR), self._image)
        text = self.palette().color(QPalette.ColorRole.WindowText)
        painter.setPen(text)
        line = QRect(GAP, BAR + GAP, width, height)
        labels, aligned = self.labels(), Qt.AlignmentFlag
        painter.drawText(line, aligned.AlignLeft, labels[0])
        painter.drawText(line, aligned.AlignRight, labels[-1])
        if len(labels) == 3 and (width >= LEAST_WITH_MIDDLE or labels[1] == "0"):
            painter.drawText(line, aligned.AlignHCenter, labels[1])
        if self._missing:
            line = line.translated(0, height)
            top = line.top() + (height - SWATCH) / 2
            painter.fillRect(
                QRectF(QPointF(GAP, top), QPointF(GAP + SWATCH, top + SWATCH)),
                QColor(MISSING_COLOR),
            )
            line.setLeft(GAP + SWATCH + 6)
            painter.drawText(line, aligned.AlignLeft, "none")
            painter.drawText(line, aligned.AlignRight, f"{self._missing:,}")


def _text(number: float, digits: int) -> str:
    """Write a number with so many digits that count, thousands set apart."""
    text = f"{number:.{digits}g}"
    if "e" in text and abs(number) < 10**MOST_DIGITS and abs(number) >= 1:
        return f"{number:,.0f}"
    return text
