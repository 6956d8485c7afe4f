"""What the command line may say about a run, and what it becomes in our words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from napari_tsimcne.errors import InputError
from napari_tsimcne.recipe import (
    SKIP_EMPTY,
    VIEWS,
    Background,
    Depth,
    Grid,
    Network,
    NormalizationName,
    Objects,
    Points,
    PresetName,
)

if TYPE_CHECKING:
    import pandas as pd

    from napari_tsimcne.images import ImageSource
    from napari_tsimcne.patches import Measurement
    from napari_tsimcne.recipe import Recipe

RunFolder = Annotated[Path, typer.Argument(help="A run folder.", metavar="RUN")]
# Read in `main`, which has the errors.
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Sources = Annotated[
    list[str], typer.Argument(help="Image files, folders or patterns.", metavar="SOURCE...")
]


Preset = StrEnum("Preset", {name: name for name in get_args(PresetName)})  # type: ignore[misc]
QUICK = Preset("quick")
NormalizationChoice = StrEnum(  # type: ignore[misc]
    "NormalizationChoice", {name: name for name in get_args(NormalizationName)}
)
Views = StrEnum("Views", {name: name for name in VIEWS})  # type: ignore[misc]


# Groups of options in the help.
_of_images, _of_patches, _of_learning = (
    partial(typer.Option, rich_help_panel=panel) for panel in ("Images", "Patches", "Learning")
)


class Edges(StrEnum):
    """What becomes of windows at the edge of an image."""

    drop = "drop"
    pad = "pad"


class Surroundings(StrEnum):
    """What becomes of the surroundings of an object."""

    keep = "keep"
    dim = "dim"
    mask = "mask"


class BackgroundRule(StrEnum):
    """Which windows count as background."""

    auto = "auto"
    none = "none"
    otsu = "otsu"
    tissue = "tissue"


class Device(StrEnum):
    """Devices to compute on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class PrecisionName(StrEnum):
    """Arithmetic of the network."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


DeviceOption = Annotated[Device, typer.Option(help="Where to compute.")]
Axes = Annotated[
    str | None,
    _of_images(
        help="Axes of the images, one letter each of T C Z Y X (without those of length 1 and RGB "
        "samples), where they are guessed wrong.",
    ),
]
PixelSize = Annotated[
    float | None,
    _of_images(help="Side of a pixel in µm, where files do not say it.", min=1e-6),
]
DepthOption = Annotated[
    str,
    _of_images(
        help="What is made of Z: slices (each an image of its own), max or mean (a projection), "
        "or the number of one plane, counted from 0.",
    ),
]
PatchSize = Annotated[
    str | None,
    _of_patches(
        help="Side of a patch: in pixels, or in µm as 20um. Of objects: if not given, most of "
        "them fit in.",
    ),
]
Stride = Annotated[
    str | None,
    _of_patches(
        help="Step between patches, like --patch-size; that size if not given.",
    ),
]
Offset = Annotated[
    str,
    _of_patches(
        help="Where the first patch begins: Y,X in the unit of --patch-size.",
    ),
]
EdgesOption = Annotated[
    Edges,
    _of_patches(
        help="Patches that reach beyond the image: dropped, or padded (mirrored).",
    ),
]
Pixels = Annotated[
    int,
    _of_patches(
        help="Side of a stored patch in pixels, to which windows are resampled. 0: the patch size.",
        min=0,
    ),
]
ObjectsOption = Annotated[
    list[str] | None,
    _of_patches(
        "--objects",
        help="Label images (files, folders or patterns): one patch an object. Paired with the "
        "images by name. May be given several times.",
        metavar="LABELS",
    ),
]
SurroundingsOption = Annotated[
    Surroundings,
    _of_patches(help="Of an object in its patch: kept, dimmed or set to 0."),
]
DimmingOption = Annotated[
    float | None,
    _of_patches(help="Of --surroundings dim: their share of the value, 0.3 if not given.",
                min=0, max=1),
]  # fmt: skip
KeepBorder = Annotated[
    bool,
    _of_patches(
        "--keep-border",
        help="Keep objects that touch the border of the image.",
    ),
]
LeastArea = Annotated[int, _of_patches(help="Leave out smaller objects, in pixels.", min=0)]
PointsOption = Annotated[
    Path | None,
    _of_patches(
        "--points",
        help="CSV with columns y, x in pixels, and t, z, label, image where they matter: one "
        "patch a point.",
        metavar="CSV",
    ),
]
BackgroundOption = Annotated[
    BackgroundRule | None,
    _of_patches(
        help="Patches of a grid without content are left out. auto, the default: those that are "
        "empty, where images have a clear background; otsu: bright on dark; tissue: stained on "
        "glass; none: all are kept.",
    ),
]
ThresholdFactor = Annotated[
    float,
    _of_patches(help="Multiplies the threshold of --background otsu, tissue.", min=0.01, max=10),
]
LeastForeground = Annotated[
    float | None,
    _of_patches(
        help="Minimum content of a patch that is kept, 0 to 1: if not given, 0.02 with "
        "--background auto, else 0.1.",
        min=0,
        max=1,
    ),
]
Metadata = Annotated[
    Path | None,
    _of_images(
        help="CSV of treatments, doses and the like; joined by a column image (or file), or by "
        "columns of --pattern such as well.",
        metavar="CSV",
    ),
]
Pattern = Annotated[
    str | None,
    _of_images(
        help="Columns from the path of each image, as {plate}/{well}_{field}.tif",
    ),
]
Margin = Annotated[
    int | None,
    _of_patches(
        help="Pixels kept around each patch, so that turned views show real surroundings; "
        "as many as the views need if not given. 0 where neighbouring tiles are unrelated.",
        min=0,
    ),
]
PresetOption = Annotated[
    Preset,
    _of_learning(
        help="quick: minutes on a CPU; thorough: half an hour; paper: as published.",
    ),
]
NormalizationOption = Annotated[
    NormalizationChoice | None,
    _of_learning(
        help="Values taken as black and white: percentiles of each channel over all images, "
        "of each image by itself, or none: the range of the pixel type.",
    ),
]
PercentilesOption = Annotated[
    str | None,
    _of_learning(help="Of the normalisation: percentiles taken as black and white, 0.1,99.9 if "
                 "not given.", metavar="LOW,HIGH"),
]  # fmt: skip
ViewsOption = Annotated[
    Views | None,
    _of_learning(
        help="Kind of images, by which augmentations are chosen: what should not matter. If not "
        "given, it is suggested by the images, and reported.",
    ),
]
Epochs = Annotated[
    str | None,
    _of_learning(help="Epochs of each stage, e.g. 20,40 for quick."),
]
BatchSize = Annotated[int | None, _of_learning(help="Images a batch.", min=2)]
MapDimensions = Annotated[int, _of_learning(help="Dimensions of the map.", min=2, max=3)]
Pretrained = Annotated[
    str,
    _of_learning(
        help="Start the backbone from 'imagenet' or from a file of ResNet weights; "
        "takes a ResNet18 of full width.",
    ),
]
FreezeBackbone = Annotated[
    bool,
    _of_learning(
        "--freeze-backbone",
        help="Keep those weights; only the head learns.",
    ),
]
PrecisionOption = Annotated[
    PrecisionName,
    _of_learning(
        help="Arithmetic of the network: auto times which is faster, unless the preset is as "
        "published. What was taken is shown by info; give it for the same again.",
    ),
]
CompileOption = Annotated[
    bool | None,
    _of_learning(
        "--compile/--no-compile",
        help="Use torch.compile; if not given, a long training times whether that is faster.",
        show_default=False,
    ),
]
DaskScheduler = Annotated[
    str | None,
    typer.Option(
        help="Address of a dask cluster that cuts the patches, as tcp://10.0.0.1:8786; it must "
        "reach images and run folder under the same paths.",
        metavar="ADDRESS",
    ),
]


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
) -> dict[str, ImageSource] | None:
    """Open label images and pair them with their images; None where there are none."""
    from napari_tsimcne.images import noted, open_images, pair_labels

    if not objects:
        return None
    labels, skipped = open_images(*objects)
    for note in noted(labels):
        warn(note)
    for file in skipped:
        warn(f"left out the labels {file.name}: {file.reason}")
    return pair_labels(images, labels)


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
