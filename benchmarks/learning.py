"""How fast the learning is, and how good its maps: beside the reference package, and by size.

    python benchmarks/learning.py throughput --reference REFERENCE/bin/python
    python benchmarks/learning.py time-to-map --reference REFERENCE/bin/python
    python benchmarks/learning.py ablations --seeds 0,1
    python benchmarks/learning.py scaling

REFERENCE is a virtual environment with ``tsimcne==0.3.12 lightning``, and the same torch. All
compute in turn on one machine; ratios are of medians. Every command appends JSON lines to --out.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import ablations
import numpy as np
import torch
import typer
from real_patches import SETS, Patches, learn
from record import machine, write

from napari_tsimcne.explore import knn_accuracy
from napari_tsimcne.learning import Trainer
from napari_tsimcne.recipe import PRESETS, Grid, Recipe

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)
app.command()(ablations.main)
app.registered_commands[-1].name = "ablations"

Out = Annotated[Path | None, typer.Option(help="File to append JSON lines to.")]
Reference = Annotated[
    Path | None, typer.Option(help="Python of an environment with the reference package.")
]


@app.command()
def throughput(
    reference: Reference = None, rounds: int = 3, steps: int = 6, out: Out = None
) -> None:
    """Images a second at equal network (ResNet18 of width 64), batch (256) and patches (28 px)."""
    patches = SETS["pbc"]().some(2048)
    pace: dict[str, list[float]] = {}
    for _ in range(rounds):
        if reference is not None:
            job = {"backbone": "resnet18_simclr", "epochs": [2], "steps": steps}
            found = _run_reference(reference, patches, job)["images_per_second"]
            pace.setdefault("reference", []).append(found)
        for precision in ("float32", "auto"):
            pace.setdefault(precision, []).append(_own_pace(patches, precision, steps))
    medians = {name: round(statistics.median(values), 1) for name, values in pace.items()}
    ratios = {}
    if reference is not None:
        ratios = {name: round(value / medians["reference"], 2) for name, value in medians.items()}
    write(out, what="throughput", **machine(), images_per_second=medians, ratios=ratios, all=pace)


def _own_pace(patches: Patches, precision: str, steps: int) -> float:
    """Median pace of the published first stage, with the published views."""
    settings = Recipe.paper(Grid(size=patches.size), batch_size=256, margin=0).model_dump()
    settings["precision"] = precision
    recipe = Recipe(**settings)
    trainer = Trainer(
        patches.values, patches.scaling(recipe.normalization), patches.rgb, recipe
    )  # fmt: skip
    events = trainer.train()
    times = []
    while len(times) <= steps:
        if next(events).kind == "progress":
            times.append(time.perf_counter())
    events.close()
    return 256 / float(np.median(np.diff(times)[1:]))


@app.command("time-to-map")
def time_to_map(
    reference: Reference = None,
    data: str = "pbc",
    presets: str = "quick",
    seeds: str = "0,1",
    small_image_epochs: str = "1,2",
    torchvision_epochs: str = "12,3,3",
    out: Out = None,
) -> None:
    """Seconds to a map and its kNN accuracy: presets, the reference, and t-SNE of the pixels."""
    patches = SETS[data]()
    write(out, what="machine", **machine())
    for preset in presets.split(","):
        for seed in map(int, seeds.split(",")):
            grid = Grid(size=patches.size)
            recipe = PRESETS[preset](grid, rgb=patches.rgb, margin=0, seed=seed)
            result, _ = learn(patches, recipe)
            write(out, data=data, method=preset, seed=seed, **result)
    write(out, data=data, method="t-SNE of the pixels, PCA 50", **_tsne_of_pixels(patches))
    if reference is None:
        return
    for backbone, epochs in (
        ("resnet18_simclr", small_image_epochs), ("resnet18", torchvision_epochs),
    ):  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            found = Path(folder) / "map.npz"
            numbers = [int(number) for number in epochs.split(",")]
            job = {"backbone": backbone, "epochs": numbers, "out": str(found)}
            seconds = _run_reference(reference, patches, job)["seconds"]
            with np.load(found) as made:
                scores = {
                    "knn_2d": knn_accuracy(made["coordinates"], patches.labels, "euclidean"),
                    "knn_features": knn_accuracy(made["features"], patches.labels, "cosine"),
                }
        write(out, data=data, method=f"reference, {backbone}, epochs {epochs}",
              **{name: round(value, 4) for name, value in scores.items()},
              seconds=round(seconds, 1))  # fmt: skip


def _tsne_of_pixels(patches: Patches) -> dict:
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    begun = time.perf_counter()
    pixels = patches.values.reshape(len(patches.values), -1).astype(np.float32)
    axes = PCA(50, random_state=0).fit_transform(pixels)
    made = TSNE(random_state=0, n_jobs=2).fit_transform(axes)
    seconds = time.perf_counter() - begun
    return {
        "knn_2d": round(knn_accuracy(made, patches.labels, "euclidean"), 4),
        "knn_features": round(knn_accuracy(axes, patches.labels, "euclidean"), 4),
        "seconds": round(seconds, 1),
    }


def _run_reference(python: Path, patches: Patches, job: dict) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "patches.npy", patches.values)
        file = Path(folder) / "job.json"
        file.write_text(json.dumps(
            {"patches": f"{folder}/patches.npy", "batch_size": 256, "workers": 2, **job}
        ))  # fmt: skip
        worker = Path(__file__).with_name("reference_worker.py")
        done = subprocess.run([python, worker, file], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the reference failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


@app.command()
def scaling(sizes: str = "1000,10000,100000", out: Out = None) -> None:
    """Seconds and memory by the number of patches: one epoch of features, five of the map."""
    write(out, what="machine", **machine())
    for size in sizes.split(","):
        done = subprocess.run([sys.executable, __file__, "scaling-of", size],
                              capture_output=True, text=True, check=True)  # fmt: skip
        write(out, what="scaling", **json.loads(done.stdout.splitlines()[-1]))


@app.command("scaling-of", hidden=True)
def scaling_of(count: int) -> None:
    import resource

    patches = SETS["pbc"]().some(count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    recipe = Recipe.quick(Grid(size=28), rgb=True, margin=0, epochs=(1, 5))
    begun, moments = time.perf_counter(), {}
    trainer = Trainer(patches.values, patches.scaling(recipe.normalization), True, recipe)
    for event in trainer.train():
        if event.kind == "epoch":
            moments[event.stage] = time.perf_counter() - begun
    for _ in trainer.embed():
        pass
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {
        "patches": count, "features_s": moments["features"],
        "map_s": moments["map"] - moments["features"], "embedding_s": seconds - moments["map"],
        "host_mib_of_training": (after - before) / 1024,
    }  # fmt: skip
    if torch.cuda.is_available():
        figures["gpu_mib"] = torch.cuda.max_memory_allocated() / 2**20
    print(json.dumps({name: round(value, 1) for name, value in figures.items()}))


if __name__ == "__main__":
    app()
