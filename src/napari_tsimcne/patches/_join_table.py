"""Columns of a table that a user brings, added to the patches of the images its rows are about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import (
    NameIndex,
    folded,
    is_about_columns,
    is_about_rows,
    is_about_wells,
    tidy,
    well_from,
    well_of_image,
    well_place,
)
from napari_tsimcne.patches._agreement import SEPARATOR, Agreement, key_text
from napari_tsimcne.patches._read_table import Report, silent
from napari_tsimcne.patches._rows_by_image import rows_by_image, some
from napari_tsimcne.patches._table import COLUMNS, MEASURED, kept_apart, renamed, renamed_text

IMAGE_COLUMNS = ("image", "file", "filename", "imagename", "imagefile", "filepath", "imagepath")
"""Columns of a table that name the image a row is about, in this order of preference."""


def join_metadata(
    table: pd.DataFrame,
    metadata: pd.DataFrame,
    source: str,
    files: Mapping[str, str] | None = None,
    report: Report = silent,
) -> pd.DataFrame:
    """Add columns such as treatment or dose to a patch table.

    Rows are matched by a column ``image``, ``file`` or ``filename`` of the metadata (whole name,
    end of the path, or name without ending), or else by all columns the two have in common.
    Wells are matched by their row and column, however they are written; see `match_rows`.

    Parameters
    ----------
    table
        A patch table; its rows keep their number and order.
    metadata
        One row an image, or a well, or whatever its key is; see `read_table`. Several rows of
        one key are taken where they say the same.
    source
        What the metadata is called in messages.
    files
        Paths of images by their names: rows that are no image's name may mean its file.
    report
        Called with a sentence on columns that are kept under another name, and rows given twice.

    Returns
    -------
    pandas.DataFrame
        The table and the further columns, with missing values where metadata has no row. Columns
        called as the program's own (``cluster``, ``size``) are kept as ``cluster (metadata)``.

    Raises
    ------
    InputError
        Where there is no key, a key is repeated with other values, nothing matches, or both have
        a column of the same name with different values.
    """
    columns, rows = match_rows(table, metadata, source, files, report)
    return _add_columns(table, columns, rows, source, report)


def match_rows(
    table: pd.DataFrame,
    metadata: pd.DataFrame,
    source: str,
    files: Mapping[str, str] | None = None,
    report: Report = silent,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Find the row of the metadata that each row of a table has, see `join_metadata`.

    Columns in common are those of the same name, whatever its case, spaces and signs. Of these,
    wells are compared by their place on the plate where a column is about wells, or one of rows
    and one of columns are; numbers by their value (01 is 1) and texts without their case, unless
    that would make two values of one table the same. A table with a column of wells is matched
    by the names of the images, where each of these is that of a well.

    Returns
    -------
    metadata : pandas.DataFrame
        Rows with a key, without the columns they are matched by.
    rows : numpy.ndarray
        (N,) int64, -1 where there is none.
    """
    named = image_column(metadata)
    if named is not None:
        metadata = metadata.dropna(subset=[named]).reset_index(drop=True)
        given = as_text(metadata[named]).rename(named)
        own = metadata.drop(columns=named)
        same = Agreement(own, given, source, named, report)
        known = rows_by_image(table["image"].unique(), given, source, files or {}, same)
        same.tell()
        rows = table["image"].map(known).fillna(-1).to_numpy(np.int64)
        sought, keys = table["image"], [named]
    else:
        keys, ours, theirs = _common_keys(table, metadata, source)
        present = theirs.notna()
        metadata, given = metadata[present], theirs[present].reset_index(drop=True)
        own = metadata.drop(columns=[key for key in keys if key in metadata])
        own = own.reset_index(drop=True)
        shown = _joined(metadata[[key for key in keys if key in metadata]]).reset_index(drop=True)
        same = Agreement(own, shown, source, " and ".join(keys), report)
        rows = np.where(ours.isna(), -1, _first_rows(given, ours, same))
        same.tell()
        given, sought = shown, ours.map(key_text)
    if (rows < 0).all():
        ours = [str(one) for one in sought.dropna().unique()]
        index = NameIndex(ours)
        hints = [index.near(str(key)) for key in given[:20]] if named else []
        hint = next(filter(None, hints), "")
        raise InputError(
            f"{source} matches no patch: its column {' and '.join(keys)} holds "
            f"{some(key_text(key) for key in given)}, the patches' "
            f"{some(key_text(key) for key in ours)}{f'; {hint}' if hint else ''}"
        )
    return own, rows


def as_text(column: pd.Series) -> pd.Series:
    """Return keys as text; 1, 1.0 and '1' are the same key."""
    if column.dtype.kind == "f" and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    text = column.astype("string").map(tidy, na_action="ignore")
    return text.mask(text == "")


def image_column(rows: pd.DataFrame) -> str | None:
    """Return the column that names images, None without one."""
    by_word = {re.sub(r"[\s_-]+", "", str(name).lower()): name for name in reversed(rows.columns)}
    return next((by_word[name] for name in IMAGE_COLUMNS if name in by_word), None)


# --- keys -----------------------------------------------------------------------------------------


def _common_keys(
    table: pd.DataFrame, metadata: pd.DataFrame, source: str
) -> tuple[list[str], pd.Series, pd.Series]:
    """Return the columns that rows are matched by, and the keys of both: texts, or missing."""
    pairs = _pairs(table, metadata)
    of_wells = _wells_of(table), _wells_of(metadata)
    if of_wells[1] is not None and of_wells[0] is None and "image" in table:
        of_wells = _wells_of_images(table), of_wells[1]
    wells: list[tuple[pd.Series, pd.Series]] = []
    keys = []
    if of_wells[0] is not None and of_wells[1] is not None:
        used, theirs = of_wells[1]
        pairs = [pair for pair in pairs if pair[0] not in of_wells[0][0] and pair[1] not in used]
        wells, keys = [(of_wells[0][1], theirs)], list(used)
    keys = [name for name in metadata if name in keys or name in {theirs for _, theirs in pairs}]
    if not keys:
        here = [name for name in table if name != "patch"]
        raise InputError(
            f"{source} has no column 'image', nor one of the patch table: it has "
            f"{some(metadata.columns, 8)}, the table has {some(here, 12)}"
        )
    plain = [_same_form(as_text(table[a]), as_text(metadata[b])) for a, b in pairs]
    both = [*plain, *wells]
    return keys, *(_strung(list(side)) for side in zip(*both, strict=True))


def _pairs(table: pd.DataFrame, metadata: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the columns that both have; of the program's own, numbers of planes and objects."""
    ours = {_word(name): name for name in table if not is_own(name)}
    found = [(ours[_word(name)], str(name)) for name in metadata if _word(name) in ours]
    own = [
        name for name in COLUMNS
        if name in table and name in metadata and metadata[name].dtype.kind in "iuf"
    ]  # fmt: skip
    numbers = [name for name in own if name in ("patch", "t", "z", "label")]
    return [*found, *((name, name) for name in (numbers or (own if not found else [])))]


def has_key(table: pd.DataFrame, metadata: pd.DataFrame) -> bool:
    """Whether rows of a table can be matched with those of the metadata, see `match_rows`."""
    if image_column(metadata) is not None or _pairs(table, metadata):
        return True
    ours = _wells_of(table) or _wells_of_images(table)
    return ours is not None and _wells_of(metadata) is not None


def _word(name: object) -> str:
    return re.sub(r"[\s_-]+", "", tidy(str(name)).casefold())


def _wells_of(rows: pd.DataFrame) -> tuple[list[str], pd.Series] | None:
    """Return columns that say the well of each row, and its place as text; None without any."""
    for name in rows:
        texts = as_text(rows[name])
        if is_about_wells(name) and any(map(well_place, texts.dropna().unique())):
            return [str(name)], texts.map(_place_text, na_action="ignore")
    row = next((name for name in rows if is_about_rows(name)), None)
    column = next((name for name in rows if is_about_columns(name)), None)
    if row is None or column is None:
        return None
    pairs = zip(as_text(rows[row]), as_text(rows[column]), strict=True)
    places = [None if pd.isna(r) or pd.isna(c) else well_from(r, c) for r, c in pairs]
    if not any(places):
        return None
    texts = [None if place is None else f"{place}" for place in places]
    return [str(row), str(column)], pd.Series(texts, rows.index, dtype="string")


def _wells_of_images(table: pd.DataFrame) -> tuple[list[str], pd.Series] | None:
    """Return the wells that all images are called by; None where one is not."""
    names = table["image"].unique()
    places = {name: well_of_image(str(name)) for name in names}
    if not all(places.values()):
        return None
    return [], table["image"].map({name: f"{place}" for name, place in places.items()})


def _place_text(well: str) -> str:
    place = well_place(well)
    return folded(well) if place is None else f"{place}"


def _same_form(ours: pd.Series, theirs: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Bring keys to a form in which the same value is the same text, and two are not."""
    sides = [side.dropna().unique().tolist() for side in (ours, theirs)]
    for form in (_number, folded):
        forms = [{value: form(value) for value in side} for side in sides]
        if all(None not in one.values() and len({*one.values()}) == len(one) for one in forms):
            return ours.map(forms[0]), theirs.map(forms[1])
    return ours, theirs


def _number(text: str) -> str | None:
    """Return a number as its value is written, None where it is none."""
    try:
        return repr(float(text)) if re.fullmatch(r"[+-]?[0-9.]+", text) and len(text) < 16 else None
    except ValueError:
        return None


def _joined(keys: pd.DataFrame) -> pd.Series:
    if not keys.shape[1]:
        return pd.Series([], dtype="string")
    return _strung([as_text(keys[name]) for name in keys])


def _strung(columns: Sequence[pd.Series]) -> pd.Series:
    first, *further = (column.astype("string") for column in columns)
    return first.str.cat(further, sep=SEPARATOR) if further else first


def _first_rows(given: pd.Series, wanted: pd.Series, same: Agreement) -> np.ndarray:
    """Return the row of each key that is wanted, -1 for none; rows of one key must agree."""
    first: dict[str, int] = {}
    for row, key in enumerate(given):
        if first.setdefault(key, row) != row:
            same.check(first[key], row)
    return wanted.map(first).fillna(-1).to_numpy(np.int64)


# --- columns --------------------------------------------------------------------------------------


def _add_columns(
    table: pd.DataFrame,
    metadata: pd.DataFrame,
    rows: np.ndarray,
    source: str,
    report: Report,
) -> pd.DataFrame:
    """Add rows of the metadata to those of the table, missing values where a row is -1."""
    changed = renamed(metadata.columns)
    metadata = kept_apart(metadata)
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
    own = []
    for name in [name for name in added if name in table]:
        differs = found & (as_text(table[name]) != as_text(added[name])).fillna(True).to_numpy(bool)
        if differs.any() and is_own(name):
            own.append(name)
            continue
        if differs.any():
            raise InputError(
                f"{source} and the patch table both have a column '{name}' with different "
                f"values: rename it in {source}"
            )
        added = added.drop(columns=name)
    changed |= renamed(added.columns, own)
    if changed:
        report(renamed_text(changed))
    return pd.concat([table, kept_apart(added, own)], axis=1)


def is_own(name: object) -> bool:
    """Whether a column of a patch table is the program's own: a place, or a measured value."""
    return name in COLUMNS or name in MEASURED or str(name).startswith(("mean ", "std "))
