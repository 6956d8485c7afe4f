"""What each choice of the ``quick`` preset gives: one change at a time, kNN accuracy and time.

    python benchmarks/ablations.py --variants quick,width-16 --seeds 0,1 --epochs 20 --out a.jsonl

The variants of the map's stage start from one and the same features.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from common import SETS, learn, machine, write

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


FEATURES: dict[str, Change] = {
    "quick": lambda recipe: None,
    "rate-0.0004": _set("stages.0.optimizer.learning_rate", 4e-4),
    "rate-0.0007": _set("stages.0.optimizer.learning_rate", 7e-4),
    "rate-0.003": _set("stages.0.optimizer.learning_rate", 3e-3),
    "decay-0.1": _set("stages.0.optimizer.weight_decay", 0.1),
    "sgd": _set("stages.0.optimizer", {"method": "sgd", "learning_rate": 0.03}),
    "cosine": _set("stages.0.loss", "cosine"),
    "batch-128": _set("stages.0.batch_size", 128),
    "batch-512": _set("stages.0.batch_size", 512),
    "width-16": _set("network.width", 16),
    "width-24": _set("network.width", 24),
    "width-48": _set("network.width", 48),
    "groups-4": _set("network.groups", 4),
    "groups-4-width-16": _all(_set("network.groups", 4), _set("network.width", 16)),
    "groups-2-width-64": _all(_set("network.groups", 2), _set("network.width", 64)),
    "published-views": _all(
        _set("augmentations.crop", {"area": (0.2, 1), "aspect": (3 / 4, 4 / 3)}),
        _set("augmentations.color_jitter.brightness", 0.4),
        _set("augmentations.color_jitter.contrast", 0.4),
        _set("augmentations.color_jitter.saturation", 0.4),
        _set("augmentations.color_jitter.hue", 0.1),
        _set("augmentations.grayscale.on", True),
        _set("augmentations.grayscale.probability", 0.2),
    ),
    "crop-0.4": _set("augmentations.crop.area", (0.4, 1)),
    "crop-0.5": _set("augmentations.crop.area", (0.5, 1)),
    "crop-0.8": _set("augmentations.crop.area", (0.8, 1)),
    "no-rotation": _set("augmentations.rotation.on", False),
    "no-jitter": _set("augmentations.color_jitter.on", False),
    "output-32": _set("stages.0.output_dim", 32),
    "no-warm-up": _set("stages.0.warmup_epochs", 0),
}
"""Changes that need a training of their own."""

MAP: dict[str, Change] = {
    "map: of the patch itself": _set("stages.1.neighbors", 0),
    "map: linear readout": _set("stages.1.trains", "readout"),
    "map: linear readout, of the patch itself": _all(
        _set("stages.1.trains", "readout"), _set("stages.1.neighbors", 0)
    ),
    "map: 8 views": _set("stages.1.cached_views", 8),
    "map: 5 neighbours": _set("stages.1.neighbors", 5),
    "map: 30 neighbours": _set("stages.1.neighbors", 30),
    "map: batch 256": _set("stages.1.batch_size", 256),
    "map: batch 2048": _set("stages.1.batch_size", 2048),
    "map: 20 epochs": _set("stages.1.epochs", 20),
    "map: 100 epochs": _set("stages.1.epochs", 100),
    "map: rate 0.0003": _set("stages.1.optimizer.learning_rate", 3e-4),
    "map: rate 0.003": _set("stages.1.optimizer.learning_rate", 3e-3),
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
