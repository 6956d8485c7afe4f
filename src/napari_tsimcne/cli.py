"""The command line: run, inspect, open, demo, train, embed, add; and what is asked of a map.

Heavy packages are imported inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_tsimcne import __version__
from napari_tsimcne.errors import FAILURE, USER_ERROR, InputError, sentence
from napari_tsimcne.terminal import _options as options
from napari_tsimcne.terminal import _read_options as read_options
from napari_tsimcne.terminal._add import add_images, embed_quietly
from napari_tsimcne.terminal._demo import run_demo
from napari_tsimcne.terminal._map_commands import COMMANDS
from napari_tsimcne.terminal._terminal import (
    bar,
    bars,
    console,
    cut_text,
    errors,
    train_in_terminal,
    train_quietly,
    warn,
)

if TYPE_CHECKING:
    from napari_tsimcne.images import Opened
    from napari_tsimcne.runs import Run

app = typer.Typer(
    help="Learn and explore a 2D map of cell-image patches with t-SimCNE.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        console.print(__version__)
        raise typer.Exit


@app.command()
def run(
    sources: options.Sources,
    out: Annotated[Path, typer.Option(help="Folder of the run; must be new.", metavar="RUN")],
    patch_size: options.PatchSize = None,
    stride: options.Stride = None,
    offset: options.Offset = "0,0",
    edges: options.EdgesOption = options.Edges.drop,
    pixels: options.Pixels = 0,
    objects: options.ObjectsOption = None,
    number_objects: options.NumberObjects = False,
    surroundings: options.SurroundingsOption = options.Surroundings.keep,
    dimming: options.DimmingOption = None,
    keep_border: options.KeepBorder = False,
    least_area: options.LeastArea = 0,
    points: options.PointsOption = None,
    background: options.BackgroundOption = None,
    threshold_factor: options.ThresholdFactor = 1.0,
    least_foreground: options.LeastForeground = None,
    axes: options.Axes = None,
    pixel_size: options.PixelSize = None,
    keep_rgb: options.KeepRgb = False,
    depth: options.DepthOption = "slices",
    pattern: options.Pattern = None,
    metadata: options.Metadata = None,
    margin: options.Margin = None,
    preset: options.PresetOption = options.QUICK,
    normalization: options.NormalizationOption = None,
    percentiles: options.PercentilesOption = None,
    views: options.ViewsOption = None,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    map_dimensions: options.MapDimensions = 2,
    pretrained: options.Pretrained = "",
    freeze_backbone: options.FreezeBackbone = False,
    seed: Annotated[int, typer.Option(help="Seed of all randomness.", min=0)] = 0,
    device: options.DeviceOption = options.Device.auto,
    precision: options.PrecisionOption = options.PrecisionName.auto,
    compiled: options.CompileOption = None,
    dask_scheduler: options.DaskScheduler = None,
    cut_only: Annotated[
        bool, typer.Option("--cut-only", help="Cut the patches; learn later, with train.")
    ] = False,
    debug: options.Debug = False,
) -> None:
    """Cut images into patches, learn their map, and write it all into a new run folder."""
    from napari_tsimcne.images import check_alike
    from napari_tsimcne.recipe import PRESETS
    from napari_tsimcne.runs import Run

    epochs_given = read_options.parse_epochs(epochs)
    patches = read_options.parse_patches(
        patch_size=patch_size, stride=stride, offset=offset, edges=edges, pixels=pixels,
        objects=objects, surroundings=surroundings, keep_border=keep_border,
        least_area=least_area, points=points, dimming=dimming,
    )  # fmt: skip
    skipping = read_options.parse_background(
        patches, background, threshold_factor, least_foreground
    )
    taken_depth = read_options.parse_depth(depth)
    images, skipped = _open_images(sources, axes, pixel_size, keep_rgb)
    check_alike(images)
    labels = read_options.open_labels(images, objects, warn, number_objects)
    given = read_options.open_points(points, warn)
    measure = read_options.measurement(images, pattern, metadata, warn)
    recipe = PRESETS[preset](
        patches,
        depth=taken_depth,
        background=skipping,
        margin=margin,
        rgb=images[0].rgb,
        views=views or read_options.suggested_views(images, preset, console.print),
        normalization=normalization,
        epochs=epochs_given,
        batch_size=batch_size,
        map_dimensions=map_dimensions,
        network=read_options.parse_network(pretrained, freeze_backbone),
        seed=seed,
    )
    recipe = read_options.with_percentiles(recipe, percentiles)
    with bars() as told:
        made = Run.create(
            out, images, recipe, labels=labels, points=given,
            skipped=skipped, measure=measure, told=told, scheduler=dask_scheduler,
        )  # fmt: skip
    for file in made.info.skipped[len(skipped) :]:
        warn(f"left out {file.name}: {file.reason}")
    console.print(cut_text(made), highlight=False)
    if cut_only:
        console.print(f"Train it with: napari-tsimcne train {made.folder}", highlight=False,
                      soft_wrap=True)  # fmt: skip
        return
    train_in_terminal(made, device, precision=precision, compiled=compiled)
    console.print(f"The map is in {made.folder}", highlight=False, soft_wrap=True)
    console.print(
        f"Open it with: napari-tsimcne open {made.folder}", highlight=False, soft_wrap=True
    )


@app.command()
def inspect(
    sources: options.Sources,
    axes: options.Axes = None,
    pixel_size: options.PixelSize = None,
    keep_rgb: options.KeepRgb = False,
    debug: options.Debug = False,
) -> None:
    """Show how images are read: axes, channels, pixel size; and what cannot be read, and why."""
    from rich.table import Column, Table

    images, _ = _open_images(sources, axes, pixel_size, keep_rgb)
    names = ("image", "axes", "shape", "type", "channels", "pixel size", "levels")
    table = Table(*(Column(name, overflow="fold") for name in names), box=None)
    for image in images:
        y, x = image.pixel_size
        size = "" if image.unit == "pixel" else f"{y:.4g} x {x:.4g} {image.unit}"
        table.add_row(
            image.name, image.axes, " x ".join(map(str, image.shape)), str(image.dtype),
            ", ".join(image.channel_names), size, str(1 + len(image.levels)),
        )  # fmt: skip
    console.print(table)


@app.command("open")
def open_(run: options.RunFolder, debug: options.Debug = False) -> None:
    """Open a run in napari: its images and the linked map."""
    opened = _open(run)
    _ = opened.coordinates
    _show(opened)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for images, run, figure and table.")] = Path(
        "tsimcne-demo"
    ),
    seed: Annotated[int, typer.Option(help="Seed of images and learning.", min=0)] = 0,
    epochs: options.Epochs = None,
    device: options.DeviceOption = options.Device.auto,
    debug: options.Debug = False,
) -> None:
    """Do the whole job on synthetic images of cells; open the map where there is a display."""
    made = run_demo(out, seed, device, read_options.parse_epochs(epochs))
    if _has_display():
        _show(made)


@app.command()
def train(
    run: options.RunFolder,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print nothing: events are in the run folder.")
    ] = False,
    threads: Annotated[int | None, typer.Option(help="CPU threads.", min=1)] = None,
    checkpoint_seconds: Annotated[
        float, typer.Option(help="Seconds between checkpoints.", min=0)
    ] = 60.0,
    device: options.DeviceOption = options.Device.auto,
    precision: options.PrecisionOption = options.PrecisionName.auto,
    compiled: options.CompileOption = None,
    debug: options.Debug = False,
) -> None:
    """Learn the map of a run whose patches are cut; go on where a training was cut off.

    Under torchrun, several processes share every batch.
    """
    opened = _open(run)
    if opened.info.state == "trained":
        raise InputError(f"{opened.folder} is trained already: open it, or make a new run")
    train_so = train_quietly if quiet else train_in_terminal
    train_so(opened, device, threads, checkpoint_seconds, precision, compiled)


@app.command()
def embed(
    run: options.RunFolder,
    sources: options.Sources,
    out: Annotated[
        Path, typer.Option(help="Table to write, .parquet or .csv; must be new.", metavar="TABLE")
    ],
    objects: options.ObjectsOption = None,
    number_objects: options.NumberObjects = False,
    points: options.PointsOption = None,
    axes: options.Axes = None,
    pixel_size: options.PixelSize = None,
    device: options.DeviceOption = options.Device.auto,
    debug: options.Debug = False,
) -> None:
    """Put new images onto the map of a run, and flag what is similar to no training patch.

    Patches are cut as the run's were: where those are of objects or points, give label images or
    points with the new images.
    """
    from napari_tsimcne.runs import TableWriter
    from napari_tsimcne.training import embed as embed_images

    opened = _open(run)
    images, _ = _open_images(sources, axes, pixel_size)
    labels = read_options.open_labels(images, objects, warn, number_objects)
    given = read_options.open_points(points, warn)
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if size > 1:
        out = out.with_name(f"{out.stem}-part{rank + 1}of{size}{out.suffix}")
    unfamiliar = 0
    with bar("Embedding") as update, TableWriter(out) as table:
        for rows in embed_images(
            opened, images, labels=labels, points=given,
            device=device, progress=update, part=(rank, size),
            on_skipped=lambda file: warn(f"left out {file.name}: {file.reason}"),
        ):  # fmt: skip
            table.append(rows)
            unfamiliar += int(rows["unfamiliar"].sum())
    text = f"{table.written:,} patches are in {out}; {unfamiliar:,} of them are unfamiliar"
    console.print(text, highlight=False, soft_wrap=True)


@app.command()
def add(
    run: options.RunFolder,
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="Image files, folders or patterns.", metavar="SOURCE..."),
    ] = None,
    objects: options.ObjectsOption = None,
    number_objects: options.NumberObjects = False,
    points: options.PointsOption = None,
    axes: options.Axes = None,
    pixel_size: options.PixelSize = None,
    pattern: options.Pattern = None,
    metadata: options.Metadata = None,
    name: Annotated[
        str, typer.Option(help="Of what is added; that of the first image if not given.")
    ] = "",
    # What the window has cut already.
    cut: Annotated[str, typer.Option(hidden=True)] = "",
    device: options.DeviceOption = options.Device.auto,
    debug: options.Debug = False,
) -> None:
    """Add new images to the map of a run, and flag what is similar to no training patch.

    They are kept in the run folder and shown with it from then on. Patches are cut as the run's
    were: where those are of objects or points, give label images or points with the new images.
    """
    opened = _open(run)
    if cut:
        embed_quietly(opened, cut, device)
        return
    if not sources:
        raise InputError("name the images to add: files, folders or patterns")
    images, skipped = _open_images(sources, axes, pixel_size)
    labels = read_options.open_labels(images, objects, warn, number_objects)
    given = read_options.open_points(points, warn)
    measure = read_options.measurement(images, pattern, metadata, warn)
    add_images(opened, images, name, labels, given, skipped, measure, device)


for command in COMMANDS:
    app.command(rich_help_panel="Of a run that is there")(command)


# --- small parts --------------------------------------------------------------------------------


def _open_images(
    sources: list[str], axes: str | None, pixel_size: float | None, keep_rgb: bool = False
) -> Opened:
    """Open images, and warn of what cannot be read."""
    from napari_tsimcne.images import noted, open_images

    opened = open_images(*sources, axes=axes, pixel_size=pixel_size, grey_as_one=not keep_rgb)
    for file in opened.skipped:
        warn(f"left out {file.name}: {file.reason}")
    for note in noted(opened.images):
        warn(note)
    return opened


def _open(folder: Path) -> Run:
    from napari_tsimcne.runs import Run

    return Run.open(folder)


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
        if "--debug" in sys.argv:
            traceback.print_exc()
        errors.print(f"Error: {sentence(error)}", highlight=False, markup=False, soft_wrap=True)
        mistake = isinstance(error, InputError | ValidationError)
        sys.exit(USER_ERROR if mistake else FAILURE)
