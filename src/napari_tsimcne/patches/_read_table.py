"""Tables that people bring: CSV files as spreadsheets, other programs and people write them."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import is_about_wells, shown, tidy

Report = Callable[[str], None]
"""Gets a sentence on what was found or assumed."""

MISSING = frozenset(
    ["", "NA", "N/A", "n/a", "#N/A", "#NA", "#NV", "NaN", "nan", "NULL", "null", "<NA>"]
)
"""What stands for a missing value; not "None", which is a common name of a treatment."""

SEPARATORS = "\t;|,"
"""The likeliest first where several fit: commas stand in numbers and texts more often."""

_HEAD = 200
"""Rows by which the separator is told."""

# Up to 18 digits: they fit int64. No leading zeros: these are names, such as well 01.
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_LONG = re.compile(r"[+-]?[0-9]{19,}")
_NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_COMMA = re.compile(r"[+-]?((0|[1-9][0-9]*)(,[0-9]*)?|,[0-9]+)([eE][+-]?[0-9]+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}([.,][0-9]{3})+")
"""Numbers in which a comma or a dot may set thousands apart."""
_WITH_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}([.,][0-9]{3})*|0")
_LIKE_NUMBERS = re.compile(r"[+-]?[0-9]{1,3}([., ']?[0-9]{3})*([.,][0-9]*)?")
_PADDED = re.compile(r"0[0-9]+")

_IMAGES = {"image", "file", "filename", "well", "y", "x"}
_KNOWN = {*_IMAGES, "plate", "t", "z", "label", "axis-0"}
"""Names that columns often have, which tell a header and its separator."""


def silent(_text: str) -> None:
    """Report nothing."""


def read_table(path: Path, report: Report = silent) -> pd.DataFrame:
    """Read a CSV file with a line of column names.

    Columns are separated by commas, semicolons, tabs or ``|``, or as a first line ``sep=;`` says;
    by spaces where the column names hold none of these, as R's ``write.table`` writes them.
    Lines that begin with ``#`` before the column names are passed over, and so are empty lines
    and columns. The text is UTF-8, UTF-16 as Excel's *Unicode text*, or else taken as Windows-1252,
    which is reported.

    Spaces around values and names of columns, what cannot be seen, and the form of letters
    (composed or not) make no difference. A column becomes int64 (Int64 where values are missing)
    or float64 where all its values are numbers without leading zeros, and stays text otherwise:
    well 01 stays 01. Decimal commas are read where they can be nothing else; ``1,234`` may be two
    numbers, and stays text.

    Parameters
    ----------
    path
        Of the file.
    report
        Called with a sentence on what was assumed or left out.

    Raises
    ------
    InputError
        Where the file cannot be read, has no rows, rows longer than its column names, or two
        columns of one name.
    """
    where = f"the file {shown(path)}"
    text = _text(path, where, report)
    names, rows = _split(text, where)
    columns = _named_columns(names, rows, where, report)
    table = pd.DataFrame(_typed(columns, report))
    if table.empty:
        raise InputError(f"{where} has no rows below its column names")
    return table


# --- text -----------------------------------------------------------------------------------------


def _text(path: Path, where: str, report: Report) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{where} cannot be read ({error.strerror or error}): it must be a CSV file"
        ) from error
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise InputError(
            f"{where} cannot be read: it is a workbook of Excel or another spreadsheet; save the "
            "sheet as CSV UTF-8"
        )
    try:
        text = _decoded(content, report)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where} cannot be read (its letters are in an unknown encoding): save it as CSV UTF-8"
        ) from error
    if "\0" in text:
        raise InputError(f"{where} cannot be read (it is no text): it must be a CSV file")
    return text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")


def _decoded(content: bytes, report: Report) -> str:
    # Excel marks its UTF-8 and its Unicode text by a byte order mark.
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    if content[1:2] == b"\0" and content.count(b"\0") > len(content) // 4:
        return content.decode("utf-16-le")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = content.decode("cp1252")
        line = content.count(b"\n", 0, error.start)
        report(
            "the letters are not in UTF-8 and were read as Windows-1252 (Western Europe): line "
            f"{line + 1} is '{text.splitlines()[line][:60]}'; if that is wrong, save the table as "
            "CSV UTF-8"
        )
        return text


# --- rows -----------------------------------------------------------------------------------------


def _split(text: str, where: str) -> tuple[list[str], list[list[str]]]:
    """Return column names and rows, all as long as these."""
    lines = text.split("\n")
    first = 0
    while first < len(lines) and not lines[first].strip():
        first += 1
    given = re.fullmatch(r'"?sep=(.)"?[;,\t ]*', lines[first] if lines[first:] else "", re.I)
    first += given is not None
    while first < len(lines) and (not lines[first].strip() or _is_comment(lines[first:])):
        first += 1
    lines = lines[first:]
    if not lines:
        raise InputError(f"{where} cannot be read (it is empty): it must be a CSV file")
    if lines[0].lstrip('# "').strip() and lines[0].startswith("#"):
        lines[0] = lines[0].lstrip("# ")
    separator = given[1] if given else _separator(lines)
    records, numbers = _records(lines, separator, where)
    header = [tidy(re.sub(r"\s+", " ", name)) for name in records[0]]
    width = max((i + 1 for i, name in enumerate(header) if name), default=0)
    rows = [row for row in records[1:] if any(value.strip() for value in row)]
    numbers = [
        number for row, number in zip(records[1:], numbers[1:], strict=True)
        if any(value.strip() for value in row)
    ]  # fmt: skip
    if _has_row_names(separator, header, rows):
        header, width = ["", *header], width + 1
    long = [i for i, row in enumerate(rows) if any(map(str.strip, row[len(header) :]))]
    if long:
        row, number = rows[long[0]], numbers[long[0]] + first
        hint = (
            "separate columns by ; or tab where numbers have decimal commas"
            if separator == "," and width > 1 and len(long) > len(rows) // 2
            else f"quote values that hold '{separator}', and mark lines above the names by #"
        )
        raise InputError(
            f"{where} has rows with more values than there are column names: line {number} has "
            f"{len(row)}, and {width or len(header)} columns have names; {hint}"
        )
    length = len(header)
    return header, [[*row, *[""] * (length - len(row))][:length] for row in rows]


def _is_comment(lines: Sequence[str]) -> bool:
    """Whether the first line is a comment, not column names behind a # as NumPy writes them."""
    if not lines[0].lstrip('"').startswith("#"):
        return False
    following = next((line for line in lines[1:] if line.strip()), "#")
    if following.lstrip('"').startswith("#"):
        return True
    return not _has_names(lines[0]) or _has_names(following)


def _has_names(line: str) -> bool:
    names = re.split(rf"[{SEPARATORS}]", line.lstrip('"# '))
    return len(names) > 1 and any(tidy(name).strip('"').casefold() in _IMAGES for name in names)


def _is_known(name: str) -> bool:
    text = tidy(name).strip('"').casefold()
    return text in _KNOWN or is_about_wells(text)


def _separator(lines: Sequence[str]) -> str:
    """Return what separates columns: counted are fields, not characters.

    Spaces, which stand in names and texts, only where the column names hold nothing else.
    """
    found = max(SEPARATORS, key=lambda one: _rank_of(one, lines))
    several, share, *_ = _rank_of(" ", lines)
    return " " if several and share == 1 and not _rank_of(found, lines)[0] else found


def _rank_of(separator: str, lines: Sequence[str]) -> tuple[bool, float, bool, float]:
    head = [
        row for row in islice(csv.reader(_with_ends(lines), delimiter=separator,
                                         skipinitialspace=True), _HEAD)
        if any(value.strip() for value in row)
    ]  # fmt: skip
    names, rows = head[0], head[1:]
    width = max((i + 1 for i, name in enumerate(names) if name.strip()), default=0)
    named = len(names) + _has_row_names(separator, names, rows)
    fitting = [len(row) > 1 and not any(map(str.strip, row[named:])) for row in rows]
    share = sum(fitting) / len(rows) if rows else 1.0
    split = sum(len(row) > 1 for row in rows) / max(1, len(rows))
    return width > 1, round(share, 3), any(map(_is_known, names)), split


def _has_row_names(separator: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a first column has no name, as of row names that R's ``write.table`` writes.

    Where commas separate, one value more may be a decimal comma.
    """
    return separator != "," and bool(rows) and all(len(row) == len(names) + 1 for row in rows)


def _with_ends(lines: Sequence[str]) -> list[str]:
    return [f"{line}\n" for line in lines[: 10 * _HEAD]]


def _records(lines: Sequence[str], separator: str, where: str) -> tuple[list[list[str]], list[int]]:
    """Return what the lines hold, and the number of the last line of each."""
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=separator, skipinitialspace=True)
    records, numbers = [], []
    try:
        for row in reader:
            records.append(row)
            numbers.append(reader.line_num)
    except csv.Error as error:
        raise InputError(
            f"{where} cannot be read (line {reader.line_num}: {error}): it must be a CSV file"
        ) from error
    if any(value.count("\n") > 20 for value in records[-1]):
        raise InputError(f"{where} cannot be read: a quotation mark is opened and never closed")
    return records, numbers


# --- columns --------------------------------------------------------------------------------------


def _named_columns(
    names: Sequence[str], rows: Sequence[Sequence[str]], where: str, report: Report
) -> dict[str, list[str | None]]:
    """Return columns by their names: values that can be seen, None where they are missing."""
    columns: dict[str, list[str | None]] = {}
    places: dict[str, int] = {}
    replaced: dict[str, set[str]] = {}
    for place, name in enumerate(names):
        values = [_value(row[place]) for row in rows]
        words = {value for value in values if value in MISSING and value}
        known: list[str | None] = [None if value in MISSING else value for value in values]
        if not name or re.fullmatch(r"Unnamed: \d+", name):
            # The numbers of rows that pandas and R write in front.
            counted = place == 0 and values in (_counted(len(rows), 0), _counted(len(rows), 1))
            if counted or all(value is None for value in known):
                continue
            name = f"column {place + 1}"
            report(f"column {place + 1} has no name: it is called '{name}'")
        if name in columns:
            raise InputError(
                f"{where} has the column '{name}' twice (columns {places[name] + 1} and "
                f"{place + 1}): rename one of them, or leave it out"
            )
        columns[name], places[name] = known, place
        if words:
            replaced[name] = words
    for name, words in replaced.items():
        listed = " and ".join(f"'{word}'" for word in sorted(words))
        report(f"{listed} in {name} was taken as missing")
    return columns


def _counted(count: int, first: int) -> list[str]:
    return [str(number) for number in range(first, first + count)]


def _value(text: str) -> str:
    value = tidy(text)
    # How spreadsheets are kept from taking 01 as a number.
    quoted = re.fullmatch(r'="(.*)"', value)
    return tidy(quoted[1]) if quoted else value


def _typed(columns: dict[str, list[str | None]], report: Report) -> dict[str, pd.Series]:
    """Make numbers of columns that hold nothing else."""
    commas = _decimal_commas(columns)
    typed = {}
    for name, values in columns.items():
        column = pd.Series(values, dtype="str")
        known = [value.replace("\u2212", "-") for value in values if value is not None]
        unclear = ""
        with_comma = [value for value in known if "," in value]
        if with_comma and _all(_COMMA, known):
            if commas:
                typed[name] = numbers_of(column.str.replace(",", ".", regex=False))
                sample = with_comma[0]
                report(f"{name} has decimal commas: {sample} is {sample.replace(',', '.')}")
                continue
            unclear = with_comma[0]
        elif commas and _all(_WITH_THOUSANDS, known):
            unclear = next((value for value in known if "." in value), "")
        if unclear:
            report(_unclear(name, unclear))
            typed[name] = column
            continue
        typed[name] = numbers_of(column)
        if typed[name].dtype.kind not in "iuf":
            _report_text(name, values, report)
    return typed


def _decimal_commas(columns: dict[str, list[str | None]]) -> bool:
    """Whether numbers have decimal commas: where one can be nothing else, all are."""
    for values in columns.values():
        known = [value for value in values if value is not None]
        if (
            any("," in value for value in known)
            and _all(_COMMA, known)
            and any("," in value and not _THOUSANDS.fullmatch(value) for value in known)
        ):
            return True
    return False


def _unclear(name: str, sample: str) -> str:
    mark = "." if "." in sample else ","
    small, large = sample.replace(mark, "."), re.sub("[.,]", "", sample)
    return (
        f"{name} stays text: {sample} may be {small} or {large}; write numbers with a decimal "
        "point, and without marks for thousands"
    )


def _all(pattern: re.Pattern[str], values: Sequence[str]) -> bool:
    return all(pattern.fullmatch(value) for value in values)


def numbers_of(column: pd.Series) -> pd.Series:
    """Return a column of text as whole numbers or floats where all its values are written so."""
    plain = column.str.replace("\u2212", "-", regex=False)
    column_of_whole = whole_numbers(plain)
    if column_of_whole.dtype.kind in "iu":
        return column_of_whole
    known = plain.dropna().tolist()
    # Long numbers are names, of which floats would make others; no value is too large for one.
    if not _all(_NUMBER, known) or any(map(_LONG.fullmatch, known)):
        return column
    numbers = plain.astype(float)
    return numbers if np.isfinite(numbers.dropna()).all() else column


def whole_numbers(column: pd.Series) -> pd.Series:
    """Return a column of text as whole numbers where all its values are written so."""
    known = column.dropna()
    if not _all(_WHOLE, known.tolist()):
        return column
    # By way of Int64, as floats do not hold all whole numbers.
    numbers = column.astype("string").astype("Int64")
    return numbers if len(known) < len(column) else numbers.astype("int64")


# --- reports --------------------------------------------------------------------------------------


def _report_text(name: str, values: Sequence[str | None], report: Report) -> None:
    """Report which value keeps a column, mostly of numbers, from being one."""
    known = [(row, value) for row, value in enumerate(values) if value is not None]
    odd = [(row, value) for row, value in known if not _NUMBER.fullmatch(value)]
    unlike = [1 for _, value in odd if not _LIKE_NUMBERS.fullmatch(value)]
    if not odd or 2 * len(unlike) > len(known) or _all(_PADDED, [value for _, value in odd]):
        return
    row, value = odd[0]
    more = f", nor are {len(odd) - 1:,} more" if len(odd) > 1 else ""
    report(f"{name} is text, not numbers: '{value}' in row {row + 1} is none{more}")
