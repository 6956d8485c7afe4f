"""Augmentations, batched as tensors on the training device, for any number of channels."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from napari_tsimcne.recipe import Augmentations


class Share(NamedTuple):
    """The part of a larger batch that is at hand: its indices (n,) there, and its size.

    Random numbers are drawn for the whole batch, so that several processes that share it make
    the views that one process would make.
    """

    indices: Tensor
    total: int


def augment(
    patches: Tensor,
    size: int,
    settings: Augmentations,
    rgb: bool,
    generator: Generator,
    share: Share | None = None,
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
    share
        Where the patches are part of a larger batch.

    Returns
    -------
    Tensor
        (N, C, S, S), values in 0..1.
    """
    if not len(patches) and share is not None and share.total:
        # Of a batch of which nothing is at hand: what is drawn for others must be drawn here, too.
        blank = patches.new_zeros((1, *patches.shape[1:]))
        first = Share(torch.zeros(1, dtype=torch.long), share.total)
        return augment(blank, size, settings, rgb, generator, first)[:0]
    draw = _Draw(patches, generator, share or Share(torch.arange(len(patches)), len(patches)))
    views = _resample(patches, size, settings, draw)
    if settings.intensity.on:
        views = _intensity(views, settings, draw)
    if settings.color_jitter.on:
        views = _color_jitter(views, settings, rgb, draw)
    if settings.grayscale.on and rgb:
        gray = _gray(views).expand_as(views)
        views = torch.where(draw.chance(settings.grayscale.probability), gray, views)
    if settings.channel_drop.on and not rgb and views.shape[1] > 1:
        views = _drop_channel(views, settings, draw)
    if settings.blur.on:
        views = _blur(views, settings, draw)
    if settings.noise.on:
        views = _noise(views, settings, draw)
    return views


def center_crop(patches: Tensor, size: int) -> Tensor:
    """Return the patches without their margin, (N, C, S, S): what is embedded."""
    margin = (patches.shape[-1] - size) // 2
    return patches[..., margin : margin + size, margin : margin + size]


class _Draw:
    """Random numbers for n patches, shaped to broadcast over (n, C, H, W)."""

    def __init__(self, like: Tensor, generator: Generator, share: Share) -> None:
        self._generator = generator
        self._device, self._dtype = like.device, like.dtype
        self._total = share.total
        # Without a larger batch around it, nothing needs to be picked.
        whole = len(share.indices) == share.total
        self._part = None if whole else share.indices.to(like.device)

    def _own(self, values: Tensor) -> Tensor:
        return values if self._part is None else values[self._part]

    def uniform(self, low: float, high: float, channels: int = 1) -> Tensor:
        shape = (self._total, channels, 1, 1)
        unit = torch.rand(shape, generator=self._generator, device=self._device, dtype=self._dtype)
        return low + (high - low) * self._own(unit)

    def log_uniform(self, low: float, high: float, channels: int = 1) -> Tensor:
        return self.uniform(math.log(low), math.log(high), channels).exp()

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        values = torch.randn((self._total, *shape), generator=self._generator,
                             device=self._device, dtype=self._dtype)  # fmt: skip
        return self._own(values)

    def chance(self, probability: float) -> Tensor:
        return self.uniform(0, 1) < probability

    def order(self, count: int) -> list[int]:
        return torch.randperm(count, generator=self._generator, device=self._device).tolist()


# --- Geometry -----------------------------------------------------------------------------------


def _resample(patches: Tensor, size: int, settings: Augmentations, draw: _Draw) -> Tensor:
    """One affine resampling: crop, scale, aspect, shear, rotation and flips at once.

    The window is placed inside the patch, the patch turned around its centre. Where a view
    would reach beyond the stored margin, the image is mirrored.
    """
    stored = patches.shape[-1]
    zero = patches.new_zeros(1, 1, 1, 1)
    width = height = zero + 1
    shift_x = shift_y = zero
    if settings.crop.on:
        area = draw.uniform(*settings.crop.area)
        aspect = draw.log_uniform(*settings.crop.aspect)
        width = (area * aspect).sqrt().clamp_max(1)
        height = (area / aspect).sqrt().clamp_max(1)
        shift_x = draw.uniform(-1, 1) * (1 - width)
        shift_y = draw.uniform(-1, 1) * (1 - height)
    scale = draw.log_uniform(*settings.scale.factor) if settings.scale.on else zero + 1
    angle, slant = zero, zero
    if settings.rotation.on:
        angle = draw.uniform(-1, 1) * math.radians(settings.rotation.degrees)
    if settings.shear.on:
        slant = (draw.uniform(-1, 1) * math.radians(settings.shear.degrees)).tan()
    mirror_x = mirror_y = zero + 1
    if settings.flips.on:
        mirror_x = 1 - 2 * draw.chance(settings.flips.horizontal).to(width)
        mirror_y = 1 - 2 * draw.chance(settings.flips.vertical).to(width)

    # From the view's coordinates (-1..1) to the patch's, then to those of the stored crop:
    # rotation x shear x (window x mirror, shift).
    cos, sin = angle.cos() * scale, angle.sin() * scale
    first, stretch_x, move_x = (cos, sin), width * mirror_x, shift_x
    second, stretch_y, move_y = (
        (cos * slant - sin, sin * slant + cos), height * mirror_y, shift_y
    )  # fmt: skip
    rows = [
        torch.cat(torch.broadcast_tensors(
            first[i] * stretch_x, second[i] * stretch_y, first[i] * move_x + second[i] * move_y
        ), dim=-1)
        for i in (0, 1)
    ]  # fmt: skip
    matrix = torch.cat(torch.broadcast_tensors(*rows), dim=2).squeeze(1) * (size / stored)
    matrix = matrix.expand(len(patches), 2, 3)
    grid = F.affine_grid(matrix, [len(patches), patches.shape[1], size, size], align_corners=False)
    return F.grid_sample(patches, grid, padding_mode="reflection", align_corners=False)


# --- Intensity ----------------------------------------------------------------------------------


def _intensity(views: Tensor, settings: Augmentations, draw: _Draw) -> Tensor:
    intensity = settings.intensity
    channels = views.shape[1]
    changed = views.clamp(0, 1)
    if intensity.gamma != (1.0, 1.0):
        gamma = draw.log_uniform(*intensity.gamma, channels=channels)
        # A power of 0 has no finite slope; nothing here needs one.
        changed = changed.clamp_min(1e-6).pow(gamma)
    gain = draw.uniform(*intensity.gain, channels=channels)
    offset = draw.uniform(*intensity.offset, channels=channels)
    changed = (changed * gain + offset).clamp(0, 1)
    return torch.where(draw.chance(intensity.probability), changed, views)


def _color_jitter(views: Tensor, settings: Augmentations, rgb: bool, draw: _Draw) -> Tensor:
    """Brightness, contrast, saturation and hue in random order, the same order for the batch."""
    jitter = settings.color_jitter
    factor = {
        name: draw.uniform(max(0.0, 1 - getattr(jitter, name)), 1 + getattr(jitter, name))
        for name in ("brightness", "contrast", "saturation")
    }
    turn = draw.uniform(-jitter.hue, jitter.hue)
    chosen = draw.chance(jitter.probability)
    changed = views
    for step in draw.order(4):
        if step == 0 and jitter.brightness:
            changed = (changed * factor["brightness"]).clamp(0, 1)
        elif step == 1 and jitter.contrast:
            gray = _gray(changed) if rgb else changed
            mean = gray.mean(dim=(1, 2, 3) if rgb else (2, 3), keepdim=True)
            changed = torch.lerp(mean, changed, factor["contrast"]).clamp(0, 1)
        elif step == 2 and jitter.saturation and rgb:
            changed = torch.lerp(_gray(changed), changed, factor["saturation"]).clamp(0, 1)
        elif step == 3 and jitter.hue and rgb:
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


def _drop_channel(views: Tensor, settings: Augmentations, draw: _Draw) -> Tensor:
    channels = views.shape[1]
    dropped = (draw.uniform(0, channels)).floor().clamp_max(channels - 1)
    keep = torch.arange(channels, device=views.device).view(1, -1, 1, 1) != dropped
    return torch.where(draw.chance(settings.channel_drop.probability), views * keep, views)


def _blur(views: Tensor, settings: Augmentations, draw: _Draw) -> Tensor:
    low, high = settings.blur.sigma
    sigma = draw.uniform(low, high)
    reach = min(math.ceil(3 * high), min(views.shape[-2:]) - 1)
    offsets = torch.arange(-reach, reach + 1, device=views.device)
    weights = torch.exp(-0.5 * (offsets.view(1, 1, 1, -1) / sigma) ** 2)
    weights = weights / weights.sum(dim=-1, keepdim=True)
    blurred = views
    for axis in (-2, -1):
        pad = (reach, reach, 0, 0) if axis == -1 else (0, 0, reach, reach)
        padded = F.pad(blurred, pad, mode="reflect")
        side = views.shape[axis]
        blurred = sum(  # type: ignore[assignment]
            weights[..., i : i + 1] * padded.narrow(axis, i, side) for i in range(2 * reach + 1)
        )
    return torch.where(draw.chance(settings.blur.probability), blurred, views)


def _noise(views: Tensor, settings: Augmentations, draw: _Draw) -> Tensor:
    sigma = draw.uniform(*settings.noise.sigma)
    noisy = (views + sigma * draw.normal(tuple(views.shape[1:]))).clamp(0, 1)
    return torch.where(draw.chance(settings.noise.probability), noisy, views)
