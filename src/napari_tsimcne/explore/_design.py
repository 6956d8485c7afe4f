"""The design of an experiment, as far as columns tell: plates, wells, and what lies in what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd

BLOCKS = (
    "plate", "batch", "experiment", "run", "session", "slide", "screen", "round", "block", "date",
    "day",
)  # fmt: skip
"""Words in the name of a column that tells apart what was done together, the likeliest first."""

UNITS = (
    "well", "donor", "animal", "mouse", "patient", "subject", "specimen", "sample", "culture",
    "dish", "replicate",
)  # fmt: skip
"""Words in the name of a column that tells apart what was treated as a whole."""

INSIDE_WELLS = ("image", "field", "fov", "site", "position", "scene", "series", "frame", "time",
                "t", "channel", "file", "path", "name", "label", "mask")  # fmt: skip
"""Words in the name of a column that tells apart what may be of one well."""

NUMBERS_OF_PATCHES = ("patch", "t", "z", "y", "x", "size", "label")
MOST_PLATES = 1000
JOIN = ", "

PLURALS = {"mouse": "mice", "batch": "batches", "dish": "dishes"}


def word_of(name: str, words: Sequence[str]) -> str | None:
    """Return the first of some words that the name of a column holds; None where none is.

    ``Metadata_Plate``, ``plateID`` and ``Plates`` hold ``plate``; ``prune`` does not hold ``run``.
    """
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).casefold()
    parts = re.findall(r"[^\W\d_]+", apart)
    for word in words:
        if any(part in (word, f"{word}s") or (len(word) > 3 and part.startswith(word))
               for part in parts):  # fmt: skip
            return word
    return None


def plural(word: str) -> str:
    """Return the plural of one of `BLOCKS` or `UNITS`."""
    return PLURALS.get(word, f"{word}s")


def nested(fine: np.ndarray, coarse: np.ndarray) -> bool:
    """Tell whether all of each group of ``fine`` lies in one of ``coarse``; (N,) codes, -1: none.

    What has no value in one of both is passed over.
    """
    known = (fine >= 0) & (coarse >= 0)
    pairs = np.unique(np.stack([fine[known], coarse[known]]), axis=1)
    return pairs.shape[1] == len(np.unique(pairs[0]))


def combined(*codes: np.ndarray) -> np.ndarray:
    """Return codes (N,) of the combinations of several; -1 where one of them is missing."""
    rows = np.stack(codes, axis=1)
    known = (rows >= 0).all(axis=1)
    found = np.full(len(rows), -1, np.int64)
    if known.any():
        found[known] = np.unique(rows[known], axis=0, return_inverse=True)[1].ravel()
    return found


def codes_of(values: pd.Series) -> np.ndarray:
    """Return a code of each value, (N,) int64; -1 where it is missing."""
    return pd.factorize(values)[0].astype(np.int64)


Replicate: TypeAlias = pd.Series | pd.DataFrame | Sequence[pd.Series] | None
"""What tells replicates apart: a column, or several, each combination being one; or nothing."""


def joined(columns: Replicate) -> pd.Series | None:
    """Return several columns as one, (N,) categories: a value for each combination; None of none.

    A combination of which a part is missing is missing. One column is returned as it is.
    """
    if columns is None or isinstance(columns, pd.Series):
        return columns
    parts = [columns[name] for name in columns] if isinstance(columns, pd.DataFrame) else [*columns]
    if len(parts) == 1:
        return parts[0]
    codes = combined(*(codes_of(part) for part in parts))
    _, first = np.unique(codes, return_index=True)
    rows = first[codes[first] >= 0]
    values = list(zip(*(part.iloc[rows].tolist() for part in parts), strict=True))
    names = [JOIN.join(map(str, value)) for value in values]
    if len(set(names)) < len(names):
        names = [repr(value) for value in values]
    name = JOIN.join(str(part.name) for part in parts)
    order = np.argsort(np.array(names, object), kind="stable")
    rank = np.empty(len(names) + 1, np.int64)
    rank[order], rank[-1] = np.arange(len(names)), -1
    found = pd.Categorical.from_codes(rank[codes], [names[i] for i in order])
    return pd.Series(found, index=parts[0].index, name=name)


def splitting(table: pd.DataFrame, names: Sequence[str], within: Sequence[str]) -> list[str]:
    """Find plate-like columns under whose values groups of one name occur several times.

    Parameters
    ----------
    table
        Patch table.
    names
        Columns that tell groups apart, such as the well.
    within
        Columns, such as the condition, whose values tell groups of one name apart already.

    Returns
    -------
    Names of columns, by name a plate, batch, experiment and so on; where ``names`` are of wells,
    also of other columns that are the same all over each image. Wells of one name on several of
    them may be different wells.
    """
    units = combined(*(codes_of(table[name]) for name in (*names, *within)))
    wells = any(word_of(name, ("well",)) for name in names)
    count, found = len(np.unique(units)), []
    for name in map(str, table.columns):
        if name in (*names, *within, *NUMBERS_OF_PATCHES) or word_of(name, INSIDE_WELLS):
            continue
        named = word_of(name, BLOCKS) is not None
        column = table[name]
        few = column.nunique() <= MOST_PLATES
        if not few or not (named or (wells and _of_images(table, column))):
            continue
        if len(np.unique(combined(units, codes_of(column)))) > count:
            found.append(name)
    ranks = [word_of(name, BLOCKS) for name in found]
    order = sorted(range(len(found)), key=lambda i: BLOCKS.index(w) if (w := ranks[i]) else 99)
    return [found[i] for i in order]


def _of_images(table: pd.DataFrame, column: pd.Series) -> bool:
    """Tell whether a column has one value all over each image, and fewer values than images."""
    if "image" not in table:
        return False
    images, codes = codes_of(table["image"]), codes_of(column)
    return nested(images, codes) and not nested(codes, images)
