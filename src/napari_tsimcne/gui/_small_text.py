"""Text that is smaller than what it belongs to."""

from __future__ import annotations

from qtpy.QtGui import QFont

SMALLER = 0.87
"""Size of such text, relative to that of the other."""


def smaller(font: QFont) -> QFont:
    """Return a font as it is, but smaller."""
    font = QFont(font)
    if font.pixelSize() > 0:
        font.setPixelSize(max(8, round(font.pixelSize() * SMALLER)))
    else:
        font.setPointSizeF(font.pointSizeF() * SMALLER)
    return font
