"""The design of an experiment, as far as columns tell: plates, wells, and what lies in what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

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


def block_of(columns: Mapping[str, pd.Series]) -> str | None:
    """Return the name of the column that most likely tells plates, or batches, apart."""
    for word in BLOCKS:
        for name in columns:
            if word_of(str(name), (word,)):
                return str(name)
    return None
