"""Every image with its objects or tiles by cluster, as label images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import NONE, values_of_labels
from napari_tsimcne.export._excerpt import Excerpt
from napari_tsimcne.export._outputs import new_folder
from napari_tsimcne.export.patches._file_names import distinct, image_file_name
from napari_tsimcne.export.patches._object_labels import ObjectLabels, has_objects
from napari_tsimcne.export.patches._ome_tiff import pixel_metadata, printable
from napari_tsimcne.images import ImageSource
from napari_tsimcne.patches import Told
from napari_tsimcne.runs import ImageRecord

TABLE = "clusters.csv"
TILE = 512
"""Side of the tiles that files are written in."""

BLOCK = 2048
"""Columns that are painted at once."""

EXACT = 1e-6
"""Share of a pixel by which edges of windows may be off, from rounding."""

Paint = Callable[[int, int, slice, slice], np.ndarray]
"""Gets t, z, rows and columns; returns the clusters there, (h, w)."""


def export_label_images(
    excerpt: Excerpt,
    folder: Path,
    *,
    labels: Mapping[str, ImageSource] | None = None,
    tiles: bool = False,
    overwrite: bool = False,
    told: Told = lambda what, done, total: None,
) -> int:
    """Write a label image for every image that some of the patches are of.

    Its pixels are numbers of clusters, 0 where there is none, in the smallest type that holds
    them. Objects have the shape they have in their label image; other patches are tiles, as large
    as their window. Where windows overlap, a pixel is of the patch whose centre is nearest, also
    where that patch is in no cluster or not exported. Axes are those of the image without
    channels, of which it keeps the size of the pixels; planes of a projection are all alike.
    ``clusters.csv`` tells the ``value``, ``name``, ``color`` and number of ``patches`` of each
    cluster. Memory does not grow with the number of rows.

    Parameters
    ----------
    excerpt
        Which patches.
    folder
        Is made; holds an ``IMAGE.ome.tif`` for each image.
    labels
        Label images of objects by the name of their image. Others are opened from their files.
    tiles
        Paint windows where patches are of objects too. Images are not needed then.
    overwrite
        Replace a folder that such an export has made, and that holds nothing else.
    told
        Called with the rows of pixels that are written; an exception it raises cancels.

    Returns
    -------
    int
        How many images were written.

    Raises
    ------
    InputError
        Where no patch is in a cluster, a label image cannot be opened or does not fit, or the
        folder exists or cannot be written.
    """
    if not excerpt.clusters:
        raise InputError("none of the patches is in a cluster: make clusters first")
    run = excerpt.run
    names = list(excerpt.table["image"].unique())
    records = [run.image(name) for name in names]
    dtype = np.min_scalar_type(max(cluster.id for cluster in excerpt.clusters))
    painters = [
        _tile_painter(excerpt, name, dtype) if tiles or not has_objects(run)
        else _object_painter(excerpt, name, ObjectLabels.of(run, name, labels or {}), dtype)
        for name in names
    ]  # fmt: skip
    total = sum(_rows_of(record) for record in records)
    done = 0

    def step(rows: int) -> None:
        nonlocal done
        told("Painting label images", done, total)
        done += rows

    files = distinct([image_file_name(name) for name in names], [TABLE], ".ome.tif")
    with new_folder(Path(folder), "labels", overwrite) as draft:
        for record, paint, file in zip(records, painters, files, strict=True):
            _write(draft / file, record, dtype, paint, step)
        told("Painting label images", total, total)
        _clusters(excerpt).to_csv(draft / TABLE, index=False, encoding="utf-8")
    return len(names)


def _clusters(excerpt: Excerpt) -> pd.DataFrame:
    ids = excerpt.cluster_ids
    rows = [(c.id, c.name, c.color, int((ids == c.id).sum())) for c in excerpt.clusters]
    return pd.DataFrame(rows, columns=["value", "name", "color", "patches"])


# --- writing ------------------------------------------------------------------------------------


def _axes_of(record: ImageRecord) -> tuple[str, tuple[int, ...]]:
    """Return axes and shape of an image without its channels, rows and columns last."""
    lengths = dict(zip(record.axes, record.shape, strict=True))
    axes = "".join(axis for axis in record.axes if axis in "TZ") + "YX"
    return axes, tuple(lengths[axis] for axis in axes)


def _rows_of(record: ImageRecord) -> int:
    """Rows of all planes."""
    return int(np.prod(_axes_of(record)[1][:-1]))


def _write(
    path: Path, record: ImageRecord, dtype: np.dtype, paint: Paint, step: Callable[[int], None]
) -> None:
    axes, shape = _axes_of(record)
    metadata = {
        "axes": axes,
        "Name": printable(path.name.removesuffix(".ome.tif")),
        "Channel": {"Name": ["cluster"]},
        **pixel_metadata(record.pixel_size, record.unit),
    }
    # Also what hardly compresses must have room.
    big = np.prod(shape, dtype=float) * dtype.itemsize > 3 << 30
    with tifffile.TiffWriter(path, ome=True, bigtiff=bool(big)) as tiff:
        tiff.write(
            _tiles(axes, shape, paint, step), shape=shape, dtype=dtype, tile=(TILE, TILE),
            compression="zlib", photometric="minisblack", metadata=metadata, maxworkers=1,
        )  # fmt: skip


def _tiles(
    axes: str, shape: tuple[int, ...], paint: Paint, step: Callable[[int], None]
) -> Iterator[np.ndarray]:
    """Give the tiles of all planes in the order in which a file holds them."""
    height, width = shape[-2:]
    for position in product(*(range(length) for length in shape[:-2])):
        at = dict(zip(axes, position, strict=False))
        for top in range(0, height, TILE):
            rows = slice(top, min(top + TILE, height))
            step(rows.stop - top)
            for left in range(0, width, BLOCK):
                columns = slice(left, min(left + BLOCK, width))
                block = paint(at.get("T", 0), at.get("Z", 0), rows, columns)
                for start in range(0, block.shape[1], TILE):
                    yield np.ascontiguousarray(block[:, start : start + TILE])


# --- painting -----------------------------------------------------------------------------------


class _Planes:
    """The patches of an image by plane: numbers among all of the run, and their clusters."""

    def __init__(self, excerpt: Excerpt, image: str, dtype: np.dtype) -> None:
        table = excerpt.run.table
        rows = np.flatnonzero((table["image"] == image).to_numpy())
        self._projected = excerpt.run.recipe.depth.method in ("max", "mean")
        self._t, self._z = table["t"].to_numpy()[rows], table["z"].to_numpy()[rows]
        self._rows = rows
        ids = excerpt.exploration.clusters.ids
        self._values = np.where(excerpt.mask, ids, NONE).astype(dtype)[rows]

    def at(self, t: int, z: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the patches that are seen on a plane, and what each is painted as, (n,)."""
        z = 0 if self._projected else z
        here = (self._t == t) & (self._z == z)
        return self._rows[here], self._values[here]


def _object_painter(excerpt: Excerpt, image: str, objects: ObjectLabels, dtype: np.dtype) -> Paint:
    planes = _Planes(excerpt, image, dtype)
    labels = excerpt.run.table["label"].to_numpy(np.int64, na_value=0)

    @lru_cache(1)
    def plane(t: int, z: int) -> tuple[np.ndarray, np.ndarray]:
        patches, values = planes.at(t, z)
        known, first = np.unique(labels[patches], return_index=True)
        return known, values[first]

    def paint(t: int, z: int, rows: slice, columns: slice) -> np.ndarray:
        return values_of_labels(objects.read(t, z, rows, columns), *plane(t, z))

    return paint


def _tile_painter(excerpt: Excerpt, image: str, dtype: np.dtype) -> Paint:
    planes = _Planes(excerpt, image, dtype)
    table = excerpt.run.table
    centres, sizes = table[["y", "x"]].to_numpy(float), table["size"].to_numpy(float)

    @lru_cache(1)
    def plane(t: int, z: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        patches, values = planes.at(t, z)
        order = np.argsort(centres[patches, 0], kind="stable")
        patches = patches[order]
        return centres[patches], sizes[patches], values[order]

    def paint(t: int, z: int, rows: slice, columns: slice) -> np.ndarray:
        middles, sides, values = plane(t, z)
        # There may be millions of them: only those near these rows are looked at.
        reach = sides.max(initial=0)
        near = slice(*np.searchsorted(middles[:, 0], [rows.start - reach, rows.stop + reach]))
        return nearest_tiles(middles[near], sides[near], values[near], rows, columns)

    return paint


def nearest_tiles(
    centres: np.ndarray, sizes: np.ndarray, values: np.ndarray, rows: slice, columns: slice
) -> np.ndarray:
    """Paint a region of a plane with square windows; the nearest centre is seen.

    A pixel belongs to a window where its centre lies in it; on its first edges, but not on its
    last ones, so that windows side by side share no pixel.

    Parameters
    ----------
    centres, sizes
        Of windows, (n, 2) as (y, x) and (n,), in pixels.
    values
        What each is painted as, (n,).
    rows, columns
        The region.

    Returns
    -------
    numpy.ndarray
        (h, w) in the dtype of ``values``; 0 where no window is.
    """
    corner = np.array([rows.start, columns.start])
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    low = np.ceil(centres - sizes[:, None] / 2 - EXACT).astype(np.int64) - corner
    high = np.ceil(centres + sizes[:, None] / 2 - EXACT).astype(np.int64) - corner
    low, high = np.maximum(low, 0), np.minimum(high, shape)
    found = np.zeros(shape, values.dtype)
    distance = np.full(shape, np.inf, np.float32)
    down, right = (np.arange(length, dtype=np.float32) for length in shape)
    for i in np.flatnonzero((low < high).all(axis=1)):
        (top, left), (bottom, far) = low[i], high[i]
        y, x = centres[i] - corner
        own = (down[top:bottom, None] - y) ** 2 + (right[None, left:far] - x) ** 2
        nearer = own < distance[top:bottom, left:far]
        distance[top:bottom, left:far][nearer] = own[nearer]
        found[top:bottom, left:far][nearer] = values[i]
    return found
