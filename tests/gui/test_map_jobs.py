"""What is done with a map that is there: new images put onto it, another seed compared.

Needs a display: a real one, or Xvfb.
"""

import numpy as np
from driving import TRAINING_MS, add_dock, needs_display, open_run, press_train
from making import make_tiny_run, mapped
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_tsimcne.samples import synthetic_field

pytestmark = needs_display


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_new_images_join_the_map_and_another_seed_is_compared(viewer, qtbot, tmp_path):
    viewer.add_image(synthetic_field(cells=9).image[0], name="first")
    dock = add_dock(viewer, tmp_path / "run")
    assert not dock.map_panel.add_button.isEnabled()
    press_train(dock, qtbot)
    clusters = dock.explorer.exploration.clusters
    cluster = clusters.create(np.arange(81) < 30, "first thirty").id

    # Another layer, through the dialog; that of the run itself is not offered.
    noise = np.random.default_rng(0).integers(0, 60_000, (96, 96)).astype(np.uint16)
    viewer.add_image(noise, name="second")
    click(dock.map_panel.add_button)
    dialog = dock.map_jobs.dialog
    assert [image.name for image in dialog.chosen().images] == ["second"]
    with qtbot.waitSignal(dock.ended, timeout=TRAINING_MS):
        click(dialog.ok)
        assert not dock.panel.train_button.isEnabled()
    assert dock.panel.status.text().startswith("9 patches were put onto the map")
    exploration, view = dock.explorer.exploration, dock.explorer.map_view
    assert len(exploration) == 90 and exploration.placed.all()
    assert exploration.clusters.members(cluster).sum() == 30
    symbols = [str(symbol) for symbol in view.layer.symbol]
    assert set(symbols[:81]) == {"disc"} and "disc" not in symbols[81:]
    # A patch of the new image is outlined there.
    exploration.selection.select_rows(np.array([85]))
    row = exploration.table.iloc[85]
    assert row["image"] == "second" and "second" in dock.explorer.link.layers
    assert dock.explorer.link.patch_at((row.y, row.x)) is not None
    assert len(dock.explorer.link.highlight.data) == 4

    # With another seed: as stable as it is, and a column to colour by.
    click(dock.map_panel.compare_button)
    with qtbot.waitSignal(dock.ended, timeout=TRAINING_MS):
        click(dock.map_jobs.dialog.start_button)
    stability = dock.explorer.exploration.table["stability"]
    assert stability[:81].between(0, 1).all() and stability[81:].isna().all()
    assert dock.stability.isVisibleTo(dock) and dock.stability.table.rowCount() == 1
    click(dock.stability.color_button)
    assert dock.explorer.coloring.column == "stability"
    assert dock.explorer.exploration.clusters.members(cluster).sum() == 30


def test_stopping_leaves_the_map_as_it_was(viewer, qtbot, tmp_path):
    dock = add_dock(viewer, tmp_path / "unused")
    open_run(dock, mapped(make_tiny_run(tmp_path / "run")).folder, qtbot)
    run = dock.explorer.run
    dock.map_jobs.begin_comparing(run, 5, "cpu")
    with qtbot.waitSignal(
        dock.job.told, timeout=TRAINING_MS, check_params_cb=lambda e: e.kind == "prepared"
    ):
        pass
    with qtbot.waitSignal(dock.ended, timeout=TRAINING_MS):
        click(dock.panel.stop_button)
    assert dock.job is None and dock.explorer.run is run
    assert "stability" not in dock.explorer.exploration.table
    assert dock.map_panel.compare_button.isEnabled()
