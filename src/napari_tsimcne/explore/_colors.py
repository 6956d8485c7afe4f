"""Colours that tell classes apart."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import hsv_to_rgb, to_hex, to_rgba_array

OKABE_ITO = ("#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00", "#cc79a7", "#b8a800")
"""Safe for the colour-blind (Okabe and Ito, 2008), the yellow darkened for a white ground."""

# Grey is for what is in no class.
_LIGHT = tuple(to_hex(c) for c in colormaps["tab20"](range(1, 20, 2)) if len(set(c[:3])) > 1)
NAMED = OKABE_ITO + _LIGHT
CONTINUOUS = "cividis"
"""Of numbers: even in lightness, and the same to the colour-blind."""

DARKEST = 0.4
"""Of the colormap: what is darker is hardly seen on a dark ground."""

DIVERGING = "PuOr_r"
"""Of differences, safe for the colour-blind: purple below 0, orange above."""


def class_colors(count: int) -> list[str]:
    """Return so many distinct colours as ``#rrggbb``; the first are safe for the colour-blind."""
    # Steps of the golden ratio round the colour circle never come back to a colour.
    further = np.arange(max(0, count - len(NAMED))) * 0.618034 % 1
    turned = [to_hex(hsv_to_rgb((hue, 0.55 + 0.4 * (i % 2), 0.9))) for i, hue in enumerate(further)]
    return [*NAMED, *turned][:count]


def gradient_colors(count: int) -> list[str]:
    """Return so many colours as ``#rrggbb``, from low to high in even steps."""
    return [to_hex(c) for c in colormaps[CONTINUOUS](np.linspace(DARKEST, 1, count))]


def unused_color(used: Collection[str]) -> str:
    """Return the first class colour that is not among the ``used`` ones."""
    taken = {color.lower() for color in used}
    return next(color for color in class_colors(len(taken) + len(NAMED)) if color not in taken)


def rgba(colors: Collection[str]) -> np.ndarray:
    """Turn colours into RGBA, (n, 4) float32 in 0..1."""
    return to_rgba_array(list(colors)).astype(np.float32).reshape(-1, 4)
