"""What similar patches may share: columns of the table, and what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

Kind = Literal[
    "metadata", "image", "position", "brightness", "contrast", "focus", "size", "features", "added"
]
"""What a column tells of: a table's own, or what was measured."""

NOT_ASKED = (
    "patch", "label", "map_x", "map_y", "cluster", "familiarity", "unfamiliar", "stability",
    "stability of the map",
)  # fmt: skip
"""Columns that number patches, or were found on the map itself."""

NORM = "norm of H"
"""The column of the norm of the features H."""

SIZES = ("area", "major_axis", "minor_axis", "size")


class Aspect(NamedTuple):
    """Something that similar patches may share.

    ``label``: what it is called in a sentence; ``values``: of N patches.
    """

    label: str
    kind: Kind
    values: pd.Series


def aspects(
    table: pd.DataFrame, features: np.ndarray, measures: pd.DataFrame, channel_names: Sequence[str]
) -> dict[str, Aspect]:
    """Gather what similar patches may share, by name.

    Parameters
    ----------
    table
        Patch table, N rows: all its columns but numbers of patches and what the map itself gave.
    features
        H, (N, D), for its norm.
    measures
        Of pixels, see `measure_patches`; what the table has under the same name is not asked twice.
    channel_names
        Of the images.
    """
    found = {}
    for name in table.columns:
        if name not in NOT_ASKED:
            label, kind = _described(str(name), channel_names)
            found[str(name)] = Aspect(label, kind, table[name])
    for name in measures.columns:
        label, kind = _described(name, channel_names)
        if kind in ("brightness", "focus") and name not in found:
            found[name] = Aspect(label, kind, measures[name])
    if {"y", "x"} <= set(found):
        away = _from_center(table)
        name = "distance from the centre"
        found[name] = Aspect(f"{name} of the image", "position", away)
    length = pd.Series(np.linalg.norm(np.asarray(features, np.float32), axis=1), table.index)
    # Where H is at length 1 already, what differs is rounding.
    length = length.round(5)
    found[NORM] = Aspect("norm of the embedding vector", "features", length)
    return found


# --- inside ---------------------------------------------------------------------------------------


def _described(name: str, channel_names: Sequence[str]) -> tuple[str, Kind]:
    """Return what a column is called in a sentence, and what it tells of."""
    for word, what, kind in (
        ("mean", "mean intensity", "brightness"),
        ("std", "standard deviation", "contrast"),
        ("focus", "focus", "focus"),
    ):  # fmt: skip
        if name in {f"{word} {channel}" for channel in channel_names}:
            return f"{what} of {name.removeprefix(word + ' ')}", kind  # type: ignore[return-value]
    fixed: dict[str, tuple[str, Kind]] = {
        "image": ("image", "image"),
        "added": ("addition (own patches, or images added later)", "added"),
        "y": ("vertical place in the image (y)", "position"),
        "x": ("horizontal place in the image (x)", "position"),
        "t": ("time point", "metadata"),
        "z": ("depth (z)", "metadata"),
        "size": ("size of the window", "size"),
    }
    if name in fixed:
        return fixed[name]
    return name, "size" if name in SIZES else "metadata"


def _from_center(table: pd.DataFrame) -> pd.Series:
    """Distance of patches from the middle of all windows of their image, in pixels."""
    places = table[["y", "x"]].astype(np.float64)
    by_image = places.groupby(table["image"].to_numpy())
    centers = (by_image.transform("min") + by_image.transform("max")) / 2
    return pd.Series(np.hypot(*(places - centers).to_numpy().T), table.index)
