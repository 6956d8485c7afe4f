"""The legend of a map in print: classes with their numbers of patches, or a scale of colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator

from napari_tsimcne.explore import Category
from napari_tsimcne.export.figures._drawing import POINT, SOFT, Box, Drawing, text_width

ROW, SWATCH, INDENT = 3.4, 1.9, 3.0
"""Millimetres: height of a line, side of a swatch, where its name begins."""

NARROWEST = 20.0
WIDEST = {1: 46.0, 2: 33.0}
"""Millimetres: a column, where there are so many."""

BETWEEN = 3.0
MANY = 20
"""Classes, of more than which the last may be counted together."""

HEAD = 1.3 * ROW
BAR_WIDTH, BAR_HEIGHT = 3.0, 40.0
PERCENTILES = "1st to 99th percentile"
ABOUT_ZERO = "0 is in the middle"
"""Between which the scale of `Coloring` runs."""

TICKS = 5


class Scale:
    """Colours of numbers.

    Parameters
    ----------
    steps
        From the lower to the upper limit, (n, 4).
    limits
        The numbers at both ends.
    """

    def __init__(self, steps: np.ndarray, limits: tuple[float, float]) -> None:
        self.steps, self.limits = steps, limits

    def ticks(self) -> list[tuple[float, str]]:
        """Return where on the scale numbers stand, 0..1, and what they are."""
        low, high = self.limits
        if not low < high:
            return [(0.5, f"{low:,.6g}")]
        values = [v for v in MaxNLocator(TICKS).tick_values(low, high) if low <= v <= high]
        return [((v - low) / (high - low), f"{v:,.6g}") for v in values]


class Legend:
    """Lists classes beside a map; the scale of numbers, if there is one, stands above these.

    Parameters
    ----------
    title
        What is coloured by.
    entries
        Classes, in order.
    scale
        Of numbers.
    columns
        In which the classes are listed: 1 or 2.
    """

    def __init__(
        self, title: str, entries: Sequence[Category], scale: Scale | None, columns: int = 1
    ) -> None:
        self._title, self._entries, self._scale, self._columns = title, entries, scale, columns
        widths = [INDENT + text_width(e.name) + 3 + text_width(f"{e.count:,}") for e in entries]
        if len(entries) > MANY:
            total = sum(entry.count for entry in entries)
            widths.append(text_width(f"and {len(entries)} more {total:,}") + INDENT + 3)
        if scale:
            widths += [BAR_WIDTH + 2 + text_width(text) for _, text in scale.ticks()]
            widths.append(text_width(PERCENTILES))
        self._column = float(np.clip(max(text_width(title), *widths), NARROWEST, WIDEST[columns]))
        self.width = columns * self._column + (columns - 1) * BETWEEN
        """Millimetres."""
        self.least_height = HEAD + (BAR_HEIGHT + 3 * ROW if scale else 0.0) + ROW
        """Millimetres, with a line of classes."""

    def fits(self, height: float) -> bool:
        """Tell whether all classes are listed in so many millimetres."""
        return len(self._entries) <= self._rows(height) * self._columns

    def draw(self, drawing: Drawing, box: Box) -> None:
        """Draw it from the upper left corner of a rectangle on.

        Of more classes than there is room for, the largest are listed, and the others are counted
        in a last line.
        """
        y = box.bottom + box.height - ROW
        drawing.text(box.left, y, self._title, width=self.width, weight="bold", gid="legend-title")
        y -= HEAD - ROW
        if self._scale:
            y = self._draw_scale(drawing, self._scale, box.left, y)
        lines = _lines(self._entries, self._rows(box.height) * self._columns)
        rows = -(-len(lines) // self._columns)
        for number, line in enumerate(lines):
            column, row = divmod(number, rows)
            x = box.left + column * (self._column + BETWEEN)
            self._draw_line(drawing, x, y - (row + 1) * ROW, *line)

    def _rows(self, height: float) -> int:
        return 1 + max(0, int((height - self.least_height) / ROW))

    def _draw_line(
        self, drawing: Drawing, x: float, y: float, name: str, color: str, count: str
    ) -> None:
        if color:
            drawing.rectangle(Box(x, y - 0.05, SWATCH, SWATCH), color, "swatch")
        room = self._column - INDENT - 2 - text_width(count)
        drawing.text(x + INDENT, y, name, width=room, gid="legend-name")
        drawing.text(x + self._column, y, count, color=SOFT, horizontalalignment="right",
                   gid="legend-count")  # fmt: skip

    def _draw_scale(self, drawing: Drawing, scale: Scale, x: float, y: float) -> float:
        """Draw the scale below a line, and return the line below which it ends."""
        bottom = y - ROW / 2 - BAR_HEIGHT
        ramp = np.rint(scale.steps[::-1, None, :3] * 255).astype(np.uint8)
        drawing.picture(Box(x, bottom, BAR_WIDTH, BAR_HEIGHT), ramp, "color-bar")
        for height, text in scale.ticks():
            at = bottom + height * BAR_HEIGHT
            drawing.line([(x + BAR_WIDTH, at), (x + BAR_WIDTH + 0.8, at)], 0.6)
            drawing.text(x + BAR_WIDTH + 1.4, at - 2.6 * POINT, text, gid="tick")
        y = bottom - ROW * 1.3
        low, high = scale.limits
        # Of differences, 0 is in the middle.
        about = ABOUT_ZERO if low == -high else PERCENTILES
        drawing.text(x, y, about, width=self.width, color=SOFT, gid="percentiles")
        return y - ROW * 0.3


def _lines(entries: Sequence[Category], most: int) -> list[tuple[str, str, str]]:
    """Return name, colour and count of so many lines at most."""
    left_out: list[Category] = []
    if len(entries) > most:
        smallest = sorted(entries, key=lambda entry: entry.count)
        left_out = smallest[: len(entries) - most + 1]
    lines = [(one.name, one.color, f"{one.count:,}") for one in entries if one not in left_out]
    if left_out:
        count = sum(entry.count for entry in left_out)
        lines.append((f"and {len(left_out)} more", "", f"{count:,}"))
    return lines
