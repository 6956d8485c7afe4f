"""What each choice of the ``quick`` preset gives: one change at a time, kNN accuracy and time.

    python benchmarks/ablations.py --variants quick,width-16 --seeds 0,1 --epochs 20 --out a.jsonl

The variants of the map's stage start from one and the same features.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from real_patches import SETS, learn
from record import machine, write

from napari_tsimcne.recipe import Grid, Recipe

Change = Callable[[dict], None]


def _set(path: str, value: object) -> Change:
    """Change one setting of a recipe, named by its path."""

    def change(recipe: dict) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            recipe = recipe[int(parent) if parent.isdigit() else parent]
        recipe[last] = value

    return change


def _all(*changes: Change) -> Change:
    def change(recipe: dict) -> None:
        for one in changes:
            one(recipe)

    return change


_ADAMW = {"method": "adamw", "learning_rate": 1.5e-3, "weight_decay": 0.01}

FEATURES: dict[str, Change] = {
    "quick": lambda recipe: None,
    "untrained": _set("stages.0.epochs", 0),
    "adamw": _set("stages.0.optimizer", _ADAMW),
    "sgd": _set("stages.0.optimizer", {"method": "sgd", "learning_rate": 0.03}),
    "cauchy": _set("stages.0.loss", "cauchy"),
    "batch-128": _set("stages.0.batch_size", 128),
    "batch-512": _set("stages.0.batch_size", 512),
    "width-16": _set("network.width", 16),
    "width-48": _set("network.width", 48),
    "groups-4": _set("network.groups", 4),
    "published-views": _all(
        _set("augmentations.crop", {"area": (0.2, 1), "aspect": (3 / 4, 4 / 3)}),
        _set("augmentations.rotation.on", False),
        _set("augmentations.flips.vertical", 0.0),
        _set("augmentations.color_jitter",
             {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}),
        _set("augmentations.grayscale", {"probability": 0.2}),
    ),
    "crop-0.4": _set("augmentations.crop.area", (0.4, 1)),
    "no-rotation": _set("augmentations.rotation.on", False),
    "no-jitter": _all(
        _set("augmentations.color_jitter.on", False), _set("augmentations.intensity.on", False)
    ),
}  # fmt: skip
"""Changes that need a training of their own."""

_READOUT = _all(
    _set("stages.1.trains", "readout"), _set("stages.1.head_layers", 0),
    _set("stages.1.neighbors", 0), _set("stages.1.cached_views", 8),
)  # fmt: skip

MAP: dict[str, Change] = {
    "map: H as it is": _set("stages.1.whitening", 0.0),
    "map: wholly whitened": _set("stages.1.whitening", 1.0),
    "map: one orientation": _set("orientations", 1),
    "map: H as it is, one orientation": _all(
        _set("stages.1.whitening", 0.0), _set("orientations", 1)
    ),
    "map: readout of 8 cached views": _all(
        _READOUT, _set("stages.1.whitening", 0.0), _set("orientations", 1)
    ),
    "map: readout of 8 cached views, whitened, 8 orientations": _READOUT,
    "map: head of 8 cached views": _all(
        _set("stages.1.neighbors", 0), _set("stages.1.cached_views", 8)
    ),
    "map: 5 neighbours": _set("stages.1.neighbors", 5),
    "map: 1 hidden layer": _set("stages.1.head_layers", 1),
    "map: batch 1024": _set("stages.1.batch_size", 1024),
    "map: rate 0.001": _set("stages.1.optimizer.learning_rate", 1e-3),
    "map: 30 epochs": _set("stages.1.epochs", 30),
}
"""Changes of the map's stage alone."""


def _names(text: str, known: dict[str, Change]) -> list[str]:
    names = [*known] if text == "all" else [name for name in text.split(",") if name]
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"'{name}' is none of {', '.join(known)}")
    return names


def main(
    data: Annotated[str, typer.Option(help="pbc, mitocheck or bbbc013")] = "pbc",
    variants: Annotated[str, typer.Option(help="Names, with commas, or all.")] = "all",
    maps: Annotated[str, typer.Option(help="Of the map's stage: names, or all.")] = "",
    seeds: Annotated[str, typer.Option(help="Numbers, with commas.")] = "0,1",
    epochs: Annotated[int, typer.Option(help="Of the features; 0: the preset's.")] = 0,
    out: Annotated[Path | None, typer.Option(help="File to append JSON lines to.")] = None,
) -> None:
    """Train each variant with each seed, and score it against the known classes."""
    patches = SETS[data]()
    write(out, what="machine", **machine())
    for seed in map(int, seeds.split(",")):
        preset = Recipe.quick(
            Grid(size=patches.size), rgb=patches.rgb, margin=0, seed=seed
        ).model_dump()
        if epochs:
            preset["stages"][0]["epochs"] = epochs

        def varied(change: Change, preset: dict = preset) -> Recipe:
            settings = Recipe(**preset).model_dump()
            change(settings)
            return Recipe(**settings)

        for name in _names(variants, FEATURES):
            result, features = learn(patches, varied(FEATURES[name]))
            write(out, data=data, seed=seed, variant=name, epochs=epochs, **result)
            if name == "quick":
                for other in _names(maps, MAP):
                    result, _ = learn(patches, varied(MAP[other]), features)
                    write(out, data=data, seed=seed, variant=other, epochs=epochs, **result)


if __name__ == "__main__":
    typer.run(main)
