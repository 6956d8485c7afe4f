"""What a run remembers of its images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import (
    EXCHANGED,
    ImageSource,
    as_labels,
    one_channel,
    open_file,
    seen,
    shown,
)

Count = Annotated[int, Field(ge=0, lt=2**62)]


class ImageRecord(BaseModel):
    """An image of a run: enough to describe it, find it again and know that it is the same.

    ``labels``: it is read as a label image; of earlier versions, as any image. ``number_objects``:
    and its connected regions are numbered (`as_labels`). All else is of the image before.
    ``exchanged``: its rows and columns are stored the other way round.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    axes: str
    shape: tuple[Count, ...]
    dtype: str
    channel_names: tuple[str, ...]
    pixel_size: tuple[FiniteFloat, FiniteFloat]
    unit: str
    path: Path | None
    series: Count
    fingerprint: str
    labels: bool = False
    number_objects: bool = False
    exchanged: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.axes) != len(self.shape):
            raise ValueError(f"axes {self.axes[:40]} do not fit {len(self.shape)} lengths")
        return self

    @classmethod
    def of(cls, image: ImageSource, *, labels: bool = False) -> ImageRecord:
        """Record an image, or a label image; reads what its fingerprint needs."""
        image = as_labels(image) if labels else image
        number_objects, image = image.unnumbered is not None, image.unnumbered or image
        return cls(
            name=image.name,
            axes=image.axes,
            shape=image.shape,
            dtype=str(image.dtype),
            channel_names=image.channel_names,
            pixel_size=image.pixel_size,
            unit=image.unit,
            path=seen(image.path) if image.path else None,
            series=image.series,
            fingerprint=image.fingerprint(),
            labels=labels,
            number_objects=number_objects,
            exchanged=image.exchanged,
        )

    def open(self) -> ImageSource:
        """Open the image from its file again.

        Raises
        ------
        InputError
            Where it came from no file, or the file is gone or has changed.
        """
        if self.path is None:
            raise InputError(f"'{self.name}' was a layer, not a file: open it in napari again")
        if not is_there(self.path):
            raise InputError(f"'{self.name}' is no longer at {shown(self.path)}")
        series = {image.series: image for image in open_file(self.path)}
        if self.series not in series:
            raise InputError(f"the file {shown(self.path)} has changed since the run was made")
        image = series[self.series]
        if self.labels:
            image = as_labels(image)
        if image.rgb and len(self.axes) < len(image.axes) and not set("CS") & set(self.axes):
            # As it was taken when the run was made: labels of earlier versions, too.
            image = replace(one_channel(image), indices=None)
        if len(image.axes) == len(self.axes):
            # As they were named by the user, and the pixel size.
            axes = self.axes.translate(EXCHANGED) if self.exchanged else self.axes
            image = replace(image.with_axes(axes), pixel_size=self.pixel_size, unit=self.unit)
        image = image.renamed(self.name)
        if image.fingerprint() != self.fingerprint:
            raise InputError(f"the file {shown(self.path)} has changed since the run was made")
        return self.numbered(image)

    def numbered(self, image: ImageSource) -> ImageSource:
        """Return a label image with its objects numbered, if they were when the run was made."""
        return as_labels(image, number_objects=True) if self.number_objects else image


def is_there(path: Path) -> bool:
    """Whether there is a file or folder; not where a path is none that a file can have."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
