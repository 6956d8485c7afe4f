"""Arrays as files hold them, made into images: axes named, colours apart from alpha."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._axes import name_axes
from napari_tsimcne.images._levels import is_reduced_copy, levels_left_out
from napari_tsimcne.images._source import (
    AXES,
    ImageSource,
    Indices,
    Level,
    default_channel_names,
)
from napari_tsimcne.images._units import PIXEL

Load = Callable[[], Any]
Selection = tuple[int | slice, ...]

_POSITION, _OPACITY = "position", "opacity"


@dataclass(frozen=True)
class StoredArray:
    """An array of a file and what the file says of it.

    Parameters
    ----------
    axes
        A letter a dimension: one of ``TCZYX``, ``S`` for the samples of colours, None where the
        file does not say, and any other letter for positions, which become images of their own.
    levels
        Shape and array of each copy at lower resolution, the finest first.
    alpha
        Whether the last sample is opacity: of four samples, or of two (grey).
    indices
        Where colours, the last axis, come from a palette: the array of what stands for them.
    """

    axes: Sequence[str | None]
    shape: tuple[int, ...]
    dtype: np.dtype
    load: Load
    levels: Sequence[tuple[tuple[int, ...], Load]] = ()
    channel_names: Sequence[str] = ()
    pixel_size: tuple[float, float] = PIXEL[0]
    unit: str = PIXEL[1]
    alpha: bool = False
    notes: tuple[str, ...] = ()
    indices: Indices | None = None

    def images(self, name: str, path: Path) -> list[ImageSource]:
        """Images of the array, one a position; axes of length 1 are dropped.

        Raises
        ------
        InputError
            Where the array is no image, see `ImageSource`.
        """
        shape = tuple(int(n) for n in self.shape)
        unnamed = [i for i, axis in enumerate(self.axes) if axis is None]
        plane = unnamed[-2:] if "Y" not in self.axes else []
        kept = [
            i for i, axis in enumerate(self.axes)
            if shape[i] != 1 or axis in ("Y", "X") or i in plane
        ]  # fmt: skip
        samples = shape[self.axes.index("S")] if "S" in self.axes else 0
        colours = samples == (4 if self.alpha else 3)
        letters = self._letters(kept, colours, grey_alpha=self.alpha and samples == 2)
        positions = [i for i in kept if letters[i] == _POSITION]
        drawn = [i for i in kept if letters[i] not in (_POSITION, _OPACITY)]
        order = sorted(drawn, key=lambda i: letters[i] == "S")  # colours come last
        axes = "".join(letters[i] for i in order)
        selection: list[int | slice] = [slice(None) if i in drawn else 0 for i in range(len(shape))]
        if colours:
            selection[self.axes.index("S")] = slice(0, 3)
        view = _View(tuple(selection), tuple(order))
        images = []
        for place in product(*(range(shape[i]) for i in positions)):
            at = view.at(dict(zip(positions, place, strict=True)))
            images.append(self._image(name, path, axes, at, alpha=self._alpha(at, samples)))
        return images

    def _letters(self, kept: list[int], colours: bool, grey_alpha: bool) -> dict[int, str]:
        """Letter of each axis, `_POSITION`, or `_OPACITY` for grey and alpha side by side."""
        given = [self.axes[i] for i in kept]
        letters: list[str | None] = []
        for letter in given:
            if letter == "S" and not colours:
                letter = _OPACITY if grey_alpha else _POSITION if "C" in given else "C"
            elif letter is not None and (
                letter not in AXES or letter in letters or (letter == "C" and colours)
            ):
                letter = _POSITION
            letters.append(letter)
        lengths = [int(self.shape[i]) for i in kept]
        named = name_axes(letters, lengths)
        if not {"Y", "X"} <= set(named):
            raise InputError(f"an array of shape {tuple(self.shape)} has no rows and columns")
        return {i: letter or _POSITION for i, letter in zip(kept, named, strict=True)}

    def _image(
        self, name: str, path: Path, axes: str, view: _View, alpha: Load | None
    ) -> ImageSource:
        shape = view.shape(self.shape)
        names = default_channel_names(axes, shape)
        if len(self.channel_names) == len(names):
            names = tuple(self.channel_names)
        y, x = axes.index("Y"), axes.index("X")
        levels = []
        for level_shape, load in self.levels:
            if len(level_shape) != len(self.shape):
                continue
            lower = view.shape(level_shape)
            if is_reduced_copy(axes, shape, lower):
                levels.append(Level((lower[y], lower[x]), partial(_viewed, load, view)))
        levels.sort(key=lambda level: level.height_width, reverse=True)
        notes = self.notes
        if len(levels) < len(self.levels):
            notes += (levels_left_out(len(self.levels) - len(levels), len(self.levels)),)
        return ImageSource(
            name=name,
            axes=axes,
            shape=shape,
            dtype=self.dtype.newbyteorder("="),
            channel_names=names,
            load=partial(_viewed, self.load, view),
            pixel_size=self.pixel_size,
            unit=self.unit,
            path=path,
            levels=tuple(levels),
            alpha=alpha,
            notes=notes,
            indices=self._indices(view),
        )

    def _indices(self, view: _View) -> Indices | None:
        if self.indices is None:
            return None
        without = _View(view.selection[:-1], view.order[:-1])  # colours come last
        dtype = self.indices.dtype.newbyteorder("=")
        return Indices(partial(_viewed, self.indices.load, without), dtype)

    def _alpha(self, view: _View, samples: int) -> Load | None:
        if not self.alpha or samples not in (2, 4):
            return None
        axis = self.axes.index("S")
        opacity = replace(view, order=tuple(i for i in view.order if i != axis))
        return partial(_viewed, self.load, opacity.at({axis: samples - 1}))


@dataclass(frozen=True)
class _View:
    """Which part of an array is looked at: an index or slice an axis, and the order of axes."""

    selection: Selection
    order: tuple[int, ...]

    def at(self, places: dict[int, int]) -> _View:
        selection = tuple(places.get(i, chosen) for i, chosen in enumerate(self.selection))
        return replace(self, selection=selection)

    def shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return tuple(len(range(int(shape[i]))[self.selection[i]]) for i in self.order)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _ViewedArray:
    """An array seen through a view; ``chunks`` as of the array, where it has any."""

    array: Any
    view: _View
    chunks: tuple[int, ...] | None = field(init=False)

    def __post_init__(self) -> None:
        chunks = getattr(self.array, "chunksize", None) or getattr(self.array, "chunks", None)
        own = tuple(int(chunks[i]) for i in self.view.order) if chunks else None
        object.__setattr__(self, "chunks", own)

    def __getitem__(self, index: tuple[int | slice, ...]) -> np.ndarray:
        full: list[Any] = list(self.view.selection)
        for axis, asked in zip(self.view.order, index, strict=True):
            chosen = range(int(self.array.shape[axis]))[full[axis]][asked]
            full[axis] = (
                slice(chosen.start, chosen.stop, chosen.step)
                if isinstance(chosen, range)
                else chosen
            )
        left = [axis for axis in self.view.order if isinstance(full[axis], slice)]
        region = np.asarray(self.array[tuple(full)])
        native = region.astype(region.dtype.newbyteorder("="), copy=False)
        return native.transpose([sorted(left).index(axis) for axis in left])


def _viewed(load: Load, view: _View) -> _ViewedArray:
    return _ViewedArray(load(), view)
