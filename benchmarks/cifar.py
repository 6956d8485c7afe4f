"""CIFAR-10 or CIFAR-100 by a published strategy: accuracy, silhouette, norms, and pace.

    python benchmarks/cifar.py cifar10 --root data --download
    python benchmarks/cifar.py cifar100 --root data --preset paper-2d --epochs 100

Needs torch, torchvision, numpy, pydantic, safetensors, psygnal, typer and scikit-learn, no window;
on a GPU the recipe of 1,500 epochs is meant. Without --download, --root holds the unpacked folder
of python batches. All 60,000 images are trained on, as in the paper.
"""

import json
import os
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

os.environ.setdefault("GOMP_SPINCOUNT", "0")

import numpy as np
import torch
import typer
from sklearn.metrics import silhouette_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from torchvision import datasets

from napari_tsimcne.learning import Scaling, Trainer
from napari_tsimcne.recipe import PRESETS, Grid, Recipe

GMAC_PER_VIEW = 0.556
"""Forward pass of the published network on 32 px; training costs three of it."""
TEST_POINTS, SPLITS = 10_000, 5


class Name(StrEnum):
    cifar10 = "cifar10"
    cifar100 = "cifar100"


def load(name: Name, root: Path, download: bool) -> tuple[np.ndarray, np.ndarray]:
    """Images (60000, 3, 32, 32) uint8 and labels (60000,)."""
    kind = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    try:
        parts = [kind(root, train=train, download=download) for train in (True, False)]
    except RuntimeError as error:
        raise typer.BadParameter(f"{error} (--root {root}; --download fetches it)") from error
    images = np.concatenate([part.data for part in parts]).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(images), np.concatenate([part.targets for part in parts])


def knn(points: np.ndarray, labels: np.ndarray, metric: str) -> tuple[float, float]:
    """Mean and standard deviation over splits of the accuracy of 15 nearest neighbours."""
    test = min(TEST_POINTS, len(points) // 6)
    scores = []
    for seed in range(SPLITS):
        split = train_test_split(points, labels, test_size=test, random_state=seed)
        classifier = KNeighborsClassifier(15, metric=metric, n_jobs=-1).fit(split[0], split[2])
        scores.append(classifier.score(split[1], split[3]))
    return round(float(np.mean(scores)), 4), round(float(np.std(scores)), 4)


def main(
    name: Annotated[Name, typer.Argument(help="The images.")],
    root: Annotated[Path, typer.Option(help="Folder of the images.")] = Path("data"),
    download: bool = False,
    preset: Annotated[str, typer.Option(help=f"One of {', '.join(PRESETS)}.")] = "paper",
    epochs: Annotated[str, typer.Option(help="Of each stage, with commas.")] = "",
    batch_size: int = 1024,
    bfloat16: Annotated[bool, typer.Option(help="Where it is faster; float32 if not.")] = True,
    images: Annotated[int, typer.Option(help="Only so many images, to try it out.")] = 0,
    seed: int = 0,
    device: str = "auto",
    peak_tflops: Annotated[float, typer.Option(help="bf16 peak of the GPU; H200: 989.")] = 989.0,
    out: Annotated[Path, typer.Option(help="Folder for map.npz and scores.json.")] = Path("cifar"),
) -> None:
    """Train, score, and write map and scores."""
    pixels, labels = load(name, root, download)
    if images:
        pixels, labels = pixels[:images], labels[:images]
    given = [int(number) for number in epochs.split(",")] if epochs else None
    recipe = PRESETS[preset](
        Grid(size=32), rgb=True, margin=0, epochs=given, batch_size=batch_size, seed=seed
    )
    precision = "auto" if bfloat16 else "float32"
    recipe = Recipe(**{**recipe.model_dump(), "precision": precision})
    whole = Scaling(np.zeros((1, 3), np.float32), np.full((1, 3), 255, np.float32))
    trainer = Trainer(pixels, whole, True, recipe, device)
    moments = [time.perf_counter()]
    paces = []
    for event in trainer.train():
        if event.kind == "prepared":
            print(f"{event.device}, {event.precision}, {event.parameters:,} weights", flush=True)
        elif event.kind == "epoch":
            moments.append(time.perf_counter())
            seconds = moments[-1] - moments[-2]
            if event.stage == recipe.running_stages[0].name:
                paces.append(seconds)
            print(f"{event.stage} {event.epoch}/{event.epochs}  loss {event.loss:.4f}  "
                  f"{seconds:.2f} s", flush=True)  # fmt: skip
    *_, (coordinates, features) = trainer.embed()
    pace = len(pixels) / float(np.median(paces))
    flops = pace * 2 * 3 * 2 * GMAC_PER_VIEW * 1e9
    norms = {which: np.linalg.norm(values, axis=1)
             for which, values in (("H", features), ("Z", coordinates))}  # fmt: skip
    sample = np.random.default_rng(0).permutation(len(labels))[:TEST_POINTS]
    scores = {
        "data": name.value, "preset": preset, "epochs": [s.epochs for s in recipe.stages],
        "seed": seed, "images": len(pixels),
        "knn_2d_euclidean": knn(coordinates, labels, "euclidean"),
        "knn_h_euclidean": knn(features, labels, "euclidean"),
        "knn_h_cosine": knn(features, labels, "cosine"),
        "silhouette_2d": round(float(silhouette_score(coordinates[sample], labels[sample])), 4),
        "norms": {which: {"mean": round(float(n.mean()), 3), "std": round(float(n.std()), 3)}
                  for which, n in norms.items()},
        "images_per_second": round(pace, 1), "seconds_an_epoch": round(len(pixels) / pace, 2),
        "share_of_peak": round(flops / (peak_tflops * 1e12), 4) if torch.cuda.is_available()
        else None,
        "seconds": round(moments[-1] - moments[0], 1),
    }  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    np.savez(out / "map.npz", coordinates=coordinates, features=features, labels=labels)
    (out / "scores.json").write_text(json.dumps(scores, indent=1))
    print(json.dumps(scores))


if __name__ == "__main__":
    typer.run(main)
