"""What is cut: windows on a grid, around objects or around points, and which of them are kept."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from napari_tsimcne.recipe._settings import Settings

Unit = Literal["pixel", "µm"]
LEAST_PIXELS, MOST_PIXELS = 8, 1024


class _Windows(Settings):
    """Square windows: ``size`` is their side in ``unit``, ``pixels`` the side of what is stored.

    Where the two differ, windows are resampled, so that images of different pixel sizes meet at
    one physical scale. ``pixels`` 0 is found when patches are cut: ``size`` where you give that in
    pixels, else what loses no detail of the finest image, at most 128.
    """

    size: float = Field(default=32, ge=0)
    unit: Unit = "pixel"
    pixels: int = Field(default=0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _pixels_are_size(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("unit", "pixel") == "pixel":
            size = values.get("size", cls.model_fields["size"].default)
            whole = isinstance(size, int | float) and size and size == int(size)
            if whole and not values.get("pixels"):
                return {**values, "pixels": size}
        return values

    @model_validator(mode="after")
    def _in_range(self) -> Self:
        if self.unit == "pixel" and self.size != round(self.size):
            raise ValueError("a size in pixels must be a whole number")
        if self.pixels and not LEAST_PIXELS <= self.pixels <= MOST_PIXELS:
            raise ValueError(
                f"a patch must have {LEAST_PIXELS} to {MOST_PIXELS} pixels: set pixels to "
                "resample smaller or larger windows"
            )
        return self


class Grid(_Windows):
    """Square patches on a regular grid over every image.

    ``stride``: step from window to window in ``unit``; 0: as ``size``, tiles side by side.
    ``offset``: where the first window begins, (y, x) in ``unit``. ``edges``: windows that
    reach beyond the image are dropped, or padded (mirrored), so that every pixel is covered.
    """

    kind: Literal["grid"] = "grid"
    size: float = Field(default=32, gt=0)
    stride: float = Field(default=0, ge=0)
    offset: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] = (0.0, 0.0)
    edges: Literal["drop", "pad"] = "drop"

    @property
    def step(self) -> float:
        """Step from window to window, in ``unit``."""
        return self.stride or self.size


class Objects(_Windows):
    """One patch an object of a label image, centred on its centroid.

    ``size`` 0: one size for all, so that so many ``percentile`` percent of the objects fit in
    wholly. ``surroundings``: pixels of other objects and of the background are kept, ``dim`` (at
    ``dimming`` of their value) or set to 0 (``mask``). ``border``: objects that touch the
    image's border are kept. ``least_area``: smaller objects are left out, in pixels.
    """

    kind: Literal["objects"] = "objects"
    size: float = Field(default=0, ge=0)
    percentile: float = Field(default=95, gt=0, le=100)
    surroundings: Literal["keep", "dim", "mask"] = "keep"
    dimming: float = Field(default=0.3, ge=0, le=1)
    border: bool = False
    least_area: int = Field(default=0, ge=0)


class Points(_Windows):
    """One patch a point, centred on it; beyond the image's edge it is mirrored."""

    kind: Literal["points"] = "points"
    size: float = Field(default=32, gt=0)


Patches = Annotated[Grid | Objects | Points, Field(discriminator="kind")]


class Depth(Settings):
    """What is made of the depth (Z) of an image.

    ``slices``: each is an image of its own; ``plane``: one of them, counted from 0; ``max`` and
    ``mean``: a projection.
    """

    method: Literal["slices", "plane", "max", "mean"] = "slices"
    plane: int = Field(default=0, ge=0)


class Background(Settings):
    """Which windows of a grid have no content and are skipped.

    A pixel is foreground where a channel is brighter than its threshold (``otsu``), or where an
    RGB image is more saturated than its threshold (``tissue``: stain on glass). Thresholds are
    Otsu's over the whole collection, times ``factor``. Windows with a smaller share of
    foreground than ``least_foreground`` are skipped; whatever an alpha channel hides is not
    foreground. ``none`` keeps all windows but those that an alpha channel hides wholly.

    ``auto``: where every channel has a clear background, foreground is whatever stands out of it
    by more than its noise, of RGB images in saturation; else all windows are kept, as of cells that
    fill the images, or in transmitted light. `SKIP_EMPTY` uses it.
    """

    method: Literal["none", "otsu", "tissue", "auto"] = "none"
    factor: float = Field(default=1.0, gt=0, le=10)
    least_foreground: float = Field(default=0.1, ge=0, le=1)


SKIP_EMPTY = Background(method="auto", least_foreground=0.02)
"""Skips windows that are empty, where images have background: what window and terminal suggest."""
