"""What was given on the command line, in the words of a recipe, or opened."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_tsimcne.errors import InputError
from napari_tsimcne.recipe import (
    SKIP_EMPTY,
    Background,
    Depth,
    Grid,
    Network,
    Objects,
    Points,
)
from napari_tsimcne.terminal._options import BackgroundRule, Edges, Surroundings

if TYPE_CHECKING:
    import pandas as pd

    from napari_tsimcne.images import ImageSource
    from napari_tsimcne.patches import Measurement
    from napari_tsimcne.recipe import Recipe


def parse_length(text: str, option: str) -> tuple[float, str]:
    """Return a length and its unit, ``pixel`` or ``µm``: of 32, 32px, 20um or 20µm."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(px|um|µm|μm)?\s*", text)
    if found is None or float(found[1]) == 0:
        raise InputError(f"{option} '{text}' must be a number of pixels, or of µm as 20um")
    return float(found[1]), "pixel" if found[2] in (None, "px") else "µm"


def parse_depth(text: str) -> Depth:
    """Return what is made of Z."""
    if text.isdigit():
        return Depth(method="plane", plane=int(text))
    if text not in ("slices", "max", "mean"):
        raise InputError(f"--depth '{text}' must be slices, max, mean or the number of a plane")
    return Depth(method=text)


def parse_patches(
    *,
    patch_size: str | None,
    stride: str | None,
    offset: str,
    edges: Edges,
    pixels: int,
    objects: Sequence[str] | None,
    surroundings: Surroundings,
    keep_border: bool,
    least_area: int,
    points: Path | None,
    dimming: float | None = None,
) -> Grid | Objects | Points:
    """Return what is cut: of objects or points where they are given, else of a grid."""
    if objects and points:
        raise InputError("give --objects or --points, not both")
    if patch_size is None and not objects:
        raise InputError("give --patch-size: the side of a patch, about one cell")
    size, unit = parse_length(patch_size, "--patch-size") if patch_size else (0.0, "pixel")
    sized: dict[str, Any] = {"size": size, "unit": unit, "pixels": pixels}
    _refuse("patches on a grid", bool(objects or points), {
        "--stride": stride is not None, "--offset": offset != "0,0",
        "--edges": edges is not Edges.drop,
    })  # fmt: skip
    _refuse("patches of --objects", not objects, {
        "--surroundings": surroundings is not Surroundings.keep, "--keep-border": keep_border,
        "--least-area": least_area > 0, "--dimming": dimming is not None,
    })  # fmt: skip
    if objects:
        if dimming is not None and surroundings is not Surroundings.dim:
            raise InputError("--dimming needs --surroundings dim: it says how far these are dimmed")
        dimmed = {} if dimming is None else {"dimming": dimming}
        return Objects(**sized, surroundings=surroundings.value, border=keep_border,
                       least_area=least_area, **dimmed)  # fmt: skip
    if points:
        return Points(**sized)
    step, step_unit = parse_length(stride, "--stride") if stride else (0.0, unit)
    if step_unit != unit:
        raise InputError("--patch-size and --stride must have the same unit")
    numbers = offset.split(",")
    if len(numbers) != 2 or not all(re.fullmatch(r"\d+(\.\d+)?", n.strip()) for n in numbers):
        raise InputError(f"--offset '{offset}' must be two numbers, Y,X")
    begin = (float(numbers[0]), float(numbers[1]))
    return Grid(**sized, stride=step, offset=begin, edges=edges.value)


def with_percentiles(recipe: Recipe, text: str | None) -> Recipe:
    """Return a recipe whose values are brought to 0 and 1 at two percentiles, ``LOW,HIGH``.

    Raises
    ------
    InputError
        Where these are not two ascending numbers of 0 to 100, or its normalisation uses none.
    """
    if text is None:
        return recipe
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low, high = 1.0, 0.0
    if not 0 <= low < high <= 100:
        raise InputError(f"--percentiles '{text}' must be two numbers of 0 to 100, LOW,HIGH")
    if recipe.normalization.method == "none":
        raise InputError("--percentiles need --normalization percentile or image")
    settings = recipe.normalization.model_copy(update={"percentiles": (low, high)})
    return recipe.model_copy(update={"normalization": settings})


def parse_background(
    patches: Grid | Objects | Points,
    rule: BackgroundRule | None,
    factor: float,
    least: float | None,
) -> Background:
    """Return which windows are skipped; ``rule`` None: `SKIP_EMPTY` for a grid."""
    _refuse("patches on a grid", not isinstance(patches, Grid), {
        "--background": rule not in (None, BackgroundRule.none),
        "--least-foreground": least is not None,
    })  # fmt: skip
    if rule is None:
        rule = BackgroundRule.auto if isinstance(patches, Grid) else BackgroundRule.none
    by_otsu = rule in (BackgroundRule.otsu, BackgroundRule.tissue)
    _refuse("--background otsu and tissue", not by_otsu,
            {"--threshold-factor": factor != Background().factor})  # fmt: skip
    _refuse("--background auto, otsu and tissue", rule is BackgroundRule.none,
            {"--least-foreground": least is not None})  # fmt: skip
    usual = SKIP_EMPTY if rule is BackgroundRule.auto else Background()
    least = usual.least_foreground if least is None else least
    return Background(method=rule.value, factor=factor, least_foreground=least)


def _refuse(only_for: str, elsewhere: bool, given: Mapping[str, bool]) -> None:
    """Refuse options that were given where they would do nothing."""
    for option, used in given.items():
        if used and elsewhere:
            raise InputError(f"{option} is for {only_for}: leave it out")


def open_labels(
    images: Sequence[ImageSource],
    objects: Sequence[str] | None,
    warn: Callable[[str], None],
    number_objects: bool = False,
) -> dict[str, ImageSource] | None:
    """Open label images and pair them with their images; None where there are none."""
    from napari_tsimcne.images import as_labels, noted, open_images, pair_labels

    _refuse("patches of --objects", not objects, {"--number-objects": number_objects})
    if not objects:
        return None
    labels, skipped = open_images(*objects, grey_as_one=False)
    for note in noted(labels):
        warn(note)
    for file in skipped:
        warn(f"left out the labels {file.name}: {file.reason}")
    pairs = pair_labels(images, labels)
    return {image: as_labels(one, number_objects) for image, one in pairs.items()}


def measurement(
    images: Sequence[ImageSource],
    pattern: str | None,
    metadata: Path | None,
    warn: Callable[[str], None],
) -> Measurement | None:
    """Return what adds columns from paths and from a table to a patch table; None for none."""
    from napari_tsimcne.patches import measurement
    from napari_tsimcne.terminal._terminal import console

    found = measurement(
        [image.name for image in images],
        [image.path for image in images],
        pattern=pattern,
        metadata=metadata,
    )
    if found is None:
        return None
    for note in found.notes:
        warn(note)
    if found.columns_text:
        console.print(f"Columns: {found.columns_text}", highlight=False, markup=False,
                      soft_wrap=True)  # fmt: skip
    if found.without_row:
        warn(found.without_row)
    return found


def open_points(points: Path | None, warn: Callable[[str], None]) -> pd.DataFrame | None:
    """Read a table of points, and warn of what was assumed; None where there is none."""
    from napari_tsimcne.patches import read_points

    if points is None:
        return None
    return read_points(points, lambda text: warn(f"{points.name}: {text}"))


def suggested_views(
    images: Sequence[ImageSource], preset: str, report: Callable[[str], None]
) -> str | None:
    """Return the kind of images that they look like, and report it; None: the preset's own."""
    from napari_tsimcne.patches import look_of

    if preset.startswith("paper"):
        return None
    look = look_of(images)
    report(f"augmentations: {look}, as these images look; --views chooses others")
    return look


def parse_epochs(text: str | None) -> list[int] | None:
    """Return epochs of each stage; None for the preset's."""
    if text is None:
        return None
    parts = text.split(",")
    if not all(part.strip().isdigit() for part in parts):
        raise InputError(f"--epochs '{text}' must be whole numbers, one a stage, such as 20,40")
    return [int(part) for part in parts]


def parse_network(pretrained: str, frozen: bool) -> Network | None:
    """Return the network that takes pretrained weights; None where none are wanted."""
    if not pretrained and not frozen:
        return None
    if pretrained not in ("", "imagenet") and not Path(pretrained).is_file():
        raise InputError(f"there is no weights file {pretrained}: give its path, or 'imagenet'")
    return Network(stem="torchvision", pretrained=pretrained, frozen_backbone=frozen)
