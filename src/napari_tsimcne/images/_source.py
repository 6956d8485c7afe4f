"""One n-D picture with named axes, read region by region."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._exchanged import columns_first, rows_first
from napari_tsimcne.images._units import MICROMETRES
from napari_tsimcne.recipe import Depth

T = TypeVar("T")

AXES = "TCZYXS"
"""Time, channel, depth, row, column, and the samples of an RGB image (always last)."""

MOST_CHANNELS = 5
"""An axis without a name is taken as channels up to this length, as depth above."""


class Skipped(NamedTuple):
    """A file, or image of a file, that was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Level:
    """A copy of an image at lower resolution: its rows and columns, and its array."""

    height_width: tuple[int, int]
    load: Callable[[], Any] = field(repr=False)


class Indices(NamedTuple):
    """Values that stand for the colours of a palette: their array, without samples, and dtype."""

    load: Callable[[], Any]
    dtype: np.dtype


@dataclass(frozen=True, eq=False)
class ImageSource:
    """One image: named axes, channel names, pixel size, and lazy access to its pixels.

    Parameters
    ----------
    name
        Unique among the images of a run; the patch table's column ``image`` holds it.
    axes
        One letter of ``TCZYXS`` for each dimension of the array, ``Y`` and ``X`` among them.
        ``S`` marks the samples of an RGB image.
    shape, dtype
        Of the array, in the order of ``axes``; dtype is an integer, float or bool type.
    channel_names
        One a channel.
    pixel_size
        Distance of neighbouring pixels along (y, x), in ``unit``.
    path, series
        The file it was read from, None for arrays and layers, and which image of that file.
    load
        Returns the array (numpy, zarr or dask); called when pixels are first asked for.
    levels
        Copies at lower resolution, the finest first, with the same axes.
    alpha
        Returns an array of the same axes without channels, 0 where the image is transparent.
    depth
        What is made of the Z axis, see `planes` and `read`.
    notes
        What was not taken as it is stated, one sentence each.
    as_rgb
        The RGB image as it is stored, where it is taken as one channel, as it is grey.
    indices
        Of an image whose colours come from a palette: the values that stand for them.
    unnumbered
        The label image as it is stored, where its connected regions are numbered.
    exchanged
        Rows and columns are stored the other way round, and exchanged as they are read.
    """

    name: str
    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype
    channel_names: tuple[str, ...]
    load: Callable[[], Any] = field(repr=False)
    pixel_size: tuple[float, float] = (1.0, 1.0)
    unit: str = "pixel"
    path: Path | None = None
    series: int = 0
    levels: tuple[Level, ...] = field(default=(), repr=False)
    alpha: Callable[[], Any] | None = field(default=None, repr=False)
    depth: Depth = field(default_factory=Depth)
    notes: tuple[str, ...] = ()
    as_rgb: ImageSource | None = field(default=None, repr=False)
    indices: Indices | None = field(default=None, repr=False)
    unnumbered: ImageSource | None = field(default=None, repr=False)
    exchanged: bool = False

    def __post_init__(self) -> None:
        where = f"image '{self.name}'"
        if len(self.axes) != len(self.shape) or len(set(self.axes)) != len(self.axes):
            raise InputError(f"{where}: axes '{self.axes}' do not describe a shape {self.shape}")
        if not set("YX") <= set(self.axes) <= set(AXES) or set("CS") <= set(self.axes):
            raise InputError(
                f"{where}: axes '{self.axes}' need Y and X, and at most T, Z and C or S"
            )
        if 0 in self.shape:
            raise InputError(f"{where} is empty: its shape is {self.shape}")
        if self.dtype.kind not in "buif":
            raise InputError(
                f"{where} holds {self.dtype} values; only integers and floats can be used"
            )
        if len(self.channel_names) != self.channels:
            raise InputError(
                f"{where} has {self.channels} channels but {len(self.channel_names)} channel names"
            )

    @classmethod
    def from_array(
        cls,
        array: Any,
        axes: str | None = None,
        *,
        name: str = "image",
        channel_names: Sequence[str] | None = None,
        pixel_size: tuple[float, float] = (1.0, 1.0),
        unit: str = "pixel",
    ) -> ImageSource:
        """Take a numpy, zarr or dask array.

        ``axes`` may be left out for (Y, X), and for (Y, X, 3) of uint8, which is taken as RGB.

        Raises
        ------
        InputError
            Where the axes are missing or do not fit the array.
        """
        if axes is None:
            if array.ndim == 2:
                axes = "YX"
            elif array.ndim == 3 and array.shape[-1] == 3 and array.dtype == np.uint8:
                axes = "YXS"
            else:
                raise InputError(
                    f"image '{name}' of shape {array.shape}: name its axes, for example axes='CYX'"
                )
        axes = axes.upper()
        if len(axes) != array.ndim:
            raise InputError(f"image '{name}': axes '{axes}' do not describe {array.shape}")
        return cls(
            name=name,
            axes=axes,
            shape=tuple(int(n) for n in array.shape),
            dtype=np.dtype(array.dtype),
            channel_names=tuple(channel_names or default_channel_names(axes, array.shape)),
            load=lambda: array,
            pixel_size=pixel_size,
            unit=unit,
        )

    def renamed(self, name: str) -> ImageSource:
        """Return the same image under another name."""
        return replace(self, name=name)

    def with_axes(self, axes: str) -> ImageSource:
        """Return the same image with its axes named anew, one letter of ``TCZYX`` each.

        RGB samples keep their place and are left out; named as ``C`` they are channels. Where
        ``X`` comes before ``Y``, rows and columns are exchanged.

        Raises
        ------
        InputError
            Where the letters do not fit its shape.
        """
        axes = axes.upper()
        if self.rgb and not axes.endswith(("S", "C")):
            axes += "S"
        names = self.channel_names
        if len(axes) == len(self.shape):
            renamed = default_channel_names(axes, self.shape)
            names = names if len(names) == len(renamed) else renamed
        indices = self.indices if self.rgb == axes.endswith("S") else None
        stored = self.as_rgb and self.as_rgb.with_axes(axes)
        image = replace(self, axes=axes, channel_names=names, indices=indices, as_rgb=stored)
        if columns_first(axes) == columns_first(self.axes):
            return image
        # What was said of rows is of columns now.
        levels = (Level(level.height_width[::-1], level.load) for level in self.levels)
        image = replace(image, levels=tuple(levels), pixel_size=self.pixel_size[::-1])
        return rows_first(image) if columns_first(axes) else image

    def at_depth(self, depth: Depth) -> ImageSource:
        """Return the same image with another use of its Z axis.

        Raises
        ------
        InputError
            Where the image lacks the chosen plane.
        """
        if depth.method == "plane" and depth.plane >= self.length("Z"):
            raise InputError(
                f"image '{self.name}' has no plane {depth.plane}: its {self.length('Z')} planes "
                "are counted from 0"
            )
        return replace(self, depth=depth)

    def with_pixel_size(self, size: float, unit: str = "µm") -> ImageSource:
        """Return the same image with square pixels of a known size."""
        return replace(self, pixel_size=(size, size), unit=unit)

    def length(self, axis: str) -> int:
        """Length along an axis letter, 1 where the image lacks it."""
        return self.shape[self.axes.index(axis)] if axis in self.axes else 1

    @property
    def rgb(self) -> bool:
        """Whether its channels are red, green and blue."""
        return "S" in self.axes

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.length("S" if self.rgb else "C")

    @property
    def height_width(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.length("Y"), self.length("X")

    @property
    def planes(self) -> tuple[int, ...]:
        """Z of the planes that patches are cut from; 0 stands for a projection."""
        if self.depth.method == "slices":
            return tuple(range(self.length("Z")))
        return (self.depth.plane,) if self.depth.method == "plane" else (0,)

    @property
    def micrometres(self) -> float:
        """Side of a pixel in µm.

        Raises
        ------
        InputError
            Where the image does not say it, or its pixels are not square.
        """
        y, x = self.pixel_size
        if self.unit not in MICROMETRES:
            raise InputError(
                f"image '{self.name}' does not say how large its pixels are: give sizes in pixels, "
                "or give the pixel size"
            )
        if abs(y - x) > 0.01 * max(y, x):
            raise InputError(
                f"the pixels of image '{self.name}' are {y:g} x {x:g} {self.unit}, not square: "
                "give sizes in pixels"
            )
        return (y + x) / 2 * MICROMETRES[self.unit]

    def level_for(self, factor: float) -> int:
        """Return the coarsest level that is not reduced by more than ``factor``; 0: the image."""
        fitting = [
            n for n in range(len(self.levels) + 1) if max(self.reduction(n)) <= factor * 1.01
        ]
        return max(fitting, default=0)

    def reduction(self, level: int) -> tuple[float, float]:
        """How many pixels (y, x) of the image one pixel of a level spans."""
        if level == 0:
            return 1.0, 1.0
        height, width = self.levels[level - 1].height_width
        return self.length("Y") / height, self.length("X") / width

    def level_height_width(self, level: int) -> tuple[int, int]:
        """Rows and columns of a level; 0: the image."""
        return self.height_width if level == 0 else self.levels[level - 1].height_width

    def chunk(self, level: int = 0) -> tuple[int, int]:
        """Rows and columns that are read at once, the whole image where it is not in parts."""
        array = self._array(level)
        chunks = getattr(array, "chunksize", None) or getattr(array, "chunks", None)
        height, width = self.level_height_width(level)
        if not chunks or len(chunks) != len(self.axes):
            return height, width
        return (min(int(chunks[self.axes.index("Y")]), height),
                min(int(chunks[self.axes.index("X")]), width))  # fmt: skip

    def read(self, t: int, z: int, rows: slice, columns: slice, level: int = 0) -> np.ndarray:
        """Return pixels of one plane, (C, h, w) in the original dtype.

        ``rows`` and ``columns`` are slices inside the level. Only this region is read where the
        file's format allows it. Where ``depth`` is a projection, ``z`` is not looked at.

        Raises
        ------
        InputError
            Where the pixels cannot be read, with the name of the image and the reason.
        """
        if self.depth.method in ("max", "mean") and "Z" in self.axes:
            return self._projected(t, rows, columns, level)
        region = self._region(lambda: self._array(level), self.axes, t, z, rows, columns)
        left = [axis for axis in self.axes if axis not in "TZ"]
        channel = "S" if self.rgb else "C"
        if channel in left:
            region = np.moveaxis(region, left.index(channel), 0)
            left.remove(channel)
        else:
            region = region[np.newaxis]
        return region if left == ["Y", "X"] else region.swapaxes(-1, -2)

    def opaque(self, t: int, z: int, rows: slice, columns: slice) -> np.ndarray | None:
        """Whether pixels of one plane are not transparent, (h, w) bool; None without alpha."""
        if self.alpha is None:
            return None
        axes = "".join(axis for axis in self.axes if axis not in "CS")
        region = self._region(self.alpha, axes, t, z, rows, columns)
        return (region if axes.index("Y") < axes.index("X") else region.T) > 0

    def _array(self, level: int) -> Any:
        load = self.load if level == 0 else self.levels[level - 1].load
        return self._readable(load)

    def _readable(self, read: Callable[[], T]) -> T:
        """Read; whatever goes wrong becomes one sentence with the name of the image."""
        try:
            return read()
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"the pixels of '{self.name}' could not be read ({reason_of(error)})"
            ) from error

    def _region(
        self, load: Callable[[], Any], axes: str, t: int, z: int, rows: slice, columns: slice
    ) -> np.ndarray:
        at = {"T": t, "Z": z, "Y": rows, "X": columns}
        index = tuple(at.get(axis, slice(None)) for axis in axes)
        return self._readable(lambda: np.asarray(load()[index]))

    def _projected(self, t: int, rows: slice, columns: slice, level: int) -> np.ndarray:
        """Project plane by plane, so that memory does not grow with the depth."""
        slices = replace(self, depth=Depth())
        planes = (slices.read(t, z, rows, columns, level) for z in range(self.length("Z")))
        if self.depth.method == "max":
            return reduce(np.maximum, planes)
        total = reduce(np.add, (plane.astype(np.float64) for plane in planes))
        mean = total / self.length("Z")
        return (mean if self.dtype.kind == "f" else np.rint(mean)).astype(self.dtype)

    def fingerprint(self) -> str:
        """Digest that tells whether an image found later is the same one.

        Of a file: its size, first and last MiB. Of anything else (an array, a layer, a Zarr
        folder): shape, dtype and a central region of the first plane.
        """
        stored = self.as_rgb or self.unnumbered
        if stored is not None:
            return stored.fingerprint()
        digest = hashlib.blake2b(digest_size=16)
        if self.path is not None and self.path.is_file():
            size = self.path.stat().st_size
            digest.update(str(size).encode())
            with self.path.open("rb") as file:
                digest.update(file.read(1 << 20))
                file.seek(max(0, size - (1 << 20)))
                digest.update(file.read(1 << 20))
        else:
            height, width = self.height_width
            top, left = max(0, height // 2 - 128), max(0, width // 2 - 128)
            first = replace(self, depth=Depth())
            region = first.read(0, 0, slice(top, top + 256), slice(left, left + 256))
            digest.update(f"{self.shape}{self.dtype}".encode())
            digest.update(np.ascontiguousarray(region).tobytes())
        return digest.hexdigest()


def default_channel_names(axes: str, shape: Sequence[int]) -> tuple[str, ...]:
    """Names for channels that have none."""
    if "S" in axes:
        return ("red", "green", "blue", "alpha")[: shape[axes.index("S")]]
    count = shape[axes.index("C")] if "C" in axes else 1
    return tuple(f"channel {i}" for i in range(count))


def reason_of(error: BaseException) -> str:
    """Return the first line of what an exception says, or its type where it says nothing."""
    text = str(error).strip().split("\n")[0].rstrip(". ")
    return text or type(error).__name__
