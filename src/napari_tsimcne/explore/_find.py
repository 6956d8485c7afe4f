"""Finding patches by what is known of them: expressions over the columns of a table.

Expressions look like those of pandas, but are never run as code: Python's parser reads them, and
what it returns is followed node by node, as far as a node is among the few that are known here.
"""

from __future__ import annotations

import ast
import operator
import re
import unicodedata
import warnings
from collections.abc import Callable
from difflib import get_close_matches
from functools import reduce
from keyword import iskeyword

import numpy as np
import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore._classes import distinct_texts, is_text
from napari_tsimcne.explore._find_values import (
    Compare,
    Numbers,
    Texts,
    Truths,
    Value,
    compared,
    of_column,
    of_constant,
    of_mask,
    short,
)

LONGEST = 1000
"""Characters of an expression."""

EXAMPLE = "area > 200 and treatment == 'drug A'"

METHODS = (
    ".str.contains('x'), .str.startswith('x'), .str.endswith('x'), .str.lower(), .str.upper(), "
    ".isna() and .notna()"
)

_OPERATORS = re.compile(r"[<>=!&|~()\[\]'\"`]|\b(and|or|not|in)\b")
"""What makes an expression of a text; arithmetic alone does not, as names hold - and . too."""

_QUOTED_OR_IN_BACKTICKS = re.compile(r"('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|`([^`]*)`")

_COMPARISONS: dict[type[ast.cmpop], Compare] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide,
    ast.FloorDiv: np.floor_divide, ast.Mod: np.mod, ast.Pow: np.power,
}  # fmt: skip
_JOINS: dict[type[ast.boolop | ast.operator], tuple[str, Callable[..., np.ndarray]]] = {
    ast.And: ("and", np.logical_and), ast.Or: ("or", np.logical_or),
    ast.BitAnd: ("&", np.logical_and), ast.BitOr: ("|", np.logical_or),
}  # fmt: skip
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "contains": str.__contains__, "startswith": str.startswith, "endswith": str.endswith,
}  # fmt: skip
_CASES: dict[str, Callable[[str], str]] = {"lower": str.lower, "upper": str.upper}


def find(columns: pd.DataFrame, text: str) -> np.ndarray:
    """Return a mask (N,) of the rows that an expression is true of.

    An expression compares columns by ``== != < <= > >= in``, joined by ``and``, ``or``, ``not``
    and brackets, as in ``treatment == 'drug A' and area > 200``. Numbers can be reckoned with;
    texts have ``.str.contains('x')``, which takes its text literally, ``.str.startswith('x')``,
    ``.str.endswith('x')``, ``.str.lower()`` and ``.str.upper()``, columns ``.isna()`` and
    ``.notna()``. A name that is no Python name stands in backticks. A missing value equals
    nothing, is not greater or less than anything, and contains no text.

    A text without comparison, alone or in quotes, finds the rows that hold it in any column of
    text, be the letters large or small.

    Parameters
    ----------
    columns
        N rows, as by `Exploration.columns`.
    text
        Up to 1,000 characters.

    Raises
    ------
    InputError
        Where the text cannot be understood: an unknown column, values of different kinds,
        anything that is not named above.
    """
    text = text.strip()
    if not text:
        raise InputError(f"there is nothing to find: write an expression, as in {EXAMPLE}")
    if len(text) > LONGEST:
        raise InputError(f"the expression has more than {LONGEST:,} characters: shorten it")
    if not _OPERATORS.search(text) and text not in columns:
        return _find_text(columns, text)
    reader = _Reader(columns)
    value = reader.column(text) if text in columns else reader.read(text)
    if isinstance(value, Truths):
        return np.broadcast_to(value.mask, len(columns)).copy()
    if isinstance(value, Texts) and value.codes.ndim == 0:
        return _find_text(columns, value.texts[0])
    raise InputError(f"{value.what} is compared with nothing: write more, as in {EXAMPLE}")


def written(name: str) -> str:
    """Write a column's name as it stands in an expression: in backticks unless a Python name."""
    return name if name.isidentifier() and not iskeyword(name) else f"`{name}`"


def _find_text(columns: pd.DataFrame, text: str) -> np.ndarray:
    if _is_number(text):
        raise InputError(f"{text} is compared with nothing: name a column, as in area > {text}")
    part = text.casefold()
    found = np.zeros(len(columns), bool)
    for name in columns:
        if is_text(columns[name]):
            texts = Texts(*distinct_texts(columns[name]), what=name)
            found |= texts.where(lambda value: part in value.casefold())
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class _Reader:
    """Follows an expression over columns to its values."""

    def __init__(self, columns: pd.DataFrame) -> None:
        self._columns = columns
        # Python's parser normalizes names: µ is not the letter it was.
        self._names = {unicodedata.normalize("NFKC", str(name)): str(name) for name in columns}
        self._placeholders: dict[str, str] = {}

    def read(self, text: str) -> Value:
        """Return the values of an expression."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                tree = ast.parse(self._without_backticks(text), mode="eval")
            with np.errstate(all="ignore"):
                return self._value(tree.body)
        except InputError:
            raise
        except (MemoryError, RecursionError) as error:
            raise InputError(f"'{short(text)}' is nested too deeply: shorten it") from error
        except (SyntaxError, ValueError) as error:
            raise InputError(f"'{short(text)}' cannot be read: {self._hint(text)}") from error

    def column(self, name: str) -> Value:
        """Return the values of a column."""
        return of_column(self._columns[name], f"'{name}'")

    # --- names --------------------------------------------------------------------------------

    def _known(self, name: str) -> str:
        """Return the column that is meant by a name."""
        if name in self._placeholders:
            return self._placeholders[name]
        normal = unicodedata.normalize("NFKC", name)
        if normal in self._names:
            return self._names[normal]
        folded = {known.casefold(): column for known, column in self._names.items()}
        close = get_close_matches(normal.casefold(), folded, n=3)
        if close:
            hint = f"did you mean {' or '.join(written(folded[match]) for match in close)}?"
        else:
            hint = "put it in quotes if it is a text"
        raise InputError(f"no column is called '{short(name)}': {hint}")

    def _without_backticks(self, text: str) -> str:
        """Put a Python name in the place of each name in backticks that is outside of quotes."""
        stem = "column"
        while any(name.startswith(stem) for name in self._names) or stem in text:
            stem += "x"

        def replaced(match: re.Match[str]) -> str:
            if match[1] is not None:
                return match[1]
            placeholder = f"{stem}{len(self._placeholders)}x"
            self._placeholders[placeholder] = self._known(match[2])
            return f" {placeholder} "

        return _QUOTED_OR_IN_BACKTICKS.sub(replaced, text).strip()

    def _source(self, node: ast.AST) -> str:
        """Write a node as the user would."""
        text = ast.unparse(node)
        for placeholder, name in self._placeholders.items():
            text = text.replace(placeholder, written(name))
        return short(text)

    def _hint(self, text: str) -> str:
        """Guess what keeps an expression from being read."""
        bare = _QUOTED_OR_IN_BACKTICKS.sub("", text)
        for name in self._names.values():
            if written(name) != name and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", bare):
                return f"put {name} in backticks, as {written(name)}"
        if re.search(r"(?<![=!<>])=(?!=)", bare):
            return "write == to compare"
        if "&&" in bare or "||" in bare:
            return "write 'and' or 'or'"
        return f"put texts in quotes, and names with spaces in backticks, as in {EXAMPLE}"

    # --- values -------------------------------------------------------------------------------

    def _value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=value):
                return of_constant(value)
            case ast.Name(id=name):
                return self.column(self._known(name))
            case ast.BoolOp(op=join, values=parts):
                return self._joined(join, parts)
            case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr() as join, right=right):
                return self._joined(join, [left, right])
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                sides = self._numbers(left), self._numbers(right)
                return Numbers(_ARITHMETIC[type(op)](*sides), self._source(node))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return of_mask(~self._mask(operand, "not"))
            case ast.UnaryOp(op=ast.Invert(), operand=operand):
                return of_mask(~self._mask(operand, "~"))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Numbers(-self._numbers(operand), self._source(node))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return Numbers(self._numbers(operand), self._source(node))
            case ast.Compare(left=left, ops=ops, comparators=rights):
                steps = zip([left, *rights[:-1]], ops, rights, strict=True)
                return of_mask(reduce(np.logical_and, [self._compared(*step) for step in steps]))
            case ast.Call(func=ast.Attribute() as method, args=arguments, keywords=[]):
                return self._called(method, arguments)
        raise InputError(
            f"'{self._source(node)}' cannot be used here: columns can be compared and reckoned "
            f"with, and have {METHODS}"
        )

    def _joined(self, join: ast.boolop | ast.operator, parts: list[ast.expr]) -> Truths:
        word, function = _JOINS[type(join)]
        return of_mask(reduce(function, [self._mask(part, word) for part in parts]))

    def _mask(self, node: ast.expr, word: str) -> np.ndarray:
        value = self._value(node)
        if isinstance(value, Truths):
            return value.mask
        # The signs bind closer than comparisons do.
        example = "(area > 200), in brackets" if word in "&|~" else "area > 200"
        raise InputError(
            f"{value.what} beside '{word}' is no comparison: write one, as in {example}"
        )

    def _numbers(self, node: ast.expr) -> np.ndarray:
        value = self._value(node)
        if isinstance(value, Texts):
            raise InputError(f"{value.what} is text and cannot be reckoned with: take numbers")
        return value.values

    # --- comparisons --------------------------------------------------------------------------

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> np.ndarray:
        if isinstance(op, ast.In):
            return self._is_among(left, right)
        if isinstance(op, ast.NotIn):
            return ~self._is_among(left, right)
        if type(op) in _COMPARISONS:
            return compared(self._value(left), _COMPARISONS[type(op)], self._value(right))
        raise InputError("'is' compares no values: write == or !=, or .isna() for missing ones")

    def _is_among(self, node: ast.expr, listed: ast.expr) -> np.ndarray:
        if not isinstance(listed, ast.List | ast.Tuple | ast.Set):
            raise InputError(
                "a list has to stand after 'in', as in cluster in ['a', 'b']: for a part of a "
                "text write .str.contains('a')"
            )
        value = self._value(node)
        found = [compared(value, operator.eq, self._value(item)) for item in listed.elts]
        return reduce(np.logical_or, found, np.zeros((), bool))

    # --- methods ------------------------------------------------------------------------------

    def _called(self, method: ast.Attribute, arguments: list[ast.expr]) -> Value:
        match method, arguments:
            case ast.Attribute(value=ast.Name(id=name), attr="isna" | "notna" as attr), []:
                missing = self._columns[self._known(name)].isna().to_numpy(dtype=bool)
                return of_mask(missing if attr == "isna" else ~missing)
            case ast.Attribute(value=ast.Attribute(value=inner, attr="str"), attr=attr), _:
                return self._called_of_text(self._value(inner), attr, arguments)
        raise InputError(f"'.{short(method.attr)}' cannot be used here: there are {METHODS}")

    def _called_of_text(self, value: Value, attr: str, arguments: list[ast.expr]) -> Value:
        if not isinstance(value, Texts):
            raise InputError(f"{value.what} is no text and has no .str: compare it, as area > 200")
        match arguments:
            case [] if attr in _CASES:
                return value._replace(texts=[_CASES[attr](text) for text in value.texts])
            case [ast.Constant(value=str(part))] if attr in _TESTS:
                return of_mask(value.where(lambda text: _TESTS[attr](text, part)))
        if attr in _TESTS:
            raise InputError(f".str.{attr} takes one text in quotes, as in .str.{attr}('well A')")
        raise InputError(f"'.str.{short(attr)}' cannot be used here: there are {METHODS}")
