"""One patch an object of a label image: where objects lie, how large they are, what they measure.

A plane is read in blocks, so that memory does not grow with the image. A first visit finds the
objects; a second one measures those that are kept, each on a region that holds it wholly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
from skimage.measure import regionprops_table

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import ImageSource
from napari_tsimcne.patches._blocks import BLOCK_SIDE, Region, squares
from napari_tsimcne.patches._labels import Labelled, check_told_apart, read_labels
from napari_tsimcne.patches._table import make_table
from napari_tsimcne.recipe import Objects

ROOM = 1.2
"""How much wider a window is than the objects that it was sized by."""

LEAST_SIZE, MOST_SIZE = 8, 1024
"""Sides, in pixels, between which a window can be stored as it is."""

SHAPE = {
    "eccentricity": "eccentricity",
    "axis_major_length": "major_axis",
    "axis_minor_length": "minor_axis",
    "extent": "extent",
}
"""What scikit-image measures of a shape, and the columns that hold it.

``major_axis`` and ``minor_axis`` of the ellipse with the same second moments, in pixels; its
``eccentricity`` 0..1; ``extent``: share of its bounding box that an object fills.
"""

BRIGHTNESS = {"intensity_mean": "mean", "intensity_std": "std"}
"""What is measured of each channel, in columns such as ``mean DNA``, in the image's own values."""

Step = Callable[[], None]


def place_objects(
    images: Sequence[ImageSource],
    labels: Mapping[str, ImageSource],
    objects: Objects,
    progress: Callable[[int, int], None] | None = None,
    block_side: int = BLOCK_SIDE,
    on_left_out: Callable[[int, int], None] = lambda at_border, small: None,
) -> tuple[pd.DataFrame, Objects]:
    """Place a patch on every object (label above 0) of every plane of every image.

    Parameters
    ----------
    images
        Whose objects are looked for.
    labels
        The label image of each image by the image's name: Y and X as the image's, T and Z
        too or absent, which stands for the same labels on all planes. Values are whole numbers
        from 0 to 2**63 - 1, of an integer, bool or float type.
    objects
        Where its ``size`` is 0, windows get a side of 1.2 times the longer side of the bounding
        box of which ``percentile`` percent of all objects have no larger one: rounded up to an
        even whole number of pixels (of the image with the smallest pixels where ``unit`` is µm),
        and at least 8.
    progress
        Called with blocks done and blocks in all; may raise to cancel.
    block_side
        Side of what is worked on at once, in pixels. The result does not depend on it.
    on_left_out
        Called with how many objects are left out because they touch the border, and how many
        because of their area.

    Returns
    -------
    table : pandas.DataFrame
        A patch table, by image, t, z and label. ``y`` and ``x`` are the object's centroid,
        ``size`` is in pixels of the image. Measured columns follow: ``area``, ``major_axis``,
        ``minor_axis`` in pixels, ``eccentricity`` and ``extent`` in 0..1, and ``mean`` and
        ``std`` of each channel (missing for an image whose pixels cannot be read).
    objects : Objects
        As given, with the size that was found.

    Raises
    ------
    InputError
        Where an image has no label image or one that does not fit or tell objects apart, labels
        are negative or not whole, or no object is left.
    """
    pairs = [Labelled.of(image, labels, block_side) for image in images]
    total = 2 * sum(len(pair.planes) * len(pair.blocks) for pair in pairs)
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    kept = _keep(images, [_find_objects(pair, step) for pair in pairs], objects, on_left_out)
    sizes, objects = _window_sizes(images, kept, objects)
    names = _distinct(images[0].channel_names)
    parts = []
    for pair, rows, size in zip(pairs, kept, sizes, strict=True):
        measured = _measure_objects(pair, rows, names, step)
        parts.append(rows.assign(image=pair.image.name, size=size).join(measured))
    columns = ["image", "t", "z", "y", "x", "size", "label", "area", *SHAPE.values()]
    columns += [f"{what} {name}" for name in names for what in BRIGHTNESS.values()]
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return make_table(table.reindex(columns=columns)), objects


# --- finding --------------------------------------------------------------------------------------

FOUND = {"area": "sum", "y": "sum", "x": "sum", "top": "min", "bottom": "max",
         "left": "min", "right": "max"}  # fmt: skip
"""How what parts of an object say is put together: `_find_runs` has its meaning."""


def _find_objects(pair: Labelled, step: Step) -> pd.DataFrame:
    """Objects of every plane: t, z, label, area, centroid (y, x), bounding box (half open)."""
    known: dict[tuple[int, int], pd.DataFrame] = {}
    planes = []
    for t, z in pair.planes:
        plane = pair.mask_plane(t, z)
        new = plane not in known
        parts: list[pd.DataFrame] = []
        for block in pair.blocks:
            if new:
                parts += _find_in_block(pair, plane, block)
            step()
        if new:
            objects = pd.concat(parts).groupby(level="label").agg(FOUND)
            objects["y"] /= objects["area"]
            objects["x"] /= objects["area"]
            known[plane] = objects.reset_index()
        planes.append(known[plane].assign(t=t, z=z))
    check_told_apart(pair.mask, known)
    return pd.concat(planes, ignore_index=True)


def _find_in_block(pair: Labelled, plane: tuple[int, int], block: Region) -> Iterator[pd.DataFrame]:
    labels = read_labels(pair.mask, *plane, *block)
    for rows, columns in squares(labels.shape, (pair.side, pair.side)):
        top, left = block[0].start + rows.start, block[1].start + columns.start
        yield _find_runs(labels[rows, columns], top, left)


def _find_runs(labels: np.ndarray, top: int, left: int) -> pd.DataFrame:
    """Find the objects of (h, w) labels whose first pixel lies at (top, left) of the plane.

    By label: area, sums of y and x, bounding box. They come from runs of equal pixels along
    rows, of which there are far fewer than pixels.
    """
    width = labels.shape[1]
    flat = labels.ravel()
    begins = np.ones(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=begins[1:])
    begins[::width] = True
    start = np.flatnonzero(begins)
    length = np.diff(start, append=flat.size)
    label = flat[start]
    start, length, label = (values[label > 0] for values in (start, length, label))
    row, column = np.divmod(start, width)
    row, column = row + top, column + left
    runs = pd.DataFrame(
        {
            "label": label.astype(np.int64),
            "area": length,
            "y": (row * length).astype(float),
            "x": (column + (length - 1) / 2) * length,
            "top": row,
            "bottom": row + 1,
            "left": column,
            "right": column + length,
        }
    )
    return runs.groupby("label").agg(FOUND)


# --- choosing -------------------------------------------------------------------------------------


def _keep(
    images: Sequence[ImageSource],
    found: Sequence[pd.DataFrame],
    objects: Objects,
    on_left_out: Callable[[int, int], None],
) -> list[pd.DataFrame]:
    kept, cut, small = [], 0, 0
    for image, rows in zip(images, found, strict=True):
        height, width = image.height_width
        touches = (
            (rows["top"] == 0)
            | (rows["left"] == 0)
            | (rows["bottom"] == height)
            | (rows["right"] == width)
        ) & (not objects.border)
        tiny = rows["area"] < objects.least_area
        cut += int(touches.sum())
        small += int((tiny & ~touches).sum())
        kept.append(rows[~touches & ~tiny].reset_index(drop=True))
    if not sum(map(len, kept)):
        count = sum(map(len, found))
        if not count:
            raise InputError(
                "the label images hold no object: every pixel is 0; check that the right files "
                "or layers were chosen"
            )
        raise InputError(
            f"none of {count} objects is left: {cut} touch the border of their image and {small} "
            f"have fewer than {objects.least_area} pixels; keep objects at the border, or lower "
            "the least area"
        )
    on_left_out(cut, small)
    return kept


def _window_sizes(
    images: Sequence[ImageSource], kept: Sequence[pd.DataFrame], objects: Objects
) -> tuple[list[float], Objects]:
    """Side of the windows of each image in its pixels, and ``objects`` with their size."""
    if objects.unit == "pixel":
        scales = [1.0] * len(images)
    else:
        scales = [image.micrometres for image in images]
    size = objects.size
    if not size:
        sides = [
            np.maximum(rows["bottom"] - rows["top"], rows["right"] - rows["left"]) * scale
            for rows, scale in zip(kept, scales, strict=True)
        ]
        # Of the definitions of a percentile the one that so many objects really keep to.
        fitting = np.percentile(np.concatenate(sides), objects.percentile, method="inverted_cdf")
        finest = min(scales)
        # Rounded: 30 * 1.2 is no 36 in binary fractions.
        pixels = max(LEAST_SIZE, 2 * math.ceil(round(float(fitting) * ROOM / finest, 6) / 2))
        if objects.unit == "pixel" and pixels > MOST_SIZE and not objects.pixels:
            raise InputError(
                f"the objects need windows of {pixels} px, more than {MOST_SIZE}: set pixels to "
                "resample the windows, or check that each object has a label of its own"
            )
        size = pixels * finest
    return [size / scale for scale in scales], objects.model_copy(update={"size": size})


# --- measuring ------------------------------------------------------------------------------------


def _distinct(names: Sequence[str]) -> list[str]:
    """Channel names, numbered where two are alike."""
    return [name if names.count(name) == 1 else f"{name} {i}" for i, name in enumerate(names)]


def _measure_objects(
    pair: Labelled, objects: pd.DataFrame, names: Sequence[str], step: Step
) -> pd.DataFrame:
    """Measure objects as `_find_objects` gives them: a table of the same index."""
    height, width = pair.block_shape
    corner = objects["top"] // height, objects["left"] // width
    groups = objects.groupby([objects["t"], objects["z"], *corner]).groups
    measured: list[pd.DataFrame] = []
    for (t, z), (rows, columns) in product(pair.planes, pair.blocks):
        group = groups.get((t, z, rows.start // height, columns.start // width))
        if group is not None:
            measured += _measure_block(pair, t, z, objects.loc[group], names)
        step()
    return pd.concat(measured) if measured else pd.DataFrame(index=objects.index)


def _measure_block(
    pair: Labelled, t: int, z: int, objects: pd.DataFrame, names: Sequence[str]
) -> Iterator[pd.DataFrame]:
    """Measure the objects whose bounding boxes begin in one block."""
    extent = objects[["bottom", "right"]].to_numpy() - objects[["top", "left"]].to_numpy()
    # A large object is read by itself, so that it does not enlarge the region of all others.
    large = extent.max(axis=1) > pair.side // 2
    for group in (objects[~large], *(objects.iloc[[i]] for i in np.flatnonzero(large))):
        if group.empty:
            continue
        (top, bottom), (left, right) = _bounds(group)
        region = slice(top, bottom), slice(left, right)
        labels = read_labels(pair.mask, *pair.mask_plane(t, z), *region)
        try:
            pixels = pair.image.read(t, z, *region)
        except InputError:
            pixels = None  # the extraction reports the image and leaves it out
        for _, part in group.groupby([group["top"] // pair.side, group["left"] // pair.side]):
            (y0, y1), (x0, x1) = _bounds(part)
            inside = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
            within = None if pixels is None else pixels[:, *inside]
            yield _measure(labels[inside], within, part, names)


def _bounds(objects: pd.DataFrame) -> tuple[tuple[int, int], tuple[int, int]]:
    top, left = objects["top"].min(), objects["left"].min()
    return (int(top), int(objects["bottom"].max())), (int(left), int(objects["right"].max()))


def _measure(
    labels: np.ndarray, pixels: np.ndarray | None, objects: pd.DataFrame, names: Sequence[str]
) -> pd.DataFrame:
    """Measure objects that lie wholly in (h, w) labels and (C, h, w) pixels; others are masked."""
    objects = objects.sort_values("label")
    wanted = objects["label"].to_numpy()
    # Numbered densely: memory must not grow with the largest label.
    at = np.searchsorted(wanted, labels).clip(max=len(wanted) - 1)
    dense = np.where(wanted[at] == labels, at + 1, 0).astype(np.int32)
    columns = dict(SHAPE)
    if pixels is not None:
        for measure, what in BRIGHTNESS.items():
            columns |= {f"{measure}-{i}": f"{what} {name}" for i, name in enumerate(names)}
    measured = regionprops_table(
        dense,
        None if pixels is None else np.moveaxis(pixels, 0, -1),
        properties=[*SHAPE, *(BRIGHTNESS if pixels is not None else ())],
    )
    table = pd.DataFrame(measured, index=objects.index).rename(columns=columns)
    return table[list(columns.values())].astype(float)
