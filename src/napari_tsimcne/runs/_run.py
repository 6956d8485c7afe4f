"""The run folder, made once and opened again."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from napari_tsimcne import __version__
from napari_tsimcne.errors import InputError
from napari_tsimcne.images import ImageSource, Skipped, check_alike
from napari_tsimcne.patches import (
    ChannelRange,
    Cut,
    Told,
    channel_ranges,
    extract_patches,
    open_store,
    place_patches,
    validate_table,
)
from napari_tsimcne.recipe import Grid, Objects, Recipe
from napari_tsimcne.runs._files import read_or_explain, write_table, write_text, written_whole
from napari_tsimcne.runs._images import ImageRecord

FORMAT = 3
MAP_COLUMNS = ("map_x", "map_y", "map_z")
"""Coordinates; a map of two dimensions has no ``map_z``."""


class RunInfo(BaseModel):
    """What ``run.json`` holds. Written last: a folder without it is no run.

    ``labels``: label images by the name of their image, where patches are of objects.
    ``objects_left_out``: how many for lying at the border, and how many for being small.
    ``background_windows``: how many windows had no content and were left out, by
    ``background_thresholds``.
    """

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    software: str = __version__
    created: datetime
    state: Literal["cut", "trained", "stopped"] = "cut"
    rgb: bool
    channels: tuple[ChannelRange, ...]
    image_channels: dict[str, tuple[ChannelRange, ...]] = {}
    images: tuple[ImageRecord, ...]
    labels: dict[str, ImageRecord] = {}
    skipped: tuple[Skipped, ...] = ()
    objects_left_out: tuple[int, int] = (0, 0)
    background_windows: int = 0
    background_thresholds: dict[str, float] = {}


class Run:
    """One folder that holds it all; made by `Run.create`, opened again by `Run.open`.

    ==========================  ======================================================
    ``run.json``                format, state, channels and images with fingerprints
    ``recipe.json``             the recipe
    ``patches.parquet``         the patch table
    ``patches.npy``             the patch store, (N, C, S, S) in the original dtype
    ``checkpoint.safetensors``  the state of a training that is not complete
    ``weights.safetensors``     the network, after training
    ``embedding.parquet``       the map: ``patch, map_x, map_y`` and ``map_z`` in three dimensions
    ``features.npy``            the features H, (N, D) float32
    ==========================  ======================================================
    """

    def __init__(self, folder: Path, info: RunInfo, recipe: Recipe, table: pd.DataFrame) -> None:
        self.folder = folder
        self.info = info
        self.recipe = recipe
        self.table = table

    # --- making and opening -------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        folder: str | PathLike[str],
        images: Sequence[ImageSource],
        recipe: Recipe,
        *,
        labels: Mapping[str, ImageSource] | None = None,
        points: pd.DataFrame | None = None,
        skipped: Sequence[Skipped] = (),
        measure: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
        told: Told = lambda what, done, total: None,
        scheduler: str | None = None,
    ) -> Run:
        """Cut the patches of images into a new run folder.

        Parameters
        ----------
        folder
            Must not exist, or be empty.
        images
            Of the same channels and dtype, with different names.
        recipe
            What to cut and how to learn.
        labels
            Label images by the name of their image, where patches are of objects.
        points
            A table of points (`read_points`), where patches are of points.
        skipped
            Files left out before, to be remembered.
        measure
            Gets the patch table, returns it with further columns.
        told
            Called with what is done, how much of it, and of how much; an exception it raises
            cancels, and the folder is removed again.
        scheduler
            Address of a dask cluster that cuts the patches; by default this process does.

        Raises
        ------
        InputError
            Where the folder is in use, images do not fit together or the recipe, or hold nothing
            to learn from.
        """
        folder = Path(folder).expanduser().resolve()
        check_alike(images)
        _refuse_used(folder)
        images = [image.at_depth(recipe.depth) for image in images]
        placed = place_patches(images, recipe, labels=labels, points=points, told=told)
        table, recipe = placed.table, placed.recipe
        if measure is not None:
            table = measure(table)
        if len(table) < recipe.batch_size:
            raise InputError(
                f"{len(table)} patches are fewer than one batch of {recipe.batch_size}: lower the "
                f"batch size to {max(2, len(table))} or less, {_more_patches(recipe, len(images))}"
            )
        existed = folder.exists()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            store = folder / "patches.npy"
            table, unreadable = extract_patches(
                images, table, Cut.of(recipe.patches, recipe.margin or 0, labels), store,
                lambda done, total: told("Cutting patches", done, total), scheduler,
            )  # fmt: skip
            kept = [image for image in images if image.name in set(table["image"])]
            channels = channel_ranges(
                open_store(store), images[0].channel_names, recipe.normalization, recipe.seed
            )
            by_image = ranges_by_image(open_store(store), table, recipe, images[0].channel_names)
            info = RunInfo(
                created=datetime.now(UTC),
                rgb=images[0].rgb,
                channels=tuple(channels),
                image_channels=by_image,
                images=tuple(ImageRecord.of(image) for image in kept),
                labels={
                    image.name: ImageRecord.of(labels[image.name])
                    for image in kept
                    if labels is not None and image.name in labels
                },
                skipped=(*skipped, *unreadable),
                objects_left_out=placed.objects_left_out,
                background_windows=placed.left_out,
                background_thresholds=dict(placed.thresholds),
            )
            write_table(folder / "patches.parquet", table)
            write_text(folder / "recipe.json", recipe.model_dump_json(indent=2))
            write_text(folder / "run.json", info.model_dump_json(indent=2))
        except OSError as error:
            _clear(folder, existed)
            raise InputError(f"the run folder {folder} cannot be written ({error})") from error
        except BaseException:
            _clear(folder, existed)
            raise
        return cls(folder, info, recipe, table)

    @classmethod
    def open(cls, folder: str | PathLike[str]) -> Run:
        """Open a run folder; nothing in it is executed.

        Raises
        ------
        InputError
            Where it is no run, of a newer format, or damaged.
        """
        folder = Path(folder).expanduser().resolve()
        if not (folder / "run.json").is_file():
            raise InputError(f"{folder} is no run folder: it has no run.json")
        info = read_or_explain(
            folder / "run.json", lambda p: RunInfo.model_validate_json(p.read_bytes())
        )
        if info.format > FORMAT:
            raise InputError(
                f"{folder} was made by a newer version ({info.software}): update napari-tsimcne"
            )
        if info.format < FORMAT:
            raise InputError(
                f"{folder} was made by an earlier version ({info.software}), which this one cannot "
                "read: make the run again from its images"
            )
        recipe = read_or_explain(
            folder / "recipe.json", lambda p: Recipe.model_validate_json(p.read_bytes())
        )
        table = read_or_explain(folder / "patches.parquet", pd.read_parquet)
        run = cls(folder, info, recipe, validate_table(table))
        if len(run.store) != len(run.table):
            raise InputError(
                f"{folder} is damaged: {len(run.table)} patches in its table, "
                f"{len(run.store)} in its store"
            )
        return run

    # --- what it holds ------------------------------------------------------------------------

    @property
    def store(self) -> np.ndarray:
        """Pixels of all patches with their margin, (N, C, S, S), a read-only memory map."""
        return open_store(self.folder / "patches.npy")

    @property
    def checkpoint_path(self) -> Path:
        """Where a training that is not complete keeps its state."""
        return self.folder / "checkpoint.safetensors"

    @property
    def weights_path(self) -> Path:
        """Where the trained network is."""
        return self.folder / "weights.safetensors"

    def value_ranges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Values taken as 0 and as 1, (G, C) each, and the row there of each patch, (N,).

        One row for all patches, which need no number then, or one an image.
        """
        if not self.info.image_channels:
            return (*_low_high([self.info.channels]), None)
        names = list(self.info.image_channels)
        group = self.table["image"].map({name: i for i, name in enumerate(names)})
        return (
            *_low_high([self.info.image_channels[name] for name in names]),
            group.to_numpy(np.int64),
        )

    @property
    def has_map(self) -> bool:
        """Whether a map was learnt."""
        return self.info.state != "cut"

    @property
    def coordinates(self) -> np.ndarray:
        """The map, (N, 2 or 3) float32.

        Raises
        ------
        InputError
            Where there is no map yet, or it is damaged.
        """
        path = self._file_of_map("embedding.parquet")
        table = read_or_explain(path, pd.read_parquet)
        columns = list(MAP_COLUMNS[: self.recipe.map_dimensions])
        if not set(columns) <= set(table) or len(table) != len(self.table):
            raise InputError(f"the file {path} is damaged: it does not hold the map of this run")
        coordinates = table[columns].to_numpy(np.float32)
        if not np.isfinite(coordinates).all():
            raise InputError(f"the file {path} is damaged: coordinates are not finite")
        return coordinates

    @property
    def features(self) -> np.ndarray:
        """Features H of all patches, (N, D) float32.

        Raises
        ------
        InputError
            Where there is no map yet, or they are damaged.
        """
        path = self._file_of_map("features.npy")
        features = read_or_explain(path, lambda p: np.load(p, mmap_mode="r", allow_pickle=False))
        if features.ndim != 2 or len(features) != len(self.table):
            raise InputError(f"the file {path} is damaged: it does not fit this run")
        return features

    @property
    def map_digest(self) -> str:
        """Tells this map from earlier ones of the run.

        Raises
        ------
        InputError
            Where there is no map yet, or its file is missing.
        """
        content = read_or_explain(self._file_of_map("embedding.parquet"), Path.read_bytes)
        return hashlib.blake2b(content, digest_size=16).hexdigest()

    def _file_of_map(self, name: str) -> Path:
        if not self.has_map:
            raise InputError(f"{self.folder} has no map yet: train it first")
        return self.folder / name

    def image(self, name: str) -> ImageRecord:
        """Return what is remembered of an image."""
        return next(record for record in self.info.images if record.name == name)

    def rows(self, mask: np.ndarray | None = None) -> pd.DataFrame:
        """Patch table with the map's coordinates where there is a map; all rows or some."""
        table = self.table
        if self.has_map:
            table = table.assign(**dict(zip(MAP_COLUMNS, self.coordinates.T, strict=False)))
        return table if mask is None else table[mask]

    # --- what training adds -------------------------------------------------------------------

    def save_map(
        self,
        coordinates: np.ndarray,
        features: np.ndarray,
        *,
        stopped: bool,
        write_weights: Callable[[Path], None],
    ) -> None:
        """Write map, features and weights, each file whole; then note the new state."""
        with written_whole(self.weights_path) as draft:
            write_weights(draft)
        with written_whole(self.folder / "features.npy") as draft, draft.open("wb") as file:
            np.save(file, np.asarray(features, np.float32))
        axes = np.asarray(coordinates, np.float32).T
        embedding = pd.DataFrame(
            {"patch": self.table["patch"], **dict(zip(MAP_COLUMNS, axes, strict=False))}
        )
        write_table(self.folder / "embedding.parquet", embedding)
        state: Literal["trained", "stopped"] = "stopped" if stopped else "trained"
        self.info = self.info.model_copy(update={"state": state})
        write_text(self.folder / "run.json", self.info.model_dump_json(indent=2))
        if not stopped:
            self.checkpoint_path.unlink(missing_ok=True)


def _low_high(ranges: Sequence[Sequence[ChannelRange]]) -> tuple[np.ndarray, np.ndarray]:
    low = np.array([[channel.low for channel in row] for row in ranges], np.float32)
    high = np.array([[channel.high for channel in row] for row in ranges], np.float32)
    return low, high


def ranges_by_image(
    store: np.ndarray, table: pd.DataFrame, recipe: Recipe, names: Sequence[str]
) -> dict[str, tuple[ChannelRange, ...]]:
    """Values of channels that images take as 0 and 1, by image, where each has its own."""
    if recipe.normalization.method != "image":
        return {}
    return {
        str(image): tuple(
            channel_ranges(store, names, recipe.normalization, recipe.seed, rows.to_numpy())
        )
        for image, rows in table.groupby("image", sort=False).groups.items()
    }


def _more_patches(recipe: Recipe, images: int) -> str:
    if isinstance(recipe.patches, Grid):
        return "use a smaller stride, or add images"
    if isinstance(recipe.patches, Objects):
        return "add images, or check that each object has a number of its own"
    return "or add points"


def _refuse_used(folder: Path) -> None:
    if folder.is_file():
        raise InputError(f"{folder} is a file: choose a new folder for the run")
    if (folder / "run.json").exists():
        raise InputError(f"{folder} holds another run: choose a new folder, nothing was changed")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"the folder {folder} is not empty: choose a new folder for the run")


def _clear(folder: Path, existed: bool) -> None:
    """Remove what a broken attempt left in a folder that was empty or absent before."""
    if not existed:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for name in (
        "patches.npy",
        ".patches.npy.writing",
        "patches.parquet",
        "recipe.json",
        "run.json",
    ):
        (folder / name).unlink(missing_ok=True)
