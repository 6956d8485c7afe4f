"""What the keys 0 to 9 do: put patches into the cluster of a number, or out of any."""

from __future__ import annotations

import numpy as np

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore._exploration import Exploration


def assign_by_number(exploration: Exploration, number: int, patches: np.ndarray) -> str:
    """Put patches, (N,) booleans, into the cluster of a number, and say what was done.

    The number after that of the last cluster makes a new one; 0 takes them out of their clusters.

    Raises
    ------
    InputError
        Where there are no patches, or no such cluster.
    """
    clusters = exploration.clusters
    there, count = clusters.all, int(np.count_nonzero(patches))
    if not count:
        raise InputError("select patches first, on the map, in the gallery or in an image")
    which = f"{count:,} patch" + "es" * (count != 1)
    if number == 0:
        clusters.release(patches)
        return f"{which} \N{RIGHTWARDS ARROW} no cluster"
    if number > len(there) + 1:
        raise InputError(
            f"there is no cluster {number}: the key {len(there) + 1} makes the next one"
        )
    if number == len(there) + 1:
        cluster = clusters.create(patches)
    else:
        cluster = there[number - 1]
        clusters.assign(cluster.id, patches)
    name = f"cluster {number}"
    # Until it has a name of its own, its number is its name.
    named = name if cluster.name == name else f"{name}, '{cluster.name}'"
    return f"{which} \N{RIGHTWARDS ARROW} {named}"
