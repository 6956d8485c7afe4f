"""The processes that train together: one, or those that torchrun started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.parallel import DistributedDataParallel

from napari_tsimcne.errors import TrainingError

LOST_SIGNS = ("connection", "socket", "nccl", "gloo", "timed out")
"""Parts of what PyTorch says where another process is gone."""


class World:
    """One process of ``size``, with number ``rank``; every batch is shared among them.

    Each process computes the views of its share and gathers the outputs of all, through which
    gradients flow back, so that the result is that of one process with the whole batch.
    """

    rank = 0
    size = 1

    def share(self, count: int) -> slice:
        """Return the part of ``count`` items that is this process's."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def gather(self, values: Tensor, count: int) -> Tensor:
        """Join the shares (n, ...) of all processes to (count, ...); gradients flow back."""
        return values

    def agree(self, decision: int) -> int:
        """Return what the first process decided."""
        return decision

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return the module with gradients averaged over processes."""
        return module

    def synchronize_statistics(self, model: nn.Module) -> None:
        """Let batch normalisation see the whole batch."""

    @contextmanager
    def losses_explained(self) -> Iterator[None]:
        """Turn the loss of another process into a sentence."""
        yield

    def close(self) -> None:
        """Leave the other processes."""


class _Processes(World):
    def __init__(self, device: torch.device) -> None:
        backend = "nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend)
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self._device = device
        # Decisions pass between hosts, so that no GPU has to wait for them.
        self._talk = cast(dist.ProcessGroup, dist.new_group(backend="gloo"))

    def gather(self, values: Tensor, count: int) -> Tensor:
        sizes = [count * (r + 1) // self.size - count * r // self.size for r in range(self.size)]
        return cast(Tensor, _Gather.apply(values, sizes, self.rank))

    def agree(self, decision: int) -> int:
        word = torch.tensor([decision])
        dist.broadcast(word, src=0, group=self._talk)
        return int(word)

    def wrap(self, module: nn.Module) -> nn.Module:
        devices = [self._device.index] if self._device.type == "cuda" else None
        # Buffers are equal by construction: statistics are those of the whole batch.
        return DistributedDataParallel(module, device_ids=devices, broadcast_buffers=False)

    def synchronize_statistics(self, model: nn.Module) -> None:
        for name, child in model.named_children():
            if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
                setattr(model, name, _SharedBatchNorm.of(child))
            else:
                self.synchronize_statistics(child)

    @contextmanager
    def losses_explained(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            reason = str(error).split("\n")[0]
            if not any(sign in reason.lower() for sign in LOST_SIGNS):
                raise
            raise TrainingError(
                f"another process of this training has ended or cannot be reached ({reason}): see "
                "what it printed"
            ) from error

    def close(self) -> None:
        dist.destroy_process_group()


def join_world(device: torch.device) -> World:
    """Return the world of this process: that of torchrun where it was started by it.

    Raises
    ------
    TrainingError
        Where the other processes cannot be reached.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return World()
    try:
        return _Processes(device)
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"the other processes of this training cannot be reached ({error})"
        ) from error


class _Gather(Function):
    """Shares of different lengths, concatenated in the order of ranks."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, sizes: list[int], rank: int) -> Tensor:
        ctx.sizes, ctx.rank = sizes, rank
        longest = max(sizes)
        padded = values.new_zeros((longest, *values.shape[1:]))
        padded[: len(values)] = values
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        total = gradients[0].contiguous()
        dist.all_reduce(total)
        start = sum(ctx.sizes[: ctx.rank])
        return total[start : start + ctx.sizes[ctx.rank]], None, None


class _SumOverProcesses(Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


class _SharedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation with the statistics of all processes, on any device.

    PyTorch's SyncBatchNorm is for GPUs alone.
    """

    @classmethod
    def of(cls, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> _SharedBatchNorm:
        shared = cls(norm.num_features, norm.eps, norm.momentum, norm.affine)
        shared.load_state_dict(norm.state_dict())
        return shared.to(cast(Tensor, norm.running_mean).device)

    def _check_input_dim(self, values: Tensor) -> None:
        """Any number of dimensions will do."""

    def forward(self, values: Tensor) -> Tensor:
        if not self.training:
            return super().forward(values)
        values = values.float()
        count = values.new_tensor([values.numel() / values.shape[1]])
        over = tuple(d for d in range(values.dim()) if d != 1)
        sums = cast(Tensor, _SumOverProcesses.apply(torch.cat([values.sum(over), count])))
        total = sums[-1].detach()
        mean = sums[:-1] / total
        shape = (1, -1, *[1] * (values.dim() - 2))
        # About the shared mean: a mean of squares less a squared mean is inexact for large means.
        centred = values - mean.view(shape)
        sums = torch.cat([centred.sum(over), centred.square().sum(over)])
        rest, square = (cast(Tensor, _SumOverProcesses.apply(sums)) / total).chunk(2)
        # What rounding left of the mean.
        mean, centred = mean + rest, centred - rest.view(shape)
        variance = (square - rest.square()).clamp_min(0)
        with torch.no_grad():
            momentum = self.momentum or 0.1
            self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
            self.running_mean.lerp_(mean, momentum)  # type: ignore[union-attr]
            self.running_var.lerp_(variance * total / (total - 1), momentum)  # type: ignore[union-attr]
        scale = torch.rsqrt(variance + self.eps)
        if not self.affine:
            return centred * scale.view(shape)
        return centred * (scale * self.weight).view(shape) + self.bias.view(shape)
