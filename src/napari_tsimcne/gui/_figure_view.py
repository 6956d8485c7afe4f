"""Figures in a panel: drawn in another thread, as wide as there is room."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from qtpy.QtCore import QRect, QSize, QTimer, Signal
from qtpy.QtGui import QImage, QPainter, QPalette
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_tsimcne.gui._figure_theme import in_theme
from napari_tsimcne.gui.jobs._newest import Newest

DPI = 84
"""Of the screen: fonts of figures are then as large as those around them."""

WAIT_MS = 150
"""After a change of width."""

GAP = 6
NARROWEST = 100
FAINT = 0.5
LARGEST = 1.4
"""By which a figure is enlarged at most, where there is more room than it needs."""


class Drawing(NamedTuple):
    """A figure; where it ``scales``, its height follows its width."""

    figure: Figure
    scales: bool


class FigureView(QWidget):
    """Shows figures, one below the other, in the colours of the theme.

    Their layout takes matplotlib long, so that the window would not answer meanwhile: it is done
    in another thread. ``failed`` carries a sentence, ``drawn`` nothing.
    """

    failed = Signal(str)
    drawn = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._drawings: tuple[Drawing, ...] = ()
        self._sizes: list[tuple[float, float]] = []
        self._images: list[QImage] = []
        self._newest = Newest(self)
        self._newest.failed.connect(self.failed)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(WAIT_MS)
        self._pause.timeout.connect(self._draw)
        self._drawn_for, self._drawn_in = 0, ""
        self._outdated, self._replaced = False, False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def busy(self) -> bool:
        """Whether something is still to be drawn."""
        return self._newest.busy or self._pause.isActive()

    def show_drawings(self, drawings: Sequence[Drawing]) -> None:
        """Show these once they are drawn, in place of those before, which are faint meanwhile."""
        self._drawings = tuple(drawings)
        self._replaced = True
        # What they were made for, whichever size they are drawn in.
        self._sizes = [tuple(drawing.figure.get_size_inches()) for drawing in drawings]
        self._draw()
        self.update()

    @property
    def outdated(self) -> bool:
        """Whether what is seen, faintly, is to be replaced."""
        return self._outdated or self._replaced

    @property
    def filled(self) -> bool:
        """Whether there are figures."""
        return bool(self._images)

    def set_outdated(self, outdated: bool) -> None:
        """Show what is there faintly, while others are being computed."""
        self._outdated = outdated
        self.update()

    def release(self) -> None:
        """Draw nothing any more."""
        self._pause.stop()
        self._newest.cancel()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Leave room for all figures."""
        heights = [self._height(image) for image in self._images]
        return QSize(200, sum(heights) + GAP * max(len(heights) - 1, 0))

    def resizeEvent(self, event: Any) -> None:  # noqa: N802
        """Draw for another width."""
        super().resizeEvent(event)
        if self._drawings and self.width() != self._drawn_for:
            self._pause.start()

    def changeEvent(self, event: Any) -> None:  # noqa: N802
        """Draw in the colours of another theme."""
        super().changeEvent(event)
        ink = self.palette().color(QPalette.ColorRole.WindowText).name()
        if self._drawings and ink != self._drawn_in:
            self._pause.start()

    def paintEvent(self, event: Any) -> None:  # noqa: N802
        """Show what is drawn, at the width that there is by now."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setOpacity(FAINT if self.outdated else 1)
        top = 0
        for image in self._images:
            height = self._height(image)
            painter.drawImage(QRect(0, top, self.width(), height), image)
            top += height + GAP

    def _height(self, image: QImage) -> int:
        return round(image.height() * self.width() / max(image.width(), 1))

    def _draw(self) -> None:
        self._drawn_for = self.width()
        ink = self.palette().color(QPalette.ColorRole.WindowText).name()
        self._drawn_in = ink
        work = partial(
            _draw_all, self._drawings, self._sizes, self.width(), self.devicePixelRatioF(), ink
        )
        self._newest.ask(work, self._on_drawn)

    def _on_drawn(self, images: list[QImage]) -> None:
        self._images, self._replaced = images, False
        self.updateGeometry()
        self.setFixedHeight(self.sizeHint().height())
        self.update()
        self.drawn.emit()


def _draw_all(
    drawings: Sequence[Drawing],
    sizes: Sequence[tuple[float, float]],
    width: int,
    ratio: float,
    ink: str,
) -> list[QImage]:
    """Draw figures as wide as so many pixels of the window, of which each is ``ratio`` real.

    ``ink``: of letters and lines, ``#rrggbb``.
    """
    return [
        _draw_one(drawing, size, max(width, NARROWEST), ratio, ink)
        for drawing, size in zip(drawings, sizes, strict=True)
    ]


def _draw_one(
    drawing: Drawing, natural_size: tuple[float, float], width: int, ratio: float, ink: str
) -> QImage:
    figure, (natural_width, height) = drawing.figure, natural_size
    if drawing.scales:
        height *= min(width / DPI / natural_width, LARGEST)
    figure.set_size_inches(width / DPI, height)
    figure.set_dpi(DPI * ratio)
    in_theme(figure, ink)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.ascontiguousarray(canvas.buffer_rgba())
    rows, columns = pixels.shape[:2]
    return QImage(pixels.data, columns, rows, 4 * columns, QImage.Format.Format_RGBA8888).copy()
