"""What is known of the images, given in the window: a table, and a pattern of their paths."""

import numpy as np
import pandas as pd
import pytest
import tifffile
from driving import MapsAtOnce, add_dock, needs_display, press_train
from qtpy.QtTest import QTest

pytestmark = needs_display

FILES = ("p1/A01_1.tif", "p1/B02_1.tif", "p2/A01_1.tif")
PATTERN = "{plate}/{well}_{field}.tif"


@pytest.fixture
def plates(make_napari_viewer, tmp_path, monkeypatch):
    """The dock in a viewer with three images opened from files of two plates."""
    monkeypatch.setattr("napari_tsimcne.gui.jobs._training_job.TrainingProcess", MapsAtOnce)
    viewer = make_napari_viewer(show=True)
    for number, name in enumerate(FILES):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (64, 64), np.uint8)
        tifffile.imwrite(path, pixels)
        viewer.open(path)
    dock = add_dock(viewer, tmp_path / "run")
    dock.form.images.joining.choose(False)
    dock.form.patches.size.setValue(16)
    return dock


def known(dock):
    """What the dock says of the images."""
    return dock.form.images_step.summary.text()


def told(dock):
    """What the dock says of the patches, which may be what is wrong."""
    return dock.form.patches_step.summary.text()


def write(tmp_path, text):
    (tmp_path / "doses.csv").write_text(text)
    return str(tmp_path / "doses.csv")


def of_images(table, column):
    return table.groupby("image", sort=False)[column].first().tolist()


def test_columns_arrive_in_the_patch_table(plates, qtbot, tmp_path):
    form = plates.form.metadata
    form.details.expand(animate=False)
    QTest.keyClicks(form.pattern, PATTERN)
    assert known(plates).endswith("; with plate, well, field")
    QTest.keyClicks(form.table, write(tmp_path, "plate,well,dose\np1,A01,0.5\np2,A01,2\n"))
    assert known(plates).endswith("; with plate, well, field, dose")
    qtbot.waitUntil(lambda: told(plates).startswith("48 patches"), timeout=30_000)
    press_train(plates, qtbot)
    table = plates.explorer.run.table
    assert len(table) == 48 and of_images(table, "plate") == ["p1", "p1", "p2"]
    assert of_images(table, "well") == ["A01", "B02", "A01"] and set(table["field"]) == {1}
    assert table.groupby("image", sort=False)["dose"].max().tolist()[::2] == [0.5, 2]
    assert table["dose"].isna().sum() == 16
    assert "no row for 1 of 3 images: B02_1" in form.without_row.text()


@pytest.mark.parametrize(
    "names", [("A01_1", "B02_1", "A01_1 [1]"), FILES, ("p1/A01_1", "B02_1.tif", "p2/A01_1")]
)
def test_a_table_may_name_layers_or_their_files(plates, tmp_path, names):
    rows = "".join(f"{name},{dose}\n" for dose, name in enumerate(names))
    plates.form.metadata.table.setText(write(tmp_path, f"file,dose\n{rows}"))
    inputs = plates.form.inputs()
    images = [image.name for image in inputs.images]
    assert images == ["A01_1", "B02_1", "A01_1 [1]"]
    assert inputs.measure(pd.DataFrame({"image": images}))["dose"].tolist() == [0, 1, 2]
    assert known(plates).endswith("; with dose")


WRONG = [
    ("{plate}-{well}.tif", "", "3 of 3 images do not end with"),
    ("{plate}/{plate}.tif", "", "the field 'plate' twice"),
    ("", "dose,drug\n1,a\n", "has no column 'image'"),
    ("", "image,dose\nC01_1.tif,1\n", "matches no patch"),
    (PATTERN, "well,dose\nA01,1\nA01,2\n", "several rows for well 'A01'"),
    ("", "image,dose\nA01_1.tif,1\n", "write the folder"),
    ("", "image,dose\n", "has no rows"),
]


def test_what_is_wrong_is_told_before_anything_is_cut(plates, qtbot, tmp_path):
    form = plates.form.metadata
    for pattern, table, says in WRONG:
        form.pattern.setText(pattern)
        form.table.setText(write(tmp_path, table) if table else "")
        assert says in told(plates) and not plates.panel.train_button.isEnabled()
        form.table.clear()
    form.table.setText(str(tmp_path / "nowhere.csv"))
    assert "nowhere.csv cannot be read" in told(plates)
    assert not (tmp_path / "run").exists()
    form.pattern.clear()
    form.table.clear()
    qtbot.waitUntil(lambda: told(plates).startswith("48 patches"), timeout=30_000)
    assert known(plates).startswith("3 images, 1 channel")


def test_a_table_by_object_is_told_once_objects_are_found(plates, qtbot, tmp_path):
    plates.form.metadata.table.setText(write(tmp_path, "image,t,dose\nA01_1,0,1\n"))
    assert known(plates).endswith("; with dose")
    plates.form.metadata.table.setText(write(tmp_path, "label,dose\n7,1\n"))
    qtbot.waitUntil(lambda: "matches no patch" in told(plates), timeout=30_000)


def test_layers_without_a_file_go_by_their_name(plates, qtbot):
    viewer = plates.viewer
    viewer.layers.clear()
    for well in ("A01", "B02"):
        viewer.add_image(np.zeros((64, 64), np.uint8), name=f"plate 3, {well}")
    plates.form.images.joining.choose(False)
    plates.form.metadata.pattern.setText("plate {plate}, {well}")
    measure = plates.form.inputs().measure
    assert list(measure.of_paths["well"]) == ["A01", "B02"] and set(measure.of_paths["plate"]) == {
        3
    }
