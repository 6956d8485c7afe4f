"""The link between a run's patches and the layers of the viewer, with a real mouse."""

import os

import dask.array
import numpy as np
import pandas as pd
import pytest
import tifffile
from driving import drag, mapped, to_canvas
from napari.layers import Labels, Vectors
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_tsimcne import Recipe, Run, open_images
from napari_tsimcne.explore import Coloring, Exploration
from napari_tsimcne.gui import _highlight, _into_view, _link
from napari_tsimcne.gui._inputs import images_of, with_labels
from napari_tsimcne.gui._link import ImageLink
from napari_tsimcne.gui._map_copy import MapCopy
from napari_tsimcne.gui._open import link_images
from napari_tsimcne.gui._outlines import is_view
from napari_tsimcne.patches import patch_corners
from napari_tsimcne.recipe import Depth, Grid, Objects, Points

pytestmark = pytest.mark.skipif(
    os.name == "posix" and os.uname().sysname == "Linux" and not os.environ.get("DISPLAY"),
    reason="no display: run with xvfb-run",
)

SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier
SELECTED = 1
"""Label of what is outlined."""


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1000, 800)
    return viewer


@pytest.fixture
def linked(viewer, tmp_path):
    """Makes a run of layers, and links it to them."""
    links = []

    def link(layers, axes, patches, depth=None, labels=None, points=None):
        inputs = images_of(layers, axes, joined=False)
        if labels is not None:
            inputs = with_labels(inputs, labels, [labels])
        recipe = Recipe.quick(patches, batch_size=2, depth=depth or Depth())
        folder = tmp_path / f"run {len(links)}"
        run = mapped(Run.create(folder, inputs.images, recipe, labels=inputs.labels, points=points))
        return link_run(run, inputs.layers)

    def link_run(run, layers):
        exploration = Exploration(run.table, run.coordinates, lambda: run.features)
        made = ImageLink(viewer, run, exploration, layers)
        made.exploration, made.run = exploration, run
        made.told = []
        made.let_go.connect(made.told.append)
        links.append(made)
        viewer.reset_view()
        settle()
        return made

    link.run = link_run
    yield link
    for made in links:
        made.close()


def noise(*shape):
    return np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)


TURNED = {"scale": (2, 0.5, 1.0), "translate": (0, 30, -20), "rotate": 25,
          "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}  # fmt: skip
"""Pixels of 0.5 x 1 µm, turned, every 2 s."""


@pytest.fixture
def movie(viewer, linked):
    """A turned time-lapse of pixels that are not square, 3 x 24 patches."""
    layer = viewer.add_image(noise(3, 64, 96), name="movie", **TURNED)
    return linked([layer], ["TYX"], Grid(size=16))


def settle():
    for _ in range(5):
        QApplication.processEvents()


def canvas(viewer):
    return viewer.window._qt_viewer.canvas.native


def world_of(link, patch):
    """Where the centre of a patch lies, in world coordinates."""
    row = link.run.table.iloc[patch]
    linked = link.layers[row["image"]]
    at = [row[axis.lower()] for axis in linked.axes]
    return np.array(linked.layer.data_to_world(at))


def click(viewer, world, modifier=Qt.KeyboardModifier.NoModifier):
    settle()
    drag(canvas(viewer), [to_canvas(viewer, canvas(viewer), np.asarray(world)[-2:])], modifier)


def lasso(viewer, corners, modifier=Qt.KeyboardModifier.NoModifier):
    """Drag along corners, (y, x) in world coordinates."""
    settle()
    native = canvas(viewer)
    path = [to_canvas(viewer, native, corner) for corner in corners]

    def arrived(place):
        at = to_canvas(viewer, native, viewer.cursor.position[-2:])
        return (at - place).manhattanLength() <= 2

    drag(native, path, modifier, arrived)


def around(link, patches, room=0.3):
    """A path around the centres of patches along their image's rows and columns."""
    table = link.run.table.iloc[patches]
    linked = link.layers[table["image"].iloc[0]]
    pad = room * table["size"].iloc[0]
    low, high = table[["y", "x"]].min().to_numpy() - pad, table[["y", "x"]].max().to_numpy() + pad
    yx = [(low[0], low[1]), (low[0], high[1]), (high[0], high[1]), (high[0], low[1])]
    at = {axis: table[axis.lower()].iloc[0] for axis in linked.axes}
    places = [{**at, "Y": y, "X": x} for y, x in yx]
    return [
        linked.layer.data_to_world([place[axis] for axis in linked.axes])[-2:] for place in places
    ]


def selected(link):
    return list(link.exploration.selection.rows)


def seen(layer, world):
    """Value of a Labels layer at a place in world coordinates, 0 outside of it."""
    at = np.round(layer.world_to_data(world)).astype(int)
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    if (at < 0).any() or (at >= shape).any():
        return 0
    data = layer.data[0] if layer.multiscale else layer.data
    return int(data[tuple(at)])


# --- from the map to the images -----------------------------------------------------------------


def test_outlines_of_a_few_are_lines_and_of_many_a_picture(movie, viewer, monkeypatch):
    monkeypatch.setattr(_highlight, "MOST_VECTORS", 10)
    movie.exploration.selection.select_rows([3, 30])
    assert isinstance(movie.highlight, Vectors) and len(movie.highlight.data) == 8
    chosen = [0, 1, *range(20, 40), 71]
    movie.exploration.selection.select_rows(chosen)
    picture = movie.highlight
    assert isinstance(picture, Labels) and not picture.editable and is_view(picture)
    assert picture.units == viewer.layers["movie"].units
    layer, table = viewer.layers["movie"], movie.run.table
    corners = patch_corners(table, np.arange(72))
    for patch, row in table.iterrows():
        on_edge = seen(picture, layer.data_to_world((row.t, *corners[patch].mean(axis=0))))
        assert on_edge != SELECTED
        # The middle of a side that a patch has alone, or shares with a patch of the same state.
        edges = [corners[patch][[i, (i + 1) % 4]].mean(axis=0) for i in range(4)]
        marks = [seen(picture, layer.data_to_world((row.t, *edge))) for edge in edges]
        assert all(marks) if patch in chosen else not all(marks)
    # What is drawn follows the slider, and the selection.
    for t in (0, 1, 2):
        viewer.dims.set_point(0, 2 * t)
        drawn = np.asarray(picture._slice.image.raw)
        assert drawn.any() and np.array_equal(drawn, picture.data[t])
    movie.exploration.selection.clear()
    assert isinstance(movie.highlight, Vectors) and not len(movie.highlight.data)
    assert not picture.visible


def test_images_turned_against_each_other_are_outlined_by_lines(viewer, linked, monkeypatch):
    monkeypatch.setattr(_highlight, "MOST_VECTORS", 10)
    layers = [
        viewer.add_image(noise(64, 64), name="straight"),
        viewer.add_image(noise(64, 64), name="turned", rotate=30, translate=(0, 90)),
    ]
    link = linked(layers, ["YX", "YX"], Grid(size=16))
    link.exploration.selection.invert()
    assert isinstance(link.highlight, Vectors) and len(link.highlight.data) == 32 * 4


def test_images_side_by_side_and_of_another_scale_share_a_picture(viewer, linked, monkeypatch):
    monkeypatch.setattr(_highlight, "MOST_VECTORS", 3)
    layers = [
        viewer.add_image(noise(3, 64, 64), name="stack"),
        viewer.add_image(noise(2, 64, 64), name="fine", scale=(1, 0.5, 0.25), translate=(1, 0, 80)),
    ]
    link = linked(layers, ["ZYX", "ZYX"], Grid(size=24, stride=32))
    chosen = [0, 5, 11, 12, 19]
    link.exploration.selection.select_rows(chosen)
    for patch, row in link.run.table.iterrows():
        layer = link.layers[row.image].layer
        world = layer.data_to_world((row.z, row.y - 12, row.x - 9))
        assert (seen(link.highlight, world) == SELECTED) == (patch in chosen)
        assert seen(link.highlight, world_of(link, patch)) == 0


def test_a_moved_image_takes_its_outlines_along(movie, viewer, qtbot):
    movie.exploration.selection.select_rows([5])
    movie.paint_clusters(True)
    movie.exploration.clusters.create(movie.exploration.selection.mask)
    layer = viewer.layers["movie"]
    layer.translate = (0, 400, 0)
    layer.scale = (2, 2.0, 0.5)

    def there():
        start = movie.highlight.data_to_world(movie.highlight.data[0, 0])
        corner = (0, *patch_corners(movie.run.table, np.array([5]))[0, 0])
        assert np.allclose(start, layer.data_to_world(corner))

    qtbot.waitUntil(lambda: _passes(there))
    assert seen(movie.cluster_layers["movie"], world_of(movie, 5)) == 1


def _passes(check):
    try:
        check()
    except AssertionError:
        return False
    return True


# --- into view ----------------------------------------------------------------------------------


def test_a_patch_comes_into_view_and_is_marked(movie, viewer, qtbot, monkeypatch):
    monkeypatch.setattr(_link, "MARK_MS", 50)
    movie._unmark.setInterval(50)
    viewer.camera.zoom = zoom = 12.0
    movie.bring_into_view(60)
    assert viewer.dims.point[0] == pytest.approx(4)
    assert np.allclose(viewer.camera.center[-2:], world_of(movie, 60)[-2:])
    assert viewer.camera.zoom == zoom and not selected(movie)
    mark = viewer.layers["patch in view"]
    assert np.allclose(mark.data[:, 0].mean(axis=0), movie.run.table.loc[60, ["t", "y", "x"]])
    qtbot.waitUntil(lambda: "patch in view" not in viewer.layers)

    # Too small to be seen: the view is zoomed in.
    viewer.camera.zoom = 0.5
    movie.bring_into_view(3)
    assert viewer.dims.point[0] == 0
    assert 16 * 0.5 * viewer.camera.zoom == pytest.approx(_into_view.COMFORTABLE)


def test_an_image_that_is_not_loaded_is_opened(viewer, linked, tmp_path, qtbot, monkeypatch):
    notices = []
    monkeypatch.setattr("napari_tsimcne.gui._open.show_warning", notices.append)
    for number in range(3):
        tifffile.imwrite(tmp_path / f"{number}.tif", noise(48, 64) + number)
    images, _ = open_images(*(tmp_path / f"{n}.tif" for n in range(3)))
    run = Run.create(tmp_path / "run", images, Recipe.quick(Grid(size=16), batch_size=2))
    link = linked.run(mapped(run), link_images(viewer, run))
    # Software GL crashes where napari draws again after all images but one went at once.
    viewer.add_labels(np.ones((48, 64), np.uint8), name="mine")
    settle()
    place = np.array(viewer.layers["1.tif"].translate)
    changes = []
    link.layers_changed.connect(lambda: changes.append(set(link.layers)))
    del viewer.layers["1.tif"]
    del viewer.layers["2.tif"]
    assert set(link.layers) == {"0.tif"} == changes[-1]
    qtbot.waitUntil(lambda: bool(link.told))
    assert len(link.told) == 1 and "'1.tif', '2.tif'" in link.told[0]
    # Its patches can be selected on the map, but no click finds them.
    link.exploration.selection.select_rows([14])
    assert link.highlight is None

    link.bring_into_view(14)
    assert set(link.layers) == {"0.tif", "1.tif"} == changes[-1]
    assert np.allclose(viewer.layers["1.tif"].translate, place)
    assert np.allclose(viewer.camera.center[-2:], world_of(link, 14))
    assert len(link.highlight.data) == 4

    (tmp_path / "2.tif").unlink()
    link.bring_into_view(30)
    assert "2.tif" in notices[-1] and str(tmp_path) in notices[-1]
    assert set(link.layers) == {"0.tif", "1.tif"}


# --- from the images to the map -----------------------------------------------------------------


def test_a_click_selects_through_time_scale_and_turn(movie, viewer):
    viewer.dims.set_point(0, 2)
    click(viewer, world_of(movie, 29))
    assert selected(movie) == [29]
    click(viewer, world_of(movie, 47), SHIFT)
    assert selected(movie) == [29, 47]
    click(viewer, world_of(movie, 29), ALT)
    assert selected(movie) == [47]
    # A click beside all images leaves the selection.
    click(viewer, np.array(viewer.camera.center[-2:]) + 0.48 * 800 / viewer.camera.zoom)
    assert selected(movie) == [47]


def test_a_lasso_selects_what_is_seen_inside(movie, viewer):
    viewer.dims.set_point(0, 4)
    active = viewer.layers.selection.active
    movie.set_image_lasso(True)
    camera = (viewer.camera.center, viewer.camera.zoom)
    # Columns 1 to 3 of rows 0 and 1, at the last time.
    first = [48 + 6 * row + column for row in (0, 1) for column in (1, 2, 3)]
    lasso(viewer, around(movie, first))
    assert selected(movie) == first
    lasso(viewer, around(movie, [70, 71]), SHIFT)
    assert selected(movie) == [*first, 70, 71]
    lasso(viewer, around(movie, [49, 55]), ALT)
    assert selected(movie) == [50, 51, 56, 57, 70, 71]
    assert (viewer.camera.center, viewer.camera.zoom) == camera
    assert viewer.layers.selection.active is active
    assert not len(viewer.layers["lasso"].data)
    # A click selects as ever; once switched off, a drag moves the camera.
    click(viewer, world_of(movie, 60))
    assert selected(movie) == [60]
    movie.set_image_lasso(False)
    assert "lasso" not in viewer.layers
    middle = QPoint(canvas(viewer).width() // 2, canvas(viewer).height() // 2)
    drag(canvas(viewer), [middle, middle + QPoint(20, 0), middle + QPoint(60, 0)])
    settle()
    assert viewer.camera.center != camera[0] and selected(movie) == [60]


def test_escape_cancels_a_lasso(movie, viewer):
    viewer.dims.set_point(0, 0)
    movie.set_image_lasso(True)
    native = canvas(viewer)
    settle()
    path = [to_canvas(viewer, native, corner) for corner in around(movie, [0, 1, 6, 7])]
    pressed = []

    def arrived(place):
        if place == path[2] and not pressed:
            pressed.append(True)
            QTest.keyClick(native, Qt.Key.Key_Escape)
        return True

    drag(native, path, arrived=arrived)
    assert pressed and not selected(movie) and not len(viewer.layers["lasso"].data)
    lasso(viewer, around(movie, [0, 1, 6, 7]))
    assert selected(movie) == [0, 1, 6, 7]


def test_modes_of_other_layers_and_the_3d_view_come_first(movie, viewer, monkeypatch):
    notices = []
    monkeypatch.setattr("napari_tsimcne.gui._image_lasso.show_info", notices.append)
    cells = viewer.add_labels(np.zeros((64, 96), np.uint8), name="cells", scale=(0.5, 1.0))
    viewer.reset_view()
    cells.mode = "paint"
    movie.set_image_lasso(True)
    assert "'cells' is in its mode 'paint'" in notices[-1] and len(notices) == 1
    native = canvas(viewer)
    settle()
    start = to_canvas(viewer, native, (10, 10))
    drag(native, [start, start + QPoint(30, 0), start + QPoint(30, 30), start + QPoint(0, 30)])
    settle()
    assert cells.data.any() and not selected(movie) and len(notices) == 2
    cells.mode = "pan_zoom"
    viewer.dims.ndisplay = 3
    drag(native, [start, start + QPoint(30, 0), start + QPoint(30, 30)])
    assert "2D view" in notices[-1] and not selected(movie)


def test_a_lasso_takes_the_images_it_touches_but_not_what_they_cover(viewer, linked):
    layers = [
        viewer.add_image(noise(64, 64), name="below", scale=(1, 2)),
        viewer.add_image(noise(64, 64), name="above", translate=(0, 64)),
        viewer.add_image(noise(64, 64), name="hidden", visible=False),
    ]
    link = linked(layers, ["YX"] * 3, Grid(size=16))
    link.set_image_lasso(True)
    lasso(viewer, [(-3, -3), (-3, 140), (67, 140), (67, -3)])
    table = link.run.table.iloc[selected(link)]
    assert list(table["image"].value_counts()[["below", "above"]]) == [8, 16]
    assert table[table["image"] == "below"]["x"].max() < 32
    # Another order of layers, another image on top; names do not matter.
    layers[0].name = "another name"
    viewer.layers.move(0, 3)
    lasso(viewer, [(-3, -3), (-3, 140), (67, 140), (67, -3)])
    table = link.run.table.iloc[selected(link)]
    assert list(table["image"]) == ["below"] * 16
    click(viewer, (8, 100))
    assert list(link.run.table.iloc[selected(link)]["image"]) == ["below"]


def test_patches_in_the_3d_view(viewer, linked):
    layer = viewer.add_image(noise(5, 64, 64), name="stack", scale=(6, 0.5, 1.0))
    link = linked([layer], ["ZYX"], Grid(size=16))
    viewer.dims.ndisplay = 3
    settle()
    link.bring_into_view(37)
    assert np.allclose(viewer.camera.center, world_of(link, 37))
    # Seen along the depth, from below the first plane: the one of the first plane is hit.
    click(viewer, world_of(link, 37))
    row = link.run.table.loc[37]
    (hit,) = selected(link)
    found = link.run.table.loc[hit]
    assert (found["y"], found["x"]) == (row["y"], row["x"]) and found["z"] in (0, 4)
    # Seen from the side a ray meets the planes at different places.
    viewer.camera.angles = (20, 30, 60)
    settle()
    direction = np.array(viewer.camera.view_direction)
    assert np.abs(direction).min() > 0.1
    for patch in range(80):
        # Wherever on the ray the pointer is said to be; another plane may lie before it.
        hits = {link.patch_at(tuple(world_of(link, patch) + far * direction), tuple(direction))
                for far in (-500, 0, 500)}  # fmt: skip
        (hit,) = hits
        planes = link.run.table.loc[[hit, patch], "z"]
        assert (planes.iloc[0] - planes.iloc[1]) * np.sign(direction[0]) <= 0
        front = 4 if direction[0] < 0 else 0
        assert planes.iloc[1] != front or hit == patch


# --- clusters on the images ---------------------------------------------------------------------


def test_clusters_are_painted_live(movie, viewer):
    clusters = movie.exploration.clusters
    clusters.replace(np.arange(72) % 5 - 1)
    movie.paint_clusters(True)
    layer = movie.cluster_layers["movie"]
    assert layer.name == "clusters of movie" and not layer.editable and is_view(layer)
    assert layer.units == viewer.layers["movie"].units
    assert viewer.layers.index(layer) == viewer.layers.index(viewer.layers["movie"]) + 1

    def right():
        return [seen(layer, world_of(movie, i)) for i in range(72)] == list(clusters.ids)

    assert right()
    new = clusters.create(np.arange(72) < 7, color="#123456")
    assert right() and seen(layer, world_of(movie, 3)) == new.id
    assert layer.get_color(new.id) == pytest.approx([0x12 / 255, 0x34 / 255, 0x56 / 255, 1])
    assert layer.features["cluster"].tolist()[-1] == new.name
    viewer.dims.set_point(0, 0)
    shown = np.asarray(layer._slice.image.raw)
    assert shown.shape == (4, 6) and np.array_equal(shown.ravel(), clusters.ids[:24])
    movie.exploration.history.undo()
    assert right() and np.array_equal(np.asarray(layer._slice.image.raw).ravel(), clusters.ids[:24])
    clusters.describe(1, color="#ff0000")
    assert layer.get_color(1) == pytest.approx([1, 0, 0, 1])
    # Off and on again; and again after it was removed.
    movie.paint_clusters(False)
    assert not layer.visible
    movie.paint_clusters(True)
    assert layer.visible and movie.cluster_layers["movie"] is layer
    ended = []
    movie.painting_ended.connect(lambda: ended.append(True))
    viewer.layers.remove(layer)
    assert ended == [True]
    clusters.delete([1])
    movie.paint_clusters(True)
    assert movie.cluster_layers["movie"] in viewer.layers
    movie.close()
    assert ended == [True]
    assert not any("clusters" in layer.name for layer in viewer.layers)


def test_images_side_by_side_share_a_layer_of_clusters(viewer, linked, monkeypatch):
    layers = [
        viewer.add_image(noise(2, 64, 64), name="left", scale=(1, 0.5, 0.5)),
        viewer.add_image(noise(3, 32, 64), name="right", scale=(1, 1.0, 0.5), translate=(0, 3, 40)),
    ]
    link = linked(layers, ["TYX", "TYX"], Grid(size=16))
    clusters = link.exploration.clusters
    clusters.replace(np.arange(len(link.run.table)) % 7 - 1)
    link.paint_clusters(True)

    def right():
        painted = link.cluster_layers
        places = [(row["image"], world_of(link, i)) for i, row in link.run.table.iterrows()]
        return [seen(painted[name], at) for name, at in places] == list(clusters.ids)

    shared = link.cluster_layers["left"]
    assert right() and link.cluster_layers["right"] is shared and shared.name == "clusters"
    # Between and below the images nothing is painted.
    assert not any(seen(shared, at) for at in [(0, 10, 36), (0, 33, 20), (0, 1, 50), (2, 9, 9)])
    whole = np.asarray(shared.data)
    assert np.array_equal(np.asarray(shared.data[1, 3:9, 2]), whole[1, 3:9, 2])
    # Turned against each other, they have a layer each; as do images that are large together.
    layers[1].rotate = 20
    settle()
    assert right() and link.cluster_layers["right"].name == "clusters of right"
    layers[1].rotate = 0
    settle()
    assert link.cluster_layers["right"].name == "clusters"
    monkeypatch.setattr("napari_tsimcne.gui._cluster_pictures.MOST_KEPT", 10)
    layers[1].translate = (0, 5, 40)
    settle()
    assert right() and link.cluster_layers["left"].name == "clusters of left"


@pytest.mark.parametrize("stride", [8, 20])
def test_overlapping_and_distant_windows(viewer, linked, stride):
    layer = viewer.add_image(noise(64, 64), name="image")
    link = linked([layer], ["YX"], Grid(size=16, stride=stride))
    count = len(link.run.table)
    link.exploration.clusters.replace(np.arange(count))
    link.paint_clusters(True)
    painted = link.cluster_layers["image"]
    ids = link.exploration.clusters.ids
    assert [seen(painted, world_of(link, i)) for i in range(count)] == list(ids)
    # Between windows that are further apart than they are wide, nothing is painted.
    assert (seen(painted, (17.5, 5)) == 0) == (stride == 20)


@pytest.mark.parametrize("kind", ["array", "pyramid", "lazy"])
def test_objects_are_painted_in_their_shape(viewer, linked, kind):
    labels = np.zeros((3, 64, 80), np.int64)
    for t in range(3):
        for number in range(6):
            top, left = 8 + 28 * (number // 3), 6 + 24 * (number % 3)
            labels[t, top : top + 9 + t, left : left + 14] = 100_000 * (number + 1)
    image = viewer.add_image(noise(3, 64, 80), name="cells", scale=(1, 0.5, 1.0))
    data, options = labels, {}
    if kind == "pyramid":
        data, options = [labels, labels[:, ::2, ::2]], {"multiscale": True}
    elif kind == "lazy":
        data = dask.array.from_array(labels, chunks=(1, 32, 32))
    masks = viewer.add_labels(data, name="masks", scale=(1, 0.5, 1.0), **options)
    link = linked([image], ["TYX"], Objects(size=16), labels=masks)
    table = link.run.table
    assert len(table) == 18
    clusters = link.exploration.clusters
    clusters.replace(np.where(table["t"] == 1, -1, np.arange(18) % 4))
    link.paint_clusters(True)
    # The colours of the label image, which mean nothing, do not shine through.
    assert not masks.visible
    painted = link.cluster_layers["cells"]
    level = painted.data[0] if painted.multiscale else painted.data
    expected = np.zeros(labels.shape, int)
    for patch, row in table.iterrows():
        expected[row.t][labels[row.t] == row.label] = clusters.ids[patch]
    assert np.array_equal(np.asarray(level), expected)
    if painted.multiscale:
        assert np.array_equal(np.asarray(painted.data[1]), expected[:, ::2, ::2])
    # A click on an object selects its own patch; without the objects, windows are painted.
    viewer.dims.set_point(0, 2)
    click(viewer, world_of(link, 15))
    assert selected(link) == [15]
    link.paint_clusters(False)
    assert masks.visible
    link.paint_clusters(True)
    viewer.layers.remove(masks)
    painted = link.cluster_layers["cells"]
    assert seen(painted, world_of(link, 15)) == clusters.ids[15]


def test_points_are_painted_as_their_windows(viewer, linked):
    layer = viewer.add_image(noise(4, 64, 64), name="stack", scale=(3, 1.0, 0.5))
    points = pd.DataFrame({"image": "stack", "y": [20.0, 24, 50], "x": [20.0, 30, 40]})
    link = linked([layer], ["ZYX"], Points(size=16), depth=Depth(method="max"), points=points)
    link.exploration.clusters.replace(np.array([0, 1, 1]))
    link.paint_clusters(True)
    painted = link.cluster_layers["stack"]
    # Of a projection: on all planes.
    for z in range(4):
        for patch in range(3):
            world = world_of(link, patch) + np.array([3 * z, 0, 0])
            assert seen(painted, world) == link.exploration.clusters.ids[patch]
    assert seen(painted, layer.data_to_world((1, 5, 5))) == 0
    # Where two windows overlap, the nearer one is seen.
    one, two = link.exploration.clusters.ids[:2]
    assert seen(painted, layer.data_to_world((0, 21, 23))) == one
    assert seen(painted, layer.data_to_world((0, 23, 27))) == two


# --- layers that go -----------------------------------------------------------------------------


def test_pixels_of_another_shape_are_let_go(movie, viewer, qtbot):
    viewer.layers["movie"].data = noise(3, 64, 96)
    assert set(movie.layers) == {"movie"}
    viewer.layers["movie"].data = noise(3, 50, 96)
    assert movie.layers == {}
    qtbot.waitUntil(lambda: bool(movie.told))
    assert "'movie'" in movie.told[0]
    movie.exploration.selection.select_rows([4])
    movie.paint_clusters(True)
    assert not movie.cluster_layers


def test_nothing_is_left_behind(viewer, linked):
    layer = viewer.add_image(noise(3, 64, 96), name="movie", **TURNED)
    before = list(viewer.mouse_drag_callbacks)
    movie = linked([layer], ["TYX"], Grid(size=16))
    viewer.dims.set_point(0, 0)
    movie.set_image_lasso(True)
    lasso(viewer, around(movie, [0, 1, 6, 7]))
    movie.paint_clusters(True)
    movie.bring_into_view(2)
    movie.close()
    assert [layer.name for layer in viewer.layers] == ["movie"]
    assert viewer.mouse_drag_callbacks == before
    movie.exploration.selection.clear()
    movie.exploration.clusters.create(movie.exploration.selection.mask)
    assert len(viewer.layers) == 1


# --- the map among the images -------------------------------------------------------------------


def test_the_copied_map_is_in_step(movie, viewer):
    exploration = movie.exploration
    coloring = Coloring(exploration)
    copy = MapCopy(viewer, exploration, coloring)
    layer = copy.layer
    assert list(layer.features.columns) == list(exploration.columns().columns)
    assert is_view(layer) and not is_view(viewer.layers["movie"])
    assert len(layer.data) == 72 and layer.units == viewer.layers["movie"].units[-2:]
    # Beside the images, and as large.
    images = np.asarray(viewer.layers["movie"].extent.world)[:, -2:]
    world = np.array([layer.data_to_world(at) for at in layer.data])
    low, high = world.min(axis=0), world.max(axis=0)
    assert low[1] > images[1, 1]
    assert (high - low).max() == pytest.approx((images[1] - images[0]).max(), rel=1e-3)
    # Up on the map is up on the screen.
    order = np.argsort(exploration.coordinates[:, 1])
    assert (np.diff(world[order, 0]) <= 1e-6).all()

    cluster = exploration.clusters.create(np.arange(72) < 9, name="island")
    assert (layer.features["cluster"] == "island").sum() == 9
    assert np.allclose(layer.face_color, coloring.colors)
    exploration.clusters.describe(cluster.id, name="peak", color="#ff0000")
    assert (layer.features["cluster"] == "peak").sum() == 9
    assert np.allclose(layer.face_color[0, :3], [1, 0, 0])

    exploration.selection.select_rows([4, 5])
    assert set(layer.selected_data) == {4, 5}
    layer.selected_data = {7, 8, 9}
    assert selected(movie) == [7, 8, 9] and exploration.history.past

    copy.close()
    assert layer not in viewer.layers
    exploration.selection.clear()


def test_a_copied_map_that_was_edited_no_longer_follows(movie, viewer, monkeypatch):
    notices = []
    monkeypatch.setattr("napari_tsimcne.gui._map_copy.show_info", notices.append)
    exploration = movie.exploration
    copy = MapCopy(viewer, exploration, Coloring(exploration))
    copy.layer.selected_data = {3}
    copy.layer.remove_selected()
    assert "no longer follows" in notices[-1]
    exploration.selection.select_rows([71])
    exploration.clusters.create(exploration.selection.mask)
    assert len(copy.layer.features) == 71
    viewer.layers.remove(copy.layer)
    copy.close()
