"""Columns that are added to the patches are offered wherever columns are."""

import numpy as np
import pandas as pd
import pytest
from driving import mapped, needs_display
from linking import settle
from making import make_tiny_run
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_tsimcne.explore import Coloring
from napari_tsimcne.gui.gallery._gallery import Gallery
from napari_tsimcne.gui.images._crops import Crops
from napari_tsimcne.gui.map._find_bar import FindBar
from napari_tsimcne.gui.map._legend import Legend
from napari_tsimcne.gui.map._map_copy import MapCopy
from napari_tsimcne.gui.map._map_view import MapView
from napari_tsimcne.runs import open_exploration

pytestmark = needs_display

KEPT = pd.DataFrame({"neighbours kept": np.linspace(1, 0, 81)})


@pytest.fixture
def run(tmp_path):
    return mapped(make_tiny_run(tmp_path / "run"))


@pytest.fixture
def exploration(run):
    return open_exploration(run)


def offered(choice):
    return [choice.itemText(i) for i in range(choice.count())]


def test_the_legend_offers_them(exploration, qtbot):
    coloring = Coloring(exploration)
    legend = Legend(coloring)
    qtbot.addWidget(legend)
    before = offered(legend.choice)
    exploration.add_columns(KEPT, "checks")
    assert offered(legend.choice) == [*before, "neighbours kept"]
    assert legend.choice.value == "cluster"
    legend.choice.choose("neighbours kept")
    assert coloring.column == "neighbours kept" and coloring.limits is not None
    exploration.remove_columns("checks")
    assert offered(legend.choice) == before and legend.choice.value == "cluster"
    legend.release()


def test_the_gallery_sorts_by_them(exploration, run, qtbot):
    gallery = Gallery(exploration, Crops(run, {}))
    qtbot.addWidget(gallery)
    exploration.selection.select_rows(np.array([3, 9, 50]))
    before = offered(gallery.bar.order)
    exploration.add_columns(KEPT, "checks")
    place = gallery.bar.order.findData("neighbours kept")
    gallery.bar.order.setCurrentIndex(place)
    gallery.bar.order.activated.emit(place)
    qtbot.waitUntil(lambda: gallery.pictures.rows.tolist() == [50, 9, 3])
    # Of other values the order is another.
    exploration.add_columns(-KEPT, "checks")
    qtbot.waitUntil(lambda: gallery.pictures.rows.tolist() == [3, 9, 50])
    assert gallery.bar.column == "neighbours kept"
    exploration.remove_columns("checks")
    assert gallery.bar.column is None and offered(gallery.bar.order) == before
    gallery.release()


def test_patches_are_found_by_them(exploration, qtbot):
    bar = FindBar(exploration)
    qtbot.addWidget(bar)
    bar.show()
    exploration.add_columns(KEPT, "checks")
    assert "neighbours kept" in bar.field.toolTip()
    assert "`neighbours kept`" in bar.field.completer().model().stringList()
    QTest.keyClicks(bar.field, "`neighbours kept` > 0.95")
    QTest.keyClick(bar.field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: exploration.selection.rows.tolist() == [0, 1, 2, 3])
    exploration.remove_columns("checks")
    assert "neighbours kept" not in bar.field.toolTip()
    bar.release()


@pytest.fixture
def view(viewer, exploration, run):
    view = MapView(exploration, Coloring(exploration), Crops(run, {}), viewer.theme)
    viewer.window.add_dock_widget(view, name="map")
    settle()
    yield view
    view.close_canvas()


def test_the_card_of_a_patch_tells_them(view, exploration):
    exploration.add_columns(KEPT, "checks")
    view.hover.card.show_patch(0, np.zeros((32, 32, 3), np.uint8), QPoint(0, 0))
    assert "neighbours kept" in view.hover.card.text.text()


def test_the_copy_of_the_map_has_them(viewer, exploration):
    copy = MapCopy(viewer, exploration, Coloring(exploration))
    exploration.add_columns(KEPT, "checks")
    assert np.array_equal(copy.layer.features["neighbours kept"], KEPT["neighbours kept"])
    exploration.remove_columns("checks")
    assert "neighbours kept" not in copy.layer.features
    copy.close()
