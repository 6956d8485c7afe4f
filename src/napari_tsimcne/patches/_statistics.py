"""The range of values of each channel, over the whole collection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from napari_tsimcne.errors import InputError
from napari_tsimcne.recipe import Normalization

SAMPLE = 4096
"""Patches looked at: percentiles of some million pixels move little with more."""


class ChannelRange(BaseModel):
    """The values of one channel that are taken as 0 and as 1."""

    model_config = ConfigDict(frozen=True)

    name: str
    low: float
    high: float


def sampled_rows(patches: int, seed: int = 0) -> np.ndarray:
    """Return which of so many patches are looked at for their range of values, ascending."""
    count = min(SAMPLE, patches)
    return np.sort(np.random.default_rng(seed).choice(patches, count, replace=False))


def channel_ranges(
    store: np.ndarray,
    names: Sequence[str],
    normalization: Normalization,
    seed: int = 0,
    rows: np.ndarray | None = None,
) -> list[ChannelRange]:
    """Find the range of each channel of a patch store (N, C, S, S), of all its rows or some.

    Raises
    ------
    InputError
        Where every channel of the whole store has one value only: there is nothing to learn.
    """
    pool = np.arange(len(store)) if rows is None else rows
    chosen = pool[sampled_rows(len(pool), seed)]
    count = len(chosen)
    ranges, constant = [], 0
    for channel, name in enumerate(names):
        values = store[chosen, channel]
        if values.dtype == bool:  # of which there are no percentiles
            values = values.view(np.uint8)
        low, high = float(values.min()), float(values.max())
        constant += low == high
        if normalization.method != "none":
            p_low, p_high = np.percentile(values, normalization.percentiles)
            # A few bright spots on nothing: the percentiles coincide though the values do not.
            if p_low < p_high:
                low, high = float(p_low), float(p_high)
        elif store.dtype.kind in "bui":
            limits = (0, 1) if store.dtype.kind == "b" else _limits(store.dtype)
            low, high = float(limits[0]), float(limits[1])
        ranges.append(ChannelRange(name=name, low=low, high=high if high > low else low + 1))
    if constant == len(names) and rows is None:
        raise InputError(
            f"every pixel of the {count} patches looked at has the same value "
            f"({ranges[0].low:g} in '{names[0]}'): there is nothing to learn from; "
            "check that the right images and channels were chosen"
        )
    return ranges


def _limits(dtype: np.dtype) -> tuple[int, int]:
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)
