"""What paths and a CSV file say about images, checked at once and added to patch tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from napari_tsimcne.patches._metadata import (
    image_column,
    join_metadata,
    match_rows,
    path_columns,
    read_metadata,
    some,
)
from napari_tsimcne.patches._table import COLUMNS


@dataclass(frozen=True, eq=False)
class Measurement:
    """Adds columns to a patch table; call it with the table, it returns it with the columns.

    ``of_paths`` and ``of_file`` are what `path_columns` and `read_metadata` have read, None
    where there is none; ``source`` names the file, ``files`` the paths of images by their names.
    ``without_row`` says which images the file has no row for, as far as images alone tell.
    """

    of_paths: pd.DataFrame | None
    of_file: pd.DataFrame | None
    source: str
    files: Mapping[str, str]
    without_row: str = ""

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the table with further columns.

        Raises
        ------
        InputError
            Where the table cannot be joined, see `join_metadata`.
        """
        if self.of_paths is not None:
            table = join_metadata(table, self.of_paths, "the path of the images")
        if self.of_file is not None:
            table = join_metadata(table, self.of_file, self.source, self.files)
        return table

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that are added, or that rows are matched by."""
        names: list[str] = [] if self.of_paths is None else list(self.of_paths)
        if self.of_file is not None:
            names += [name for name in self.of_file if name != image_column(self.of_file)]
        return tuple(dict.fromkeys(name for name in names if name not in COLUMNS))

    def checked(self, images: Sequence[str], further: Collection[str] | None) -> Measurement:
        """Join a table of the images alone, as far as this can tell what is wrong or missing."""
        table = pd.DataFrame({"image": list(images)})
        table = Measurement(self.of_paths, None, "", {})(table)
        if self.of_file is None:
            return self
        # Columns that only patches have: what they say cannot be compared yet.
        later = [
            name
            for name in self.of_file
            if name in {*COLUMNS, *(further or ())} and name not in table
        ]
        by_image = image_column(self.of_file) is not None
        shared = bool(set(self.of_file) & set(table))
        if not by_image and (later or not (shared or further is not None)):
            return self
        metadata = self.of_file.drop(columns=later)
        join_metadata(table, metadata, self.source, self.files)
        _, rows = match_rows(table, metadata, self.source, self.files)
        missing = table["image"][rows < 0]
        if missing.empty:
            return self
        text = f"{self.source} has no row for {len(missing)} of {len(table)} images: "
        return replace(self, without_row=text + some(missing))


def measurement(
    images: Sequence[str],
    paths: Sequence[Path | None],
    *,
    pattern: str | None = None,
    metadata: Path | None = None,
    further: Collection[str] | None = None,
) -> Measurement | None:
    """Return what adds columns from paths and from a CSV file to a patch table; None for none.

    Both are read and checked at once, before anything is cut.

    Parameters
    ----------
    images, paths
        Names of the images, and their files where they have one.
    pattern
        Of the paths, see `path_columns`.
    metadata
        A CSV file, see `read_metadata`. Its rows mean images by their names, or by their files.
    further
        Columns the patches will have besides `COLUMNS`, such as features of points. Where they
        are not known, a file that shares no column with the patches is told when it is joined.

    Raises
    ------
    InputError
        Where pattern or file are malformed, or do not fit the images.
    """
    if pattern is None and metadata is None:
        return None
    found = Measurement(
        of_paths=None if pattern is None else path_columns(images, paths, pattern),
        of_file=None if metadata is None else read_metadata(metadata),
        source=str(metadata),
        files={
            name: path.as_posix()
            for name, path in zip(images, paths, strict=True)
            if path is not None
        },
    )
    return found.checked(images, further)
