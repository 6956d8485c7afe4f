"""How fast patches are cut from one large image, beside the rate at which its tiles can be read.

    python benchmarks/extraction.py measure --side 20000 --out e.jsonl

A generated image of 3 channels uint16 is cut into 64 px patches: as tiled TIFF (deflate, and not
compressed) and as Zarr (zstd). In turn, each in a process of its own: tifffile or zarr alone reads
all tiles, with one and with two threads, the faster counts; then we cut. Peak memory is the
process's resident memory, cores busy is CPU seconds a second.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import numpy as np
import tifffile
import typer
import zarr
from record import machine, write

from napari_tsimcne.images import open_images
from napari_tsimcne.patches import Cut, extract_patches, place_grid
from napari_tsimcne.recipe import Grid

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)
TILE, PATCH = 256, 64
KINDS = ("deflate.tif", "plain.tif", "zstd.zarr")


@app.command()
def measure(
    side: int = 20_000,
    kinds: str = ",".join(KINDS),
    margins: str = "0,14",
    rounds: int = 3,
    folder: Annotated[Path | None, typer.Option(help="Where images and stores are made.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to append JSON lines to.")] = None,
) -> None:
    """Measure all kinds of files, and print medians."""
    write(out, what="machine", **machine("tifffile", "zarr", "dask", "imagecodecs"))
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for kind in kinds.split(","):
            path = Path(scratch) / kind
            make_image(path, side)
            for margin in map(int, margins.split(",")):
                jobs = {"1 thread": ("read", "1"), "2 threads": ("read", "2"),
                        "cut": ("cut", str(margin))}  # fmt: skip
                found: dict[str, list[dict]] = {name: [] for name in jobs}
                for _ in range(rounds):
                    for name, (job, number) in jobs.items():
                        found[name].append(_in_child(job, path, number))
                pace = {
                    name: statistics.median(f["megapixels_per_second"] for f in figures)
                    for name, figures in found.items()
                }
                alone = max(pace["1 thread"], pace["2 threads"])
                write(
                    out, what="extraction", kind=kind, side=side, margin=margin,
                    megapixels_per_second={n: round(p, 1) for n, p in pace.items()},
                    ratio=round(pace["cut"] / alone, 2),
                    cores_busy=round(statistics.median(f["cores"] for f in found["cut"]), 2),
                    peak_mib=max(f["peak_mib"] for f in found["cut"]),
                )  # fmt: skip


def make_image(path: Path, side: int) -> None:
    """Write an image of camera noise around smooth blobs, tile by tile."""
    random = np.random.default_rng(0)
    y, x = np.indices((1024, 1024)) / 40
    signal = 300 + 200 * np.sin(y) * np.sin(x)
    part = random.poisson(signal[..., None] * [1, 0.8, 0.5]).astype(np.uint16)
    part = np.tile(part, (2, 2, 1))

    def tiles(size: int) -> Iterator[np.ndarray]:
        for top in range(0, side, size):
            for left in range(0, side, size):
                tile = part[top % 1024 :, left % 1024 :][:size, :size]
                yield tile

    if path.suffix == ".zarr":
        array = zarr.create_array(
            path, shape=(3, side, side), chunks=(1, 512, 512), dtype="uint16",
        )  # fmt: skip
        for top in range(0, side, 512):
            row = part[top % 1024 :][: min(512, side - top)].transpose(2, 0, 1)
            row = np.tile(row[:, :, :1024], (1, 1, side // 1024 + 1))[..., :side]
            array[:, top : top + 512] = row
        return
    compression = {"compression": "zlib", "predictor": True} if "deflate" in path.name else {}
    tifffile.imwrite(
        path, tiles(TILE), shape=(side, side, 3), dtype="uint16", tile=(TILE, TILE),
        photometric="rgb", bigtiff=True, **compression,
    )  # fmt: skip


def _in_child(job: str, path: Path, number: str) -> dict:
    os.sync()  # what was written before is not to be paid for now
    done = subprocess.run(
        [sys.executable, __file__, "job", job, str(path), number],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


@app.command("job", hidden=True)
def job(kind: str, path: Path, number: int) -> None:
    if kind == "cut":
        _warm_up(path.parent)
    begun, cpu = time.perf_counter(), time.process_time()
    pixels = _read_all(path, number) if kind == "read" else _cut(path, number)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    path.with_name("patches.npy").unlink(missing_ok=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"megapixels_per_second": pixels / seconds / 1e6, "cores": cpu / seconds,
                      "peak_mib": round(peak)}))  # fmt: skip


def _warm_up(folder: Path) -> None:
    """Import what cutting needs before the clock starts, as is done for reading."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        path = Path(scratch) / "small.tif"
        tifffile.imwrite(path, np.zeros((2 * PATCH, 2 * PATCH, 3), np.uint16), photometric="rgb")
        _cut(path, 0)


def _read_all(path: Path, threads: int) -> int:
    """Decode every tile once and let go of it."""
    if path.suffix == ".zarr":
        array = zarr.open_array(path, mode="r")
        places = [(top, left) for top in range(0, array.shape[1], 512)
                  for left in range(0, array.shape[2], 512)]  # fmt: skip
        with ThreadPoolExecutor(threads) as pool:
            sizes = pool.map(
                lambda at: array[:, at[0] : at[0] + 512, at[1] : at[1] + 512].shape, places
            )
            return sum(h * w for _, h, w in sizes)
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        for _ in page.segments(maxworkers=threads):
            pass
        return page.imagelength * page.imagewidth


def _cut(path: Path, margin: int) -> int:
    images = open_images(path).images
    table = place_grid(images, Grid(size=PATCH))
    store = path.with_name("patches.npy")
    extract_patches(images, table, Cut(PATCH, margin), store)
    height, width = images[0].height_width
    return height * width


if __name__ == "__main__":
    app()
