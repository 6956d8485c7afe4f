"""From windows to crops: which pixels of a plane a window needs, and how they become a patch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import affine_transform, gaussian_filter

from napari_tsimcne.images import ImageSource

ALIKE = 1e-6
"""Relative difference up to which a window and its stored patch have the same size."""


def snapped(table: pd.DataFrame, pixels: int) -> pd.DataFrame:
    """Move windows that are stored as they are to whole pixels, by half a pixel at most."""
    size = table["size"].to_numpy()
    as_is = np.abs(size - pixels) <= ALIKE * pixels
    half = (size - 1) / 2
    moved = {
        axis: np.where(as_is, np.round(table[axis].to_numpy() - half) + half, table[axis])
        for axis in ("y", "x")
    }
    return table.assign(**moved)


@dataclass(frozen=True)
class Windows:
    """Windows of one plane of an image, at the level of resolution they are read from.

    ``height_width`` is of that level, ``full`` of the image. ``needed`` (n, 2, 2) int64: first and
    last + 1 row and column of the pixels that each window takes, before mirroring at the edge of
    the image. ``begin`` (n, 2): where the centre of its first pixel lies. ``step`` (2,): pixels
    of the level from one stored pixel to the next. ``side``: of a crop.
    """

    level: int
    height_width: tuple[int, int]
    full: tuple[int, int]
    needed: np.ndarray
    begin: np.ndarray
    step: np.ndarray
    side: int

    @classmethod
    def of(cls, image: ImageSource, rows: pd.DataFrame, pixels: int, margin: int) -> Windows:
        """Take windows of equal size from the rows of a patch table."""
        zoom = float(rows["size"].iloc[0]) / pixels
        level = image.level_for(zoom) if zoom > 1 else 0
        reduction = np.array(image.reduction(level))
        centre = (rows[["y", "x"]].to_numpy(np.float64) + 0.5) / reduction - 0.5
        step = zoom / reduction
        side = pixels + 2 * margin
        begin = centre - (side - 1) / 2 * step
        as_is = bool((np.abs(step - 1) <= ALIKE).all())
        if as_is:
            step = np.ones(2)
            begin = np.round(begin)
            first, last = begin, begin + side
        else:
            # Linear interpolation needs one pixel more, smoothing what its kernel reaches.
            reach = np.ceil(4 * _smoothing(step)) + 1
            first = np.floor(begin) - reach
            last = np.ceil(begin + (side - 1) * step) + 1 + reach
        needed = np.stack([first, last], axis=-1).astype(np.int64)
        return cls(
            level, image.level_height_width(level), image.height_width, needed, begin, step, side
        )

    @property
    def spans(self) -> np.ndarray:
        """Pixels inside the image that each takes, mirrored ones too, (n, 2, 2) int64."""
        spans = self.needed.copy()
        for axis, length in enumerate(self.height_width):
            beyond = (spans[:, axis, 0] < 0) | (spans[:, axis, 1] > length)
            for row in np.flatnonzero(beyond):
                inside = _mirrored(np.arange(*self.needed[row, axis]), length)
                spans[row, axis] = inside.min(), inside.max() + 1
        return spans

    def some(self, chosen: np.ndarray) -> Windows:
        """Return the windows of some numbers."""
        return replace(self, needed=self.needed[chosen], begin=self.begin[chosen])

    def crops(self, region: np.ndarray, corner: np.ndarray) -> np.ndarray:
        """Cut the windows out of a region that holds all they take.

        Parameters
        ----------
        region
            (C, h, w), pixels of the level.
        corner
            Row and column of the region's first pixel, (2,).

        Returns
        -------
        numpy.ndarray
            (n, C, side, side) in the region's dtype.
        """
        resampled = (self.step != 1).any()
        within = (self.needed >= 0).all() and (self.needed[..., 1] <= self.height_width).all()
        if within and not resampled:
            # All at once: threads that copy one by one wait for each other at every crop.
            every = sliding_window_view(region, (self.side, self.side), axis=(1, 2))
            rows, columns = (self.needed[..., 0] - corner).T
            return every.transpose(1, 2, 0, 3, 4)[rows, columns]
        out = np.empty((len(self.needed), len(region), self.side, self.side), region.dtype)
        for crop, needed, begin in zip(out, self.needed, self.begin, strict=True):
            pixels = _taken(region, corner, needed, self.height_width)
            if resampled:
                pixels = self._resampled(pixels, begin - needed[:, 0])
            crop[...] = pixels
        return out

    def _resampled(self, pixels: np.ndarray, begin: np.ndarray) -> np.ndarray:
        """Resample linearly; where pixels become fewer, after a blur against aliasing.

        The blur's standard deviation is (step - 1) / 2, as in skimage.transform.resize.
        """
        out = np.empty((len(pixels), self.side, self.side), pixels.dtype)
        smoothing = _smoothing(self.step)
        for channel, values in zip(out, pixels, strict=True):
            smooth = values.astype(np.float32)
            if smoothing.any():
                smooth = gaussian_filter(smooth, smoothing, mode="nearest")
            made = affine_transform(
                smooth, self.step, begin, channel.shape, order=1, mode="nearest"
            )  # fmt: skip
            if pixels.dtype.kind == "b":
                channel[...] = made >= 0.5
            elif pixels.dtype.kind in "ui":
                channel[...] = np.rint(made)
            else:
                channel[...] = made
        return out

    def places(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns (side,) of the image at full resolution under the pixels of a crop."""
        axes = []
        for axis, length in enumerate(self.full):
            ratio = length / self.height_width[axis]
            at = self.begin[number, axis] + np.arange(self.side) * self.step[axis]
            at = np.round((at + 0.5) * ratio - 0.5).astype(np.int64)
            axes.append(_mirrored(at, length))
        return axes[0], axes[1]


def _smoothing(step: np.ndarray) -> np.ndarray:
    return np.maximum(0, (step - 1) / 2)


def _mirrored(at: np.ndarray, length: int) -> np.ndarray:
    """Pixels inside that stand for those at ``at``: the image is mirrored at its edges."""
    at = at % (2 * length)
    return np.where(at < length, at, 2 * length - 1 - at)


def _taken(
    region: np.ndarray, corner: np.ndarray, needed: np.ndarray, height_width: tuple[int, int]
) -> np.ndarray:
    """Pixels (C, h, w) that a window needs, mirrored where it reaches beyond the image."""
    (top, bottom), (left, right) = needed.tolist()
    height, width = height_width
    if top >= 0 and left >= 0 and bottom <= height and right <= width:
        return region[:, top - corner[0] : bottom - corner[0], left - corner[1] : right - corner[1]]
    rows = _mirrored(np.arange(top, bottom), height) - corner[0]
    columns = _mirrored(np.arange(left, right), width) - corner[1]
    return region[:, rows[:, None], columns]
