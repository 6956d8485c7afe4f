"""How long patches of 100,000 objects take to place and measure, beside scikit-image at once.

Labels and one channel lie in memory or in tiled, compressed TIFF files. Each way runs in a
process of its own, one after the other, for its peak of memory; the peak counts the arrays
that lie in memory (Linux only).
"""

import json
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
import tifffile
import typer
from record import machine, write

from napari_tsimcne import ImageSource, Objects
from napari_tsimcne.images import open_file
from napari_tsimcne.patches import place_objects

STEP, RADIUS = 37, (5, 13)
"""Pixels from disc to disc, and the range of their radii."""

NAMES = ("labels", "pixels")

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)


@app.command()
def compare(
    side: Annotated[int, typer.Option(help="Of the image, in pixels.")] = 12_000,
    out: Annotated[Path | None, typer.Option(help="File to append JSON lines to.")] = None,
) -> None:
    """Time `place_objects` from memory and from tiles, and `regionprops_table` on the whole."""
    with tempfile.TemporaryDirectory() as name:
        make_images(Path(name), side)
        for way, stored in [("ours", "memory"), ("ours", "tiles"), ("whole", "memory")]:
            child = subprocess.run(
                [sys.executable, __file__, "measure", way, stored, name],
                check=True, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            write(out, benchmark="objects", way=way, stored=stored, side=side,
                  **json.loads(child.stdout), machine=machine("scikit-image"))  # fmt: skip


@app.command(hidden=True)
def measure(way: str, stored: str, folder: Path) -> None:
    """Print the figures of one way."""
    figures = place(folder, stored) if way == "ours" else measure_whole(folder)
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(json.dumps({**figures, "peak_mib": round(peak / 1024)}))


def make_images(folder: Path, side: int) -> None:
    labels = discs(side)
    pixels = np.random.default_rng(1).integers(0, 60_000, labels.shape, dtype=np.uint16)
    for name, array in zip(NAMES, (labels, pixels), strict=True):
        np.save(folder / f"{name}.npy", array)
        tifffile.imwrite(folder / f"{name}.tif", array, tile=(512, 512), compression="zlib")


def discs(side: int) -> np.ndarray:
    """Labels (side, side) uint32: discs on a grid, each moved a little."""
    random = np.random.default_rng(0)
    labels = np.zeros((side, side), np.uint32)
    reach = np.arange(-RADIUS[1], RADIUS[1] + 1)
    distance = np.hypot(*np.meshgrid(reach, reach))
    centres = np.arange(STEP // 2 + 2, side - STEP // 2 - 2, STEP)
    for number, (y, x) in enumerate(product(centres, centres), start=1):
        top, left = np.array([y, x]) - RADIUS[1] + random.integers(-2, 3, 2)
        window = labels[top : top + len(reach), left : left + len(reach)]
        window[distance <= random.uniform(*RADIUS)] = number
    return labels


def place(folder: Path, stored: str) -> dict:
    if stored == "memory":
        labels, image = (
            ImageSource.from_array(np.load(folder / f"{name}.npy"), name=name) for name in NAMES
        )
    else:
        (labels,), (image,) = (open_file(folder / f"{name}.tif") for name in NAMES)
    begun = time.perf_counter()
    table, found = place_objects([image], {image.name: labels}, Objects(border=True))
    seconds = round(time.perf_counter() - begun, 1)
    return {"seconds": seconds, "objects": len(table), "size": found.size}


def measure_whole(folder: Path) -> dict:
    from skimage.measure import regionprops_table

    labels, pixels = (np.load(folder / f"{name}.npy") for name in NAMES)
    begun = time.perf_counter()
    table = regionprops_table(
        labels,
        pixels,
        properties=(
            "label", "area", "bbox", "centroid", "eccentricity", "axis_major_length",
            "axis_minor_length", "extent", "intensity_mean", "intensity_std",
        ),
    )  # fmt: skip
    return {"seconds": round(time.perf_counter() - begun, 1), "objects": len(table["label"])}


if __name__ == "__main__":
    app()
