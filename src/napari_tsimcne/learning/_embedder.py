"""New patches onto an old map, and how familiar they are to it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from napari_tsimcne.learning._device import (
    choose_device,
    memory_errors_explained,
    memory_layout,
)
from napari_tsimcne.learning._network import TSimCNE
from napari_tsimcne.learning._patch_set import PatchSet, Scaling
from napari_tsimcne.learning._views import embedding_batch
from napari_tsimcne.recipe import Recipe

REFERENCES = 50_000
"""Training patches compared with, at most: a fixed sample of more."""
NEAREST = 5


class Embedder:
    """Applies a trained network, in float32 and without augmentation.

    Parameters
    ----------
    model
        The network.
    recipe
        That it was trained by: patch size and orientations.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    between
        Called between batches, about once a second or more often; may hold, or raise to cancel.
    """

    def __init__(
        self,
        model: TSimCNE,
        recipe: Recipe,
        device: str = "auto",
        between: Callable[[], None] = lambda: None,
    ) -> None:
        self._between = between
        self.device = choose_device(device)
        layout = memory_layout(self.device)
        self._model = model.eval().to(self.device).to(memory_format=layout)
        self._recipe = recipe

    def __call__(self, patches: np.ndarray, scaling: Scaling) -> tuple[np.ndarray, np.ndarray]:
        """Map patches (n, C, S + 2 margin, S + 2 margin) to coordinates (n, 2 or 3) and H (n, D).

        Raises
        ------
        TrainingError
            Where memory runs out.
        """
        data = PatchSet(patches, scaling, self.device)
        coordinates, features = [], []
        batch = embedding_batch(self._recipe, self.device)
        with memory_errors_explained(batch), torch.inference_mode():
            for values in data.batches(torch.arange(len(data)).split(batch)):
                recipe = self._recipe
                z, h = self._model.embed(values, recipe.patches.pixels, recipe.orientations)
                coordinates.append(z.cpu().numpy())
                features.append(h.cpu().numpy())
                self._between()
        return np.concatenate(coordinates), np.concatenate(features)


class Familiarity:
    """How common it is among patches that were not trained on to lie as far from those that were.

    The distance is the mean cosine distance in H to the five nearest training patches. The score
    of a patch is the share, (1 + farther) / (1 + all), of held-out patches at least as far: a
    conformal p-value, so of patches like the held-out ones a share p scores p or less.

    Parameters
    ----------
    features
        H of all patches of the run, (N, D).
    held_out
        Rows that were not trained on. Where there are none, trained patches stand in, each
        compared with all others; the score is then a little too strict.
    device
        Where distances are computed.
    """

    def __init__(
        self, features: np.ndarray, held_out: np.ndarray, device: str | torch.device = "cpu"
    ) -> None:
        self._device = torch.device(device)
        trained = np.setdiff1d(np.arange(len(features)), held_out)
        trained = trained[:: -(-len(trained) // REFERENCES)]
        self._references = self._unit(features[trained])
        if len(held_out):
            distances = self._distances(self._unit(features[held_out]))
        else:
            sample = trained[:: -(-len(trained) // 2000)]
            # Each finds itself at distance 0: one neighbour more, without it.
            distances = self._distances(self._unit(features[sample]), itself=True)
        self._known = np.sort(distances)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Score features (n, D): (n,) float32 in 0..1; below .01 is unfamiliar."""
        distances = self._distances(self._unit(features))
        farther = len(self._known) - np.searchsorted(self._known, distances, side="left")
        return ((1 + farther) / (1 + len(self._known))).astype(np.float32)

    def _unit(self, features: np.ndarray) -> Tensor:
        return F.normalize(torch.from_numpy(np.array(features)).to(self._device), dim=1)

    def _distances(self, unit: Tensor, itself: bool = False) -> np.ndarray:
        count = min(NEAREST, len(self._references) - itself)
        nearest = [
            (part @ self._references.T).topk(count + itself, dim=1).values[:, int(itself) :]
            for part in unit.split(1024)
        ]
        return (1 - torch.cat(nearest).mean(dim=1)).cpu().numpy()
