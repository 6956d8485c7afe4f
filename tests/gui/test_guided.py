"""The whole way on real images: from an empty viewer to an exported cluster, by real events.

Needs a display: a real one, or Xvfb.
"""

import numpy as np
import pandas as pd
import pytest
from driving import (
    TRAINING_MS,
    add_dock,
    drag_on,
    let_layout_settle,
    needs_display,
    to_canvas,
    wait_for_count,
    wait_for_images,
)
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QWidget

from napari_tsimcne.export import Excerpt, export_table
from napari_tsimcne.recipe import Grid, Objects

pytestmark = needs_display


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def button_of(view, text):
    return next(b for b in view.findChildren(QWidget) if getattr(b, "text", str)() == text)


@pytest.mark.parametrize("kind", [Grid, Objects])
def test_from_files_to_an_exported_cluster(viewer, qtbot, tmp_path, real_data, kind):
    plate = real_data / "bbbc013"
    dock = add_dock(viewer, tmp_path / "run")
    form = dock.form
    assert not form.patches_step.content.isEnabled() and not dock.panel.train_button.isEnabled()
    form.images.add_files([plate / "wells" / name for name in ("A01.ome.tif", "E12.ome.tif")])
    qtbot.waitUntil(form.patches_step.content.isEnabled, timeout=20_000)
    form.metadata.table.setText(str(plate / "plate.csv"))
    form.patches.kind.choose(kind)
    if kind is Objects:
        assert not form.ready
        form.patches.label_files.sources.setText(str(plate / "nuclei_labels_auto"))
    qtbot.waitUntil(lambda: form.ready and form.placed is not None, timeout=30_000)
    assert "patches" in wait_for_count(dock, qtbot)
    assert "drug" in form.images_step.summary.text()
    count = len(form.placed.placed.table)

    with qtbot.waitSignal(dock.ended, timeout=TRAINING_MS):
        click(dock.panel.train_button)
    explorer, exploration = dock.explorer, dock.explorer.exploration
    assert len(exploration) == count and exploration.placed.all()
    view = explorer.map_view
    # Images that come later change the room of the map.
    wait_for_images(dock, qtbot)
    let_layout_settle(view, qtbot)
    qtbot.waitUntil(lambda: not view.glide.gliding)

    # The left third of the map, by a lasso; its patches become a cluster.
    native = view.qt_viewer.canvas.native
    edge = np.quantile(view.points[:, 1], 0.33)
    low, high = view.points.min(axis=0) - 1e-3, view.points.max(axis=0) + 1e-3
    corners = [(low[0], low[1]), (low[0], edge), (high[0], edge), (high[0], low[1])]
    drag_on(view.model, native, [to_canvas(view.model, native, one) for one in corners])
    selected = exploration.selection.mask.copy()
    assert 0.2 < selected.mean() < 0.45
    click(button_of(explorer.clusters_view, "New"))
    (cluster,) = exploration.clusters.all
    exploration.clusters.describe(cluster.id, name="left")

    path = tmp_path / "left.csv"
    export_table(Excerpt.selected(explorer.run, exploration), path)
    table = pd.read_csv(path)
    assert len(table) == selected.sum() and set(table["cluster"]) == {"left"}
    assert set(table["drug"]) <= {"Wortmannin", "LY294002"} and table["map_x"].notna().all()
    # Every row finds its image, which is shown, and there its patch.
    row = table.iloc[0]
    shown = explorer.link.layers[row["image"]].layer
    world = shown.data_to_world((row["y"], row["x"]))
    assert explorer.link.patch_at(world) == row["patch"]
