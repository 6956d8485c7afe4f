"""All patches as a table, for spreadsheets, R and pandas."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from napari_tsimcne.errors import InputError
from napari_tsimcne.export._excerpt import Excerpt
from napari_tsimcne.export._outputs import new_file
from napari_tsimcne.patches import Told
from napari_tsimcne.runs import MAP_COLUMNS

ROWS = 50_000
"""Written at once."""


def export_table(
    excerpt: Excerpt,
    path: Path,
    *,
    overwrite: bool = False,
    told: Told = lambda what, done, total: None,
) -> int:
    """Write a row for every patch, as CSV or Parquet by the suffix of ``path``.

    CSV is UTF-8, with empty cells for what is missing. Parquet keeps the types of the columns,
    and ``cluster`` as categories in the clusters' order.

    Parameters
    ----------
    excerpt
        Which patches. Columns are those of `exported_columns`.
    path
        Ends in ``.csv`` or ``.parquet``.
    overwrite
        Replace a file that is there.
    told
        Called with how many rows are written; an exception it raises cancels.

    Returns
    -------
    int
        How many patches were written.

    Raises
    ------
    InputError
        Where the suffix is another one, or the file exists or cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise InputError(f"the table {path} must end in .csv or .parquet")
    table = exported_columns(excerpt)
    with new_file(path, overwrite) as draft:
        write = _write_csv if suffix == ".csv" else _write_parquet
        write(table, draft, told)
    return len(table)


def exported_columns(excerpt: Excerpt) -> pd.DataFrame:
    """Return the patch table with the map and what was found on it, n rows.

    ``map_x, map_y`` follow, and ``map_z`` of a map of three dimensions; missing for patches
    without a place. Then comes ``cluster``, the name of each patch's cluster, missing in none.
    """
    table = excerpt.table
    if excerpt.run.has_map and excerpt.run.recipe.map_dimensions > 2:
        third = excerpt.run.coordinates[excerpt.rows, 2]
        table = table.drop(columns="cluster").assign(map_z=third, cluster=table["cluster"])
    placed = excerpt.exploration.placed[excerpt.rows]
    here = [name for name in MAP_COLUMNS if name in table]
    return table.assign(**{name: table[name].where(placed) for name in here})


def _write_csv(table: pd.DataFrame, path: Path, told: Told) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        for start in range(0, max(1, len(table)), ROWS):
            told("Writing the table", start, len(table))
            part = table.iloc[start : start + ROWS]
            part.to_csv(file, header=start == 0, index=False, lineterminator="\n")


def _write_parquet(table: pd.DataFrame, path: Path, told: Told) -> None:
    # Turned as a whole, so that all parts have the same types.
    whole = pa.Table.from_pandas(table, preserve_index=False)
    with pq.ParquetWriter(path, whole.schema) as writer:
        for start in range(0, max(1, len(table)), ROWS):
            told("Writing the table", start, len(table))
            writer.write_table(whole.slice(start, ROWS))
