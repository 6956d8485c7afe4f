"""What paths and a CSV file say about images, checked at once and added to patch tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from napari_tsimcne.images import NameIndex, shown
from napari_tsimcne.patches._agreement import look_alikes
from napari_tsimcne.patches._columns_text import columns_text
from napari_tsimcne.patches._join_table import (
    has_key,
    image_column,
    is_own,
    join_metadata,
    match_rows,
    some,
)
from napari_tsimcne.patches._metadata import path_columns
from napari_tsimcne.patches._read_table import read_table
from napari_tsimcne.patches._table import COLUMNS, METADATA, renamed


@dataclass(frozen=True, eq=False)
class Measurement:
    """Adds columns to a patch table; call it with the table, it returns it with the columns.

    ``of_paths`` and ``of_file`` are what `path_columns` and `read_table` have read, None
    where there is none; ``source`` names the file, ``files`` the paths of images by their names.
    ``without_row`` says which images the file has no row for, as far as images alone tell;
    ``columns_text`` what became of the columns, and ``notes`` what was assumed, or is odd.
    """

    of_paths: pd.DataFrame | None
    of_file: pd.DataFrame | None
    source: str
    files: Mapping[str, str]
    without_row: str = ""
    columns_text: str = ""
    notes: tuple[str, ...] = ()

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
            own = [name for name in self.of_file if name != image_column(self.of_file)]
            changed = renamed(own)
            names += [changed.get(name, name) for name in own]
        return tuple(dict.fromkeys(name for name in names if name not in COLUMNS))

    def checked(self, images: Sequence[str], further: Collection[str] | None) -> Measurement:
        """Join a table of the images alone, as far as this can tell what is wrong or missing."""
        table = pd.DataFrame({"image": list(images)})
        table = Measurement(self.of_paths, None, "", {})(table)
        notes = list(self.notes)
        if self.of_file is None:
            described = table.drop(columns="image")
            notes += look_alikes(described)
            return replace(self, columns_text=columns_text(described), notes=tuple(notes))
        # Columns that only patches have: what they say cannot be compared yet.
        later = [
            name
            for name in self.of_file
            if (is_own(name) or name in (further or ())) and name not in table
        ]
        by_image = image_column(self.of_file) is not None
        metadata = self.of_file.drop(columns=later)
        if not by_image and (later or not (has_key(table, metadata) or further is not None)):
            return self
        joined = join_metadata(table, metadata, self.source, self.files, notes.append)
        described = joined.drop(columns="image")
        own = [name for name in later if is_own(name) and by_image]
        if own:
            listed = ", ".join(own)
            notes.append(
                f"columns that patches have by themselves ({listed}) are kept with {METADATA} "
                "behind their names where they say something else"
            )
        notes += look_alikes(described)
        found = replace(self, columns_text=columns_text(described), notes=tuple(notes))
        _, rows = match_rows(table, metadata, self.source, self.files)
        missing = table["image"][rows < 0]
        if missing.empty:
            return found
        text = f"{self.source} has no row for {len(missing)} of {len(table)} images: "
        return replace(found, without_row=text + some(missing) + self._near(missing, rows))

    def _near(self, missing: pd.Series, rows: np.ndarray) -> str:
        """Say which row one of the images that have none may have been meant by."""
        named = None if self.of_file is None else image_column(self.of_file)
        if named is None or self.of_file is None:
            return ""
        keys = self.of_file[named].dropna().astype(str)
        index = NameIndex(key for row, key in enumerate(keys) if row not in rows)
        hint = next(filter(None, (index.near(name) for name in missing[:20])), "")
        return f"; {hint}" if hint else ""


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
        A CSV file, see `read_table`. Its rows mean images by their names, or by their files.
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
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(f"{metadata.name}: {text}" if metadata is not None else text)

    found = Measurement(
        of_paths=None if pattern is None else path_columns(images, paths, pattern, notes.append),
        of_file=None if metadata is None else read_table(metadata, note),
        source=shown(metadata or ""),
        files={
            name: shown(path.as_posix())
            for name, path in zip(images, paths, strict=True)
            if path is not None
        },
    )
    return replace(found, notes=tuple(notes)).checked(images, further)
