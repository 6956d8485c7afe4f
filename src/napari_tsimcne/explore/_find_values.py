"""What expressions over columns are about: numbers, yes and no, texts; how they are compared."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore._classes import distinct_texts, is_text, is_truth, numbers

Compare = Callable[[np.ndarray, np.ndarray], np.ndarray]

SHORT = 60
"""Characters of what is cited in messages."""

TURNED: dict[Compare, Compare] = {
    operator.eq: operator.eq, operator.ne: operator.ne, operator.lt: operator.gt,
    operator.le: operator.ge, operator.gt: operator.lt, operator.ge: operator.le,
}  # fmt: skip
"""Which comparison says the same with its sides exchanged."""


class Numbers(NamedTuple):
    """Numbers, (N,) or () float64, NaN where missing; ``what`` they are, for messages."""

    values: np.ndarray
    what: str


class Truths(NamedTuple):
    """Yes and no as 1 and 0, (N,) or () float64, NaN where missing."""

    values: np.ndarray
    what: str = "a comparison"

    @property
    def mask(self) -> np.ndarray:
        """Where it is yes, and not missing."""
        return self.values == 1


class Texts(NamedTuple):
    """Some texts, and the place of each value among them, (N,) or (), -1 where missing."""

    codes: np.ndarray
    texts: list[str]
    what: str

    def where(self, test: Callable[[str], bool]) -> np.ndarray:
        """Tell where texts pass a test; missing ones do not."""
        return np.array([*(test(text) for text in self.texts), False], bool)[self.codes]


Value = Numbers | Truths | Texts


def of_column(column: pd.Series, what: str) -> Value:
    """Return the values of a column."""
    if is_truth(column):
        return Truths(numbers(column), what)
    if is_text(column):
        return Texts(*distinct_texts(column), what)
    return Numbers(numbers(column), what)


def of_constant(value: object) -> Value:
    """Return a value that stands in an expression.

    Raises
    ------
    InputError
        Where it is neither a number, a text, nor True or False.
    """
    match value:
        case bool():
            return Truths(np.array(float(value)), str(value))
        case str():
            return Texts(np.array(0), [value], f"the text '{short(value)}'")
        case int() | float():
            # Floats overflow, where whole numbers would grow without end.
            number = float(value) if abs(value) < sys.float_info.max else np.inf
            return Numbers(np.array(number), f"{number:g}")
    raise InputError(f"'{short(repr(value))}' is neither a number nor a text in quotes")


def of_mask(mask: np.ndarray) -> Truths:
    """Return what a comparison has found."""
    return Truths(np.asarray(mask, np.float64))


def compared(left: Value, compare: Compare, right: Value) -> np.ndarray:
    """Compare values by one of the functions in `TURNED`.

    A missing value differs from everything, and is neither more nor less.

    Raises
    ------
    InputError
        Where one side is text and the other not.
    """
    if isinstance(left, Texts) and isinstance(right, Texts):
        return _compared_texts(left, compare, right)
    if isinstance(left, Texts) or isinstance(right, Texts):
        raise InputError(_of_two_kinds(left, right))
    return compare(left.values, right.values)


def _compared_texts(left: Texts, compare: Compare, right: Texts) -> np.ndarray:
    if right.codes.ndim == 0:
        return _compared_with_one(left, compare, right.texts[0])
    if left.codes.ndim == 0:
        return _compared_with_one(right, TURNED[compare], left.texts[0])
    # Row by row, by their places among all texts.
    order = {text: i for i, text in enumerate(sorted({*left.texts, *right.texts}))}
    places = [np.array([*(order[text] for text in v.texts), -1])[v.codes] for v in (left, right)]
    known = (left.codes >= 0) & (right.codes >= 0)
    return np.where(known, compare(*places), compare is operator.ne)


def _compared_with_one(texts: Texts, compare: Compare, other: str) -> np.ndarray:
    found = texts.where(lambda text: bool(compare(text, other)))  # type: ignore[arg-type]
    return found | (texts.codes < 0) if compare is operator.ne else found


def _of_two_kinds(left: Value, right: Value) -> str:
    text, other = (left, right) if isinstance(left, Texts) else (right, left)
    assert isinstance(text, Texts)
    if text.codes.ndim == 0:
        return f"{other.what} is no text and cannot be compared with {text.what}: leave out quotes"
    return f"{text.what} is text and cannot be compared with {other.what}: put texts in quotes"


def short(text: str) -> str:
    """Cut a text for a message."""
    return text if len(text) <= SHORT else f"{text[: SHORT - 1]}…"
