"""One n-D picture with named axes, read region by region."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_tsimcne.errors import InputError

AXES = "TCZYXS"
"""Time, channel, depth, row, column, and the samples of an RGB image (always last)."""

MOST_CHANNELS = 5
"""An axis without a name is taken as channels up to this length, as depth above."""


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

    def read(self, t: int, z: int, rows: slice, columns: slice) -> np.ndarray:
        """Return pixels of one plane, (C, h, w) in the original dtype.

        ``rows`` and ``columns`` are slices inside the image. Only this region is read where the
        file's format allows it.

        Raises
        ------
        InputError
            Where the pixels cannot be read, with the name of the image and the reason.
        """
        at = {"T": t, "Z": z, "Y": rows, "X": columns}
        index = tuple(at.get(axis, slice(None)) for axis in self.axes)
        try:
            region = np.asarray(self.load()[index])
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"the pixels of '{self.name}' could not be read ({reason_of(error)})"
            ) from error
        left = [axis for axis in self.axes if axis not in "TZ"]
        channel = "S" if self.rgb else "C"
        if channel in left:
            region = np.moveaxis(region, left.index(channel), 0)
        else:
            region = region[np.newaxis]
        if left.index("X") < left.index("Y"):
            region = region.swapaxes(-1, -2)
        return region

    def fingerprint(self) -> str:
        """Digest that tells whether an image found later is the same one.

        Of a file: its size, first and last MiB. Of anything else: shape, dtype and a central
        region of the first plane.
        """
        digest = hashlib.blake2b(digest_size=16)
        if self.path is not None:
            size = self.path.stat().st_size
            digest.update(str(size).encode())
            with self.path.open("rb") as file:
                digest.update(file.read(1 << 20))
                file.seek(max(0, size - (1 << 20)))
                digest.update(file.read(1 << 20))
        else:
            height, width = self.height_width
            top, left = max(0, height // 2 - 128), max(0, width // 2 - 128)
            region = self.read(0, 0, slice(top, top + 256), slice(left, left + 256))
            digest.update(f"{self.shape}{self.dtype}".encode())
            digest.update(np.ascontiguousarray(region).tobytes())
        return digest.hexdigest()


def default_channel_names(axes: str, shape: Sequence[int]) -> tuple[str, ...]:
    """Names for channels that have none."""
    if "S" in axes:
        return ("red", "green", "blue", "alpha")[: shape[axes.index("S")]]
    count = shape[axes.index("C")] if "C" in axes else 1
    return tuple(f"channel {i}" for i in range(count))


def join_channels(images: Sequence[ImageSource], name: str) -> ImageSource:
    """Join images of equal shape, each one channel or more, as the channels of one image.

    Raises
    ------
    InputError
        Where shape, axes or dtype differ, or an image is RGB.
    """
    first = images[0]
    for image in images:
        if image.rgb:
            raise InputError(f"'{image.name}' is RGB and cannot be a channel of another image")
        if "C" in image.axes:
            raise InputError(f"'{image.name}' has channels of its own: use it as an image")
        if (image.axes, image.shape) != (first.axes, first.shape):
            raise InputError(
                f"'{first.name}' {first.shape} and '{image.name}' {image.shape} differ in shape: "
                "channels of one image must be of the same size"
            )
        if image.dtype != first.dtype:
            raise InputError(
                f"'{first.name}' is {first.dtype} and '{image.name}' {image.dtype}: "
                "channels of one image must have the same type"
            )
    return replace(
        first,
        name=name,
        axes="C" + first.axes,
        shape=(len(images), *first.shape),
        channel_names=tuple(image.name for image in images),
        load=lambda: _Stacked(tuple(image.load() for image in images)),
        path=None,
    )


@dataclass(frozen=True)
class _Stacked:
    """Arrays of equal shape, indexed as if stacked along a new first axis."""

    arrays: tuple[Any, ...]

    def __getitem__(self, index: tuple) -> np.ndarray:
        chosen = self.arrays[index[0]]
        return np.stack([np.asarray(array[index[1:]]) for array in chosen])


def check_alike(images: Sequence[ImageSource]) -> None:
    """Check that images can be learnt together, and have names that tell them apart.

    Raises
    ------
    InputError
        Where channel counts, colour, dtypes or names conflict, naming two images that do.
    """
    if not images:
        raise InputError("no image was given: choose at least one image, file or folder")
    first = images[0]
    names = set()
    for image in images:
        if image.name in names:
            raise InputError(f"two images are named '{image.name}': give them different names")
        names.add(image.name)
        if image.channels != first.channels or image.rgb != first.rgb:
            raise InputError(
                f"'{first.name}' has {_channels(first)} but '{image.name}' has {_channels(image)}: "
                "images of one map need the same channels"
            )
        if image.dtype != first.dtype:
            raise InputError(
                f"'{first.name}' holds {first.dtype} values but '{image.name}' {image.dtype}: "
                "images of one map need the same type"
            )


def _channels(image: ImageSource) -> str:
    if image.rgb:
        return "RGB colours"
    return f"{image.channels} channel" + ("s" if image.channels != 1 else "")


def reason_of(error: BaseException) -> str:
    """Return the first line of what an exception says, or its type where it says nothing."""
    text = str(error).strip().split("\n")[0].rstrip(". ")
    return text or type(error).__name__
