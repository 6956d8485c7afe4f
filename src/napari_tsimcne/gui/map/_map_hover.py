"""Shows the patch under the pointer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from napari_tsimcne.explore import Exploration
from napari_tsimcne.gui._ties import Ties
from napari_tsimcne.gui.images._crops import Crops
from napari_tsimcne.gui.map._map_canvas import MapCanvas
from napari_tsimcne.gui.map._map_card import PatchCard


class Hover:
    """Opens a card for the point under the pointer, and closes it when the pointer has left.

    Parameters
    ----------
    canvas
        Whose pointer is followed.
    exploration, crops
        Of the patches.
    patch_at
        Tells whose point or picture is at a position (y, x).
    pointed
        Is told of the patch under the pointer, or of None.
    """

    def __init__(
        self,
        canvas: MapCanvas,
        exploration: Exploration,
        crops: Crops,
        patch_at: Callable[[np.ndarray], int | None],
        pointed: Callable[[int | None], None],
    ) -> None:
        self._canvas, self._crops = canvas, crops
        self._patch_at, self._pointed = patch_at, pointed
        self.card = PatchCard(canvas, exploration.table, exploration.clusters)
        self._exploration = exploration
        self._ties = Ties(self.card, (exploration.columns_changed, self._on_columns))
        self.patch: int | None = None
        canvas.model.mouse_move_callbacks.append(self._on_move)
        canvas.model.mouse_drag_callbacks.append(self._on_press)
        canvas.model.mouse_wheel_callbacks.append(self._on_press)
        canvas.left.connect(self.hide)
        canvas.view_changed.connect(self.hide)

    def hide(self) -> None:
        """Close the card."""
        self.card.hide()
        if self.patch is not None:
            self.patch = None
            self._pointed(None)

    def _on_columns(self) -> None:
        self.card.read(self._exploration.table)

    def _on_press(self, model: Any, event: Any) -> None:
        self.hide()

    def _on_move(self, model: Any, event: Any) -> None:
        patch = self._patch_at(np.array(event.position[-2:]))
        if patch is None:
            self.hide()
            return
        place = self._canvas.to_screen(event.pos)
        if patch != self.patch:
            self.patch = patch
            self._pointed(patch)
            picture = self._crops.pictures(np.array([patch]))[0]
            self.card.show_patch(patch, picture, place)
        else:
            self.card.follow(place)
