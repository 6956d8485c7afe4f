"""Columns as colours are given to them: classes, or levels on a scale of numbers."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types

from napari_tsimcne.explore._cluster_table import MISSING, MOST_WHOLE_NUMBERS, UNASSIGNED
from napari_tsimcne.explore._clusters import NONE, Clusters
from napari_tsimcne.explore._colors import class_colors, gradient_colors
from napari_tsimcne.explore._design import word_of

MOST_CLASSES = 20
"""Of a column with more values, the 19 most frequent are classes, and the others are one."""

MISSING_COLOR = "#808080"
OTHER_COLOR = "#c4c4c4"
PLAIN_COLOR = "#5ca6ee"
"""Of all patches, where there is no cluster yet."""

HEAD = 1000
"""The first rows, which show of most columns already that their values differ, or are few."""

FEWEST_ORDERED = 3
"""Different numbers that have an order to show."""

DOSES = ("dose", "conc", "dilution", "level", "titer", "titre", "amount")
"""Words in the name of a column whose fractions may be levels."""

DECADES = 100
"""Times the smallest that the largest of few fractions is, where these are levels."""

NUMBERED = (
    "animal", "batch", "category", "channel", "class", "cluster", "code", "component", "control",
    "donor", "field", "fold", "fov", "group", "id", "index", "kind", "label", "leiden", "louvain",
    "mouse", "patient", "phenotype", "plate", "position", "replicate", "sample", "scene",
    "seed", "series", "site", "slide", "type", "well",
)  # fmt: skip
"""Words in the name of a column whose whole numbers stand for things, and have no order."""

LEVELS = 256
PERCENTILES = (1, 99)
"""Between which a scale runs, so that a few extreme values do not leave all others alike."""


class Classes(NamedTuple):
    """Which class each of N patches is in.

    ``codes``: (N,) int32, places in the lists of ``names`` (which all differ), ``colors``
    (``#rrggbb``) and ``keys``: what a class is known by when it is renamed.
    """

    codes: np.ndarray
    names: tuple[str, ...]
    colors: tuple[str, ...]
    keys: tuple[object, ...]


class Scale(NamedTuple):
    """How high N numbers lie between two limits.

    ``levels``: (N,) int32, 0 at and below the lower of the ``limits``, 255 at and above the
    upper, 256 where a number is missing, as ``missing`` of them are.
    """

    levels: np.ndarray
    limits: tuple[float, float]
    missing: int


# --- which columns --------------------------------------------------------------------------------


def is_constant(column: pd.Series) -> bool:
    """Tell whether a column holds one value only, or none at all."""
    return column.head(HEAD).nunique(dropna=False) < 2 and column.nunique(dropna=False) < 2


def is_truth(column: pd.Series) -> bool:
    """Tell whether a column holds yes and no."""
    if types.is_object_dtype(column.dtype):
        return types.infer_dtype(column, skipna=True) == "boolean"
    return types.is_bool_dtype(column.dtype)


def is_text(column: pd.Series) -> bool:
    """Tell whether a column holds neither numbers nor yes and no."""
    if types.is_object_dtype(column.dtype):
        return types.infer_dtype(column, skipna=True) not in ("boolean", "integer", "floating")
    return not types.is_numeric_dtype(column.dtype)


def names_each(column: pd.Series) -> bool:
    """Tell whether a column holds another text for every patch, as a name of it would be."""
    if len(column) <= MOST_CLASSES or not is_text(column):
        return False
    return column.head(HEAD).is_unique and column.is_unique


def numbers(column: pd.Series) -> np.ndarray:
    """Turn a column of numbers, or of yes and no, into (N,) float64; missing ones are NaN."""
    if types.is_object_dtype(column.dtype):
        column = pd.to_numeric(column.astype(object).where(column.notna(), np.nan))
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def distinct_texts(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Return the place of each value, (N,) int32, in a list of different texts; -1 if missing."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, values = column.cat.codes.to_numpy(), column.cat.categories
    else:
        codes, values = pd.factorize(column)
    # Values that read alike, as 1 and "1", are one.
    places: dict[str, int] = {}
    moved = [places.setdefault(_text(value), len(places)) for value in values.tolist()]
    return np.array([*moved, -1], np.int32)[codes], list(places)


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _in_order(texts: list[str], column: pd.Series) -> list[int]:
    """Return the places of texts in the order of their categories, of numbers, or of texts.

    Numbers in texts are taken as such: ``A2`` before ``A10``.
    """
    places = list(range(len(texts)))
    if isinstance(column.dtype, pd.CategoricalDtype):
        return places
    if types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype):
        return sorted(places, key=lambda i: float(texts[i]))
    return sorted(places, key=lambda i: _natural(texts[i]))


def _natural(text: str) -> list[tuple[bool, int, str]]:
    parts = re.split(r"([0-9]{1,18})", text.casefold())
    return [(not p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in parts if p]


# --- what they are coloured by --------------------------------------------------------------------


def read_column(column: pd.Series) -> Classes | Scale:
    """Make classes of a column of text, of yes and no, or of at most 12 different whole numbers.

    Of any other numbers, make a scale.
    """
    if is_text(column) or is_truth(column):
        return classes_of(column)
    values = numbers(column)
    known = values[np.isfinite(values)]
    if _few_whole(known) and not np.isinf(values).any():
        return classes_of(pd.Series(values))
    return scale_of(values)


def _few_whole(known: np.ndarray) -> bool:
    """Tell whether finite numbers are whole, and at most 12 different ones."""
    few = all(len(pd.unique(part)) <= MOST_WHOLE_NUMBERS for part in (known[:HEAD], known))
    return few and np.array_equal(known, np.round(known))


def classes_of(column: pd.Series) -> Classes:
    """Make classes of a column's values: the 19 most frequent and the others, where above 20."""
    codes, texts = distinct_texts(column)
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    kept = np.flatnonzero(counts)
    others = 0
    if len(kept) > MOST_CLASSES:
        others = len(kept) - (MOST_CLASSES - 1)
        kept = np.sort(np.argsort(-counts, kind="stable")[: MOST_CLASSES - 1])
    kept = kept[_in_order([texts[i] for i in kept], column)]
    names = [texts[i] for i in kept]
    colors = class_colors(len(kept))
    if others:
        names.append(differing(f"other ({others:,})", names))
        colors.append(OTHER_COLOR)
    # What is not kept is of the class after these; the last place is that of a missing value.
    moved = np.full(len(texts) + 1, len(kept), np.int32)
    moved[kept] = np.arange(len(kept))
    if (codes < 0).any():
        moved[-1] = len(names)
        names.append(differing(MISSING, names))
        colors.append(MISSING_COLOR)
    return Classes(moved[codes], tuple(names), tuple(colors), tuple(names))


def classes_of_clusters(clusters: Clusters) -> Classes:
    """Make classes of clusters, in their own colours, and of what is in none."""
    names = [cluster.name for cluster in clusters.all]
    colors = [cluster.color for cluster in clusters.all]
    keys = [cluster.id for cluster in clusters.all]
    codes = clusters.places()
    outside = codes < 0
    codes[outside] = len(keys)
    if outside.any():
        names.append(differing(UNASSIGNED, names))
        colors.append(MISSING_COLOR if keys else PLAIN_COLOR)
        keys.append(NONE)
    return Classes(codes, tuple(names), tuple(colors), tuple(keys))


def gradient_of(column: pd.Series) -> Classes:
    """Make classes of few different numbers, in colours of their order.

    Steps of the gradient are even, whatever lies between the numbers, so that the levels of a
    dilution series can be told apart.
    """
    values = numbers(column)
    found = classes_of(pd.Series(values))
    count = len(found.names) - int(np.isnan(values).any())
    return found._replace(colors=(*gradient_colors(count), *found.colors[count:]))


def has_kinds(column: pd.Series) -> bool:
    """Tell whether a column can be coloured as classes or as a gradient of few levels.

    These are at most 12 different numbers that are whole; or, of doses by the column's name, that
    span two powers of ten.
    """
    if is_text(column) or is_truth(column):
        return False
    values = numbers(column)
    known = values[np.isfinite(values)]
    if np.isinf(values).any() or not len(known):
        return False
    if _few_whole(known):
        return True
    dosed = word_of(str(column.name or ""), DOSES) is not None
    if not dosed or len(pd.unique(known[:HEAD])) > MOST_WHOLE_NUMBERS:
        return False
    above = known[known > 0]
    few = len(pd.unique(known)) <= MOST_WHOLE_NUMBERS
    return few and known.min() >= 0 and above.max() >= DECADES * above.min()


def is_ordered(column: pd.Series) -> bool:
    """Tell whether a column holds numbers with an order, as dose levels and time points have.

    Of whole numbers that are few, the name decides: fields, clusters and the like are only
    numbered. Two different numbers have no order to show.
    """
    if is_text(column) or is_truth(column):
        return False
    values = numbers(column)
    known = values[np.isfinite(values)]
    if not _few_whole(known) or np.isinf(values).any():
        return True
    named = word_of(str(column.name or ""), NUMBERED)
    return named is None and len(pd.unique(known)) >= FEWEST_ORDERED


def scale_of(values: np.ndarray) -> Scale:
    """Put numbers (N,) on a scale from their 1st to their 99th percentile; NaN is missing."""
    missing = np.isnan(values)
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, PERCENTILES) if len(known) else (0.0, 1.0)
    if low == high and len(known):
        low, high = known.min(), known.max()
    # Halves, as the width of a scale of very large numbers may be too large for a number.
    half = (high / 2 - low / 2) or 1.0
    height = np.clip((np.clip(values, low, high) / 2 - low / 2) / half, 0, 1)
    levels = np.where(missing, LEVELS, np.nan_to_num(height) * (LEVELS - 1) + 0.5)
    return Scale(levels.astype(np.int32), (float(low), float(high)), int(missing.sum()))


def scale_about_zero(values: np.ndarray) -> Scale:
    """Put differences (N,) on a scale with 0 in its middle, as wide as `scale_of` on one side."""
    reach = max(map(abs, scale_of(values).limits)) or 1.0
    missing = np.isnan(values)
    height = np.clip(np.clip(values, -reach, reach) / reach / 2 + 0.5, 0, 1)
    levels = np.where(missing, LEVELS, np.nan_to_num(height) * (LEVELS - 1) + 0.5)
    return Scale(levels.astype(np.int32), (-reach, reach), int(missing.sum()))


def differing(name: str, taken: Container[str]) -> str:
    """Put a name that is taken into brackets."""
    while name in taken:
        name = f"({name})"
    return name
