"""A folder a cluster, with its patches as they were cut and a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import tifffile
from PIL import Image

from napari_tsimcne.explore import MISSING_COLOR, NONE
from napari_tsimcne.export._excerpt import Excerpt
from napari_tsimcne.export._outputs import new_folder
from napari_tsimcne.export._pictures import Pictures, patch_pictures, patch_side
from napari_tsimcne.export._tables import exported_columns
from napari_tsimcne.export.figures._drawing import missing_letters, missing_notice
from napari_tsimcne.export.patches._contact_sheet import MOST, contact_sheet
from napari_tsimcne.export.patches._file_names import distinct, file_name, image_file_name
from napari_tsimcne.export.patches._ome_tiff import pixel_metadata, printable, suffix_of
from napari_tsimcne.patches import Told
from napari_tsimcne.runs import Run

NO_CLUSTER = "no cluster"
TABLE = "patches.csv"
AT_ONCE = 256
"""Patches read together."""


def export_crops(
    excerpt: Excerpt,
    folder: Path,
    *,
    pictures: Pictures | None = None,
    overwrite: bool = False,
    told: Told = lambda what, done, total: None,
) -> int:
    """Write each patch as a file, in the folder of its cluster.

    ====================================  =======================================================
    ``CLUSTER/IMAGE_t0_z0_y13.5_x13.5_    a patch as it is stored, without its margin: original
    patch0.ome.tif``                      type and channels, with their names and the pixel size
    ``CLUSTER contact sheet.png``         up to 100 of its patches, drawn at random with the
                                          run's seed, in the order of the table
    ``patches.csv``                       the patch table with the map, and the ``file`` of each
    ====================================  =======================================================

    Patches in no cluster are in ``no cluster``. Names are changed where no folder can be called
    so, and numbered where two are alike. A resampled patch has the size of its own pixels. Pixels
    of types that OME does not know (64-bit whole numbers, 16-bit floats) are in plain ``.tif``.

    Parameters
    ----------
    excerpt
        Which patches.
    folder
        Is made.
    pictures
        Of patches, for the contact sheets; by default `patch_pictures`.
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
        Where the folder exists or cannot be written.
    """
    run = excerpt.run
    pictures = patch_pictures(run) if pictures is None else pictures
    groups = _groups(excerpt)
    files = np.full(len(excerpt), "", object)
    with new_folder(Path(folder), "crops", overwrite) as draft:
        done = 0
        names = _file_names(excerpt)
        write = _Writer(run)
        for group in groups:
            (draft / group.folder).mkdir()
            for part in _parts(group.places):
                told("Writing patches", done, len(excerpt))
                paths = [f"{group.folder}/{names[place]}" for place in part]
                files[part] = paths
                write(excerpt.rows[part], [draft / path for path in paths])
                done += len(part)
            _sheet(excerpt, group, pictures).save(draft / group.sheet)
        told("Writing patches", done, len(excerpt))
        _table(excerpt, files).to_csv(draft / TABLE, index=False, encoding="utf-8")
    return len(excerpt)


def crops_notice(excerpt: Excerpt, pictures: Pictures | None = None) -> str:
    """Say which letters on contact sheets are in no installed font; empty where none is."""
    channels = () if pictures is None else pictures.channels
    names = [*(one.name for one in excerpt.clusters), *(name for name, _ in channels)]
    return missing_notice(missing_letters(*names), "on contact sheets")


class _Group(NamedTuple):
    """A cluster: its name and colour, what its folder and sheet are called, and its patches.

    ``places``: of its patches among those of the excerpt, ascending.
    """

    name: str
    color: str
    folder: str
    sheet: str
    places: np.ndarray


def _groups(excerpt: Excerpt) -> list[_Group]:
    ids = excerpt.cluster_ids
    found = [(one.id, one.name, one.color) for one in excerpt.clusters]
    if (ids == NONE).any():
        found.append((NONE, NO_CLUSTER, MISSING_COLOR))
    folders = distinct([file_name(name, "cluster") for _, name, _ in found], [TABLE])
    sheets = distinct([f"{name} contact sheet" for name in folders], [TABLE, *folders], ".png")
    return [
        _Group(name, color, folder, sheet, np.flatnonzero(ids == cluster_id))
        for (cluster_id, name, color), folder, sheet in zip(found, folders, sheets, strict=True)
    ]


def _parts(places: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(places), AT_ONCE):
        yield places[start : start + AT_ONCE]


def _file_names(excerpt: Excerpt) -> list[str]:
    """Return what the file of each patch is called; its number tells it from all others."""
    table = excerpt.table
    images = {name: image_file_name(name) for name in table["image"].unique()}
    suffix = suffix_of(excerpt.run.store.dtype)
    rows = zip(*(table[name] for name in ("image", "t", "z", "y", "x", "patch")), strict=True)
    return [
        f"{images[image]}_t{t}_z{z}_y{y:.1f}_x{x:.1f}_patch{patch}{suffix}"
        for image, t, z, y, x, patch in rows
    ]


class _Writer:
    """Writes patches of a run; threads make it slower, as a file takes 0.2 ms."""

    def __init__(self, run: Run) -> None:
        self._run, self._store = run, run.store
        margin = run.recipe.margin or 0
        side = self._store.shape[-1] - 2 * margin
        self._inner = slice(margin, margin + side)
        self._side = side
        self._records = {record.name: record for record in run.info.images}

    def __call__(self, rows: np.ndarray, paths: list[Path]) -> None:
        """Write patches of these rows, ascending, to these paths."""
        pixels = self._store[rows][:, :, self._inner, self._inner]
        table = self._run.table
        images, sizes = table["image"].to_numpy()[rows], table["size"].to_numpy()[rows]
        for patch, image, size, path in zip(pixels, images, sizes, paths, strict=True):
            self._write(patch, image, size, path)

    def _write(self, patch: np.ndarray, image: str, size: float, path: Path) -> None:
        record = self._records[image]
        zoom = size / self._side
        metadata: dict[str, Any] = {
            "Name": printable(path.name.removesuffix(".ome.tif")),
            **pixel_metadata((record.pixel_size[0] * zoom, record.pixel_size[1] * zoom),
                             record.unit),
        }  # fmt: skip
        if self._run.info.rgb:
            metadata["axes"] = "YXS"
            patch = np.ascontiguousarray(np.moveaxis(patch, 0, -1))
        else:
            metadata["axes"] = "CYX"
            metadata["Channel"] = {
                "Name": [printable(channel.name) for channel in self._run.info.channels]
            }
        tifffile.imwrite(
            path, patch, photometric="rgb" if self._run.info.rgb else "minisblack",
            ome=path.name.endswith(".ome.tif"), metadata=metadata,
        )  # fmt: skip


def _sheet(excerpt: Excerpt, group: _Group, pictures: Pictures) -> Image.Image:
    """Draw a sheet of some patches: any of them, not the best, so that it tells the truth."""
    random = np.random.default_rng(excerpt.run.recipe.seed)
    count = len(group.places)
    shown = np.sort(random.choice(group.places, min(count, MOST), replace=False))
    below = f"{count:,} patch{'es' * (count != 1)} of {patch_side(excerpt.run)}"
    if count > MOST:
        below += f", {MOST} of them drawn at random"
    return contact_sheet(pictures, excerpt.rows[shown], group.name, below, group.color)


def _table(excerpt: Excerpt, files: np.ndarray) -> pd.DataFrame:
    table = exported_columns(excerpt)
    (name,) = distinct(["file"], list(table))
    return table.assign(**{name: files})
