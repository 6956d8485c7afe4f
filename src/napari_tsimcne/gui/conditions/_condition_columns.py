"""Which columns of a patch table say what of an experiment, as far as it can be guessed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from pandas.api import types

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import BLOCKS, groupings, plate_of, word_of

CONDITIONS = (
    "treatment", "condition", "drug", "compound", "perturbation", "genotype", "phenotype", "group",
    "control", "class", "day", "time",
)  # fmt: skip
REPLICATES = ("replicate", "well", "donor", "animal", "mouse", "patient", "sample", "image")
DOSES = ("dose", "conc", "amount")
CONTROLS = (
    "control", "controls", "ctrl", "ctl", "dmso", "vehicle", "untreated", "negative", "neg", "mock",
    "pbs", "water", "blank", "wildtype", "wild", "wt", "none",
)  # fmt: skip
"""Words in the name of a control, the likeliest first."""

POSITIVE = ("pos", "positive")
"""Words of the other kind of control."""

OWNERS = ("donor", "animal", "mouse", "patient", "subject")
"""Words of what several samples may be of."""

PLACES = ("patch", "t", "z", "y", "x", "size", "label")
FEWEST_DOSES = 3
MOST_WELLS = 1536


class Columns(NamedTuple):
    """Names of columns by what they may say, the likeliest first.

    ``conditions`` group patches, ``replicates`` may tell replicates of a condition apart, ``wells``
    name wells of a plate in every value, ``doses`` are numbers that are the same all over each
    image. ``plate`` tells plates apart by its name; None where no column does. ``blocks`` tell
    apart, by their names, what was done together.
    """

    conditions: list[str]
    replicates: list[str]
    wells: list[str]
    plate: str | None
    doses: list[str]
    blocks: list[str]

    @classmethod
    def of(cls, table: pd.DataFrame) -> Columns:
        """Guess them of a patch table."""
        grouping = groupings(table)
        return cls(
            _likeliest_first(grouping, CONDITIONS),
            _likeliest_first(grouping, REPLICATES),
            [name for name in grouping if _names_wells(table[name])],
            next((name for name in grouping if "plate" in name.casefold()), None),
            _likeliest_first(_doses(table), DOSES),
            [name for name in grouping if word_of(name, (*BLOCKS, *OWNERS)) is not None],
        )

    def replicate_of(self, condition: str) -> str | None:
        """Return the column that tells replicates of a condition apart by its name, if any."""
        others = (name for name in self.replicates if name != condition)
        return next((name for name in others if _rank(name, REPLICATES)), None)

    @property
    def dose(self) -> str | None:
        """The column of doses by its name, if there is one."""
        return next((name for name in self.doses if _rank(name, DOSES)), None)


def likely_control(values: Sequence[str]) -> str | None:
    """Return the value of a condition that is the control by a word of it; None if none is."""
    words = {value: _words(value) for value in values}
    by_word = (
        value for word in CONTROLS for value in values
        if word in words[value] and not words[value].intersection(POSITIVE)
    )  # fmt: skip
    # A negative control is often -1, or 0, also with a unit.
    by_number = (
        value for value in values if value == "-1" or re.match(r"0(\.0*)?(?![\w.])", value)
    )
    return next(by_word, next(by_number, None))


# --- inside ---------------------------------------------------------------------------------------


def _words(value: str) -> set[str]:
    """Split a text into its words, at capitals too; what begins with neg is negative."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", value).casefold()
    words = set(re.findall(r"[^\W\d_]+", apart))
    return words | ({"neg"} if any(word.startswith("neg") for word in words) else set())


def _doses(table: pd.DataFrame) -> list[str]:
    names = [
        str(name) for name in table.columns
        if name not in PLACES and types.is_numeric_dtype(table[name])
        and not types.is_bool_dtype(table[name]) and table[name].nunique() >= FEWEST_DOSES
    ]  # fmt: skip
    if not names:
        return []
    by_image = table.groupby("image", observed=True)[names]
    low, high = by_image.min(), by_image.max()
    return [
        name for name in names
        if _rank(name, DOSES) or (len(low) > 1 and low[name].equals(high[name]))
    ]  # fmt: skip


def _likeliest_first(names: list[str], words: Sequence[str]) -> list[str]:
    # `sorted` keeps the order of all others.
    return sorted(names, key=lambda name: -_rank(name, words))


def _rank(name: str, words: Sequence[str]) -> int:
    """Say how early a word of the name comes in a list; 0 where none does."""
    parts = re.split(r"[^a-z]+", name.casefold())
    ranks = [len(words) - i for i, word in enumerate(words) if any(word in p for p in parts)]
    return max(ranks, default=0)


def _names_wells(column: pd.Series) -> bool:
    names = pd.Series(column.dropna().unique())
    if not len(names) or len(names) > MOST_WELLS:
        return False
    try:
        plate_of(names)
    except InputError:
        return False
    return True
