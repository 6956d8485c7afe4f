"""The patches as the training reads them: normalised batches on the device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from napari_tsimcne.learning._device import to_device

RESIDENT_SHARE = 0.4
"""Patches are kept on a GPU where they take at most this share of its free memory."""


class Scaling(NamedTuple):
    """Values taken as 0 and 1: ``low`` and ``high`` (G, C), one row a group of patches.

    ``group`` (N,): the row of each patch; all take the first where it is None.
    """

    low: np.ndarray
    high: np.ndarray
    group: np.ndarray | None = None


class PatchSet:
    """Patches in their original dtype, on the device where they fit, else read as needed.

    Parameters
    ----------
    patches
        (N, C, S + 2 margin, S + 2 margin), integers or floats; may be a memory map.
    scaling
        Values taken as 0 and 1.
    device
        Where batches are wanted.
    """

    def __init__(self, patches: np.ndarray, scaling: Scaling, device: torch.device) -> None:
        self._patches = patches
        self._device = device
        self._low = self._per_channel(scaling.low)
        self._width = self._per_channel(scaling.high) - self._low
        group = scaling.group
        self._group = None if group is None else torch.as_tensor(np.asarray(group, np.int64))
        self._kept: Tensor | None = None
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if patches.nbytes <= RESIDENT_SHARE * free:
                self._kept = _as_tensor(np.array(patches)).to(device)

    def _per_channel(self, values: np.ndarray) -> Tensor:
        tensor = torch.as_tensor(np.asarray(values, np.float32))
        return tensor[:, :, None, None].to(self._device)

    def __len__(self) -> int:
        return len(self._patches)

    @property
    def channels(self) -> int:
        """Channels of a patch."""
        return self._patches.shape[1]

    @property
    def resident(self) -> bool:
        """Whether the patches lie in the memory of the GPU."""
        return self._kept is not None

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Patches of some rows, float32 in 0..1 on the device, with their margin."""
        if self._kept is not None:
            return self._normalized(self._kept[rows.to(self._device)], rows)
        return self._normalized(to_device(self._read(rows), self._device), rows)

    def batches(self, chunks: Iterable[Tensor]) -> Iterator[Tensor]:
        """Yield the patches of each chunk of rows, read ahead where they come from the disk."""
        if self._kept is not None or self._device.type == "cpu":
            for rows in chunks:
                yield self[rows]
            return
        with ThreadPoolExecutor(max_workers=1) as reader:
            waiting: list[tuple[Tensor, Future[Tensor]]] = []
            for rows in chunks:
                waiting.append((rows, reader.submit(self._read, rows)))
                if len(waiting) > 2:
                    yield self._arrived(*waiting.pop(0))
            for pair in waiting:
                yield self._arrived(*pair)

    def _arrived(self, rows: Tensor, read: Future[Tensor]) -> Tensor:
        return self._normalized(to_device(read.result(), self._device), rows)

    def _read(self, rows: Tensor) -> Tensor:
        values = _as_tensor(np.ascontiguousarray(self._patches[rows.numpy()]))
        return values.pin_memory() if self._device.type == "cuda" else values

    def _normalized(self, values: Tensor, rows: Tensor) -> Tensor:
        if self._patches.dtype == np.uint16:
            values = values.int() & 0xFFFF
        low, width = self._low, self._width
        if self._group is not None:
            group = self._group[rows].to(self._device)
            low, width = low[group], width[group]
        return ((values.float() - low) / width).clamp_(0, 1)


def _as_tensor(values: np.ndarray) -> Tensor:
    """Tensor in a dtype that every device can index: uint16 as int16, wider types as float32."""
    if values.dtype == np.uint16:
        return torch.from_numpy(values.view(np.int16))
    if values.dtype == np.bool_:
        return torch.from_numpy(values.view(np.uint8))
    if values.dtype in (np.uint8, np.int8, np.int16, np.float16, np.float32):
        return torch.from_numpy(values)
    return torch.from_numpy(values.astype(np.float32))
