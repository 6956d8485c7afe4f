"""A map that is explored while it is being learnt. Needs a display: a real one, or Xvfb."""

import numpy as np
import pytest
from driving import drag_on, needs_display, to_canvas
from making import make_tiny_run
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication

from napari_tsimcne.explore import Coloring, Exploration
from napari_tsimcne.gui.images._crops import Crops
from napari_tsimcne.gui.map import _map_glide
from napari_tsimcne.gui.map._map_view import MapView, dock_of

pytestmark = needs_display


@pytest.fixture
def exploration(tmp_path):
    run = make_tiny_run(tmp_path / "run")
    exploration = Exploration(run.table, None, lambda: None)
    exploration.run = run
    return exploration


@pytest.fixture
def view(exploration, make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1100, 760)
    view = MapView(exploration, Coloring(exploration), Crops(exploration.run, {}), "dark")
    viewer.window.add_dock_widget(view, area="right", add_vertical_stretch=False)
    view.window().resizeDocks([dock_of(view)], [500], Qt.Orientation.Horizontal)
    for _ in range(10):
        QApplication.processEvents()
    yield view
    view.close_canvas()


def places(count, seed=0, scale=1.0):
    return np.random.default_rng(seed).normal(size=(count, 2)).astype(np.float32) * scale


def on_map(coordinates):
    return np.stack([-coordinates[:, 1], coordinates[:, 0]], axis=1)


def in_view(view):
    native = view.qt_viewer.canvas.native
    pixels = [to_canvas(view.model, native, point) for point in view.points[view.map_points.shown]]
    return all(0 <= p.x() < native.width() and 0 <= p.y() < native.height() for p in pixels)


def test_points_appear_glide_and_stay_in_view(view, exploration, qtbot):
    assert view._notice.isVisible() and not view.map_points.shown.any()
    first = places(len(exploration))
    exploration.move(first)
    # They come from nowhere: there is nothing to glide from.
    assert np.allclose(view.layer.data, on_map(first)) and not view.glide.gliding
    assert not view._notice.isVisible() and view.map_points.shown.all() and in_view(view)

    second = places(len(exploration), seed=1, scale=40)
    seen = []
    view.glide.stepped.connect(lambda: seen.append(view.layer.data.copy()))
    with qtbot.waitSignal(view.glide.settled, timeout=10_000):
        exploration.move(second)
        assert view.glide.gliding
    assert np.allclose(view.layer.data, on_map(second)) and in_view(view)
    start, end = on_map(first), on_map(second)
    share = [np.abs(points - start).sum() / np.abs(end - start).sum() for points in seen]
    assert len(share) > 2 and (np.diff(share) > 0).all() and 0 < share[0] < 0.5


def test_a_second_move_sets_off_from_where_the_points_are(view, exploration, qtbot):
    exploration.move(places(len(exploration)))
    with qtbot.waitSignal(view.glide.stepped, timeout=10_000):
        exploration.move(places(len(exploration), seed=1))
    last = places(len(exploration), seed=2)
    there = view.points.copy()
    with qtbot.waitSignal(view.glide.settled, timeout=10_000):
        exploration.move(last)
        assert np.allclose(view.points, there)
    assert np.allclose(view.points, on_map(last))


def test_a_sample_is_shown_and_the_rest_comes_with_the_whole_map(view, exploration, qtbot):
    rows = np.arange(0, len(exploration), 3)
    exploration.move(places(len(rows)), rows)
    assert np.array_equal(np.flatnonzero(view.map_points.shown), rows) and in_view(view)
    whole = places(len(exploration), seed=4)
    with qtbot.waitSignal(view.glide.settled, timeout=10_000):
        exploration.move(whole)
        # What had no place does not fly in from the middle.
        missing = ~np.isin(np.arange(len(exploration)), rows)
        assert np.allclose(view.glide._from[missing], on_map(whole)[missing])
    assert view.map_points.shown.all()


def test_what_was_selected_and_coloured_stays_while_points_move(view, exploration, qtbot):
    exploration.move(places(len(exploration)))
    native = view.qt_viewer.canvas.native
    corners = [(2, 2), (native.width() // 2, 2), (native.width() // 2, native.height() - 3),
               (2, native.height() - 3)]  # fmt: skip
    drag_on(view.model, native, [QPoint(*corner) for corner in corners])
    selected = exploration.selection.mask.copy()
    assert 0 < selected.sum() < len(selected)
    cluster = exploration.clusters.create(selected, "left").id
    moved = places(len(exploration), seed=3)
    with qtbot.waitSignal(view.glide.settled, timeout=10_000):
        exploration.move(moved)
    assert np.array_equal(exploration.selection.mask, selected)
    assert np.allclose(view.chosen.data, on_map(moved)[selected])
    assert np.array_equal(exploration.clusters.ids == cluster, selected)
    # A click finds a point where it is now.
    row = int(np.flatnonzero(selected)[0])
    assert view.patch_at(on_map(moved)[row]) == row


def test_a_view_that_was_zoomed_stays_where_it_is(view, exploration, qtbot):
    exploration.move(places(len(exploration)))
    view.canvas._camera.zoom *= 3
    camera = view.canvas.camera
    with qtbot.waitSignal(view.glide.settled, timeout=10_000):
        exploration.move(places(len(exploration), seed=1))
    assert np.allclose(view.canvas.camera, camera)


def test_very_many_points_jump(view, exploration, monkeypatch):
    monkeypatch.setattr(_map_glide, "MOST", 10)
    exploration.move(places(len(exploration)))
    last = places(len(exploration), seed=1)
    exploration.move(last)
    assert np.allclose(view.layer.data, on_map(last)) and not view.glide.gliding
