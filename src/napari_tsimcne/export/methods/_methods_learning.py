"""How a map was learnt, in words for a paper: views, network, loss, stages, device."""

from __future__ import annotations

import math

from napari_tsimcne.events import EpochEnded, Event, Finished, Prepared, RolledBack, readable_time
from napari_tsimcne.export.methods._citations import (
    IMAGENET,
    RESNET,
    SIMCLR,
    TSIMCNE,
)
from napari_tsimcne.export.methods._methods_stages import Done, describe_stage
from napari_tsimcne.export.methods._phrases import between, counted, number, share, words
from napari_tsimcne.recipe import Augmentations, Network, Recipe, Stage, short_map_stage
from napari_tsimcne.runs import EventReader, Run

RESNETS = {"resnet18": "ResNet-18", "resnet34": "ResNet-34", "resnet50": "ResNet-50"}


def learning(run: Run) -> list[str]:
    """Describe how the map of a run was learnt, in two paragraphs."""
    recipe, events = run.recipe, _events(run)
    stages = _stages(run, events)
    trained = len(run.table) - len(recipe.held_out_rows(len(run.table)))
    first = [_task(recipe)]
    if any(not stage.neighbors for stage, _ in stages):
        first.append(_views(recipe.augmentations, run.info.rgb, len(run.info.channels)))
    first += [*_network(recipe.network, len(run.info.channels), events), _loss(stages)]
    held_out = len(run.table) - trained
    second = []
    if held_out:
        second.append(
            f"{counted(held_out, 'patch', 'patches')} ({share(recipe.held_out)}), drawn at random, "
            f"{'was' if held_out == 1 else 'were'} held out from training."
        )
    second.append(_course(run, stages))
    before: Stage | None = None
    for place, done in enumerate(stages, start=1):
        where = f"In stage {place} ('{done.stage.name}'), " if len(stages) > 1 else ""
        patches = _short_map_patches(run, trained) if done is stages[-1] else trained
        second.append(describe_stage(done, before, recipe.network, patches, where))
        before = done.stage
    second += [*_course_of_events(events), _embedding(recipe), *_machine(run, events)]
    return [" ".join(first), " ".join(second)]


# --- what is recorded of the training -------------------------------------------------------------


def _events(run: Run) -> list[Event]:
    """Return the events of the training that made the map; none where they are of another."""
    events = list(EventReader(run.folder).read())
    finished = [event for event in events if isinstance(event, Finished)]
    if not finished or events[-1] is not finished[-1] or not math.isfinite(finished[-1].seconds):
        return []
    return events if finished[-1].stopped == (run.info.state == "stopped") else []


def _stages(run: Run, events: list[Event]) -> list[Done]:
    """Return what was done: all stages of the recipe, or those before training was stopped."""
    planned = run.recipe.running_stages
    if run.info.state != "stopped":
        return [Done(stage, stage.epochs) for stage in planned]
    if not events:
        return [Done(stage, None) for stage in planned]
    ended = [event for event in events if isinstance(event, EpochEnded)]
    done = []
    for stage in planned:
        whole = [one.epoch for one in ended if _is_of(one, stage)]
        done.append(Done(stage, max(whole, default=0)))
        if done[-1].epochs != stage.epochs:
            break
    # Of the last process only: an earlier one may have been stopped, and have made a map, too.
    last = max((i for i, one in enumerate(events) if isinstance(one, Prepared)), default=0)
    short = short_map_stage(run.recipe.map_dimensions)
    is_planned = any((one.name, one.epochs) == (short.name, short.epochs) for one in planned)
    of_last = [event for event in events[last:] if isinstance(event, EpochEnded)]
    made = not is_planned and any(_is_of(event, short) for event in of_last)
    if run.info.learnt.short_map if run.info.learnt else made:
        done.append(Done(short, short.epochs))
    return done


def _short_map_patches(run: Run, trained: int) -> int:
    """Return how many patches the last stage was trained on."""
    learnt = run.info.learnt
    return learnt.short_map_patches if learnt and learnt.short_map else trained


def _is_of(event: EpochEnded, stage: Stage) -> bool:
    return (event.stage, event.epochs) == (stage.name, stage.epochs)


def _course(run: Run, stages: list[Done]) -> str:
    count = counted(len(stages), "stage")
    if run.info.state != "stopped":
        return f"Training consisted of {count}."
    if any(done.epochs is None for done in stages):
        return f"Training was stopped before its end; it was planned in {count}."
    return f"Training was stopped before its end; it consisted of {count}."


def _course_of_events(events: list[Event]) -> list[str]:
    rolled_back = [event for event in events if isinstance(event, RolledBack)]
    return [
        "Training diverged and went on from its last checkpoint, with learning rates multiplied "
        f"by {number(event.rate_scale)}."
        for event in rolled_back[:1]
    ]


# --- what was learnt ------------------------------------------------------------------------------


def _task(recipe: Recipe) -> str:
    dimensions = {2: "two", 3: "three"}[recipe.map_dimensions]
    return (
        f"A map of the patches in {dimensions} dimensions was learnt from the patches alone, "
        f"without labels, with t-SimCNE ({TSIMCNE.cited})."
    )


def _views(views: Augmentations, rgb: bool, channels: int) -> str:
    changes = [*_geometry(views), *_intensities(views, rgb, channels)]
    if not changes:
        return "As no augmentation was used, the two views of a patch were the same."
    return (
        "Two views of each patch were made by random changes, drawn anew each time: "
        f"{words(changes)}."
    )


def _geometry(views: Augmentations) -> list[str]:
    said = []
    if views.crop.on:
        low, high = views.crop.area
        aspect = views.crop.aspect
        shape = "" if aspect == (1, 1) else f" and an aspect ratio of {between(*aspect)}"
        said.append(
            f"a crop of {between(100 * low, 100 * high)} % of the area{shape}, enlarged to the "
            "patch's size"
        )
    if views.scale.on:
        said.append(f"scaling of the field of view by a factor of {between(*views.scale.factor)}")
    if views.rotation.on and views.rotation.degrees:
        turned = views.rotation.degrees
        said.append(
            "rotation by any angle" if turned == 180 else f"rotation by up to ±{number(turned)}°"
        )
    if views.shear.on and views.shear.degrees:
        said.append(f"shearing by up to ±{number(views.shear.degrees)}°")
    flips = views.flips
    if flips.on and flips.horizontal == flips.vertical > 0:
        said.append(f"horizontal and vertical flips (probability {number(flips.vertical)} each)")
    elif flips.on:
        chances = {"horizontal": flips.horizontal, "vertical": flips.vertical}
        said += [f"{name} flips{_chance(chance)}" for name, chance in chances.items() if chance]
    return said


def _intensities(views: Augmentations, rgb: bool, channels: int) -> list[str]:
    said = []
    intensity, jitter = views.intensity, views.color_jitter
    if intensity.on and intensity.probability:
        each = "each channel's" if channels > 1 else "the"
        said.append(
            f"changes of {each} gain ({between(*intensity.gain)}), offset "
            f"({between(*intensity.offset)} of the range of values) and gamma "
            f"({between(*intensity.gamma)}){_chance(intensity.probability)}"
        )
    if jitter.on and jitter.probability:
        parts = {"brightness": jitter.brightness, "contrast": jitter.contrast}
        if rgb:
            parts["saturation"] = jitter.saturation
        changed = [f"{name} (±{share(part)})" for name, part in parts.items() if part]
        if rgb and jitter.hue:
            changed.append(f"hue (±{share(jitter.hue)} of the colour circle)")
        if changed:
            said.append(f"changes of {words(changed)}{_chance(jitter.probability)}")
    if rgb and views.grayscale.on and views.grayscale.probability:
        said.append(f"conversion to grey{_chance(views.grayscale.probability)}")
    if not rgb and channels > 1 and views.channel_drop.on and views.channel_drop.probability:
        said.append(f"one channel set to 0{_chance(views.channel_drop.probability)}")
    if views.blur.on and views.blur.probability:
        said.append(
            f"Gaussian blur with a standard deviation of {between(*views.blur.sigma)} pixels"
            f"{_chance(views.blur.probability)}"
        )
    if views.noise.on and views.noise.probability:
        said.append(
            f"Gaussian noise with a standard deviation of {between(*views.noise.sigma)} of the "
            f"range of values{_chance(views.noise.probability)}"
        )
    return said


def _chance(probability: float) -> str:
    return "" if probability == 1 else f" (probability {number(probability)})"


def _network(network: Network, channels: int, events: list[Event]) -> list[str]:
    name = RESNETS[network.backbone]
    stem = (
        "a stem for small images (3 × 3 convolution of stride 1, no max-pooling)"
        if network.stem == "small"
        else "its standard stem (7 × 7 convolution of stride 2, max-pooling)"
    )
    groups = (
        f"the first {network.groups} of its 4 groups of residual blocks"
        if network.groups < 4
        else "all 4 groups of residual blocks"
    )
    prepared = [one for one in events if isinstance(one, Prepared) and not one.resumed]
    weights = ""
    if prepared:
        weights = f"; with it, the network had {counted(prepared[0].parameters, 'parameter')}"
    said = [
        f"The network was a {name} ({RESNET.cited}) for {counted(channels, 'input channel')} with "
        f"{stem} and {groups}, {network.width} channels wide in the first. It gave features H of "
        f"{network.features} dimensions, from which a head of two linear layers, with "
        f"{counted(network.hidden, 'hidden unit')} and ReLU between them, computed the outputs"
        f"{weights}."
    ]
    if not network.pretrained:
        return [*said, "Weights were initialised at random."]
    imagenet = network.pretrained == "imagenet"
    source = f"trained on ImageNet ({IMAGENET.cited})" if imagenet else "from an earlier training"
    but = ", but for the stem, which was initialised at random" if network.stem == "small" else ""
    said.append(f"The backbone began with weights {source}{but}.")
    if network.frozen_backbone:
        said.append("The backbone's weights were kept as they were.")
    return said


def _loss(stages: list[Done]) -> str:
    temperatures = sorted({stage.temperature for stage, _ in stages if stage.loss == "cosine"})
    cosine = (
        f"s(x, y) = exp(cos(x, y) / τ) with τ = {words([number(t) for t in temperatures])} "
        f"({SIMCLR.cited})"
        if temperatures
        else ""
    )
    kernels = [cosine] if cosine else []
    if any(stage.loss == "cauchy" for stage, _ in stages):
        kernels.append("the Cauchy kernel s(x, y) = 1 / (1 + ‖x − y‖²)")
    return (
        "With the two views aᵢ and cᵢ of each of b patches in a batch, and v and w any of their 2b "
        "outputs, the InfoNCE loss was L = −(1/b) Σᵢ log s(aᵢ, cᵢ) + (1/2b) Σᵥ log Σ(w ≠ v) "
        f"s(v, w). The similarity s was {', or '.join(kernels)}."
    )


# --- the map, and the machine ---------------------------------------------------------------------


def _embedding(recipe: Recipe) -> str:
    how = {
        1: "unchanged",
        2: "unchanged, H being the mean over the patch and its mirror image",
        4: "unchanged, H being the mean over its four quarter turns",
        8: "unchanged, H being the mean over its four quarter turns and their mirror images",
    }[recipe.orientations]
    return (
        f"For the map, the network was applied to each patch {how}. One unit of the map is one "
        "width of the Cauchy kernel."
    )


def _machine(run: Run, events: list[Event]) -> list[str]:
    seed = f"The random seed was {run.recipe.seed}."
    prepared = [one for one in events if isinstance(one, Prepared)]
    learnt = run.info.learnt
    if not prepared and learnt is not None:
        how = _arithmetic([learnt.precision], learnt.compiled)
        return [f"{seed} Training ran on {_device(learnt.device)}, {how}."]
    if not prepared:
        exact = "All was computed in float32." if run.recipe.precision == "float32" else ""
        return [seed, exact] if exact else [seed]
    devices = [_device(name) for name in dict.fromkeys(one.device for one in prepared)]
    precisions = list(dict.fromkeys(one.precision for one in prepared))
    how = _arithmetic(precisions, any(one.compiled for one in prepared))
    took = readable_time(events[-1].seconds) if isinstance(events[-1], Finished) else ""
    return [f"{seed} Training took {took} on {words(devices)}, {how}."]


def _arithmetic(precisions: list[str], compiled: bool) -> str:
    return f"in {words(precisions)}" + (", compiled by torch.compile" if compiled else "")


def _device(name: str) -> str:
    return f"a {name.replace(', ', ' with ')}" if name.startswith("CPU") else f"the GPU {name}"
