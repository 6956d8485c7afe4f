"""What the paths of images say about them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from string import Formatter

import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import KIND_OF_ENDING, parse, shown, split_ending, tidy, unified
from napari_tsimcne.patches._join_table import join_metadata, some
from napari_tsimcne.patches._read_table import Report, read_table, silent, whole_numbers
from napari_tsimcne.patches._table import COLUMNS, kept_apart, renamed, renamed_text

__all__ = ["join_metadata", "path_columns", "read_metadata"]

read_metadata = read_table


def path_columns(
    names: Sequence[str],
    paths: Sequence[Path | None],
    pattern: str,
    report: Report = silent,
) -> pd.DataFrame:
    """Read columns from the ends of paths.

    Parameters
    ----------
    names
        The images, for messages; an image without a path is matched by its name.
    paths
        Their files.
    pattern
        Such as ``{plate}/{well}_{field}.tif``: a field in braces takes as few characters as
        fit, ``*`` any number of them, neither ever a ``/``. All else is taken literally, but
        the ending of a file may be written otherwise (``.TIF``, ``.tiff``), and so may letters
        with accents (composed or not) and, where nothing else fits, large and small letters.
        Fields of a plate are below its folder: ``{plate}.zarr/{row}/{column}/{field}``.
    report
        Called with a sentence on what was assumed.

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
    in_any_case = re.compile(expression.pattern, re.IGNORECASE)
    rows, odd = [], []
    for name, path in zip(names, paths, strict=True):
        texts = [unified(text) for text in _seen(name, path)]
        tried = (one.search(text) for one in (expression, in_any_case) for text in texts)
        match = next((found for found in tried if found), None)
        if match is None:
            odd.append(name)
        else:
            rows.append([tidy(part) for part in match.groups()])
    if odd:
        raise InputError(
            f"{len(odd)} of {len(names)} images do not end with '{pattern}': {some(odd)}; change "
            "the pattern (* takes any text within a name), or leave these images out"
        )
    columns = pd.DataFrame(rows, columns=fields, dtype="str").apply(whole_numbers)
    changed = renamed(fields)
    if changed:
        report(renamed_text(changed))
    columns = kept_apart(columns)
    columns.insert(0, "image", list(names))
    return columns


def _seen(name: str, path: Path | None) -> list[str]:
    """Return the path of an image as it is seen, first with its place within a file of several."""
    if path is None:
        return [name]
    whole = shown(path.as_posix())
    inner = parse(name).inner
    return ["/".join([whole, *inner]), whole] if inner else [whole]


def _parse(pattern: str) -> tuple[list[str], re.Pattern[str]]:
    where = f"the pattern '{pattern}'"
    fields: list[str] = []
    expression = r"(?:^|/)"
    try:
        parts = list(Formatter().parse(unified(pattern).replace("\\", "/").lstrip("/")))
    except ValueError as error:
        raise InputError(f"{where} is malformed ({error}): write fields as {{well}}") from error
    for text, field, form, conversion in parts:
        literal, ending = (text, "") if field is not None else _split_ending(text)
        expression += re.escape(literal).replace(r"\*", "[^/]*") + ending
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


def _split_ending(text: str) -> tuple[str, str]:
    """Split the end of a pattern into what is literal, and an expression of the file's ending."""
    bare, kind = split_ending(f"_{text}")
    same = [ending for ending, other in KIND_OF_ENDING.items() if kind and other == kind]
    if not same:
        return text, ""
    ome = r"\.ome" if text[len(bare) - 1 :].lower().startswith(".ome.") else r"(?:\.ome)?"
    return bare[1:], rf"(?i:{ome}\.(?:{'|'.join(same)}))"
