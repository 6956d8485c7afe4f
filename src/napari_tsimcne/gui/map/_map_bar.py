"""The row of tools above the map."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QWidget

from napari_tsimcne.explore import History
from napari_tsimcne.gui.map._map_icons import IconButton
from napari_tsimcne.gui.map._map_tools import MapTools, Tool

GAP = 6
MODES = "Shift adds, Alt subtracts, Escape selects nothing."
TIPS: dict[Tool, str] = {
    "pan": "Pan (P)\nDrag to move the map, scroll to zoom. A click selects nothing.",
    "lasso": f"Lasso (L)\nDrag around points to select their patches. {MODES}",
    "rectangle": f"Rectangle (R)\nDrag from corner to corner to select patches. {MODES}",
    "click": f"Click (C)\nClick a point to select its patch, drag to move the map. {MODES}",
}


class MapBar(QWidget):
    """Buttons for tools, history and view; what they do is connected to by the map.

    Parameters
    ----------
    tools
        Of the mouse.
    history
        That is undone and redone.
    """

    def __init__(self, tools: MapTools, history: History) -> None:
        super().__init__()
        self._tools, self._history = tools, history
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 2)
        layout.setSpacing(1)
        group = QButtonGroup(self)
        self.tool_buttons = {tool: IconButton(tool, tip, True) for tool, tip in TIPS.items()}
        for tool, button in self.tool_buttons.items():
            group.addButton(button)
            button.clicked.connect(self._chooser(tool))
            layout.addWidget(button)
        self.undo, self.redo = IconButton("undo", "Undo"), IconButton("redo", "Redo")
        self.fit = IconButton("fit", "Fit (F)\nShow the whole map.")
        self.pictures = IconButton(
            "pictures",
            "Pictures\nDraw patches in place of points at any zoom, as many as do not overlap.\n"
            "Without it they appear when the points in view are few.",
            checkable=True,
        )
        self.image_lasso = IconButton(
            "image_lasso",
            "Lasso in image\nDrag around patches in the images to select them.",
            checkable=True,
        )
        self.copy = IconButton(
            "copy", "Copy to main viewer\nAdd the map as a layer of points beside the images."
        )
        self.pop_out = IconButton("pop_out", "Open in window")
        for part in ((self.undo, self.redo, self.fit), (self.pictures, self.image_lasso)):
            layout.addSpacing(GAP)
            for button in part:
                layout.addWidget(button)
        layout.addStretch()
        layout.addWidget(self.copy)
        layout.addWidget(self.pop_out)
        self.undo.clicked.connect(lambda: history.undo())
        self.redo.clicked.connect(lambda: history.redo())
        history.changed.connect(self._on_history)
        tools.changed.connect(self._on_tool)
        self._on_history()
        self._on_tool()

    def release(self) -> None:
        """Let go of the history."""
        self._history.changed.disconnect(self._on_history, missing_ok=True)

    def show_popped_out(self, popped_out: bool) -> None:
        """Offer the way out of the dock, or back into it."""
        self.pop_out.show_icon("bring_back" if popped_out else "pop_out")
        self.pop_out.setToolTip(
            "Back into the dock" if popped_out else "Open in window\nGive the map a window."
        )

    def _chooser(self, tool: Tool) -> Callable[[], None]:
        return lambda: self._tools.choose(tool)

    def _on_tool(self) -> None:
        self.tool_buttons[self._tools.tool].setChecked(True)

    def _on_history(self) -> None:
        past, future = self._history.past, self._history.future
        self.undo.setEnabled(bool(past))
        self.undo.setToolTip(f"Undo {past} (Ctrl+Z)" if past else "Nothing to undo")
        self.redo.setEnabled(bool(future))
        self.redo.setToolTip(f"Redo {future} (Ctrl+Shift+Z)" if future else "Nothing to redo")
