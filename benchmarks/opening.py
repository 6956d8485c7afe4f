"""How long the window is held while images and runs are opened.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/opening.py show IMAGES
    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/opening.py run RUN

A timer of 10 ms tells how long the main thread could not answer, whoever's fault: drawing by
software where there is no graphics card counts as well, and so do other processes on few cores.
`blank_layer_s` is what napari itself takes to add a small layer to the same window: times in
units of it compare better between machines than seconds do. `held_by` lists the longest gaps, and
the line of the plugin at which a second thread saw the main thread most often in them.
"""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated

import napari
import numpy as np
import typer
from qtpy.QtCore import QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from record import machine, write

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)
TIMER_MS = 10
LONG_S = 0.1
LOOK_S = 0.01
QUIET_S = 1.0
"""Without a gap for so long, all that was begun is done."""

Out = Annotated[Path | None, typer.Option(help="File to append JSON lines to.")]


@app.command()
def show(folder: Path, out: Out = None) -> None:
    """Add a folder of images to the dock's list, and press Show."""
    viewer, dock, blank = _window(out)
    images = dock.form.images
    with Watch() as watch:
        images.add_files([folder])
        count = _until(lambda: len(images._table.rows))
        _until(lambda: images._job is None)
        listed = watch.lap()
        images.show_button.click()
        returned = watch.lap()
        _until(lambda: all(row.layers is not None for row in images._table.rows))
        _quiet(watch)
        shown = watch.lap()
    write(out, what="show", folder=folder.name, images=count, layers=len(viewer.layers),
          blank_layer_s=blank, listed=listed, pressed=returned, shown=shown)  # fmt: skip
    viewer.close()


@app.command()
def run(folder: Path, out: Out = None) -> None:
    """Open a run: its map, and its images as they come."""
    viewer, dock, blank = _window(out)
    with Watch() as watch:
        QTimer.singleShot(0, lambda: dock.open_run(folder))
        _until(lambda: dock.explorer is not None and dock.explorer.map_view.isVisible())
        _until(lambda: dock.explorer.map_view.qt_viewer is not None)
        seen = watch.lap()
        total = len(dock.explorer.run.info.images)
        _until(lambda: len(dock.explorer.link.layers) == total, 60)
        _quiet(watch)
        usable = watch.lap()
    write(out, what="run", folder=folder.name, images=total, layers=len(viewer.layers),
          linked=len(dock.explorer.link.layers), blank_layer_s=blank, map_seen=seen,
          usable=usable)  # fmt: skip
    viewer.close()


@app.command()
def first(out: Out = None) -> None:
    """Open a sample, and the dock for the first time."""
    write(out, what="machine", **machine("napari", "qtpy"))
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1560, 940)
    QTest.qWait(2000)
    with Watch() as watch:
        viewer.open_sample("napari-tsimcne", "nuclei")
        _quiet(watch)
        sample = watch.lap()
        viewer.window.add_plugin_dock_widget("napari-tsimcne", "t-SimCNE")
        _quiet(watch)
        dock = watch.lap()
    write(out, what="first", sample=sample, dock=dock)
    viewer.close()


class Watch:
    """Times gaps between ticks of the event loop, and looks what the main thread does in them."""

    def __enter__(self) -> "Watch":
        self._begun = self.last = time.perf_counter()
        self._gaps: list[float] = []
        self._seen: list[str] = []
        self._held: list[tuple[float, str]] = []
        self._main = threading.get_ident()
        self._ended = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()
        self._timer = QTimer()
        self._timer.setInterval(TIMER_MS)
        self._timer.timeout.connect(self._tick)
        self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.stop()
        self._ended.set()

    def _tick(self) -> None:
        now = time.perf_counter()
        self._gaps.append(now - self.last)
        if now - self.last > LONG_S and self._seen:
            looks = len(self._seen)
            often = (f"{n / looks:.0%} {what}" for what, n in Counter(self._seen).most_common(3))
            self._held.append((now - self.last, ", ".join(often)))
        self._seen = []
        self.last = now

    def _look(self) -> None:
        while not self._ended.wait(LOOK_S):
            if time.perf_counter() - self.last > LONG_S / 2:
                self._seen.append(_where(sys._current_frames()[self._main]))

    def quiet(self) -> bool:
        """Whether there was no gap worth naming in the last ticks."""
        recent = self._gaps[-int(QUIET_S / 0.02) :]
        return sum(recent) >= QUIET_S / 2 and max(recent) < 0.1

    def lap(self) -> dict[str, float]:
        """Return the time since the last lap, and its longest gaps."""
        QApplication.processEvents()
        self._tick()
        gaps, self._gaps = sorted(self._gaps)[::-1], []
        held, self._held = sorted(self._held)[::-1], []
        seconds, self._begun = time.perf_counter() - self._begun, time.perf_counter()
        return {
            "seconds": round(seconds, 2),
            "longest_gaps_s": [round(gap, 2) for gap in gaps[:4]],
            "gaps_over_100_ms": sum(gap > LONG_S for gap in gaps),
            "held_by": [f"{gap:.2f} s {what}" for gap, what in held[:8]],
        }


def _where(frame: FrameType | None) -> str:
    """Return the innermost line of the plugin, and the library that it waits for, if any."""
    inner, ours = "", ""
    while frame is not None and not ours:
        path = frame.f_code.co_filename
        name = f"{frame.f_code.co_name}"
        if "napari_tsimcne" in path:
            ours = f"{path.split('napari_tsimcne/')[-1]}:{frame.f_lineno} {name}"
        elif "importlib" in path:
            inner = "imports"
        elif not inner and "site-packages" in path:
            inner = f"{path.split('site-packages/')[-1].split('/')[0]} {name}"
        frame = frame.f_back
    return f"{ours or 'not the plugin'}" + (f" in {inner}" if inner else "")


def _window(out: Path | None) -> tuple[napari.Viewer, object, float]:
    write(out, what="machine", **machine("napari", "qtpy"))
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1560, 940)
    _, dock = viewer.window.add_plugin_dock_widget("napari-tsimcne", "t-SimCNE")
    QTest.qWait(3000)
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        layer = viewer.add_image(np.zeros((64, 64), np.uint8), contrast_limits=(0, 255))
        QApplication.processEvents()
        times.append(time.perf_counter() - begun)
        viewer.layers.remove(layer)
    QTest.qWait(1000)
    return viewer, dock, round(float(np.median(times)), 3)


def _until(true: Callable[[], object], seconds: float = 300) -> object:
    end = time.perf_counter() + seconds
    while not (found := true()) and time.perf_counter() < end:
        QTest.qWait(5)
    return found


def _quiet(watch: Watch) -> None:
    _until(watch.quiet, 60)


if __name__ == "__main__":
    app()
