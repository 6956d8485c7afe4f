"""A run with the images that were added to its map: what is explored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import Skipped
from napari_tsimcne.runs._additions import Addition, addition_names, open_addition
from napari_tsimcne.runs._images import ImageRecord
from napari_tsimcne.runs._run import MAP_COLUMNS, Run

ADDED_COLUMNS = ("added", "familiarity", "unfamiliar")
"""Columns of a table with additions: name of the addition, empty for the run's own patches; share
of held-out patches at least as far from those trained on, missing for own ones; and whether it is
so low that the patch is unlike all of them."""

_MAY_BE_MISSING = {"i": "Int64", "u": "Int64", "b": "boolean"}


def extended(run: Run) -> Run:
    """Return a run with its additions; without any, the run itself.

    Those that cannot be opened are left out, see `refused_additions`.
    """
    run = own_run(run)
    if not run.has_map:
        return run
    additions, refused = [], []
    for name in addition_names(run):
        try:
            additions.append(open_addition(run, name))
        except InputError as error:
            refused.append(Skipped(name, str(error)))
    return ExtendedRun(run, additions, refused) if additions or refused else run


def refused_additions(run: Run) -> tuple[Skipped, ...]:
    """Return which additions to a run could not be opened, and why."""
    return run.refused if isinstance(run, ExtendedRun) else ()


def own_run(run: Run) -> Run:
    """Return a run without additions: what a training sees of it."""
    return run.own if isinstance(run, ExtendedRun) else run


def parts_of(run: Run) -> list[tuple[str, int]]:
    """Key and number of patches of each part of a run: its own, with an empty key, come first."""
    own = own_run(run)
    parts = [("", len(own.table))]
    if isinstance(run, ExtendedRun):
        parts += [(addition.key, len(addition.table)) for addition in run.additions]
    return parts


def given_name(run: Run, image: str) -> str:
    """Return the name an image of a run was given: others of the run may have it, too."""
    return run.given_names[image] if isinstance(run, ExtendedRun) else image


def images_by_part(run: Run) -> list[tuple[ImageRecord, ...]]:
    """Return the images of each part of a run: its own, then those of each addition."""
    counts = [len(own_run(run).info.images)]
    if isinstance(run, ExtendedRun):
        counts += [len(addition.info.images) for addition in run.additions]
    ends = np.cumsum(counts)
    return [run.info.images[end - count : end] for end, count in zip(ends, counts, strict=True)]


class ExtendedRun(Run):
    """A run whose own patches are followed by those of its additions.

    Table, store, coordinates, features and images hold both. With additions, the table has the
    `ADDED_COLUMNS`. Images whose name is taken get the addition's name in brackets. It is for
    exploring: trained is `own`.

    Parameters
    ----------
    own
        The run.
    additions
        To it, in order.
    refused
        Additions that could not be opened, and why.
    """

    def __init__(
        self, own: Run, additions: Sequence[Addition] = (), refused: Sequence[Skipped] = ()
    ) -> None:
        self.own, self.additions, self.refused = own, tuple(additions), tuple(refused)
        self.given_names = {record.name: record.name for record in own.info.images}
        images, labels = [*own.info.images], dict(own.info.labels)
        ranges, skipped = dict(own.info.image_channels), [*own.info.skipped]
        tables = []
        for addition in self.additions:
            names = self._name_images(addition)
            new = addition.info
            images += [r.model_copy(update={"name": names[r.name]}) for r in new.images]
            labels |= {names[image]: record for image, record in new.labels.items()}
            ranges |= {names[image]: row for image, row in new.image_channels.items()}
            skipped += new.skipped
            placed = addition.embedding[["familiarity", "unfamiliar"]]
            table = addition.table.assign(image=addition.table["image"].map(names).astype("str"))
            tables.append(table.assign(added=addition.name, **placed))
        info = own.info.model_copy(update={
            "images": tuple(images), "labels": labels, "image_channels": ranges,
            "skipped": tuple(skipped),
        })  # fmt: skip
        super().__init__(own.folder, info, own.recipe, _joined(own.table, tables))

    def _name_images(self, addition: Addition) -> dict[str, str]:
        """Name the images of an addition as no other is named, by the names they were given."""
        names = {}
        for record in addition.info.images:
            name = record.name
            if name in self.given_names:
                name = f"{name} ({addition.name})"
            self.given_names[name] = record.name
            names[record.name] = name
        return names

    def names_in(self, addition: str) -> dict[str, str]:
        """Return what the images of an addition are called here, by the names they were given."""
        rows = self.table.loc[self.table["added"] == addition, "image"]
        return {self.given_names[name]: name for name in rows.unique()}

    @property
    def store(self) -> StackedStore:  # type: ignore[override]  # is read as an array is
        """Pixels of all patches with their margin, (N, C, S, S)."""
        return StackedStore([self.own.store, *(addition.store for addition in self.additions)])

    @property
    def coordinates(self) -> np.ndarray:
        """The map, (N, 2 or 3) float32."""
        columns = list(MAP_COLUMNS[: self.recipe.map_dimensions])
        added = [one.embedding[columns].to_numpy(np.float32) for one in self.additions]
        return np.concatenate([self.own.coordinates, *added])

    @property
    def features(self) -> np.ndarray:
        """Features H of all patches, (N, D) float32."""
        if not self.additions:
            return self.own.features
        return np.concatenate([self.own.features, *(one.features for one in self.additions)])

    def save_map(self, *args: Any, **options: Any) -> None:
        """Refuse: a map is learnt of the run's own patches."""
        raise TypeError("the map is that of the run without additions")


class StackedStore:
    """Several patch stores read as one, (N, C, S, S): by rows in any order, then by slices.

    Parameters
    ----------
    parts
        Stores of one shape but for their number of patches.
    """

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        self._parts = tuple(parts)
        self._starts = np.cumsum([0, *map(len, parts)])
        self.shape = (int(self._starts[-1]), *parts[0].shape[1:])
        self.dtype = parts[0].dtype
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read a row, or rows by a slice, numbers or a mask; further axes by numbers and slices."""
        chosen, *further = index if isinstance(index, tuple) else (index,)
        rows = np.arange(len(self))[chosen]
        if rows.ndim == 0:
            return self[rows[None]][(0, *further)]
        part_of = np.searchsorted(self._starts, rows, side="right") - 1
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for number in np.unique(part_of):
            here = part_of == number
            found[here] = self._parts[number][rows[here] - self._starts[number]]
        return found[(slice(None), *further)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:] if dtype is None else self[:].astype(dtype)


def _joined(own: pd.DataFrame, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put the tables of additions below that of a run; columns that one lacks are missing there."""
    if not tables:
        return own
    own = own.assign(added="", familiarity=np.float32(np.nan), unfamiliar=False)
    every = [own, *tables]
    names = dict.fromkeys(name for table in every for name in table)
    kinds = {
        name: _MAY_BE_MISSING[table[name].dtype.kind]
        for name in names
        for table in every
        if name in table and isinstance(table[name].dtype, np.dtype)
        and table[name].dtype.kind in _MAY_BE_MISSING
        and any(name not in other for other in every)
    }  # fmt: skip
    every = [
        table.astype({name: kind for name, kind in kinds.items() if name in table})
        for table in every
    ]
    joined = pd.concat(every, ignore_index=True)
    # What was added stands last, whatever further columns there are.
    order = [name for name in joined if name not in ADDED_COLUMNS]
    joined = joined[[*order, *ADDED_COLUMNS]]
    joined["patch"] = np.arange(len(joined))
    return joined
