"""The facts of a run in words, a line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from napari_tsimcne.recipe import Grid, Objects, Recipe, preset_text

LISTED = 12
"""Images, columns and the like that are named, before the rest is counted."""

Facts = dict[str, Any]


def recipe_words(recipe: Recipe) -> list[str]:
    """Say what a recipe does, in short sentences."""
    views = [
        name.replace("_", " ")
        for name in type(recipe.augmentations).model_fields
        if getattr(recipe.augmentations, name).on
    ]
    stages = [
        f"{stage.name}: {_counted(stage.epochs, 'epoch')} in batches of {stage.batch_size}, "
        f"{stage.trains} by {stage.optimizer.method}, {stage.loss}, {stage.output_dim} dimensions"
        for stage in recipe.running_stages
    ]
    network = recipe.network
    return [
        f"preset {preset_text(recipe)}; seed {recipe.seed}",
        _patches(recipe),
        f"values normalised by {recipe.normalization.method}",
        f"views vary {', '.join(views) or 'nothing'}",
        f"{network.backbone} of width {network.width}, {network.features} features",
        *stages,
    ]


def _patches(recipe: Recipe) -> str:
    patches = recipe.patches
    unit = patches.unit.replace("pixel", "px")
    size = f"{patches.size:g} {unit}"
    if isinstance(patches, Grid):
        text = f"windows of {size}, a step of {patches.step:g} {unit}"
    elif isinstance(patches, Objects):
        text = f"windows of {size} around objects, surroundings: {patches.surroundings}"
    else:
        text = f"windows of {size} around points"
    return f"{text}, stored at {patches.pixels} px a side"


def lines(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield names and texts of the lines that say what a run holds; a name may be empty."""
    yield "run", facts["folder"]
    yield "state", _state(facts)
    if "created" in facts:
        made = f"{facts['created']}, napari-tsimcne {facts['software']}, format {facts['format']}"
        yield "made", made
    if facts.get("versions"):
        yield "learnt with", ", ".join(f"{n} {v}" for n, v in facts["versions"].items())
    if facts.get("learnt"):
        yield "learnt on", _arithmetic(facts["learnt"])
    yield from _data(facts)
    yield from _block("recipe", facts.get("recipe", []))
    yield from _result(facts)
    sizes = facts["bytes"]
    yield "size", f"{_size(sum(sizes.values()))} in all"
    yield from (("", f"{name} {_size(size)}") for name, size in list(sizes.items())[:LISTED])
    yield from _block("damaged", facts["damaged"])


def _data(facts: Facts) -> Iterator[tuple[str, str]]:
    if "patches" in facts:
        one = facts["patches"]
        text = f"{one['count']:,} of {one['side']} px a side, margin {one['margin']} px"
        yield "patches", f"{text}, {one['dtype']}"
    channels = [f"{one['name']} {one['low']:g} to {one['high']:g}" for one in
                facts.get("channels", [])]  # fmt: skip
    if channels:
        own = ", a range of its own for each image" if facts["ranges_by_image"] else ""
        yield "channels", ", ".join(channels) + (" (RGB)" if facts["rgb"] else "") + own
    yield from _files("images", facts.get("images", []))
    if "label_images" in facts:
        yield from _files("label images", facts["label_images"])
    elif facts.get("labels"):
        yield "label images", f"{facts['labels']:,}"
    if facts.get("skipped"):
        yield "left out", f"{facts['skipped']:,} files that could not be read"
    if facts.get("columns"):
        yield "columns", _listed([f"{n} ({c['values']:,})" for n, c in facts["columns"].items()])
    for old, new in facts.get("renamed", {}).items():
        yield "", f"'{old}' of your tables is '{new}': the map has a column of that name"


def _arithmetic(learnt: Facts) -> str:
    """Say how a map was computed, with the options that do so again."""
    compiled = "compiled" if learnt["compiled"] else "not compiled"
    options = f"--precision {learnt['precision']} --{'' if learnt['compiled'] else 'no-'}compile"
    text = f"{learnt['device']}, in {learnt['precision']}, {compiled} ({options})"
    if learnt["processes"] > 1:
        text += f", {learnt['processes']} processes"
    if learnt["short_map"]:
        text += "; its map was made by a short stage, as training was stopped before"
    return text


def _files(name: str, images: list[Facts]) -> Iterator[tuple[str, str]]:
    """Count images by where they are, and name those that are missing."""
    if not images:
        return
    counts = Counter(one["state"] for one in images)
    told = ", ".join(f"{count:,} {state}" for state, count in counts.items())
    yield name, f"{len(images):,}: {told}"
    missing = [one["name"] for one in images if one["state"] == "missing"]
    if missing:
        yield "", f"missing: {_listed(missing)}"


def _result(facts: Facts) -> Iterator[tuple[str, str]]:
    if "map" in facts:
        one = facts["map"]
        extent = " x ".join(f"{length:.3g}" for length in one["extent"])
        text = f"{one['dimensions']} dimensions, {extent} map units"
        yield "map", f"{text}; {one['features']} features of each patch"
    clusters = facts.get("clusters", [])
    yield from _block("clusters", [
        f"{one['name']}: {one['patches']:,}" + (f", made {one['made']}" if one.get("made") else "")
        for one in clusters
    ])  # fmt: skip
    if facts.get("selected"):
        yield "selected", f"{facts['selected']:,} patches"
    added = [
        f"{one['name']}: {one['patches']:,} patches of {one['images']:,} images"
        for one in facts.get("additions", [])
    ] + [f"{one['name']}: {one['reason']}" for one in facts.get("refused_additions", [])]
    yield from _block("additions", added)
    seeds = [f"{one['seed']} ({one['state']})" for one in facts.get("seeds", [])]
    if seeds:
        yield "other seeds", ", ".join(seeds)
    if "stability" in facts:
        yield "stability", f"{facts['stability']:.0%} of the nearest patches stay the same"


def _state(facts: Facts) -> str:
    told = {
        "cut": "cut, not trained",
        "trained": "trained",
        "stopped": "stopped before its end, with a map of what was learnt",
    }
    text = told.get(facts.get("state", ""), "unknown: its run.json is damaged")
    training = facts.get("training")
    if training is None:
        return text
    text = "being trained" if training["running"] else f"{text}; a training can go on"
    if "stage" not in training:
        return text
    return (
        f"{text}: {training['fraction']:.0%} done, {training['stage']} "
        f"{training['epoch']}/{training['epochs']}"
    )


def _block(name: str, texts: list[str]) -> Iterator[tuple[str, str]]:
    yield from zip([name, *[""] * len(texts)], texts, strict=False)


def _listed(names: list[str]) -> str:
    rest = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {rest:,} more" if rest > 0 else "")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _size(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return _counted(count, "byte")
