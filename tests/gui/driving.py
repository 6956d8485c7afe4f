"""Drives the window as a user does: buttons, and the mouse on a canvas."""

from time import perf_counter

import numpy as np
import pytest
from making import mapped
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_tsimcne.events import Finished
from napari_tsimcne.gui._viewer import camera_of
from napari_tsimcne.runs import Run

TRAINING_MS = 120_000
# Asked when a test begins: by then pytest-xvfb has made a display, one for each worker.
needs_display = pytest.mark.skipif(
    "sys.platform == 'linux' and not os.environ.get('DISPLAY')",
    reason="no display: install Xvfb",
)


def add_dock(viewer, folder):
    _, dock = viewer.window.add_plugin_dock_widget("napari-tsimcne", "t-SimCNE")
    training = dock.form.training
    for spin, epochs in zip(training.epochs, (1, 2), strict=False):
        spin.setValue(epochs)
    training.batch_size.setValue(32)
    training.device.choose("cpu")
    training.folder.setText(str(folder))
    dock.ask_at_close = lambda: "go on"
    chosen = dock.form.recipe
    # Which arithmetic is faster takes longer to find out than these trainings take.
    dock.form.recipe = lambda **options: chosen(**options).model_copy(
        update={"precision": "float32"}
    )
    return dock


def wait_for_count(dock, qtbot):
    """Wait until the patches of the choices are counted."""
    qtbot.waitUntil(lambda: dock.form.placed is not None, timeout=30_000)
    return dock.form.patches_step.summary.text()


def open_run(dock, folder, qtbot):
    """Open a run, and wait until its images are shown."""
    dock.open_run(folder)
    wait_for_images(dock, qtbot)


def wait_for_images(dock, qtbot):
    """Wait until no more images are to come, in the dock or its form."""
    qtbot.waitUntil(lambda: not dock.showing.busy, timeout=30_000)


def press_train(dock, qtbot):
    # Changes of layers count together, a moment later.
    qtbot.waitUntil(dock.panel.train_button.isEnabled)
    with qtbot.waitSignal(dock.ended, timeout=TRAINING_MS):
        QTest.mouseClick(dock.panel.train_button, Qt.MouseButton.LeftButton)
    wait_for_images(dock, qtbot)


def close_window(viewer):
    """Close the window as a person does; nothing is left for `make_napari_viewer` to close."""
    window = viewer.window
    window._qt_window.close()
    window._teardown()
    del window._qt_window


class MapsAtOnce:
    """Stands in for the child that trains: the map is made up, all else is real."""

    process = None

    def __init__(self, folder, device):
        self._folder = folder

    @classmethod
    def attach(cls, folder):
        return None

    def events(self):
        mapped(Run.open(self._folder))
        yield Finished(stopped=False, seconds=0)

    def leave(self):
        pass


def let_layout_settle(widget, qtbot):
    qtbot.waitUntil(lambda: widget.qt_viewer is not None)
    for _ in range(10):
        QApplication.processEvents()


# --- mouse on a canvas --------------------------------------------------------------------------


def to_canvas(model, native, point):
    """Pixel of a canvas that shows a world point (y, x)."""
    camera = camera_of(model)
    offset = (np.asarray(point) - camera.center[-2:]) * camera.zoom
    return QPoint(round(native.width() / 2 + offset[1]), round(native.height() / 2 + offset[0]))


def to_world(model, native, place):
    """World point (y, x) under a pixel of a canvas."""
    camera = camera_of(model)
    offset = np.array([place.y() - native.height() / 2, place.x() - native.width() / 2])
    return np.array(camera.center[-2:]) + offset / camera.zoom


def send(native, kind, place, button, buttons, modifier):
    event = QMouseEvent(
        kind, QPointF(place), QPointF(native.mapToGlobal(place)), button, buttons, modifier
    )
    QApplication.sendEvent(native, event)


def press(native, place, modifier=Qt.KeyboardModifier.NoModifier):
    left = Qt.MouseButton.LeftButton
    send(native, QEvent.Type.MouseButtonPress, place, left, left, modifier)


def move(native, place, modifier=Qt.KeyboardModifier.NoModifier, arrived=lambda place: True):
    """Move with the button down, and wait until the move has ``arrived``."""
    # The canvas passes over moves that come within 10 ms, as no hand makes them.
    while perf_counter() - native._last_time < 0.01:
        QApplication.processEvents()
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    send(native, QEvent.Type.MouseMove, place, none, left, modifier)
    # napari delivers moves at a steady pace, from its event loop.
    deadline = perf_counter() + 5
    while not arrived(place):
        assert perf_counter() < deadline, f"the move to {place} did not arrive"
        QApplication.processEvents()


def release(native, place, modifier=Qt.KeyboardModifier.NoModifier):
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    send(native, QEvent.Type.MouseButtonRelease, place, left, none, modifier)


def drag(native, path, modifier=Qt.KeyboardModifier.NoModifier, arrived=lambda place: True):
    """Press, move along a path, release; after each move wait until it has ``arrived``."""
    press(native, path[0], modifier)
    for place in path[1:]:
        move(native, place, modifier, arrived)
    release(native, path[-1], modifier)


def drag_on(model, native, path, modifier=Qt.KeyboardModifier.NoModifier):
    """Drag on the canvas of a viewer; each move is waited for, as fast ones are left out."""

    def arrived(place):
        at = to_canvas(model, native, model.cursor.position[-2:])
        return (at - place).manhattanLength() <= 1

    drag(native, path, modifier, arrived)
