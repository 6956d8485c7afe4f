"""The rows of the list of images: layers and files, and what the user has mended in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from napari.layers import Image

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui.images._outlines import LinkedLayer, level_shape
from napari_tsimcne.images import EXCHANGED, ImageSource, from_layer, guess_axes


@dataclass(eq=False)
class LayerRow:
    """An Image layer; ``axes`` as the user has named them, "" as they are guessed.

    ``file``: a file that was added too, in place of which the layer is used.
    """

    layer: Image
    axes: str = ""
    ticked: bool = True
    file: Path | None = None

    @property
    def name(self) -> str:
        """Of the layer."""
        return self.layer.name

    @property
    def ndim(self) -> int:
        """Number of axes, without RGB samples."""
        return self.layer.ndim

    @property
    def axes_options(self) -> list[str]:
        """What its axes may be."""
        return axes_options(self.ndim)

    @property
    def guessed_axes(self) -> str:
        """Axes as they are guessed; may raise `InputError`."""
        return guess_axes(self.layer)

    @property
    def own_axes(self) -> str:
        """Axes as the user has named them, as long as there are as many; else guessed."""
        return self.axes if len(self.axes) == self.ndim else self.guessed_axes

    @property
    def known_axes(self) -> str:
        """Axes; "" where they cannot be guessed."""
        try:
            return self.own_axes
        except InputError:
            return ""

    def image(self) -> ImageSource:
        """Return the image as it is used; may raise `InputError`."""
        return from_layer(self.layer, axes=self.own_axes)

    def linked(self) -> LinkedLayer | None:
        """Return the layer with its axes; None where these cannot be guessed."""
        return LinkedLayer(self.layer, self.known_axes) if self.known_axes else None


@dataclass(eq=False)
class FileRow:
    """An image of a file; ``axes`` and ``pixel_size`` (with its unit) where they are mended.

    ``added``: the user has added it; else it came with layers that show it, and goes with them.
    ``layers`` show it; None where none do.
    """

    opened: ImageSource
    name: str
    axes: str = ""
    pixel_size: tuple[float, str] | None = None
    ticked: bool = True
    added: bool = True
    layers: LinkedLayer | None = None

    @property
    def key(self) -> tuple[Path | None, int]:
        """What tells images of files apart."""
        return self.opened.path, self.opened.series

    @property
    def ndim(self) -> int:
        """Number of axes, without RGB samples."""
        return len(self.guessed_axes)

    @property
    def axes_options(self) -> list[str]:
        """What its axes may be."""
        return axes_options(self.ndim, self.opened.rgb, exchanged=True)

    @property
    def guessed_axes(self) -> str:
        """Axes as the file says, or as they were guessed where it does not."""
        return self.opened.axes.replace("S", "")

    @property
    def own_axes(self) -> str:
        """Axes as the user has named them; else as they were read."""
        return self.axes or self.guessed_axes

    def image(self) -> ImageSource:
        """Return the image as it is used."""
        image = self.opened.renamed(self.name)
        if self.axes:
            image = image.with_axes(self.axes)
        if self.pixel_size is not None:
            image = image.with_pixel_size(*self.pixel_size)
        return image

    def linked(self) -> LinkedLayer | None:
        """Return the layers that show it; None where none do."""
        return self.layers


Row = LayerRow | FileRow


def axes_options(ndim: int, rgb: bool = False, exchanged: bool = False) -> list[str]:
    """Return what so many axes may be: rows and columns last, or only channels after them.

    ``rgb``: colours come after them, which may be taken as channels. ``exchanged``: columns may
    come before rows.
    """
    leading = ["".join(letters) for letters in permutations("TZ" if rgb else "TCZ", ndim - 2)]
    options = [f"{letters}YX" for letters in leading]
    if rgb:
        options += [f"{axes}C" for axes in options]
    else:
        options += [f"{letters[:-1]}YXC" for letters in leading if letters.endswith("C")]
    return options + [axes.translate(EXCHANGED) for axes in options if exchanged]


def described(image: ImageSource) -> str:
    """Say in one line what an image is: size, axes, channels, pixel size."""
    height, width = image.height_width
    lengths = [f"{axis} {image.length(axis)}" for axis in image.axes if axis in "TZ"]
    axes = image.axes.replace("S", "") + (f" ({', '.join(lengths)})" if lengths else "")
    return f"{height} x {width}, {axes}, {channels_of(image)}, {pixel_size_of([image])}"


def lengths_of(image: ImageSource) -> str:
    """Say in words how long the axes of an image are, and what its channels are called."""
    height, width = image.height_width
    parts = [
        f"{image.length(axis)} {word}" + ("s" if image.length(axis) != 1 else "")
        for axis, word in (("T", "time point"), ("Z", "slice"))
        if axis in image.axes
    ]
    names = f" ({', '.join(image.channel_names)})" if image.channels > 1 and not image.rgb else ""
    return ", ".join([*parts, channels_of(image) + names, f"{height} x {width} px"])


def channels_of(image: ImageSource) -> str:
    """Say how many channels an image has."""
    if image.rgb:
        return "RGB"
    return f"{image.channels} channel" + ("s" if image.channels != 1 else "")


def pixel_size_of(images: Sequence[ImageSource]) -> str:
    """Say how large the pixels of images are."""
    sizes = {(*image.pixel_size, image.unit) for image in images}
    if len(sizes) > 1:
        return "several pixel sizes"
    y, x, unit = sizes.pop()
    if unit == "pixel" and y == x:
        return "pixel size unknown"
    size = f"{y:.4g}" if y == x else f"{y:.4g} x {x:.4g}"
    return f"{size} {'px' if unit == 'pixel' else unit}/px"


def named(rows: Sequence[Row]) -> str:
    """Name some rows in a few words."""
    if len(rows) == 1:
        return rows[0].name
    return f"{len(rows):,} images"


def likely_joined(rows: Sequence[LayerRow]) -> bool:
    """Layers of one shape without channels, drawn over each other, are most likely channels."""
    layers = [row.layer for row in rows]
    together = len({level_shape(layer) for layer in layers}) == 1 and not any(
        row.layer.rgb or "C" in row.known_axes for row in rows
    )
    return together and len({tuple(layer.translate) for layer in layers}) == 1
