"""What is drawn over the points of the map: pictures, the outline being drawn, rings as marks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

# On a dark ground, and on a light one.
OUTLINE_COLORS = {True: "#ffd24a", False: "#a35a00"}
MARK_COLORS = {True: "#ffffff", False: "#000000"}
INSIDE = 30
"""Alpha of 255 of what an outline encloses."""

LINE = 2
MARK = 11
"""Radius of a ring, in pixels."""


class MapOverlay:
    """Holds what is drawn, in units of the map (y, x), and draws it on a widget over the canvas.

    As no layers of the canvas: changes of it do not draw the points anew.
    """

    def __init__(self) -> None:
        self.outline = np.zeros((0, 2))
        self.marks = np.zeros((0, 2))
        self._image: QImage | None = None
        self._corner, self._pixel = np.zeros(2), 1.0
        self._widget: QWidget | None = None

    def show_on(self, widget: QWidget | None) -> None:
        """Draw on this widget from now on, or on none."""
        self._widget = widget

    def update(self) -> None:
        """Draw anew, as after a move of the camera."""
        if self._widget is not None:
            self._widget.update()

    def draw_outline(self, outline: np.ndarray) -> None:
        """Show a closed outline (M, 2); an empty one is none."""
        self.outline = outline
        self.update()

    def draw_marks(self, marks: np.ndarray) -> None:
        """Show rings around positions (M, 2)."""
        self.marks = marks
        self.update()

    def draw_pictures(self, image: np.ndarray | None, corner: np.ndarray, pixel: float) -> None:
        """Show an RGBA image (rows, columns, 4) uint8, or none.

        Its upper left corner is at ``corner``, its pixels are ``pixel`` units wide.
        """
        self._image = None
        if image is not None:
            rows, columns = image.shape[:2]
            data = np.ascontiguousarray(image).tobytes()
            # Qt does not keep the data: the copy does.
            self._image = QImage(
                data, columns, rows, 4 * columns, QImage.Format.Format_RGBA8888
            ).copy()
        self._corner, self._pixel = corner, pixel
        self.update()

    def paint(self, painter: QPainter, low: np.ndarray, zoom: float, dark: bool) -> None:
        """Paint what is held, where ``low`` is the upper left corner of what is seen."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._image is not None:
            top, left = (self._corner - low) * zoom
            scale = self._pixel * zoom
            # Sharp while the zoom is that for which they were laid out.
            moved = abs(scale - 1) > 1e-6
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, moved)
            width, height = self._image.width() * scale, self._image.height() * scale
            if not moved:
                top, left = round(top), round(left)
            painter.drawImage(QRectF(left, top, width, height), self._image)
        if len(self.outline):
            color = QColor(OUTLINE_COLORS[dark])
            painter.setPen(QPen(color, LINE))
            color.setAlpha(INSIDE)
            painter.setBrush(color)
            painter.drawPolygon(QPolygonF(_pixels(self.outline, low, zoom)))
        painter.setPen(QPen(QColor(MARK_COLORS[dark]), LINE))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for place in _pixels(self.marks, low, zoom):
            painter.drawEllipse(place, MARK, MARK)


class OverlayWidget(QWidget):
    """Lies over the canvas; the mouse goes through it.

    Parameters
    ----------
    native
        The widget of the canvas.
    canvas
        Tells what is seen: ``visible_box``, ``zoom``, ``dark`` and ``overlay``.
    """

    def __init__(self, native: QWidget, canvas: Any) -> None:
        super().__init__(native)
        self._canvas = canvas
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        # napari's style sheet gives every widget a ground.
        self.setStyleSheet("background: transparent")
        self.setGeometry(native.rect())
        self.show()

    def paintEvent(self, event: Any) -> None:  # noqa: N802
        """Paint what lies over the points."""
        canvas = self._canvas
        painter = QPainter(self)
        canvas.overlay.paint(painter, canvas.visible_box[0], canvas.zoom, canvas.dark)
        painter.end()


def _pixels(positions: np.ndarray, low: np.ndarray, zoom: float) -> Sequence[QPointF]:
    return [QPointF(x, y) for y, x in ((positions - low) * zoom).tolist()]
