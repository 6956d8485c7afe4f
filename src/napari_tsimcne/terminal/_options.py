"""What the command line may say about a run, and what it becomes in our words."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from napari_tsimcne.recipe import (
    VIEWS,
    NormalizationName,
    PresetName,
)

if TYPE_CHECKING:
    pass

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
        "samples), where they are guessed wrong. YXC takes the colours of an image as channels, XY "
        "exchanges its rows and columns.",
    ),
]
PixelSize = Annotated[
    float | None,
    _of_images(help="Side of a pixel in µm, where files do not say it.", min=1e-6),
]
KeepRgb = Annotated[
    bool,
    _of_images(
        "--keep-rgb",
        help="Keep images as RGB whose red, green and blue are equal everywhere; else they are "
        "read as one channel.",
    ),
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
NumberObjects = Annotated[
    bool,
    _of_patches(
        "--number-objects",
        help="Of --objects that are masks: number each connected region of a plane. Objects that "
        "touch become one.",
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
