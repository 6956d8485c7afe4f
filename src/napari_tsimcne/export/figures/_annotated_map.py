"""The annotated map: clusters named around it, each with a line to its mode and its patches."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from scipy.spatial import KDTree

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import NONE, Cluster, cluster_modes, rgba
from napari_tsimcne.export._excerpt import Excerpt
from napari_tsimcne.export._outputs import new_file
from napari_tsimcne.export._pictures import Pictures, patch_pictures
from napari_tsimcne.export.figures._drawing import (
    SOFT,
    WIDTH,
    Box,
    Drawing,
    check_suffix,
    text_width,
    two_lines,
)
from napari_tsimcne.export.figures._leaders import assign
from napari_tsimcne.export.figures._map_panel import MapPanel, placed_rows, shape_of
from napari_tsimcne.export.figures._picture_key import draw_picture_key

NEIGHBORS = 15
"""Patches nearest to a line's tip, from which those shown are drawn."""

MOST = 40
"""Clusters that are named; of more, the largest."""

NONE_COLOR = "#b4b4b4"
"""Of patches in no cluster: lighter than on the screen, as the map is about those that are."""

Side = Literal["left", "right", "top", "bottom"]

NAME, LINE = 3.6, 2.8
"""Millimetres: height of a cluster's name, and of a second line of it."""

LOPSIDED = 0.1
"""Longer, by this share, lines may be for each label fewer that one side has above the other."""

NEAR = 0.7
"""Millimetres: a line so near to a patch runs over it."""

BAR, BETWEEN, SPACE = 0.8, 0.3, 1.8
"""Millimetres: thickness of the bar in the cluster's colour, space between pictures, and between
name and number."""

EDGE, ROOM, APART = 0.8, 7.0, 2.2
"""Millimetres: around all, between map and labels, between labels."""

LARGEST_PICTURE = 7.0
FOOT = 13.5
"""Millimetres: below all, for the key of the pictures, scale bar and notes."""


class Style(NamedTuple):
    """How many labels go beside the map, and how large they are.

    ``most``: clusters it is for; ``width`` of a label in millimetres; ``across``: labels stand
    above and below the map, too.
    """

    most: int
    width: float
    across: bool


STYLES = (Style(12, 38.0, False), Style(20, 33.0, False), Style(MOST, 27.0, True))


class Slot(NamedTuple):
    """Where a label may stand: its rectangle, and where its line ends, in millimetres."""

    side: Side
    box: Box
    anchor: tuple[float, float]


class Label(NamedTuple):
    """A cluster as it is named: its patches in number, its mode, and patches near the mode."""

    cluster: Cluster
    size: int
    mode: np.ndarray
    rows: np.ndarray


def export_annotated_map(
    excerpt: Excerpt,
    path: Path,
    *,
    pictures: Pictures | None = None,
    strip: int = 6,
    overwrite: bool = False,
) -> str:
    """Draw the map with its clusters named around it, as in the figures of the t-SimCNE paper.

    A line leads from each name to the mode of the cluster's density. Beside it stand patches
    drawn from the 15 nearest to the line's tip, in random order and of whichever cluster, so that
    they are not chosen to please. Names follow each other in the order of the angles of the tips
    seen from the map's centre; two of them change places where their lines would cross. The
    figure is 180 mm wide, and the text in PDF and SVG stays text.

    Parameters
    ----------
    excerpt
        The patches shown; others are light grey.
    path
        Ends in ``.png`` (500 dpi), ``.pdf`` or ``.svg``.
    pictures
        Makes pictures of patches; by default as the run stores their ranges.
    strip
        Patches shown of each cluster, 1 to 15.
    overwrite
        Replace a file at ``path``.

    Returns
    -------
    str
        What the user is to be told of it, a sentence: empty if nothing is.

    Raises
    ------
    InputError
        Where no patch to export is in a cluster, or there is no map, or the file exists or
        cannot be written.
    """
    check_suffix(path)
    if not 1 <= strip <= NEIGHBORS:
        raise InputError(
            f"{strip} patches of each cluster cannot be shown: choose 1 to {NEIGHBORS}"
        )
    with new_file(path, overwrite) as draft:
        drawing = annotated_drawing(excerpt, pictures or patch_pictures(excerpt.run), strip)
        notice = drawing.save(draft, f"Map of {len(excerpt):,} patches with its clusters")
    return notice


def annotated_drawing(excerpt: Excerpt, pictures: Pictures, strip: int) -> Drawing:
    """Draw the map and the labels around it; see `export_annotated_map`."""
    exploration, rows = excerpt.exploration, placed_rows(excerpt)
    labels, left_out = _labels(excerpt, rows, strip)
    every = exploration.coordinates[exploration.placed]
    layout = Layout(len(labels), strip, shape_of(every), _name_lines(labels))
    drawing = Drawing(WIDTH, layout.height)
    panel = MapPanel(drawing, layout.map, every)
    others = np.setdiff1d(np.flatnonzero(exploration.placed), rows, assume_unique=True)
    panel.context(exploration.coordinates[others])
    panel.points(exploration.coordinates[rows], _colors(excerpt, rows))
    tips = panel.on_paper(np.array([label.mode for label in labels]))
    ids = exploration.clusters.ids[rows]
    slots = _slots(layout, labels, tips, panel.on_paper(exploration.coordinates[rows]), ids)
    for label, tip, slot in zip(labels, tips, slots, strict=True):
        drawing.line([tip, slot.anchor], 1.6, color="white", alpha=0.8)
        drawing.line([tip, slot.anchor], 0.5, gid="leader")
        drawing.dot(tip, "tip")
        _draw_label(drawing, slot, label, pictures(label.rows), layout)
    draw_picture_key(drawing, EDGE, 9.2, WIDTH - 2 * EDGE, pictures)
    panel.scale_bar(EDGE, 5.2, WIDTH - 2 * EDGE)
    none = int((ids == NONE).sum())
    shown, near = min(strip, len(rows)), min(NEIGHBORS, len(rows))
    note = _note(shown, near, none, len(others), left_out)
    drawing.text(EDGE, 1.2, note, width=WIDTH - 2 * EDGE, color=SOFT, gid="note")
    return drawing


def _labels(excerpt: Excerpt, rows: np.ndarray, strip: int) -> tuple[list[Label], int]:
    """Return what stands around the map, and how many clusters there was no room for."""
    places, ids = excerpt.exploration.coordinates[rows], excerpt.exploration.clusters.ids[rows]
    modes = cluster_modes(places, ids)
    if not modes:
        raise InputError(
            "none of the patches to export is in a cluster: make clusters, by a lasso around an "
            "island or automatically, then export the annotated map"
        )
    counts = {cluster: int((ids == cluster).sum()) for cluster in modes}
    named = set(sorted(modes, key=lambda cluster: -counts[cluster])[:MOST])
    tree, random = KDTree(places), np.random.default_rng(0)
    labels = []
    for cluster in excerpt.exploration.clusters.all:
        if cluster.id in named:
            mode = places[modes[cluster.id]]
            _, near = tree.query(mode, range(1, min(NEIGHBORS, len(rows)) + 1))
            shown = rows[random.permutation(near)[:strip]]
            labels.append(Label(cluster, counts[cluster.id], mode, shown))
    return labels, len(modes) - len(labels)


def _slots(
    layout: Layout, labels: list[Label], tips: np.ndarray, places: np.ndarray, ids: np.ndarray
) -> list[Slot]:
    """Return where each label stands.

    The lines, (n, 2) ``tips`` on, are short, run over few patches of other clusters, whose
    ``places`` on paper (m, 2) and cluster ``ids`` (m,) are given, and about as many end on the left
    as on the right where that costs little.
    """
    tree, own = KDTree(places), np.array([label.cluster.id for label in labels])
    chosen: list[Slot] = []
    least = np.inf
    for slots in layout.choices:
        anchors = np.array([slot.anchor for slot in slots])
        ends = assign(tips, anchors, layout.centre)
        taken = [slots[end] for end in ends]
        length = 0.0
        for tip, anchor, cluster in zip(tips, anchors[ends], own, strict=True):
            steps = 2 + int(np.linalg.norm(anchor - tip))
            along = np.linspace(tip, anchor, steps)
            far, nearest = tree.query(along, distance_upper_bound=NEAR)
            below = ids[nearest[np.isfinite(far)]]
            length += steps + int(((below != cluster) & (below != NONE)).sum())
        sides = [slot.side for slot in taken]
        apart = max(0, abs(sides.count("left") - sides.count("right")) - 1)
        cost = length * (1 + LOPSIDED * apart)
        if cost < least:
            chosen, least = taken, cost
    return chosen


def _colors(excerpt: Excerpt, rows: np.ndarray) -> np.ndarray:
    """Colours of the clusters of some patches, (n, 4)."""
    clusters = excerpt.exploration.clusters
    colors = rgba([*(cluster.color for cluster in clusters.all), NONE_COLOR])
    # The last one is that of -1: of what is in no cluster.
    return colors[clusters.places()[rows]]


def _note(shown: int, near: int, none: int, others: int, left_out: int) -> str:
    parts = [f"pictures: {shown} of the {near} patches nearest to each line's tip"]
    if none:
        parts.append(f"grey: {none:,} in no cluster")
    if others:
        parts.append(f"light grey: {others:,} not exported")
    if left_out:
        parts.append(f"{left_out} smaller clusters are not named")
    return "; ".join(parts)


class Layout:
    """Where map and labels stand.

    Parameters
    ----------
    count
        Of labels, 1 to 40.
    strip
        Pictures in each.
    shape
        Height of the map over its width.
    lines
        Of a name, at most: 1 or 2.
    """

    def __init__(self, count: int, strip: int, shape: float, lines: int = 1) -> None:
        style = _style(count)
        picture = (style.width - BAR - 0.5 - (strip - 1) * BETWEEN) / strip
        self.picture = min(picture, LARGEST_PICTURE)
        """Millimetres: side of a picture."""
        self.lines = lines
        self._size = style.width, NAME + (lines - 1) * LINE + self.picture
        across = int((WIDTH - 2 * EDGE) // (style.width + 2)) if style.across else 0
        pitch = self._size[1] + APART
        band = self._size[1] + BAR + 0.5 + ROOM if across else 0.0
        aside = EDGE + style.width + ROOM
        width = WIDTH - 2 * aside
        fewest = max(-(-(count - 2 * across) // 2), 1)
        rows = max(fewest, int(width * shape / pitch))
        middle = max(rows * pitch, width * shape)
        self.height = FOOT + middle + 2 * band + EDGE
        """Millimetres: of the figure."""
        self.map = Box(aside, FOOT + band, width, middle)
        self.centre = np.array([WIDTH / 2, FOOT + band + middle / 2])
        self.choices = [
            self._beside(n, middle / n) + self._across(across) for n in range(fewest, rows + 1)
        ]
        """Where labels may stand: ever more places, at least as many as there are labels."""

    def _beside(self, rows: int, pitch: float) -> list[Slot]:
        width, height = self._size
        slots = []
        for row in range(rows):
            bottom = self.map.bottom + (row + 0.5) * pitch - height / 2
            middle = bottom + height / 2
            slots.append(Slot("left", Box(EDGE, bottom, width, height), (EDGE + width, middle)))
            left = WIDTH - EDGE - width
            slots.append(Slot("right", Box(left, bottom, width, height), (left, middle)))
        return slots

    def _across(self, count: int) -> list[Slot]:
        width, height = self._size
        height += BAR + 0.5
        top = self.map.bottom + self.map.height + ROOM
        slots = []
        for column in range(count):
            middle = EDGE + (WIDTH - 2 * EDGE) * (column + 0.5) / count
            left = middle - width / 2
            # Lines of the outermost do not run over labels beside the map.
            end = float(np.clip(middle, EDGE + width + 1, WIDTH - EDGE - width - 1))
            slots.append(Slot("top", Box(left, top, width, height), (end, top)))
            slots.append(Slot("bottom", Box(left, FOOT, width, height), (end, FOOT + height)))
        return slots


def _name_room(label: Label, width: float) -> float:
    """Return how wide the name may be in a label of so many millimetres, bar included."""
    return width - BAR - 0.5 - text_width(f"{label.size:,}") - SPACE


def _name_lines(labels: list[Label]) -> int:
    """Return how many lines the names of clusters need, 1 or 2."""
    width = _style(len(labels)).width
    fit = [
        text_width(label.cluster.name, weight="bold") <= _name_room(label, width)
        for label in labels
    ]
    return 1 if all(fit) else 2


def _style(count: int) -> Style:
    return next(style for style in STYLES if count <= style.most)


def _draw_label(
    drawing: Drawing, slot: Slot, label: Label, pictures: np.ndarray, layout: Layout
) -> None:
    """Draw name, number of patches, pictures, and a bar in the colour at the side of the map."""
    (left, bottom, width, height), number = slot.box, label.cluster.id
    side, names = (
        layout.picture,
        two_lines(label.cluster.name, _name_room(label, width), weight="bold"),
    )
    # What has a line less is less high; its line still ends at its bar.
    spare = (layout.lines - len(names)) * LINE
    height -= spare
    bottom += {"left": spare / 2, "right": spare / 2, "top": 0.0, "bottom": spare}[slot.side]
    bars = {
        "left": Box(left + width - BAR, bottom, BAR, height),
        "right": Box(left, bottom, BAR, height),
        "top": Box(left, bottom, width, BAR),
        "bottom": Box(left, bottom + height - BAR, width, BAR),
    }
    drawing.rectangle(bars[slot.side], label.cluster.color, f"bar-{number}")
    aside = BAR + 0.5
    if slot.side in ("left", "right"):
        width -= aside
    if slot.side == "right":
        left += aside
    if slot.side == "top":
        bottom += aside
    size = f"{label.size:,}"
    strip = len(pictures) * (side + BETWEEN) - BETWEEN
    # No wider than what it shows, so that on the left of the map it ends at the bar.
    widest = max(text_width(name, weight="bold") for name in names)
    filled = min(width, max(strip, widest + SPACE + text_width(size)))
    if slot.side == "left":
        left += width - filled
    for place, picture in enumerate(pictures):
        start = left + place * (side + BETWEEN)
        drawing.picture(Box(start, bottom, side, side), picture, f"patch-{number}-{place}")
    baseline = bottom + side + 1.2
    for name in reversed(names):
        drawing.text(left, baseline, name, weight="bold", gid=f"name-{number}")
        baseline += LINE
    baseline -= LINE
    drawing.text(left + filled, baseline, size, color=SOFT, horizontalalignment="right",
                 gid=f"count-{number}")  # fmt: skip
