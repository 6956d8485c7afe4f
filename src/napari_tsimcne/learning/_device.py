"""The device that trains, and the precision that is fastest on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn

from napari_tsimcne.errors import TrainingError


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of a name: ``auto`` (CUDA, then MPS, then CPU), ``cpu``, ``cuda``, ``mps``.

    Raises
    ------
    TrainingError
        Where the device named is not there.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, found in there.items() if found))
    if not there.get(name, False):
        raise TrainingError(
            f"the device '{name}' is not available here: use auto, or one of "
            + ", ".join(kind for kind, found in there.items() if found)
        )
    return torch.device(name)


def describe_device(device: torch.device) -> str:
    """Name of a device for the user."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return {"cpu": f"CPU, {torch.get_num_threads()} threads", "mps": "Apple GPU"}[device.type]


class Precision:
    """Arithmetic of the network: float32, or bfloat16 by autocast (the loss stays in float32)."""

    def __init__(self, device: torch.device, bfloat16: bool) -> None:
        self.name = "bfloat16" if bfloat16 else "float32"
        self._device, self._bfloat16 = device, bfloat16

    def __call__(self) -> AbstractContextManager:
        """Return the context in which the network runs."""
        if self._bfloat16:
            return torch.autocast(self._device.type, dtype=torch.bfloat16)
        return nullcontext()


def fastest_precision(model: nn.Module, example: Tensor) -> Precision:
    """Time a few training steps on ``example`` (N, C, S, S) in both precisions; weights stay."""
    seconds = {}
    state = {name: value.clone() for name, value in model.state_dict().items()}
    for bfloat16 in (False, True):
        precision = Precision(example.device, bfloat16)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            with precision():
                output = model(example)
            output.float().square().mean().backward()
            _synchronize(example.device)
            times.append(time.perf_counter() - start)
        seconds[bfloat16] = min(times[1:])
    model.zero_grad(set_to_none=True)
    model.load_state_dict(state)
    return Precision(example.device, seconds[True] < 0.9 * seconds[False])


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@contextmanager
def memory_errors_explained(batch_size: int) -> Iterator[None]:
    """Turn running out of memory into a sentence that says what to lower."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise TrainingError(
            f"memory ran out with {batch_size} images a batch: lower --batch-size, "
            "or use a smaller patch size"
        ) from error
    except RuntimeError as error:
        if "can't allocate memory" in str(error) or "not enough memory" in str(error):
            raise TrainingError(
                f"memory ran out with {batch_size} images a batch: lower --batch-size"
            ) from error
        raise
