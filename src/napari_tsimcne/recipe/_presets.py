"""The presets: the published strategies, and recipes of minutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, get_args

from napari_tsimcne.errors import InputError
from napari_tsimcne.recipe._augmentations import VIEWS, Augmentations
from napari_tsimcne.recipe._models import (
    Network,
    Normalization,
    NormalizationName,
    Optimizer,
    Recipe,
    Stage,
)
from napari_tsimcne.recipe._patches import Background, Depth, Grid, Patches

PresetName = Literal[
    "quick", "thorough", "paper", "paper-cosine", "paper-2d", "paper-2d-long", "paper-annealing"
]


def _build(
    name: PresetName,
    patches: Patches | None = None,
    *,
    depth: Depth | None = None,
    background: Background | None = None,
    rgb: bool = False,
    views: str | None = None,
    augmentations: Augmentations | None = None,
    normalization: NormalizationName | None = None,
    margin: int | None = None,
    epochs: Sequence[int] | None = None,
    batch_size: int | None = None,
    map_dimensions: int = 2,
    network: Network | None = None,
    held_out: float | None = None,
    seed: int = 0,
) -> Recipe:
    """Make a preset's recipe.

    Parameters
    ----------
    name
        The preset; given already in the functions of `PRESETS`.
    patches
        What is cut; tiles of 32 px if not given.
    depth
        What is made of Z; slices if not given.
    background
        Which windows of a grid are skipped; none if not given.
    rgb
        The images are RGB; decides the views where ``views`` is not given.
    views
        ``fluorescence``, ``histology``, ``transmitted`` or ``natural``; the paper's are
        ``natural``. `patches.look_of` suggests what suits some images.
    augmentations
        What a view may change, in place of ``views``.
    normalization
        ``percentile``, ``image`` or ``none``; if not given, ``none`` for RGB and for the paper.
    margin
        Pixels kept around each patch; as many as the views need if not given.
    epochs
        Epochs of each stage; a warm-up shrinks in proportion.
    batch_size
        Images a batch of the stages that run the whole network.
    map_dimensions
        2 or 3.
    network
        In place of the preset's.
    held_out
        Share of the patches that is not trained on.
    seed
        Of all randomness.

    Raises
    ------
    InputError
        Where a number is out of range, or ``epochs`` has not one number a stage.
    """
    patches = patches or Grid()
    published = name.startswith("paper")
    kind = views or ("natural" if published else "histology" if rgb else "fluorescence")
    if kind not in VIEWS:
        raise InputError(f"views '{kind}' are not known: use one of {', '.join(VIEWS)}")
    augmentations = augmentations or VIEWS[kind]
    stages = _STAGES[name](batch_size or (1024 if published else 256), map_dimensions)
    if epochs is not None:
        if len(epochs) != len(stages):
            names = ", ".join(stage.name for stage in stages)
            raise InputError(
                f"epochs: the preset {name} has {len(stages)} stages ({names}), "
                f"{len(epochs)} numbers were given"
            )
        stages = tuple(_with_epochs(s, e) for s, e in zip(stages, epochs, strict=True))
    if network is None:
        network = Network() if published else Network(groups=3, width=32, hidden=512)
    if normalization is None:
        normalization = "none" if published or rgb else "percentile"
    recipe = Recipe(
        preset=name,
        patches=patches,
        depth=depth or Depth(),
        background=background or Background(),
        margin=margin,
        normalization=Normalization(method=normalization),
        augmentations=augmentations,
        network=network,
        orientations=1 if published else augmentations.orientations,
        stages=stages,
        held_out=held_out if held_out is not None else 0.0 if published else 0.05,
        precision="float32" if published else "auto",
        seed=seed,
    )
    return recipe.cut_at(patches.pixels) if patches.pixels else recipe


def _with_epochs(stage: Stage, epochs: int) -> Stage:
    warmup = stage.warmup_epochs * min(1.0, epochs / stage.epochs) if stage.epochs else 0.0
    if stage.schedule == "epoch":
        warmup = float(round(warmup))
    return Stage(**{**stage.model_dump(), "epochs": epochs, "warmup_epochs": warmup})


# --- the published strategies -------------------------------------------------------------------

_SGD = Optimizer(method="sgd", learning_rate=0.03)


def _published(name: str, epochs: int, batch: int, output_dim: int, **options: Any) -> Stage:
    options = {"warmup_epochs": 10, "optimizer": _SGD, **options}
    return Stage(
        name=name, epochs=epochs, output_dim=output_dim, schedule="epoch", batch_size=batch,
        **options,
    )  # fmt: skip


def _paper(batch: int, dimensions: int, loss: Literal["cauchy", "cosine"]) -> tuple[Stage, ...]:
    slow = _SGD.model_copy(update={"learning_rate": 0.03 / 1000})
    return (
        _published("features", 1000, batch, 128, loss=loss),
        _published("readout", 50, batch, dimensions, trains="readout", warmup_epochs=0),
        _published("fine-tuning", 450, batch, dimensions, optimizer=slow),
    )


def _straight(batch: int, dimensions: int, epochs: int) -> tuple[Stage, ...]:
    return (_published("map", epochs, batch, dimensions),)


def _annealed(batch: int, dimensions: int) -> tuple[Stage, ...]:
    return (
        _published("annealing", 1000, batch, dimensions, start_dim=128, annealing="cosine"),
    )  # fmt: skip


# --- recipes of minutes -------------------------------------------------------------------------


def map_stage(dimensions: int, epochs: int = 100) -> Stage:
    """Return the stage that makes a map of learnt features: a new head keeps their neighbours."""
    return Stage(
        name="map", epochs=epochs, output_dim=dimensions, trains="head",
        optimizer=Optimizer(method="adamw", learning_rate=3e-3, weight_decay=1e-4),
        warmup_epochs=2, batch_size=256, neighbors=15, head_layers=2, whitening=0.75,
        least_draws=4096,
    )  # fmt: skip


SHORT_MAP_EPOCHS = 30
"""Of the map that is made of what was learnt, where a training is stopped before its map."""


def short_map_stage(dimensions: int) -> Stage:
    """Return the stage that makes the map of a training that was stopped before it had one."""
    return map_stage(dimensions, SHORT_MAP_EPOCHS)


def _fast(batch: int, dimensions: int, epochs: int) -> tuple[Stage, ...]:
    return (
        Stage(name="features", epochs=epochs, output_dim=128, loss="cosine",
              optimizer=Optimizer(method="muon", learning_rate=1.5e-3, weight_decay=0.01),
              warmup_epochs=1, batch_size=batch, least_draws=1024),
        map_stage(dimensions),
    )  # fmt: skip


_STAGES: dict[PresetName, Callable[[int, int], tuple[Stage, ...]]] = {
    "quick": partial(_fast, epochs=20),
    "thorough": partial(_fast, epochs=80),
    "paper": partial(_paper, loss="cauchy"),
    "paper-cosine": partial(_paper, loss="cosine"),
    "paper-2d": partial(_straight, epochs=1000),
    "paper-2d-long": partial(_straight, epochs=5000),
    "paper-annealing": _annealed,
}

PRESETS: dict[str, Callable[..., Recipe]] = {
    name: partial(_build, name) for name in get_args(PresetName)
}
"""Functions that make a recipe, by name; parameters as of `_build`."""
