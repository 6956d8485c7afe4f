"""Augmentations, batched as tensors on the training device, for any number of channels."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from napari_tsimcne.recipe import Augmentations


def augment(
    patches: Tensor, size: int, settings: Augmentations, rgb: bool, generator: Generator
) -> Tensor:
    """Draw one view of each patch.

    Parameters
    ----------
    patches
        (N, C, S + 2 margin, S + 2 margin), float, values in 0..1.
    size
        Side S of the views, in pixels.
    settings
        What is varied, and how far.
    rgb
        Whether the channels are red, green and blue.
    generator
        Source of randomness, on the device of ``patches``.

    Returns
    -------
    Tensor
        (N, C, S, S), values in 0..1.
    """
    draw = _Draw(len(patches), patches, generator)
    views = _resample(patches, size, settings, draw)
    if settings.intensity_probability:
        views = _intensity(views, settings, draw)
    if settings.color_jitter_probability:
        views = _color_jitter(views, settings, rgb, draw)
    if rgb and settings.grayscale_probability:
        gray = _gray(views).expand_as(views)
        views = torch.where(draw.chance(settings.grayscale_probability), gray, views)
    return views


def center_crop(patches: Tensor, size: int) -> Tensor:
    """Return the patches without their margin, (N, C, S, S): what is embedded."""
    margin = (patches.shape[-1] - size) // 2
    return patches[..., margin : margin + size, margin : margin + size]


class _Draw:
    """Random numbers for n patches, shaped to broadcast over (n, C, H, W)."""

    def __init__(self, count: int, like: Tensor, generator: Generator) -> None:
        self.count = count
        self._generator = generator
        self._device, self._dtype = like.device, like.dtype

    def uniform(self, low: float, high: float, channels: int = 1) -> Tensor:
        shape = (self.count, channels, 1, 1)
        unit = torch.rand(shape, generator=self._generator, device=self._device, dtype=self._dtype)
        return low + (high - low) * unit

    def log_uniform(self, low: float, high: float, channels: int = 1) -> Tensor:
        return self.uniform(math.log(low), math.log(high), channels).exp()

    def chance(self, probability: float) -> Tensor:
        return self.uniform(0, 1) < probability

    def order(self, count: int) -> list[int]:
        return torch.randperm(count, generator=self._generator, device=self._device).tolist()


# --- Geometry -----------------------------------------------------------------------------------


def _resample(patches: Tensor, size: int, settings: Augmentations, draw: _Draw) -> Tensor:
    """One affine resampling: crop, scale, aspect, rotation and flips at once.

    The window is placed inside the patch, the patch turned around its centre. Where a view
    would reach beyond the stored margin, the image is mirrored.
    """
    stored = patches.shape[-1]
    area = draw.uniform(*settings.crop_area)
    aspect = draw.log_uniform(*settings.crop_aspect)
    width = (area * aspect).sqrt().clamp_max(1)
    height = (area / aspect).sqrt().clamp_max(1)
    shift_x = draw.uniform(-1, 1) * (1 - width)
    shift_y = draw.uniform(-1, 1) * (1 - height)
    scale = draw.log_uniform(*settings.scale)
    angle = draw.uniform(-settings.rotation, settings.rotation) * (math.pi / 180)
    mirror_x = 1 - 2 * draw.chance(settings.flip_horizontal).to(width)
    mirror_y = 1 - 2 * draw.chance(settings.flip_vertical).to(width)

    # From the view's coordinates (-1..1) to the patch's, then to those of the stored crop.
    cos, sin = angle.cos() * scale, angle.sin() * scale
    row_x = torch.cat([cos * width * mirror_x, -sin * height * mirror_y,
                       cos * shift_x - sin * shift_y], dim=-1)  # fmt: skip
    row_y = torch.cat([sin * width * mirror_x, cos * height * mirror_y,
                       sin * shift_x + cos * shift_y], dim=-1)  # fmt: skip
    matrix = torch.cat([row_x, row_y], dim=2).squeeze(1) * (size / stored)
    grid = F.affine_grid(matrix, [len(patches), patches.shape[1], size, size], align_corners=False)
    return F.grid_sample(patches, grid, padding_mode="reflection", align_corners=False)


# --- Intensity ----------------------------------------------------------------------------------


def _intensity(views: Tensor, settings: Augmentations, draw: _Draw) -> Tensor:
    channels = views.shape[1]
    changed = views.clamp(0, 1)
    if settings.gamma != (1.0, 1.0):
        gamma = draw.log_uniform(*settings.gamma, channels=channels)
        # A power of 0 has no finite slope; nothing here needs one.
        changed = changed.clamp_min(1e-6).pow(gamma)
    gain = draw.uniform(*settings.gain, channels=channels)
    offset = draw.uniform(*settings.offset, channels=channels)
    changed = (changed * gain + offset).clamp(0, 1)
    return torch.where(draw.chance(settings.intensity_probability), changed, views)


def _color_jitter(views: Tensor, settings: Augmentations, rgb: bool, draw: _Draw) -> Tensor:
    """Brightness, contrast, saturation and hue in random order, the same order for the batch."""
    factor = {
        name: draw.uniform(max(0.0, 1 - getattr(settings, name)), 1 + getattr(settings, name))
        for name in ("brightness", "contrast", "saturation")
    }
    turn = draw.uniform(-settings.hue, settings.hue)
    chosen = draw.chance(settings.color_jitter_probability)
    changed = views
    for step in draw.order(4):
        if step == 0 and settings.brightness:
            changed = (changed * factor["brightness"]).clamp(0, 1)
        elif step == 1 and settings.contrast:
            gray = _gray(changed) if rgb else changed
            mean = gray.mean(dim=(1, 2, 3) if rgb else (2, 3), keepdim=True)
            changed = torch.lerp(mean, changed, factor["contrast"]).clamp(0, 1)
        elif step == 2 and settings.saturation and rgb:
            changed = torch.lerp(_gray(changed), changed, factor["saturation"]).clamp(0, 1)
        elif step == 3 and settings.hue and rgb:
            changed = _turn_hue(changed, turn)
    return torch.where(chosen, changed, views)


def _gray(views: Tensor) -> Tensor:
    """Luma by ITU-R 601, as (N, 1, H, W)."""
    weights = views.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (views * weights).sum(dim=1, keepdim=True)


def _turn_hue(views: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue by a share of the colour circle, through HSV."""
    value, brightest = views.max(dim=1, keepdim=True)
    chroma = value - views.min(dim=1, keepdim=True).values
    safe = chroma.clamp_min(1e-8)
    red, green, blue = views.split(1, dim=1)
    hue = torch.where(
        brightest == 0,
        (green - blue) / safe,
        torch.where(brightest == 1, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    sector = hue + 6 * turn
    # f(n) = v - c max(0, min(k, 4 - k, 1)), k = (n + hue) mod 6, for n = 5, 3, 1.
    n = views.new_tensor([5.0, 3.0, 1.0]).view(1, 3, 1, 1)
    k = (n + sector).remainder(6)
    return value - chroma * torch.minimum(k, 4 - k).clamp(0, 1)
