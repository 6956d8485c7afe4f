"""The gallery: pictures of the selection and of what is similar to it, driven with the mouse."""

import numpy as np
import pytest
from driving import mapped, needs_display
from making import make_tiny_run
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import Exploration, representative, similar
from napari_tsimcne.gui.gallery._gallery import NOTHING, Gallery
from napari_tsimcne.gui.images._crops import Crops
from napari_tsimcne.runs import open_exploration

pytestmark = needs_display

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
NO_KEY = Qt.KeyboardModifier.NoModifier
WAITING = ("sorting…", "searching…")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return mapped(make_tiny_run(tmp_path_factory.mktemp("gallery") / "run"))


@pytest.fixture
def exploration(run):
    return open_exploration(run)


@pytest.fixture
def crops(run):
    return Crops(run, {})


@pytest.fixture
def gallery(exploration, crops, qtbot):
    gallery = shown(Gallery(exploration, crops), qtbot)
    # As the explorer does.
    gallery.similar_wanted.connect(lambda: gallery.show_similar(exploration.selection.rows))
    return gallery


def shown(gallery, qtbot):
    qtbot.addWidget(gallery)
    gallery.resize(600, 500)
    gallery.show()
    qtbot.waitExposed(gallery)
    return gallery


def settle(gallery, qtbot):
    qtbot.waitUntil(lambda: gallery.bar.title.text() not in WAITING)
    QApplication.processEvents()


def center(gallery, patch):
    pictures = gallery.pictures
    (place,) = np.flatnonzero(pictures.rows == patch)
    return pictures.visualRect(pictures.model().index(int(place), 0)).center()


def click(gallery, patch, key=NO_KEY):
    left = Qt.MouseButton.LeftButton
    QTest.mouseClick(gallery.pictures.viewport(), left, key, center(gallery, patch))


def press(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def choose(gallery, order):
    box = gallery.bar.order
    box.setCurrentIndex(box.findText(order))
    box.activated.emit(box.currentIndex())


def picture(gallery, place):
    """The picture at a place, (S, S, 3), as it is drawn."""
    pixmap = gallery.pictures.model().index(place, 0).data(Qt.ItemDataRole.DecorationRole)
    image = pixmap.toImage()
    return np.array([[image.pixelColor(x, y).getRgb()[:3] for x in range(image.width())]
                     for y in range(image.height())], np.uint8)  # fmt: skip


# --- the selection ------------------------------------------------------------------------------


def test_the_selected_patches_are_shown_as_pictures(gallery, exploration, crops, qtbot):
    assert gallery.stack.currentWidget().text() == NOTHING
    assert not gallery.bar.similar_button.isEnabled()
    exploration.selection.select_rows(np.array([3, 40, 7]))
    # At once as the table has them, in order when that is known.
    assert [*gallery.pictures.rows] == [3, 7, 40]
    settle(gallery, qtbot)
    assert gallery.bar.title.text() == "3 selected"
    assert sorted(gallery.pictures.rows) == [3, 7, 40]
    for place, patch in enumerate(gallery.pictures.rows):
        np.testing.assert_array_equal(picture(gallery, place), crops.pictures(np.array([patch]))[0])
    exploration.selection.clear()
    assert gallery.stack.currentWidget().text() == NOTHING


def test_a_click_goes_to_a_patch_and_the_keyboard_too(gallery, exploration, qtbot):
    gone_to = []
    gallery.activated.connect(gone_to.append)
    exploration.selection.select_rows(np.arange(20))
    settle(gallery, qtbot)
    click(gallery, 5)
    assert gone_to == [5] and [*gallery.pictures.marked] == [5]
    # Several are marked, nothing is gone to.
    click(gallery, 11, CTRL)
    assert gone_to == [5] and sorted(gallery.pictures.marked) == [5, 11]
    QTest.keyClick(gallery.pictures, Qt.Key.Key_Return)
    assert gone_to == [5, 11]
    # What is marked stays so in another order, and with fewer patches.
    choose(gallery, "random")
    settle(gallery, qtbot)
    assert sorted(gallery.pictures.marked) == [5, 11]
    exploration.selection.select_rows(np.arange(10, 30))
    settle(gallery, qtbot)
    assert [*gallery.pictures.marked] == [11] and len(exploration.selection) == 20


def test_orders(gallery, exploration, qtbot):
    rows = np.arange(10, 60)
    exploration.selection.select_rows(rows)
    settle(gallery, qtbot)
    np.testing.assert_array_equal(gallery.pictures.rows, representative(exploration.features, rows))
    choose(gallery, "map_x")
    settle(gallery, qtbot)
    assert (np.diff(exploration.coordinates[gallery.pictures.rows, 0]) >= 0).all()
    press(gallery.bar.descending)
    settle(gallery, qtbot)
    assert (np.diff(exploration.coordinates[gallery.pictures.rows, 0]) <= 0).all()
    press(gallery.bar.descending)

    settle(gallery, qtbot)
    click(gallery, gallery.pictures.rows[3])
    marked = gallery.pictures.rows[3]
    choose(gallery, "similarity to the first")
    settle(gallery, qtbot)
    assert gallery.pictures.rows[0] == marked
    # Turned round it is still the same patch that others are compared with.
    press(gallery.bar.descending)
    settle(gallery, qtbot)
    assert gallery.pictures.rows[-1] == marked

    press(gallery.bar.descending)
    choose(gallery, "random")
    settle(gallery, qtbot)
    one = gallery.pictures.rows
    choose(gallery, "random")
    settle(gallery, qtbot)
    assert not np.array_equal(one, gallery.pictures.rows)


def test_of_several_orders_the_last_one_chosen_is_shown(gallery, exploration, qtbot):
    exploration.selection.select_rows(np.arange(5))
    for order in ("most unusual first", "map_x", "random", "map_y"):
        choose(gallery, order)
        exploration.selection.select_rows(np.arange(len(order), 60))
    settle(gallery, qtbot)
    expected = np.arange(5, 60)[np.argsort(exploration.coordinates[5:60, 1])]
    np.testing.assert_array_equal(gallery.pictures.rows, expected)


def test_the_order_by_cluster_follows_the_clusters(gallery, exploration, qtbot):
    exploration.selection.select_rows(np.arange(6))
    choose(gallery, "cluster")
    exploration.clusters.create(np.isin(np.arange(len(exploration)), [4, 2]), color="#ff00ff")
    settle(gallery, qtbot)
    assert [*gallery.pictures.rows] == [2, 4, 0, 1, 3, 5]
    # A frame in the colour of the cluster, none round those that are in no cluster.
    image = gallery.pictures.viewport().grab().toImage()
    frames = []
    for place in range(6):
        corner = gallery.pictures.visualRect(gallery.pictures.model().index(place, 0)).topLeft()
        frames.append(image.pixelColor(corner + QPoint(4, 30)).name() == "#ff00ff")
    assert frames == [True, True, False, False, False, False]


def test_the_tooltip_tells_of_the_patch(run, qtbot):
    table = run.table.assign(treatment="a < b", area=1234.5678, missing=np.nan)
    exploration = Exploration(table, run.coordinates, lambda: run.features)
    gallery = shown(Gallery(exploration, Crops(run, {})), qtbot)
    exploration.selection.select_patch(9)
    exploration.clusters.create(exploration.selection.mask, "early & late")
    text = gallery.pictures.model().index(0, 0).data(Qt.ItemDataRole.ToolTipRole)
    for part in (
        "<b>field</b>",
        "patch 9",
        f"y {table['y'][9]:g}, x {table['x'][9]:g} px",
        "cluster: early &amp; late",
        "treatment: a &lt; b",
        "area: 1235",
        "missing: –",
    ):
        assert part in text  # fmt: skip


def test_what_is_marked_can_be_selected_alone_or_removed(gallery, exploration, qtbot):
    exploration.selection.select_rows(np.arange(20))
    choose(gallery, "patch")
    settle(gallery, qtbot)
    assert gallery.menu() is None
    click(gallery, 3)
    click(gallery, 6, SHIFT)
    actions = {action.text(): action for action in gallery.menu().actions()}
    actions["Remove from selection"].trigger()
    settle(gallery, qtbot)
    assert [*exploration.selection.rows] == [0, 1, 2, *range(7, 20)]
    click(gallery, 8)
    next(a for a in gallery.menu().actions() if a.text() == "Select only these").trigger()
    settle(gallery, qtbot)
    assert [*gallery.pictures.rows] == [8]
    exploration.history.undo()
    assert len(gallery.pictures.rows) == 16


def test_removing_some_does_not_scroll_away_from_them(gallery, exploration, qtbot):
    exploration.selection.select_rows(np.arange(75))
    gallery.bar.size.setValue(192)
    settle(gallery, qtbot)
    bar, order = gallery.pictures.verticalScrollBar(), gallery.pictures.rows
    bar.setValue(bar.maximum() // 2)
    patch = gallery.pictures.rows[gallery.pictures.indexAt(QPoint(100, 100)).row()]
    before = bar.value()
    click(gallery, patch)
    next(a for a in gallery.menu().actions() if a.text() == "Remove from selection").trigger()
    assert [*gallery.pictures.rows] == [row for row in order if row != patch]
    settle(gallery, qtbot)
    assert bar.value() == before and patch not in gallery.pictures.rows
    choose(gallery, "map_y")
    settle(gallery, qtbot)
    assert bar.value() == 0


# --- what is similar ----------------------------------------------------------------------------


def test_similar_patches_are_ranked_until_others_are_selected(gallery, exploration, qtbot):
    exploration.selection.select_rows(np.array([4, 9]))
    settle(gallery, qtbot)
    press(gallery.bar.similar_button)
    settle(gallery, qtbot)
    rows, similarities = similar(exploration.features, np.array([4, 9]), 100)
    np.testing.assert_array_equal(gallery.pictures.rows, rows)
    assert gallery.bar.title.text() == f"{len(rows)} most similar to 2 selected"
    captions = [gallery.pictures.model().index(i, 0).data() for i in range(3)]
    assert captions == [f"{similarity:.2f}" for similarity in similarities[:3]]
    # The explorer may select what is gone to; the ranking stays.
    gallery.activated.connect(exploration.selection.select_patch)
    click(gallery, rows[2])
    assert [*exploration.selection.rows] == [rows[2]]
    np.testing.assert_array_equal(gallery.pictures.rows, rows)
    click(gallery, rows[0], CTRL)
    actions = {action.text(): action for action in gallery.menu().actions()}
    actions["Add to selection"].trigger()
    assert set(exploration.selection.rows) == {rows[0], rows[2]}
    np.testing.assert_array_equal(gallery.pictures.rows, rows)
    press(gallery.bar.back_button)
    settle(gallery, qtbot)
    assert set(gallery.pictures.rows) == {rows[0], rows[2]}
    assert gallery.pictures.model().index(0, 0).data() is None

    gallery.show_similar(np.array([1, 2, 3]))
    settle(gallery, qtbot)
    assert gallery.bar.title.text().endswith("most similar to 3 patches")
    exploration.selection.select_rows(np.array([50]))
    assert [*gallery.pictures.rows] == [50] and gallery.bar.title.text() != "1 selected"
    settle(gallery, qtbot)
    assert gallery.bar.title.text() == "1 selected"


def test_what_a_ranking_shows_is_selected(gallery, exploration, qtbot):
    exploration.selection.select_rows(np.arange(70))
    gallery.show_similar(np.array([1]))
    settle(gallery, qtbot)
    press(gallery.bar.select_button)
    assert set(exploration.selection.rows) == set(range(len(exploration))) - {1}
    exploration.history.undo()
    assert len(gallery.pictures.rows) == 70


def test_the_selection_grows(gallery, exploration, qtbot):
    exploration.selection.select_rows(np.array([4, 9]))
    gallery.bar.growth.setValue(5)
    press(gallery.bar.grow_button)
    settle(gallery, qtbot)
    rows, _ = similar(exploration.features, np.array([4, 9]), 5)
    assert set(exploration.selection.rows) == {4, 9, *rows} == set(gallery.pictures.rows)
    assert gallery.bar.title.text() == "7 selected"


def test_nothing_is_similar_where_all_are_selected(gallery, exploration, qtbot):
    exploration.selection.invert()
    press(gallery.bar.similar_button)
    settle(gallery, qtbot)
    assert "All patches are selected" in gallery.message.text() and gallery.message.isVisible()
    assert len(gallery.pictures.rows) == len(exploration)
    exploration.selection.select_patch(1)
    assert not gallery.message.isVisible()


# --- how it looks -------------------------------------------------------------------------------


def test_channels_are_switched(gallery, exploration, crops, qtbot):
    exploration.selection.select_rows(np.arange(4))
    choose(gallery, "patch")
    settle(gallery, qtbot)
    both = picture(gallery, 0)
    first, second = gallery.bar.channels
    assert [first.text(), second.text()] == [*crops.channel_names]
    press(second)
    assert crops.shown == [True, False]
    assert not np.array_equal(picture(gallery, 0), both)
    # Switched elsewhere.
    crops.show_channel(1, True)
    assert second.isChecked()
    np.testing.assert_array_equal(picture(gallery, 0), both)


def test_only_what_is_seen_is_made(gallery, exploration, crops, qtbot, monkeypatch):
    made = []
    pictures = Crops.pictures
    monkeypatch.setattr(
        Crops, "pictures", lambda self, rows: made.extend(rows) or pictures(self, rows)
    )
    rows = np.tile(np.arange(len(exploration)), 1250)
    gallery.pictures.show_patches(rows)
    gallery.stack.setCurrentWidget(gallery.pictures)
    gallery.pictures.viewport().repaint()
    assert 0 < len(made) < 500
    bar = gallery.pictures.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 1_000_000)
    bar.setValue(bar.maximum())
    gallery.pictures.viewport().repaint()
    assert len(made) < 1000
    middle = gallery.pictures.viewport().rect().center() - QPoint(20, 0)
    assert gallery.pictures.indexAt(middle).row() > 99_900
    small = gallery.pictures.gridSize()
    gallery.bar.size.setValue(192)
    assert gallery.pictures.gridSize().width() > small.width() + 100


def test_features_that_cannot_be_read_leave_the_order_of_the_table(run, qtbot):
    def damaged():
        raise InputError("the file features.npy is damaged: copy it again")

    exploration = Exploration(run.table, run.coordinates, damaged)
    gallery = shown(Gallery(exploration, Crops(run, {})), qtbot)
    exploration.selection.select_rows(np.arange(8))
    settle(gallery, qtbot)
    assert gallery.message.text() == "Not sorted: the file features.npy is damaged: copy it again."
    assert [*gallery.pictures.rows] == [*range(8)]
    choose(gallery, "map_x")
    settle(gallery, qtbot)
    assert not gallery.message.isVisible()


def test_a_closed_gallery_lets_go(gallery, exploration, crops):
    exploration.selection.select_rows(np.arange(30))
    gallery.close()
    exploration.selection.select_rows(np.array([2]))
    exploration.clusters.create(exploration.selection.mask)
    crops.show_channel(0, False)
    assert len(gallery.pictures.rows) == 30
