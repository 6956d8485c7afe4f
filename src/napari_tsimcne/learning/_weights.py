"""Weights on disk: safetensors with the recipe beside them; loading executes nothing."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

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


def load_weights(path: Path) -> tuple[TSimCNE, Recipe]:
    """Build the network of a weights file; names and shapes are checked against its recipe.

    Raises
    ------
    TrainingError
        Where the file is missing, damaged, of another version, or does not hold this network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        if metadata.get("format") != FORMAT:
            raise ValueError("written by another version of napari-tsimcne: train again")
        recipe = Recipe.model_validate_json(metadata["recipe"])
        channels, outputs, layers = (
            int(metadata[name]) for name in ("channels", "output_dim", "head_layers")
        )
        # Without memory of its own: what the file says of the network may be larger than the file.
        with torch.device("meta"):
            model = TSimCNE(channels, recipe.network, outputs, layers)
        model.load_state_dict(load_file(path), assign=True)
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise TrainingError(f"{path} holds no weights of a t-SimCNE network ({error})") from error
    return model, recipe
