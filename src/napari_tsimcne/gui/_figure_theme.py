"""Figures drawn for paper, in the colours of the window's theme."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import ListedColormap, to_hex, to_rgba_array
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from napari_tsimcne.explore import DIVERGING

PAPER = "#222222", "#e8e8e8", "#ffffff"
"""Of letters and lines, of grids and empty wells, and of lines between wells, on paper."""

DARK = "#3c4048", "#262930"
"""Of the latter two where the ground is dark."""


def in_theme(figure: Figure, ink: str) -> None:
    """Draw a figure on no ground, with letters and lines in a colour, ``#rrggbb``.

    Where that is light, grids and empty wells are dark, and the middle of a scale of differences,
    white on paper, is seen through. Once more with another colour, it is that.
    """
    dark = int(to_rgba_array(ink)[0, :3].mean() * 255) > 127
    before = getattr(figure, "theme", PAPER)
    now = ink, *(DARK if dark else PAPER[1:])
    changed = dict(zip(before, now, strict=True))
    figure.set_facecolor("none")
    for artist in figure.findobj():
        if isinstance(artist, Axes):
            artist.set_facecolor(_instead(artist.get_facecolor(), changed, "none"))
        elif isinstance(artist, Line2D):
            artist.set_color(_instead(artist.get_color(), changed))
        elif isinstance(artist, Text):
            # Numbers in wells stay white or black.
            artist.set_color(_instead(artist.get_color(), {before[0]: ink}))
        elif isinstance(artist, ContourSet):
            # Else its one colour would be given to it again, as to a scale.
            artist.set_array(None)
            artist.set_edgecolor(ink)
        elif isinstance(artist, Collection) and artist.get_array() is None:
            artist.set_facecolor(_all_instead(artist.get_facecolor(), changed))
            artist.set_edgecolor(_all_instead(artist.get_edgecolor(), changed))
        elif isinstance(artist, Patch) and artist.axes is None and artist is not figure.patch:
            artist.set_edgecolor(_instead(artist.get_edgecolor(), changed))
        elif isinstance(artist, AxesImage) and artist.get_cmap().name.startswith(DIVERGING):
            artist.set_cmap(_see_through() if dark else DIVERGING)
    figure.theme = now  # type: ignore[attr-defined]


def _instead(color: Any, changed: dict[str, str], otherwise: Any = None) -> Any:
    known = to_rgba_array(color)
    if not len(known) or not known[0, 3]:
        return color
    return changed.get(to_hex(known[0]), color if otherwise is None else otherwise)


def _all_instead(colors: Any, changed: dict[str, str]) -> np.ndarray:
    found = np.array(to_rgba_array(colors))
    for row in found:
        if to_hex(row) in changed:
            row[:3] = to_rgba_array(changed[to_hex(row)])[0, :3]
    return found


def _see_through() -> ListedColormap:
    """Return the colours of differences, the fainter the nearer to 0."""
    steps = colormaps[DIVERGING](np.linspace(0, 1, 256))
    steps[:, 3] = np.clip(np.abs(np.linspace(-1, 1, 256)) * 1.6, 0, 1)
    return ListedColormap(steps, name=f"{DIVERGING} on dark")
