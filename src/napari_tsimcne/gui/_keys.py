"""The keys of what is explored: 0 to 9 assign clusters, Ctrl+Z takes back, Escape lets go."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QWidget

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import Exploration, assign_by_number
from napari_tsimcne.gui._sentences import capital

UNDO, REDO = ("Ctrl+Z",), ("Ctrl+Shift+Z", "Ctrl+Y")
NAVIGATING = "pan_zoom"
"""The mode of a layer in which the mouse only moves the view."""

CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
KEYPAD = Qt.KeyboardModifier.KeypadModifier


class Keys(QObject):
    """Serves widgets, and the images, with the keys of one exploration; the one place of these.

    ``assigned`` carries what was assigned, undone or redone, ``refused`` why a key could not, each
    in a sentence.

    Parameters
    ----------
    exploration
        Whose selection is assigned.
    parent
        With which this ends.
    """

    assigned = Signal(str)
    refused = Signal(str)

    def __init__(self, exploration: Exploration, parent: QObject) -> None:
        super().__init__(parent)
        self._exploration = exploration
        self._shortcuts: dict[QWidget, list[QShortcut]] = {}
        self._canvases: list[QWidget] = []
        self._viewer: Any = None
        self._drawing: Callable[[], bool] = lambda: False

    def release(self) -> None:
        """Take the keys away."""
        for shortcuts in self._shortcuts.values():
            for shortcut in shortcuts:
                # A widget that is gone took its keys along.
                with suppress(RuntimeError):
                    shortcut.setParent(None)
        self._shortcuts.clear()
        for canvas in self._canvases:
            with suppress(RuntimeError):
                canvas.removeEventFilter(self)
        self._canvases.clear()

    # --- where they work ----------------------------------------------------------------------

    def serve(
        self,
        widget: QWidget,
        framed: Callable[[], np.ndarray] | None = None,
        escape: Callable[[], None] | None = None,
    ) -> None:
        """Let keys work while a widget, or one inside it, has the focus; once a widget.

        Text fields keep theirs. Digits assign what ``framed`` gives, (n,) numbers of patches, and
        where that is empty the selection. ``escape``: what Escape does, where it does anything.
        """
        if widget in self._shortcuts:
            return
        self._shortcuts[widget] = []
        history = self._exploration.history
        keys: list[tuple[str, Callable[[], object]]] = [
            *((str(n), self._digit(n, framed)) for n in range(10)),
            *((key, lambda: self._travel("Undone", history.past, history.undo)) for key in UNDO),
            *((key, lambda: self._travel("Redone", history.future, history.redo)) for key in REDO),
            *([("Escape", escape)] if escape else []),
        ]
        for key, do in keys:
            shortcut = QShortcut(QKeySequence(key), widget)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(do)
            self._shortcuts[widget].append(shortcut)
        # Without self, which may be gone before the widget.
        shortcuts_of = self._shortcuts
        widget.destroyed.connect(lambda: shortcuts_of.pop(widget, None))

    def serve_images(
        self, viewer: Any, canvases: list[QWidget], drawing: Callable[[], bool]
    ) -> None:
        """Let keys work while the images have the focus, where napari has no use for them.

        It has while a layer is painted or edited, while an outline is being drawn (``drawing``),
        and where nothing is selected.
        """
        self._viewer, self._drawing = viewer, drawing
        for canvas in canvases:
            canvas.installEventFilter(self)
            self._canvases.append(canvas)

    # --- what they do -------------------------------------------------------------------------

    def assign(self, number: int, rows: np.ndarray | None = None) -> None:
        """Put patches, or the selection, into the cluster of a number; see `assign_by_number`."""
        mask = self._exploration.selection.mask
        if rows is not None and len(rows):
            mask = np.zeros_like(mask)
            mask[rows] = True
        try:
            self.assigned.emit(assign_by_number(self._exploration, number, mask))
        except InputError as error:
            self.refused.emit(f"{capital(str(error))}.")

    def _digit(self, number: int, framed: Callable[[], np.ndarray] | None) -> Callable[[], None]:
        return lambda: self.assign(number, framed() if framed is not None else None)

    def _travel(self, how: str, what: str, go: Callable[[], None]) -> None:
        if what:
            go()
            self.assigned.emit(f"{how}: {what}")
        else:
            self.assigned.emit("Nothing to undo" if how == "Undone" else "Nothing to redo")

    # --- images -------------------------------------------------------------------------------

    def eventFilter(self, watched: Any, event: QEvent) -> bool:  # noqa: N802
        """Take the keys of a canvas of images before napari does."""
        kind = event.type()
        if kind not in (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress):
            return False
        do = self._of_images(event)
        if do is None:
            return False
        # What is accepted here comes again, as a key that no menu takes.
        event.accept()
        if kind == QEvent.Type.KeyPress:
            do()
        return True

    def _of_images(self, event: Any) -> Callable[[], object] | None:
        """Return what a key does while the images have the focus; None: it is napari's."""
        layer = self._viewer.layers.selection.active
        if self._drawing() or str(getattr(layer, "mode", NAVIGATING)) != NAVIGATING:
            return None
        key, modifiers = event.key(), event.modifiers() & ~KEYPAD
        history, selection = self._exploration.history, self._exploration.selection
        digit = key - Qt.Key.Key_0
        if modifiers == CONTROL and key == Qt.Key.Key_Z and not _painted(layer):
            return lambda: self._travel("Undone", history.past, history.undo)
        redo = (modifiers == CONTROL | SHIFT and key == Qt.Key.Key_Z) or (
            modifiers == CONTROL and key == Qt.Key.Key_Y
        )
        if redo and not _painted(layer):
            return lambda: self._travel("Redone", history.future, history.redo)
        if modifiers != Qt.KeyboardModifier.NoModifier or not len(selection):
            return None
        if 0 <= digit <= 9:
            return lambda: self.assign(digit)
        return selection.clear if key == Qt.Key.Key_Escape else None


def _painted(layer: Any) -> bool:
    """Whether napari itself has strokes on a layer to undo or redo."""
    # napari has no public name for them, and warns where its proxy for plugins is asked.
    layer = getattr(layer, "__wrapped__", layer)
    return bool(getattr(layer, "_undo_history", ()) or getattr(layer, "_redo_history", ()))
