"""Views of the user's own patches, to see what the training will see."""

from __future__ import annotations

import numpy as np
import torch

from napari_tsimcne.learning._augment import augment, center_crop
from napari_tsimcne.learning._patch_set import PatchSet, Scaling
from napari_tsimcne.recipe import Augmentations


def preview(
    patches: np.ndarray,
    n: int,
    scaling: Scaling,
    rgb: bool,
    augmentations: Augmentations,
    size: int,
    seed: int = 0,
) -> np.ndarray:
    """Return each patch and ``n`` augmented views of it.

    Parameters
    ----------
    patches
        (P, C, S + 2 margin, S + 2 margin), original values.
    n
        Views of each patch.
    scaling
        Values taken as 0 and 1.
    rgb
        Whether the channels are red, green and blue.
    augmentations
        What a view may change.
    size
        S, the side of a patch in pixels.
    seed
        The same seed gives the same views.

    Returns
    -------
    numpy.ndarray
        (P, 1 + n, C, S, S) float32 in 0..1; the first of each row is the patch itself.
    """
    random = torch.Generator().manual_seed(seed)
    stored = PatchSet(patches, scaling, torch.device("cpu"))[torch.arange(len(patches))]
    views = [center_crop(stored, size)]
    views += [augment(stored, size, augmentations, rgb, random) for _ in range(n)]
    return torch.stack(views, dim=1).numpy()
