"""The recipe: all that decides the result of a run, as frozen models that are stored with it.

A range is a pair ``(low, high)`` from which a value is drawn uniformly for each view; a
probability lies in 0..1. ``Recipe.paper`` is the published method (Böhm, Berens, Kobak,
*Unsupervised visualization of image datasets using contrastive learning*, ICLR 2023);
``Recipe.quick`` makes a useful map in minutes on a CPU; `PRESETS` has them all.
"""

from napari_tsimcne.recipe._augmentations import VIEWS, Augmentations
from napari_tsimcne.recipe._changes import Change, changes, preset_text
from napari_tsimcne.recipe._models import (
    Network,
    Normalization,
    NormalizationName,
    Optimizer,
    Recipe,
    Stage,
)
from napari_tsimcne.recipe._patches import (
    SKIP_EMPTY,
    Background,
    Depth,
    Grid,
    Objects,
    Patches,
    Points,
    Unit,
)
from napari_tsimcne.recipe._presets import PRESETS, PresetName, map_stage, short_map_stage

__all__ = [
    "PRESETS",
    "SKIP_EMPTY",
    "VIEWS",
    "Augmentations",
    "Background",
    "Change",
    "Depth",
    "Grid",
    "Network",
    "Normalization",
    "NormalizationName",
    "Objects",
    "Optimizer",
    "Patches",
    "Points",
    "PresetName",
    "Recipe",
    "Stage",
    "Unit",
    "changes",
    "map_stage",
    "preset_text",
    "short_map_stage",
]
