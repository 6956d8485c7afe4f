"""The state of a training between two steps: enough to go on as if nothing had happened."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from napari_tsimcne.errors import TrainingError
from napari_tsimcne.recipe import Recipe

FORMAT = 1


class Position(BaseModel):
    """The next step to take: counted from 0 in each stage, epoch."""

    model_config = ConfigDict(frozen=True)

    stage: int = 0
    epoch: int = 0
    step: int = 0

    @property
    def starts_stage(self) -> bool:
        """Whether no step of the stage was taken yet."""
        return self.epoch == 0 and self.step == 0


class TrainingState(BaseModel):
    """What a checkpoint holds beside tensors.

    ``loss``: sum over the epoch's steps so far. ``rate_scale``: factor on the
    learning rate, below 1 after a rollback. ``seconds``: time spent so far. ``device``: the kind
    it was trained on.
    """

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    recipe: Recipe
    patches: int
    channels: int
    position: Position
    output_dim: int
    head_layers: int = 0
    loss: float = 0.0
    rate_scale: float = 1.0
    bfloat16: bool = False
    compiled: bool = False
    device: str = ""
    threads: int = Field(default=1, ge=1, le=1024)
    seconds: float = 0.0


@dataclass(frozen=True)
class Checkpoint:
    """State and tensors: weights, optimiser, random generators, the order of the epoch."""

    state: TrainingState
    tensors: dict[str, Tensor]

    def save(self, path: Path) -> None:
        """Write to a new safetensors file.

        Raises
        ------
        OSError
            Where that fails.
        """
        save_tensors(self.tensors, path, {"training": self.state.model_dump_json()})

    @classmethod
    def load(cls, path: Path, recipe: Recipe, patches: int) -> Checkpoint:
        """Read a checkpoint of this recipe and number of patches; nothing is executed.

        Raises
        ------
        TrainingError
            Where the file is damaged or of another training.
        """
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
            state = TrainingState.model_validate_json(metadata["training"])
            tensors = load_file(path)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            reason = str(error).split("\n")[0]
            raise TrainingError(f"the checkpoint {path} is damaged ({reason})") from error
        if state.format != FORMAT:
            raise TrainingError(f"the checkpoint {path} is of another version of napari-tsimcne")
        if state.recipe != recipe or state.patches != patches:
            raise TrainingError(f"the checkpoint {path} is of another training than this run")
        return cls(state, tensors)

    @property
    def seed_here(self) -> int:
        """A seed for random numbers from here on, where a generator cannot be taken up."""
        state = self.state
        place = state.position
        entropy = [state.recipe.seed, place.stage, place.epoch, place.step]
        return int(np.random.SeedSequence(entropy).generate_state(1)[0])

    def part(self, name: str) -> dict[str, Tensor]:
        """Return the tensors below a name."""
        prefix = name + "."
        return {k.removeprefix(prefix): v for k, v in self.tensors.items() if k.startswith(prefix)}


def save_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Write a new safetensors file.

    Raises
    ------
    OSError
        Where that fails, with the number of the error, as of any other file.
    """
    try:
        save_file(dict(tensors), path, metadata=metadata)
        # Made for its owner alone, in a folder that may be shared.
        mask = os.umask(0)
        os.umask(mask)
        path.chmod(0o666 & ~mask)
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        code = int(number[1]) if number else errno.EIO
        raise OSError(code, os.strerror(code) if number else str(error)) from error


def optimizer_tensors(optimizers: Sequence[Optimizer]) -> dict[str, Tensor]:
    """Return the optimisers' states as tensors named ``<optimiser>.<weight number>.<key>``."""
    return {
        f"{which}.{number}.{key}": value
        for which, optimizer in enumerate(optimizers)
        for number, values in optimizer.state_dict()["state"].items()
        for key, value in values.items()
        if isinstance(value, Tensor)
    }


def restore_optimizers(optimizers: Sequence[Optimizer], tensors: dict[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave."""
    for which, optimizer in enumerate(optimizers):
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            owner, number, key = name.split(".")
            if int(owner) != which:
                continue
            weight = weights[int(number)]
            if value.shape == weight.shape:
                # Fused optimisers walk through memory: moments must lie there as their weight does.
                value = torch.empty_like(weight, dtype=value.dtype).copy_(value)
            else:
                # Counts of steps go up in place: the checkpoint may be needed again.
                value = value.clone()
            state.setdefault(int(number), {})[key] = value
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether all numbers of all tensors are finite."""
    return all(bool(torch.isfinite(one).all()) for one in tensors if one.is_floating_point())


def on_host(tensor: Tensor) -> Tensor:
    """Return a contiguous copy on the CPU that later steps do not change."""
    return tensor.detach().to("cpu", copy=True).contiguous()
