"""Cut windows out of images: a dask graph in which each part of an image is read once.

A plane is read in blocks of whole chunks. The patches that begin in a block are cut by one task,
which takes the blocks to its right and below where windows reach over, and writes its own rows of
the store. So the same graph runs in threads, or on the workers of a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, product
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import ImageSource, Skipped
from napari_tsimcne.patches._compute import compute, compute_in_order
from napari_tsimcne.patches._store import keep_rows, make_store, write_rows
from napari_tsimcne.patches._surroundings import dim_objects, other_objects
from napari_tsimcne.patches._windows import Windows
from napari_tsimcne.recipe import Grid, Objects, Points

Progress = Callable[[int, int], None]
"""Called with patches done and patches in all; may raise to cancel."""

BLOCK_BYTES = 16 << 20
"""Of one block that is read at once, about: it bounds what each core holds in memory."""

WRITTEN_BYTES = 8 << 20
"""Of crops that are made before they are written, about: so few that their memory is used again."""

HANDED_OVER = 16
"""Blocks whose crops are held until they are taken."""


@dataclass(frozen=True)
class Cut:
    """How windows become crops: ``pixels`` a side and a ``margin``; other objects dimmed or not.

    ``labels`` by image name are needed where ``surroundings`` are not kept.
    """

    pixels: int
    margin: int = 0
    surroundings: str = "keep"
    dimming: float = 0.0
    labels: Mapping[str, ImageSource] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        patches: Grid | Objects | Points,
        margin: int,
        labels: Mapping[str, ImageSource] | None = None,
    ) -> Cut:
        """Take the settings of a recipe whose ``pixels`` are known."""
        if isinstance(patches, Objects) and patches.surroundings != "keep":
            dimming = patches.dimming if patches.surroundings == "dim" else 0.0
            return cls(patches.pixels, margin, patches.surroundings, dimming, labels or {})
        return cls(patches.pixels, margin)

    @property
    def side(self) -> int:
        """Of a crop, in pixels."""
        return self.pixels + 2 * self.margin


def extract_patches(
    images: Sequence[ImageSource],
    table: pd.DataFrame,
    cut: Cut,
    path: Path,
    progress: Progress | None = None,
    scheduler: str | None = None,
) -> tuple[pd.DataFrame, list[Skipped]]:
    """Write the crop of every window to a new store.

    Where a window or its margin leaves the image, the image is mirrored at its edge. An image whose
    pixels cannot be read is left out with all its patches; of one with values that are not finite
    (NaN or infinite), the patches that hold such values. The store is at ``path`` once it is
    complete, and not before.

    Parameters
    ----------
    images
        All that the table names.
    table
        A patch table.
    cut
        How windows become crops.
    path
        Of the store.
    progress
        Called with patches done and in all; may raise to cancel.
    scheduler
        Address of a dask cluster, whose workers must reach images and store under the same
        paths; by default threads of this process, one a core.

    Returns
    -------
    table : pandas.DataFrame
        The patches that were written, numbered anew.
    skipped : list of Skipped
        Images that could not be read, or of which patches were left out.

    Raises
    ------
    InputError
        Where no image could be read, or the cluster cannot be reached.
    """
    draft = path.with_name(f".{path.name}.writing")
    names = table["image"].to_numpy()
    shape = (len(table), images[0].channels, cut.side, cut.side)
    try:
        draft.unlink(missing_ok=True)
        make_store(draft, shape, images[0].dtype)
        tasks = _tasks(images, table, cut, partial(_write, draft), WRITTEN_BYTES)
        reasons: dict[str, str] = {}
        odd: dict[str, list[NotFinite]] = {}
        done = 0
        # Closed, whatever happens, before the draft is taken away: nobody writes to it then.
        with closing(compute(tasks, scheduler)) as results:
            for image, count, reason in chain.from_iterable(results):
                done += count
                if isinstance(reason, NotFinite):
                    odd.setdefault(image, []).append(reason)
                elif reason:
                    reasons.setdefault(image, reason)
                if progress is not None:
                    progress(done, len(table))
        reasons |= {image: NotFinite.all_of(parts) for image, parts in odd.items()
                    if image not in reasons}  # fmt: skip
        if reasons:
            kept = ~np.isin(names, [name for name in reasons if name not in odd])
            for part in chain.from_iterable(odd.values()):
                kept[part.rows] = False
            if not kept.any():
                name, reason = next(iter(reasons.items()))
                what = "no patch could be cut" if odd else "no image could be read"
                raise InputError(f"{what} ({name}: {reason})")
            keep_rows(draft, kept)
            table = table[kept].reset_index(drop=True)
            table["patch"] = np.arange(len(table))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return table, [Skipped(name, reason) for name, reason in reasons.items()]


def iterate_patches(
    images: Sequence[ImageSource],
    table: pd.DataFrame,
    cut: Cut,
    on_skipped: Callable[[Skipped], None] = lambda skipped: None,
) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Yield the patches of a table, block by block in a fixed order, never of two images together.

    Where an image cannot be read, ``on_skipped`` is told and what is left of it is left out; of one
    with values that are not finite, the patches that hold such values.

    Yields
    ------
    rows : pandas.DataFrame
        Rows of the table.
    crops : numpy.ndarray
        (n, C, S + 2 margin, S + 2 margin) in the original dtype.
    """
    skipped: set[str] = set()
    results = compute_in_order(_tasks(images, table, cut, _hand_over), HANDED_OVER)
    for image, rows, crops in chain.from_iterable(results):
        if isinstance(crops, NotFinite):
            on_skipped(Skipped(image, NotFinite.all_of([crops])))
        elif isinstance(crops, str):
            if image not in skipped:
                on_skipped(Skipped(image, crops))
            skipped.add(image)
        elif image not in skipped:
            yield table.loc[rows], crops


# --- the graph ----------------------------------------------------------------------------------


class _Unreadable:
    """Stands for a block that could not be read."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


@dataclass(frozen=True)
class NotFinite:
    """Patches, by their rows in the table, that hold NaN or infinite values; and where."""

    rows: np.ndarray
    place: tuple[int, int]

    @staticmethod
    def all_of(parts: Sequence[NotFinite]) -> str:
        """Say how many there are, and where the first is."""
        count, (y, x) = sum(len(part.rows) for part in parts), min(part.place for part in parts)
        return (
            f"{count:,} patch{'es' * (count != 1)} left out that hold values that are not finite "
            f"(NaN or infinite), the first near row {y:,}, column {x:,}"
        )


Result = Callable[[str, np.ndarray, "np.ndarray | str | NotFinite"], Any]
"""What becomes of crops: gets the image's name, rows, and crops or why there are none."""


def _write(path: Path, image: str, rows: np.ndarray, crops: np.ndarray | str | NotFinite) -> tuple:
    if isinstance(crops, str | NotFinite):
        return image, len(rows), crops
    write_rows(path, rows, crops)
    return image, len(rows), ""


def _hand_over(image: str, rows: np.ndarray, crops: np.ndarray | str | NotFinite) -> tuple:
    return image, rows, crops


def _tasks(
    images: Sequence[ImageSource],
    table: pd.DataFrame,
    cut: Cut,
    result: Result,
    at_once: int | None = None,
) -> Iterator[Any]:
    """Yield delayed tasks in the order of the table, each of the patches of one block.

    They give lists of results, at least one for every ``at_once`` bytes of crops, if given.
    """
    by_name = {image.name: image for image in images}
    for name, of_image in table.groupby("image", sort=False):
        image = by_name[str(name)]
        # One node an image: a cluster gets it once, not with every task.
        source = dask.delayed(image, traverse=False, pure=False)
        labels = cut.labels.get(image.name) if cut.surroundings != "keep" else None
        mask = dask.delayed(labels, traverse=False, pure=False)
        for (t, z, _), rows in of_image.groupby(["t", "z", "size"], sort=False):
            windows = Windows.of(image, rows, cut.pixels, cut.margin)
            try:
                block = _block(image, windows)
            except InputError as error:
                reason = str(error)
                yield dask.delayed(partial(_left_out, result, image.name, rows.index, reason))()
                continue
            plane = _Plane(image.name, int(t), int(z), rows, windows, block)
            yield from plane.tasks(source, mask, cut, result, at_once)


@dataclass(frozen=True)
class _Plane:
    """The windows of one plane, and the blocks it is read in."""

    image: str
    t: int
    z: int
    rows: pd.DataFrame
    windows: Windows
    block: np.ndarray

    def tasks(
        self, source: Any, mask: Any, cut: Cut, result: Result, at_once: int | None
    ) -> Iterator[Any]:
        spans = self.windows.spans
        first = spans[..., 0] // self.block
        last = (spans[..., 1] - 1) // self.block
        blocks: dict[tuple[int, int], Any] = {}
        order = np.lexsort((first[:, 1], first[:, 0]))
        breaks = np.flatnonzero(np.diff(first[order], axis=0).any(axis=1)) + 1
        for chosen in map(np.sort, np.split(order, breaks)):
            (top, left), (bottom, right) = first[chosen].min(axis=0), last[chosen].max(axis=0)
            places = list(product(range(top, bottom + 1), range(left, right + 1)))
            for at in places:
                if at not in blocks:
                    blocks[at] = self._load(source, *at)
            needed = [blocks[at] for at in places]
            corners = np.array(places) * self.block
            # What is behind is not needed again; dask lets go of it as well.
            blocks = {at: node for at, node in blocks.items() if at[0] >= top}
            work = partial(
                _cut_block, self.image, self.windows.some(chosen), self.rows.iloc[chosen],
                (self.t, self.z), corners, cut.dimming, result, at_once,
            )  # fmt: skip
            yield dask.delayed(work, name="cut", pure=False)(mask, needed)

    def _load(self, source: Any, i: int, j: int) -> Any:
        rows, columns = (
            slice(int(n * length), int(min((n + 1) * length, most)))
            for n, length, most in zip((i, j), self.block, self.windows.height_width, strict=True)
        )
        load = partial(_load_block, self.t, self.z, rows, columns, self.windows.level)
        return dask.delayed(load, name="load", pure=False)(source)


def _load_block(
    t: int, z: int, rows: slice, columns: slice, level: int, image: ImageSource
) -> np.ndarray | _Unreadable:
    try:
        return image.read(t, z, rows, columns, level)
    except InputError as error:
        return _Unreadable(str(error))


def _left_out(result: Result, image: str, rows: np.ndarray, reason: str) -> list[Any]:
    return [result(image, rows, reason)]


def _cut_block(
    image: str,
    windows: Windows,
    rows: pd.DataFrame,
    plane: tuple[int, int],
    corners: np.ndarray,
    dimming: float,
    result: Result,
    at_once: int | None,
    labels: ImageSource | None,
    blocks: list[np.ndarray | _Unreadable],
) -> list[Any]:
    """Cut the windows that begin in one block out of it and those to its right and below."""
    numbers = rows.index.to_numpy()
    arrays = []
    for block in blocks:
        if isinstance(block, _Unreadable):
            return _left_out(result, image, numbers, block.reason)
        arrays.append(block)
    others = None
    if labels is not None:
        try:
            others = other_objects(windows, labels, plane, rows["label"])
        except InputError as error:
            return _left_out(result, image, numbers, str(error))
    crop_bytes = arrays[0][:, :1, :1].nbytes * windows.side**2
    step = len(rows) if at_once is None else max(1, at_once // crop_bytes)
    # Most windows lie in the one block: only for those that reach over are several joined.
    reach = windows.spans[..., 1] > corners[0] + arrays[0].shape[1:]
    results = []
    for way in np.unique(reach, axis=0):
        group = np.flatnonzero((reach == way).all(axis=1))
        region, corner = _joined(arrays, corners, windows.some(group).spans)
        finite = region.dtype.kind != "f" or bool(np.isfinite(region).all())
        for part in np.split(group, range(step, len(group), step)):
            crops = windows.some(part).crops(region, corner)
            if not finite:
                good = np.isfinite(crops).all(axis=(1, 2, 3))
                if not good.all():
                    odd = part[~good]
                    y, x = rows[["y", "x"]].to_numpy()[odd].min(axis=0)
                    place = int(y), int(x)
                    results.append(result(image, numbers[odd], NotFinite(numbers[odd], place)))
                part, crops = part[good], crops[good]
                if not len(part):
                    continue
            if others is not None:
                dim_objects(crops, others[part], dimming)
            results.append(result(image, numbers[part], crops))
    return results


def _joined(
    blocks: list[np.ndarray], corners: np.ndarray, spans: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Region (C, h, w) of blocks that windows take, and the place (2,) of its first pixel."""
    first, last = spans[..., 0].min(axis=0), spans[..., 1].max(axis=0)
    if (last <= corners[0] + blocks[0].shape[1:]).all():
        return blocks[0], corners[0]
    region = np.empty((len(blocks[0]), *(last - first)), blocks[0].dtype)
    for block, corner in zip(blocks, corners, strict=True):
        begin = np.maximum(first, corner)
        end = np.minimum(last, corner + block.shape[1:])
        if (begin < end).all():
            (y, x), (y_end, x_end) = begin - first, end - first
            (top, left), (bottom, right) = begin - corner, end - corner
            region[:, y:y_end, x:x_end] = block[:, top:bottom, left:right]
    return region, first


def _block(image: ImageSource, windows: Windows) -> np.ndarray:
    """Rows and columns of a block: whole chunks, no smaller than what a window takes."""
    chunk = np.array(image.chunk(windows.level))
    least = (windows.spans[..., 1] - windows.spans[..., 0]).max(axis=0)
    pixels = BLOCK_BYTES / (image.channels * image.dtype.itemsize)
    wanted = min(np.sqrt(pixels), windows.height_width[1])
    columns = np.ceil(max(least[1], wanted) / chunk[1]) * chunk[1]
    rows = np.ceil(max(least[0], pixels / columns) / chunk[0]) * chunk[0]
    return np.array([rows, columns], np.int64)
