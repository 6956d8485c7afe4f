"""Features, map, clusters and columns as AnnData, for scanpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from napari_tsimcne import __version__
from napari_tsimcne.errors import InputError
from napari_tsimcne.export._excerpt import Excerpt
from napari_tsimcne.export._outputs import new_file
from napari_tsimcne.export._tables import exported_columns
from napari_tsimcne.export.patches._file_names import distinct
from napari_tsimcne.images import MICROMETRES
from napari_tsimcne.patches import Told
from napari_tsimcne.runs import MAP_COLUMNS

ROWS = 50_000
"""Whose features are read at once."""

RESERVED = ("_index",)
"""Column names that AnnData keeps for itself."""


def export_anndata(
    excerpt: Excerpt,
    path: Path,
    *,
    overwrite: bool = False,
    told: Told = lambda what, done, total: None,
) -> int:
    """Write an ``.h5ad`` file of n patches, which scanpy and other tools of single cells read.

    ===========================  ================================================================
    ``X``                        the features H, (n, D) float32; variables ``H0, H1, ...``
    ``obsm["X_tsimcne"]``        the map, (n, 2 or 3) float32
    ``obsm["spatial"]``          centres in their images, (n, 2) float64 as (x, y), the centre of
                                 the first pixel at 0, in ``uns["tsimcne"]["spatial_unit"]``: µm,
                                 or pixels where an image does not say how large they are
    ``obs``                      the columns of the patch table and ``cluster``; names of
                                 observations are the patches' numbers
    ``uns["cluster_colors"]``    colours of the clusters, in the order of the categories
    ``uns["tsimcne"]``           ``run``, ``software`` (its version), ``recipe`` (JSON),
                                 ``channels``, and ``images``: a table of axes, shape, pixel size
                                 (y, x) and unit
    ===========================  ================================================================

    Columns are written as types that HDF5 knows, see `writable`; in their names, and those of
    images, ``/`` becomes ``_``, as it separates groups there.

    Parameters
    ----------
    excerpt
        Which patches.
    path
        Ends in ``.h5ad``.
    overwrite
        Replace a file that is there.
    told
        Called with how many patches are read; an exception it raises cancels.

    Returns
    -------
    int
        How many patches were written.

    Raises
    ------
    InputError
        Where the run has no map, the suffix is another one, or the file exists or cannot be
        written.
    """
    # Only here: it takes a second.
    from anndata import AnnData

    path = Path(path)
    if path.suffix.lower() != ".h5ad":
        raise InputError(f"the AnnData file {path} must end in .h5ad")
    run, rows = excerpt.run, excerpt.rows
    coordinates, every = run.coordinates[rows], excerpt.exploration.features
    features = np.empty((len(rows), every.shape[1]), np.float32)
    for start in range(0, len(rows), ROWS):
        told("Reading the features", start, len(rows))
        features[start : start + ROWS] = every[rows[start : start + ROWS]]
    spatial, unit = _spatial(excerpt)
    data = AnnData(
        X=features,
        obs=_observations(excerpt),
        var=pd.DataFrame(index=[f"H{i}" for i in range(features.shape[1])]),
        obsm={"X_tsimcne": coordinates, "spatial": spatial},
        uns={"tsimcne": {
            "run": run.folder.name,
            "software": __version__,
            "recipe": run.recipe.model_dump_json(),
            "channels": np.array([channel.name for channel in run.info.channels], object),
            "images": _images(excerpt),
            "spatial_unit": unit,
        }},
    )  # fmt: skip
    colors = {_written(cluster.name): cluster.color for cluster in excerpt.clusters}
    if colors:
        names = data.obs["cluster"].cat.categories
        data.uns["cluster_colors"] = np.array([colors[name] for name in names], object)
    told("Writing AnnData", 0, 1)
    with new_file(path, overwrite) as draft:
        data.write_h5ad(draft)
    return len(rows)


def writable(column: pd.Series) -> pd.Series:
    """Return a column as a type that AnnData writes; what is missing stays missing.

    Whole numbers and booleans stay what they are, of nullable types where some are missing;
    other numbers are floats. All else is text, as categories: text itself, dates, and whatever
    else a column mixes. Categories keep their order.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _categories(column)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        return column
    kind = _kind(column)
    if kind in ("boolean", "integer"):
        nullable = column.astype("boolean" if kind == "boolean" else "Int64")
        return nullable if nullable.hasnans else nullable.astype(
            bool if kind == "boolean" else np.int64
        )  # fmt: skip
    if kind == "floating":
        return column.astype(object).where(column.notna(), np.nan).astype(np.float64)
    return _text(column)


def _kind(column: pd.Series) -> str:
    """Return ``boolean``, ``integer``, ``floating`` or ``text``, by the values that are there."""
    if types.is_bool_dtype(column.dtype):
        return "boolean"
    if types.is_integer_dtype(column.dtype) and not types.is_unsigned_integer_dtype(column.dtype):
        return "integer"
    found = types.infer_dtype(column, skipna=True)
    if found == "integer":
        present = [int(value) for value in column.dropna()]
        return "integer" if all(-(2**63) <= n < 2**63 for n in present) else "text"
    if found in ("floating", "mixed-integer-float"):
        return "floating"
    return "boolean" if found == "boolean" else "text"


def _text(column: pd.Series) -> pd.Series:
    present = column.notna().to_numpy()
    values = np.full(len(column), None, object)
    values[present] = [_written(value) for value in column[present]]
    names = pd.Index(sorted(set(values[present])), dtype=object)
    return pd.Series(pd.Categorical(values, names), column.index, name=column.name)


def _categories(column: pd.Series) -> pd.Series:
    """Return categories of text; where some are written alike they are one."""
    written = np.array([_written(value) for value in column.cat.categories], object)
    places, names = pd.factorize(written)
    # A code of -1, for what is missing, takes the last one.
    codes = np.append(places, -1)[column.cat.codes.to_numpy()]
    categorical = pd.Categorical.from_codes(codes, names, ordered=column.cat.ordered)
    return pd.Series(categorical, column.index, name=column.name)


def _written(value: Any) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    # HDF5 ends text at a null, and takes no half of a character.
    return text.replace("\0", "").encode(errors="replace").decode()


def _observations(excerpt: Excerpt) -> pd.DataFrame:
    table = exported_columns(excerpt)
    # In `obsm`.
    table = table.drop(columns=[name for name in MAP_COLUMNS if name in table])
    names = distinct([str(name).replace("/", "_") for name in table], RESERVED)
    table = table.set_axis(names, axis=1)
    table["cluster"] = table["cluster"].cat.remove_unused_categories()
    observations = pd.DataFrame({name: writable(table[name]) for name in table})
    return observations.set_axis(pd.Index(table["patch"].astype(str).to_list(), dtype=object))


def _images(excerpt: Excerpt) -> pd.DataFrame:
    """Return a row an image that patches are of."""
    records = [excerpt.run.image(name) for name in excerpt.table["image"].unique()]
    return pd.DataFrame(
        {
            "axes": [record.axes for record in records],
            "shape": [" x ".join(map(str, record.shape)) for record in records],
            "pixel_size_y": [record.pixel_size[0] for record in records],
            "pixel_size_x": [record.pixel_size[1] for record in records],
            "unit": [record.unit for record in records],
        },
        index=pd.Index([_written(record.name) for record in records], dtype=object),
    )


def _spatial(excerpt: Excerpt) -> tuple[np.ndarray, str]:
    """Return centres as (x, y), (n, 2), and their unit."""
    codes, names = pd.factorize(excerpt.table["image"])
    records = [excerpt.run.image(name) for name in names]
    centres = excerpt.table[["x", "y"]].to_numpy(np.float64)
    if not all(record.unit in MICROMETRES for record in records):
        return centres, "pixel"
    sizes = [np.array(one.pixel_size[::-1]) * MICROMETRES[one.unit] for one in records]
    return centres * np.array(sizes)[codes], "µm"
