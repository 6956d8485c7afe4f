"""The device that trains, and the precision that is fastest on it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from napari_tsimcne.errors import TrainingError

BFLOAT16_DEVICES = ("cpu", "cuda")
"""Where bfloat16 may be chosen, and torch.compile."""


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
        return _numbered(next(kind for kind, found in there.items() if found))
    if not there.get(name, False):
        raise TrainingError(
            f"the device '{name}' is not available here: use auto, or one of "
            + ", ".join(kind for kind, found in there.items() if found)
        )
    return _numbered(name)


def _numbered(kind: str) -> torch.device:
    """Return the device of a kind: of several GPUs, the one torchrun meant for this process."""
    if kind != "cuda":
        return torch.device(kind)
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


def memory_layout(device: torch.device) -> torch.memory_format:
    """Return how images lie in memory: channels last, which is faster, where that is right.

    On Apple's GPUs gradients of batch normalisation are wrong then (pytorch/pytorch#175189).
    """
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """Copy to a device, without waiting where the copy is made of pinned memory."""
    return values.to(device, non_blocking=device.type == "cuda")


def exactly_on_host(values: Tensor) -> np.ndarray:
    """Copy to the host as float64 for what is small and needs it, such as principal axes.

    Apple's GPUs have no float64, and PyTorch has no decompositions of matrices for them.
    """
    return values.detach().float().cpu().numpy().astype(np.float64)


def principal_axes(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return variances (D,), ascending, and axes (D, D), in columns, of centred values (N, D)."""
    variances, axes = np.linalg.eigh(values.T @ values / len(values))
    return variances, axes


@contextmanager
def in_float32(device: torch.device) -> Iterator[None]:
    """Compute in float32 also where the network runs in bfloat16."""
    # Others have no autocast in every PyTorch, and never run in bfloat16.
    if device.type in BFLOAT16_DEVICES:
        with torch.autocast(device.type, enabled=False):
            yield
    else:
        yield


def describe_device(device: torch.device) -> str:
    """Name of a device for the user."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    cpu = f"CPU, {threads} thread{'s' if threads > 1 else ''}"
    return {"cpu": cpu, "mps": "Apple GPU"}[device.type]


class Precision:
    """Arithmetic of the network: float32, or bfloat16 by autocast (the loss stays in float32)."""

    def __init__(self, device: torch.device, bfloat16: bool) -> None:
        self.name = "bfloat16" if bfloat16 else "float32"
        self._device, self._bfloat16 = device, bfloat16

    def with_bfloat16(self, bfloat16: bool) -> Precision:
        """Return the same with or without bfloat16."""
        return Precision(self._device, bfloat16)

    def __call__(self) -> AbstractContextManager:
        """Return the context in which the network runs."""
        if self._bfloat16:
            return torch.autocast(self._device.type, dtype=torch.bfloat16)
        return nullcontext()


Check = Callable[[], None]
"""Called between steps that are timed; may wait there, or raise to break off."""


def fastest_precision(model: nn.Module, example: Tensor, check: Check = lambda: None) -> Precision:
    """Time a few training steps on ``example`` (N, C, S, S) in both precisions; weights stay."""
    exact, short = (Precision(example.device, bfloat16) for bfloat16 in (False, True))
    # In turn, and the best of several: another process may be busy for a while.
    pairs = [[step_seconds(model, example, p, check) for p in (exact, short)] for _ in range(3)]
    slow, fast = (min(seconds) for seconds in zip(*pairs, strict=True))
    return short if fast < 0.9 * slow else exact


def compiled_model(model: nn.Module) -> nn.Module:
    """Return the model compiled for batches of one size."""
    return cast(nn.Module, torch.compile(model, dynamic=False))


def compiled_seconds(
    model: nn.Module, example: Tensor, precision: Precision, check: Check = lambda: None
) -> float | None:
    """Time a training step of the compiled model; None where it cannot be compiled here."""
    try:
        return step_seconds(compiled_model(model), example, precision, check)
    except Exception as error:  # whatever a missing or broken compiler makes of it
        if is_memory_error(error):
            raise
        return None


def compiles_faster(
    model: nn.Module, example: Tensor, precision: Precision, check: Check = lambda: None
) -> bool:
    """Whether torch.compile works here and makes training steps faster; weights stay."""
    seconds = compiled_seconds(model, example, precision, check)
    return seconds is not None and seconds < 0.95 * step_seconds(model, example, precision, check)


def step_seconds(
    model: nn.Module, example: Tensor, precision: Precision, check: Check = lambda: None
) -> float:
    """Time a training step on ``example`` (N, C, S, S), after one to warm up; weights stay."""
    state = {name: value.clone() for name, value in model.state_dict().items()}
    times = []
    try:
        for _ in range(3):
            check()
            start = time.perf_counter()
            with precision():
                output = model(example)
            output.float().square().mean().backward()
            _synchronize(example.device)
            times.append(time.perf_counter() - start)
    finally:
        model.zero_grad(set_to_none=True)
        model.load_state_dict(state)
    return min(times[1:])


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@contextmanager
def memory_errors_explained(
    batch_size: int, try_batch: Callable[[int], None] | None = None
) -> Iterator[None]:
    """Turn running out of memory into a sentence that says what to lower, and how far.

    ``try_batch`` takes one step with a batch of some size; the largest that passes is suggested.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_memory_error(error):
            raise
        error.__traceback__ = None  # its frames hold what filled the memory
        fits = _largest_batch(batch_size, try_batch) if try_batch else None
        advice = f"{fits} fits" if fits else "and use a smaller patch size or a narrower network"
        raise TrainingError(
            f"memory ran out with {batch_size} images a batch: lower the batch size ({advice})"
        ) from None


def is_memory_error(error: BaseException) -> bool:
    """Whether memory ran out, of the host or of a GPU."""
    if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError):
        return True
    signs = ("can't allocate memory", "not enough memory", "out of memory")
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)


def _largest_batch(batch_size: int, try_batch: Callable[[int], None]) -> int | None:
    batch_size //= 2
    while batch_size >= 8:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            try_batch(batch_size)
        except (MemoryError, RuntimeError) as error:
            if not is_memory_error(error):
                raise
            batch_size //= 2
        else:
            return batch_size
    return None
