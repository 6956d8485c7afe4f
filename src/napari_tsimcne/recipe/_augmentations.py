"""What a view of a patch may change, each with a switch and a range, and the named sets."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from napari_tsimcne.recipe._settings import Probability, Range, Settings


class _Augmentation(Settings):
    """``on``: switched on; the ranges are kept while it is off."""

    on: bool = True


class Crop(_Augmentation):
    """A window of ``area`` (share of the patch) and ``aspect`` ratio, enlarged to a whole view."""

    area: Range = (0.6, 1.0)
    aspect: Range = (1.0, 1.0)

    @model_validator(mode="after")
    def _within(self) -> Self:
        if not (self.area[0] > 0 and self.area[1] <= 1):
            raise ValueError("area is a share of the patch: above 0, at most 1")
        if self.aspect[0] <= 0:
            raise ValueError("aspect must be above 0")
        return self


class Scale(_Augmentation):
    """More (above 1) or less of the surroundings in view, by ``factor``."""

    factor: Range = (0.8, 1.25)

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.factor[0] <= 0:
            raise ValueError("factor must be above 0")
        return self


class Rotation(_Augmentation):
    """Turned by up to ``degrees`` either way."""

    degrees: float = Field(default=180.0, ge=0, le=180)


class Shear(_Augmentation):
    """Sheared by up to ``degrees`` either way."""

    degrees: float = Field(default=3.0, ge=0, le=45)


class Flips(_Augmentation):
    """Mirrored left to right, and top to bottom, with a probability each."""

    horizontal: Probability = 0.5
    vertical: Probability = 0.5


class Intensity(_Augmentation):
    """Per channel, in units of the normalised range: ``value ** gamma * gain + offset``."""

    probability: Probability = 0.8
    gain: Range = (0.8, 1.25)
    offset: Range = (-0.05, 0.05)
    gamma: Range = (0.8, 1.25)

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.gamma[0] <= 0 or self.gain[0] <= 0:
            raise ValueError("gain and gamma must be above 0")
        return self


class ColorJitter(_Augmentation):
    """Brightness, contrast, saturation (factors 1 ± value) and hue (± share of the circle).

    Images that are not RGB take brightness and contrast and leave the rest out.
    """

    probability: Probability = 0.8
    brightness: float = Field(default=0.2, ge=0, le=1)
    contrast: float = Field(default=0.2, ge=0, le=1)
    saturation: float = Field(default=0.2, ge=0, le=1)
    hue: float = Field(default=0.02, ge=0, le=0.5)


class Grayscale(_Augmentation):
    """RGB images turned to gray."""

    probability: Probability = 0.1


class ChannelDrop(_Augmentation):
    """One random channel set to 0, where there are several and the image is not RGB."""

    probability: Probability = 0.2


class Blur(_Augmentation):
    """Gaussian blur of ``sigma`` pixels."""

    probability: Probability = 0.5
    sigma: Range = (0.25, 0.75)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if not 0 < self.sigma[0] <= self.sigma[1] <= 10:
            raise ValueError("sigma must be above 0 and at most 10 pixels")
        return self


class Noise(_Augmentation):
    """Gaussian noise with a standard deviation of ``sigma``, in units of the normalised range."""

    probability: Probability = 0.5
    sigma: Range = (0.0, 0.03)

    @model_validator(mode="after")
    def _not_negative(self) -> Self:
        if self.sigma[0] < 0:
            raise ValueError("sigma must not be negative")
        return self


class Augmentations(Settings):
    """How a view of a patch is made; everything is drawn anew for each view. All off by default.

    Geometry is one affine resampling from the stored margin; after it come intensity, colour,
    blur and noise, in the order of the fields.
    """

    crop: Crop = Crop(on=False)
    scale: Scale = Scale(on=False)
    rotation: Rotation = Rotation(on=False)
    shear: Shear = Shear(on=False)
    flips: Flips = Flips(on=False)
    intensity: Intensity = Intensity(on=False)
    color_jitter: ColorJitter = ColorJitter(on=False)
    grayscale: Grayscale = Grayscale(on=False)
    channel_drop: ChannelDrop = ChannelDrop(on=False)
    blur: Blur = Blur(on=False)
    noise: Noise = Noise(on=False)

    @property
    def orientations(self) -> Literal[1, 2, 4, 8]:
        """How many mirror images and quarter turns of a patch the views take to be the same."""
        mirrored = self.flips.on and self.flips.horizontal > 0
        if self.rotation.on and self.rotation.degrees >= 90:
            return 8 if mirrored else 4
        return 2 if mirrored else 1

    def margin(self, size: int) -> int:
        """Pixels needed around a patch of ``size`` so that no view reaches beyond what is stored.

        A window of side w turned by any angle around the patch's centre stays within a square of
        side w·√2.
        """
        reach = self.scale.factor[1] if self.scale.on else 1.0
        if self.shear.on:
            reach *= 1 + math.tan(math.radians(self.shear.degrees))
        if self.rotation.on:
            angle = math.radians(min(self.rotation.degrees, 45.0))
            reach *= math.cos(angle) + math.sin(angle)
        return max(0, math.ceil(size * (reach - 1) / 2 - 1e-9))


NATURAL = Augmentations(
    crop=Crop(area=(0.2, 1.0), aspect=(3 / 4, 4 / 3)),
    flips=Flips(vertical=0.0),
    color_jitter=ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
    grayscale=Grayscale(probability=0.2),
)
"""Photographs, as published: there is an up and a down, and colour says little."""

HISTOLOGY = Augmentations(
    crop=Crop(),
    rotation=Rotation(),
    flips=Flips(),
    color_jitter=ColorJitter(),
    grayscale=Grayscale(on=False),
)
"""Stained cells and tissue in RGB: no up or down, colour means something and varies a little."""

FLUORESCENCE = Augmentations(
    crop=Crop(),
    rotation=Rotation(),
    flips=Flips(),
    intensity=Intensity(),
)
"""Channels that are independent signals: each varies in gain, offset and gamma; never mixed."""

TRANSMITTED = Augmentations(
    crop=Crop(),
    rotation=Rotation(),
    flips=Flips(),
    color_jitter=ColorJitter(brightness=0.1, contrast=0.1, saturation=0.0, hue=0.0),
)
"""Bright field, phase contrast, DIC: no up or down; lamp and exposure vary a little. Neither gain
of single channels nor gamma, which would turn halos and shades into other ones, and no colour."""

VIEWS = {
    "fluorescence": FLUORESCENCE,
    "histology": HISTOLOGY,
    "transmitted": TRANSMITTED,
    "natural": NATURAL,
}
"""The named sets of augmentations."""
