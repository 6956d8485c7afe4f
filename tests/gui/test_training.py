"""A training as the window sees it: paused, stopped, killed, left and found again.

Needs a display: a real one, or Xvfb.
"""

import os

import numpy as np
import pytest
from driving import (
    TRAINING_MS,
    add_dock,
    close_window,
    let_layout_settle,
    needs_display,
    press_train,
)
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_tsimcne.events import Noted, Progress
from napari_tsimcne.gui.steps._training_panel import TrainingPanel
from napari_tsimcne.runs import Run, is_training, unfinished_runs
from napari_tsimcne.samples import synthetic_field

pytestmark = needs_display

LONG = 30
"""Epochs that no test sees the end of, but not so many that compiling is tried."""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


@pytest.fixture
def dock(viewer, folder):
    field = synthetic_field(cells=9)
    viewer.add_image(field.image, name="cells", channel_axis=0)
    return add_dock(viewer, folder)


def start(dock, qtbot, epochs, until):
    """Press Train, and wait for an event of a kind."""
    for field, count in zip(dock.form.training.epochs, epochs, strict=False):
        field.setValue(count)
    QTest.mouseClick(dock.panel.train_button, Qt.MouseButton.LeftButton)
    wait_for(dock, qtbot, until)
    return dock.job


def wait_for(dock, qtbot, kind):
    with qtbot.waitSignal(
        dock.job.told, timeout=TRAINING_MS, check_params_cb=lambda event: event.kind == kind
    ):
        pass


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def stop(dock, qtbot):
    with qtbot.waitSignal(dock.ended, timeout=TRAINING_MS):
        click(dock.panel.stop_button)


def test_stop_keeps_the_map_so_far_and_resume_goes_on(dock, folder, qtbot):
    start(dock, qtbot, (LONG, 2), "epoch")
    panel = dock.panel
    assert not panel.train_button.isEnabled() and "images/s" in panel.whole_label.text()
    assert "Stage 1 of 2, features: epoch" in panel.stage_label.text()
    stop(dock, qtbot)
    assert panel.status.text().startswith("Stopped")
    assert Run.open(folder).info.state == "stopped"
    assert dock.explorer.exploration.placed.all()
    assert panel.pause_button.text() == "Resume" and panel.pause_button.isEnabled()
    click(panel.pause_button)
    wait_for(dock, qtbot, "prepared")


def test_stop_is_pressed_once(qtbot):
    panel = TrainingPanel()
    qtbot.addWidget(panel)
    panel.begin("Starting")
    panel.show_training()
    panel.show_stopping()
    panel.show_event(Noted(text="Something was noted meanwhile"))
    assert not panel.stop_button.isEnabled() and not panel.pause_button.isEnabled()
    panel.end("Stopped")
    panel.begin("Starting")
    assert panel.stop_button.isEnabled()


def test_a_training_is_paused_and_goes_on(dock, qtbot):
    job = start(dock, qtbot, (LONG, 2), "progress")
    click(dock.panel.pause_button)
    wait_for(dock, qtbot, "paused")
    assert dock.panel.pause_button.text() == "Resume" and "Paused" in dock.panel.status.text()
    seen = []
    job.told.connect(seen.append)
    click(dock.panel.pause_button)
    wait_for(dock, qtbot, "progress")
    assert seen[0].kind == "resumed" and dock.panel.pause_button.text() == "Pause"


def test_the_map_forms_while_it_is_learnt_and_keeps_what_was_found(dock, viewer, qtbot):
    start(dock, qtbot, (1, 4000), "map")
    explorer = dock.explorer
    let_layout_settle(explorer.map_view, qtbot)
    exploration = explorer.exploration
    # Those held out for familiarity come with the whole map.
    assert 0.9 < exploration.placed.mean() < 1 and not explorer.run.has_map
    exploration.selection.select_rows(np.flatnonzero(exploration.placed)[:20])
    cluster = exploration.clusters.create(exploration.selection.mask, "early")
    # Removing a layer harms nothing.
    viewer.layers.remove(viewer.layers[0])
    wait_for(dock, qtbot, "map")
    view = explorer.map_view
    stop(dock, qtbot)
    assert dock.explorer is explorer and explorer.run.has_map and exploration.placed.all()
    qtbot.waitUntil(lambda: not view.glide.gliding)
    assert np.allclose(view.points[:, 1], explorer.run.coordinates[:, 0], atol=1e-5)
    assert exploration.clusters.members(cluster.id).sum() == 20
    assert exploration.features.shape[0] == len(exploration)


def test_a_child_that_is_killed_says_why_and_can_be_resumed(dock, folder, qtbot, monkeypatch):
    notices = []
    monkeypatch.setattr("napari_tsimcne.gui._dock.show_error", notices.append)
    job = start(dock, qtbot, (LONG, 2), "progress")
    with qtbot.waitSignal(dock.ended, timeout=TRAINING_MS):
        os.kill(job.process.pid, 9)
    assert len(notices) == 1 and "killed" in notices[0] and "memory" in notices[0]
    assert dock.panel.train_button.isEnabled()
    click(dock.panel.pause_button)
    assert dock.job is not None
    wait_for(dock, qtbot, "prepared")
    assert is_training(folder)


@pytest.mark.parametrize("answer", ["go on", "stop"])
def test_a_training_outlives_its_window_and_is_found_again(
    dock, viewer, folder, qtbot, make_napari_viewer, answer
):
    start(dock, qtbot, (LONG, 2), "epoch")
    dock.ask_at_close = lambda: "cancel"
    viewer.window._qt_window.close()
    assert viewer.window._qt_window.isVisible() and is_training(folder)
    dock.ask_at_close = lambda: answer
    close_window(viewer)
    if answer == "stop":
        qtbot.waitUntil(lambda: not is_training(folder), timeout=TRAINING_MS)
        assert Run.open(folder).info.state == "stopped"
        return
    assert is_training(folder)
    (found,) = unfinished_runs()
    assert found.folder == folder.resolve() and found.state == "training"

    other = make_napari_viewer(show=True)
    _, dock = other.window.add_plugin_dock_widget("napari-tsimcne", "t-SimCNE")
    dock.ask_at_close = lambda: "go on"
    qtbot.waitUntil(dock.unfinished.isVisible)
    assert "still being trained" in dock.unfinished.label.text()
    click(dock.unfinished.open_button)
    wait_for(dock, qtbot, "epoch")
    assert dock.explorer.run.folder == folder.resolve() and not dock.unfinished.isVisible()
    assert dock.panel.curve.stages["features"]


def test_closing_the_dock_leaves_the_training(dock, viewer, folder, qtbot):
    start(dock, qtbot, (LONG, 2), "prepared")
    viewer.window.remove_dock_widget(dock)
    assert is_training(folder)


def test_two_windows_cannot_train_into_one_run(dock, viewer, folder, qtbot, monkeypatch):
    notices = []
    monkeypatch.setattr("napari_tsimcne.gui._dock.show_error", notices.append)
    start(dock, qtbot, (LONG, 2), "prepared")
    dock.job.close()
    dock._end_job("")
    with qtbot.waitSignal(dock.ended, timeout=TRAINING_MS):
        click(dock.panel.train_button)
    assert "holds another run" in notices[-1] and is_training(folder)


def test_a_run_that_was_cut_off_is_offered(dock, viewer, folder, qtbot, make_napari_viewer):
    job = start(dock, qtbot, (LONG, 2), "progress")
    viewer.close()
    os.kill(job.process.pid, 9)
    qtbot.waitUntil(lambda: not is_training(folder))
    (found,) = unfinished_runs()
    assert found.state == "cut off"
    other = make_napari_viewer(show=True)
    _, dock = other.window.add_plugin_dock_widget("napari-tsimcne", "t-SimCNE")
    dock.ask_at_close = lambda: "go on"
    assert "was cut off" in dock.unfinished.label.text()
    click(dock.unfinished.open_button)
    wait_for(dock, qtbot, "prepared")


def test_choices_are_remembered(dock, viewer, qtbot, make_napari_viewer):
    dock.form.patches.size.setValue(40)
    dock.form.training.seed.setValue(7)
    dock.form.training.preset.choose("thorough")
    dock.form.training.batch_size.setValue(16)
    for field, count in zip(dock.form.training.epochs, (1, 1), strict=False):
        field.setValue(count)
    press_train(dock, qtbot)
    other = make_napari_viewer(show=True)
    _, dock = other.window.add_plugin_dock_widget("napari-tsimcne", "t-SimCNE")
    assert dock.form.patches.size.value() == 40 and dock.form.training.seed.value() == 7
    assert dock.form.training.preset.value == "thorough"
    assert dock.form.training.batch_size.value() == 16


def test_something_moves_at_once_and_what_comes_later_moves_nothing(qtbot):
    panel = TrainingPanel()
    qtbot.addWidget(panel)
    panel.show()
    panel.begin("Placing patches")
    shown = [panel.bar, panel.stage_bar, panel.whole_label, panel.stage_label]
    assert panel.bar.waiting and all(widget.isVisible() for widget in shown)
    QApplication.processEvents()
    places = [widget.y() for widget in shown]
    progress = Progress(
        stage="features", stage_number=1, stages=2, epoch=1, epochs=20, step=1, steps=9, loss=None,
        images_per_second=0, fraction=0.01, seconds_left=None,
    )  # fmt: skip
    panel.show_cutting("Cutting patches", 3, 12)
    assert panel.bar.value() / panel.bar.maximum() == 0.25
    panel.show_training()
    assert panel.bar.waiting
    panel.show_event(progress)
    assert not panel.bar.waiting and "measuring" in panel.whole_label.text()
    panel.show_event(progress.model_copy(update={"seconds_left": 60.0}))
    assert "1 min 0 s left" in panel.whole_label.text()
    QApplication.processEvents()
    assert [widget.y() for widget in shown] == places
