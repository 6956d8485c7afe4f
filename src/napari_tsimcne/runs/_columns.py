"""Columns that were added to the patches of a run, such as what checks found: kept with it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, Field

from napari_tsimcne.explore import Exploration
from napari_tsimcne.runs._files import read_or_explain, written_whole
from napari_tsimcne.runs._parquet import parse_table
from napari_tsimcne.runs._run import Run
from napari_tsimcne.runs._trust import parse_json

FILE = "columns.parquet"
KEY = b"napari-tsimcne:columns"


class _Source(BaseModel):
    """What has added columns, and whether these are differences."""

    columns: list[str]
    differences: bool = False


class _Kept(BaseModel):
    """Columns by their source; ``map``: digest of the coordinates that they were computed of."""

    map: str = Field(pattern="^[0-9a-f]{32}$")
    sources: dict[str, _Source]


def save_columns(run: Run, exploration: Exploration) -> None:
    """Write the columns that were added to the patches of a run, whole or not at all."""
    path = run.folder / FILE
    added = exploration.added
    if not added:
        path.unlink(missing_ok=True)
        return
    kept = _Kept(
        map=_digest(exploration.coordinates),
        sources={
            source: _Source(columns=[str(name) for name in columns], differences=differences)
            for source, (columns, differences) in added.items()
        },
    )
    rows = pd.concat([columns for columns, _ in added.values()], axis=1)
    table = pa.Table.from_pandas(rows, preserve_index=False)
    metadata = {**(table.schema.metadata or {}), KEY: kept.model_dump_json().encode()}
    with written_whole(path) as draft:
        pq.write_table(table.replace_schema_metadata(metadata), draft)


def restore_columns(run: Run, exploration: Exploration) -> None:
    """Add the columns that were kept of a run, if they are of its map as it is now.

    What was computed of another map, or of fewer patches, holds no longer and is passed over.

    Raises
    ------
    InputError
        Where the file is damaged.
    """
    path = run.folder / FILE
    if not path.exists() or not exploration.placed.all():
        return
    kept, table = read_or_explain(path, lambda p: _parse(p, 4 * len(exploration)))
    if len(table) != len(exploration) or kept.map != _digest(exploration.coordinates):
        return
    for source, one in kept.sources.items():
        exploration.add_columns(table[one.columns], source, differences=one.differences)


def _parse(path: Path, most_rows: int) -> tuple[_Kept, pd.DataFrame]:
    table, metadata = parse_table(path, most_rows)
    kept = _Kept.model_validate(parse_json(metadata[KEY]))
    named = [name for one in kept.sources.values() for name in one.columns]
    if sorted(named) != sorted(table.columns):
        raise ValueError("its columns are others than it says")
    return kept, table


def _digest(coordinates: np.ndarray) -> str:
    values = np.ascontiguousarray(coordinates, "<f4")
    return hashlib.blake2b(values.data, digest_size=16).hexdigest()
