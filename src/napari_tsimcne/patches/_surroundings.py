"""Other objects in the patch of an object, dimmed or masked."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_tsimcne.images import ImageSource
from napari_tsimcne.patches._windows import Windows


def other_objects(
    windows: Windows, labels: ImageSource, plane: tuple[int, int], own: pd.Series
) -> np.ndarray:
    """Which pixels of crops are not of their own object, (n, side, side) bool."""
    places = [windows.places(number) for number in range(len(own))]
    top, left = (int(min(place[axis].min() for place in places)) for axis in (0, 1))
    bottom, right = (int(max(place[axis].max() for place in places)) + 1 for axis in (0, 1))
    t, z = (at if labels.length(axis) > 1 else 0 for at, axis in zip(plane, "TZ", strict=True))
    under = labels.read(t, z, slice(top, bottom), slice(left, right))[0]
    others = np.empty((len(own), windows.side, windows.side), bool)
    for other, (rows, columns), label in zip(others, places, own, strict=True):
        other[...] = under[np.ix_(rows - top, columns - left)] != label
    return others


def dim_objects(crops: np.ndarray, others: np.ndarray, dimming: float) -> None:
    """Multiply pixels of other objects by ``dimming``, in place."""
    for crop, other in zip(crops, others, strict=True):
        values = crop[:, other].astype(np.float64) * dimming
        crop[:, other] = values if crops.dtype.kind == "f" else np.rint(values)
