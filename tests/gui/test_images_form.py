"""The list of images: layers and files, ticked, mended, dropped, shown, with their labels."""

import numpy as np
import pandas as pd
import pytest
import skimage.io
import tifffile
from driving import MapsAtOnce, add_dock, needs_display, open_run, press_train
from napari.layers import Image
from qtpy.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QStyle, QStyleOptionViewItem

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui.steps._images_list import DETAIL, TAG
from napari_tsimcne.gui.steps._metadata_form import MetadataForm
from napari_tsimcne.images import open_images
from napari_tsimcne.recipe import Objects, Points

pytestmark = needs_display

LEFT = Qt.MouseButton.LeftButton
MICROMETRES = ("µm", "µm")


@pytest.fixture
def form(forms):
    return forms.images


@pytest.fixture
def plates(tmp_path):
    """Three files of two channels in two folders, and one that is no image."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(("p1/A01.ome.tif", "p1/A02.ome.tif", "p2/A01.ome.tif")):
        path = tmp_path / "plates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 200, (2, 48, 64)).astype(np.uint8) + number
        metadata = {"axes": "CYX", "Channel": {"Name": ["DNA", "actin"]}}
        tifffile.imwrite(path, pixels, photometric="minisblack", metadata=metadata)
    (tmp_path / "plates" / "p2" / "broken.tif").write_bytes(b"II*\0 and no more")
    return tmp_path / "plates"


def add(form, qtbot, *paths):
    form.add_files(paths)
    qtbot.waitUntil(lambda: form._job is None, timeout=20_000)


def items(form):
    return [form.layer_list.item(i) for i in range(form.layer_list.count())]


def names(form):
    return [item.text() for item in items(form)]


def tags(form):
    return [item.data(TAG) for item in items(form)]


def detail(form, row):
    return items(form)[row].data(DETAIL)


def select(form, *rows):
    """Click rows, several with Ctrl held."""
    for number, row in enumerate(rows):
        held = Qt.KeyboardModifier.ControlModifier if number else Qt.KeyboardModifier.NoModifier
        QTest.mouseClick(form.layer_list.viewport(), LEFT, held, place_of(form, row))


def place_of(form, row):
    item = items(form)[row]
    form.layer_list.scrollToItem(item)
    return form.layer_list.visualItemRect(item).center()


def click_tick(form, row):
    tree = form.layer_list
    index = tree.indexFromItem(items(form)[row])
    option = QStyleOptionViewItem()
    tree.initViewItemOption(option)
    tree.itemDelegate().initStyleOption(option, index)
    option.rect = tree.visualRect(index)
    part = QStyle.SubElement.SE_ItemViewItemCheckIndicator
    place = tree.style().subElementRect(part, option, tree).center()
    QTest.mouseClick(tree.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, place)


def type_into(field, text):
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key.Key_Return)


def choose(combo, value):
    """Choose as a user does, who also sets off what follows."""
    index = combo.findData(value)
    assert index >= 0
    combo.setCurrentIndex(index)
    combo.activated.emit(index)


def drop(form, paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    target, none = form.layer_list.viewport(), Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(9, 9), Qt.DropAction.CopyAction, data, LEFT, none)
    QApplication.sendEvent(target, enter)
    assert enter.isAccepted()
    event = QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, data, LEFT, none, QEvent.Type.Drop)
    QApplication.sendEvent(target, event)


# --- layers -------------------------------------------------------------------------------------


def test_layers_are_listed_and_ticked_as_they_come_and_go(form, viewer, qtbot):
    assert not form.any_chosen and "open an image" in form.summary()
    first = viewer.add_image(np.zeros((64, 48), np.uint8), name="DNA", scale=(0.65, 0.65),
                             units=MICROMETRES)  # fmt: skip
    viewer.add_image(np.zeros((64, 48), np.uint8), name="actin", scale=(0.65, 0.65),
                     units=MICROMETRES)  # fmt: skip
    assert detail(form, 0) == "64 x 48, YX, 1 channel, 0.65 µm/px"
    assert form.joining.value and form.summary() == "1 image, 2 channels, 0.65 µm/px"
    form.joining.choose(False)
    assert form.summary() == "2 images, 1 channel, 0.65 µm/px"
    with qtbot.waitSignal(form.changed):
        click_tick(form, 1)
    assert form.layers() == [first] and form.summary().startswith("1 image, 1 channel")
    first.name = "Hoechst"
    assert names(form) == ["Hoechst", "actin"]
    # A tick of one of several selected rows is a tick of all.
    select(form, 0, 1)
    click_tick(form, 0)
    assert not form.any_chosen
    with qtbot.waitSignal(form.changed):
        viewer.layers.clear()
    assert names(form) == []


def test_what_layers_are_cut_by_is_followed(form, viewer, qtbot):
    viewer.add_image(np.zeros((64, 48), np.uint8))
    with qtbot.waitSignal(form.changed):
        points = viewer.add_points([[1, 2]])
    with qtbot.waitSignal(form.changed):
        points.add([3, 4])


def test_wrong_axes_of_a_layer_are_mended(form, viewer):
    stack = np.zeros((5, 30, 64, 48), np.uint8)
    layer = viewer.add_image(stack, name="stack")
    assert detail(form, 0) == "64 x 48, CZYX (Z 30), 5 channels, pixel size unknown"
    viewer.dims.set_current_step(0, 3)
    viewer.dims.set_current_step(1, 20)
    assert form.plane_looked_at() == 20
    select(form, 0)
    QTest.mouseDClick(form.layer_list.viewport(), LEFT, pos=place_of(form, 0))
    assert form.edit.isVisible() and form.edit_button.isChecked()
    assert form.edit.axes.currentText() == "as guessed (CZYX)"
    options = [form.edit.axes.itemData(i) for i in range(1, form.edit.axes.count())]
    assert options == ["TCYX", "TZYX", "CTYX", "CZYX", "ZTYX", "ZCYX", "TYXC", "ZYXC"]
    choose(form.edit.axes, "ZTYX")
    assert form.inputs().images[0].axes == "ZTYX"
    assert form.inputs().layers["stack"].axes == "ZTYX" and form.plane_looked_at() == 3
    assert "30 time points, 5 slices" in form.edit.lengths.text()
    # Of a layer that has other axes by now, they are guessed anew.
    layer.data = np.zeros((64, 48), np.uint8)
    assert form.inputs().images[0].axes == "YX" and form.plane_looked_at() is None
    layer.data = stack
    assert form.inputs().images[0].axes == "ZTYX"
    choose(form.edit.axes, "")
    assert form.inputs().images[0].axes == "CZYX"


def test_colours_as_channels_and_exchanged_rows_of_files(form, qtbot, tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    skimage.io.imsave(tmp_path / "a.png", colours, check_contrast=False)
    add(form, qtbot, tmp_path / "a.png")
    assert detail(form, 0).startswith("40 x 60, YX, RGB")
    select(form, 0)
    QTest.mouseClick(form.edit_button, LEFT)
    options = [form.edit.axes.itemData(i) for i in range(1, form.edit.axes.count())]
    assert options == ["YX", "YXC", "XY", "XYC"]
    choose(form.edit.axes, "XYC")
    assert detail(form, 0).startswith("60 x 40, YXC, 3 channels")
    assert form.edit.axes.value == "XYC"
    assert form.edit.lengths.text().startswith("3 channels (red, green, blue), 60 x 40 px")
    (image,) = form.inputs().images
    whole = slice(None), slice(None)
    assert np.array_equal(image.read(0, 0, *whole), colours.transpose(2, 1, 0))
    # It is shown as it is used.
    with qtbot.waitSignal(form.showing.ended, timeout=20_000):
        QTest.mouseClick(form.show_button, LEFT)
    layers = [layer for layer in form._viewer.layers if layer.ndim == 2]
    shown = np.stack([np.asarray(layer.data) for layer in layers])
    assert np.array_equal(shown, colours.transpose(2, 1, 0))


def test_axes_that_are_too_many_to_guess_are_told(form, viewer):
    viewer.add_image(np.zeros((6, 6, 6, 6, 16, 16), np.uint8), name="many")
    assert "'many' has 6 axes" in detail(form, 0) and "6 axes" in form.summary()
    select(form, 0)
    QTest.mouseClick(form.edit_button, LEFT)
    assert form.edit.isVisible() and form.plane_looked_at() is None


def test_a_pixel_size_is_given_to_layers_and_to_what_lies_over_them(forms, viewer):
    form, patches = forms.images, forms.patches
    for number in range(2):
        viewer.add_image(np.zeros((40, 60), np.uint8), name=f"{number}", translate=(0, 70 * number))
    labels = viewer.add_labels(np.ones((40, 60), int), name="cells")
    spots = viewer.add_points([[10, 20], [30, 100]], name="spots")
    form.joining.choose(False)
    patches.kind.choose(Points)
    before = forms.inputs().points

    select(form, 0, 1)
    QTest.mouseClick(form.edit_button, LEFT)
    assert not form.edit.size.isEnabled() and form.edit.unit.value == "pixel"
    choose(form.edit.unit, "µm")
    type_into(form.edit.size, "0.65")
    for layer in viewer.layers:
        assert np.allclose(layer.scale, 0.65) and {f"{u:~P}" for u in layer.units} == {"µm"}
    assert np.allclose(viewer.layers["1"].translate, (0, 70 * 0.65))
    assert {i.micrometres for i in form.inputs().images} == {0.65}
    assert form.summary() == "2 images, 1 channel, 0.65 µm/px"
    # What lay where on the images, still does.
    pd.testing.assert_frame_equal(forms.inputs().points, before)

    # One alone: its labels go along; the points are of both, and stay.
    select(form, 0)
    type_into(form.edit.size, "0.5")
    assert np.allclose(viewer.layers["1"].scale, 0.65) and np.allclose(labels.scale, 0.5)
    assert np.allclose(spots.scale, 0.65) and "several pixel sizes" in form.summary()
    choose(form.edit.unit, "pixel")
    assert detail(form, 0).endswith("pixel size unknown") and np.allclose(labels.scale, 1)


# --- files --------------------------------------------------------------------------------------


def test_a_folder_is_dropped_and_what_cannot_be_read_is_told(form, viewer, plates, qtbot):
    with qtbot.waitSignal(form.changed):
        drop(form, [plates])
        qtbot.waitUntil(lambda: form._job is None and bool(names(form)))
    assert names(form) == ["p1/A01.ome.tif", "A02.ome.tif", "p2/A01.ome.tif"]
    assert names(form) == [image.name for image in open_images(plates).images]
    assert set(tags(form)) == {"file"} and form.any_chosen
    assert detail(form, 0) == "48 x 64, CYX, 2 channels, pixel size unknown"
    assert "Added 3 images.\nLeft out 1 file:\nbroken.tif: " in form.message.text()
    inputs = form.inputs()
    assert [image.name for image in inputs.images] == names(form) and not inputs.layers
    assert inputs.images[0].channel_names == ("DNA", "actin") and not form.layers()

    # Once more: each is listed once; and what does not exist is told.
    add(form, qtbot, plates / "p1" / "*.tif", plates / "nowhere")
    assert len(names(form)) == 3
    assert "All of them are listed already." in form.message.text()
    assert "no file, folder or pattern" in form.message.text()


def test_files_of_one_name_added_one_after_the_other_have_different_names(form, plates, qtbot):
    add(form, qtbot, plates / "p1" / "A01.ome.tif")
    assert names(form) == ["A01.ome.tif"]
    add(form, qtbot, plates / "p2" / "A01.ome.tif")
    assert names(form) == ["p1/A01.ome.tif", "p2/A01.ome.tif"]
    assert len({image.name for image in form.inputs().images}) == 2


def test_opening_can_be_stopped_and_released(form, plates, qtbot):
    form.add_files([plates])
    form.add_files([plates])
    QTest.mouseClick(form.stop_button, LEFT)
    qtbot.waitUntil(lambda: form._job is None)
    assert not form.stop_button.isVisible() and len(names(form)) <= 3
    form.add_files([plates])
    form.release()
    assert form._job is None


def test_axes_and_pixel_size_of_several_files_are_mended_at_once(form, plates, qtbot):
    add(form, qtbot, plates)
    select(form, 0, 2)
    QTest.mouseClick(form.edit_button, LEFT)
    assert form.edit.of.text() == "2 images"
    choose(form.edit.axes, "ZYX")
    choose(form.edit.unit, "nm")
    type_into(form.edit.size, "325")
    image = form.layer_list.selected()[1].image()
    assert image.axes == "ZYX" and image.length("Z") == 2 and image.micrometres == 0.325
    assert detail(form, 2) == "48 x 64, ZYX (Z 2), 1 channel, 325 nm/px"
    assert "has 1 channel but" in form.summary()
    click_tick(form, 1)
    assert form.summary() == "2 images, 1 channel, 325 nm/px"
    assert np.array_equal(
        image.read(0, 1, slice(None), slice(None))[0], tifffile.imread(image.path)[1]
    )
    # Different ones are left empty, and can be made equal.
    select(form, 0, 1)
    assert form.edit.axes.currentIndex() == -1 and form.edit.unit.currentIndex() == -1
    choose(form.edit.axes, "")
    assert form.layer_list.selected()[0].image().axes == "CYX"


def test_files_that_cannot_be_learnt_together_can_be_unticked(form, plates, qtbot):
    tifffile.imwrite(plates / "other.tif", np.zeros((32, 32), np.float32))
    add(form, qtbot, plates)
    assert "has 2 channels but 'other.tif' has 1" in form.summary().replace(
        "'other.tif' has 1 channel but 'p1/A01.ome.tif' has 2",
        "'p1/A01.ome.tif' has 2 channels but 'other.tif' has 1",
    )
    row = next(item for item in items(form) if item.text() == "A02.ome.tif")
    form.layer_list.tick_alike(row.data(Qt.ItemDataRole.UserRole))
    assert form.summary().startswith("3 images, 2 channels")


# --- files as layers ----------------------------------------------------------------------------


def test_files_are_shown_side_by_side_and_stay_files(form, viewer, plates, qtbot):
    viewer.add_image(np.zeros((2, 30, 40), np.uint8), name="other", axis_labels=("c", "y", "x"))
    add(form, qtbot, plates)
    select(form, 1, 2)
    QTest.mouseClick(form.show_button, LEFT)
    qtbot.waitUntil(lambda: not form.showing.busy, timeout=30_000)
    assert [layer.name for layer in viewer.layers][1:3] == ["p1/A01.ome.tif DNA",
                                                            "p1/A01.ome.tif actin"]  # fmt: skip
    assert tags(form) == ["layer", "file, shown", "file, shown", "file"]
    inputs = form.inputs()
    assert [image.path is None for image in inputs.images] == [True, False, False, False]
    assert set(inputs.layers) == {"other", "p1/A01.ome.tif", "A02.ome.tif"}
    linked = inputs.layers["A02.ome.tif"]
    assert linked.axes == "YX" and [la.name for la in linked.channels] == ["A02.ome.tif actin"]
    assert np.array_equal(linked.layer.data, tifffile.imread(plates / "p1" / "A02.ome.tif")[0])
    # None lies over another.
    boxes = [la.layer.extent.world[:, -2:] for la in inputs.layers.values()]
    for n, one in enumerate(boxes):
        for other in boxes[:n]:
            assert ((one[0] > other[1]) | (other[0] > one[1])).any()

    # Mended, the layers follow.
    select(form, 2)
    QTest.mouseClick(form.edit_button, LEFT)
    choose(form.edit.unit, "µm")
    type_into(form.edit.size, "0.5")
    assert np.allclose(linked.layer.scale, 0.5) and np.allclose(linked.channels[0].scale, 0.5)
    choose(form.edit.axes, "ZYX")
    qtbot.waitUntil(lambda: form.layer_list.selected()[0].layers is not None, timeout=30_000)
    layer = form.layer_list.selected()[0].layers
    assert layer.axes == "ZYX" and layer.layer.data.shape == (2, 48, 64) and not layer.channels
    assert np.allclose(layer.layer.scale[-2:], 0.5)

    # What is taken away by whichever way is no longer shown.
    # Software GL crashes where napari draws again after all images but one went at once.
    viewer.add_labels(np.ones((30, 40), np.uint8), name="mine")
    viewer.layers.remove(layer.layer)
    assert tags(form) == ["layer", "file, shown", "file", "file"]
    select(form, 1)
    QTest.mouseClick(form.remove_button, LEFT)
    assert names(form) == ["other", "A02.ome.tif", "p2/A01.ome.tif"]
    assert [layer.name for layer in viewer.layers] == ["other", "mine"]


def test_a_file_that_is_open_as_a_layer_is_listed_once(form, viewer, plates, qtbot):
    add(form, qtbot, plates / "p1")
    (layer,) = viewer.open(plates / "p1" / "A02.ome.tif", plugin="napari")
    assert names(form) == ["A02.ome", "A01.ome.tif"]
    assert tags(form) == ["layer, in place of its file", "file"]
    assert len(form.inputs().images) == 2 and form.layers() == [layer]
    viewer.layers.remove(layer)
    assert names(form) == ["A01.ome.tif", "A02.ome.tif"] and set(tags(form)) == {"file"}
    # In the other order it is the same.
    viewer.open(plates / "p1" / "A01.ome.tif", plugin="napari")
    add(form, qtbot, plates / "p1")
    assert tags(form) == ["layer, in place of its file", "file"]


# --- objects, points, metadata of files ---------------------------------------------------------


@pytest.fixture
def masks(plates):
    """Label images of all files, named like them."""
    for number, name in enumerate(("p1/A01", "p1/A02", "p2/A01")):
        path = plates.parent / "masks" / f"{name}_cp_masks.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        labels = np.zeros((48, 64), np.uint16)
        labels[4:20, 4:20], labels[24:40, 24:40] = number + 1, 9
        tifffile.imwrite(path, labels)
    return plates.parent / "masks"


def test_objects_of_files_are_in_label_files(forms, viewer, plates, masks, qtbot):
    form, patches = forms.images, forms.patches
    add(form, qtbot, plates)
    patches.kind.choose(Objects)
    forms.follow()
    files = patches.label_files
    assert files.isVisible() and not patches.labels.isVisible()
    with pytest.raises(InputError, match=r"no label image is given for .* and 2 more: choose"):
        forms.inputs()
    QTest.keyClicks(files.sources, str(masks))
    with pytest.raises(InputError, match="still being opened"):
        forms.inputs()
    with qtbot.waitSignal(patches.changed):
        qtbot.waitUntil(lambda: files.state.text() == "3 label images")
    labels = forms.inputs().labels
    assert {name: label.path.parent.name for name, label in labels.items()} == {
        "p1/A01.ome.tif": "p1", "A02.ome.tif": "p1", "p2/A01.ome.tif": "p2"
    }  # fmt: skip

    # Layers take theirs from layers, beside the files.
    pixels = np.zeros((2, 30, 40), np.uint8)
    viewer.add_image(pixels, name="layer", axis_labels=("c", "y", "x"))
    forms.follow()
    assert patches.labels.isVisible()
    with pytest.raises(InputError, match="no objects yet"):
        forms.inputs()
    viewer.add_labels(np.ones((30, 40), int), name="cells")
    inputs = forms.inputs()
    assert set(inputs.labels) == {"layer", *labels} and inputs.labels["layer"].name == "cells"
    assert inputs.layers["layer"].labels is viewer.layers["cells"]


def test_label_files_that_do_not_fit_are_told(forms, plates, masks, qtbot):
    form, patches = forms.images, forms.patches
    add(form, qtbot, plates / "p1")
    patches.kind.choose(Objects)
    forms.follow()
    files = patches.label_files

    def give(text, says):
        type_into(files.sources, text)
        qtbot.waitUntil(lambda: not files._opening.busy and not files._soon.isActive())
        with pytest.raises(InputError, match=says):
            forms.inputs()

    give(str(masks / "nowhere"), "label files: no file, folder or pattern")
    assert "No file, folder or pattern" in files.state.text()
    give(str(masks / "p1" / "A01*"), "no label image was found for 'A02.ome.tif'")
    tifffile.imwrite(masks / "p1" / "A02_cp_masks.tif", np.ones((48, 60), np.uint16))
    paths = [(masks / "p1" / f"A0{n}_cp_masks.tif") for n in (1, 2)]
    give("; ".join(map(str, paths)), r"has 48 x 60 pixels but 'A02.ome.tif' has 48 x 64")
    (masks / "p1" / "A03.tif").touch()
    type_into(files.sources, paths[0].as_uri())
    qtbot.waitUntil(lambda: files.state.text() == "1 label image")
    type_into(files.sources, str(masks / "p1"))
    qtbot.waitUntil(lambda: "A03.tif: the file is empty" in files.state.text())


def test_files_that_are_shown_take_labels_and_points_of_layers(forms, viewer, plates, qtbot):
    form, patches = forms.images, forms.patches
    add(form, qtbot, plates / "p1")
    patches.kind.choose(Points)
    QTest.mouseClick(form.show_button, LEFT)
    qtbot.waitUntil(lambda: not form.showing.busy, timeout=30_000)
    (first, other) = form.inputs().layers.values()
    viewer.add_points(first.layer.data_to_world((10, 12)) + np.zeros((1, 2)), name="spots")
    points = forms.inputs().points
    assert points[["image", "y", "x"]].to_numpy().tolist() == [["A01.ome.tif", 10, 12]]
    patches.kind.choose(Objects)
    for linked in (first, other):
        viewer.add_labels(np.ones((48, 64), int), translate=linked.layer.translate)
    patches.labels.choose_over_each()
    inputs = forms.inputs()
    assert set(inputs.labels) == {"A01.ome.tif", "A02.ome.tif"}
    assert all(label.path is None for label in inputs.labels.values())
    # Points lie in layers: a file that is not shown has none, which is said.
    patches.kind.choose(Points)
    for layer in (other.layer, *other.channels):
        viewer.layers.remove(layer)
    with pytest.raises(InputError, match=r"no layer shows 'A02.ome.tif': show the images"):
        forms.inputs()


def test_metadata_is_matched_by_the_paths_of_files(form, viewer, plates, qtbot):
    metadata = MetadataForm()
    qtbot.addWidget(metadata)
    add(form, qtbot, plates)
    viewer.open(plates / "p1" / "A02.ome.tif", plugin="napari")
    metadata.pattern.setText("{plate}/{well}.ome.tif")
    measure = metadata.measurement(form.inputs())
    table = measure(pd.DataFrame({"image": ["A02.ome", "p1/A01.ome.tif", "p2/A01.ome.tif"]}))
    assert table["plate"].tolist() == ["p1", "p1", "p2"]
    assert table["well"].tolist() == ["A02", "A01", "A01"]


def test_files_are_learnt_unshown_and_shown_with_their_map(
    viewer, plates, masks, qtbot, tmp_path, monkeypatch
):
    monkeypatch.setattr("napari_tsimcne.gui.jobs._training_job.TrainingProcess", MapsAtOnce)
    dock = add_dock(viewer, tmp_path / "run")
    dock.form.training.batch_size.setValue(4)
    form, patches = dock.form.images, dock.form.patches
    add(form, qtbot, plates)
    qtbot.waitUntil(lambda: dock.form.images_step.summary.text() == form.summary())
    patches.kind.choose(Objects)
    patches.label_files.sources.setText(str(masks))
    qtbot.waitUntil(lambda: dock.form.placed is not None, timeout=30_000)
    press_train(dock, qtbot)
    run = dock.explorer.run
    assert list(run.info.labels) == names(form) and all(r.path for r in run.info.images)
    # Now they are shown, and still listed once, as files.
    assert set(tags(form)) == {"file, shown"} and set(dock.explorer.link.layers) == set(names(form))
    count = len(viewer.layers)
    # The run opened again takes the layers that are there.
    open_run(dock, run.folder, qtbot)
    assert len(viewer.layers) == count and len(names(form)) == 3
    linked = dock.explorer.link.layers["A02.ome.tif"]
    row = run.table[run.table["image"] == "A02.ome.tif"].iloc[0]
    place = linked.layer.data_to_world((row.y, row.x))
    assert dock.explorer.link.patch_at(place) == row["patch"] and linked.labels is not None
    # They go with their layers where the user has not added them.
    select(form, 0, 1, 2)
    QTest.mouseClick(form.remove_button, LEFT)
    assert not names(form) and not [la for la in viewer.layers if isinstance(la, Image)]
    open_run(dock, run.folder, qtbot)
    assert set(tags(form)) == {"file, shown"}
    viewer.layers.clear()
    assert not names(form)


# --- real images --------------------------------------------------------------------------------


def test_a_plate_of_wells_with_their_nuclei(forms, viewer, real_data, qtbot):
    form, patches = forms.images, forms.patches
    add(form, qtbot, real_data / "bbbc013" / "wells")
    assert form.summary() == "24 images, 2 channels, pixel size unknown"
    assert form.inputs().images[0].channel_names == ("FKHR-GFP", "DNA")
    forms.follow()
    patches.kind.choose(Objects)
    patches.label_files.sources.setText(str(real_data / "bbbc013" / "nuclei_labels_auto"))
    qtbot.waitUntil(lambda: patches.label_files.state.text() == "24 label images")
    assert len(forms.inputs().labels) == 24


def test_odd_files_neither_crash_the_list_nor_are_passed_over(form, real_data, qtbot):
    add(form, qtbot, real_data / "awkward", real_data / "multidim")
    assert len(set(names(form))) == len(names(form)) > 300
    assert "Left out " in form.message.text() and "more" in form.message.text()
    assert all(detail(form, row) for row in range(len(names(form))))
    row = names(form).index("tubhiswt_TCZYX_uint8.ome.tif")
    assert detail(form, row).startswith("512 x 512, TZYX (T 3, Z 2), 1 channel")
