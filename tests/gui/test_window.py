"""The window, driven by real Qt events. Needs a display: a real one, or Xvfb.

Apart from the other tests, because torch and the drawing libraries must not share a process.
"""

import numpy as np
import pandas as pd
import pytest
from driving import (
    MapsAtOnce,
    add_dock,
    drag,
    drag_on,
    let_layout_settle,
    needs_display,
    open_run,
    press_train,
    to_canvas,
    to_world,
    wait_for_count,
)
from making import mapped
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_tsimcne.export import Excerpt, export_table
from napari_tsimcne.gui.map._map_view import dock_of
from napari_tsimcne.runs import Run
from napari_tsimcne.samples import nuclei_layers, synthetic_field

pytestmark = needs_display


@pytest.fixture
def dock(viewer, tmp_path):
    """The dock in a viewer with one synthetic field, set for the smallest training."""
    field = synthetic_field(cells=9)
    for plane, name in zip(field.image, ("DNA", "marker"), strict=True):
        viewer.add_image(plane, name=name, scale=(0.65, 0.65), units=("um", "um"),
                         blending="additive")  # fmt: skip
    return add_dock(viewer, tmp_path / "run")


@pytest.fixture
def made_up(monkeypatch):
    """Maps that are made up at once, where it is not the training that is tested."""
    monkeypatch.setattr("napari_tsimcne.gui.jobs._training_job.TrainingProcess", MapsAtOnce)


# --- what is seen -------------------------------------------------------------------------------


def lasso(view, mask, modifier=Qt.KeyboardModifier.NoModifier):
    """Drag a rectangle around the points of a mask, and return the points it encloses."""
    points = view.points[mask]
    pad = view.map_points.diameter
    (top, left), (bottom, right) = points.min(axis=0) - pad, points.max(axis=0) + pad
    corners = [(top, left), (top, right), (bottom, right), (bottom, left)]
    native = view.qt_viewer.canvas.native
    path = [to_canvas(view.model, native, corner) for corner in corners]
    # Whole pixels: the rectangle that is really drawn.
    low, high = to_world(view.model, native, path[0]), to_world(view.model, native, path[2])
    drag_on(view.model, native, path, modifier)
    return ((view.points > low) & (view.points < high)).all(axis=1)


def highlighted(dock):
    """Top left corners, in pixels, of the patches outlined in the viewer."""
    if dock.explorer.link.highlight is None:
        return set()
    starts = dock.explorer.link.highlight.data[::4, 0]
    return {tuple(round(float(v), 6) for v in start) for start in starts}


def corners_of(table):
    half = table["size"] / 2
    return set(zip(table["y"] - half, table["x"] - half, strict=True))


# --- the whole job ------------------------------------------------------------------------------


def test_from_layers_to_an_exported_selection(dock, viewer, qtbot, tmp_path):
    assert dock.form.images_step.summary.text().startswith("1 image, 2 channels, 0.65")
    assert wait_for_count(dock, qtbot) == "81 patches, 32\N{NO-BREAK SPACE}px"
    assert len(viewer.layers["patches preview"].data) == 4 * 81
    press_train(dock, qtbot)
    assert "patches preview" not in viewer.layers
    assert dock.panel.status.text() == "Done."
    assert set(dock.panel.curve.stages) == {"features", "map"}
    run, view = dock.explorer.run, dock.explorer.map_view
    selection = dock.explorer.exploration.selection
    let_layout_settle(view, qtbot)

    # Lasso a third of the map: its patches are outlined in the image.
    left_third = view.points[:, 1] <= np.quantile(view.points[:, 1], 0.33)
    inside = lasso(view, left_third)
    assert np.array_equal(selection.mask, inside) and 0 < inside.sum() < 81
    assert highlighted(dock) == corners_of(run.table[inside])
    assert viewer.layers["selected patches"].units == viewer.layers["DNA"].units

    # What is exported is what is selected.
    path = tmp_path / "selected.csv"
    export_table(Excerpt.selected(run, dock.explorer.exploration), path)
    exported = pd.read_csv(path)
    assert list(exported["patch"]) == list(np.flatnonzero(inside))
    assert np.allclose(exported[["map_x", "map_y"]], run.coordinates[inside], atol=1e-4)

    # Shift adds, Alt subtracts, undo goes back.
    right = view.points[:, 1] >= np.quantile(view.points[:, 1], 0.8)
    added = lasso(view, right, Qt.KeyboardModifier.ShiftModifier)
    assert np.array_equal(selection.mask, inside | added)
    lasso(view, right, Qt.KeyboardModifier.AltModifier)
    assert np.array_equal(selection.mask, inside & ~added)
    QTest.mouseClick(view.bar.undo, Qt.MouseButton.LeftButton)
    assert np.array_equal(selection.mask, inside | added)

    # A click in the image selects the patch there, and its point.
    row = run.table.iloc[40]
    native = viewer.window._qt_viewer.canvas.native
    place = to_canvas(viewer, native, np.array([row.y + 5, row.x - 7]) * 0.65)
    drag(native, [place])
    assert list(selection.rows) == [40]
    assert highlighted(dock) == corners_of(run.table.iloc[[40]])
    assert np.array_equal(view.chosen.data, view.points[[40]])

    # The map's own points were neither moved nor lost.
    assert np.array_equal(view.layer.data, view.points)


@pytest.mark.usefixtures("made_up")
def test_a_click_on_a_point_and_pan_and_escape(dock, qtbot):
    press_train(dock, qtbot)
    view, selection = dock.explorer.map_view, dock.explorer.exploration.selection
    let_layout_settle(view, qtbot)
    native = view.qt_viewer.canvas.native
    # Not under the picture of another.
    lonely = next(p for p in view.points[:, 1].argsort() if view.patch_at(view.points[p]) == p)
    place = to_canvas(view.model, native, view.points[lonely])
    drag(native, [place])
    assert list(selection.rows) == [lonely]

    QTest.keyClick(native, Qt.Key.Key_Escape)
    assert len(selection) == 0

    QTest.mouseClick(view.bar.tool_buttons["pan"], Qt.MouseButton.LeftButton)
    before = view.canvas.camera
    drag(native, [place, place + QPoint(40, 20), place + QPoint(80, 40)])
    qtbot.waitUntil(lambda: not np.allclose(view.canvas.camera, before))
    assert len(selection) == 0
    QTest.mouseClick(view.bar.fit, Qt.MouseButton.LeftButton)
    assert np.allclose(view.canvas.camera, before)


@pytest.mark.usefixtures("made_up")
def test_a_dragged_image_selects_nothing(dock, viewer, qtbot):
    press_train(dock, qtbot)
    native = viewer.window._qt_viewer.canvas.native
    middle = QPoint(native.width() // 2, native.height() // 2)
    drag(native, [middle, middle + QPoint(15, 0), middle + QPoint(30, 0)])
    assert len(dock.explorer.exploration.selection) == 0


@pytest.mark.usefixtures("made_up")
def test_turned_and_stretched_time_lapses_stay_linked(viewer, qtbot, tmp_path):
    movie = np.stack([synthetic_field(cells=5, seed=i).image[0] for i in range(3)])
    layer = viewer.add_image(movie, name="movie", scale=(2, 0.5, 1.5), translate=(0, 10, -20),
                             axis_labels=("t", "y", "x"), rotate=30)  # fmt: skip
    dock = add_dock(viewer, tmp_path / "run")
    assert "75 patches" in wait_for_count(dock, qtbot)
    press_train(dock, qtbot)
    chosen = np.zeros(75, bool)
    chosen[[3, 30, 74]] = True
    dock.explorer.exploration.selection.select(chosen)
    vectors = dock.explorer.link.highlight
    assert {int(start[0]) for start in vectors.data[:, 0]} == {0, 1, 2}
    for start in vectors.data[::4, 0]:
        assert vectors.data_to_world(start) == pytest.approx(layer.data_to_world(start))
    for patch in (3, 30, 74):
        row = dock.explorer.run.table.iloc[patch]
        assert dock.explorer.link.patch_at(layer.data_to_world((row.t, row.y, row.x))) == patch


# --- stopping, failing, closing -----------------------------------------------------------------


def test_wrong_choices_are_told_where_they_are_made(dock, viewer, qtbot):
    form, train = dock.form, dock.panel.train_button
    wait_for_count(dock, qtbot)
    form.patches.size.setValue(1000)
    qtbot.waitUntil(lambda: "larger than every image" in form.patches_step.summary.text())
    assert not train.isEnabled()
    form.patches.size.setValue(32)
    assert "81 patches" in wait_for_count(dock, qtbot) and train.isEnabled()
    viewer.layers.clear()
    qtbot.waitUntil(lambda: "no image" in form.images_step.summary.text().lower())
    assert not train.isEnabled() and not form.patches_step.content.isEnabled()


def test_what_cannot_be_trained_becomes_a_notice(dock, qtbot, monkeypatch):
    notices = []
    monkeypatch.setattr("napari_tsimcne.gui._dock.show_error", notices.append)
    dock.form.training.epochs[1].setValue(0)
    QTest.mouseClick(dock.panel.train_button, Qt.MouseButton.LeftButton)
    assert dock.job is None and "the map" in notices[-1]


@pytest.mark.usefixtures("made_up")
def test_closing_the_dock_leaves_nothing_behind(dock, viewer, qtbot):
    before = list(viewer.mouse_drag_callbacks)
    press_train(dock, qtbot)
    let_layout_settle(dock.explorer.map_view, qtbot)
    dock.explorer.exploration.selection.select_patch(7)
    assert viewer.mouse_drag_callbacks != before
    viewer.window.remove_dock_widget(dock)
    assert viewer.mouse_drag_callbacks == before
    assert [layer.name for layer in viewer.layers] == ["DNA", "marker"]
    assert not any("map" in name for name in viewer.window.dock_widgets)


@pytest.mark.usefixtures("made_up")
def test_the_map_can_be_closed_and_shown_again(dock, viewer, qtbot):
    press_train(dock, qtbot)
    explorer = dock.explorer
    selection = explorer.exploration.selection
    let_layout_settle(explorer.map_view, qtbot)
    selection.select_patch(7)
    explorer.clusters_view.painting.setChecked(True)
    (painted,) = set(explorer.link.cluster_layers.values())
    views = ("map_view", "gallery", "clusters_view")
    for closed in (["map_view"], ["gallery"], ["clusters_view"], views):
        for name in closed:
            dock_of(getattr(explorer, name)).destroyOnClose()
        qtbot.waitUntil(lambda: all(getattr(explorer, n) is None for n in closed))  # noqa: B023
        dock_of(dock).raise_()
        QTest.mouseClick(dock.map_panel.show_button, Qt.MouseButton.LeftButton)
        assert explorer.complete and not dock.map_panel.show_button.isEnabled()
        let_layout_settle(explorer.map_view, qtbot)
        # The new panel says that nothing is painted, and so it is.
        assert not painted.visible and not explorer.clusters_view.painting.isChecked()
        # All have their place in the window, the map between the images and the form.
        window = dock.window()
        dock_of(explorer.clusters_view).raise_()
        let_layout_settle(explorer.map_view, qtbot)
        places = [getattr(explorer, n).mapTo(window, QPoint(0, 0)) for n in views]
        assert all(window.rect().contains(place) for place in places), (closed, places)
        assert places[0].x() < places[2].x() and places[0].y() < places[1].y()
    view = explorer.map_view
    assert np.array_equal(view.chosen.data, view.points[[7]])
    selection.select_patch(8)
    assert np.array_equal(view.chosen.data, view.points[[8]])
    assert list(explorer.gallery.pictures.rows) == [8]


@pytest.mark.usefixtures("made_up")
def test_removed_layers_are_let_go(dock, viewer, qtbot):
    press_train(dock, qtbot)
    dock.explorer.exploration.selection.select_patch(7)
    viewer.layers.remove("selected patches")
    dock.explorer.exploration.selection.select_patch(8)
    assert len(highlighted(dock)) == 1
    viewer.layers.clear()
    dock.explorer.exploration.selection.select_patch(9)
    assert dock.explorer.link.layers == {}


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_run_opens_with_its_images(viewer, tmp_path, monkeypatch, qtbot, dimensions):
    from napari_tsimcne import Grid, Recipe, open_images
    from napari_tsimcne.samples import write_sample

    sample = write_sample(tmp_path / "images", fields=2, cells=6)
    images, _ = open_images(*sample.files)
    recipe = Recipe.quick(Grid(size=32), epochs=(1, 2), batch_size=32, map_dimensions=dimensions)
    run = mapped(Run.create(tmp_path / "run", images, recipe))
    _, dock = viewer.window.add_plugin_dock_widget("napari-tsimcne", "t-SimCNE")
    notices = []
    monkeypatch.setattr("napari_tsimcne.gui._explorer.show_info", notices.append)
    open_run(dock, run.folder, qtbot)
    assert any("three dimensions" in text for text in notices) == (dimensions == 3)
    assert dock.explorer.map_view.points.shape == (72, 2)
    assert [layer.name for layer in viewer.layers] == [
        f"field-{i}.ome.tif {c}" for i in (1, 2) for c in ("DNA", "marker")
    ]
    both = np.zeros(72, bool)
    both[[5, 60]] = True
    dock.explorer.exploration.selection.select(both)
    for patch in (5, 60):
        row = run.table.iloc[patch]
        world = dock.explorer.link.layers[row.image].layer.data_to_world((row.y, row.x))
        assert dock.explorer.link.patch_at(world) == patch
        outlines = dock.explorer.link.highlight
        inside = [
            np.abs(np.array(outlines.data_to_world(v)) - world).max() for v in outlines.data[:, 0]
        ]
        assert min(inside) == pytest.approx(16 * 0.65)


def test_layers_of_the_sample_are_taken_as_channels(viewer, qtbot):
    for data, options, kind in nuclei_layers():
        getattr(viewer, f"add_{kind}")(data, **options)
    _, dock = viewer.window.add_plugin_dock_widget("napari-tsimcne", "t-SimCNE")
    assert "900 patches" in wait_for_count(dock, qtbot)
    assert "1 image, 2 channels" in dock.form.images_step.summary.text()
    dock.form.images.joining.setCurrentIndex(1)
    qtbot.waitUntil(lambda: "2 images, 1 channel" in dock.form.images_step.summary.text())
    assert "1,800 patches" in wait_for_count(dock, qtbot)
