"""Wells of a plate by the names that people and instruments give them."""

from __future__ import annotations

import re
import unicodedata

MOST_ROWS, MOST_COLUMNS = 32, 48
"""Of a plate of 1536 wells."""

_LETTERS = re.compile(r"\(?([A-Za-z]{1,2})\s*[_\-/,;:.]?\s*0*([1-9][0-9]?)\)?")
_NUMBERS = re.compile(
    r"[rR](?:ow)?[ _-]?0*([1-9][0-9]?)[ _-]?[cC](?:ol(?:umn)?)?[ _-]?0*([1-9][0-9]?)"
)
"""Such as A1, a01, A001, P24, AF48, A-01 and A/1; and r1c2, R01C02."""

_WELL = {"well", "wells", "wellid", "wellname", "wellno", "wellnumber", "wellpos", "wellposition",
         "welllabel", "wellindex"}  # fmt: skip
_ROW = {"row", "wellrow", "platerow", "rowname"}
_COLUMN = {"column", "col", "wellcolumn", "wellcol", "platecolumn", "platecol", "columnname"}


def well_place(name: object) -> tuple[int, int] | None:
    """Row and column of a well, counted from 1; None where the name is of none.

    ``A1``, ``a01``, ``A001``, ``AF48``, ``R01C01`` and ``A/1`` are written for wells of plates of
    up to 1536.
    """
    text = unicodedata.normalize("NFKC", str(name)).strip()
    if match := _NUMBERS.fullmatch(text):
        place = int(match[1]), int(match[2])
    elif match := _LETTERS.fullmatch(text):
        place = _row(match[1]), int(match[2])
    else:
        return None
    return place if place[0] <= MOST_ROWS and place[1] <= MOST_COLUMNS else None


def well_from(row: object, column: object) -> tuple[int, int] | None:
    """Row and column of a well of which both are given, a row as letters or a number."""
    letters, digits = _tidy(row), _tidy(column)
    if not digits.isdecimal() or not 1 <= int(digits) <= MOST_COLUMNS:
        return None
    if letters.isdecimal():
        number = int(letters)
    elif re.fullmatch("[A-Za-z]{1,2}", letters):
        number = _row(letters)
    else:
        return None
    return (number, int(digits)) if 1 <= number <= MOST_ROWS else None


def is_about_wells(column: object) -> bool:
    """Whether a column is about wells by its name, such as well, Well ID or Metadata_Well."""
    return _word(column) in _WELL


def is_about_rows(column: object) -> bool:
    """Whether a column is about rows of a plate by its name."""
    return _word(column) in _ROW


def is_about_columns(column: object) -> bool:
    """Whether a column is about columns of a plate by its name."""
    return _word(column) in _COLUMN


def _row(letters: str) -> int:
    row = 0
    for letter in letters.upper():
        row = 26 * row + ord(letter) - ord("A") + 1
    return row


def _tidy(value: object) -> str:
    """Text of a letter or whole number; 2.0 as 2."""
    return re.sub(r"^[rRcC]?0*(?=\d)", "", str(value).strip()).removesuffix(".0")


def _word(column: object) -> str:
    return re.sub(r"[^a-z]", "", str(column).casefold()).removeprefix("metadata")
