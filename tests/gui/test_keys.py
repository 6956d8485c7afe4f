"""The wheel and the keys in the whole window: what they change, and what they leave alone."""

import numpy as np
import pytest
from driving import add_dock, let_layout_settle, mapped, needs_display
from making import make_tiny_run
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDateTimeEdit,
    QLineEdit,
    QScrollBar,
    QSpinBox,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.gui._wheel import keep_wheel
from napari_tsimcne.gui.dialogs._compare import CompareSeeds
from napari_tsimcne.gui.export._export import ExportDialog
from napari_tsimcne.gui.map._map_view import dock_of
from napari_tsimcne.samples import synthetic_field

pytestmark = needs_display

CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def turn_wheel(widget, notches=-2):
    """Turn the wheel over the middle of a widget; what it ignores goes to the next around it."""
    place = widget.rect().center()
    event = QWheelEvent(
        QPointF(place), QPointF(widget.mapToGlobal(place)), QPoint(), QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase,
        False,
    )  # fmt: skip
    around = widget
    while around is not None:
        event.setAccepted(True)
        QApplication.sendEvent(around, event)
        if event.isAccepted() or around.isWindow():
            break
        around = around.parentWidget()


def value_of(widget):
    if isinstance(widget, QComboBox | QTabBar):
        return widget.currentIndex()
    return widget.text() if isinstance(widget, QAbstractSpinBox) else widget.value()


def boxes(root):
    found = [
        one for kind in (QComboBox, QAbstractSpinBox, QAbstractSlider, QTabBar)
        for one in root.findChildren(kind) if not isinstance(one, QScrollBar)
    ]  # fmt: skip
    return [one for one in found if one.isEnabled()]


@pytest.fixture
def dock(viewer, tmp_path, qtbot):
    """A run that is open, with every panel shown."""
    run = mapped(make_tiny_run(tmp_path / "run"))
    field = synthetic_field(cells=9)
    for plane, name in zip(field.image, ("DNA", "marker"), strict=True):
        viewer.add_image(plane, name=name)
    dock = add_dock(viewer, tmp_path / "other")
    dock.open_run(run.folder)
    let_layout_settle(dock.explorer.map_view, qtbot)
    return dock


# --- wheel --------------------------------------------------------------------------------------


def test_the_wheel_changes_no_box_of_the_window_without_focus(dock, viewer, qtbot):
    explorer = dock.explorer
    explorer.show_checks()
    explorer.show_conditions()
    for step in (dock.form.images_step, dock.form.patches_step, dock.form.views_step):
        step.open(True)
    roots = [
        dock, explorer.map_view, explorer.gallery, explorer.clusters_view, explorer.checks_panel,
        explorer.conditions_panel,
    ]  # fmt: skip
    dialogs = [
        CompareSeeds(explorer.run, dock),
        ExportDialog(explorer.run, explorer.exploration, explorer.coloring, explorer.crops, dock),
    ]
    for dialog in dialogs:
        dialog.show()
    QApplication.processEvents()
    found = [box for root in (*roots, *dialogs) for box in boxes(root)]
    kinds = {type(box).__name__ for box in found}
    assert len(found) > 40 and {"Choice", "QSpinBox", "QDoubleSpinBox", "_RangeSlider"} <= kinds
    before = {box: value_of(box) for box in found}
    for box in found:
        for notches in (-2, 2, -2):
            turn_wheel(box, notches)
    changed = [
        (type(b).__name__, b.toolTip()) for b, value in before.items() if value_of(b) != value
    ]
    assert not changed
    assert not [b for b in found if b.focusPolicy() == Qt.FocusPolicy.WheelFocus]
    for dialog in dialogs:
        dialog.close()


def test_the_form_scrolls_where_the_wheel_changes_nothing(dock, qtbot):
    dock.form.views_step.open(True)
    dock_of(dock).raise_()
    bar = dock.column.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0 and dock.form.training.preset.isVisible())
    bar.setValue(0)
    turn_wheel(dock.form.training.preset)
    assert bar.value() > 0 and dock.form.training.preset.value == "quick"


def test_a_box_that_comes_later_is_left_alone_and_one_with_focus_is_not(qtbot):
    root = QWidget()
    qtbot.addWidget(root)
    keep_wheel(root)
    inner = QWidget()
    layout = QVBoxLayout(root)
    layout.addWidget(inner)
    root.show()
    field, date, box = QSpinBox(), QDateTimeEdit(), QComboBox()
    box.setEditable(True)
    box.addItems(["a", "b", "c"])
    holder = QVBoxLayout(inner)
    for one in (field, date, box):
        holder.addWidget(one)
    root.activateWindow()
    qtbot.waitUntil(lambda: field.isVisible() and root.isActiveWindow())
    for one in (field, date, box):
        root.setFocus()
        before = value_of(one)
        turn_wheel(one, -1)
        assert value_of(one) == before and not one.hasFocus()
    field.setValue(5)
    field.setFocus()
    turn_wheel(field, 1)
    assert field.value() == 6
    box.setFocus()
    turn_wheel(box, -1)
    assert box.currentText() == "b"


# --- keys ---------------------------------------------------------------------------------------


def activate(dock, qtbot):
    dock.window().activateWindow()
    qtbot.waitUntil(dock.window().isActiveWindow)


def clusters_of(dock):
    return [
        np.flatnonzero(dock.explorer.exploration.clusters.ids == cluster.id).tolist()
        for cluster in dock.explorer.exploration.clusters.all
    ]


def frame(gallery, place, modifier=Qt.KeyboardModifier.NoModifier):
    pictures = gallery.pictures
    at = pictures.visualRect(pictures.model().index(place, 0)).center()
    QTest.mouseClick(pictures.viewport(), Qt.MouseButton.LeftButton, modifier, at)
    return int(pictures.rows[place])


def test_a_digit_in_the_gallery_assigns_what_is_framed_and_else_the_selection(dock, viewer, qtbot):
    exploration, gallery = dock.explorer.exploration, dock.explorer.gallery
    exploration.selection.select_rows(np.arange(12))
    qtbot.waitUntil(lambda: not gallery._sorting.busy and len(gallery.pictures.rows) == 12)
    activate(dock, qtbot)
    gallery.pictures.setFocus()
    first = frame(gallery, 0)
    assert gallery.bar.title.text() == "1 framed of 12 selected"
    QTest.keyClick(gallery.pictures, "1")
    assert clusters_of(dock) == [[first]]
    assert viewer.status == "1 patch → cluster 1"
    second = frame(gallery, 1, CONTROL)
    QTest.keyClick(gallery.pictures, "2")
    assert clusters_of(dock) == [[], sorted([first, second])]
    QTest.keyClick(gallery.pictures, "Z", CONTROL)
    assert clusters_of(dock) == [[first]]
    QTest.keyClick(gallery.pictures, "Z", CONTROL | SHIFT)
    assert clusters_of(dock) == [[], sorted([first, second])]
    QTest.keyClick(gallery.pictures, Qt.Key.Key_Escape)
    assert not len(gallery.framed()) and len(exploration.selection) == 12
    QTest.keyClick(gallery.pictures, "1")
    assert clusters_of(dock) == [list(range(12)), []]
    assert viewer.status == "12 patches → cluster 1"
    # What was framed is not what keys act on once something else is selected.
    frame(gallery, 0)
    exploration.selection.select_rows(np.arange(20, 25))
    QTest.keyClick(gallery.pictures, "2")
    assert clusters_of(dock)[1] == list(range(20, 25))
    QTest.keyClick(gallery.pictures, Qt.Key.Key_Escape)
    assert not len(exploration.selection)


def image_canvas(dock):
    return dock.window().centralWidget().findChild(QOpenGLWidget)


def test_keys_work_while_the_images_have_the_focus(dock, viewer):
    selection = dock.explorer.exploration.selection
    canvas = image_canvas(dock)
    canvas.setFocus()
    active = viewer.layers["DNA"]
    viewer.layers.selection.active = active
    selection.select_rows(np.arange(7))
    QTest.keyClick(canvas, "1")
    assert clusters_of(dock) == [list(range(7))] and active.mode == "pan_zoom"
    QTest.keyClick(canvas, "2")
    # napari's own 2 would transform the image.
    assert clusters_of(dock) == [[], list(range(7))] and active.mode == "pan_zoom"
    QTest.keyClick(canvas, "Z", CONTROL)
    QTest.keyClick(canvas, "Z", CONTROL)
    assert clusters_of(dock) == []
    QTest.keyClick(canvas, "Z", CONTROL | SHIFT)
    assert clusters_of(dock) == [list(range(7))]
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert not len(selection)
    # Without anything to assign they are napari's.
    QTest.keyClick(canvas, "2")
    assert active.mode == "transform"


def test_keys_are_naparis_while_labels_are_painted(dock, viewer):
    labels = viewer.add_labels(np.zeros((64, 64), int), name="cells")
    viewer.layers.selection.active = labels
    canvas = image_canvas(dock)
    canvas.setFocus()
    dock.explorer.exploration.selection.select_rows(np.arange(7))
    labels.mode = "paint"
    labels.paint((10, 10), 3)
    QTest.keyClick(canvas, "4")
    assert labels.mode == "fill" and clusters_of(dock) == []
    QTest.keyClick(canvas, "Z", CONTROL)
    assert not labels.data.any() and len(dock.explorer.exploration.selection) == 7
    labels.mode = "pan_zoom"
    QTest.keyClick(canvas, "1")
    assert clusters_of(dock) == [list(range(7))]


def test_keys_work_in_every_panel_and_after_clusters_were_closed(dock, viewer, qtbot):
    explorer = dock.explorer
    explorer.show_checks()
    explorer.show_conditions()
    activate(dock, qtbot)
    explorer.exploration.selection.select_rows(np.arange(3))
    viewer.window.remove_dock_widget(explorer.clusters_view)
    for widget in (dock, explorer.checks_panel, explorer.conditions_panel):
        inside = QWidget(widget)
        inside.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        inside.show()
        dock_of(widget).raise_()
        QApplication.processEvents()
        inside.setFocus()
        QTest.keyClick(inside, "1")
        assert clusters_of(dock) == [[0, 1, 2]], type(widget)
        QTest.keyClick(inside, "Z", CONTROL)
        assert clusters_of(dock) == []
    field = QLineEdit(dock)
    field.show()
    dock_of(dock).raise_()
    field.setFocus()
    QTest.keyClicks(field, "12")
    assert field.text() == "12" and clusters_of(dock) == []
