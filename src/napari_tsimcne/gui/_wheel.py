"""The wheel scrolls: it changes a box or a slider only while that has the focus."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QScrollBar,
    QTabBar,
    QWidget,
)

VALUES = (QComboBox, QAbstractSpinBox, QAbstractSlider, QTabBar)
"""Widgets whose value the wheel changes, in Qt's own hands also without the focus."""


def keep_wheel(root: QWidget) -> None:
    """Let the wheel scroll over what a widget holds, now and later, dialogs over it included.

    A box, a slider or a bar of tabs that has the focus is changed by the wheel, as everywhere.
    """
    guard = root.findChild(_WheelGuard, "", Qt.FindChildOption.FindDirectChildrenOnly)
    (guard or _WheelGuard(root)).take(root)


class _WheelGuard(QObject):
    """Filters the events of a widget and of all inside it, also of those that come later."""

    def take(self, widget: QWidget) -> None:
        for one in (widget, *widget.findChildren(QWidget)):
            # Once each: what is installed again is called first, not twice.
            one.installEventFilter(self)
            # The wheel must not give the focus, which would let its next notch change the value.
            if _has_value(one) and one.focusPolicy() == Qt.FocusPolicy.WheelFocus:
                one.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def eventFilter(self, watched: Any, event: QEvent) -> bool:  # noqa: N802
        kind = event.type()
        if kind == QEvent.Type.Wheel and _has_value(watched) and not _in_use(watched):
            # What is ignored goes on to the parent, and so to whatever scrolls.
            event.ignore()
            return True
        if kind == QEvent.Type.ChildPolished and isinstance(event.child(), QWidget):
            self.take(event.child())
        return False


def _has_value(widget: Any) -> bool:
    return isinstance(widget, VALUES) and not isinstance(widget, QScrollBar)


def _in_use(widget: QWidget) -> bool:
    """Whether the keyboard acts on a widget, or on a part of it as the text of a box."""
    focus = widget.window().focusWidget()
    return widget.isActiveWindow() and focus is not None and (
        focus is widget or widget.isAncestorOf(focus)
    )  # fmt: skip
