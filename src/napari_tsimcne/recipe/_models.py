"""Patches, normalisation, network, stages, and the recipe that holds them."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from napari_tsimcne.recipe._augmentations import Augmentations
from napari_tsimcne.recipe._patches import Background, Depth, Grid, Patches
from napari_tsimcne.recipe._settings import Range, Settings

NormalizationName = Literal["percentile", "image", "none"]


class Normalization(Settings):
    """How original values become 0..1; never per patch, since brightness can be the phenotype.

    ``percentile``: per channel, between two percentiles of the whole collection. ``image``: per
    channel and image, between two percentiles of that image. ``none``: integers are divided by
    their type's range (8 bits: by 255), floats are taken by their smallest and largest value.
    """

    method: NormalizationName = "percentile"
    percentiles: Range = (0.1, 99.9)


class Network(Settings):
    """Backbone and head.

    ``backbone`` with a ``stem`` for ``small`` images (3x3 convolution of stride 1, no max-pool) or
    that of ``torchvision`` (7x7 of stride 2 and max-pool). ``groups`` of blocks, each but the first
    halving the image and doubling the channels; with three, small patches keep more of their
    detail. ``width``: channels of the first group. 4 groups of width 64 are the published network,
    narrower ones are for CPUs. ``hidden``: units between the head's two layers.

    ``pretrained``: empty for a random start, ``imagenet`` for torchvision's weights, or the path
    of a file with such weights. ``frozen_backbone``: the backbone keeps its
    pretrained weights in every stage.
    """

    backbone: Literal["resnet18", "resnet34", "resnet50"] = "resnet18"
    stem: Literal["small", "torchvision"] = "small"
    groups: int = Field(default=4, ge=2, le=4)
    width: int = Field(default=64, ge=8, le=256)
    hidden: int = Field(default=1024, ge=8)
    pretrained: str = ""
    frozen_backbone: bool = False

    @model_validator(mode="after")
    def _pretrained_fits(self) -> Self:
        if self.pretrained and self.width != 64:
            raise ValueError("pretrained weights are of width 64")
        if self.frozen_backbone and not self.pretrained:
            raise ValueError("a frozen backbone needs pretrained weights: it would stay random")
        return self

    @property
    def features(self) -> int:
        """Dimensions of H."""
        return self.width * 2 ** (self.groups - 1) * (4 if self.backbone == "resnet50" else 1)


class Optimizer(Settings):
    """``learning_rate`` is per 256 images of a batch for ``sgd``, and as it is for the others.

    ``muon``: the filters of convolutions learn by Muon at ``muon_rate``, all else by AdamW.
    """

    method: Literal["sgd", "adamw", "muon"] = "sgd"
    learning_rate: float = Field(gt=0)
    muon_rate: float = Field(default=0.015, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=5e-4, ge=0)

    def rate(self, batch_size: int) -> float:
        """Learning rate at the top of the schedule."""
        scale = batch_size / 256 if self.method == "sgd" else 1.0
        return self.learning_rate * scale


class Stage(Settings):
    """One stretch of training with an optimiser of its own.

    ``trains``: ``all`` weights, the ``head`` (both its layers) or the ``readout`` alone (its last
    layer). Where ``output_dim`` differs from the stage before, the last layer is drawn anew, from
    N(0, 1). ``loss``: the Cauchy kernel, or ``cosine`` similarity at a ``temperature``.

    Head or readout may learn from features that are computed once, and start from their
    principal axes; without, the whole network runs at every step, as published. Either of that
    many ``cached_views`` of each patch, two of which make a pair; or of the unchanged patches: a
    pair is a patch and a random one of so many ``neighbors``, the nearest in H (cosine), as in
    neighbour embeddings.

    ``head_layers``: the head begins anew with so many hidden layers, batch-normalised, behind
    standardised H; 0 keeps the head. ``whitening``: how far the variances of H along its principal
    axes are evened first, 0 not at all to 1 wholly, so that all have a say in who is near to whom.

    ``annealing``: of ``start_dim`` outputs only the first d enter the loss; d falls to
    ``output_dim`` as half a ``cosine``, or is ``held`` for two thirds of the stage, then falls
    during an eighth.

    ``least_draws``: an epoch passes over the patches as often as it takes to draw so many, since
    small collections need as many steps as larger ones.

    ``schedule``: the learning rate rises linearly over ``warmup_epochs`` and falls as a cosine,
    per ``epoch`` as published (the first epoch of a warm-up then has rate 0) or per ``step``.
    """

    name: str
    epochs: int = Field(ge=0)
    output_dim: int = Field(ge=1)
    trains: Literal["all", "head", "readout"] = "all"
    loss: Literal["cauchy", "cosine"] = "cauchy"
    temperature: float = Field(default=0.5, gt=0)
    annealing: Literal["none", "cosine", "held"] = "none"
    start_dim: int = Field(default=0, ge=0)
    cached_views: int = Field(default=0, ge=0)
    neighbors: int = Field(default=0, ge=0)
    head_layers: int = Field(default=0, ge=0, le=8)
    whitening: float = Field(default=0.0, ge=0, le=1)
    least_draws: int = Field(default=0, ge=0)
    optimizer: Optimizer
    warmup_epochs: float = Field(default=0, ge=0)
    schedule: Literal["epoch", "step"] = "step"
    batch_size: int = Field(ge=2)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.cached and self.trains == "all":
            raise ValueError("cached features are for a stage that trains the head or the readout")
        if self.cached_views == 1:
            raise ValueError("cached_views must be 0, or at least 2: two views make a pair")
        if self.neighbors and self.cached_views:
            raise ValueError("a pair is of cached_views or of neighbors: set one of them to 0")
        if self.whitening and not self.cached:
            raise ValueError("whitening needs cached features: set cached_views or neighbors")
        if self.head_layers and self.trains == "readout":
            raise ValueError("head_layers needs trains='head' or 'all': a new head must be trained")
        if (self.annealing != "none") != (self.start_dim > self.output_dim):
            raise ValueError("annealing goes from start_dim down to a smaller output_dim")
        return self

    @property
    def cached(self) -> bool:
        """Whether features are computed once."""
        return bool(self.cached_views or self.neighbors)

    def passes(self, patches: int) -> int:
        """Return how often an epoch passes over so many patches."""
        return max(1, -(-self.least_draws // patches))

    def dimensions(self, epoch: int) -> int:
        """Return how many outputs enter the loss in an epoch (from 0)."""
        if self.annealing == "none":
            return self.output_dim
        share = epoch / self.epochs
        if self.annealing == "held":
            share = min(1.0, max(0.0, (share - 2 / 3) * 8))
        fall = (self.start_dim + 1 - self.output_dim) * 0.5 * (1 + np.cos(np.pi * share))
        return min(self.start_dim, int(self.output_dim + fall))


class Recipe(Settings):
    """All that decides the result of a run.

    ``orientations``: H of an unchanged patch is the mean over so many: 1 as it is, 2 also mirrored,
    4 turned by quarters, 8 both; for images that have no up or down.

    ``held_out``: share of the patches that is not trained on. They are on the map like all
    others, and tell how far new images lie from what was learnt.

    ``margin``: pixels stored around each patch; None: as many as the views need, found when
    patches are cut (see `cut_at`).
    """

    preset: str = "custom"
    patches: Patches = Grid()
    depth: Depth = Depth()
    background: Background = Background()
    margin: int | None = Field(default=None, ge=0)
    normalization: Normalization = Normalization()
    augmentations: Augmentations = Augmentations()
    network: Network = Network()
    orientations: Literal[1, 2, 4, 8] = 1
    stages: tuple[Stage, ...] = Field(min_length=1)
    held_out: float = Field(default=0.0, ge=0, le=0.5)
    precision: Literal["float32", "auto"] = "auto"
    seed: int = Field(default=0, ge=0, lt=2**63)

    @model_validator(mode="after")
    def _ends_in_a_map(self) -> Self:
        if not self.running_stages:
            raise ValueError("at least one stage needs an epoch")
        if self.running_stages[-1].output_dim not in (2, 3):
            raise ValueError("the last stage with epochs must have 2 or 3 outputs: the map")
        return self

    @property
    def running_stages(self) -> tuple[Stage, ...]:
        """The stages that have epochs."""
        return tuple(stage for stage in self.stages if stage.epochs)

    @property
    def map_dimensions(self) -> int:
        """Dimensions of the map, 2 or 3."""
        return self.running_stages[-1].output_dim

    @property
    def batch_size(self) -> int:
        """Images a batch of the first stage."""
        return self.stages[0].batch_size

    def cut_at(self, pixels: int, size: float | None = None) -> Recipe:
        """Return the recipe with what is found when patches are cut.

        ``pixels``: side of a stored patch; ``size``: side of a window, where it is the objects'.
        """
        found = {"pixels": pixels} if size is None else {"pixels": pixels, "size": size}
        margin = self.augmentations.margin(pixels) if self.margin is None else self.margin
        patches = self.patches.model_copy(update=found)
        return self.model_copy(update={"patches": patches, "margin": margin})

    def held_out_rows(self, count: int) -> np.ndarray:
        """Rows of a patch table that are not trained on, ascending."""
        held = int(self.held_out * count)
        return np.sort(np.random.default_rng(self.seed).choice(count, held, replace=False))

    @classmethod
    def quick(cls, patches: Patches | None = None, **options: Any) -> Recipe:
        """Return the preset ``quick``: minutes on a CPU. Options as of `PRESETS`."""
        from napari_tsimcne.recipe._presets import PRESETS

        return PRESETS["quick"](patches, **options)

    @classmethod
    def paper(cls, patches: Patches | None = None, **options: Any) -> Recipe:
        """Return the preset ``paper``: as published. Options as of `PRESETS`."""
        from napari_tsimcne.recipe._presets import PRESETS

        return PRESETS["paper"](patches, **options)
