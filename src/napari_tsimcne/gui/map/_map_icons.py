"""Buttons of the map with drawn icons, in the colour of the theme's text."""

from __future__ import annotations

from qtpy.QtCore import QByteArray, QEvent, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from qtpy.QtSvg import QSvgRenderer
from qtpy.QtWidgets import QPushButton

BUTTON = 26
ICON = 18
DRAWN = 72
"""Pixels that an icon is drawn with, enough for screens of high density."""

FAINT = 90
"""Alpha of 255 of what cannot be pressed."""

_SHAPES = {
    "pan": '<path d="M12 3v18M3 12h18M9 6l3-3 3 3M9 18l3 3 3-3M6 9l-3 3 3 3M18 9l3 3-3 3"/>',
    "lasso": '<path d="M8 15.6C5 14.6 3 12.4 3 10c0-3.6 4-6.5 9-6.5s9 2.9 9 6.5-4 6.5-9 6.5'
    'c-1 0-2-.1-2.8-.3"/><circle cx="8" cy="17" r="2"/><path d="M8.5 19c0 1.5-1 2.5-2.5 2.5"/>',
    "rectangle": '<path stroke-dasharray="3.2 2.6" d="M4 5h16v14H4z"/>',
    "click": '<path d="M6 3l13 9-5.8 1.2L16.5 20l-2.7 1.3-3.3-6.8L6 18z"/>',
    "undo": '<path d="M9 14L4 9l5-5M4 9h10.5a5.5 5.5 0 0 1 0 11H11"/>',
    "redo": '<path d="M15 14l5-5-5-5M20 9H9.5a5.5 5.5 0 0 0 0 11H13"/>',
    "fit": '<path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/><circle cx="12" cy="12" r="2.5"/>',
    "pictures": '<path d="M3 4.5h18v15H3z"/><circle cx="8.5" cy="9.5" r="1.7"/>'
    '<path d="M3.5 18l5.5-5 3.5 3 3.5-4.5 5 5.5"/>',
    "image_lasso": '<path d="M3 4.5h18v15H3z"/>'
    '<ellipse stroke-dasharray="2.6 2" cx="12" cy="12" rx="5.5" ry="4"/>',
    "copy": '<path d="M9 9h11.5v11.5H9zM5 15H3.5V3.5H15V5"/>',
    "pop_out": '<path d="M14 4h6v6M20 4l-9 9M18 14v6H4V6h6"/>',
    "bring_back": '<path d="M11 7v6h6M11 13l9-9M18 14v6H4V6h4"/>',
    "legend": '<path d="M4 6h3M4 12h3M4 18h3M11 6h9M11 12h9M11 18h9"/>',
}


class IconButton(QPushButton):
    """A square button with one of the map's icons, which never takes the keyboard."""

    def __init__(self, icon: str, tip: str, checkable: bool = False) -> None:
        super().__init__()
        self._shape = icon
        self.setToolTip(tip)
        self.setAccessibleName(tip.splitlines()[0])
        self.setCheckable(checkable)
        self.setFixedSize(BUTTON, BUTTON)
        self.setIconSize(QSize(ICON, ICON))
        # Keys go on acting on the map.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._color = QColor()
        self._draw()

    def show_icon(self, icon: str) -> None:
        """Show another icon."""
        self._shape, self._color = icon, QColor()
        self._draw()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self._draw()

    def _draw(self) -> None:
        color = self.palette().color(QPalette.ColorGroup.Active, QPalette.ColorRole.ButtonText)
        if color == self._color:
            return
        self._color = color
        icon = QIcon(_drawn(self._shape, color))
        faint = QColor(color)
        faint.setAlpha(FAINT)
        icon.addPixmap(_drawn(self._shape, faint), QIcon.Mode.Disabled)
        self.setIcon(icon)


def _drawn(shape: str, color: QColor) -> QPixmap:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" '
        f'stroke="{color.name()}" stroke-width="1.9" stroke-linecap="round" '
        f'stroke-linejoin="round">{_SHAPES[shape]}</svg>'
    )
    pixmap = QPixmap(DRAWN, DRAWN)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setOpacity(color.alphaF())
    QSvgRenderer(QByteArray(svg.encode())).render(painter)
    painter.end()
    return pixmap
