"""The stored patches as pictures, in the contrast and colours in which the viewer shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from matplotlib.colors import to_hex
from napari.layers import Image
from napari.utils.colormaps import ensure_colormap
from psygnal import Signal
from qtpy.QtGui import QImage, QPixmap

from napari_tsimcne.explore import channel_colormaps, composite, rgb_pictures
from napari_tsimcne.export import Pictures, patch_side
from napari_tsimcne.gui.images._outlines import LinkedLayer
from napari_tsimcne.runs import Run

STEPS = np.linspace(0, 1, 256)


def pixmap(picture: np.ndarray) -> QPixmap:
    """Make a pixmap of a picture, (S, S, 3) uint8."""
    rows, columns = picture.shape[:2]
    data = np.ascontiguousarray(picture).tobytes()
    # The pixmap is a copy: the data may go.
    return QPixmap.fromImage(QImage(data, columns, rows, 3 * columns, QImage.Format.Format_RGB888))


class _Look(NamedTuple):
    """How the channels of one image are shown: limits (C, 2) and colours (C, 256, 3)."""

    limits: np.ndarray
    colors: np.ndarray


class Crops:
    """Pictures of a run's patches.

    Where an image is shown by layers, its patches have their contrast limits and colormaps, also
    after the user has changed them; otherwise the channels' ranges over the whole collection.
    ``changed`` is emitted when pictures look different from now on.

    Parameters
    ----------
    run
        Whose patches are shown.
    layers
        By image name; images without layers are left out.
    """

    changed = Signal()

    def __init__(self, run: Run, layers: Mapping[str, LinkedLayer]) -> None:
        self._store = run.store
        self._images = run.table["image"].to_numpy()
        self._margin = run.recipe.margin or 0
        self.rgb = run.info.rgb
        self._patch_side = patch_side(run)
        self.channel_names = tuple(channel.name for channel in run.info.channels)
        self.shown = [True] * len(self.channel_names)
        self._ranges = {
            name: np.array([[c.low, c.high] for c in run.info.image_channels.get(
                name, run.info.channels)])
            for name in run.table["image"].unique()
        }  # fmt: skip
        self._layers: dict[str, tuple[Image, ...]] = {}
        self._looks: dict[str, _Look] = {}
        self.show_as(layers)

    @property
    def side(self) -> int:
        """Pixels of a picture's side."""
        return self._store.shape[-1] - 2 * self._margin

    def show_as(self, layers: Mapping[str, LinkedLayer]) -> None:
        """Follow these layers from now on, by image name."""
        self.close()
        self._layers = {name: (ln.layer, *ln.channels) for name, ln in layers.items()}
        for layer in self._followed():
            layer.events.contrast_limits.connect(self._on_look)
            layer.events.colormap.connect(self._on_look)
        self._on_look()

    def close(self) -> None:
        """Let go of the layers."""
        for layer in self._followed():
            layer.events.contrast_limits.disconnect(self._on_look)
            layer.events.colormap.disconnect(self._on_look)
        self._layers = {}

    def channel_color(self, channel: int) -> tuple[float, float, float]:
        """Return the brightest colour of a channel, as the first image shows it, in 0..1."""
        red, green, blue = self._look(next(iter(self._ranges))).colors[channel, -1]
        return float(red), float(green), float(blue)

    def show_channel(self, channel: int, shown: bool) -> None:
        """Switch a channel on or off in all pictures."""
        if self.shown[channel] != shown:
            self.shown[channel] = shown
            self.changed.emit()

    def pictures(self, rows: np.ndarray) -> np.ndarray:
        """Return the patches of these rows as pictures, (n, S, S, 3) uint8."""
        return self._pictures(rows, self._look, np.flatnonzero(self.shown))

    def still(self) -> Pictures:
        """Return `pictures` as they look now, for another thread, whatever is changed meanwhile."""
        looks = {name: self._look(name) for name in self._ranges}
        on = np.flatnonzero(self.shown)
        channels = tuple((self.channel_names[i], to_hex(self.channel_color(int(i)))) for i in on)
        draw = partial(self._pictures, look_of=looks.__getitem__, on=on)
        has_own_colors = self.rgb and all(self.shown)
        return Pictures(draw, () if has_own_colors else channels, self._patch_side)

    def _pictures(
        self, rows: np.ndarray, look_of: Callable[[str], _Look], on: np.ndarray
    ) -> np.ndarray:
        rows = np.asarray(rows, dtype=np.intp)
        found = np.zeros((len(rows), self.side, self.side, 3), np.uint8)
        inner = slice(self._margin, self._margin + self.side)
        names = self._images[rows]
        for name in dict.fromkeys(names):
            here = np.flatnonzero(names == name)
            pixels = self._store[rows[here]][:, on, inner, inner]
            look = look_of(name)
            if self.rgb and len(on) == len(self.shown):
                found[here] = rgb_pictures(pixels, look.limits)
            else:
                found[here] = composite(pixels, look.limits[on], look.colors[on])
        return found

    # --- how channels are shown ---------------------------------------------------------------

    def _followed(self) -> set[Image]:
        return {layer for layers in self._layers.values() for layer in layers}

    def _on_look(self, event: Any = None) -> None:
        self._looks = {}
        self.changed.emit()

    def _look(self, name: str) -> _Look:
        # Pictures are made in other threads too, while looks are cleared in this one: what was
        # looked up before that is not kept after it.
        looks = self._looks
        look = looks.get(name)
        if look is None:
            look = self._look_of(self._layers.get(name, ()), self._ranges[name])
            looks[name] = look
        return look

    def _look_of(self, layers: tuple[Image, ...], ranges: np.ndarray) -> _Look:
        count = len(self.channel_names)
        maps: list[Any] = [*channel_colormaps(self.channel_names)]
        limits = ranges
        if self.rgb:
            maps = ["red", "green", "blue"]
            if layers:
                limits = np.repeat([layers[0].contrast_limits], count, axis=0)
        elif len(layers) == count:
            maps = [layer.colormap for layer in layers]
            limits = np.array([layer.contrast_limits for layer in layers])
        # Limits and colormap of a single layer that holds all channels fit one of them only.
        colors = [ensure_colormap(one).map(STEPS)[:, :3] for one in maps]
        return _Look(np.asarray(limits, float), np.array(colors, np.float32))
