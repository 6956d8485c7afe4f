"""The legend of the map, and the line in which patches are found."""

import numpy as np
import pandas as pd
import pytest
from driving import needs_display
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QVBoxLayout, QWidget

from napari_tsimcne.explore import Coloring, Exploration
from napari_tsimcne.gui.map._find_bar import FindBar
from napari_tsimcne.gui.map._legend import Legend

pytestmark = needs_display

COUNT = 600
NARROW = 280
LEFT, CONTROL, SHIFT, ALT, NO_KEY = (
    Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier,
    Qt.KeyboardModifier.NoModifier,
)  # fmt: skip


@pytest.fixture
def exploration():
    random = np.random.default_rng(0)
    rows = np.arange(COUNT)
    table = pd.DataFrame({
        "patch": rows,
        "image": [f"well {i % 3}.tif" for i in rows],
        "treatment": pd.Series(["drug A", "drug B", None])[rows % 3].to_numpy(),
        "field": [f"a field with a name that is long {i % 31}" for i in rows],
        "mean DNA": np.where(rows % 10, random.normal(1000, 100, COUNT), np.nan),
    })  # fmt: skip
    return Exploration(table, random.normal(size=(COUNT, 2)), lambda: np.zeros((COUNT, 2)))


@pytest.fixture
def shown(qtbot):
    """Shows a widget as it stands in a narrow dock: above it, what takes the rest of the room."""

    panels = []

    def show(widget, width=NARROW, height=400):
        panel = QWidget()
        # Else Python takes it away before the test ends.
        panels.append(panel)
        layout = QVBoxLayout(panel)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QWidget(), stretch=1)
        layout.addWidget(widget)
        panel.resize(width, height)
        qtbot.addWidget(panel)
        panel.show()
        qtbot.waitExposed(panel)
        settle()
        return panel

    return show


def settle():
    for _ in range(5):
        QApplication.processEvents()


def place_of(classes, name):
    model = classes.model()
    for row in range(model.rowCount()):
        if model.index(row, 0).data().rsplit(",", 1)[0] == name:
            classes.scrollTo(model.index(row, 0))
            return classes.visualRect(model.index(row, 0))
    raise AssertionError(f"no class {name}")


def click(classes, name, modifier=NO_KEY):
    place = place_of(classes, name).center()
    QTest.mouseClick(classes.viewport(), LEFT, modifier, place)
    settle()


def visible(coloring):
    return {category.name for category in coloring.categories if category.shown}


# --- legend ---------------------------------------------------------------------------------------


def test_classes_are_isolated_and_switched_by_clicks(exploration, shown):
    coloring = Coloring(exploration)
    legend = Legend(coloring)
    shown(legend)
    legend.choice.choose("treatment")
    settle()
    assert coloring.column == "treatment"
    assert not legend.all_button.isVisible()
    click(legend.classes, "drug B")
    assert visible(coloring) == {"drug B"} and legend.all_button.isVisible()
    click(legend.classes, "none", CONTROL)
    assert visible(coloring) == {"drug B", "none"}
    click(legend.classes, "drug B", SHIFT)
    assert visible(coloring) == {"none"}
    click(legend.classes, "drug A")
    assert visible(coloring) == {"drug A"}
    click(legend.classes, "drug A")
    assert visible(coloring) == {"drug A", "drug B", "none"}
    click(legend.classes, "drug A")
    QTest.mouseClick(legend.all_button, LEFT)
    assert len(visible(coloring)) == 3
    # A click is a press and a release at the same place.
    QTest.mousePress(legend.classes.viewport(), LEFT, NO_KEY,
                     place_of(legend.classes, "none").center())  # fmt: skip
    QTest.mouseRelease(legend.classes.viewport(), LEFT, NO_KEY,
                       place_of(legend.classes, "drug A").center())  # fmt: skip
    assert len(visible(coloring)) == 3


def test_swatches_have_the_colours_and_are_hollow_where_hidden(exploration, shown):
    coloring = Coloring(exploration)
    legend = Legend(coloring)
    shown(legend)
    coloring.choose("treatment")
    coloring.isolate(["drug A"])
    settle()
    picture = legend.classes.viewport().grab().toImage()
    ratio = picture.devicePixelRatio()
    for category in coloring.categories:
        # The list has at most three classes here: all of them are in view.
        place = place_of(legend.classes, category.name)
        middle = QPoint(place.left() + 11, place.center().y()) * ratio
        seen = picture.pixelColor(middle).name()
        assert (seen == category.color) == category.shown, category


@pytest.mark.parametrize("width, height", [(NARROW, 400), (700, 300), (240, 150)])
def test_no_class_is_out_of_reach(exploration, shown, width, height):
    coloring = Coloring(exploration)
    legend = Legend(coloring)
    panel = shown(legend, width, height)
    coloring.choose("field")
    settle()
    assert panel.size().width() == width
    classes = legend.classes
    view = classes.viewport().rect()
    assert len(coloring.categories) == 20
    first = classes.visualRect(classes.model().index(0, 0))
    assert first.top() == 0, "no row is empty"
    for category in coloring.categories:
        place = place_of(classes, category.name)
        assert view.contains(place), (category.name, place, view)
    assert coloring.categories[-1].name == "other (12)"


def test_numbers_have_a_scale_with_limits(exploration, shown):
    coloring = Coloring(exploration)
    legend = Legend(coloring)
    shown(legend)
    legend.choice.choose("mean DNA")
    settle()
    assert legend.scale.isVisible() and not legend.classes.isVisible()
    low, high = (float(text.replace(",", "")) for text in legend.scale.labels()[::2])
    assert np.allclose((low, high), coloring.limits, rtol=0.01)
    picture = legend.scale.grab().toImage()
    for place, step in ((5, 0), (legend.scale.width() - 6, -1)):
        seen = picture.pixelColor(place, 4).getRgbF()
        assert np.allclose(seen, coloring.steps[step], atol=0.06)
    assert coloring.missing == COUNT // 10
    legend.choice.choose("image")
    settle()
    assert legend.classes.isVisible() and not legend.scale.isVisible()


@pytest.mark.parametrize("limits, labels", [
    ((0.0, 1.0), ["0", "0.5", "1"]),
    ((-2.0, 2.0), ["-2", "0", "2"]),
    ((68.5, 402.0), ["68.5", "235", "402"]),
    ((0.981234, 0.981238), ["0.981234", "0.981236", "0.981238"]),
    ((-120_000.0, 2_000_000.0), ["-120,000", "940,000", "2,000,000"]),
    ((1e-7, 3e-7), ["1e-07", "2e-07", "3e-07"]),
    ((5.0, 5.0), ["5", "5"]),
])  # fmt: skip
def test_limits_are_written_so_that_they_differ(exploration, qtbot, limits, labels):
    legend = Legend(Coloring(exploration))
    qtbot.addWidget(legend)
    legend.scale.show_scale(np.zeros((2, 4)), limits, 0)
    assert legend.scale.labels() == labels


def test_the_legend_follows_clusters_until_it_is_released(exploration, shown):
    coloring = Coloring(exploration)
    legend = Legend(coloring)
    shown(legend)
    cluster = exploration.clusters.create(np.arange(COUNT) < 60, name="mitotic")
    settle()
    assert place_of(legend.classes, "mitotic").isValid()
    exploration.clusters.describe(cluster.id, name="dividing")
    assert place_of(legend.classes, "dividing").isValid()
    legend.release()
    exploration.clusters.describe(cluster.id, name="dead")
    assert place_of(legend.classes, "dividing").isValid()


# --- find -----------------------------------------------------------------------------------------


@pytest.fixture
def bar(exploration, shown, qtbot):
    bar = FindBar(exploration)
    panel = shown(bar)
    # Only a line that has the keyboard completes.
    panel.activateWindow()
    qtbot.waitUntil(panel.isActiveWindow)
    bar.field.setFocus()
    return bar


def enter(bar, qtbot, text, modifier=NO_KEY):
    bar.field.clear()
    QTest.keyClicks(bar.field, text)
    QTest.keyClick(bar.field, Qt.Key.Key_Return, modifier)
    qtbot.waitUntil(lambda: not bar._newest.busy)


def test_an_expression_selects_adds_and_subtracts(bar, exploration, qtbot):
    treatment = exploration.table["treatment"]
    enter(bar, qtbot, "treatment == 'drug A'")
    assert np.array_equal(exploration.selection.mask, treatment == "drug A")
    assert bar.count.text() == "200 found" and bar.count.isVisible()
    enter(bar, qtbot, "treatment == 'drug B'", SHIFT)
    assert np.array_equal(exploration.selection.mask, treatment.notna())
    enter(bar, qtbot, "patch < 300", ALT)
    assert np.array_equal(exploration.selection.mask, treatment.notna() & (np.arange(COUNT) >= 300))
    bar.field.setText("patch < 300")
    QTest.mouseClick(bar.add_button, LEFT)
    qtbot.waitUntil(lambda: not bar._newest.busy)
    assert exploration.selection.mask[:300].all()
    QTest.mouseClick(bar.subtract_button, LEFT)
    qtbot.waitUntil(lambda: not bar._newest.busy)
    assert not exploration.selection.mask[:300].any()
    enter(bar, qtbot, "patch > 10000")
    assert len(exploration.selection) == 0 and bar.count.text() == "0 found"
    exploration.history.undo()
    assert len(exploration.selection) == 200


def test_what_is_wrong_is_told_in_place(bar, exploration, qtbot):
    exploration.selection.select_patch(3)
    enter(bar, qtbot, "treatmen == 'drug A'")
    assert "did you mean treatment?" in bar.message.text()
    assert bar.message.isVisible() and not bar.count.isVisible()
    assert bar.width() == NARROW
    assert bar.message.height() >= bar.message.heightForWidth(bar.message.width())
    assert exploration.selection.rows.tolist() == [3]
    enter(bar, qtbot, "treatment == 'drug A'")
    assert not bar.message.isVisible()
    bar.field.clear()
    assert not bar.count.isVisible() and not bar.add_button.isEnabled()


@pytest.mark.parametrize("text", ["123", "patch 123", "#123", " 123 "])
def test_a_number_jumps(bar, exploration, qtbot, text):
    with qtbot.waitSignal(bar.jumped) as jumped:
        enter(bar, qtbot, text)
    assert jumped.args == [123]
    assert len(exploration.selection) == 0
    enter(bar, qtbot, str(COUNT))
    assert f"from 0 to {COUNT - 1}" in bar.message.text()


def test_names_are_completed_and_what_was_found_is_offered_again(bar, exploration, qtbot):
    popup = bar.field.completer().popup()
    QTest.keyClicks(bar.field, "patch > 5 and dna")
    assert popup.isVisible()
    assert popup.model().rowCount() == 1
    QTest.keyClick(popup, Qt.Key.Key_Down)
    QTest.keyClick(popup, Qt.Key.Key_Return)
    assert bar.field.text() == "patch > 5 and `mean DNA`"
    assert len(exploration.selection) == 0, "completed, not yet searched"
    QTest.keyClicks(bar.field, " > 1000")
    assert not popup.isVisible(), "numbers are no names"
    QTest.keyClick(bar.field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(exploration.selection) > 0)
    bar.field.clear()
    QTest.keyClick(bar.field, Qt.Key.Key_Down)
    assert popup.isVisible()
    QTest.keyClick(popup, Qt.Key.Key_Down)
    QTest.keyClick(popup, Qt.Key.Key_Return)
    assert bar.field.text() == "patch > 5 and `mean DNA` > 1000"
    # The popup has the keyboard while it is open, and lets Enter search.
    bar.field.clear()
    QTest.keyClicks(bar.field, "patch < 20 or patch")
    assert popup.isVisible()
    bar.field.setText("patch < 20 or patch == 30")
    QTest.keyClick(popup, Qt.Key.Key_Return, SHIFT)
    assert not popup.isVisible()
    qtbot.waitUntil(lambda: not bar._newest.busy)
    assert exploration.selection.mask[:20].all() and exploration.selection.mask[30]
    # Inside of quotes nothing is completed.
    bar.field.clear()
    QTest.keyClicks(bar.field, "treatment == 'ima")
    assert not popup.isVisible()
    QTest.keyClick(bar.field, Qt.Key.Key_Escape)
    assert bar.field.text() == ""


def test_only_the_last_of_fast_searches_counts(bar, exploration, qtbot):
    for number in (100, 200, 300):
        bar.field.setText(f"patch < {number}")
        bar.search()
    qtbot.waitUntil(lambda: not bar._newest.busy)
    assert len(exploration.selection) == 300
    exploration.history.undo()
    assert len(exploration.selection) == 0
    bar.field.setText("patch < 100")
    bar.search()
    bar.release()
    qtbot.waitUntil(lambda: bar._newest._worker is None)
    assert len(exploration.selection) == 0
