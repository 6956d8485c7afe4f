"""A figure for print, laid out in millimetres."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path

from napari_tsimcne.errors import InputError

WIDTH = 180.0
"""Of two columns of a journal."""

DPI = 500
"""Of PNG, and of the pictures inside of PDF and SVG."""

SUFFIXES = (".png", ".pdf", ".svg")

SIZE, TITLE_SIZE = 7.0, 8.0
"""Points: of letters."""

INK, SOFT = "#222222", "#6b6b6b"
"""Colours of letters and lines, and of what is less important."""

FAMILIES = (
    "Arial", "Liberation Sans", "DejaVu Sans",
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans SC", "Noto Sans JP",
    "Noto Sans KR", "Source Han Sans SC", "PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo",
    "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "IPAexGothic", "Droid Sans Fallback", "Arial Unicode MS",
)  # fmt: skip
"""In turn, for letters that those before do not have."""

MM = 25.4
POINT = MM / 72
"""Millimetres."""

NO_FONT = "some letters are in none of the installed fonts: install for example Noto Sans CJK"

FULL_WIDTH = "\u2014"
"""As wide as letters are that no font has, wherever there is one that has them."""

MOST_LETTERS = 12

_SAVING = Lock()


class Box(NamedTuple):
    """A rectangle in millimetres from the lower left corner of the drawing."""

    left: float
    bottom: float
    width: float
    height: float


@cache
def font(size: float = SIZE, weight: str = "normal") -> FontProperties:
    """Return the font of a size in points."""
    # The last one is for a program that shows an SVG and has none of these.
    return FontProperties(family=families(), size=size, weight=weight)


@cache
def _known() -> frozenset[int]:
    """Code points of all letters that can be drawn."""
    installed = set(fontManager.get_font_names())
    properties = [FontProperties(family=name) for name in FAMILIES if name in installed]
    paths = [fontManager.findfont(one) for one in properties]
    return frozenset().union(*(FT2Font(path).get_charmap() for path in paths))


def can_be_drawn(text: str) -> bool:
    """Tell whether the installed fonts have all letters of a text."""
    return _known().issuperset(map(ord, text))


def missing_letters(*texts: str) -> str:
    """Return the letters of some texts that no installed font has, each once."""
    return "".join(dict.fromkeys(c for t in texts for c in t if ord(c) not in _known()))


def missing_notice(letters: str, where: str) -> str:
    """Say which letters are drawn as boxes, and where; empty where none is."""
    if not letters:
        return ""
    some = f"{letters[:MOST_LETTERS]}..." if len(letters) > MOST_LETTERS else letters
    return (
        f"{some}: no installed font has these letters, which are boxes {where}: install for "
        "example Noto Sans CJK"
    )


@cache
def font_file(letters: str) -> str:
    """Return the file of the first font that has most of some letters."""
    installed = set(fontManager.get_font_names())
    paths = [
        fontManager.findfont(FontProperties(family=name))
        for name in ("DejaVu Sans", *FAMILIES)
        if name in installed
    ]
    has = [len(set(map(ord, letters)) & set(FT2Font(path).get_charmap())) for path in paths]
    return paths[int(np.argmax(has))]


def families() -> list[str]:
    """Return the fonts that letters are taken from, in turn."""
    installed = set(fontManager.get_font_names())
    return [*(name for name in FAMILIES if name in installed), "sans-serif"]


def on_one_line(text: str) -> str:
    """Return a text without line breaks and what else is not printed: some makes files invalid."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def text_width(text: str, size: float = SIZE, weight: str = "normal") -> float:
    """Return how wide a line of text is, in millimetres."""
    line = on_one_line(text)
    if not can_be_drawn(line):
        line = "".join(c if ord(c) in _known() else FULL_WIDTH for c in line)
    width, _, _ = text_to_path.get_text_width_height_descent(line, font(size, weight), False)
    # Letters are moved to whole pixels where a figure is drawn: a little wider than computed.
    return float(width) * POINT * 1.02 + 0.1


def elided(text: str, width: float, size: float = SIZE, weight: str = "normal") -> str:
    """Return a text on one line, its end an ellipsis where it is wider than so many mm."""
    text = on_one_line(text)
    if text_width(text, size, weight) <= width:
        return text
    return text[: _fitting(text, "…", width, size, weight)].rstrip() + "…"


def two_lines(text: str, width: float, size: float = SIZE, weight: str = "normal") -> list[str]:
    """Return a text on one line, or on two where it is wider than so many mm.

    It is parted between words, or else within the word that is too long; elided where two lines
    are too little.
    """
    text = on_one_line(text)
    if text_width(text, size, weight) <= width:
        return [text]
    most = max(1, _fitting(text, "", width, size, weight))
    # A space right after the last letter that fits is a good place, too.
    parted = text.rfind(" ", 0, most + 1)
    at = parted if parted > 0 else most
    return [text[:at], elided(text[at:].lstrip(), width, size, weight)]


def _fitting(text: str, end: str, width: float, size: float, weight: str) -> int:
    """Return how many letters of a text that is too long fit, followed by an end."""
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if text_width(text[:middle].rstrip() + end, size, weight) <= width:
            fits = middle
        else:
            too_long = middle
    return fits


def check_suffix(path: Path) -> None:
    """Refuse a file that is none of the `SUFFIXES`.

    Raises
    ------
    InputError
        Where it is none.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"a figure is not written as '{path.name}': end it in .png, .pdf or .svg")


class Drawing:
    """A white page on which things are put in millimetres from its lower left corner.

    Things have names, ``gid``, by which they are found in an SVG; a name that is taken is numbered.
    ``figure`` is matplotlib's; ``page`` its topmost axes, whose data coordinates are millimetres.

    Parameters
    ----------
    width, height
        In millimetres.
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._names: Counter[str] = Counter()
        self._can_be_drawn = True
        self.figure = Figure(figsize=(width / MM, height / MM), dpi=DPI, facecolor="white")
        FigureCanvasAgg(self.figure)
        self.page = self.axes(Box(0, 0, width, height), zorder=10)
        self.page.set(xlim=(0, width), ylim=(0, height))

    def axes(self, box: Box, **options: Any) -> Any:
        """Add axes without frame or ticks."""
        place = (box.left / self.width, box.bottom / self.height,
                 box.width / self.width, box.height / self.height)  # fmt: skip
        axes = self.figure.add_axes(place, **options)
        axes.set_axis_off()
        return axes

    def text(
        self, x: float, y: float, text: str, *, width: float | None = None, size: float = SIZE,
        weight: str = "normal", color: str = INK, gid: str | None = None, **options: Any,
    ) -> Any:  # fmt: skip
        """Write a line, its baseline at y; elided where it is wider than ``width``.

        Whatever a user has typed stands there as typed: a dollar starts no formula.
        """
        shown = text if width is None else elided(text, width, size, weight)
        self._can_be_drawn &= can_be_drawn(on_one_line(shown))
        return self.figure.text(
            x / self.width, y / self.height, shown, fontproperties=font(size, weight),
            color=color, parse_math=False, gid=self._named(gid), zorder=11, **options,
        )  # fmt: skip

    def rectangle(
        self, box: Box, color: Any, gid: str | None = None, edge: str | None = None
    ) -> None:
        """Fill a rectangle, with a thin edge of a colour if one is given."""
        left, bottom, width, height = box
        self.page.add_patch(
            Rectangle((left, bottom), width, height, facecolor=color, edgecolor=edge,
                      linewidth=0.3 if edge else 0, gid=self._named(gid))
        )  # fmt: skip

    def line(
        self, points: Sequence[tuple[float, float]] | np.ndarray, width: float,
        gid: str | None = None, **options: Any,
    ) -> None:  # fmt: skip
        """Draw a line through points, ``width`` points of print wide."""
        x, y = np.asarray(points, float).T
        options = {"color": INK, "solid_capstyle": "butt", "linewidth": width, **options}
        self.page.plot(x, y, scalex=False, scaley=False, gid=self._named(gid), **options)

    def dot(self, place: np.ndarray, gid: str | None = None) -> None:
        """Mark a place (2,)."""
        self.line([tuple(place)], 0, gid, marker="o", markersize=2.4, markerfacecolor=INK,
                  markeredgecolor="white", markeredgewidth=0.5)  # fmt: skip

    def picture(self, box: Box, picture: np.ndarray, gid: str | None = None) -> None:
        """Show a picture (S, S, 3) uint8 in a rectangle."""
        left, bottom, width, height = box
        extent = (left, left + width, bottom, bottom + height)
        image = AxesImage(self.page, extent=extent, origin="upper", interpolation="antialiased")
        image.set_data(picture)
        image.set_gid(self._named(gid))
        self.page.add_image(image)

    def _named(self, gid: str | None) -> str | None:
        if gid is None:
            return None
        self._names[gid] += 1
        number = self._names[gid]
        return gid if number == 1 else f"{gid}-{number}"

    def save(self, path: Path, title: str) -> str:
        """Write PNG, PDF or SVG by the suffix; in the latter two, text stays text.

        Returns what the user is to be told of it, a sentence; empty if nothing is.
        """
        kind = path.suffix.lower()
        maker = "Software" if kind == ".png" else "Creator"
        described = {"Title": on_one_line(title), maker: "napari-tsimcne"}
        options = {
            "pdf.fonttype": 42, "svg.fonttype": "none", "text.usetex": False,
            # Where pictures are joined, all of them are moved to whole points.
            "image.composite_image": False,
        }  # fmt: skip
        # The settings are those of the whole process: one figure is saved at a time.
        with _SAVING, rc_context(options), warnings.catch_warnings():
            # It is told once, in a sentence.
            warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
            self.figure.savefig(path, format=kind[1:], dpi=DPI, metadata=described)
        return "" if self._can_be_drawn else NO_FONT
