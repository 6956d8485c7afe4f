"""The map on paper: points, pictures in their place, scale bar."""

from __future__ import annotations

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import without_overlap
from napari_tsimcne.export._excerpt import Excerpt
from napari_tsimcne.export._pictures import Pictures
from napari_tsimcne.export.figures._drawing import POINT, SOFT, Box, Drawing, text_width

CONTEXT_COLOR = "#e3e3e3"
"""Of patches that are not exported."""

MOST_VECTORS = 20_000
"""Points that are drawn each for itself in PDF and SVG; more become one picture."""

INK_SHARE = 0.13
LEAST_AREA, MOST_AREA = 0.35, 12.0
"""Square points: of a point of the map."""

THUMBNAIL, FRAME = 6.0, 0.35
"""Millimetres: side of a picture on the map with its frame, width of the frame."""

KERNEL_NOTE = "similarity of patches at distance d: 1/(1 + d²)"


class MapPanel:
    """A map drawn to scale into a rectangle of a drawing.

    Parameters
    ----------
    drawing, box
        Where it is drawn.
    coordinates
        Of all patches that have a place on it, (N, 2): they all fit into the rectangle.
    margin
        Around them, in millimetres.
    """

    def __init__(
        self, drawing: Drawing, box: Box, coordinates: np.ndarray, margin: float = 1.5
    ) -> None:
        low, high = _limits(coordinates)
        inner = np.array([box.width, box.height]) - 2 * margin
        extent = high - low
        self.millimetres = float((inner / np.where(extent > 0, extent, 1e-12)).min())
        """That one unit of the map is long."""
        if not extent.any():
            self.millimetres = 1.0
        half = np.array([box.width, box.height]) / self.millimetres / 2
        self._drawing, self.box = drawing, box
        self._low = (low + high) / 2 - half
        self.axes = drawing.axes(box, zorder=1, gid="map")
        self.axes.set(xlim=self._low[0] + [0, 2 * half[0]], ylim=self._low[1] + [0, 2 * half[1]])
        share = INK_SHARE * box.width * box.height / POINT**2 / max(1, len(coordinates))
        self._area = float(np.clip(share, LEAST_AREA, MOST_AREA))
        self._raster = len(coordinates) > MOST_VECTORS

    def on_paper(self, coordinates: np.ndarray) -> np.ndarray:
        """Turn places on the map, (n, 2), into millimetres on the drawing."""
        corner = np.array([self.box.left, self.box.bottom])
        return corner + (coordinates.astype(np.float64) - self._low) * self.millimetres

    def context(self, coordinates: np.ndarray) -> None:
        """Draw patches (n, 2) that the figure is not about, below all others."""
        self._scatter(coordinates, CONTEXT_COLOR, zorder=1)

    def points(self, coordinates: np.ndarray, colors: np.ndarray, seed: int = 0) -> None:
        """Draw patches (n, 2) in their colours (n, 4), in random order: no class hides another."""
        order = np.random.default_rng(seed).permutation(len(coordinates))
        self._scatter(coordinates[order], colors[order], zorder=2)

    def thumbnails(
        self, rows: np.ndarray, coordinates: np.ndarray, colors: np.ndarray, pictures: Pictures,
        seed: int = 0,
    ) -> None:  # fmt: skip
        """Show pictures of patches at their places, as many as do not overlap.

        Parameters
        ----------
        rows, coordinates, colors
            Numbers of patches (n,), their places (n, 2), and the colours of their frames (n, 4).
        pictures
            Makes them.
        seed
            Of the order in which they are placed.
        """
        order = np.random.default_rng(seed).permutation(len(rows))
        chosen = order[without_overlap(self.on_paper(coordinates[order]), THUMBNAIL)]
        corners = self.on_paper(coordinates[chosen]) - THUMBNAIL / 2
        frames = PatchCollection(
            [Rectangle(tuple(corner), THUMBNAIL, THUMBNAIL) for corner in corners],
            facecolors=colors[chosen], edgecolors="white", linewidths=0.3, gid="frames",
        )  # fmt: skip
        # Pictures have a zorder of 0.
        frames.set_zorder(-1)
        self._drawing.page.add_collection(frames, autolim=False)
        side = THUMBNAIL - 2 * FRAME
        for (left, bottom), picture in zip(corners + FRAME, pictures(rows[chosen]), strict=True):
            self._drawing.picture(Box(left, bottom, side, side), picture, "thumbnail")

    def scale_bar(self, x: float, y: float, width: float) -> None:
        """Draw a scale bar from (x, y) on, and say what it means, in so many millimetres."""
        units = round_length(self.box.width / self.millimetres / 6)
        length = units * self.millimetres
        self._drawing.line([(x, y + 0.9), (x + length, y + 0.9)], 1.2, gid="scale-bar")
        text = f"{units:,g} map unit{'' if units == 1 else 's'}"
        start = x + length + 1.5
        self._drawing.text(start, y, text, gid="scale-text")
        start += text_width(text) + 3
        self._drawing.text(
            start, y, KERNEL_NOTE, width=x + width - start, color=SOFT, gid="kernel"
        )  # fmt: skip

    def _scatter(self, coordinates: np.ndarray, color: str | np.ndarray, zorder: int) -> None:
        self.axes.scatter(
            *coordinates.T, s=self._area, c=color, linewidths=0, rasterized=self._raster,
            zorder=zorder,
        )  # fmt: skip


def placed_rows(excerpt: Excerpt) -> np.ndarray:
    """Return the numbers of the exported patches that have a place on the map, (n,) ascending.

    Raises
    ------
    InputError
        Where none has.
    """
    rows = excerpt.rows[excerpt.exploration.placed[excerpt.rows]]
    if not len(rows):
        raise InputError(
            f"none of the patches to export of {excerpt.run.folder} is on a map yet: train the run"
        )
    return rows


def shape_of(coordinates: np.ndarray) -> float:
    """Return the height of a map (N, 2) over its width, at least 0.6 and at most 1.1."""
    low, high = _limits(coordinates)
    width, height = high - low
    return float(np.clip(height / width, 0.6, 1.1)) if width > 0 else 1.0


def round_length(length: float) -> float:
    """Return the largest of ..., 1, 2, 5, 10, 20, 50, ... that is not above a length."""
    power = 10.0 ** np.floor(np.log10(length))
    return float(power * max(step for step in (1, 2, 5) if step * power <= length * (1 + 1e-9)))


def _limits(coordinates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    places = coordinates.astype(np.float64)
    return places.min(axis=0), places.max(axis=0)
