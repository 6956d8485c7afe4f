"""Outlines of patches with their clusters, for QuPath."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import pandas as pd
from pandas.api import types

from napari_tsimcne.export._excerpt import Excerpt
from napari_tsimcne.export._outputs import new_folder
from napari_tsimcne.export._tables import exported_columns
from napari_tsimcne.export.patches._file_names import distinct, image_file_name
from napari_tsimcne.export.patches._object_labels import ObjectLabels, has_objects
from napari_tsimcne.export.patches._outlines import Rings, outlines_of_objects, square
from napari_tsimcne.images import ImageSource
from napari_tsimcne.patches import Told

PLACE = ("patch", "image", "t", "z", "y", "x", "size", "label", "cluster")
"""Columns that a feature tells by its name, geometry and classification."""

OFTEN = 500
"""Patches between two words of progress."""


def export_geojson(
    excerpt: Excerpt,
    folder: Path,
    *,
    labels: Mapping[str, ImageSource] | None = None,
    tiles: bool = False,
    overwrite: bool = False,
    told: Told = lambda what, done, total: None,
) -> int:
    """Write an ``IMAGE.geojson`` for every image: a feature collection that QuPath imports.

    Each patch is a feature. Objects are ``detection``, of the exact outline of their pixels in
    the label image, in several parts and with holes where they have any; other patches are
    ``tile``, the square of their window as far as it lies in the image. Coordinates are (x, y) in
    pixels of the image, from the corner of its first pixel. Exterior rings have a positive area
    in these coordinates, holes a negative one. ``plane`` says which t and z, where not the first.

    Properties are ``name`` (``patch 12``), ``classification`` (name and colour of the cluster,
    left out in none), ``measurements`` (the map and all columns of numbers) and ``metadata`` (all
    others as text); what is missing is left out. The ``id`` of a patch is the same in every
    export.

    Parameters
    ----------
    excerpt
        Which patches.
    folder
        Is made.
    labels
        Label images of objects by the name of their image. Others are opened from their files.
    tiles
        Write squares where patches are of objects too. Images are not needed then.
    overwrite
        Replace a folder that such an export has made, and that holds nothing else.
    told
        Called with how many patches are written; an exception it raises cancels.

    Returns
    -------
    int
        How many patches were written.

    Raises
    ------
    InputError
        Where a label image cannot be opened, does not fit or lacks an object, or the folder
        exists or cannot be written.
    """
    run, table = excerpt.run, exported_columns(excerpt)
    images = list(table["image"].unique())
    objects = {} if tiles or not has_objects(run) else {
        image: ObjectLabels.of(run, image, labels or {}) for image in images
    }  # fmt: skip
    files = distinct([image_file_name(image) for image in images], suffix=".geojson")
    describe = _Describe(excerpt, table, "detection" if objects else "tile")
    done = 0
    with new_folder(Path(folder), "geojson", overwrite) as draft:
        for image, file in zip(images, files, strict=True):
            places = np.flatnonzero((table["image"] == image).to_numpy())
            here = table.iloc[places]
            shapes = (
                outlines_of_objects(objects[image], here) if objects
                else _squares(excerpt, image, here)
            )  # fmt: skip
            with (draft / file).open("w", encoding="utf-8") as out:
                out.write('{"type": "FeatureCollection", "features": [')
                for i, (place, shape) in enumerate(shapes):
                    if done % OFTEN == 0:
                        told("Writing outlines", done, len(table))
                    out.write(",\n" if i else "\n")
                    out.write(json.dumps(describe(places[place], shape), ensure_ascii=False))
                    done += 1
                out.write("\n]}\n")
        told("Writing outlines", done, len(table))
    return len(table)


def _squares(
    excerpt: Excerpt, image: str, table: pd.DataFrame
) -> Iterator[tuple[int, list[Rings]]]:
    record = excerpt.run.image(image)
    lengths = dict(zip(record.axes, record.shape, strict=True))
    columns = (table[name].to_numpy() for name in ("y", "x", "size"))
    for place, (y, x, size) in enumerate(zip(*columns, strict=True)):
        yield place, [[square(y, x, size, (lengths["Y"], lengths["X"]))]]


class _Describe:
    """Makes a feature of a patch: its geometry and what is known of it."""

    def __init__(self, excerpt: Excerpt, table: pd.DataFrame, kind: str) -> None:
        self._kind = kind
        self._patch, self._t, self._z = (table[name].to_numpy() for name in ("patch", "t", "z"))
        self._ids = excerpt.cluster_ids
        self._classes = {
            one.id: {"name": " ".join(one.name.split()), "color": _rgb(one.color)}
            for one in excerpt.clusters
        }
        columns = [name for name in table if name not in PLACE]
        numbers = [name for name in columns if types.is_numeric_dtype(table[name].dtype)]
        self._numbers = {
            str(name): table[name].to_numpy(np.float64, na_value=np.nan) for name in numbers
        }
        self._texts = {
            str(name): table[name].astype(object).to_numpy()
            for name in columns if name not in numbers
        }  # fmt: skip
        self._uuids = _uuids(excerpt)

    def __call__(self, place: int, parts: list[Rings]) -> dict[str, Any]:
        """Describe the patch at a place of the table, whose shape is of some parts."""
        several = len(parts) > 1
        geometry: dict[str, Any] = {
            "type": "MultiPolygon" if several else "Polygon",
            "coordinates": parts if several else parts[0],
        }
        t, z = int(self._t[place]), int(self._z[place])
        if t or z:
            geometry["plane"] = {"c": -1, "z": z, "t": t}
        properties: dict[str, Any] = {
            "objectType": self._kind, "name": f"patch {self._patch[place]}"
        }  # fmt: skip
        if self._ids[place] in self._classes:
            properties["classification"] = self._classes[self._ids[place]]
        values = {name: float(column[place]) for name, column in self._numbers.items()}
        properties["measurements"] = {n: v for n, v in values.items() if np.isfinite(v)}
        texts = {name: column[place] for name, column in self._texts.items()}
        texts = {name: str(value) for name, value in texts.items() if not pd.isna(value)}
        if texts:
            properties["metadata"] = texts
        return {
            "type": "Feature", "id": self._uuids[place], "geometry": geometry,
            "properties": properties,
        }  # fmt: skip


def _uuids(excerpt: Excerpt) -> list[str]:
    """Return an id for each patch, by its image and its place among the patches of it.

    The number of a patch may change with the additions to a run.
    """
    run = excerpt.run
    made = run.info.created.isoformat()
    spaces = {
        record.name: uuid5(NAMESPACE_URL, f"napari-tsimcne {made} {record.fingerprint}")
        for record in run.info.images
    }
    images = run.table["image"]
    numbers = images.groupby(images, sort=False).cumcount().to_numpy()[excerpt.rows]
    names = images.to_numpy()[excerpt.rows]
    return [str(uuid5(spaces[n], str(i))) for n, i in zip(names, numbers, strict=True)]


def _rgb(color: str) -> list[int]:
    return [int(color[i : i + 2], 16) for i in (1, 3, 5)]
