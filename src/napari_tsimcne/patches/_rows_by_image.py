"""Which row of a table each image has, by the names of images, files and wells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import NameIndex, well_of_image, well_place, without_series
from napari_tsimcne.patches._agreement import Agreement


def some(values: Iterable[object], count: int = 3) -> str:
    """Name the first of some values, for a message."""
    listed = [str(value) for value in values]
    return ", ".join(listed[:count]) + (", ..." if len(listed) > count else "")


def rows_by_image(
    images: Sequence[str],
    given: pd.Series,
    source: str,
    files: Mapping[str, str],
    same: Agreement,
) -> dict[str, int]:
    """Which row of the metadata each image has; images without one are left out."""
    keys: dict[int, str] = {}
    whole: dict[str, int] = {}
    for row, key in enumerate(given):
        if whole.setdefault(key, row) == row:
            keys[row] = key
        else:
            same.check(whole[key], row)
    # Series of one file ('a.tif', 'a.tif#1') share the file's row, unless they have their own.
    names = {image: without_series(image) for image in images}
    # A file is known with its folders, and told from others more surely than a name.
    no_name = {row: key for row, key in keys.items() if key not in {*names, *names.values()}}
    by_file = _rows_by_name(files.values(), no_name, source, same)
    left = {row: key for row, key in keys.items() if row not in by_file.values()}
    others = [name for image, name in names.items() if files.get(image) not in by_file]
    by_name = _rows_by_name(others, left, source, same)
    images_of = Counter(files.values())
    rows = {}
    for image, name in names.items():
        file = files.get(image, "")
        if image in whole and file in by_file and images_of[file] == 1:
            same.check(whole[image], by_file[file], image)
        known = whole.get(image, by_file.get(file, by_name.get(name)))
        if known is not None:
            rows[image] = known
    return rows | _rows_by_well([one for one in images if one not in rows], images, keys, same)


def _rows_by_name(
    names: Iterable[str], keys: Mapping[int, str], source: str, same: Agreement
) -> dict[str, int]:
    """Which row each name has, of those whose keys are given."""
    names = list(dict.fromkeys(names))
    index = NameIndex(names)
    rows: dict[str, int] = {}
    for row, key in keys.items():
        found = [names[n] for n in index.find(key)]
        if len(found) > 1:
            raise InputError(
                f"'{key}' of {source} may be any of {some(found)}: write the folder, too"
            )
        for name in found:
            if name in rows:
                same.check(row, rows[name], name)
            else:
                rows[name] = row
    return rows | _rows_by_unpadded_name(names, keys, index, rows, source)


def _rows_by_unpadded_name(
    names: Sequence[str],
    keys: Mapping[int, str],
    index: NameIndex,
    known: Mapping[str, int],
    source: str,
) -> dict[str, int]:
    """Rows of names that are still without one, and differ by zeros before numbers only."""
    rows: dict[str, int] = {}
    taken = set(known.values())
    for row, key in keys.items():
        if row in taken or index.find(key):
            continue
        left = [names[n] for n in index.find_unpadded(key) if names[n] not in known]
        if len(left) > 1 or any(name in rows for name in left):
            raise InputError(
                f"'{key}' of {source} may be {some(left)}, which have other zeros before their "
                "numbers, and so may another row: write the names alike"
            )
        rows |= dict.fromkeys(left, row)
    return rows


def _rows_by_well(
    left: Sequence[str], images: Sequence[str], keys: Mapping[int, str], same: Agreement
) -> dict[str, int]:
    """Which row images have that are called by wells, where the keys are wells, too."""
    places = {image: well_of_image(str(image)) for image in images}
    if not left or not all(places.values()) or not any(map(well_place, keys.values())):
        return {}
    by_place: dict[tuple[int, int] | None, int] = {}
    for row, key in keys.items():
        place = well_place(key)
        if place is not None and by_place.setdefault(place, row) != row:
            same.check(by_place[place], row, key)
    return {image: by_place[place] for image in left if (place := places[image]) in by_place}
