"""A run folder may come from anybody: what it says is checked before it is followed.

Nothing in it is executed, no path in it leads out of it, and sizes are checked before memory is
taken. Tables are checked by `read_table`, arrays by `napari_tsimcne.patches.open_array`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from napari_tsimcne.errors import InputError
from napari_tsimcne.runs._files import read_or_explain

JSON_BYTES = 64 << 20
JSON_VALUES = 2_000_000
"""Of one JSON file, at most: a run of a hundred thousand images needs less."""

HEADER_BYTES = 16 << 20
"""Of a safetensors file: names and shapes of tensors, and a recipe."""


def refuse_links(folder: Path) -> None:
    """Check that nothing in a folder of a run is a link that leads out of it.

    Raises
    ------
    InputError
        Where a link does, or the folder itself is one, or it cannot be read.
    """
    try:
        if folder.is_symlink():
            raise InputError(f"{folder} is a link: put the folder itself in its place")
        inside = folder.resolve()
        for path in folder.iterdir():
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                raise InputError(
                    f"{path} is a link that leads out of the run: put the file itself in its place"
                )
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise InputError(f"the folder {folder} cannot be read ({error})") from error


def read_json(path: Path) -> Any:
    """Read a JSON file of a run.

    Raises
    ------
    InputError
        Where it is missing, too large, or no JSON.
    """
    return read_or_explain(path, _read_json)


def parse_json(content: bytes) -> Any:
    """Read JSON from bytes.

    Raises
    ------
    ValueError
        Where it is too large, or no JSON.
    """
    if len(content) > JSON_BYTES:
        raise ValueError(f"it has {len(content):,} bytes, more than any run needs")
    if sum(map(content.count, (b",", b"[", b"{"))) > JSON_VALUES:
        raise ValueError("it holds more values than any run needs")
    return json.loads(content, parse_constant=_refuse_constant)


def check_tensors(path: Path) -> None:
    """Check that a safetensors file is as long as it says, before it is loaded.

    Raises
    ------
    InputError
        Where it is missing or damaged.
    """
    read_or_explain(path, _check_tensors)


def _read_json(path: Path) -> Any:
    with path.open("rb") as file:
        return parse_json(file.read(JSON_BYTES + 1))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _check_tensors(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(HEADER_BYTES, size - 8):
            raise ValueError("its header does not fit into it")
        header = parse_json(file.read(length))
    ends = [
        entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"
    ]  # fmt: skip
    if max(ends, default=0) != size - 8 - length:
        raise ValueError("it is shorter or longer than its header says")
