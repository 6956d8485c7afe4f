"""How long the window's main thread is held while a map is explored.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/explorer.py --patches 100000

A generated run (patches of 8 px on a grid) is opened in a real window and driven by real mouse
events. `call_ms` is the time that our handlers take, `draw_ms` that of the paints that follow
until the window is idle; medians, and the longest. Drawing is by the machine's OpenGL: in software
where there is no graphics card.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import napari
import numpy as np
import pandas as pd
import typer
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from record import machine, write

from napari_tsimcne import Grid, Recipe, Run, open_images
from napari_tsimcne.gui._viewer import camera_of

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "gui"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from driving import send, to_canvas

SIDE = 8
"""Pixels of a patch."""
GROUPS = 20
NO_KEY = Qt.KeyboardModifier.NoModifier

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)


@app.command()
def measure(
    patches: int = 100_000,
    rounds: int = 5,
    out: Annotated[Path | None, typer.Option(help="File to append JSON lines to.")] = None,
) -> None:
    """Open a map of so many patches, and time what a user does with it."""
    write(out, what="machine", **machine("napari", "qtpy"))
    with tempfile.TemporaryDirectory() as folder:
        run = make_run(Path(folder), patches)
        viewer = napari.Viewer(show=True)
        viewer.window.resize(1560, 940)
        _, dock = viewer.window.add_plugin_dock_widget("napari-tsimcne", "t-SimCNE")
        settle()
        tell = Report(out, len(run.table))
        tell("open", [timed(lambda: dock.open_run(run.folder))])
        explorer = dock.explorer
        view, exploration = explorer.map_view, explorer.exploration
        while dock.showing.busy:
            QTest.qWait(100)
        QTest.qWait(1000)
        for share in (0.1, 1.0):
            lassos = [timed_lasso(view, share, clear=exploration.selection.clear)
                      for _ in range(rounds)]  # fmt: skip
            tell(f"lasso, {len(exploration.selection):,} patches", lassos)
        exploration.selection.clear()
        settle()
        tell("hover", timed_hover(view, 10 * rounds))
        for column in ("group", "density", "area", "cluster"):
            tell(f"colour by {column}", [timed(lambda c=column: explorer.coloring.choose(c))])
        mask = np.arange(len(run.table)) % 10 == 0
        tell("new cluster", [timed(lambda i=i: exploration.clusters.create(np.roll(mask, i)))
                             for i in range(rounds)])  # fmt: skip
        explorer.link.paint_clusters(True)
        settle()
        tell("new cluster, painted in the image",
             [timed(lambda i=i: exploration.clusters.create(np.roll(mask, i)))
              for i in range(rounds)])  # fmt: skip
        tell("undo", [timed(exploration.history.undo) for _ in range(rounds)])
        tell("pan and zoom", [timed_zoom(view, factor) for factor in (1.5, 2, 3, 0.2, 0.5)])
        viewer.close()


class Report:
    """Writes medians and the longest of call and draw times."""

    def __init__(self, out: Path | None, patches: int) -> None:
        self._out, self._patches = out, patches

    def __call__(self, what: str, times: list[tuple[float, float]]) -> None:
        calls, draws = zip(*times, strict=True)
        write(
            self._out, what=what, patches=self._patches, rounds=len(times),
            call_ms=round(1000 * statistics.median(calls), 1),
            longest_call_ms=round(1000 * max(calls), 1),
            draw_ms=round(1000 * statistics.median(draws), 1),
        )  # fmt: skip


def make_run(folder: Path, patches: int) -> Run:
    """Cut a noise image into patches, and lay them out as blobs on a made-up map."""
    import tifffile

    random = np.random.default_rng(0)
    side = round(np.sqrt(patches)) * SIDE
    tifffile.imwrite(folder / "noise.tif", random.integers(0, 255, (side, side), np.uint8),
                     tile=(256, 256))  # fmt: skip
    images, _ = open_images(folder / "noise.tif")
    recipe = Recipe.quick(Grid(size=SIDE)).model_copy(update={"margin": 0})

    def columns(table: pd.DataFrame) -> pd.DataFrame:
        group = random.integers(0, GROUPS, len(table))
        return table.assign(
            group=pd.Series(group).map("group {}".format), area=random.gamma(5, 20, len(table))
        )

    run = Run.create(folder / "run", images, recipe, measure=columns)
    group = run.table["group"].str.removeprefix("group ").astype(int).to_numpy()
    angle = 2 * np.pi * group / GROUPS
    centres = np.stack([np.cos(angle), np.sin(angle)], axis=1) * 30
    coordinates = centres + random.normal(size=(len(group), 2)) * 3
    features = random.normal(size=(len(group), 32)).astype(np.float32)
    run.save_map(coordinates, features, stopped=False, write_weights=lambda p: p.write_bytes(b""))
    return run


# --- times --------------------------------------------------------------------------------------


def timed(act: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds an action takes, and those until the window is idle again."""
    begun = time.perf_counter()
    act()
    acted = time.perf_counter()
    settle()
    return acted - begun, time.perf_counter() - acted


def settle() -> None:
    """Let pending events and paints happen."""
    for _ in range(5):
        QApplication.processEvents()


def timed_lasso(view: object, share: float, clear: Callable[[], None]) -> tuple[float, float]:
    """Draw a lasso around a share of the patches, and time its release."""
    clear()
    settle()
    native = view.qt_viewer.canvas.native
    points = view.points
    right = points[points[:, 1] >= np.quantile(points[:, 1], 1 - share)]
    low, high = right.min(axis=0) - 1, right.max(axis=0) + 1
    corners = [low, (low[0], high[1]), high, (high[0], low[1])]
    path = [np.linspace(a, b, 12) for a, b in zip(corners, [*corners[1:], low], strict=True)]
    places = [to_canvas(view.model, native, point) for point in np.concatenate(path)]
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    send(native, QEvent.Type.MouseButtonPress, places[0], left, left, NO_KEY)
    for place in places[1:]:
        QTest.qWait(12)  # as a hand moves: the canvas passes over faster moves
        send(native, QEvent.Type.MouseMove, place, none, left, NO_KEY)
    QTest.qWait(50)
    return timed(
        lambda: send(native, QEvent.Type.MouseButtonRelease, places[-1], left, none, NO_KEY)
    )


def timed_hover(view: object, count: int) -> list[tuple[float, float]]:
    """Move the pointer over the map, and time each move with what it shows."""
    native = view.qt_viewer.canvas.native
    random = np.random.default_rng(0)
    none = Qt.MouseButton.NoButton
    times = []
    for _ in range(count):
        point = view.points[random.integers(len(view.points))]
        place = to_canvas(view.model, native, point) + QPoint(1, 0)
        QTest.qWait(30)
        move = lambda: send(native, QEvent.Type.MouseMove, place, none, none, NO_KEY)  # noqa: B023,E731
        times.append(timed(move))
    return times


def timed_zoom(view: object, factor: float) -> tuple[float, float]:
    """Zoom by a factor and pan a little."""
    camera = camera_of(view.model)

    def zoom() -> None:
        camera.zoom *= factor
        camera.center = tuple(np.array(camera.center) + 1 / camera.zoom)

    return timed(zoom)


if __name__ == "__main__":
    app()
