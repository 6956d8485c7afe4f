"""How much of each window is foreground, and which windows are kept for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from skimage.filters import threshold_otsu

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import ImageSource
from napari_tsimcne.patches._blocks import BLOCK_SIDE, Region, blocks_of, squares
from napari_tsimcne.recipe import Background

LEAST_SIDE = 16
"""Pixels along a window's side that are looked at at least: some 256 pixels tell its share well."""

SAMPLE = 1_000_000
"""Pixels that thresholds are found from, of at most `SAMPLE_PLANES` planes."""

BINS = 256
NOISES, CLEAR, MOST_LEVEL = 5.0, 14.0, 0.3
"""Of ``auto``: content is this many times the noise above the background; on average it is so many
times, where the background is clear; and that lies in this lowest part of the range of values."""

SAMPLE_PLANES, SAMPLE_SQUARES, SAMPLE_SIDE = 256, 256, 512
"""They are drawn from squares of this side, about this many in all."""


@dataclass(frozen=True, eq=False)
class Foreground:
    """What is known of the windows of a table.

    ``share``: (N,) float32 in 0..1, foreground pixels of a window among its pixels inside the
    image; without thresholds of pixels that an alpha channel does not hide (1 where there is
    none); NaN where the image cannot be read. ``kept``: (N,) bool. ``thresholds``: above which
    a pixel is foreground, by channel (``otsu``) or of the ``saturation`` (``tissue``).
    """

    share: np.ndarray
    kept: np.ndarray
    thresholds: dict[str, float]


def foreground(
    images: Sequence[ImageSource],
    table: pd.DataFrame,
    background: Background,
    progress: Callable[[int, int], None] | None = None,
    *,
    thresholds: Mapping[str, float] | None = None,
    block_side: int = BLOCK_SIDE,
    seed: int = 0,
) -> Foreground:
    """Find the share of foreground of each window of a patch table, and which windows to keep.

    Windows of 32 pixels and more are looked at at a lower resolution, at 16 x 16 pixels or more:
    a level of the image where it has one, else every so many pixels. Thresholds come from about
    a million pixels of the whole collection. Where it has one value only, all windows are kept
    but those that an alpha channel hides wholly.

    Parameters
    ----------
    images, table
        Windows may overlap, and may reach beyond the image: only what is inside counts.
    background
        What foreground is, and how much of it a window needs.
    progress
        Called with blocks done and blocks in all; may raise to cancel.
    thresholds
        As an earlier call gave them, so that further images are judged alike.
    block_side
        Side of what is worked on at once, in pixels. The result does not depend on it.
    seed
        Of the pixels that are drawn.

    Raises
    ------
    InputError
        Where ``tissue`` is asked for and an image is not RGB.
    """
    if background.method == "tissue":
        for image in images:
            if not image.rgb:
                raise InputError(
                    f"image '{image.name}' is not RGB: tissue is told from glass by its colour; "
                    "choose the background filter 'otsu' or none"
                )
    seen = _SEEN.get((background.method, images[0].rgb), _values)
    least = table.groupby("image")["size"].min().to_dict()
    grids = {image.name: _SampleGrid.of(image, least.get(image.name, 1)) for image in images}
    names = _NAMES.get(seen, images[0].channel_names)
    if background.method == "none":
        used = None
    elif thresholds is None:
        used = _find_thresholds(images, grids, background, seen, seed)
    else:
        used = [thresholds.get(name, np.inf) for name in names] if thresholds else None
    share = _shares(images, grids, table, seen, used, progress, block_side)
    if background.method == "auto" and not (share >= background.least_foreground).any():
        used = None
        share = _shares(images, grids, table, seen, used, progress, block_side)
    enough = share > 0 if used is None else share >= background.least_foreground
    named = {name: t for name, t in zip(names, used or (), strict=False) if np.isfinite(t)}
    return Foreground(share, np.isnan(share) | enough, named)


# --- what is looked at ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _SampleGrid:
    """Every ``stride``-th pixel of a level of an image, the first at stride // 2."""

    level: int
    stride: int

    @classmethod
    def of(cls, image: ImageSource, least_size: float) -> _SampleGrid:
        factor = max(1.0, least_size / LEAST_SIDE)
        # An alpha channel has no levels.
        level = image.level_for(factor) if image.alpha is None else 0
        # A level may be too small for the stride's first pixel.
        stride = min(int(factor / max(image.reduction(level)) * 1.01),
                     *image.level_height_width(level))  # fmt: skip
        return cls(level, max(1, stride))

    def places(self, image: ImageSource) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns that are looked at, in pixels of the image."""
        return tuple(
            (np.arange(self.stride // 2, length, self.stride) + 0.5) * reduction - 0.5
            for length, reduction in zip(
                image.level_height_width(self.level), image.reduction(self.level), strict=True
            )
        )  # type: ignore[return-value]

    def within(self, block: slice) -> slice:
        """Which of the rows (columns) that are looked at lie in a block of the level."""
        first = self.stride // 2
        return slice(
            -(-max(0, block.start - first) // self.stride),
            -(-max(0, block.stop - first) // self.stride),
        )

    def read(self, image: ImageSource, t: int, z: int, block: Region) -> tuple[np.ndarray, ...]:
        """Pixels (C, h, w) of a block of the level that are looked at, and (h, w): not hidden."""
        picked = tuple(self._picked(part) for part in block)
        pixels = image.read(t, z, *block, level=self.level)[:, *picked]
        opaque = image.opaque(t, z, *block)
        return pixels, np.ones(pixels.shape[1:], bool) if opaque is None else opaque[picked]

    def _picked(self, block: slice) -> slice:
        first = self.stride // 2 + self.within(block).start * self.stride
        return slice(first - block.start, None, self.stride)


def _saturation(pixels: np.ndarray) -> np.ndarray:
    """Saturation (h, w) of RGB pixels (3, h, w) as in HSV, without its costly hue."""
    high, low = pixels.max(axis=0).astype(np.float32), pixels.min(axis=0).astype(np.float32)
    return np.divide(high - low, high, out=np.zeros_like(high), where=high > 0)


# What is compared with thresholds: of pixels (C, h, w) one value a threshold, (n, h, w).
_Seen = Callable[[np.ndarray], np.ndarray]


def _values(pixels: np.ndarray) -> np.ndarray:
    return pixels


def _stain(pixels: np.ndarray) -> np.ndarray:
    return _saturation(pixels)[np.newaxis]


def _stain_and_shade(pixels: np.ndarray) -> np.ndarray:
    """Saturation, and how dark: pale cells are darker than the glass, though no more coloured."""
    brightest = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else 0
    return np.stack([_saturation(pixels), brightest - pixels.mean(axis=0, dtype=np.float32)])


_SEEN: dict[tuple[str, bool], _Seen] = {
    ("tissue", True): _stain, ("auto", True): _stain_and_shade,
}  # fmt: skip
_NAMES: dict[_Seen, tuple[str, ...]] = {
    _stain: ("saturation",), _stain_and_shade: ("saturation", "darkness"),
}  # fmt: skip


# --- thresholds -----------------------------------------------------------------------------------


def _find_thresholds(
    images: Sequence[ImageSource],
    grids: dict[str, _SampleGrid],
    background: Background,
    seen: _Seen,
    seed: int,
) -> list[float] | None:
    """Find the threshold of each channel; infinite for a constant one.

    None where all are, and for ``auto`` where one has no clear background.
    """
    random = np.random.default_rng(seed)
    planes = [(image, t, z) for image in images
              for t, z in product(range(image.length("T")), image.planes)]  # fmt: skip
    if len(planes) > SAMPLE_PLANES:
        chosen = np.sort(random.choice(len(planes), SAMPLE_PLANES, replace=False))
        planes = [planes[i] for i in chosen]
    drawn = []
    for image, t, z in planes:
        try:
            drawn += _draw(image, t, z, grids[image.name], seen, len(planes), random)
        except InputError:
            continue  # the extraction reports the image and leaves it out
    if not drawn:
        return None
    values = np.concatenate(drawn, axis=1)
    if background.method == "auto":
        found = [_above_background(channel) for channel in values]
        clear = None not in found and np.isfinite(np.array(found, float)).any()
        return [float(one) for one in found if one is not None] if clear else None
    thresholds = [_otsu(channel) * background.factor for channel in values]
    return thresholds if np.isfinite(thresholds).any() else None


def _draw(
    image: ImageSource,
    t: int,
    z: int,
    grid: _SampleGrid,
    seen: _Seen,
    planes: int,
    random: np.random.Generator,
) -> list[np.ndarray]:
    """Draw the share of one of some ``planes`` in the sample: arrays (C, n)."""
    side = SAMPLE_SIDE * grid.stride
    regions = list(squares(image.level_height_width(grid.level), (side, side)))
    count = min(len(regions), max(1, SAMPLE_SQUARES // planes))
    drawn = []
    for i in random.choice(len(regions), count, replace=False):
        pixels, opaque = grid.read(image, t, z, regions[i])
        values = seen(pixels)[:, opaque]
        values = values[:, np.isfinite(values).all(axis=0)]
        most = max(1, SAMPLE // (planes * count))
        if values.shape[1] > most:
            values = values[:, random.choice(values.shape[1], most, replace=False)]
        drawn.append(values)
    return drawn


def _otsu(values: np.ndarray) -> float:
    """Otsu's threshold of (n,) values; infinite where they are all the same, or there is none."""
    if not values.size or values.min() == values.max():
        return np.inf
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2:
        return float(threshold_otsu(values))
    # Many bins: a few bright pixels must not make one bin of all others.
    return float(threshold_otsu(values.astype(np.float64), nbins=1 << 16))


def _above_background(values: np.ndarray) -> float | None:
    """Value above which one of (n,) is no background; None where there is no clear background.

    Infinite where all are the same. Clear: the commonest value is near the lowest, little scatters
    below it, and what lies above its noise lies far above. Textures that fill an image, and
    transmitted light, have no such value.
    """
    if not values.size or values.min() == values.max():
        return np.inf
    values = values.astype(np.float64)
    low, high = np.percentile(values, (0.1, 99.9))
    high = high if high > low else values.max()
    counts, edges = np.histogram(values.clip(low, high), BINS)
    bin_width = edges[1] - edges[0]
    # Smoothed, as integers may leave every other bin empty.
    level = edges[np.argmax(np.convolve(counts, np.ones(3), "same"))] + bin_width / 2
    # Of what scatters below, as cells are above: 1.4826 times the median makes it one of a normal
    # distribution. Never less than the histogram can tell.
    below = level - values[values <= level]
    spread = 1.4826 * float(np.median(below)) if below.size else 0.0
    noise = max(spread, bin_width / 2)
    threshold = level + NOISES * noise
    above = values[values > threshold]
    clear = (
        level - low <= MOST_LEVEL * (high - low)
        and above.size > 0
        and above.mean() - level >= CLEAR * noise
    )
    return threshold if clear else None


# --- shares ---------------------------------------------------------------------------------------


def _shares(
    images: Sequence[ImageSource],
    grids: dict[str, _SampleGrid],
    table: pd.DataFrame,
    seen: _Seen,
    thresholds: list[float] | None,
    progress: Callable[[int, int], None] | None,
    side: int,
) -> np.ndarray:
    """Share of each window, (N,) float32: of foreground, or without thresholds of what shows."""
    share = np.ones(len(table), np.float32)
    needed = {i.name: i for i in images if thresholds is not None or i.alpha is not None}
    blocks = {name: blocks_of(i, side, grids[name].level) for name, i in needed.items()}
    rows_by_plane = {
        plane: rows
        for plane, rows in table.groupby(["image", "t", "z"]).indices.items()
        if plane[0] in needed
    }
    done, total = 0, sum(len(blocks[name]) for name, _, _ in rows_by_plane)
    unreadable: set[str] = set()
    for (name, t, z), rows in rows_by_plane.items():
        image, grid = needed[name], grids[name]
        windows = _Windows.of(table.iloc[rows], *grid.places(image))
        for block in blocks[name]:
            if name not in unreadable:
                try:
                    pixels, opaque = grid.read(image, int(t), int(z), block)
                except InputError:
                    unreadable.add(name)  # the extraction reports it and leaves it out
                else:
                    top, left = (grid.within(part).start for part in block)
                    for part in squares(opaque.shape, (side, side)):
                        mask = _foreground(pixels[:, *part], opaque[part], seen, thresholds)
                        windows.add(mask, top + part[0].start, left + part[1].start)
            done += 1
            if progress is not None:
                progress(done, total)
        share[rows] = windows.count / np.maximum(windows.area, 1)
    share[table["image"].isin(unreadable).to_numpy()] = np.nan
    return share


def _foreground(
    pixels: np.ndarray, opaque: np.ndarray, seen: _Seen, thresholds: list[float] | None
) -> np.ndarray:
    """Which pixels of (C, h, w) are foreground, (h, w) bool."""
    if thresholds is None:
        return opaque
    above = [
        channel > threshold for channel, threshold in zip(seen(pixels), thresholds, strict=True)
    ]
    return np.logical_or.reduce(above) & opaque


@dataclass(eq=False)
class _Windows:
    """Windows of one plane, as half-open ranges of what is looked at; ``count``: foreground."""

    top: np.ndarray
    bottom: np.ndarray
    left: np.ndarray
    right: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame, rows: np.ndarray, columns: np.ndarray) -> _Windows:
        half = table["size"].to_numpy() / 2
        y, x = table["y"].to_numpy(), table["x"].to_numpy()
        return cls(
            np.searchsorted(rows, y - half),
            np.searchsorted(rows, y + half),
            np.searchsorted(columns, x - half),
            np.searchsorted(columns, x + half),
            np.zeros(len(table), np.int64),
        )

    @property
    def area(self) -> np.ndarray:
        """Pixels looked at in each window, inside the image."""
        return (self.bottom - self.top) * (self.right - self.left)

    def add(self, mask: np.ndarray, top: int, left: int) -> None:
        """Count the foreground of a part of the plane, (h, w) bool that begins at (top, left)."""
        height, width = mask.shape
        here = np.flatnonzero(
            (self.bottom > top) & (self.top < top + height)
            & (self.right > left) & (self.left < left + width)
        )  # fmt: skip
        if not len(here):
            return
        # Sums of all above and left of a place give the sum of any box by four of them.
        integral = np.zeros((height + 1, width + 1), np.int32)
        np.cumsum(mask, axis=0, dtype=np.int32, out=integral[1:, 1:])
        np.cumsum(integral[1:, 1:], axis=1, out=integral[1:, 1:])
        y0, y1 = ((v[here] - top).clip(0, height) for v in (self.top, self.bottom))
        x0, x1 = ((v[here] - left).clip(0, width) for v in (self.left, self.right))
        self.count[here] += (
            integral[y1, x1] - integral[y0, x1] - integral[y1, x0] + integral[y0, x0]
        )
