"""What is known of images besides their pixels: from their paths, and from CSV files."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from string import Formatter

import numpy as np
import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import NameIndex, without_series
from napari_tsimcne.patches._table import COLUMNS

IMAGE_COLUMNS = ("image", "file", "filename")
"""Columns of a CSV file that name the image a row is about, in this order of preference."""

MISSING = ("", "NA", "N/A", "#N/A", "NaN", "nan")
"""What stands for a missing value; not "None", which is a common name of a treatment."""

# Up to 18 digits: they fit int64. No leading zeros: these are names, such as well 01.
_WHOLE = r"0|-?[1-9][0-9]{0,17}"
_NUMBER = r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"


# --- paths ----------------------------------------------------------------------------------------


def path_columns(names: Sequence[str], paths: Sequence[Path | None], pattern: str) -> pd.DataFrame:
    """Read columns from the ends of paths.

    Parameters
    ----------
    names
        The images, for messages; an image without a path is matched by its name.
    paths
        Their files.
    pattern
        Such as ``{plate}/{well}_{field}.tif``: a field in braces takes as few characters as
        fit, ``*`` any number of them, neither ever a ``/``. All else is taken literally.

    Returns
    -------
    pandas.DataFrame
        A row an image: its name as ``image``, and a column a field: text, or int64 where all
        are whole numbers without leading zeros. `join_metadata` adds it to a patch table.

    Raises
    ------
    InputError
        Where the pattern is malformed, repeats a field or names one as a column of the patch
        table, or images do not match it.
    """
    fields, expression = _parse(pattern)
    rows, odd = [], []
    for name, path in zip(names, paths, strict=True):
        match = expression.search(path.as_posix() if path is not None else name)
        if match is None:
            odd.append(name)
        else:
            rows.append(match.groups())
    if odd:
        raise InputError(
            f"{len(odd)} of {len(names)} images do not end with '{pattern}': {some(odd)}; change "
            "the pattern (* takes any text within a name), or leave these images out"
        )
    columns = pd.DataFrame(rows, columns=fields, dtype="str").apply(_whole_numbers)
    columns.insert(0, "image", list(names))
    return columns


def _parse(pattern: str) -> tuple[list[str], re.Pattern[str]]:
    where = f"the pattern '{pattern}'"
    fields: list[str] = []
    expression = r"(?:^|/)"
    try:
        parts = list(Formatter().parse(pattern.replace("\\", "/").lstrip("/")))
    except ValueError as error:
        raise InputError(f"{where} is malformed ({error}): write fields as {{well}}") from error
    for text, field, form, conversion in parts:
        expression += re.escape(text).replace(r"\*", "[^/]*")
        if field is None:
            continue
        if form or conversion or not field.isidentifier():
            raise InputError(
                f"{where} has a field that is no name: write a word in braces, such as {{well}}"
            )
        if field in fields:
            raise InputError(f"{where} has the field '{field}' twice: name each field once")
        if field in COLUMNS:
            raise InputError(
                f"{where} has a field '{field}', which is a column of every patch table: "
                "name it otherwise"
            )
        fields.append(field)
        expression += "([^/]+?)"
    if not fields:
        raise InputError(f"{where} has no field: write one in braces, such as {{well}}.tif")
    return fields, re.compile(expression + "$")


# --- CSV ------------------------------------------------------------------------------------------


def read_metadata(path: Path) -> pd.DataFrame:
    """Read a CSV file, separated by commas, semicolons or tabs, with a line of column names.

    A column becomes int64 (Int64 where values are missing) or float64 where all its values are
    numbers without leading zeros, and stays text otherwise: well 01 stays 01.

    Raises
    ------
    InputError
        Where the file cannot be read or has no rows.
    """
    try:
        # Excel marks its UTF-8 by a byte order mark.
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            rows = pd.read_csv(
                file,
                sep=max(",;\t", key=head.count),
                dtype=str,
                keep_default_na=False,
                na_values=list(MISSING),
                skipinitialspace=True,
                on_bad_lines="error",
            )
    except (OSError, UnicodeDecodeError, csv.Error, pd.errors.ParserError,
            pd.errors.EmptyDataError) as error:  # fmt: skip
        reason = str(getattr(error, "strerror", None) or error).strip().split("\n")[0]
        raise InputError(
            f"the file {path} cannot be read ({reason}): it must be a CSV file in UTF-8"
        ) from error
    rows.columns = rows.columns.str.strip()
    if not isinstance(rows.index, pd.RangeIndex):
        raise InputError(f"the file {path} has rows with more values than there are column names")
    if rows.empty:
        raise InputError(f"the file {path} has no rows below its column names")
    return rows.apply(_numbers)


def _numbers(column: pd.Series) -> pd.Series:
    """Return a column of text as whole numbers or floats where all its values are written so."""
    column = _whole_numbers(column)
    if column.dtype.kind not in "iu" and column.dropna().str.fullmatch(_NUMBER).all():
        return column.astype(float)
    return column


def _whole_numbers(column: pd.Series) -> pd.Series:
    known = column.dropna()
    if not known.str.fullmatch(_WHOLE).all():
        return column
    # By way of Int64, as floats do not hold all whole numbers.
    numbers = column.astype("string").astype("Int64")
    return numbers if len(known) < len(column) else numbers.astype("int64")


def as_text(column: pd.Series) -> pd.Series:
    """Return keys as text; 1, 1.0 and '1' are the same key."""
    if column.dtype.kind == "f" and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    text = column.astype("string").str.strip()
    return text.mask(text == "")


# --- joining --------------------------------------------------------------------------------------


def join_metadata(
    table: pd.DataFrame,
    metadata: pd.DataFrame,
    source: str,
    files: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Add columns such as treatment or dose to a patch table.

    Rows are matched by a column ``image``, ``file`` or ``filename`` of the metadata (whole name,
    end of the path, or name without ending), or else by all columns the two have in common.

    Parameters
    ----------
    table
        A patch table; its rows keep their number and order.
    metadata
        One row an image, or a well, or whatever its key is; see `read_metadata`.
    source
        What the metadata is called in messages.
    files
        Paths of images by their names: rows that are no image's name may mean its file.

    Returns
    -------
    pandas.DataFrame
        The table and the further columns, with missing values where metadata has no row.

    Raises
    ------
    InputError
        Where there is no key, a key is repeated, nothing matches, or both have a column of the
        same name with different values.
    """
    return _add_columns(table, *match_rows(table, metadata, source, files), source)


def match_rows(
    table: pd.DataFrame,
    metadata: pd.DataFrame,
    source: str,
    files: Mapping[str, str] | None = None,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Find the row of the metadata that each row of a table has, see `join_metadata`.

    Returns
    -------
    metadata : pandas.DataFrame
        Rows with a key, without the columns they are matched by.
    rows : numpy.ndarray
        (N,) int64, -1 where there is none.
    """
    named = image_column(metadata)
    keys = [named] if named is not None else [name for name in metadata if name in table]
    if not keys:
        ours = [name for name in table if name != "patch"]
        raise InputError(
            f"{source} has no column 'image', nor one of the patch table: it has "
            f"{some(metadata.columns, 8)}, the table has {some(ours, 12)}"
        )
    metadata = metadata.dropna(subset=keys)
    given = _joined_text(metadata[keys])
    repeated = given[given.duplicated()]
    if len(repeated):
        raise InputError(
            f"{source} has several rows for {' and '.join(keys)} '{_shown(repeated.iloc[0])}': "
            "leave one for each"
        )
    if named is not None:
        known = _rows_by_image(table["image"].unique(), given, source, files or {})
        wanted = table["image"].map(known)
        rows = wanted.fillna(-1).to_numpy(np.int64)
    else:
        wanted = _joined_text(table[keys])
        rows = np.where(wanted.isna(), -1, pd.Index(given).get_indexer(pd.Index(wanted)))
    if (rows < 0).all():
        sought = table["image"] if named is not None else wanted
        raise InputError(
            f"{source} matches no patch: its column {' and '.join(keys)} holds "
            f"{some(_shown(key) for key in given)}, the patches' "
            f"{some(_shown(key) for key in sought.dropna().unique())}"
        )
    return metadata.drop(columns=keys), rows


def _joined_text(keys: pd.DataFrame) -> pd.Series:
    first, *further = (as_text(keys[name]) for name in keys)
    return first.str.cat(further, sep="\x1f") if further else first


def _shown(key: str) -> str:
    return str(key).replace("\x1f", ", ")


def _add_columns(
    table: pd.DataFrame, metadata: pd.DataFrame, rows: np.ndarray, source: str
) -> pd.DataFrame:
    """Add rows of the metadata to those of the table, missing values where a row is -1."""
    found = rows >= 0
    if not found.all():
        # Whole numbers and truth values stay what they are beside missing values.
        kinds = {"i": "Int64", "b": "boolean"}
        metadata = metadata.astype(
            {name: kinds[kind] for name, dtype in metadata.dtypes.items()
             if (kind := np.dtype(dtype).kind if isinstance(dtype, np.dtype) else "") in kinds}
        )  # fmt: skip
    added = metadata.reset_index(drop=True).reindex(rows)
    added.index = table.index
    for name in [name for name in added if name in table]:
        differs = found & (as_text(table[name]) != as_text(added[name])).fillna(True).to_numpy(bool)
        if differs.any():
            raise InputError(
                f"{source} and the patch table both have a column '{name}' with different "
                f"values: rename it in {source}"
            )
        added = added.drop(columns=name)
    return pd.concat([table, added], axis=1)


# --- images by name -------------------------------------------------------------------------------


def image_column(rows: pd.DataFrame) -> str | None:
    """Return the column that names images, None without one."""
    by_lower = {str(name).lower(): name for name in reversed(rows.columns)}
    return next((by_lower[name] for name in IMAGE_COLUMNS if name in by_lower), None)


def some(values: Iterable[object], count: int = 3) -> str:
    """Name the first of some values, for a message."""
    listed = [str(value) for value in values]
    return ", ".join(listed[:count]) + (", ..." if len(listed) > count else "")


def _rows_by_image(
    images: Sequence[str], given: pd.Series, source: str, files: Mapping[str, str]
) -> dict[str, int]:
    """Which row of the metadata each image has; images without one are left out."""
    keys = dict(enumerate(given))
    whole = {key: row for row, key in keys.items()}
    # Series of one file ('a.tif', 'a.tif#1') share the file's row, unless they have their own.
    names = {image: without_series(image) for image in images}
    # A file is known with its folders, and told from others more surely than a name.
    no_name = {row: key for row, key in keys.items() if key not in {*names, *names.values()}}
    by_file = _rows_by_name(files.values(), no_name, source)
    left = {row: key for row, key in keys.items() if row not in by_file.values()}
    others = [name for image, name in names.items() if files.get(image) not in by_file]
    by_name = _rows_by_name(others, left, source)
    images_of = Counter(files.values())
    rows = {}
    for image, name in names.items():
        file = files.get(image, "")
        if image in whole and file in by_file and images_of[file] == 1:
            raise _several_rows(source, image, keys[whole[image]], keys[by_file[file]])
        row = whole.get(image, by_file.get(file, by_name.get(name)))
        if row is not None:
            rows[image] = row
    return rows


def _rows_by_name(names: Iterable[str], keys: Mapping[int, str], source: str) -> dict[str, int]:
    """Which row each name has, of those whose keys are given."""
    names = list(dict.fromkeys(names))
    index = NameIndex(names)
    rows: dict[str, int] = {}
    for row, key in keys.items():
        found = [names[n] for n in index.find(key)]
        if len(found) > 1:
            raise InputError(
                f"'{key}' of {source} may be any of {some(found)}: write the folder, too"
            )
        for name in found:
            if name in rows:
                raise _several_rows(source, name, key, keys[rows[name]])
            rows[name] = row
    return rows


def _several_rows(source: str, image: str, one: str, other: str) -> InputError:
    return InputError(
        f"{source} has several rows for the image '{image}' ('{one}' and '{other}'): "
        "leave one for each"
    )
