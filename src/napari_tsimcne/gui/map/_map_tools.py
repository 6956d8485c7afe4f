"""What the mouse does on the map: pan, lasso, rectangle, click."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, get_args

import numpy as np
from psygnal import Signal

from napari_tsimcne.explore import Mode, Selection, points_in_lasso
from napari_tsimcne.gui.map._map_canvas import MapCanvas

Tool = Literal["pan", "lasso", "rectangle", "click"]
TOOLS: tuple[Tool, ...] = get_args(Tool)

CLICK_SLACK = 3
"""Pixels that a hand may move while it clicks: a longer drag is a lasso, however small."""


class MapTools:
    """Selects by the mouse, with the tool that is on; it stays on until another one is chosen.

    Shift adds, Alt subtracts. With lasso and rectangle a drag selects what it encloses, with all
    tools but pan a click takes the nearest point, and beside all points nothing. ``changed`` is
    emitted when another tool is chosen.

    Parameters
    ----------
    canvas
        Whose mouse is followed, and on which the outline is drawn.
    points
        Positions (N, 2) as (y, x).
    selection
        What is changed.
    shown
        Tells which points can be selected, (N,).
    patch_at
        Tells whose point or picture is at a position.
    activated
        Is told of the patch that was double-clicked.
    """

    changed = Signal()

    def __init__(
        self,
        canvas: MapCanvas,
        points: np.ndarray,
        selection: Selection,
        shown: Callable[[], np.ndarray],
        patch_at: Callable[[np.ndarray], int | None],
        activated: Callable[[int], None],
    ) -> None:
        self._canvas, self._points, self._selection = canvas, points, selection
        self._shown, self._patch_at, self._activated = shown, patch_at, activated
        self._tool: Tool = "lasso"
        self._drawing = False
        canvas.model.mouse_drag_callbacks.append(self._on_drag)
        canvas.model.mouse_double_click_callbacks.append(self._on_double_click)

    @property
    def tool(self) -> Tool:
        """The tool that is on."""
        return self._tool

    def choose(self, tool: Tool) -> None:
        """Switch to a tool."""
        self._tool = tool
        self.changed.emit()

    def cancel(self) -> bool:
        """Give up the outline that is being drawn, and tell whether there was one."""
        was, self._drawing = self._drawing, False
        self._canvas.overlay.draw_outline(np.zeros((0, 2)))
        return was

    # --- mouse --------------------------------------------------------------------------------

    def _on_drag(self, model: Any, event: Any) -> Iterator[None]:
        if event.button != 1:
            return
        tool, mode = self._tool, selection_mode(event.modifiers)
        encloses = tool in ("lasso", "rectangle")
        start, pressed = np.array(event.position[-2:]), np.array(event.pos)
        path = [start]
        clicked = True
        event.handled = self._drawing = encloses
        yield
        while event.type == "mouse_move":
            clicked = clicked and bool(np.abs(event.pos - pressed).max() <= CLICK_SLACK)
            # The camera stays, also after the outline was given up.
            event.handled = encloses
            if self._drawing and not clicked:
                path.append(np.array(event.position[-2:]))
                self._canvas.overlay.draw_outline(_outline(tool, path))
            yield
        if clicked and np.abs(event.pos - pressed).max() <= CLICK_SLACK:
            if tool != "pan" and (self._drawing or not encloses):
                self._click(start, mode)
        elif self._drawing:
            # The canvas leaves moves out when they come fast, but never the release.
            path.append(np.array(event.position[-2:]))
            inside = points_in_lasso(self._points, _outline(tool, path))
            self._canvas.overlay.draw_outline(np.zeros((0, 2)))
            self._selection.select(inside & self._shown(), mode)
        self._drawing = False

    def _click(self, position: np.ndarray, mode: Mode) -> None:
        patch = self._patch_at(position)
        if patch is not None:
            self._selection.select_patch(patch, mode)
        elif mode == "replace":
            self._selection.clear()

    def _on_double_click(self, model: Any, event: Any) -> None:
        patch = self._patch_at(np.array(event.position[-2:]))
        if patch is not None:
            self._activated(patch)


def _outline(tool: Tool, path: list[np.ndarray]) -> np.ndarray:
    if tool == "lasso":
        return np.array(path)
    (top, left), (bottom, right) = path[0], path[-1]
    return np.array([(top, left), (top, right), (bottom, right), (bottom, left)])


def selection_mode(modifiers: Any) -> Mode:
    """Shift adds, Alt subtracts, anything else replaces."""
    names = {getattr(modifier, "name", modifier) for modifier in modifiers}
    if "Shift" in names:
        return "add"
    return "subtract" if "Alt" in names else "replace"
