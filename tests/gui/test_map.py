"""The map on its own, driven by mouse and keyboard. Needs a display: a real one, or Xvfb."""

import numpy as np
import pytest
from driving import drag, drag_on, move, needs_display, press, release, send, to_canvas, to_world
from making import mapped
from qtpy.QtCore import QEvent, QPoint, QRect, QSize, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLineEdit

from napari_tsimcne import Grid, ImageSource, Recipe, Run
from napari_tsimcne.explore import Coloring, Exploration
from napari_tsimcne.gui.images._crops import Crops
from napari_tsimcne.gui.map._map_card import beside
from napari_tsimcne.gui.map._map_view import MapView, dock_of
from napari_tsimcne.samples import CHANNELS, synthetic_field

pytestmark = needs_display

NO_KEY = Qt.KeyboardModifier.NoModifier
SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier
LEFT, NO_BUTTON = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """81 patches of two channels, with columns of text and numbers."""
    field = synthetic_field(cells=9)
    image = ImageSource.from_array(field.image, "CYX", name="field", channel_names=CHANNELS)
    recipe = Recipe.quick(Grid(size=32), batch_size=32)

    def columns(table):
        names = np.array(["control", "drug"])[table.index % 2]
        return table.assign(treatment=names, area=np.arange(len(table)) * 1.5)

    folder = tmp_path_factory.mktemp("map") / "run"
    return mapped(Run.create(folder, [image], recipe, measure=columns))


@pytest.fixture
def exploration(run):
    return Exploration(run.table, run.coordinates, lambda: run.features)


@pytest.fixture
def view(run, exploration, make_napari_viewer):
    """The map in a dock of napari, where it always is."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1100, 760)
    view = MapView(exploration, Coloring(exploration), Crops(run, {}), "dark")
    viewer.window.add_dock_widget(view, area="right", add_vertical_stretch=False)
    qt_window = view.window()
    qt_window.resizeDocks([dock_of(view)], [500], Qt.Orientation.Horizontal)
    settle()
    yield view
    view.close_canvas()


def settle():
    for _ in range(10):
        QApplication.processEvents()


def native_of(view):
    return view.qt_viewer.canvas.native


def place_of(view, position):
    return to_canvas(view.model, native_of(view), position)


def around(view, mask):
    """Corners, in pixels of the canvas, of a rectangle around points, and what is really inside."""
    points = view.points[mask]
    pad = 4 / view.canvas.zoom
    (top, left), (bottom, right) = points.min(axis=0) - pad, points.max(axis=0) + pad
    corners = [(top, left), (top, right), (bottom, right), (bottom, left)]
    path = [place_of(view, corner) for corner in corners]
    low, high = (to_world(view.model, native_of(view), path[i]) for i in (0, 2))
    return path, ((view.points > low) & (view.points < high)).all(axis=1)


def lonely(view):
    """The patch whose point is farthest from all others."""
    apart = np.hypot(*(view.points[:, None] - view.points[None]).T) + 1e9 * np.eye(len(view.points))
    return int(apart.min(axis=0).argmax())


def click(view, position, modifier=NO_KEY):
    drag(native_of(view), [place_of(view, position)], modifier)


def press_key(view, key, modifier=NO_KEY):
    QTest.keyClick(native_of(view), key, modifier)


def painted_over(view, position):
    """Whether something is drawn over the points at a position."""
    return view.canvas._over.grab().toImage().pixelColor(place_of(view, position)).alpha() > 0


def left_of(view, share):
    return view.points[:, 1] <= np.quantile(view.points[:, 1], share)


# --- selecting ----------------------------------------------------------------------------------


def test_the_first_lasso_works_and_shift_adds_and_alt_subtracts(view, exploration):
    path, first = around(view, left_of(view, 0.3))
    drag_on(view.model, native_of(view), path)
    assert np.array_equal(exploration.selection.mask, first) and 0 < first.sum() < 81
    assert np.array_equal(view.chosen.data, view.points[first])
    assert view._count.text() == f"{first.sum()} of 81 selected"

    camera = view.canvas.camera
    path, second = around(view, ~left_of(view, 0.8))
    drag_on(view.model, native_of(view), path, SHIFT)
    assert np.array_equal(exploration.selection.mask, first | second)
    drag_on(view.model, native_of(view), path, ALT)
    assert np.array_equal(exploration.selection.mask, first & ~second)
    # The tool stays on, and neither the camera nor the points were moved.
    assert view.bar.tool_buttons["lasso"].isChecked() and np.allclose(view.canvas.camera, camera)
    assert np.array_equal(view.layer.data, view.points) and not len(view.canvas.overlay.outline)


def test_undo_and_redo_by_button_and_key(view, exploration):
    assert not view.bar.undo.isEnabled() and not view.bar.redo.isEnabled()
    path, inside = around(view, left_of(view, 0.3))
    drag_on(view.model, native_of(view), path)
    exploration.clusters.create(inside)
    assert "new cluster" in view.bar.undo.toolTip()
    QTest.mouseClick(view.bar.undo, LEFT)
    assert len(exploration.clusters) == 0 and "selection" in view.bar.undo.toolTip()
    press_key(view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert len(exploration.selection) == 0 and not view.bar.undo.isEnabled()
    press_key(view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | SHIFT)
    assert np.array_equal(exploration.selection.mask, inside)
    QTest.mouseClick(view.bar.redo, LEFT)
    assert len(exploration.clusters) == 1 and not view.bar.redo.isEnabled()


def test_a_rectangle_from_corner_to_corner(view, exploration):
    press_key(view, Qt.Key.Key_R)
    assert view.bar.tool_buttons["rectangle"].isChecked()
    path, inside = around(view, left_of(view, 0.5))
    drag_on(view.model, native_of(view), [path[1], path[0] + QPoint(9, 9), path[3]])
    assert np.array_equal(exploration.selection.mask, inside)


def test_a_tiny_lasso_counts_and_a_trembling_click_is_a_click(view, exploration):
    patch = lonely(view)
    place = place_of(view, view.points[patch])
    square = [QPoint(-4, -4), QPoint(4, -4), QPoint(4, 4), QPoint(-4, 4)]
    drag_on(view.model, native_of(view), [place + corner for corner in square])
    assert list(exploration.selection.rows) == [patch]
    exploration.selection.clear()
    drag_on(view.model, native_of(view), [place, place + QPoint(2, 1), place + QPoint(1, 1)])
    assert list(exploration.selection.rows) == [patch]


def test_escape_gives_up_a_lasso_and_then_selects_nothing(view, exploration):
    exploration.selection.select_patch(3)
    path, _ = around(view, left_of(view, 0.5))
    native = native_of(view)
    press(native, path[0])
    for number, place in enumerate(path[1:], start=2):
        move(native, place, arrived=lambda _: len(view.canvas.overlay.outline) >= number)  # noqa: B023
    assert len(view.canvas.overlay.outline)
    press_key(view, Qt.Key.Key_Escape)
    assert not len(view.canvas.overlay.outline)
    release(native, path[-1])
    assert list(exploration.selection.rows) == [3]
    press_key(view, Qt.Key.Key_Escape)
    assert len(exploration.selection) == 0


def test_pan_moves_and_selects_nothing_click_selects_and_moves(view, exploration, qtbot):
    patch = lonely(view)
    press_key(view, Qt.Key.Key_P)
    click(view, view.points[patch])
    assert len(exploration.selection) == 0
    fitted = view.canvas.camera
    place = place_of(view, view.points[patch])
    for key, selected in ((Qt.Key.Key_P, 0), (Qt.Key.Key_C, 1)):
        press_key(view, Qt.Key.Key_F)
        press_key(view, key)
        before = view.canvas.camera
        if selected:
            click(view, view.points[patch])
        drag(native_of(view), [place, place + QPoint(30, 20), place + QPoint(60, 40)])
        qtbot.waitUntil(lambda before=before: not np.allclose(view.canvas.camera, before))
        assert len(exploration.selection) == selected
    press_key(view, Qt.Key.Key_F)
    assert np.allclose(view.canvas.camera, fitted)


def test_keys_of_tools_are_left_to_text_fields(view, exploration):
    view.activateWindow()
    line = view.find_bar.findChild(QLineEdit)
    line.setFocus()
    QTest.keyClicks(line, "rpc")
    assert line.text() == "rpc" and view.tools.tool == "lasso"


def test_hidden_classes_are_neither_selected_nor_pointed_at(view, exploration):
    view._coloring.choose("treatment")
    view._coloring.isolate(["drug"])
    path, inside = around(view, np.ones(81, bool))
    drag_on(view.model, native_of(view), path)
    drug = (exploration.table["treatment"] == "drug").to_numpy()
    assert np.array_equal(exploration.selection.mask, inside & drug)
    for patch in (0, 1):
        assert (view.layer.face_color[patch, 3] > 0) == drug[patch]
        at = view._nearest.within(view.points[patch], 1e-6, view.map_points.shown)
        assert at == (patch if drug[patch] else None)


# --- what is shown ------------------------------------------------------------------------------


def test_colours_follow_clusters_also_those_of_the_selection(view, exploration):
    exploration.selection.select_rows(np.array([2, 5]))
    cluster = exploration.clusters.create(exploration.selection.mask, color="#ff0000")
    assert np.allclose(view.layer.face_color[[2, 5]], [1, 0, 0, 1])
    assert np.allclose(view.map_points._faces.face_color, [1, 0, 0, 1])
    exploration.clusters.describe(cluster.id, color="#0000ff")
    assert np.allclose(view.map_points._faces.face_color, [0, 0, 1, 1])
    assert view.layer.opacity < 1
    exploration.selection.clear()
    assert not len(view.chosen.data)


def test_of_very_many_selected_the_others_are_dimmed(view, exploration, monkeypatch):
    monkeypatch.setattr("napari_tsimcne.gui.map._map_points.MANY", 10)
    others = np.arange(81) < 20
    plain = view.layer.face_color.copy()
    exploration.selection.select(~others)
    assert not len(view.chosen.data)
    assert (view.layer.face_color[others, 3] < 0.5).all()
    assert np.array_equal(view.layer.face_color[~others], plain[~others])
    exploration.clusters.create(others, color="#ff0000")
    assert np.allclose(view.layer.face_color[0, :3], [1, 0, 0]) and view.layer.face_color[0, 3] < 1
    exploration.selection.select(others)
    assert len(view.chosen.data) == 20 and (view.layer.face_color[:, 3] == 1).all()


def test_colours_are_seen_on_the_canvas(view, exploration, qtbot, monkeypatch):
    monkeypatch.setattr("napari_tsimcne.gui.map._map_pictures.READABLE", 0)
    patch = lonely(view)
    mask = np.arange(81) == patch
    red, blue = (255, 0, 0), (0, 0, 255)

    def seen(color):
        settle()
        shot = view.qt_viewer.screenshot(flash=False)
        scale = shot.shape[1] / native_of(view).width()
        place = place_of(view, view.points[patch])
        return tuple(shot[round(place.y() * scale), round(place.x() * scale), :3]) == color

    cluster = exploration.clusters.create(mask, color="#ff0000")
    exploration.clusters.assign(cluster.id, mask)
    qtbot.waitUntil(lambda: len(view.pictures.rows) == 0)
    assert seen(red)
    exploration.selection.select(mask)
    exploration.clusters.describe(cluster.id, color="#0000ff")
    assert seen(blue)


def test_a_double_click_activates_a_patch_and_looking_marks_it(view, exploration):
    activated = []
    view.activated.connect(activated.append)
    patch = lonely(view)
    place = place_of(view, view.points[patch])
    drag(native_of(view), [place])
    send(native_of(view), QEvent.Type.MouseButtonDblClick, place, LEFT, LEFT, NO_KEY)
    send(native_of(view), QEvent.Type.MouseButtonRelease, place, LEFT, NO_BUTTON, NO_KEY)
    assert activated == [patch]
    before = view.canvas.camera
    view.look_at(patch)
    assert np.allclose(view.canvas.camera, before)
    assert np.array_equal(view.canvas.overlay.marks, view.points[[patch]])
    view.canvas._camera.zoom *= 20
    other = int(np.abs(view.points - view.points[patch]).sum(axis=1).argmax())
    view.look_at(other)
    assert np.allclose(view.canvas.camera[1:3], view.points[other])
    assert view.canvas.zoom == pytest.approx(before[-1] * 20)


def test_the_pointer_shows_a_card_which_goes_when_it_leaves(view, exploration, qtbot):
    patch = lonely(view)
    exploration.clusters.create(np.arange(81) == patch, name="<lonely>")
    place = place_of(view, view.points[patch]) + QPoint(2, 2)
    send(native_of(view), QEvent.Type.MouseMove, place, NO_BUTTON, NO_BUTTON, NO_KEY)
    card = view.hover.card
    qtbot.waitUntil(card.isVisible)
    text = card.text.text()
    assert f"patch {patch} " in text and "&lt;lonely&gt;" in text and "treatment" in text
    assert f"{1.5 * patch:.4g}" in text and card.picture.pixmap().width() >= 96
    assert card.testAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    assert np.array_equal(view.canvas.overlay.marks, view.points[[patch]])
    QApplication.sendEvent(native_of(view), QEvent(QEvent.Type.Leave))
    assert not card.isVisible() and not len(view.canvas.overlay.marks)


@pytest.mark.parametrize("x", [0, 500, 995])
@pytest.mark.parametrize("y", [0, 400, 795])
def test_the_card_stays_on_the_screen_and_off_the_pointer(x, y):
    room, size = QRect(0, 0, 1000, 800), QSize(300, 200)
    card = QRect(beside(QPoint(x, y), size, room), size)
    assert room.contains(card) and not card.contains(QPoint(x, y))


def test_pictures_come_by_a_switch_and_by_zooming_in(view, exploration, qtbot, monkeypatch):
    monkeypatch.setattr("napari_tsimcne.gui.map._map_pictures.READABLE", 0.2)
    view.resize(320, 420)
    qtbot.waitUntil(lambda: len(view.pictures.rows) == 0)
    exploration.selection.select_patch(7)
    QTest.mouseClick(view.bar.pictures, LEFT)
    qtbot.waitUntil(lambda: 7 in view.pictures.rows, timeout=10_000)
    # Of one drawing: the window may still be laying itself out.
    rows, drawn = view.pictures.rows, view.pictures._now.view
    side = drawn.side / drawn.zoom
    apart = np.abs(view.points[rows][:, None] - view.points[rows][None]).max(axis=-1)
    assert (apart + 1e9 * np.eye(len(rows)) >= side * 0.999).all() and 1 < len(rows) < 81
    # What is seen is what is clicked: the picture, also beside its point.
    position = view.points[7] + 0.45 * side
    assert view.patch_at(position) == 7
    assert painted_over(view, view.points[7])

    QTest.mouseClick(view.bar.pictures, LEFT)
    qtbot.waitUntil(lambda: len(view.pictures.rows) == 0)
    assert not painted_over(view, view.points[7])
    view.canvas._camera.center = (0, *view.points[7])
    view.canvas._camera.zoom *= 6
    qtbot.waitUntil(lambda: 7 in view.pictures.rows, timeout=10_000)


# --- window and end -----------------------------------------------------------------------------


def test_out_into_a_window_and_back(view, exploration, qtbot):
    camera_before = view.canvas.camera
    path, inside = around(view, left_of(view, 0.4))
    drag_on(view.model, native_of(view), path)
    view.canvas._camera.zoom *= 2
    camera = view.canvas.camera
    first = view.qt_viewer
    QTest.mouseClick(view.bar.pop_out, LEFT)
    qtbot.waitUntil(lambda: view.qt_viewer not in (None, first))
    window = view.panel.window()
    assert window is not view and window.isVisible() and view.popped_out
    assert np.allclose(view.canvas.camera, camera)
    assert np.array_equal(view.chosen.data, view.points[inside])
    settle()

    path, inside = around(view, view.points[:, 1] >= np.quantile(view.points[:, 1], 0.45))
    drag_on(view.model, native_of(view), path)
    assert np.array_equal(exploration.selection.mask, inside)

    second = view.qt_viewer
    window.close()
    qtbot.waitUntil(lambda: view.qt_viewer not in (None, second))
    assert view.panel.parent() is view and not view.popped_out
    assert np.allclose(view.canvas.camera, camera) and camera[-1] == 2 * camera_before[-1]
    settle()
    exploration.selection.select_patch(lonely(view))
    assert len(view.chosen.data) == 1


def test_a_closed_map_follows_nothing(view, exploration):
    view.close_canvas()
    exploration.selection.select_patch(4)
    exploration.clusters.create(exploration.selection.mask)
    assert not len(view.chosen.data) and view.qt_viewer is None


def test_buttons_tell_what_is_wanted(view):
    lassos, copies = [], []
    view.image_lasso_wanted.connect(lassos.append)
    view.copy_wanted.connect(lambda: copies.append(1))
    for _ in range(2):
        QTest.mouseClick(view.bar.image_lasso, LEFT)
    QTest.mouseClick(view.bar.copy, LEFT)
    assert lassos == [True, False] and copies == [1]
