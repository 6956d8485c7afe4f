"""Values of channels that are taken as 0 and 1, of a whole run or of each image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from napari_tsimcne.patches import (
    ChannelRange,
    channel_ranges,
)
from napari_tsimcne.recipe import Recipe


def low_high(ranges: Sequence[Sequence[ChannelRange]]) -> tuple[np.ndarray, np.ndarray]:
    low = np.array([[channel.low for channel in row] for row in ranges], np.float32)
    high = np.array([[channel.high for channel in row] for row in ranges], np.float32)
    return low, high


def ranges_by_image(
    store: np.ndarray, table: pd.DataFrame, recipe: Recipe, names: Sequence[str]
) -> dict[str, tuple[ChannelRange, ...]]:
    """Values of channels that images take as 0 and 1, by image, where each has its own."""
    if recipe.normalization.method != "image":
        return {}
    return {
        str(image): tuple(
            channel_ranges(store, names, recipe.normalization, recipe.seed, rows.to_numpy())
        )
        for image, rows in table.groupby("image", sort=False).groups.items()
    }
