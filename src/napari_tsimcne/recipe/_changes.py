"""In what a recipe differs from the preset that it names."""

from __future__ import annotations

from typing import NamedTuple

from napari_tsimcne.recipe._augmentations import VIEWS
from napari_tsimcne.recipe._models import Recipe, Stage
from napari_tsimcne.recipe._presets import PRESETS


class Change(NamedTuple):
    """What differs, its value in the recipe, and that of the preset."""

    what: str
    value: str
    preset: str

    def __str__(self) -> str:
        return f"{self.what} {self.value} (preset: {self.preset})"


def changes(recipe: Recipe) -> tuple[Change, ...]:
    """Return in what a recipe differs from its preset; nothing where it names none.

    Patches, depth, background and augmentations are of the images, and no part of a preset; but
    those of the published strategies are published.
    """
    if recipe.preset not in PRESETS:
        return ()
    published = recipe.preset.startswith("paper")
    preset = PRESETS[recipe.preset](
        recipe.patches, augmentations=VIEWS["natural"] if published else recipe.augmentations
    )
    found = [*_of_stages(recipe.stages, preset.stages)]
    usual = ("none",) if published else ("none", "percentile")
    if recipe.normalization.method not in usual:
        found.append(Change("normalisation", recipe.normalization.method, " or ".join(usual)))
    if published and recipe.augmentations != preset.augmentations:
        kinds = (kind for kind, known in VIEWS.items() if known == recipe.augmentations)
        found.append(Change("augmentations", next(kinds, "custom"), "natural"))
    if recipe.network != preset.network:
        found.append(Change("network", _network(recipe), _network(preset)))
    for what, own, usually in (
        ("held-out patches", f"{recipe.held_out:.0%}", f"{preset.held_out:.0%}"),
        ("precision", recipe.precision, preset.precision),
        ("seed", str(recipe.seed), str(preset.seed)),
    ):
        if own != usually:
            found.append(Change(what, own, usually))
    return tuple(found)


def preset_text(recipe: Recipe) -> str:
    """Name the preset of a recipe, and what was changed: ``quick, changed: epochs``."""
    names = ", ".join(change.what for change in changes(recipe))
    return f"{recipe.preset}, changed: {names}" if names else recipe.preset


def _of_stages(stages: tuple[Stage, ...], usual: tuple[Stage, ...]) -> list[Change]:
    if [stage.name for stage in stages] != [stage.name for stage in usual]:
        return [Change("stages", ", ".join(s.name for s in stages),
                       ", ".join(s.name for s in usual))]  # fmt: skip
    found = []
    epochs, usually = ([stage.epochs for stage in some] for some in (stages, usual))
    if epochs != usually:
        found.append(Change("epochs", _listed(epochs), _listed(usually)))
    for what, field in (("batch size", "batch_size"), ("dimensions of the map", "output_dim")):
        own, of_preset = (_last_or_first(some, field) for some in (stages, usual))
        if own != of_preset:
            found.append(Change(what, str(own), str(of_preset)))
    told = {"epochs", "batch_size", "output_dim", "warmup_epochs"}
    if any(a.model_dump(exclude=told) != b.model_dump(exclude=told)
           for a, b in zip(stages, usual, strict=True)):  # fmt: skip
        found.append(Change("settings of stages", "others", "as published or recommended"))
    return found


def _last_or_first(stages: tuple[Stage, ...], field: str) -> int:
    """Batches are set by the first stage, the map is what the last one makes."""
    return int(getattr(stages[0] if field == "batch_size" else stages[-1], field))


def _network(recipe: Recipe) -> str:
    network = recipe.network
    pretrained = ", pretrained" if network.pretrained else ""
    return f"{network.backbone}, {network.groups} groups of width {network.width}{pretrained}"


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
