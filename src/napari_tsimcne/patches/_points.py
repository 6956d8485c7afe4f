"""One patch a point: points from a CSV file or from napari, and the patches around them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import ImageSource, NameIndex, shown, tidy
from napari_tsimcne.patches._join_table import as_text, image_column, some
from napari_tsimcne.patches._read_table import Report, read_table, silent
from napari_tsimcne.patches._table import COLUMNS, kept_apart, make_table, renamed, renamed_text
from napari_tsimcne.recipe import Points

KNOWN = ("y", "x", "t", "z", "label")
"""Columns with a meaning, found in upper or lower case; ``image`` is a further one."""

COMMAS = "; write numbers with a decimal point, and no marks for thousands"

LEADING = "axis-0"
"""The first of three axes of napari's points: time where an image has it, else depth."""


def read_points(path: Path, report: Report = silent) -> pd.DataFrame:
    """Read points from a CSV file, napari's own export among them; see `read_table`.

    Parameters
    ----------
    path
        Of the file.
    report
        Called with a sentence on what was assumed, or which columns get another name.

    Returns
    -------
    pandas.DataFrame
        Columns ``y`` and ``x`` in pixels of the image, whole numbers being centres of pixels;
        ``t``, ``z``, ``label``, ``image`` where the file has them, and all its further columns.
        ``axis-0`` is what napari calls time or depth, see `place_points`.

    Raises
    ------
    InputError
        Where the file cannot be read, or has no columns y and x.
    """
    table = read_table(path, report)
    points = _named(table, f"the file {shown(path.name)}")
    changed = renamed(points.columns)
    if changed:
        report(renamed_text(changed))
    return kept_apart(points)


def place_points(
    images: Sequence[ImageSource], points: pd.DataFrame, settings: Points
) -> pd.DataFrame:
    """Place a patch on every point, in the order of the points.

    Parameters
    ----------
    images
        The images, of which ``image`` names one a point by its name, its file or its file's name
        without the ending; without this column there must be one image.
    points
        As `read_points` returns them. ``t`` and ``z`` count from 0 and are rounded; they may be
        missing for images without these axes. Where one plane of the depth was chosen, points
        of others are left out; for a projection ``z`` is not looked at.
        ``label``: whole numbers, or names of classes, which become the column ``class``.
    settings
        Size of the windows, in pixels or µm.

    Returns
    -------
    pandas.DataFrame
        A patch table, and the points' further columns.

    Raises
    ------
    InputError
        Where columns are missing, a further column is named as one of the patch table, places are
        no numbers, an image is not known, or points lie outside of their image.
    """
    points = _named(points, "the points").reset_index(drop=True)
    if points.empty:
        raise InputError("there is no point: give at least one")
    of = _images_of(images, points)
    points = _with_axes(images, points)
    columns: dict[str, object] = {"image": [images[i].name for i in of]}
    columns |= {axis: _place(points, axis) for axis in ("y", "x")}
    columns |= {axis: _plane(images, of, points, axis) for axis in ("t", "z")}
    columns["size"] = _sizes(images, settings)[of]
    table = pd.DataFrame(columns)
    named = image_column(points)
    further = points.drop(columns=[n for n in (*KNOWN, named) if n in points and n != "label"])
    further = _labelled(further)
    clash = [name for name in further if name in COLUMNS and name != "label"]
    if clash:
        raise InputError(
            f"the points have a column '{clash[0]}', which every patch table has with another "
            "meaning: rename it"
        )
    _check_inside(images, of, table)
    kept = _on_planes(images, of, table)
    further = kept_apart(further)
    return make_table(pd.concat([table, further], axis=1)[kept].reset_index(drop=True))


def _named(points: pd.DataFrame, source: str) -> pd.DataFrame:
    """Name columns as the patch table does; y and x are there afterwards."""
    names = {name: tidy(str(name)) for name in points}
    axes = sorted(name for name in names.values() if re.fullmatch(r"axis-\d+", name))
    if axes and axes != [LEADING]:
        if not 2 <= len(axes) <= 4:
            raise InputError(
                f"{source} has {len(axes)} axes: napari's points of an image have two to four, "
                "(t, z,) y, x"
            )
        own = {2: ("y", "x"), 3: (LEADING, "y", "x"), 4: ("t", "z", "y", "x")}[len(axes)]
        renamed = dict(zip(axes, own, strict=True))
        names = {name: renamed.get(new, new) for name, new in names.items() if new != "index"}
    names = {name: new.lower() if new.lower() in KNOWN else new for name, new in names.items()}
    points = points[list(names)].set_axis(list(names.values()), axis=1)
    twice = points.columns[points.columns.duplicated()]
    if len(twice):
        raise InputError(f"{source} has the column '{twice[0]}' twice: leave one")
    missing = [axis for axis in ("y", "x") if axis not in points]
    if missing:
        raise InputError(
            f"{source} has no column {' and no column '.join(missing)}: it has "
            f"{some(points.columns, 8)}; name the places in pixels y and x"
        )
    return points


def _with_axes(images: Sequence[ImageSource], points: pd.DataFrame) -> pd.DataFrame:
    """Name napari's leading axis by what the images have."""
    if LEADING not in points:
        return points
    axis = "t" if any(image.length("T") > 1 for image in images) else "z"
    if axis in points:
        raise InputError(f"the points have both '{LEADING}' and '{axis}': leave one of them")
    return points.rename(columns={LEADING: axis})


def _images_of(images: Sequence[ImageSource], points: pd.DataFrame) -> np.ndarray:
    """Which image each point is in, (N,) int64."""
    column = image_column(points)
    if column is None:
        if len(images) > 1:
            raise InputError(
                f"the points do not say in which of {len(images)} images they are: add a column "
                "'image'"
            )
        return np.zeros(len(points), np.int64)
    given = as_text(points[column])
    if given.isna().any():
        row = int(np.flatnonzero(given.isna())[0])
        raise InputError(f"point {row + 1} has no image: fill in the column '{column}'")
    names = NameIndex(image.name for image in images)
    files = NameIndex(image.path.as_posix() if image.path else image.name for image in images)
    found = {
        name: names.find(name) or files.find(name) or names.find_unpadded(name)
        for name in given.unique()
    }
    unknown = [name for name, where in found.items() if not where]
    if unknown:
        hint = names.near(unknown[0])
        raise InputError(
            f"{len(unknown)} images of the points are not among the images: {some(unknown)}; the "
            f"images are {some(image.name for image in images)}: add the images, or leave their "
            f"points out{f'; {hint}' if hint else ''}"
        )
    for name, where in found.items():
        if len(where) > 1:
            raise InputError(
                f"the points' image '{name}' may be any of {some(images[i].name for i in where)}: "
                "write the folder, too"
            )
    return given.map({name: where[0] for name, where in found.items()}).to_numpy(np.int64)


def _place(points: pd.DataFrame, axis: str) -> np.ndarray:
    """Numbers of a column, (N,) float64, all of them finite."""
    values = pd.to_numeric(points[axis], errors="coerce").to_numpy(float, na_value=np.nan)
    text = points[axis].dtype.kind not in "biuf"
    odd = np.flatnonzero(~np.isfinite(values))
    if len(odd):
        raise InputError(
            f"{len(odd)} of {len(points)} points have a {axis} that is no number, the first is "
            f"point {odd[0] + 1} ({axis} is '{points[axis].iloc[odd[0]]}'): correct them or leave "
            f"them out{COMMAS if text and ',' in str(points[axis].iloc[odd[0]]) else ''}"
        )
    return values


def _plane(
    images: Sequence[ImageSource], of: np.ndarray, points: pd.DataFrame, axis: str
) -> np.ndarray:
    """Return t or z of each point, (N,) int64; the image's only one where the points lack it."""
    if axis in points:
        return np.rint(_place(points, axis)).astype(np.int64)
    for i in np.unique(of):
        image = images[i]
        if image.length(axis.upper()) > 1 and (axis == "t" or image.depth.method == "slices"):
            raise InputError(
                f"the points have no column '{axis}' but image '{image.name}' has "
                f"{image.length(axis.upper())} {'time points' if axis == 't' else 'planes'}: add "
                "the column, counted from 0"
            )
    fixed = np.array([0 if axis == "t" else image.planes[0] for image in images])
    return fixed[of]


def _sizes(images: Sequence[ImageSource], settings: Points) -> np.ndarray:
    """Side of the windows of each image, in its pixels."""
    if settings.unit == "pixel":
        return np.full(len(images), settings.size)
    return np.array([settings.size / image.micrometres for image in images])


def _labelled(further: pd.DataFrame) -> pd.DataFrame:
    """Whole numbers stay the column ``label``; anything else becomes the column ``class``."""
    if "label" not in further:
        return further
    label = further["label"]
    if label.dtype.kind in "biuf" and (label.dropna() % 1 == 0).all():
        return further.assign(label=label.astype("Int64"))
    if "class" in further:
        raise InputError(
            "the points have both a column 'class' and a column 'label' that holds names: rename "
            "one of them"
        )
    return further.rename(columns={"label": "class"})


def _check_inside(images: Sequence[ImageSource], of: np.ndarray, table: pd.DataFrame) -> None:
    """Check that points lie on pixels of a plane of their image."""
    outside = np.zeros(len(table), bool)
    for axis in ("t", "z", "y", "x"):
        length = np.array([image.length(axis.upper()) for image in images])[of]
        if axis == "z":
            projected = np.array([image.depth.method in ("max", "mean") for image in images])
            length = np.where(projected[of], np.iinfo(np.int64).max, length)
        values = table[axis].to_numpy()
        outside |= (values < -0.5) | (values >= length - 0.5)
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        first, image = table.iloc[row], images[of[row]]
        height, width = image.height_width
        raise InputError(
            f"{outside.sum()} of {len(table)} points lie outside of their image, the first is "
            f"point {row + 1} at t {first['t']}, z {first['z']}, y {first['y']:g}, x "
            f"{first['x']:g} in '{image.name}' of {image.length('T')} time points, "
            f"{image.length('Z')} planes, {height} x {width} pixels: places must be in pixels"
        )


def _on_planes(images: Sequence[ImageSource], of: np.ndarray, table: pd.DataFrame) -> np.ndarray:
    """Which points lie on planes that patches are cut from, (N,) bool; sets z of projections."""
    projected = np.array([image.depth.method in ("max", "mean") for image in images])[of]
    table.loc[projected, "z"] = 0
    chosen = np.array(
        [image.depth.plane if image.depth.method == "plane" else -1 for image in images]
    )[of]
    kept = (chosen < 0) | (table["z"].to_numpy() == chosen)
    if not kept.any():
        raise InputError(
            f"none of {len(table)} points lies on the plane that was chosen: choose another plane "
            "(planes are counted from 0), or use all"
        )
    return kept
