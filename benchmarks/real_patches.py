"""What the benchmarks share: real images with known classes, one training, and its scores."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

# Before torch: threads that wait by spinning starve each other on few cores.
os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import tifffile
from PIL import Image

from napari_tsimcne.explore import knn_accuracy
from napari_tsimcne.learning import Checkpoint, Scaling, Trainer
from napari_tsimcne.patches import channel_ranges
from napari_tsimcne.recipe import Normalization, Recipe

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass
class Patches:
    """``values`` (N, C, S, S); ``labels`` (N,): known classes, never shown to the training."""

    values: np.ndarray
    labels: np.ndarray
    rgb: bool

    @property
    def size(self) -> int:
        return self.values.shape[-1]

    def scaling(self, normalization: Normalization) -> Scaling:
        names = [str(c) for c in range(self.values.shape[1])]
        ranges = channel_ranges(self.values, names, normalization)
        low, high = ([[getattr(r, end) for r in ranges]] for end in ("low", "high"))
        return Scaling(np.array(low, np.float32), np.array(high, np.float32))

    def some(self, count: int) -> "Patches":
        """As many patches as asked for, drawn with replacement where there are fewer."""
        random = np.random.default_rng(0)
        rows = random.choice(len(self.values), count, replace=count > len(self.values))
        return Patches(self.values[rows], self.labels[rows], self.rgb)


def blood_cells() -> Patches:
    """8,000 blood cells of 8 classes, 28 px, RGB: eight mosaics of 40 x 25."""
    values, labels = [], []
    for path in sorted((DATA / "pbc").glob("*.png")):
        mosaic = np.asarray(Image.open(path).convert("RGB"))
        rows, columns = mosaic.shape[0] // 28, mosaic.shape[1] // 28
        tiles = mosaic.reshape(rows, 28, columns, 28, 3).transpose(0, 2, 4, 1, 3)
        values.append(tiles.reshape(-1, 3, 28, 28))
        labels += [path.stem] * len(values[-1])
    return Patches(np.concatenate(values), np.array(labels), rgb=True)


def nuclei() -> Patches:
    """3,277 nuclei in 16 phenotypes, 64 px, one fluorescence channel."""
    with np.load(DATA / "mitocheck" / "mitocheck64.npz") as file:
        return Patches(file["images"][:, None], file["labels"], rgb=False)


def dose_response(size: int = 48) -> Patches:
    """Cells of the control wells (drug or none), two fluorescence channels, cut around nuclei."""
    from skimage.measure import regionprops

    folder = DATA / "bbbc013"
    values, labels = [], []
    for line in (folder / "plate.csv").read_text().splitlines()[1:]:
        image, mask, _, _, _, control, *_ = line.split(",")
        if control == "0":
            continue
        pixels, nuclei_mask = tifffile.imread(folder / image), tifffile.imread(folder / mask)
        for cell in regionprops(nuclei_mask):
            y, x = (round(c) - size // 2 for c in cell.centroid)
            crop = pixels[:, max(y, 0) : y + size, max(x, 0) : x + size]
            if crop.shape[1:] == (size, size):
                values.append(crop)
                labels.append(control)
    return Patches(np.stack(values), np.array(labels), rgb=False)


SETS = {"pbc": blood_cells, "mitocheck": nuclei, "bbbc013": dose_response}


def learn(
    patches: Patches, recipe: Recipe, start: Checkpoint | None = None
) -> tuple[dict, Checkpoint]:
    """Train once: scores, seconds, pace; and the checkpoint at the end of the first stage."""
    if start is not None:
        state = start.state.model_copy(update={"recipe": recipe})
        start = Checkpoint(state, start.tensors)
    kept = [start]

    def save(checkpoint: Checkpoint) -> None:
        if checkpoint.state.position.stage == 1 and kept[0] is None:
            kept[0] = checkpoint

    begun = time.perf_counter()
    trainer = Trainer(
        patches.values, patches.scaling(recipe.normalization), patches.rgb, recipe,
        checkpoint=start, save=save,
    )  # fmt: skip
    pace, loss = [], {}
    for event in trainer.train():
        if event.kind == "progress" and event.stage_number == 1 and event.epoch:
            pace.append(event.images_per_second)
        if event.kind == "epoch":
            loss[event.stage] = event.loss
    (coordinates, features) = [*trainer.embed()][-1]
    seconds = time.perf_counter() - begun
    result = {
        "knn_2d": round(knn_accuracy(coordinates, patches.labels, "euclidean"), 4),
        "knn_features": round(knn_accuracy(features, patches.labels, "cosine"), 4),
        "seconds": round(seconds, 1),
        "images_per_second": round(float(np.median(pace)), 1) if pace else None,
        "loss": {name: round(value, 4) for name, value in loss.items()},
    }
    return result, kept[0]
