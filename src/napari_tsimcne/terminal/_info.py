"""The command that prints what a run folder holds, also where parts of it are damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from napari_tsimcne.errors import FAILURE, InputError
from napari_tsimcne.terminal._info_words import lines, recipe_words
from napari_tsimcne.terminal._terminal import console

if TYPE_CHECKING:
    from napari_tsimcne.runs import ImageRecord, Run

Facts = dict[str, Any]


def print_info(run_folder: Path, as_json: bool) -> None:
    """Print what a run folder holds, and what of it is damaged.

    Parameters
    ----------
    run_folder
        Of a run of any version.
    as_json
        Print one JSON object, with the facts of `run_facts`.

    Raises
    ------
    InputError
        Where there is no run, or one of a newer version.
    typer.Exit
        With the status of a failure, where something is damaged.
    """
    facts = run_facts(run_folder)
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        _print(facts)
    if facts["damaged"]:
        raise typer.Exit(FAILURE)


def _print(facts: Facts) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for name, text in lines(facts):
        table.add_row(Text(name, style="bold"), Text(_printable(text)))
    console.print(table)


def run_facts(run_folder: Path) -> Facts:
    """Gather what a run folder holds.

    Returns
    -------
    Of JSON's types only. ``damaged`` has a sentence for each part that cannot be read; what
    would be found there is left out.

    Raises
    ------
    InputError
        Where there is no run, or one of a newer version.
    """
    from napari_tsimcne.runs import Run

    folder = run_folder.expanduser().resolve()
    facts: Facts = {"name": folder.name, "folder": str(folder), "damaged": []}
    if not (folder / "run.json").is_file():
        Run.open(folder)  # says that it is none
    damaged = facts["damaged"]
    for gather in (_described, _learnt_with):
        with _going_on(damaged):
            facts |= gather(folder)
    facts |= _training(folder, facts.get("state"))
    run: Run | None = None
    with _going_on(damaged):
        run = Run.open(folder)
    if run is not None:
        parts: tuple[Callable[[Run], Facts], ...] = (
            _patches, _images, _map, _explored, _added, _seeds
        )  # fmt: skip
        for part in parts:
            with _going_on(damaged):
                facts |= part(run)
    facts["bytes"] = _sizes(folder)
    return facts


@contextmanager
def _going_on(damaged: list[str]) -> Iterator[None]:
    """Note what is damaged, once, and go on; a newer version is the end."""
    try:
        yield
    except InputError as error:
        if "newer version" in str(error):
            raise
        if str(error) not in damaged:
            damaged.append(str(error))


# --- the parts ----------------------------------------------------------------------------------


def _described(folder: Path) -> Facts:
    from napari_tsimcne.runs import read_info, stored_format

    info = read_info(folder)
    return {
        "state": info.state,
        "created": info.created.isoformat(timespec="seconds"),
        "software": info.software,
        "format": stored_format(folder),
        "versions": info.versions,
        "learnt": info.learnt.model_dump() if info.learnt else None,
        "rgb": info.rgb,
        "channels": [one.model_dump() for one in info.channels],
        "ranges_by_image": len(info.image_channels),
        "labels": len(info.labels),
        "skipped": len({one.name for one in info.skipped} - {one.name for one in info.images}),
    }


def _learnt_with(folder: Path) -> Facts:
    from napari_tsimcne.runs import read_recipe

    recipe = read_recipe(folder)
    return {"recipe": recipe_words(recipe), "seed": recipe.seed}


def _training(folder: Path, state: str | None) -> Facts:
    """Whether a training is under way or was cut off, and how far it is."""
    from napari_tsimcne.runs import EventReader, is_training

    now = is_training(folder)
    begun = (folder / "checkpoint.safetensors").is_file() and state != "trained"
    if not now and not begun:
        return {}
    last = None
    for event in EventReader(folder).read():
        if event.kind == "progress":
            last = event
    facts: Facts = {"running": now}
    if last is not None:
        facts |= {"stage": last.stage, "epoch": last.epoch, "epochs": last.epochs,
                  "fraction": last.fraction}  # fmt: skip
    return {"training": facts}


def _patches(run: Run) -> Facts:
    from napari_tsimcne.patches import COLUMNS, columns_renamed

    store = run.store
    columns = {
        name: {"values": int(values.nunique()), "missing": int(values.isna().sum())}
        for name, values in run.table.items()
        if name not in COLUMNS
    }
    patches = {
        "count": len(run.table), "side": run.recipe.patches.pixels,
        "margin": run.recipe.margin or 0, "dtype": str(store.dtype),
    }  # fmt: skip
    return {"patches": patches, "columns": columns, "renamed": columns_renamed(run.table)}


def _images(run: Run) -> Facts:
    from napari_tsimcne.runs import missing_images, read_info

    info = read_info(run.folder)
    # By path: a label image may have the name of its image.
    missing = {record.path for record in missing_images(run)}

    def described(record: ImageRecord, recorded: ImageRecord) -> Facts:
        state = (
            "layer" if record.path is None
            else "missing" if record.path in missing
            else "found" if record.path == recorded.path
            else "moved"
        )  # fmt: skip
        path = None if record.path is None else str(record.path)
        return {"name": record.name, "state": state, "path": path}

    images = [described(*both) for both in zip(run.info.images, info.images, strict=True)]
    labels = [described(record, info.labels[name]) for name, record in run.info.labels.items()]
    return {"images": images, "label_images": labels}


def _map(run: Run) -> Facts:
    if not run.has_map:
        return {}
    coordinates = run.coordinates
    extent = [float(length) for length in np.ptp(coordinates, axis=0)]
    found: Facts = {"dimensions": coordinates.shape[1], "extent": extent}
    return {"map": {**found, "features": int(run.features.shape[1])}}


def _explored(run: Run) -> Facts:
    from napari_tsimcne.runs import extended, open_exploration, stability_column

    explored = open_exploration(extended(run))
    sizes = explored.clusters.sizes()
    clusters = [
        {
            "name": one.name,
            "patches": sizes[one.id],
            "made": None if one.origin is None else one.origin.text,
        }
        for one in explored.clusters.all
    ]
    facts: Facts = {"clusters": clusters, "selected": int(explored.selection.mask.sum())}
    column = stability_column(run.table)
    if column in explored.table:
        facts["stability"] = float(explored.table[column].mean())
    return facts


def _added(run: Run) -> Facts:
    from napari_tsimcne.runs import ExtendedRun, extended

    both = extended(run)
    if not isinstance(both, ExtendedRun):
        return {}
    added = [
        {"name": one.name, "images": len(one.info.images), "patches": len(one.table)}
        for one in both.additions
    ]
    refused = [{"name": one.name, "reason": one.reason} for one in both.refused]
    return {"additions": added, "refused_additions": refused}


def _seeds(run: Run) -> Facts:
    from napari_tsimcne.runs import seed_runs

    others = [{"seed": other.recipe.seed, "state": other.info.state} for other in seed_runs(run)]
    return {"seeds": others} if others else {}


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of each file and folder in a run; links are not followed."""
    sizes: dict[str, int] = {}
    for place, _, files in os.walk(folder):
        for name in files:
            path = Path(place) / name
            part = path.relative_to(folder).parts[0]
            try:
                sizes[part] = sizes.get(part, 0) + path.lstat().st_size
            except OSError:
                continue  # just gone
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def _printable(text: str) -> str:
    """Return text without what would command the terminal: a run's names are anybody's."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
