"""The run folder, made once and opened again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import ImageSource, Skipped, check_alike
from napari_tsimcne.patches import (
    Cut,
    Told,
    channel_ranges,
    extract_patches,
    kept_apart,
    open_store,
    place_patches,
)
from napari_tsimcne.recipe import Grid, Objects, Recipe
from napari_tsimcne.runs._binding import check_bound, quick_digest
from napari_tsimcne.runs._contents import read_features, read_map, read_patches, renamed_in
from napari_tsimcne.runs._files import (
    cannot_write,
    check_room,
    read_or_explain,
    write_table,
    written_whole,
)
from napari_tsimcne.runs._images import ImageRecord
from napari_tsimcne.runs._moved import Whereabouts
from napari_tsimcne.runs._new_folder import STORE, TABLE, clear, refuse_used
from napari_tsimcne.runs._run_info import (
    Learnt,
    RunInfo,
    read_info,
    read_recipe,
    write_info_and_recipe,
)
from napari_tsimcne.runs._trust import refuse_links
from napari_tsimcne.runs._value_ranges import low_high, ranges_by_image

EMBEDDING, FEATURES = "embedding.parquet", "features.npy"
MAP_COLUMNS = ("map_x", "map_y", "map_z")
"""Coordinates; a map of two dimensions has no ``map_z``."""


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
    ``moved.json``              where images were found that are not where they were
    ==========================  ======================================================

    Whatever is written takes the place of what was there once it is complete. What is read is
    checked first: see ``_trust.py``.
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
            Where the folder is in use or cannot be written, the disk has too little room, or images
            do not fit together or the recipe, or hold nothing to learn from.
        """
        folder = Path(folder).expanduser().resolve()
        check_alike(images)
        refuse_used(folder)
        images = [image.at_depth(recipe.depth) for image in images]
        placed = place_patches(images, recipe, labels=labels, points=points, told=told)
        table, recipe = placed.table, placed.recipe
        if measure is not None:
            table = kept_apart(measure(table))
        if len(table) < recipe.batch_size:
            raise InputError(
                f"{len(table)} patches are fewer than one batch of {recipe.batch_size}: lower the "
                f"batch size to {max(2, len(table))} or less, {_more_patches(recipe, len(images))}"
            )
        cut = Cut.of(recipe.patches, recipe.margin or 0, labels)
        check_room(folder, store_bytes(len(table), images[0], cut))
        existed = folder.exists()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            store = folder / STORE
            table, unreadable = extract_patches(
                images, table, cut, store,
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
                    image.name: ImageRecord.of(labels[image.name], labels=True)
                    for image in kept
                    if labels is not None and image.name in labels
                },
                skipped=(*skipped, *unreadable),
                objects_left_out=placed.objects_left_out,
                background_windows=placed.left_out,
                background_thresholds=dict(placed.thresholds),
            )
            write_table(folder / TABLE, table)
            write_info_and_recipe(folder, info, recipe)
        except OSError as error:
            refused = cannot_write(folder, error)
            clear(folder, existed)
            raise refused from error
        except BaseException:
            clear(folder, existed)
            raise
        return cls(folder, info, recipe, table)

    @classmethod
    def open(cls, folder: str | PathLike[str]) -> Run:
        """Open a run folder of this or an earlier version; nothing in it is executed.

        Images have the path where they are now, if they can be found; `missing_images` tells
        which cannot.

        Raises
        ------
        InputError
            Where it is no run, of a newer format, damaged, or leads out of its folder.
        """
        folder = Path(folder).expanduser().resolve()
        if not folder.is_dir():
            raise InputError(f"there is no folder {folder}")
        refuse_links(folder)
        info, recipe = read_info(folder), read_recipe(folder)
        store = open_store(folder / STORE)
        side = recipe.patches.pixels + 2 * (recipe.margin or 0)
        if store.shape[1:] != (len(info.channels), side, side):
            raise InputError(
                f"{folder} is damaged: its store holds patches of {store.shape[1:]}, not the "
                f"{len(info.channels)} channels and {side} px a side of its recipe"
            )
        table = read_patches(folder / TABLE, len(store), info.images)
        where = Whereabouts(folder, info.created)
        info = info.model_copy(update={
            "images": tuple(map(where.now, info.images)),
            "labels": {name: where.now(record) for name, record in info.labels.items()},
        })  # fmt: skip
        return cls(folder, info, recipe, table)

    # --- what it holds ------------------------------------------------------------------------

    @property
    def renamed(self) -> str:
        """Says which columns of its table have another name here than in its file; or nothing.

        Earlier versions stored them under names that the map uses itself.
        """
        return renamed_in(self.folder / TABLE)

    @property
    def store(self) -> np.ndarray:
        """Pixels of all patches with their margin, (N, C, S, S), a read-only memory map."""
        return open_store(self.folder / STORE)

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
            return (*low_high([self.info.channels]), None)
        names = list(self.info.image_channels)
        group = self.table["image"].map({name: i for i, name in enumerate(names)})
        return (
            *low_high([self.info.image_channels[name] for name in names]),
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
            Where there is no map yet, or it is damaged, or not of one training with the other
            files of the map.
        """
        columns = list(MAP_COLUMNS[: self.recipe.map_dimensions])
        path = self._file_of_map(EMBEDDING)
        table = read_map(path, len(self.table), columns)
        self.check_bound(path)
        return table[columns].to_numpy(np.float32)

    @property
    def features(self) -> np.ndarray:
        """Features H of all patches, (N, D) float32.

        Raises
        ------
        InputError
            Where there is no map yet, or they are damaged, or not of one training with the other
            files of the map.
        """
        path = self._file_of_map(FEATURES)
        features = read_features(path, len(self.table))
        self.check_bound(path)
        return features

    def check_bound(self, path: Path) -> None:
        """Check that a file of the map was written with the others that this run was opened with.

        Raises
        ------
        InputError
            Where it is of another training.
        """
        check_bound(path, self.info.map_files, lambda: read_info(self.folder).map_files)

    @property
    def map_digest(self) -> str:
        """Tells this map from earlier ones of the run.

        Raises
        ------
        InputError
            Where there is no map yet, or its file is missing.
        """
        content = read_or_explain(self._file_of_map(EMBEDDING), Path.read_bytes)
        return hashlib.blake2b(content, digest_size=16).hexdigest()

    @property
    def _files_of_map(self) -> tuple[Path, Path, Path]:
        return self.weights_path, self.folder / FEATURES, self.folder / EMBEDDING

    def _file_of_map(self, name: str) -> Path:
        self.check_has_map()
        return self.folder / name

    def check_has_map(self) -> None:
        """Raise InputError where there is no map yet."""
        if not self.has_map:
            raise InputError(
                f"{self.folder} has no map yet: train it first, or wait until its training has "
                "ended"
            )

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
        versions: Mapping[str, str] | None = None,
        learnt: Learnt | None = None,
    ) -> None:
        """Write map, features and weights, each file whole; then note the new state.

        ``versions``: of what the map was learnt with, by name; ``learnt``: how. Digests of the
        files are noted with the state: where they do not fit, files are of two trainings.

        Raises
        ------
        InputError
            Where the folder cannot be written to.
        """
        axes = np.asarray(coordinates, np.float32).T
        embedding = pd.DataFrame(
            {"patch": self.table["patch"], **dict(zip(MAP_COLUMNS, axes, strict=False))}
        )
        # All are written before the first takes its place.
        with ExitStack() as drafts:
            weights, h, places = (
                drafts.enter_context(written_whole(path)) for path in self._files_of_map
            )
            write_weights(weights)
            with h.open("wb") as file:
                np.save(file, np.asarray(features, np.float32))
            embedding.to_parquet(places, engine="pyarrow", index=False)
        new: dict[str, Any] = {
            "state": "stopped" if stopped else "trained",
            "versions": dict(versions or {}),
            "learnt": learnt,
            "map_files": {path.name: quick_digest(path) for path in self._files_of_map},
        }
        self.info = self.info.model_copy(update=new)
        # Images stay recorded where they were: the run may go back to where it came from.
        recorded = read_info(self.folder).model_copy(update=new)
        write_info_and_recipe(self.folder, recorded, self.recipe)
        if not stopped:
            self.checkpoint_path.unlink(missing_ok=True)


def store_bytes(patches: int, image: ImageSource, cut: Cut) -> int:
    """Return how large a store of so many patches of images like this one is."""
    return patches * image.channels * cut.side**2 * image.dtype.itemsize


def _more_patches(recipe: Recipe, images: int) -> str:
    if isinstance(recipe.patches, Grid):
        return "use a smaller stride, or add images"
    if isinstance(recipe.patches, Objects):
        return "add images, or check that each object has a number of its own"
    return "or add points"
