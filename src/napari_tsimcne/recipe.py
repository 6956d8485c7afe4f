"""The recipe: all that decides the result of a run, as frozen models that are stored with it.

A range is a pair ``(low, high)`` from which a value is drawn uniformly for each view; a
probability lies in 0..1. ``Recipe.paper`` is the published method (Böhm, Berens, Kobak,
*Unsupervised visualization of image datasets using contrastive learning*, ICLR 2023);
``Recipe.quick`` makes a useful map in minutes on a CPU.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Probability = Annotated[float, Field(ge=0, le=1)]
Range = tuple[float, float]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="after")
    def _ranges_ascend(self) -> Self:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if (
                isinstance(value, tuple)
                and len(value) == 2
                and all(isinstance(v, float) for v in value)
            ):
                low, high = value
                if not (math.isfinite(low) and math.isfinite(high) and low <= high):
                    raise ValueError(f"{name} must be a range (low, high) with low <= high")
        return self


class Grid(_Settings):
    """Square patches on a regular grid over every image; the incomplete edge is left out.

    ``size`` and ``stride`` in pixels; ``stride`` equals ``size`` (tiles side by side) unless given.
    """

    kind: Literal["grid"] = "grid"
    size: int = Field(default=32, ge=8, le=1024)
    stride: int = Field(default=0, ge=0, description="0: same as size")

    @model_validator(mode="before")
    @classmethod
    def _stride_is_size(cls, values: dict) -> dict:
        if isinstance(values, dict) and not values.get("stride"):
            size = values.get("size", cls.model_fields["size"].default)
            return {**values, "stride": size}
        return values


class Normalization(_Settings):
    """How original values become 0..1, the same for every patch of the collection.

    ``percentile``: per channel, between two percentiles of the whole collection. ``dtype``: the
    integer type's range (8 bits: divide by 255); floats by their smallest and largest value.
    """

    method: Literal["percentile", "dtype"] = "percentile"
    percentiles: Range = (0.1, 99.9)


class Augmentations(_Settings):
    """How a view of a patch is made. Everything is drawn anew for each view.

    Geometry is one affine resampling from the stored margin: a window of ``crop_area`` of the
    patch and an aspect ratio in ``crop_aspect``, enlarged by ``scale``, turned by up to
    ``rotation`` degrees either way, and mirrored. Intensity, per channel: ``gamma``, ``gain`` and
    ``offset`` (in units of the normalised range), applied with ``intensity_probability``. Of RGB
    images also ``brightness``, ``contrast``, ``saturation`` and ``hue`` jitter with
    ``color_jitter_probability``, and conversion to gray with ``grayscale_probability``; images
    that are not RGB take brightness and contrast from these and leave the rest out.
    """

    crop_area: Range = (1.0, 1.0)
    crop_aspect: Range = (1.0, 1.0)
    scale: Range = (1.0, 1.0)
    rotation: float = Field(default=0.0, ge=0, le=180)
    flip_horizontal: Probability = 0.0
    flip_vertical: Probability = 0.0
    gain: Range = (1.0, 1.0)
    offset: Range = (0.0, 0.0)
    gamma: Range = (1.0, 1.0)
    intensity_probability: Probability = 0.0
    brightness: float = Field(default=0.0, ge=0, le=1)
    contrast: float = Field(default=0.0, ge=0, le=1)
    saturation: float = Field(default=0.0, ge=0, le=1)
    hue: float = Field(default=0.0, ge=0, le=0.5)
    color_jitter_probability: Probability = 0.0
    grayscale_probability: Probability = 0.0

    @model_validator(mode="after")
    def _positive(self) -> Self:
        for name in ("crop_area", "crop_aspect", "scale", "gamma"):
            if getattr(self, name)[0] <= 0:
                raise ValueError(f"{name} must be above 0")
        if self.crop_area[1] > 1:
            raise ValueError("crop_area is a share of the patch: at most 1")
        return self

    def margin(self, size: int) -> int:
        """Pixels needed around a patch of ``size`` so that no view reaches beyond what is stored.

        A window of side w turned by any angle around the patch's centre stays within a square of
        side w·√2.
        """
        reach = self.scale[1]
        if self.rotation:
            angle = math.radians(min(self.rotation, 45.0))
            reach *= math.cos(angle) + math.sin(angle)
        return max(0, math.ceil(size * (reach - 1) / 2 - 1e-9))


class Network(_Settings):
    """ResNet18 for small images (3x3 stem of stride 1, no max-pool) and its two-layer head.

    ``width``: channels of the first group; 64 is the published network with 11,168,832
    parameters, smaller ones are for CPUs. ``hidden``: units between the head's two layers.
    """

    width: int = Field(default=64, ge=8, le=256)
    hidden: int = Field(default=1024, ge=8)


class Optimizer(_Settings):
    """``learning_rate`` is per 256 images of a batch for ``sgd``, and as it is for ``adamw``."""

    method: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = Field(gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=5e-4, ge=0)

    def rate(self, batch_size: int) -> float:
        """Learning rate at the top of the schedule."""
        scale = batch_size / 256 if self.method == "sgd" else 1.0
        return self.learning_rate * scale


class Stage(_Settings):
    """One stretch of training with an optimiser of its own.

    ``trains``: ``all`` weights, or the ``readout`` alone (the head's last layer). Where
    ``output_dim`` differs from the stage before, the last layer is drawn anew, from N(0, 1) for
    a readout. ``cached_views``: a readout learns from that many views of each patch, computed
    once; 0 runs the whole network at every step, as published. ``schedule``: the learning rate
    rises linearly over ``warmup_epochs`` and falls as a cosine, per ``epoch`` as published (the
    first epoch of a warm-up then has rate 0) or per ``step``.
    """

    name: str
    epochs: int = Field(ge=0)
    output_dim: int = Field(ge=1)
    trains: Literal["all", "readout"] = "all"
    optimizer: Optimizer
    warmup_epochs: float = Field(default=0, ge=0)
    schedule: Literal["epoch", "step"] = "step"
    batch_size: int = Field(ge=2)
    cached_views: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _cache_is_for_readouts(self) -> Self:
        if self.cached_views and self.trains != "readout":
            raise ValueError("cached_views is for a stage that trains the readout alone")
        if self.cached_views == 1:
            raise ValueError("cached_views must be 0, or at least 2: two views make a pair")
        return self


class Recipe(_Settings):
    """All that decides the result of a run."""

    preset: Literal["quick", "paper", "custom"] = "custom"
    patches: Grid = Grid()
    margin: int = Field(default=0, ge=0, description="pixels stored around each patch")
    normalization: Normalization = Normalization()
    augmentations: Augmentations = Augmentations()
    network: Network = Network()
    stages: tuple[Stage, ...] = Field(min_length=1)
    precision: Literal["float32", "auto"] = "auto"
    seed: int = Field(default=0, ge=0, lt=2**63)

    @model_validator(mode="after")
    def _ends_in_a_map(self) -> Self:
        running = [stage for stage in self.stages if stage.epochs]
        if not running:
            raise ValueError("at least one stage needs an epoch")
        if running[-1].output_dim != 2:
            raise ValueError("the last stage with epochs must have 2 outputs: the map")
        return self

    @property
    def batch_size(self) -> int:
        """Images a batch of the first stage."""
        return self.stages[0].batch_size

    @classmethod
    def paper(
        cls,
        patches: Grid | None = None,
        *,
        margin: int | None = None,
        rgb: bool = True,
        epochs: tuple[int, int, int] | None = None,
        batch_size: int = 1024,
        seed: int = 0,
    ) -> Recipe:
        """Return the published recipe: three stages of 1000, 50 and 450 epochs, batches of 1024.

        With fewer ``epochs`` the warm-up shrinks in proportion.
        """
        # Colour jitter leaves out what images that are not RGB cannot take.
        del rgb
        sgd = Optimizer(method="sgd", learning_rate=0.03)
        stages = (
            Stage(name="features", epochs=1000, output_dim=128, optimizer=sgd,
                  warmup_epochs=10, schedule="epoch", batch_size=batch_size),
            Stage(name="readout", epochs=50, output_dim=2, trains="readout", optimizer=sgd,
                  schedule="epoch", batch_size=batch_size),
            Stage(name="fine-tuning", epochs=450, output_dim=2,
                  optimizer=sgd.model_copy(update={"learning_rate": 0.03 / 1000}),
                  warmup_epochs=10, schedule="epoch", batch_size=batch_size),
        )  # fmt: skip
        augmentations = Augmentations(
            crop_area=(0.2, 1.0),
            crop_aspect=(3 / 4, 4 / 3),
            flip_horizontal=0.5,
            brightness=0.4,
            contrast=0.4,
            saturation=0.4,
            hue=0.1,
            color_jitter_probability=0.8,
            grayscale_probability=0.2,
        )
        return _assemble(
            "paper", stages, augmentations, Normalization(method="dtype"), Network(),
            "float32", patches, margin, epochs, seed,
        )  # fmt: skip

    @classmethod
    def quick(
        cls,
        patches: Grid | None = None,
        *,
        margin: int | None = None,
        rgb: bool = False,
        epochs: tuple[int, int, int] | None = None,
        batch_size: int = 256,
        seed: int = 0,
    ) -> Recipe:
        """Return a recipe of minutes: narrow network, mild views, a readout on cached features.

        ``rgb``: the images are RGB, whose colour is jittered; others get gain, offset and gamma
        per channel.
        """
        stages = (
            Stage(name="features", epochs=20, output_dim=128,
                  optimizer=Optimizer(method="adamw", learning_rate=3e-3, weight_decay=0.01),
                  warmup_epochs=1, batch_size=batch_size),
            Stage(name="readout", epochs=30, output_dim=2, trains="readout",
                  optimizer=Optimizer(method="adamw", learning_rate=1e-2, weight_decay=0.0),
                  batch_size=max(batch_size, 1024), cached_views=8),
            Stage(name="fine-tuning", epochs=1, output_dim=2,
                  optimizer=Optimizer(method="adamw", learning_rate=1e-4, weight_decay=0.01),
                  batch_size=batch_size),
        )  # fmt: skip
        geometry = {
            "crop_area": (0.6, 1.0),
            "rotation": 180.0,
            "flip_horizontal": 0.5,
            "flip_vertical": 0.5,
        }
        if rgb:
            augmentations = Augmentations(
                **geometry,
                brightness=0.2,
                contrast=0.2,
                saturation=0.2,
                hue=0.02,
                color_jitter_probability=0.8,
            )
            normalization = Normalization(method="dtype")
        else:
            augmentations = Augmentations(
                **geometry,
                gain=(0.8, 1.25),
                offset=(-0.05, 0.05),
                gamma=(0.8, 1.25),
                intensity_probability=0.8,
            )
            normalization = Normalization()
        return _assemble(
            "quick", stages, augmentations, normalization, Network(width=16, hidden=1024),
            "auto", patches, margin, epochs, seed,
        )  # fmt: skip


def _assemble(
    preset: Literal["quick", "paper"],
    stages: tuple[Stage, ...],
    augmentations: Augmentations,
    normalization: Normalization,
    network: Network,
    precision: Literal["float32", "auto"],
    patches: Grid | None,
    margin: int | None,
    epochs: tuple[int, int, int] | None,
    seed: int,
) -> Recipe:
    patches = patches or Grid()
    if epochs is not None:
        stages = tuple(_with_epochs(s, e) for s, e in zip(stages, epochs, strict=True))
    return Recipe(
        preset=preset,
        patches=patches,
        margin=augmentations.margin(patches.size) if margin is None else margin,
        normalization=normalization,
        augmentations=augmentations,
        network=network,
        stages=stages,
        precision=precision,
        seed=seed,
    )


def _with_epochs(stage: Stage, epochs: int) -> Stage:
    warmup = stage.warmup_epochs * min(1.0, epochs / stage.epochs) if stage.epochs else 0.0
    if stage.schedule == "epoch":
        warmup = float(round(warmup))
    return Stage(**{**stage.model_dump(), "epochs": epochs, "warmup_epochs": warmup})


PRESETS = {"quick": Recipe.quick, "paper": Recipe.paper}
