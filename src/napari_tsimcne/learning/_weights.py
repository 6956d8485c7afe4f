"""Weights on disk: safetensors with the recipe beside them; loading executes nothing."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from napari_tsimcne.errors import TrainingError
from napari_tsimcne.learning._checkpoint import save_tensors
from napari_tsimcne.learning._network import TSimCNE
from napari_tsimcne.recipe import Recipe

FORMAT = "1"


def save_weights(model: TSimCNE, recipe: Recipe, path: Path) -> None:
    """Write all weights and the recipe that made them to a new file.

    Raises
    ------
    OSError
        Where that fails.
    """
    tensors = {name: value.contiguous().cpu() for name, value in model.state_dict().items()}
    metadata = {
        "format": FORMAT,
        "recipe": recipe.model_dump_json(),
        "channels": str(model.channels),
        "output_dim": str(model.output_dim),
        "head_layers": str(model.head.layers),
    }
    save_tensors(tensors, path, metadata)


EARLIER_NAMES = {"hidden": "head.hidden", "readout": "head.readout"}
"""What parts of the network were called in the first version."""


def load_weights(path: Path, recipe: Recipe | None = None) -> tuple[TSimCNE, Recipe]:
    """Build the network of a weights file; names and shapes are checked against its recipe.

    ``recipe``: of the run, as it is understood today; needed for weights of earlier versions, which
    hold it as it was written then.

    Raises
    ------
    TrainingError
        Where the file is missing, damaged, of another version, or does not hold this network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        # The first versions gave none.
        if metadata.get("format", FORMAT) != FORMAT:
            raise ValueError("written by another version of napari-tsimcne: train again")
        recipe = recipe or Recipe.model_validate_json(metadata["recipe"])
        channels, outputs = int(metadata["channels"]), int(metadata["output_dim"])
        layers = int(metadata.get("head_layers", 0))
        # Without memory of its own: what the file says of the network may be larger than the file.
        with torch.device("meta"):
            model = TSimCNE(channels, recipe.network, outputs, layers)
        model.load_state_dict(_as_today(load_file(path), model, metadata), assign=True)
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise TrainingError(f"{path} holds no weights of a t-SimCNE network ({error})") from error
    return model, recipe


def _as_today(
    tensors: dict[str, Tensor], model: TSimCNE, metadata: dict[str, str]
) -> dict[str, Tensor]:
    """Name tensors of earlier versions as today, and add those that these did without."""
    if "format" in metadata:
        return tensors
    named = {}
    for name, value in tensors.items():
        first, _, rest = name.partition(".")
        named[f"{EARLIER_NAMES.get(first, first)}.{rest}" if rest else name] = value
    features = len(model.whitening.center)
    unchanged = {
        "mean": torch.zeros(1, model.channels, 1, 1), "std": torch.ones(1, model.channels, 1, 1),
        "whitening.center": torch.zeros(features), "whitening.matrix": torch.eye(features),
    }  # fmt: skip
    return {**unchanged, **named}
