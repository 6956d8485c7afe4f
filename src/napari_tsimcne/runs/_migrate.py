"""Runs of earlier versions: what their ``run.json`` and ``recipe.json`` hold, as it is today.

Format 1 had flat augmentations, one network, and normalised by percentiles or by the type's range.
Format 2 had augmentations with switches, more networks, stages that cache features, and a range of
values for each image. Format 3 has patches of grids, objects and points in pixels or µm.

Steps leave alone what is newer already: a recipe is written before the ``run.json`` that says so.
"""

from __future__ import annotations

from typing import Any

Fields = dict[str, Any]


def migrated_info(info: Fields) -> Fields:
    """Return what ``run.json`` holds in the newest format: what is new there may be left out."""
    return {**info, "format": FORMAT}


def migrated_recipe(recipe: Fields, number: int) -> Fields:
    """Return what ``recipe.json`` of a run of some format holds in the newest one.

    Raises
    ------
    Exception
        Of any kind, where it does not hold what a recipe of that format does.
    """
    for step in _STEPS[number - 1 :]:
        recipe = step(recipe)
    return recipe


def _from_1(recipe: Fields) -> Fields:
    normalization = recipe.get("normalization", {})
    if normalization.get("method") == "dtype":
        normalization = {**normalization, "method": "none"}
    network = {"backbone": "resnet18", "stem": "small", "groups": 4, **recipe.get("network", {})}
    return {
        **recipe,
        "normalization": normalization,
        "network": network,
        "augmentations": _with_switches(recipe.get("augmentations", {})),
    }


def _with_switches(flat: Fields) -> Fields:
    """Augmentations of format 1, each of which was off at the value that changes nothing."""
    if any(isinstance(value, dict) for value in flat.values()):
        return flat  # they have switches already
    old = {**_FLAT, **flat}
    area, aspect, scale = (tuple(old[name]) for name in ("crop_area", "crop_aspect", "scale"))
    still = (1.0, 1.0)
    return {
        "crop": {"on": area != still or aspect != still, "area": area, "aspect": aspect},
        "scale": {"on": scale != still, "factor": scale},
        "rotation": {"on": old["rotation"] > 0, "degrees": old["rotation"]},
        "flips": {
            "on": old["flip_horizontal"] > 0 or old["flip_vertical"] > 0,
            "horizontal": old["flip_horizontal"],
            "vertical": old["flip_vertical"],
        },
        "intensity": {
            "on": old["intensity_probability"] > 0,
            "probability": old["intensity_probability"],
            **{name: old[name] for name in ("gain", "offset", "gamma")},
        },
        "color_jitter": {
            "on": old["color_jitter_probability"] > 0,
            "probability": old["color_jitter_probability"],
            **{name: old[name] for name in ("brightness", "contrast", "saturation", "hue")},
        },
        "grayscale": {
            "on": old["grayscale_probability"] > 0,
            "probability": old["grayscale_probability"],
        },
    }


def _from_2(recipe: Fields) -> Fields:
    return {
        "orientations": 1,
        **recipe,
        "patches": {"unit": "pixel", **recipe.get("patches", {})},
        "stages": [_with_one_kind_of_pair(stage) for stage in recipe["stages"]],
    }


def _with_one_kind_of_pair(stage: Fields) -> Fields:
    """Return a stage whose pairs are of views or of neighbours; they were views of neighbours.

    That they are neighbours says more about its map.
    """
    if stage.get("neighbors") and stage.get("cached_views"):
        return {**stage, "cached_views": 0}
    return stage


_FLAT: Fields = {
    "crop_area": (1.0, 1.0), "crop_aspect": (1.0, 1.0), "scale": (1.0, 1.0), "rotation": 0.0,
    "flip_horizontal": 0.0, "flip_vertical": 0.0,
    "gain": (1.0, 1.0), "offset": (0.0, 0.0), "gamma": (1.0, 1.0), "intensity_probability": 0.0,
    "brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0,
    "color_jitter_probability": 0.0, "grayscale_probability": 0.0,
}  # fmt: skip
"""Fields of the augmentations of format 1, and what they were where nothing was given."""

_STEPS = (_from_1, _from_2)
FORMAT = len(_STEPS) + 1
"""Raised when an earlier version could not make sense of a run any more; with it, a step."""
