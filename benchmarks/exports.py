"""How long each kind of export takes, and how much it writes.

    python benchmarks/exports.py --patches 10000 --side 32

Synthetic cells on a grid, in four clusters, on a made-up map; each kind is written a few times.
"""

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import typer
from record import machine, write

from napari_tsimcne import Grid, ImageSource, Recipe, Run
from napari_tsimcne.explore import Exploration
from napari_tsimcne.export import KINDS, Excerpt, default_name, export
from napari_tsimcne.runs import open_exploration
from napari_tsimcne.samples import CHANNELS, synthetic_field


def main(
    patches: int = 10_000,
    side: int = 32,
    rounds: int = 3,
    out: Annotated[Path | None, typer.Option(help="File to append JSON lines to.")] = None,
) -> None:
    """Make a run of so many patches, and write it as every kind of file."""
    write(out, what="machine", **machine("numpy", "tifffile", "anndata", "matplotlib"))
    with tempfile.TemporaryDirectory() as folder:
        run, exploration = mapped(Path(folder, "run"), patches, side)
        excerpt = Excerpt.all(run, exploration)
        for kind in KINDS:
            seconds = []
            for _ in range(rounds):
                begun = time.perf_counter()
                path = Path(folder, default_name(run, kind))
                written = export(kind, excerpt, path, overwrite=True)
                seconds.append(time.perf_counter() - begun)
            write(out, what=kind.name, patches=len(excerpt), seconds=round(median(seconds), 2),
                  files=written.files, megabytes=round(written.bytes / 1e6, 1))  # fmt: skip


def mapped(folder: Path, patches: int, side: int) -> tuple[Run, Exploration]:
    """Make a run with a map of four heaps, which are its clusters."""
    field = synthetic_field(cells=30)
    count = -(-patches // (960 // side) ** 2)
    images = [
        ImageSource.from_array(np.roll(field.image, 8 * i, axis=-1), "CYX", name=f"field {i}",
                               channel_names=CHANNELS, pixel_size=(0.65, 0.65), unit="µm")
        for i in range(count)
    ]  # fmt: skip
    run = Run.create(folder, images, Recipe.quick(Grid(size=side), margin=0))
    random = np.random.default_rng(0)
    heap = random.integers(0, 4, len(run.table))
    places = random.normal(size=(len(heap), 2)) * 5 + 40 * np.stack([heap % 2, heap // 2], axis=1)
    features = random.normal(size=(len(heap), 512))
    run.save_map(places, features, stopped=False, write_weights=lambda path: path.write_bytes(b""))
    exploration = open_exploration(run)
    exploration.clusters.replace(heap)
    return run, exploration


if __name__ == "__main__":
    typer.run(main)
