"""In which colours channels are shown: by what their names say they are, else in turn."""

from __future__ import annotations

import re
from collections.abc import Sequence

BRIGHTEST = {
    "bop blue": (0.13, 0.68, 0.97), "bop orange": (0.97, 0.68, 0.13),
    "bop purple": (0.58, 0.13, 0.58), "green": (0.0, 1.0, 0.0), "gray": (1.0, 1.0, 1.0),
    "red": (1.0, 0.0, 0.0), "cyan": (0.0, 1.0, 1.0), "yellow": (1.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0), "magenta": (1.0, 0.0, 1.0),
}  # fmt: skip
"""Colormaps by the names that napari gives them, and their colour where a channel is brightest."""

IN_TURN = tuple(BRIGHTEST)[:8]
"""Of channels whose names say nothing."""

SINGLE = "gray"
"""Colormap of the only channel: the eye tells greys apart best."""

_BY_NAME = tuple(
    (re.compile(words), color)
    for words, color in (
        # Fluorophores and lines of lasers first: "phalloidin-488" is seen in green.
        (r"cy5|far ?red|(?<!\d)(633|640|647|660|680|700|750)(?!\d)|alexa ?6[3-9]\d", "magenta"),
        (r"cfp|cerulean|turquoise", "cyan"),
        (r"yfp|venus|citrine", "yellow"),
        (r"gfp|fitc|neon ?green|emerald|calcein|cy2|sytox ?green|(?<!\d)488(?!\d)", "green"),
        (
            r"rfp|cherry|tomato|tritc|texas|scarlet|ruby|rhodamine|cy3|propidium"
            r"|(?<!\d)(546|555|561|568|594)(?!\d)",
            "red",
        ),
        (r"dapi|hoechst|\bdna\b|nucle(us|i|ar)\b|bfp|(?<!\d)405(?!\d)", "blue"),
        (r"\bbf\b|bright ?field|phase|\bdic\b|\btl\b|transmi|trans\b|\bph\d?\b|polari", "gray"),
        (r"actin|phalloidin|\bagp\b|wga", "red"),
        (r"tubulin|\ber\b|concanavalin", "green"),
        (r"mito", "yellow"),
    )
)
"""What names of channels hold, in lower case, and the colormap of each; the first one counts."""


def channel_colormaps(names: Sequence[str]) -> list[str]:
    """Return the name of napari's colormap for each channel of an image.

    DNA, DAPI and Hoechst are blue, GFP and 488 nm green, and so on; transmitted light is grey.
    Each colour is given once: channels without one of their own take the next that is free.
    """
    if len(names) == 1:
        return [SINGLE]
    chosen: list[str | None] = []
    for name in names:
        color = _by_name(name)
        chosen.append(color if color not in chosen else None)
    free = [color for color in IN_TURN if color not in chosen]
    turns = iter([*free, *(IN_TURN * (len(names) // len(IN_TURN) + 1))])
    return [color or next(turns) for color in chosen]


def channel_colors(names: Sequence[str]) -> list[tuple[float, float, float]]:
    """Return the colour of each channel where it is brightest, RGB in 0..1."""
    return [BRIGHTEST[name] for name in channel_colormaps(names)]


def _by_name(name: str) -> str | None:
    text = re.sub(r"[_\-.:/()]+", " ", name.lower())
    return next((color for words, color in _BY_NAME if words.search(text)), None)
