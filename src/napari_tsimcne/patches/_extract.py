"""Cut windows out of images into the store, one plane's band of rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import ImageSource, Skipped
from napari_tsimcne.patches._store import PatchStoreWriter

Progress = Callable[[int, int], None]
"""Called with patches done and patches in all; may raise to cancel."""


def extract_patches(
    images: Sequence[ImageSource],
    table: pd.DataFrame,
    margin: int,
    path: Path,
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, list[Skipped]]:
    """Write the crop of every window, with ``margin`` pixels around it, to a new store.

    Where the margin leaves the image, the image is mirrored at its edge. An image whose pixels
    cannot be read is left out with all its patches.

    Returns
    -------
    table : pandas.DataFrame
        The patches that were written, numbered anew.
    skipped : list of Skipped
        Images that could not be read.

    Raises
    ------
    InputError
        Where an image holds values that are not finite, or no image could be read.
    """
    side = int(table["size"].iloc[0]) + 2 * margin
    shape = (images[0].channels, side, side)
    skipped: list[Skipped] = []
    kept: list[pd.DataFrame] = []
    by_image = dict(tuple(table.groupby("image", sort=False)))
    with PatchStoreWriter(path, len(table), shape, images[0].dtype) as store:
        for image in images:
            rows = by_image.get(image.name)
            if rows is None:
                continue
            before = store.written
            try:
                for _, band in rows.groupby(["t", "z", "y"], sort=False):
                    store.append(_cut_band(image, band, margin))
                    if progress is not None:
                        progress(store.written, len(table))
                kept.append(rows)
            except _UnreadableError as error:
                store.rewind(before)
                skipped.append(Skipped(image.name, str(error)))
    if not kept:
        raise InputError(f"no image could be read ({skipped[0].name}: {skipped[0].reason})")
    written = pd.concat(kept, ignore_index=True)
    written["patch"] = np.arange(len(written))
    return written, skipped


def iterate_patches(
    images: Sequence[ImageSource],
    table: pd.DataFrame,
    margin: int,
    at_once: int,
    on_skipped: Callable[[Skipped], None] = lambda skipped: None,
) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Yield the patches of a table, some ``at_once`` and more, never of two images together.

    Where an image cannot be read, ``on_skipped`` is told and what is left of it is left out.

    Yields
    ------
    rows : pandas.DataFrame
        Rows of the table.
    crops : numpy.ndarray
        (n, C, S + 2 margin, S + 2 margin) in the original dtype.
    """
    by_name = {image.name: image for image in images}
    for name, rows in table.groupby("image", sort=False):
        bands: list[pd.DataFrame] = []
        crops: list[np.ndarray] = []
        try:
            for _, band in rows.groupby(["t", "z", "y"], sort=False):
                crops.append(_cut_band(by_name[name], band, margin))
                bands.append(band)
                if sum(map(len, crops)) >= at_once:
                    yield pd.concat(bands), np.concatenate(crops)
                    bands, crops = [], []
        except _UnreadableError as error:
            on_skipped(Skipped(name, str(error)))
        if crops:
            yield pd.concat(bands), np.concatenate(crops)


class _UnreadableError(InputError):
    pass


def _cut_band(image: ImageSource, band: pd.DataFrame, margin: int) -> np.ndarray:
    """Crops (n, C, S, S) of windows of one plane that share their rows; read as one region."""
    size = int(band["size"].iloc[0])
    half = (size - 1) / 2
    t, z = int(band["t"].iloc[0]), int(band["z"].iloc[0])
    top = round(float(band["y"].iloc[0]) - half)
    lefts = np.round(band["x"].to_numpy() - half).astype(int)
    height, width = image.height_width
    y0, y1 = top - margin, top + size + margin
    x0, x1 = int(lefts.min()) - margin, int(lefts.max()) + size + margin
    inside_y, inside_x = slice(max(0, y0), min(height, y1)), slice(max(0, x0), min(width, x1))
    try:
        region = image.read(t, z, inside_y, inside_x)
    except InputError as error:
        raise _UnreadableError(str(error)) from error
    if region.dtype.kind == "f" and not np.isfinite(region).all():
        count = int((~np.isfinite(region)).sum())
        raise InputError(
            f"'{image.name}' holds {count} values that are not finite (NaN or infinite) near row "
            f"{top}: replace them in the image, or leave the image out"
        )
    beyond = ((0, 0), (inside_y.start - y0, y1 - inside_y.stop),
              (inside_x.start - x0, x1 - inside_x.stop))  # fmt: skip
    if any(n for pair in beyond for n in pair):
        region = np.pad(region, beyond, mode="symmetric")
    side = size + 2 * margin
    return np.stack([region[:, :, left - margin - x0 :][:, :, :side] for left in lefts])
