"""Runs made from layers and opened again, what they left out, and the view of the images."""

import numpy as np
import pytest
import tifffile
from driving import (
    MapsAtOnce,
    add_dock,
    drag,
    let_layout_settle,
    mapped,
    needs_display,
    open_run,
    press_train,
)
from making import make_tiny_run
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication

from napari_tsimcne.explore import representative
from napari_tsimcne.gui._sentences import left_out
from napari_tsimcne.gui._viewer import camera_of
from napari_tsimcne.images import Skipped, open_file
from napari_tsimcne.recipe import Grid, Objects, Recipe
from napari_tsimcne.runs import Run
from napari_tsimcne.samples import synthetic_field

pytestmark = needs_display


@pytest.fixture
def viewer(viewer, monkeypatch):
    monkeypatch.setattr("napari_tsimcne.gui.jobs._training_job.TrainingProcess", MapsAtOnce)
    return viewer


@pytest.fixture
def field():
    return synthetic_field(cells=9)


@pytest.fixture
def warnings(monkeypatch):
    told = []
    for module in ("images._open", "_dock", "jobs._map_jobs"):
        monkeypatch.setattr(f"napari_tsimcne.gui.{module}.show_warning", told.append)
    return told


# --- opened again -------------------------------------------------------------------------------


def test_a_run_made_from_layers_finds_them_again(viewer, field, qtbot, tmp_path, warnings):
    for plane, name in zip(field.image, ("DNA", "marker"), strict=True):
        viewer.add_image(plane, name=name, translate=(5, 7))
    viewer.add_labels(field.labels, name="cells", translate=(5, 7))
    dock = add_dock(viewer, tmp_path / "run")
    dock.form.patches.kind.choose(Objects)
    dock.form.patches.border.setChecked(True)
    press_train(dock, qtbot)
    viewer.window.remove_dock_widget(dock)

    dock = add_dock(viewer, tmp_path / "other")
    open_run(dock, tmp_path / "run", qtbot)
    assert not warnings and [layer.name for layer in viewer.layers] == ["DNA", "marker", "cells"]
    (linked,) = dock.explorer.link.layers.values()
    assert linked.layer is viewer.layers["DNA"] and linked.channels == (viewer.layers["marker"],)
    label = dock.explorer.run.table["label"][12]
    y, x = np.argwhere(field.labels == label)[0]
    assert dock.explorer.link.patch_at((y + 5, x + 7)) == 12
    dock.explorer.exploration.selection.select_patch(12)
    assert dock.explorer.link.highlight in viewer.layers

    # Other pixels, though of the same name and shape: not these layers.
    viewer.layers["marker"].data = viewer.layers["marker"].data + 1
    open_run(dock, tmp_path / "run", qtbot)
    assert not dock.explorer.link.layers and "was a layer, not a file" in warnings[-1]


def test_colours_movies_and_files_find_their_layers(viewer, qtbot, tmp_path, warnings):
    random = np.random.default_rng(0)
    picture = random.integers(0, 255, (64, 64, 4), np.uint8)
    picture[..., 3] = 255
    movie = random.integers(0, 255, (5, 64, 64), np.uint8)
    viewer.add_image(picture, name="a + b", rgb=True)
    viewer.add_image(movie, name="movie", axis_labels=("t", "y", "x"), translate=(0, 0, 80))
    dock = add_dock(viewer, tmp_path / "none")
    dock.form.patches.size.setValue(8)
    for number, name in enumerate(("a + b", "movie")):
        folder = tmp_path / name
        dock.form.training.folder.setText(str(folder))
        for row, state in enumerate((Qt.CheckState.Unchecked, Qt.CheckState.Checked)):
            dock.form.images.layer_list.item((number + 1 + row) % 2).setCheckState(state)
        press_train(dock, qtbot)
        open_run(dock, folder, qtbot)
        assert list(dock.explorer.link.layers) == [name] and not warnings
        assert dock.explorer.link.layers[name].layer is viewer.layers[name]
    assert len(viewer.layers) == 2

    tifffile.imwrite(tmp_path / "a.tif", movie[0])
    run = Run.create(tmp_path / "of file", open_file(tmp_path / "a.tif"),
                     Recipe.quick(Grid(size=16), batch_size=4))  # fmt: skip
    mapped(run)
    open_run(dock, run.folder, qtbot)
    assert dock.explorer.link.layers["a.tif"].layer.name == viewer.layers[-1].name == "a.tif"


# --- left out -----------------------------------------------------------------------------------


class Fragile:
    """Pixels that can be read until the disk is taken away."""

    def __init__(self, pixels):
        self.pixels, self.gone = pixels, False
        self.shape, self.dtype, self.ndim = pixels.shape, pixels.dtype, pixels.ndim

    def __getitem__(self, index):
        if self.gone:
            raise OSError("the disk is gone")
        return self.pixels[index]

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype)


def test_images_left_out_are_named_with_their_reason(viewer, field, qtbot, tmp_path, warnings):
    fragile = Fragile(field.image[0])
    viewer.add_image(fragile, name="fragile", contrast_limits=(0, 1000))
    viewer.add_image(field.image[0], name="whole")
    dock = add_dock(viewer, tmp_path / "run")
    dock.form.images.joining.choose(False)
    dock._refresh()
    assert not dock.map_panel.left_out.isVisibleTo(dock)
    fragile.gone = True
    press_train(dock, qtbot)
    fragile.gone = False
    assert dock.panel.status.text() == "Done."
    left_out = dock.map_panel.left_out
    assert warnings == [left_out.text()] and left_out.isVisibleTo(dock)
    assert warnings[0].startswith("Left out:\nfragile: ") and "the disk is gone" in warnings[0]

    # Still there once the run is opened again.
    dock.map_panel.left_out.clear()
    open_run(dock, tmp_path / "run", qtbot)
    assert "the disk is gone" in dock.map_panel.left_out.text()


def test_five_of_many_are_named():
    skipped = [Skipped(f"{i}.tif", f"reason {i}") for i in range(8)]
    lines = left_out(skipped).split("\n")
    assert lines == ["Left out:", *(f"{i}.tif: reason {i}" for i in range(5)), "and 3 more"]
    assert "more" not in left_out(skipped[:5]) and not left_out([])


# --- the view -----------------------------------------------------------------------------------


def view_of(viewer):
    camera = camera_of(viewer)
    return (*camera.center, camera.zoom)


def train_and_settle(dock, qtbot):
    with qtbot.waitSignal(dock.image_view.settled, timeout=60_000):
        press_train(dock, qtbot)
        let_layout_settle(dock.explorer.map_view, qtbot)


def test_the_images_are_fitted_again_beside_the_map(viewer, field, qtbot, tmp_path):
    viewer.add_image(field.image[0], name="DNA")
    dock = add_dock(viewer, tmp_path / "run")
    before = view_of(viewer)
    train_and_settle(dock, qtbot)
    after = view_of(viewer)
    viewer.reset_view()
    assert after == pytest.approx(view_of(viewer)) and after[-1] < before[-1]

    # Of a second run as well.
    dock.form.training.folder.setText(str(tmp_path / "second"))
    train_and_settle(dock, qtbot)
    after = view_of(viewer)
    viewer.reset_view()
    assert after == pytest.approx(view_of(viewer))


def test_a_view_that_was_moved_stays(viewer, field, qtbot, tmp_path):
    viewer.add_image(field.image[0], name="DNA")
    dock = add_dock(viewer, tmp_path / "run")
    native = viewer.window._qt_viewer.canvas.native
    for _ in range(10):
        QApplication.processEvents()
    fitted = view_of(viewer)
    middle = QPoint(native.width() // 2, native.height() // 2)
    drag(native, [middle, middle + QPoint(60, 10)],
         arrived=lambda place: not np.allclose(view_of(viewer), fitted))  # fmt: skip
    moved = view_of(viewer)
    train_and_settle(dock, qtbot)
    assert view_of(viewer) == pytest.approx(moved)


def test_pictures_are_sorted_by_features_once_the_map_is_there(viewer, qtbot, tmp_path):
    run = make_tiny_run(tmp_path / "run")
    dock = add_dock(viewer, tmp_path / "other")
    open_run(dock, run.folder, qtbot)
    explorer = dock.explorer
    rows = np.arange(len(run.table))
    explorer.exploration.selection.select_rows(rows)
    message = explorer.gallery.message
    qtbot.waitUntil(lambda: message.text().startswith("Not sorted: "))
    assert "no map yet" in message.text() and list(explorer.gallery.pictures.rows) == list(rows)
    done = mapped(Run.open(run.folder))
    explorer.take_map(done)
    order = representative(done.features, rows)
    qtbot.waitUntil(lambda: list(explorer.gallery.pictures.rows) == list(order))
    assert not message.text() and list(order) != list(rows)
