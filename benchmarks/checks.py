"""How long the checks of a map take.

    python benchmarks/checks.py --patches 10000,30000,100000

Generated patches of 32 pixels in two channels, features of 512 dimensions, and a table of ten
columns. Seconds, and seconds of processors: on cores that others use, these tell more.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from record import machine, write

from napari_tsimcne.explore import aspects, confounds, faithfulness, nearest, suspects
from napari_tsimcne.patches import measure_patches

NAMES = ["a", "b"]


def main(
    patches: str = "10000,30000,100000",
    dimensions: int = 512,
    out: Annotated[Path | None, typer.Option(help="File to append JSON lines to.")] = None,
) -> None:
    """Check generated maps, and print how long each check takes."""
    write(out, what="machine", **machine("numpy", "scipy", "scikit-learn"))
    for count in map(int, patches.split(",")):
        check(count, dimensions, out)


def check(count: int, dimensions: int, out: Path | None) -> None:
    """Time the checks of one map."""
    random = np.random.default_rng(0)
    places = random.normal(size=(count, 2)).astype(np.float32)
    features = random.normal(size=(count, dimensions)).astype(np.float32)
    features[:, :64] += np.tanh(places @ random.normal(size=(2, 64))) * 4
    store = random.integers(0, 4000, (count, 2, 32, 32), np.uint16)
    table = pd.DataFrame({
        "image": random.integers(0, 100, count).astype(str),
        **{f"class {i}": random.integers(0, 10, count).astype(str) for i in range(5)},
        **{f"number {i}": random.normal(size=count) for i in range(4)},
    })  # fmt: skip

    def timed(what: str, work: Callable[[], Any]) -> Any:
        started, used = time.perf_counter(), time.process_time()
        found = work()
        write(out, what=what, patches=count, seconds=round(time.perf_counter() - started, 2),
              processor=round(time.process_time() - used, 2))  # fmt: skip
        return found

    near = timed("neighbours", lambda: nearest(places))
    measures = timed("measures", lambda: measure_patches(store, 0, NAMES))
    found = timed("faithfulness", lambda: faithfulness(places, features))
    write(out, what="looked at", patches=count, of_them=found.looked_at)
    asked = aspects(table, features, measures, NAMES)
    timed("confounds", lambda: confounds(near, asked, table["image"].to_numpy()))
    timed("suspects", lambda: suspects(
        store, 0, features, near, measures, NAMES, np.array([4000, 4000])
    ))  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
