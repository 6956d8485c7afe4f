"""The command line: run, train, open, embed, evaluate, demo.

Heavy packages are imported inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from napari_tsimcne import __version__
from napari_tsimcne._terminal import (
    FAILURE,
    USER_ERROR,
    bar,
    console,
    errors,
    train_for_window,
    train_in_terminal,
    warn,
)
from napari_tsimcne.errors import InputError, sentence
from napari_tsimcne.recipe import VIEWS, NormalizationName, PresetName

if TYPE_CHECKING:
    from napari_tsimcne.recipe import Network
    from napari_tsimcne.runs import Run

app = typer.Typer(
    help="Learn and explore a 2D map of cell-image patches with t-SimCNE.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_debug = False


Preset = StrEnum("Preset", {name: name for name in get_args(PresetName)})  # type: ignore[misc]
QUICK = Preset("quick")
NormalizationChoice = StrEnum(  # type: ignore[misc]
    "NormalizationChoice", {name: name for name in get_args(NormalizationName)}
)
Views = StrEnum("Views", {name: name for name in VIEWS})  # type: ignore[misc]


class Device(StrEnum):
    """Devices to train on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


RunFolder = Annotated[Path, typer.Argument(help="A run folder.", metavar="RUN")]
DeviceOption = Annotated[Device, typer.Option(help="Where to train.")]
DebugOption = Annotated[
    bool,
    typer.Option(
        "--debug", help="Show the traceback of an error.", callback=lambda v: _set_debug(v)
    ),
]


def _set_debug(value: bool) -> bool:
    global _debug
    _debug = _debug or value
    return value


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        console.print(__version__)
        raise typer.Exit


@app.command()
def run(
    sources: Annotated[
        list[str], typer.Argument(help="Image files, folders or patterns.", metavar="SOURCE...")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the run; must be new.", metavar="RUN")],
    patch_size: Annotated[int, typer.Option(help="Side of a patch in pixels.", min=8, max=1024)],
    stride: Annotated[
        int | None,
        typer.Option(help="Step between patches in pixels; the patch size if not given.", min=1),
    ] = None,
    margin: Annotated[
        int | None,
        typer.Option(
            help="Pixels kept around each patch, so that turned views show real surroundings; "
            "as many as the views need if not given. 0 where neighbouring tiles are unrelated.",
            min=0,
        ),
    ] = None,
    preset: Annotated[
        Preset,
        typer.Option(help="quick: minutes on a CPU; thorough: half an hour; paper: as published."),
    ] = QUICK,
    normalization: Annotated[
        NormalizationChoice | None,
        typer.Option(
            help="Values taken as black and white: percentiles of each channel over all images, "
            "of each image by itself, or none: the range of the pixel type."
        ),
    ] = None,
    views: Annotated[
        Views | None,
        typer.Option(help="What views may vary: by default what suits RGB or other images."),
    ] = None,
    epochs: Annotated[
        str | None, typer.Option(help="Epochs of each stage, e.g. 20,40 for quick.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a batch.", min=2)] = None,
    map_dimensions: Annotated[int, typer.Option(help="Dimensions of the map.", min=2, max=3)] = 2,
    pretrained: Annotated[
        str,
        typer.Option(
            help="Start the backbone from 'imagenet' or from a file of ResNet weights; "
            "takes a ResNet18 of full width.",
        ),
    ] = "",
    freeze_backbone: Annotated[
        bool, typer.Option("--freeze-backbone", help="Keep those weights; only the head learns.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of all randomness.", min=0)] = 0,
    device: DeviceOption = Device.auto,
    cut_only: Annotated[
        bool, typer.Option("--cut-only", help="Cut the patches; learn later, with train.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Cut images into patches, learn their map, and write it all into a new run folder."""
    from napari_tsimcne.images import check_alike, open_images
    from napari_tsimcne.recipe import PRESETS, Grid
    from napari_tsimcne.runs import Run

    epochs_given = _parse_epochs(epochs)
    images, skipped = open_images(*sources)
    for file in skipped:
        warn(f"left out {file.name}: {file.reason}")
    check_alike(images)
    recipe = PRESETS[preset](
        Grid(size=patch_size, stride=stride or patch_size),
        margin=margin,
        rgb=images[0].rgb,
        views=views,
        normalization=normalization,
        epochs=epochs_given,
        batch_size=batch_size,
        map_dimensions=map_dimensions,
        network=_network(pretrained, freeze_backbone),
        seed=seed,
    )
    with bar("Cutting patches") as update:
        made = Run.create(out, images, recipe, skipped=skipped, progress=update)
    for file in made.info.skipped[len(skipped) :]:
        warn(f"left out {file.name}: {file.reason}")
    console.print(f"{len(made.table):,} patches of {len(made.info.images)} images", highlight=False)
    if cut_only:
        console.print(f"Train it with: napari-tsimcne train {made.folder}", highlight=False,
                      soft_wrap=True)  # fmt: skip
        return
    train_in_terminal(made, device)
    console.print(f"The map is in {made.folder}", highlight=False, soft_wrap=True)
    console.print(
        f"Open it with: napari-tsimcne open {made.folder}", highlight=False, soft_wrap=True
    )


@app.command("open")
def open_(run: RunFolder, debug: DebugOption = False) -> None:
    """Open a run in napari: its images and the linked map."""
    opened = _open(run)
    _ = opened.coordinates
    _show(opened)


@app.command()
def evaluate(
    run: RunFolder,
    truth: Annotated[str, typer.Option(help="Column of the patch table with the known class.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    debug: DebugOption = False,
) -> None:
    """Score the map against known classes: kNN accuracy in 2D and in the features."""
    scores = _evaluate(_open(run), truth)
    if as_json:
        typer.echo(json.dumps(scores))
    else:
        for name, value in scores.items():
            console.print(f"{name:<14}{value:{'.4f' if isinstance(value, float) else ','}}")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for images, run, figure and table.")] = Path(
        "tsimcne-demo"
    ),
    seed: Annotated[int, typer.Option(help="Seed of images and learning.", min=0)] = 0,
    device: DeviceOption = Device.auto,
    debug: DebugOption = False,
) -> None:
    """Do the whole job on synthetic images of cells; open the map where there is a display."""
    from napari_tsimcne.images import open_images
    from napari_tsimcne.recipe import Grid, Recipe
    from napari_tsimcne.runs import Run, export_csv, save_map_figure
    from napari_tsimcne.samples import NUCLEUS_SPACING, write_sample

    folder = out / "run"
    if (folder / "run.json").is_file():
        made = Run.open(folder)
        if made.has_map:
            console.print(f"The demo was run before: showing {folder}", highlight=False)
        else:
            train_in_terminal(made, device)
    elif out.exists() and {path.name for path in out.iterdir()} - {"images"}:
        raise InputError(f"the folder {out} is not empty: name another one with --out")
    else:
        sample = write_sample(out / "images", fields=2, seed=seed)
        recipe = Recipe.quick(Grid(size=NUCLEUS_SPACING), seed=seed)
        images, _ = open_images(*sample.files)
        with bar("Cutting patches") as update:
            made = Run.create(folder, images, recipe, measure=sample.add_truth, progress=update)
        console.print(f"{len(made.table):,} patches of {len(images)} images", highlight=False)
        train_in_terminal(made, device)
    scores = _evaluate(made, "phenotype")
    figure, table = out / "map.png", out / "map.csv"
    save_map_figure(made, figure, color_by="phenotype")
    export_csv(made, table)
    console.print(
        f"kNN accuracy against the known phenotypes: {scores['knn_2d']:.3f} on the map, "
        f"{scores['knn_features']:.3f} in the features",
        highlight=False,
    )
    for what, where in (("run folder", folder), ("figure", figure), ("table", table)):
        console.print(f"{what:<11} {where.resolve()}", highlight=False, soft_wrap=True)
    if _has_display():
        _show(made)


@app.command()
def train(
    run: RunFolder,
    events: Annotated[bool, typer.Option("--events", help="Print events as JSON lines.")] = False,
    threads: Annotated[int | None, typer.Option(help="CPU threads.", min=1)] = None,
    checkpoint_seconds: Annotated[
        float, typer.Option(help="Seconds between checkpoints.", min=0)
    ] = 60.0,
    device: DeviceOption = Device.auto,
    debug: DebugOption = False,
) -> None:
    """Learn the map of a run whose patches are cut; go on where a training was cut off.

    Under torchrun, several processes share every batch.
    """
    opened = _open(run)
    if opened.info.state == "trained":
        raise InputError(f"{opened.folder} is trained already: open it, or make a new run")
    if events:
        train_for_window(opened, device, threads, checkpoint_seconds)
    else:
        train_in_terminal(opened, device, threads, checkpoint_seconds)


@app.command()
def embed(
    run: RunFolder,
    sources: Annotated[
        list[str], typer.Argument(help="Image files, folders or patterns.", metavar="IMAGES...")
    ],
    out: Annotated[
        Path, typer.Option(help="Table to write, .parquet or .csv; must be new.", metavar="TABLE")
    ],
    device: DeviceOption = Device.auto,
    debug: DebugOption = False,
) -> None:
    """Put new images onto the map of a run, and flag what is unlike all it was trained on."""
    from napari_tsimcne.images import open_images
    from napari_tsimcne.runs import TableWriter
    from napari_tsimcne.training import embed as embed_images

    opened = _open(run)
    images, skipped = open_images(*sources)
    for file in skipped:
        warn(f"left out {file.name}: {file.reason}")
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if size > 1:
        out = out.with_name(f"{out.stem}-part{rank + 1}of{size}{out.suffix}")
    unfamiliar = 0
    with bar("Embedding") as update, TableWriter(out) as table:
        for rows in embed_images(
            opened,
            images,
            device=device,
            progress=update,
            on_skipped=lambda file: warn(f"left out {file.name}: {file.reason}"),
            part=(rank, size),
        ):
            table.append(rows)
            unfamiliar += int(rows["unfamiliar"].sum())
    console.print(
        f"{table.written:,} patches are in {out}; {unfamiliar:,} of them are unfamiliar",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


# --- small parts --------------------------------------------------------------------------------


def _parse_epochs(text: str | None) -> list[int] | None:
    if text is None:
        return None
    parts = text.split(",")
    if not all(part.strip().isdigit() for part in parts):
        raise InputError(f"--epochs '{text}' must be whole numbers, one a stage, such as 20,40")
    return [int(part) for part in parts]


def _network(pretrained: str, frozen: bool) -> Network | None:
    """Return the network that takes pretrained weights; None where none are wanted."""
    from napari_tsimcne.recipe import Network

    if not pretrained and not frozen:
        return None
    if pretrained not in ("", "imagenet") and not Path(pretrained).is_file():
        raise InputError(f"there is no weights file {pretrained}: give its path, or 'imagenet'")
    return Network(stem="torchvision", pretrained=pretrained, frozen_backbone=frozen)


def _open(folder: Path) -> Run:
    from napari_tsimcne.runs import Run

    return Run.open(folder)


def _evaluate(run: Run, truth: str) -> dict[str, float]:
    from napari_tsimcne.explore import evaluate as evaluate_map

    if truth not in run.table:
        raise InputError(f"the run has no column '{truth}': it has {', '.join(run.table.columns)}")
    return evaluate_map(run.coordinates, run.features, run.table[truth])._asdict()


def _has_display() -> bool:
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True


def _show(run: Run) -> None:
    try:
        from napari_tsimcne.gui import show_run
    except ImportError as error:
        raise InputError(
            f"napari cannot open a window ({error}): install it with its Qt, "
            "pip install 'napari-tsimcne[all]'"
        ) from error
    show_run(run)


def main() -> None:
    """Run the command line; exit 0 done, 2 the user's mistake, 1 a failure, 130 stopped."""
    from pydantic import ValidationError

    # Threads of OpenMP that wait by spinning starve each other beside a busy process. Read when
    # torch is loaded, so set before.
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app(standalone_mode=True)
    except Exception as error:
        if _debug or "--debug" in sys.argv:
            traceback.print_exc()
        errors.print(f"Error: {sentence(error)}", highlight=False, markup=False, soft_wrap=True)
        mistake = isinstance(error, InputError | ValidationError)
        sys.exit(USER_ERROR if mistake else FAILURE)
