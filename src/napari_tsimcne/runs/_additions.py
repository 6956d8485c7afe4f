"""Images that were put onto the map of a run: each addition a folder in the run's folder ``added``.

=====================  =========================================================================
``images.json``        images and label images with fingerprints, as ``run.json`` has the run's
``patches.parquet``    the patch table
``patches.npy``        the patch store, cut like the run's
``features.npy``       the features H, (M, D) float32
``embedding.parquet``  ``patch, map_x, map_y`` (``map_z``), ``familiarity, unfamiliar``
``addition.json``      which map they were put onto; written last: without it there is no addition
=====================  =========================================================================
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, FailFast

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import ImageSource, Skipped, check_alike, grey_as_one, with_colours
from napari_tsimcne.patches import (
    Cut,
    Told,
    extract_patches,
    kept_apart,
    open_store,
    place_patches,
)
from napari_tsimcne.runs._contents import read_features, read_map, read_patches
from napari_tsimcne.runs._files import (
    cannot_write,
    check_room,
    json_text,
    read_or_explain,
    write_table,
    write_text,
    written_whole,
)
from napari_tsimcne.runs._images import ImageRecord
from napari_tsimcne.runs._moved import Whereabouts
from napari_tsimcne.runs._run import MAP_COLUMNS, Run, store_bytes
from napari_tsimcne.runs._run_info import Ranges, Records, check_ranges
from napari_tsimcne.runs._training_record import is_training
from napari_tsimcne.runs._trust import read_json, refuse_links
from napari_tsimcne.runs._value_ranges import ranges_by_image

FOLDER = "added"
LOCK = "adding.lock"
IMAGES, ADDITION = "images.json", "addition.json"
TABLE, STORE = "patches.parquet", "patches.npy"
FEATURES, EMBEDDING = "features.npy", "embedding.parquet"
LONGEST_NAME = 40


class AddedImages(BaseModel):
    """What ``images.json`` holds, with the names of the images as they were given."""

    model_config = ConfigDict(frozen=True)

    created: datetime
    images: Records
    labels: dict[str, ImageRecord] = {}
    image_channels: dict[str, Ranges] = {}
    skipped: Annotated[tuple[Skipped, ...], FailFast()] = ()


class _Completed(BaseModel):
    """What ``addition.json`` holds: the digest of the map that the patches were put onto."""

    model_config = ConfigDict(frozen=True)

    map: str


@dataclass(frozen=True)
class Addition:
    """The patches of images that were cut to be added to a run, and once embedded, their places.

    ``key`` tells it from others of the same name that there were before.
    """

    folder: Path
    info: AddedImages
    table: pd.DataFrame

    @property
    def name(self) -> str:
        """Of its folder, such as ``001-plate-2``."""
        return self.folder.name

    @property
    def key(self) -> str:
        """Its name and when it was made."""
        return f"{self.name} {self.info.created.isoformat()}"

    @property
    def store(self) -> np.ndarray:
        """Pixels of its patches with their margin, (M, C, S, S), a read-only memory map."""
        return open_store(self.folder / STORE)

    @property
    def embedding(self) -> pd.DataFrame:
        """Columns ``map_x, map_y`` (``map_z``), ``familiarity`` (0..1) and ``unfamiliar``.

        Raises
        ------
        InputError
            Where they are missing or damaged, as `features`.
        """
        path = self.folder / EMBEDDING
        table = read_map(path, len(self.table), [*MAP_COLUMNS[:2], "familiarity"])
        if "unfamiliar" not in table or table["unfamiliar"].dtype != bool:
            raise InputError(f"the file {path} is damaged: it does not say what is unfamiliar")
        return table

    @property
    def features(self) -> np.ndarray:
        """Features H of its patches, (M, D) float32, a read-only memory map."""
        return read_features(self.folder / FEATURES, len(self.table))


# --- making -------------------------------------------------------------------------------------


@contextmanager
def new_addition(run: Run, name: str = "") -> Iterator[Path]:
    """Give a new folder for an addition to a run; it is removed again unless it is completed.

    What others left there half-written is removed as well.

    Parameters
    ----------
    run
        With a map.
    name
        Describes the images; a number and what of it suits a folder become the folder's name.

    Raises
    ------
    InputError
        Where the run has no map or is being trained, images are being added to it already, or its
        folder cannot be written.
    """
    run.check_has_map()
    if is_training(run.folder):
        raise InputError(f"{run.folder.name} is being trained: add images once its map is there")
    added = run.folder / FOLDER
    try:
        added.mkdir(exist_ok=True)
        refuse_links(added)
        with FileLock(added / LOCK, timeout=1):
            for folder in _folders(run):
                if not (folder / ADDITION).is_file():
                    shutil.rmtree(folder, ignore_errors=True)
            folder = added / _new_name(run, name)
            folder.mkdir()
            try:
                yield folder
            finally:
                if not (folder / ADDITION).is_file():
                    shutil.rmtree(folder, ignore_errors=True)
    except Timeout as error:
        raise InputError(
            f"images are being added to {run.folder.name} already: wait until that has ended"
        ) from error
    except OSError as error:
        raise cannot_write(run.folder, error) from error


def check_fits(run: Run, images: Sequence[ImageSource]) -> list[ImageSource]:
    """Check that images are alike, and like those of a run: channels, colours and pixel type.

    Returns
    -------
    list of ImageSource
        The images, of which those that are grey but stored as RGB are as the run's are: RGB, or
        one channel.

    Raises
    ------
    InputError
        Where they are not.
    """
    channels = len(run.info.channels)
    if run.info.rgb:
        images = [with_colours(image) for image in images]
    elif channels == 1:
        images = grey_as_one(images)
    check_alike(images)
    first = images[0]
    if first.channels != channels or first.rgb != run.info.rgb:
        raise InputError(
            f"'{first.name}' has {first.channels} channels{' (RGB)' if first.rgb else ''}, the run "
            f"was trained on {channels}{' (RGB)' if run.info.rgb else ''}: take images of the same "
            "kind"
        )
    theirs, own = first.at_depth(run.recipe.depth).dtype, run.store.dtype
    floats = theirs.kind == own.kind == "f"
    if not floats and theirs.newbyteorder("=") != own.newbyteorder("="):
        raise InputError(
            f"the pixels of '{first.name}' are {theirs}, those of the run {own}: convert them, so "
            "that the same number means the same brightness"
        )
    return list(images)


def cut_addition(
    run: Run,
    folder: Path,
    images: Sequence[ImageSource],
    *,
    labels: Mapping[str, ImageSource] | None = None,
    points: pd.DataFrame | None = None,
    skipped: Sequence[Skipped] = (),
    measure: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
    told: Told = lambda what, done, total: None,
) -> Addition:
    """Cut images as those of a run were cut, into a folder of `new_addition`.

    Parameters are those of `Run.create`.

    Raises
    ------
    InputError
        Where images do not fit the run, or hold no patch, or the disk has too little room.
    """
    images = [image.at_depth(run.recipe.depth) for image in check_fits(run, images)]
    table = place_patches(
        images, run.recipe, labels=labels, points=points,
        thresholds=run.info.background_thresholds, told=told,
    ).table  # fmt: skip
    if measure is not None:
        table = kept_apart(measure(table))
    if table.empty:
        raise InputError("the images hold no patch of the kind that the run is made of")
    cut = Cut.of(run.recipe.patches, run.recipe.margin or 0, labels)
    check_room(folder, store_bytes(len(table), images[0], cut))
    table, unreadable = extract_patches(
        images, table, cut, folder / STORE,
        lambda done, total: told("Cutting patches", done, total),
    )  # fmt: skip
    kept = [image for image in images if image.name in set(table["image"])]
    info = AddedImages(
        created=datetime.now(UTC),
        images=tuple(ImageRecord.of(image) for image in kept),
        labels={
            image.name: ImageRecord.of(labels[image.name], labels=True)
            for image in kept
            if labels is not None and image.name in labels
        },
        image_channels=ranges_by_image(
            open_store(folder / STORE), table, run.recipe, [c.name for c in run.info.channels]
        ),
        skipped=(*skipped, *unreadable),
    )
    write_table(folder / TABLE, table)
    write_text(folder / IMAGES, json_text(info))
    return Addition(folder, info, table)


def complete_addition(
    run: Run, addition: Addition, embedding: pd.DataFrame, features: np.ndarray
) -> None:
    """Write where the patches of an addition lie on the map of a run; from then on it is one.

    Parameters
    ----------
    run
        Whose map it is.
    addition
        That was cut.
    embedding
        A row a patch: ``map_x, map_y`` (``map_z``), ``familiarity, unfamiliar``.
    features
        H, (M, D).
    """
    with written_whole(addition.folder / FEATURES) as draft, draft.open("wb") as file:
        np.save(file, np.asarray(features, np.float32))
    patches = addition.table[["patch"]].reset_index(drop=True)
    write_table(addition.folder / EMBEDDING, patches.join(embedding))
    completed = _Completed(map=run.map_digest)
    write_text(addition.folder / ADDITION, completed.model_dump_json())


# --- opening ------------------------------------------------------------------------------------


def addition_names(run: Run) -> list[str]:
    """Names of the additions of a run, in order; what is half-written is none."""
    return [folder.name for folder in _folders(run) if (folder / ADDITION).is_file()]


def open_cut(run: Run, name: str) -> Addition:
    """Open what was cut to be added, whether or not it was embedded.

    Raises
    ------
    InputError
        Where there is no such addition, or it is damaged.
    """
    folder = run.folder / FOLDER / name
    if name not in [one.name for one in _folders(run)]:
        raise InputError(f"{run.folder.name} has no addition '{name[:LONGEST_NAME]}'")
    refuse_links(folder.parent)
    refuse_links(folder)
    info = read_added(folder)
    store, own = open_store(folder / STORE), run.store
    if store.shape[1:] != own.shape[1:] or store.dtype.kind != own.dtype.kind:
        raise InputError(f"the addition {folder} is damaged: its store does not fit the run")
    table = read_patches(folder / TABLE, len(store), info.images)
    read_or_explain(folder / IMAGES, lambda _: _check_ranges(run, info))
    where = Whereabouts(run.folder, run.info.created)
    info = info.model_copy(update={
        "images": tuple(map(where.now, info.images)),
        "labels": {image: where.now(record) for image, record in info.labels.items()},
    })  # fmt: skip
    return Addition(folder, info, table)


def read_added(folder: Path) -> AddedImages:
    """Read what is known of the images of an addition; they are where they were recorded.

    Raises
    ------
    InputError
        Where it is missing or damaged.
    """
    stored = read_json(folder / IMAGES)
    return read_or_explain(folder / IMAGES, lambda _: AddedImages.model_validate(stored))


def open_addition(run: Run, name: str) -> Addition:
    """Open an addition to a run.

    Raises
    ------
    InputError
        Where it is damaged, or was put onto an earlier map of the run.
    """
    addition = open_cut(run, name)
    path = addition.folder / ADDITION
    stored = read_json(path)
    completed = read_or_explain(path, lambda _: _Completed.model_validate(stored))
    if completed.map != run.map_digest:
        raise InputError(
            f"'{name}' was put onto an earlier map of {run.folder.name}: add its images again"
        )
    columns = [*MAP_COLUMNS[: run.recipe.map_dimensions], "familiarity"]
    read_map(addition.folder / EMBEDDING, len(addition.table), columns)
    if addition.features.shape[1] != run.features.shape[1]:
        raise InputError(f"the addition {addition.folder} is damaged: its features do not fit")
    return addition


# --- inside -------------------------------------------------------------------------------------


def _folders(run: Run) -> list[Path]:
    added = run.folder / FOLDER
    try:
        return sorted(path for path in added.iterdir() if path.is_dir()) if added.is_dir() else []
    except OSError as error:
        raise InputError(f"the folder {added} cannot be read ({error})") from error


def _check_ranges(run: Run, info: AddedImages) -> None:
    check_ranges(len(run.info.channels), info.image_channels.values())
    names = {record.name for record in info.images}
    if len(names) < len(info.images):
        raise ValueError("two images have the same name")
    if bool(info.image_channels) and not names <= info.image_channels.keys():
        raise ValueError("an image has no range of values")


def _new_name(run: Run, name: str) -> str:
    numbers = [re.match(r"\d+", folder.name) for folder in _folders(run)]
    number = 1 + max((int(found[0]) for found in numbers if found), default=0)
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower())[:LONGEST_NAME].strip("-")
    return f"{number:03d}-{slug or 'images'}"
