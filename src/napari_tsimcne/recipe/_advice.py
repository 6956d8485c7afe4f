"""What a choice of views means for the biology, in plain sentences."""

from __future__ import annotations

import math

from napari_tsimcne.recipe._augmentations import Augmentations

SMALL_CROP = 0.5
"""Share of a patch; views of less of it say little about size."""

TURNED_ENOUGH = 90.0
"""Degrees either way, from which direction says nothing."""

SMALL_BRIGHTNESS = 0.1
"""Share of the brightness that lamp and exposure alone may change."""

LARGE_SHEAR = 15.0
LARGE_ASPECT = 1.5
LARGE_HUE = 0.05
"""Shear in degrees, ratio of sides, share of the colour circle that change what is seen."""


def advice(augmentations: Augmentations, rgb: bool, channels: int) -> list[str]:
    """Say which differences between patches the map will show, and which it will not.

    Parameters
    ----------
    augmentations
        What a view may change.
    rgb
        Whether the channels are red, green and blue.
    channels
        How many there are.

    Returns
    -------
    Sentences of fewer than 140 characters each, those that matter most first.
    """
    values = [
        *_brightness(augmentations, rgb, channels), *_color(augmentations, rgb),
        *_channels(augmentations, rgb, channels), *_sharpness(augmentations),
    ]  # fmt: skip
    if not _moves(augmentations):
        if not values:
            return ["Nothing is varied, so no map can be learnt: switch on Crop, enlarge."]
        values.insert(0, "Only values are varied, which is too little to learn a map from: "
                         "switch on Crop, enlarge.")  # fmt: skip
    if not _varies_brightness(augmentations):
        values.append(
            "Brightness is not varied: differences of exposure or stain between images may "
            "become islands."
        )
    return [*values, *_direction(augmentations), *_shape(augmentations)]


# --- values -------------------------------------------------------------------------------------


def _varies_brightness(augmentations: Augmentations) -> bool:
    intensity, jitter = augmentations.intensity, augmentations.color_jitter
    per_channel = intensity.gain != (1.0, 1.0) or intensity.offset != (0.0, 0.0)
    return (intensity.on and intensity.probability > 0 and per_channel) or (
        jitter.on and jitter.probability > 0 and jitter.brightness > 0
    )


def _brightness(augmentations: Augmentations, rgb: bool, channels: int) -> list[str]:
    intensity, jitter = augmentations.intensity, augmentations.color_jitter
    alone = "cells that differ in brightness alone will not separate"
    if not _varies_brightness(augmentations):
        gamma = intensity.on and intensity.probability > 0 and intensity.gamma != (1.0, 1.0)
        contrast = jitter.on and jitter.probability > 0 and jitter.contrast > 0
        if gamma or contrast:
            return ["Contrast is varied: cells that differ in contrast alone will not separate."]
        return []
    if jitter.on and jitter.probability > 0 and 0 < jitter.brightness <= SMALL_BRIGHTNESS:
        return [
            f"Brightness is varied by up to {_percent(jitter.brightness)}: cells that differ "
            "in it by less will not separate. If they should, set it to 0."
        ]
    if jitter.on and jitter.probability > 0 and jitter.brightness > 0:
        return [f"Brightness is varied: {alone}. If they should, set it to 0."]
    if channels > 1:
        what = "colours" if rgb else "channels"
        return [
            f"Brightness is varied channel by channel: cells that differ in it, or in the ratio of "
            f"{what}, alone will not separate."
        ]
    return [f"Brightness is varied: {alone}. If they should, switch it off."]


def _color(augmentations: Augmentations, rgb: bool) -> list[str]:
    if not rgb:
        return []
    found = []
    jitter, gray = augmentations.color_jitter, augmentations.grayscale
    if jitter.on and jitter.probability > 0 and jitter.hue >= LARGE_HUE:
        found.append(
            f"Hue is varied by up to {360 * jitter.hue:.0f}°: cells that differ in the colour of "
            "their stain alone will not separate."
        )
    if jitter.on and jitter.probability > 0 and jitter.saturation > 0:
        found.append(
            "Saturation is varied: cells that differ in the depth of their stain alone will not "
            "separate."
        )
    if gray.on and gray.probability > 0:
        found.append(
            f"Colour is taken from {_percent(gray.probability)} of the views: stain colour will "
            "count less, shape and texture more."
        )
    return found


def _channels(augmentations: Augmentations, rgb: bool, channels: int) -> list[str]:
    drop = augmentations.channel_drop
    if rgb or channels < 2 or not drop.on or not drop.probability:
        return []
    return [
        f"A channel is left out of {_percent(drop.probability)} of the views: cells that differ in "
        "one channel alone will hardly separate."
    ]


def _sharpness(augmentations: Augmentations) -> list[str]:
    blur, noise = augmentations.blur, augmentations.noise
    found = []
    if blur.on and blur.probability > 0:
        found.append("Focus is varied: sharp and blurred cells will not separate, nor will those "
                     "that differ in fine texture.")  # fmt: skip
    if noise.on and noise.probability > 0 and noise.sigma[1] > 0:
        found.append("Noise is added: texture that is fainter than it will be overlooked.")
    return found


# --- geometry -----------------------------------------------------------------------------------


def _moves(augmentations: Augmentations) -> bool:
    """Whether any view shows its patch in another place, size, direction or shape."""
    a = augmentations
    return (
        (a.crop.on and (a.crop.area[0] < 1 or a.crop.aspect != (1.0, 1.0)))
        or (a.scale.on and a.scale.factor != (1.0, 1.0))
        or (a.rotation.on and a.rotation.degrees > 0)
        or (a.shear.on and a.shear.degrees > 0)
        or (a.flips.on and max(a.flips.horizontal, a.flips.vertical) > 0)
    )


def _direction(augmentations: Augmentations) -> list[str]:
    rotation, flips = augmentations.rotation, augmentations.flips
    found = []
    if not rotation.on or not rotation.degrees:
        found.append("Views are not turned: cells that lie in different directions will separate.")
    elif rotation.degrees < TURNED_ENOUGH:
        found.append(
            f"Views are turned by at most {rotation.degrees:.0f}°: cells whose directions differ "
            "by more will separate."
        )
    if flips.on and max(flips.horizontal, flips.vertical) > 0:
        found.append("Views are mirrored: left-handed and right-handed forms will not separate.")
    return found


def _shape(augmentations: Augmentations) -> list[str]:
    crop, scale, shear = augmentations.crop, augmentations.scale, augmentations.shear
    found = []
    if crop.on and crop.area[0] < SMALL_CROP:
        found.append(
            f"Crops enlarge cells up to {math.sqrt(1 / crop.area[0]):.1f} times: cells that differ "
            "in size alone will not separate."
        )
    elif scale.on and scale.factor[0] < scale.factor[1]:
        found.append("Size is varied: cells that differ in size alone will not separate.")
    stretched = crop.on and max(crop.aspect[1], 1 / crop.aspect[0]) >= LARGE_ASPECT
    if stretched or (shear.on and shear.degrees >= LARGE_SHEAR):
        found.append("Shapes are stretched: round and elongated cells will hardly separate.")
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
