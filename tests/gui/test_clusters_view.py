"""The panel of clusters, used with mouse and keys."""

import threading

import numpy as np
import pandas as pd
import pytest
from driving import needs_display
from making import mapped
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QColorDialog, QLineEdit, QMenu, QVBoxLayout, QWidget

from napari_tsimcne.explore import Exploration
from napari_tsimcne.gui.clusters._clusters_model import Column
from napari_tsimcne.gui.clusters._clusters_view import ClustersView
from napari_tsimcne.gui.images._crops import Crops
from napari_tsimcne.gui.jobs._newest import Newest

pytestmark = needs_display
LEFT = Qt.MouseButton.LeftButton
NO_KEY = Qt.KeyboardModifier.NoModifier


def activate(window, qtbot):
    """Show a window and give it the keyboard: keys of a window without it are no shortcuts."""
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)


class Panel:
    """A view of clusters on a run of 80 patches in two islands, and what a user does with it."""

    def __init__(self, run, qtbot):
        count = len(run.table)
        table = run.table.assign(drug=np.where(np.arange(count) % 4 == 0, "none", "taxol"))
        island = np.arange(count) % 2
        points = np.random.default_rng(0).normal(size=(count, 2)) + 20 * island[:, None]
        self.island = island.astype(bool)
        self.exploration = Exploration(table, points, lambda: run.features)
        self.clusters = self.exploration.clusters
        self.selection = self.exploration.selection
        self.crops = Crops(run, {})
        self.count = count
        self.view = ClustersView(self.exploration, self.crops)
        qtbot.addWidget(self.view)
        self.view.resize(320, 700)
        activate(self.view, qtbot)

    def select(self, *rows):
        self.selection.select_rows(np.array(rows, int))

    def names(self):
        return [cluster.name for cluster in self.clusters.all]

    def place(self, row, column):
        return self.view.table.visualRect(self.view.model.index(row, column)).center()

    def click(self, row, column=Column.NAME, modifier=NO_KEY):
        QTest.mouseClick(self.view.table.viewport(), LEFT, modifier, self.place(row, column))

    def double_click(self, row, column, modifier=NO_KEY):
        viewport, place = self.view.table.viewport(), self.place(row, column)
        QTest.mouseClick(viewport, LEFT, modifier, place)
        QTest.mouseDClick(viewport, LEFT, modifier, place)

    def button(self, name):
        return next(b for b in self.view.findChildren(QWidget) if getattr(b, "text", str)() == name)

    def press(self, name):
        assert self.button(name).isEnabled()
        QTest.mouseClick(self.button(name), LEFT)

    def enabled(self):
        return {name for name, action in self.view.actions_by_name.items() if action.isEnabled()}


@pytest.fixture
def panel(tiny_run, qtbot):
    panel = Panel(mapped(tiny_run), qtbot)
    yield panel
    panel.view.release()


@pytest.fixture
def three(panel):
    """Clusters of the patches 0 to 9, 10 to 14, and 15 to 17."""
    for rows in (range(10), range(10, 15), range(15, 18)):
        panel.select(*rows)
        panel.press("New")
    panel.selection.clear()
    panel.click(0)
    return panel


# --- by hand ------------------------------------------------------------------------------------


def test_clusters_of_selections(panel):
    assert panel.enabled() == set()
    panel.select(0, 1, 2)
    assert panel.enabled() == {"New", "Undo"}
    panel.press("New")
    assert panel.names() == ["cluster 1"] and panel.clusters.sizes() == {1: 3}
    # The new one is chosen, and holds what is selected already.
    assert panel.enabled() == {"New", "Remove", "Delete", "Undo"}
    panel.select(2, 3)
    panel.press("Add")
    assert panel.clusters.sizes() == {1: 4}
    panel.select(0)
    panel.press("Split")
    assert panel.names() == ["cluster 1", "cluster 1 2"] and panel.clusters.sizes() == {1: 3, 2: 1}
    panel.select(0, 1)
    panel.view.table.clearSelection()
    panel.press("Remove")
    assert panel.clusters.sizes() == {1: 2, 2: 0}
    assert "2 clusters" in panel.view.summary.text() and "2 selected" in panel.view.summary.text()


def test_merge_delete_undo_redo(three):
    three.click(1, modifier=Qt.KeyboardModifier.ControlModifier)
    assert {"Merge", "Delete"} <= three.enabled() and "Split" not in three.enabled()
    three.press("Merge")
    assert three.clusters.sizes() == {1: 15, 3: 3}
    assert [cluster.id for cluster in three.view.chosen()] == [1]
    three.press("Undo")
    assert three.clusters.sizes() == {1: 10, 2: 5, 3: 3}
    assert three.button("Redo").toolTip() == "Redo: merging of clusters"
    three.press("Redo")
    assert three.clusters.sizes() == {1: 15, 3: 3}
    three.click(1)
    QTest.keyClick(three.view.table, Qt.Key.Key_Delete)
    assert three.names() == ["cluster 1"]
    three.press("Undo")
    assert three.names() == ["cluster 1", "cluster 3"]


def type_name(panel, text):
    editor = next(e for e in panel.view.table.findChildren(QLineEdit) if e.isVisible())
    QTest.keyClicks(editor, text)
    QTest.keyClick(editor, Qt.Key.Key_Return)
    # Qt takes the name over once the key is dealt with.
    QApplication.processEvents()


def test_a_name_is_edited_in_place(three):
    three.select(40)
    three.double_click(1, Column.NAME)
    # Digits belong to the name, not to the clusters.
    type_name(three, "G2 phase")
    assert three.names() == ["cluster 1", "G2 phase", "cluster 3"]
    assert not three.clusters.members(2)[40]
    three.click(0)
    QTest.keyClick(three.view.table, Qt.Key.Key_F2)
    type_name(three, "G2 phase")
    assert three.names()[0] == "cluster 1"
    assert "Another cluster is called 'G2 phase'" in three.view.message.text()
    three.press("Undo")
    assert three.names()[1] == "cluster 2" and not three.view.message.isVisible()


def test_a_colour_is_chosen_on_its_swatch(three, monkeypatch):
    asked = []
    answers = [QColor("#123456"), QColor()]
    monkeypatch.setattr(
        QColorDialog, "getColor", lambda now, *rest: asked.append(now.name()) or answers.pop(0)
    )
    before = three.clusters[3].color
    three.click(2, Column.COLOR)
    assert asked == [before] and three.clusters[3].color == "#123456"
    three.click(2, Column.COLOR)
    assert three.clusters[3].color == "#123456"


def test_a_note_is_kept_with_the_cluster_it_was_written_for(three):
    three.click(1)
    QTest.mouseClick(three.view.note, LEFT)
    QTest.keyClicks(three.view.note, "dividing, 3 of 5")
    three.click(0)
    assert three.clusters[2].note == "dividing, 3 of 5" and three.clusters[1].note == ""
    three.click(1)
    assert three.view.note.text() == "dividing, 3 of 5"
    three.click(2, modifier=Qt.KeyboardModifier.ControlModifier)
    assert not three.view.note.isEnabled()


def test_a_click_on_the_count_selects_the_members(three):
    three.click(0, Column.SIZE)
    assert list(three.selection.rows) == list(range(10))
    three.click(2, Column.SIZE, Qt.KeyboardModifier.ShiftModifier)
    assert list(three.selection.rows) == [*range(10), 15, 16, 17]
    assert [cluster.id for cluster in three.view.chosen()] == [1]
    three.click(0, Column.SIZE, Qt.KeyboardModifier.AltModifier)
    assert list(three.selection.rows) == [15, 16, 17]
    three.double_click(1, Column.PICTURES)
    assert list(three.selection.rows) == list(range(10, 15))


def test_the_menu_offers_the_same(three, qtbot):
    three.view.table.customContextMenuRequested.emit(three.place(1, Column.NAME))
    menu = three.view.findChild(QMenu)
    qtbot.waitUntil(menu.isVisible)
    actions = {action.text(): action for action in menu.actions()}
    assert {"Select members", "Rename", "Choose colour…", "Merge", "Split"} <= set(actions)
    QTest.mouseClick(menu, LEFT, NO_KEY, menu.actionGeometry(actions["Select members"]).center())
    assert list(three.selection.rows) == list(range(10, 15))


# --- keys ---------------------------------------------------------------------------------------


def test_keys_assign_the_selection(panel):
    QTest.keyClick(panel.view, "1")
    assert "Select patches first" in panel.view.message.text() and not panel.names()
    panel.select(0, 1, 2, 3)
    QTest.keyClick(panel.view, "1")
    assert panel.clusters.sizes() == {1: 4} and not panel.view.message.isVisible()
    panel.select(2, 3)
    QTest.keyClick(panel.view.table, "3")
    assert "the key 2 makes the next" in panel.view.message.text()
    QTest.keyClick(panel.view, "2")
    assert panel.clusters.sizes() == {1: 2, 2: 2}
    QTest.keyClick(panel.view, "1")
    assert panel.clusters.sizes() == {1: 4, 2: 0}
    QTest.keyClick(panel.view, "0")
    assert panel.clusters.sizes() == {1: 2, 2: 0}
    panel.exploration.history.undo()
    assert panel.clusters.sizes() == {1: 4, 2: 0}


def test_keys_work_in_other_views_but_not_in_their_text_fields(panel, qtbot):
    other = QWidget()
    qtbot.addWidget(other)
    inside, field = QWidget(), QLineEdit()
    inside.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    layout = QVBoxLayout(other)
    layout.addWidget(inside)
    layout.addWidget(field)
    for _ in range(2):
        panel.view.install_keys(other)
    activate(other, qtbot)
    panel.select(5, 6)
    field.setFocus()
    QTest.keyClick(field, "1")
    assert field.text() == "1" and not panel.names()
    inside.setFocus()
    QTest.keyClick(inside, "1")
    assert panel.clusters.sizes() == {1: 2}
    panel.view.release()
    QTest.keyClick(inside, "2")
    assert panel.clusters.sizes() == {1: 2}
    # In the panel itself, numbers of the automatic clustering are typed as well.
    activate(panel.view, qtbot)
    spin = panel.view.automatic.fewest
    spin.setFocus()
    spin.selectAll()
    QTest.keyClicks(spin, "23")
    assert spin.value() == 23 and len(panel.clusters) == 1


# --- what is shown ------------------------------------------------------------------------------


def test_typical_patches_are_shown_and_follow_the_members(three, qtbot):
    pictures = three.view._pictures
    qtbot.waitUntil(lambda: all(len(pictures.of(i)) == 3 for i in (1, 2, 3)))
    assert set(pictures.rows_of(3)) == {15, 16, 17} and set(pictures.rows_of(1)) <= set(range(10))
    first = pictures.of(1)
    side = three.crops.side
    assert (first[0].width(), first[0].height()) == (side, side)
    expected = three.crops.pictures(pictures.rows_of(1)[:1])[0]
    middle = first[0].toImage().pixelColor(side // 2, side // 3)
    assert [middle.red(), middle.green(), middle.blue()] == list(expected[side // 3, side // 2])
    three.clusters.release(np.arange(three.count) == 17)
    assert pictures.of(1) is first
    qtbot.waitUntil(lambda: len(pictures.of(3)) == 2)
    three.crops.show_channel(0, False)
    qtbot.waitUntil(lambda: len(pictures.of(1)) == 3)
    darker = pictures.of(1)[0].toImage().pixelColor(side // 2, side // 3)
    expected = three.crops.pictures(pictures.rows_of(1)[:1])[0]
    assert [darker.red(), darker.green(), darker.blue()] == list(expected[side // 3, side // 2])


def test_values_are_shared_out(three):
    view, model = three.view, three.view.model
    assert view.table.isColumnHidden(Column.SHARES)
    view.share_by.setCurrentText("drug")
    assert not view.table.isColumnHidden(Column.SHARES)
    told = [(s.value, s.members, s.size, s.everywhere, s.total) for s in model.shares(0)]
    none = -(-three.count // 4)
    assert told == [
        ("none", 3, 10, none, three.count), ("taxol", 7, 10, three.count - none, three.count)
    ]  # fmt: skip
    tip = model.data(model.index(0, Column.SHARES), Qt.ItemDataRole.ToolTipRole)
    assert "taxol: 7 of 10 (70 %); of all patches 7" in tip
    three.clusters.release(np.arange(three.count) == 1)
    assert model.shares(0)[1].members == 6
    # Columns are never wider than the panel, however narrow.
    for width in (300, 420, 700):
        view.resize(width, 600)
        QApplication.processEvents()
        table = view.table
        used = sum(table.columnWidth(c) for c in Column if not table.isColumnHidden(c))
        assert view.width() == width and used <= table.viewport().width()
        assert table.columnWidth(Column.NAME) >= 70


def test_images_are_painted_when_wanted(panel, qtbot):
    with qtbot.waitSignal(panel.view.painting_wanted) as wanted:
        QTest.mouseClick(panel.view.painting, LEFT, NO_KEY, QPoint(8, 8))
    assert wanted.args == [True]


def test_a_closed_panel_does_not_hear_of_changes(three, qtbot):
    exploration = three.exploration
    view = ClustersView(exploration, three.crops)
    with qtbot.waitSignal(view.destroyed):
        view.deleteLater()
    exploration.clusters.create(np.arange(three.count) == 50)
    exploration.history.undo()
    assert len(exploration.clusters) == 3 and three.view.model.rowCount() == 3


# --- automatic ----------------------------------------------------------------------------------


def open_section(panel, qtbot):
    automatic = panel.view.automatic
    automatic.section.expand(animate=False)
    qtbot.waitUntil(lambda: automatic.says.text().startswith("Would make"))
    return automatic


def test_automatic_clusters_are_counted_then_applied(panel, qtbot):
    automatic = open_section(panel, qtbot)
    assert automatic.says.text() == "Would make 2 clusters." and not panel.names()
    assert automatic.apply_button.text() == "Apply"
    with qtbot.waitSignal(automatic.applied):
        QTest.mouseClick(automatic.apply_button, LEFT)
    origin = panel.clusters[1].origin
    assert (origin.method, origin.on, origin.edited) == ("hdbscan", "map", False)
    assert panel.names() == ["cluster 1", "cluster 2"]
    ids = panel.clusters.ids
    assert len(set(ids[panel.island])) == 1 and len(set(ids)) == 2
    assert panel.button("Undo").toolTip() == "Undo: clustering by HDBSCAN"
    panel.clusters.describe(1, name="mine")
    assert automatic.apply_button.text() == "Replace 2 clusters"
    automatic.method.choose("k-means")
    assert not automatic.apply_button.isEnabled()
    automatic.clusters.setValue(5)
    qtbot.waitUntil(lambda: automatic.says.text() == "Would make 5 clusters.")
    assert panel.names() == ["mine", "cluster 2"]
    QTest.mouseClick(automatic.apply_button, LEFT)
    assert len(panel.clusters) == 5
    panel.press("Undo")
    assert panel.names() == ["mine", "cluster 2"] and np.array_equal(panel.clusters.ids, ids)


def test_useless_clusterings_are_warned_of(panel, qtbot):
    automatic = open_section(panel, qtbot)
    automatic.space.choose(True)
    automatic.fewest.setValue(automatic.fewest.maximum())
    qtbot.waitUntil(lambda: "No cluster was found" in automatic.says.text())
    assert not automatic.apply_button.isEnabled()
    automatic.method.choose("gaussian mixture")
    automatic.clusters.setValue(2)
    qtbot.waitUntil(lambda: automatic.says.text().startswith("Would make 2 clusters."))


def test_counting_can_be_cancelled(panel, qtbot):
    automatic = open_section(panel, qtbot)
    automatic.method.choose("k-means")
    assert automatic.says.text() == "Clustering…" and automatic.cancel_button.isVisible()
    QTest.mouseClick(automatic.cancel_button, LEFT)
    assert automatic.says.text() == "Cancelled." and not automatic.cancel_button.isVisible()
    assert not automatic.apply_button.isEnabled()
    automatic.clusters.setValue(3)
    qtbot.waitUntil(lambda: automatic.says.text() == "Would make 3 clusters.")


def test_only_the_newest_answer_counts(qtbot):
    parent, told, started, go_on = QWidget(), [], threading.Event(), threading.Event()
    qtbot.addWidget(parent)
    work = Newest(parent)
    work.failed.connect(told.append)

    def slow():
        started.set()
        assert go_on.wait(10)
        return "slow"

    work.ask(slow, told.append)
    assert started.wait(10)
    work.ask(lambda: "passed over", told.append)
    work.ask(lambda: "newest", told.append)
    go_on.set()
    qtbot.waitUntil(lambda: bool(told))
    assert told == ["newest"] and not work.busy
    work.ask(lambda: 1 / 0, told.append)
    qtbot.waitUntil(lambda: len(told) == 2)
    assert "division" in told[1] and not work.busy
    work.ask(lambda: "dropped", told.append)
    work.cancel()
    work.ask(lambda: "again", told.append)
    qtbot.waitUntil(lambda: len(told) == 3)
    assert told[2] == "again"


def test_missing_values_and_empty_clusters(qtbot, tiny_run):
    run = mapped(tiny_run)
    table = run.table.assign(kind=pd.Series([None, "a", "b"] * 30)[: len(run.table)].to_numpy())
    exploration = Exploration(table, run.coordinates, lambda: run.features)
    exploration.clusters.create(np.arange(len(table)) < 3)
    view = ClustersView(exploration, Crops(run, {}))
    qtbot.addWidget(view)
    view.share_by.setCurrentText("kind")
    assert [s.value for s in view.model.shares(0)] == ["a", "b", "none"]
    exploration.clusters.release(np.ones(len(table), bool))
    assert view.model.shares(0) == []
    view.release()
