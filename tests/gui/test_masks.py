"""Masks without numbers in the window: refused, or their connected regions numbered."""

import numpy as np
import pytest
import tifffile
from choosing import add_forms
from driving import needs_display
from making import mapped
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from skimage.measure import label

from napari_tsimcne import InputError, Recipe, Run
from napari_tsimcne.gui.dialogs._add_images import AddImages
from napari_tsimcne.gui.export._exporting import labels_of_layers
from napari_tsimcne.gui.images._cluster_pictures import paint_objects
from napari_tsimcne.gui.images._open import images_of_run, link_images, show_now
from napari_tsimcne.gui.images._under_pointer import PatchesUnder
from napari_tsimcne.patches import place_patches, read_labels
from napari_tsimcne.recipe import Objects

pytestmark = needs_display

ALL = slice(None)
RECIPE = Recipe.quick(Objects(size=8, border=True), batch_size=2)


def mask():
    """Three regions of one value."""
    values = np.zeros((40, 44), np.uint8)
    for top, left in ((2, 2), (2, 20), (25, 10)):
        values[top : top + 6, left : left + 6] = 255
    return values


PIXELS = np.random.default_rng(0).integers(0, 255, (40, 44), np.uint8)
NUMBERED = label(mask(), connectivity=2)


@pytest.fixture
def files(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS)
    tifffile.imwrite(tmp_path / "a_mask.tif", mask())
    return tmp_path


def tick(box):
    QTest.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))


def placed(inputs):
    return place_patches(inputs.images, RECIPE, labels=inputs.labels).table


def test_the_box_numbers_the_regions_of_label_files(forms, files, qtbot):
    forms.images.add_files([files / "a.tif"])
    qtbot.waitUntil(lambda: forms.images._job is None)
    assert not forms.patches.number_objects.isVisible()
    patches = forms.choose(Objects)
    forms.follow()
    patches.label_files.sources.setText(str(files / "a_mask.tif"))
    qtbot.waitUntil(lambda: patches.label_files.state.text() == "1 label image")
    with pytest.raises(InputError, match=r"3 separate regions .*'Number each connected region'"):
        placed(forms.inputs())
    assert patches.number_objects.isVisible()
    with qtbot.waitSignal(patches.changed):
        tick(patches.number_objects)
    assert placed(forms.inputs())["label"].tolist() == [1, 2, 3]

    run = mapped(Run.create(files / "run", forms.inputs().images, RECIPE,
                            labels=forms.inputs().labels))  # fmt: skip
    viewer = forms.images._viewer
    linked = show_now(images_of_run(viewer, Run.open(run.folder)))["a.tif"]
    assert np.array_equal(np.asarray(linked.labels.data), NUMBERED)


def test_the_box_numbers_the_regions_of_layers(forms, viewer, tmp_path):
    viewer.add_image(PIXELS, name="cells")
    layer = viewer.add_labels(mask(), name="mask")
    forms.follow()
    patches = forms.choose(Objects)
    with pytest.raises(InputError, match="3 separate regions"):
        placed(forms.inputs())
    tick(patches.number_objects)
    inputs = forms.inputs()
    run = mapped(Run.create(tmp_path / "run", inputs.images, RECIPE, labels=inputs.labels))
    assert run.table["label"].tolist() == [1, 2, 3]

    again = Run.open(run.folder)
    for linked in (inputs.layers["cells"], link_images(viewer, again)["cells"]):
        assert linked.labels is layer
        # What lies under the pointer, what is painted, and what is exported has these numbers.
        under = PatchesUnder(viewer, again.table, projected=False)
        assert [under.place({"cells": linked}, at) for at in ((3.0, 4.0), (4.0, 23.0), (27, 12))] \
            == [0, 1, 2]  # fmt: skip
        painted = paint_objects(again.table, np.arange(3), linked, projected=False).levels[0]
        assert np.array_equal(np.asarray(painted[ALL, ALL]), NUMBERED)
        (exported,) = labels_of_layers(again, {"cells": linked}).values()
        assert np.array_equal(read_labels(exported, 0, 0, ALL, ALL), NUMBERED)
        assert linked.among([linked.layer]).objects == []
    assert np.array_equal(layer.data, mask())


def test_the_box_of_new_images(viewer, files, qtbot, tmp_path):
    forms = add_forms(viewer)
    viewer.add_image(PIXELS, name="cells")
    viewer.add_labels(NUMBERED, name="numbered")
    forms.follow()
    forms.choose(Objects)
    inputs = forms.inputs()
    forms.release()
    run = mapped(Run.create(tmp_path / "run", inputs.images, RECIPE, labels=inputs.labels))
    dialog = AddImages(viewer, run, viewer.window._qt_window)
    dialog.show()
    dialog.images.add_files([files / "a.tif"])
    qtbot.waitUntil(lambda: dialog.label_files.isVisible())
    assert dialog.number_objects.isVisible()
    dialog.label_files.sources.setText(str(files / "a_mask.tif"))
    qtbot.waitUntil(lambda: dialog.label_files.state.text() == "1 label image")
    with pytest.raises(InputError, match="3 separate regions"):
        placed(dialog.chosen())
    tick(dialog.number_objects)
    assert placed(dialog.chosen())["label"].tolist() == [1, 2, 3]
    dialog.reject()
