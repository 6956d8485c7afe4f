"""How long the window's main thread is held while a map is learnt, live.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/stall.py --minutes 5

Synthetic nuclei are trained from the dock in a real window. A timer of 10 ms tells how long the
main thread could not answer (`gap_ms`, whoever's fault: drawing by software where there is no
graphics card, and other processes on few cores); `ours_ms` is the time of our own handlers of what
the training tells. Every 5 s the mouse moves over the map, or a lasso is drawn on it.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import napari
import numpy as np
import typer
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from record import machine, write

from napari_tsimcne.samples import synthetic_field

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "gui"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from driving import drag, to_canvas

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)
TIMER_MS = 10


@app.command()
def measure(
    minutes: float = 5,
    cells: int = 45,
    out: Annotated[Path | None, typer.Option(help="File to append JSON lines to.")] = None,
) -> None:
    """Train for some minutes with the map live, and print how long the main thread was held."""
    write(out, what="machine", **machine("napari", "qtpy"))
    with tempfile.TemporaryDirectory() as folder:
        viewer = napari.Viewer(show=True)
        viewer.window.resize(1560, 940)
        field = synthetic_field(cells)
        viewer.add_image(field.image, channel_axis=0, name="nuclei")
        _, dock = viewer.window.add_plugin_dock_widget("napari-tsimcne", "t-SimCNE")
        dock.ask_at_close = lambda: "stop"
        form = dock.form.training
        form.epochs[0].setValue(2)
        form.epochs[1].setValue(100_000)
        form.folder.setText(str(Path(folder) / "run"))
        QTest.qWait(8000)
        watch = Watch(dock)
        QTest.mouseClick(dock.panel.train_button, Qt.MouseButton.LeftButton)
        while dock.explorer is None or not dock.explorer.exploration.placed.any():
            QTest.qWait(50)
        watch.report(out, "until the map is there", patches=len(dock.explorer.exploration))
        end = time.perf_counter() + 60 * minutes
        turn = 0
        while time.perf_counter() < end:
            QTest.qWait(5000)
            use_map(dock.explorer.map_view, lasso=turn % 2 == 0)
            turn += 1
        watch.report(out, "live map", patches=len(dock.explorer.exploration),
                     minutes=minutes, maps=watch.maps)  # fmt: skip
        dock.job.stop()
        while dock.job is not None:
            QTest.qWait(50)
        watch.report(out, "stop, and the whole map", patches=len(dock.explorer.exploration))
        viewer.close()


class Watch:
    """Times gaps between ticks, and our handlers."""

    def __init__(self, dock: object) -> None:
        self._gaps: list[float] = []
        self._ours: list[tuple[float, str]] = []
        self._last = time.perf_counter()
        self.maps = 0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TIMER_MS)
        self._timer.timeout.connect(self._tick)
        self._timer.start()
        # Seen from outside: what the handlers take, paints not counted.
        for name in ("_on_cut", "_on_event", "_on_finished"):
            setattr(dock, name, self._timed(getattr(dock, name), name))
        from napari_tsimcne.gui.map._map_view import MapView

        for name in ("_on_stepped", "_on_settled"):
            setattr(MapView, name, self._timed(getattr(MapView, name), name))

    def _timed(self, handler: object, name: str) -> object:
        def timed(*values: object) -> None:
            begun = time.perf_counter()
            handler(*values)
            kind = getattr(values[-1], "kind", "") if values else ""
            self._ours.append((1000 * (time.perf_counter() - begun), f"{name} {kind}".strip()))
            self.maps += kind == "map"

        return timed

    def _tick(self) -> None:
        now = time.perf_counter()
        self._gaps.append(1000 * (now - self._last))
        self._last = now

    def report(self, out: Path | None, what: str, **figures: object) -> None:
        """Write what was seen since the last report."""
        slowest = [f"{name}: {ms:.0f}" for ms, name in sorted(self._ours)[-5:]]
        ours = summary([ms for ms, _ in self._ours])
        write(out, what=what, gap_ms=summary(self._gaps), ours_ms=ours, slowest=slowest, **figures)
        self._gaps.clear()
        self._ours.clear()


def summary(values: list[float]) -> dict:
    if not values:
        return {}
    found = {f"p{q}": round(float(np.percentile(values, q)), 1) for q in (50, 99, 99.9)}
    return found | {"max": round(max(values), 1), "count": len(values)}


def use_map(view: object, lasso: bool) -> None:
    """Draw a lasso around a part of the map, or move over it."""
    native = view.qt_viewer.canvas.native
    points = view.points[view.map_points.shown]
    low, high = np.quantile(points, (0.3, 0.7), axis=0)
    corners = [(low[0], low[1]), (low[0], high[1]), (high[0], high[1]), (high[0], low[1])]
    path = [to_canvas(view.model, native, corner) for corner in corners]
    if lasso:
        drag(native, path)
    else:
        for place in path:
            QTest.mouseMove(native, place)
            QApplication.processEvents()


if __name__ == "__main__":
    app()
