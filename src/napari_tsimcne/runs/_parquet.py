"""Tables of a run, read from Parquet files that may come from anybody.

A small file can stand for any amount of memory: repeated values, texts that share a beginning,
compressed zeros. So what a table may hold is checked before it is read, by what the run expects.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from napari_tsimcne.runs._files import read_or_explain
from napari_tsimcne.runs._trust import parse_json

MOST_COLUMNS = 5_000
MOST_CHUNKS = 100_000
"""A chunk is a column of a group of rows."""

SPARE_BYTES = 64 << 20
CELL_BYTES = 256
"""A table may take so many bytes, and so many more for each of its cells."""

LONGEST_TEXT = 100_000
CODECS = {"UNCOMPRESSED", "SNAPPY"}
"""Those that are written here, which cannot blow up a small file beyond measure."""

ENCODINGS = {"PLAIN", "RLE", "RLE_DICTIONARY", "PLAIN_DICTIONARY", "BIT_PACKED"}
NULLABLE: dict[str, Any] = {
    kind.name: kind
    for kind in (
        pd.Int8Dtype(), pd.Int16Dtype(), pd.Int32Dtype(), pd.Int64Dtype(), pd.UInt8Dtype(),
        pd.UInt16Dtype(), pd.UInt32Dtype(), pd.UInt64Dtype(), pd.Float32Dtype(),
        pd.Float64Dtype(), pd.BooleanDtype(),
    )
}  # fmt: skip
"""Types of pandas whose values may be missing, by name."""

Metadata = Mapping[bytes, bytes]


def read_table(path: Path, most_rows: int) -> pd.DataFrame:
    """Read a table of a run.

    Parameters
    ----------
    path
        A Parquet file.
    most_rows
        That it may have.

    Raises
    ------
    InputError
        Where the file is missing, damaged, or holds what no table of a run does: more rows,
        columns, bytes or longer texts, or values that are not plain.
    """
    return read_or_explain(path, lambda p: parse_table(p, most_rows)[0])


def parse_table(path: Path, most_rows: int) -> tuple[pd.DataFrame, Metadata]:
    """Read a table with the metadata of its schema; raises whatever is wrong with it."""
    size = path.stat().st_size
    if size > _room(most_rows, 16):
        raise ValueError(f"it has {size:,} bytes, more than {most_rows:,} rows take")
    with pq.ParquetFile(path) as file:
        metadata = file.metadata
        schema = file.schema_arrow
        _check(metadata, schema, most_rows)
    # A text is held once, however many rows have it.
    texts = [field.name for field in schema if _is_text(field.type)]
    with pq.ParquetFile(path, metadata=metadata, read_dictionary=texts) as file:
        table = file.read()
    nullable = _nullable(schema)
    room = _room(len(table), len(schema))
    columns: dict[str, Any] = {}
    for field in schema:
        values = table[field.name]
        if field.name in texts:
            columns[field.name], taken = _texts(values, room)
            room -= taken
        elif field.name in nullable:
            # The two differ in how they write "no value": only so does it stay a whole number.
            mapper = {field.type: nullable[field.name]}
            columns[field.name] = values.to_pandas(types_mapper=mapper.get)
        else:
            columns[field.name] = values.to_pandas()
    return pd.DataFrame(columns), schema.metadata or {}


def _room(rows: int, columns: int) -> int:
    return SPARE_BYTES + CELL_BYTES * rows * columns


def _check(metadata: pq.FileMetaData, schema: pa.Schema, most_rows: int) -> None:
    rows, columns = metadata.num_rows, metadata.num_columns
    if not 0 < rows <= most_rows:
        raise ValueError(f"it has {rows:,} rows where the run has {most_rows:,}")
    if columns > MOST_COLUMNS or metadata.num_row_groups * columns > MOST_CHUNKS:
        raise ValueError(f"it has {columns:,} columns in {metadata.num_row_groups:,} groups")
    if len(set(schema.names)) < len(schema) or len(schema) != columns:
        raise ValueError("two of its columns have the same name, or a column holds others")
    for field in schema:
        if not _is_plain(field.type):
            raise ValueError(f"its column '{field.name[:40]}' is of {str(field.type)[:40]}")
    total = 0
    for group in range(metadata.num_row_groups):
        for number in range(columns):
            chunk = metadata.row_group(group).column(number)
            if chunk.compression not in CODECS or not set(chunk.encodings) <= ENCODINGS:
                raise ValueError("it is compressed in another way than those of a run")
            total += chunk.total_uncompressed_size
    if total > _room(rows, columns):
        raise ValueError(f"it takes {total:,} bytes, more than {rows:,} rows do")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_plain(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_plain(kind.value_type) and not pa.types.is_dictionary(kind.value_type)
    return _is_text(kind) or any(
        is_kind(kind)
        for is_kind in (
            pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_temporal,
            pa.types.is_null,
        )
    )  # fmt: skip


def _nullable(schema: pa.Schema) -> dict[str, Any]:
    """Columns that were of a type of pandas whose values may be missing."""
    try:
        described = parse_json((schema.metadata or {})[b"pandas"])["columns"]
        kinds = {one["name"]: one["numpy_type"] for one in described}
        return {name: NULLABLE[kind] for name, kind in kinds.items() if kind in NULLABLE}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}  # not written by pandas: as Arrow has them


def _texts(values: pa.ChunkedArray, room: int) -> tuple[np.ndarray, int]:
    """Return texts as objects, each held once, and the bytes they would take side by side."""
    encoded = values.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # as older versions of Arrow give it
        encoded = encoded.chunk(0)
    texts = encoded.dictionary.to_pylist()
    lengths = np.array([*(len(text or "") for text in texts), 0], np.int64)
    codes = encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    taken = int(lengths[codes].sum())
    if lengths.max() > LONGEST_TEXT or taken > room:
        raise ValueError(f"its texts have up to {lengths.max():,} and in all {taken:,} characters")
    return np.array([*texts, None], object)[codes], taken
