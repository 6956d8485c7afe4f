"""Many images of a kind, which share their layers along a slider."""

import threading

import numpy as np
import pytest
import tifffile
from driving import add_dock, drag, mapped, needs_display, open_run, to_canvas, wait_for_images
from hypothesis import given
from hypothesis import strategies as st
from linking import around, canvas, click, lasso, noise, seen, selected, world_of
from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_tsimcne import Recipe, Run
from napari_tsimcne.errors import InputError
from napari_tsimcne.gui._viewer import camera_of
from napari_tsimcne.gui.images import _showing
from napari_tsimcne.gui.images._batches import MOST_LAYERS
from napari_tsimcne.gui.images._image_name import ImageName, elided
from napari_tsimcne.gui.images._image_view import ImageView
from napari_tsimcne.gui.images._open import images_of_run, link_images, show_now
from napari_tsimcne.gui.images._outlines import IMAGE_AXIS
from napari_tsimcne.gui.steps._inputs import with_files, with_labels, with_points
from napari_tsimcne.images import World, open_images
from napari_tsimcne.recipe import Grid, Objects

pytestmark = needs_display
SIZES = [(48, 64)] * 8 + [(64, 64)] * 4
"""Of images: more than are shown side by side, of two kinds."""


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number, size in enumerate(SIZES):
        pixels = (noise(2, *size) // 12 * (number + 1)).astype(np.uint8)
        tifffile.imwrite(folder / f"{number:02}.ome.tif", pixels,
                         metadata={"axes": "CYX", "Channel": {"Name": ["DNA", "GFP"]}})  # fmt: skip
    return folder


@pytest.fixture
def run(files, tmp_path):
    images, _ = open_images(files)
    return mapped(Run.create(tmp_path / "run", images, Recipe.quick(Grid(size=16), batch_size=2)))


@pytest.fixture
def link(viewer, linked, run):
    return linked.run(run, link_images(viewer, run))


def rows_of(run, name):
    return np.flatnonzero((run.table["image"] == name).to_numpy())


def test_images_of_a_size_share_a_layer_for_each_channel(viewer, link, run):
    assert [layer.data.shape for layer in viewer.layers] == [(8, 48, 64)] * 2 + [(4, 64, 64)] * 2
    for number, record in enumerate(run.info.images):
        linked, pixels = link.layers[record.name], record.open().load()[:, :, :]
        viewer.dims.set_point(0, number)
        # One image is seen at each position, of whichever size.
        visible = [layer for layer in viewer.layers if not layer._slice.empty]
        assert visible == [linked.layer, *linked.channels]
        for layer, channel in zip(visible, pixels, strict=True):
            assert np.array_equal(layer._slice.image.raw, channel)
            assert np.array_equal(layer.data[linked.position], channel)
    assert viewer.dims.axis_labels[0] == "image" and viewer.dims.nsteps[0] == len(SIZES)


def test_limits_and_colours_are_those_of_the_run_and_the_names(viewer, link, run):
    for linked in link.layers.values():
        for layer, channel in zip((linked.layer, *linked.channels), run.info.channels, strict=True):
            assert tuple(layer.contrast_limits) == (channel.low, channel.high)
    assert [layer.colormap.name for layer in viewer.layers] == ["blue", "green"] * 2


def test_clicks_and_lassos_meet_the_image_that_is_shown(viewer, link, run):
    for number in (0, 3, 9):
        name = run.info.images[number].name
        own = rows_of(run, name)
        viewer.dims.set_point(0, number)
        viewer.reset_view()
        click(viewer, world_of(link, own[5]))
        assert selected(link) == [own[5]]
        # The outline is seen at this position of the slider, and at no other.
        starts = link.highlight.data[:, 0]
        world = [link.highlight.data_to_world(start)[0] for start in starts]
        assert np.allclose(world, number)
        link.set_image_lasso(True)
        lasso(viewer, around(link, own[[0, 1, 4, 5]]))
        assert selected(link) == list(own[[0, 1, 4, 5]])
        link.set_image_lasso(False)


def test_images_with_and_without_times_and_planes_have_one_axis_of_images(viewer, linked, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    kinds = ["YX"] * 6 + ["TYX"] * 3 + ["ZYX"] * 2 + ["TZYX"] * 2
    lengths = {"T": 4, "Z": 3, "Y": 48, "X": 64}
    for number, axes in enumerate(kinds):
        shape = [lengths[axis] for axis in axes]
        pixels = np.random.default_rng(number).integers(0, 255, shape, np.uint8)
        tifffile.imwrite(folder / f"{number:02}.ome.tif", pixels, metadata={"axes": axes})
    images, _ = open_images(folder)
    run = mapped(Run.create(tmp_path / "run", images, Recipe.quick(Grid(size=16), batch_size=2)))
    link = linked.run(run, link_images(viewer, run))
    assert len(viewer.layers) == 4
    across = viewer.dims.ndim - 3
    assert viewer.dims.axis_labels[across] == "image" and viewer.dims.nsteps[across] == len(kinds)
    for number, (record, axes) in enumerate(zip(run.info.images, kinds, strict=True)):
        shown = link.layers[record.name]
        viewer.dims.set_point(across, number)
        at = {axis: lengths[axis] - 1 for axis in "TZ" if axis in axes}
        for axis, place in at.items():
            viewer.dims.set_point(across - (2 if axis == "T" and "Z" in axes else 1), place)
        stacks = [layer for layer in viewer.layers if isinstance(layer, Image)]
        assert [layer for layer in stacks if not layer._slice.empty] == [shown.layer]
        pixels = record.open().load()[(*at.values(), slice(None), slice(None))]
        assert np.array_equal(shown.layer._slice.image.raw, pixels)
        viewer.reset_view()
        table = run.table[run.table["image"] == record.name]
        for axis, place in at.items():
            table = table[table[axis.lower()] == place]
        click(viewer, world_of(link, table.index[5]))
        assert selected(link) == [table.index[5]]


def test_the_view_is_fitted_to_the_image_that_is_seen_until_it_is_moved(viewer, link, qtbot):
    view = ImageView(viewer, viewer.window._qt_window)
    camera = camera_of(viewer)
    view.fit()
    for number, (height, width) in enumerate(SIZES):
        viewer.dims.set_point(0, number)
        assert camera.center[-2:] == ((height - 1) / 2, (width - 1) / 2)
    camera.center = (20, 20)
    viewer.dims.set_point(0, 0)
    assert camera.center[-2:] == (20, 20)
    view.release()


def test_a_long_name_over_the_images_loses_its_middle(viewer, files, run):
    names = ImageName(viewer)
    link_images(viewer, run)
    viewer.dims.set_point(0, 3)
    assert viewer.text_overlay.text == "03.ome.tif"
    # As long as its place is wide.
    viewer.canvas.size = 300, 96
    assert viewer.text_overlay.text == "03.o\N{HORIZONTAL ELLIPSIS}tif"
    viewer.canvas.size = 300, 200
    assert viewer.text_overlay.text == "03.ome.tif"
    names.release()
    assert not viewer.text_overlay.text


@given(st.text(), st.integers(3, 40))
def test_an_elided_name_begins_and_ends_as_it_does(name, most):
    short = elided(name, most)
    begin, mark, end = short.partition("\N{HORIZONTAL ELLIPSIS}")
    assert short == name or (len(short) == most and mark and len(name) > most)
    assert name.startswith(begin) and (name.endswith(end) or "\N{HORIZONTAL ELLIPSIS}" in name)


def test_the_first_image_and_time_are_shown_first(viewer, link, tmp_path):
    assert viewer.dims.current_step[0] == 0
    viewer.layers.clear()
    path = tmp_path / "movie.ome.tif"
    tifffile.imwrite(path, noise(7, 48, 64), metadata={"axes": "TYX"})
    movie = open_images(path).images
    run = mapped(Run.create(tmp_path / "movie", movie, Recipe.quick(Grid(size=16), batch_size=2)))
    show_now(images_of_run(viewer, run))
    assert viewer.dims.nsteps[0] == 7 and viewer.dims.current_step[0] == 0


@pytest.fixture
def stack(viewer, files, tmp_path):
    """Images of files that share layers, as the form has them, and their common layer."""
    images = open_images(*sorted(files.iterdir())[:8])[0]
    run = mapped(Run.create(tmp_path / "run", images, Recipe.quick(Grid(size=16), batch_size=2)))
    layers = link_images(viewer, run)
    if not next(iter(layers.values())).stacked:
        pytest.fail("the images do not share layers")
    return with_files(None, images, layers)


def test_points_drawn_on_a_stack_belong_to_the_image_at_their_position(viewer, stack):
    names = [image.name for image in stack.images]
    layer = viewer.add_points([[0, 10, 12], [5, 20, 30], [5, 40, 50], [7.3, 8, 9]], scale=(1, 1, 1))
    points = with_points(stack, layer, World.of(viewer)).points
    assert list(points["image"]) == [names[0], names[5], names[5], names[7]]
    assert points[["y", "x"]].to_numpy().tolist() == [[10, 12], [20, 30], [40, 50], [8, 9]]
    assert IMAGE_AXIS.lower() not in points
    flat = viewer.add_points([[10, 12]])
    with pytest.raises(InputError, match=r"lack the axis along which .*3 axes"):
        with_points(stack, flat, World.of(viewer))
    beyond = viewer.add_points([[8, 10, 12]])
    with pytest.raises(InputError, match=r"1 of 1 points .* outside"):
        with_points(stack, beyond, World.of(viewer))


@pytest.mark.parametrize("number_objects", [False, True])
def test_labels_drawn_on_a_stack_belong_to_the_image_at_their_position(
    viewer, stack, linked, tmp_path, number_objects
):
    drawn = np.zeros((8, 48, 64), int)
    for number in range(8):
        drawn[number, 4:16, 4:16] = 1 if number_objects else number + 1
        drawn[number, 24:40, 24 + number : 40 + number] = 1 if number_objects else 20
    layer = viewer.add_labels(drawn)
    world = World.of(viewer)
    inputs = with_labels(stack, None, [layer], world=world, number_objects=number_objects)
    for number, image in enumerate(stack.images):
        pixels = np.asarray(inputs.labels[image.name].load()[:, :])
        assert np.array_equal(pixels > 0, drawn[number] > 0)
        assert set(np.unique(pixels)) == ({0, 1, 2} if number_objects else {0, number + 1, 20})
    recipe = Recipe.quick(Objects(size=16), batch_size=2)
    made = Run.create(tmp_path / "objects", inputs.images, recipe, labels=inputs.labels)
    link = linked.run(mapped(made), inputs.layers)
    for number in (0, 6):
        viewer.dims.set_point(0, number)
        patch = link.patch_at((number, 32, 24.4 + number))
        row = link.run.table.iloc[patch]
        assert row["image"] == stack.images[number].name
        assert row["label"] == (2 if number_objects else 20)
    with pytest.raises(InputError, match="lacks the axis along which"):
        with_labels(stack, viewer.add_labels(drawn[0]), [layer], world=world)
    with pytest.raises(InputError, match=r"ends before the image .03"):
        with_labels(stack, viewer.add_labels(drawn[:3]), [layer], world=world)


def test_a_patch_is_brought_into_view_at_its_position(viewer, link, run):
    for number in (7, 2, 11):
        patch = rows_of(run, run.info.images[number].name)[3]
        link.bring_into_view(patch)
        assert viewer.dims.current_step[0] == number
        assert np.allclose(viewer.camera.center[-2:], world_of(link, patch)[-2:])


def test_many_outlines_and_clusters_are_painted_in_each_image(viewer, link, run, monkeypatch):
    monkeypatch.setattr("napari_tsimcne.gui.images._highlight.MOST_VECTORS", 5)
    chosen = np.concatenate([rows_of(run, run.info.images[n].name)[::2] for n in (1, 10)])
    link.exploration.selection.select_rows(chosen)
    half = np.array([0, *([0] * (viewer.dims.ndim - 3)), 8, 0])
    for patch in range(len(run.table)):
        edge = world_of(link, patch) - half
        assert bool(seen(link.highlight, edge)) == (patch in chosen)
    mask = np.zeros(len(run.table), bool)
    mask[chosen] = True
    cluster = link.exploration.clusters.create(mask)
    link.paint_clusters(True)
    assert len(set(link.cluster_layers.values())) == 2
    for patch in range(len(run.table)):
        layer = link.cluster_layers[run.table["image"][patch]]
        label = seen(layer, world_of(link, patch))
        assert label == (link.exploration.clusters.all[0].id if patch in chosen else 0), cluster


def test_label_images_are_hidden_and_lie_at_the_position_of_their_image(
    viewer, linked, files, tmp_path
):
    images, _ = open_images(files)
    labels = {}
    (tmp_path / "labels").mkdir()
    for number, image in enumerate(images):
        drawn = np.zeros(image.height_width, np.uint16)
        drawn[4:20, 4:20], drawn[24:40, 24 + number : 40 + number] = 1, 2
        path = tmp_path / "labels" / f"{image.name}.tif"
        tifffile.imwrite(path, drawn)
        labels[image.name] = open_images(path).images[0]
    recipe = Recipe.quick(Objects(size=16), batch_size=2)
    run = mapped(Run.create(tmp_path / "objects", images, recipe, labels=labels))
    link = linked.run(run, link_images(viewer, run))
    shown = [layer for layer in viewer.layers if layer.name.startswith("objects")]
    assert len(shown) == 2 and not any(layer.visible for layer in shown)
    for number in (0, 6, 11):
        viewer.dims.set_point(0, number)
        place = (number, 32, 24.4 + number)
        patch = link.patch_at(link.layers[images[number].name].layer.data_to_world(
            (link.layers[images[number].name].position, *place[1:])))  # fmt: skip
        assert run.table["image"][patch] == images[number].name and run.table["label"][patch] == 2
    # Found again: nothing is added twice.
    again = link_images(viewer, run)
    assert again == dict(link.layers)


def test_a_run_opens_while_the_window_lives_on(viewer, run, tmp_path, qtbot):
    dock = add_dock(viewer, tmp_path / "new")
    dock.open_run(run.folder)
    # The map is there; images come later.
    assert dock.explorer.complete and not dock.explorer.link.layers
    assert dock.showing.busy and dock.showing.isVisibleTo(dock)
    wait_for_images(dock, qtbot)
    assert set(dock.explorer.link.layers) == {record.name for record in run.info.images}
    assert not dock.showing.isVisibleTo(dock) and len(viewer.layers) == 4
    # Opened again, the layers are found.
    layers = list(viewer.layers)
    open_run(dock, run.folder, qtbot)
    assert list(viewer.layers) == layers and len(dock.explorer.link.layers) == len(SIZES)


def test_cancelled_the_map_stays_and_an_image_is_shown_when_it_is_looked_at(
    viewer, run, tmp_path, qtbot
):
    dock = add_dock(viewer, tmp_path / "new")
    dock.open_run(run.folder)
    QTest.mouseClick(dock.showing.cancel_button, Qt.MouseButton.LeftButton)
    wait_for_images(dock, qtbot)
    assert dock.explorer.complete and not dock.explorer.link.layers and not len(viewer.layers)
    name = run.info.images[9].name
    patch = rows_of(run, name)[2]
    dock.explorer.link.bring_into_view(patch)
    qtbot.waitUntil(lambda: name in dock.explorer.link.layers, timeout=30_000)
    wait_for_images(dock, qtbot)
    assert set(dock.explorer.link.layers) == {name}
    native = canvas(viewer)
    linked = dock.explorer.link.layers[name]
    row = run.table.iloc[patch]
    drag(native, [to_canvas(viewer, native, linked.layer.data_to_world((row.y, row.x))[-2:])])
    assert list(dock.explorer.exploration.selection.rows) == [patch]


def test_many_layers_are_asked_for(viewer, tmp_path, qtbot):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(MOST_LAYERS + 3):
        tifffile.imwrite(folder / f"{number:02}.tif", noise(40 + number, 48))
    images, _ = open_images(folder)
    run = mapped(Run.create(tmp_path / "run", images, Recipe.quick(Grid(size=16), batch_size=2)))
    dock = add_dock(viewer, tmp_path / "new")
    question = dock.showing.question
    for button, count in (("none_button", 0), ("some_button", MOST_LAYERS)):
        dock.open_run(run.folder)
        qtbot.waitUntil(lambda: question.isVisibleTo(dock), timeout=30_000)
        assert "13 images" in question.text.text() and not dock.explorer.link.layers
        QTest.mouseClick(getattr(question, button), Qt.MouseButton.LeftButton)
        wait_for_images(dock, qtbot)
        assert len(dock.explorer.link.layers) == count


def test_no_image_is_read_in_the_thread_of_the_window(viewer, run, tmp_path, qtbot, monkeypatch):
    threads = []
    read = _showing.Batch.read
    monkeypatch.setattr(
        _showing.Batch,
        "read",
        lambda self: threads.append(threading.current_thread()) or read(self),
    )
    dock = add_dock(viewer, tmp_path / "new")
    open_run(dock, run.folder, qtbot)
    assert threads and threading.main_thread() not in threads


def test_one_of_many_is_added_to_the_others(viewer, linked, run):
    link = linked.run(run, show_now(images_of_run(viewer, run, run.info.images[:8])))
    more = show_now(images_of_run(viewer, run, run.info.images[8:9]))
    link.add_layers(more)
    patch = rows_of(run, run.info.images[8].name)[0]
    link.bring_into_view(patch)
    assert viewer.dims.current_step[0] == 8
    click(viewer, world_of(link, patch))
    assert selected(link) == [patch]
