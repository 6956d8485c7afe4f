"""What binds the files of a map to each other: weights, features and coordinates of one training.

Each takes the place of an earlier one in its turn. A process that is killed in between leaves
files of two trainings. ``run.json``, which is written last, has a digest of each: so this is seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from napari_tsimcne.errors import InputError

BLOCK, BLOCKS = 1 << 16, 64
"""Of a large file so many evenly spaced blocks of bytes are read: two maps differ everywhere."""


def quick_digest(path: Path) -> str:
    """Return a digest of the size of a file and of an even sample of its bytes; of few, all."""
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with path.open("rb") as file:
        if size <= BLOCK * BLOCKS:
            digest.update(file.read())
        else:
            for number in range(BLOCKS):
                file.seek((size - BLOCK) * number // (BLOCKS - 1))
                digest.update(file.read(BLOCK))
    return digest.hexdigest()


def check_bound(
    path: Path, digests: Mapping[str, str], newest: Callable[[], Mapping[str, str]]
) -> None:
    """Check that a file of a map is the one that was written with the others.

    Parameters
    ----------
    path
        Of the file.
    digests
        By file name, as they were when the run was opened; runs of earlier versions have none.
    newest
        Returns them as they are now.

    Raises
    ------
    InputError
        Where it is another one.
    """
    wanted = digests.get(path.name)
    if wanted is None or quick_digest(path) == wanted:
        return
    folder = path.parent
    if newest() != digests:
        raise InputError(
            f"the map of {folder.name} was learnt anew since it was opened: open it again"
        )
    raise InputError(
        f"the files of the map in {folder} are of different trainings ({path.name} is not the one "
        "that was written with the others): a training was cut off as it wrote them. Train the "
        f"run again to have one map: napari-tsimcne train {folder}"
    )
