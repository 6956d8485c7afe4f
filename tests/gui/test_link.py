"""The link between a run's patches and the layers of the viewer: what is shown in the images."""

import numpy as np
import pytest
import tifffile
from driving import mapped, needs_display
from linking import TURNED, around, lasso, noise, seen, selected, settle, world_of
from napari.layers import Labels, Vectors

from napari_tsimcne import Recipe, Run, open_images
from napari_tsimcne.explore import Coloring
from napari_tsimcne.gui.images import _highlight, _into_view, _link
from napari_tsimcne.gui.images._open import images_of_run, link_images, show_now
from napari_tsimcne.gui.images._outlines import is_view
from napari_tsimcne.gui.map._map_copy import MapCopy
from napari_tsimcne.patches import patch_corners
from napari_tsimcne.recipe import Grid

pytestmark = needs_display

SELECTED = 1
"""Label of what is outlined."""


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
        assert drawn.any()
    # One layer of outlines is in the list, and none where nothing is selected.
    names = [layer.name for layer in viewer.layers if is_view(layer)]
    assert names == ["selected patches"]
    movie.exploration.selection.select_rows([3])
    assert isinstance(movie.highlight, Vectors) and picture not in viewer.layers
    movie.exploration.selection.select_rows(chosen)
    movie.exploration.selection.clear()
    assert movie.highlight is None and [layer.name for layer in viewer.layers] == ["movie"]


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
    place = movie.run.table.loc[60, ["t", "y", "x"]].to_numpy(float)
    assert np.allclose(mark.data[:, 0].mean(axis=0), place)
    qtbot.waitUntil(lambda: "patch in view" not in viewer.layers)

    # Too small to be seen: the view is zoomed in.
    viewer.camera.zoom = 0.5
    movie.bring_into_view(3)
    assert viewer.dims.point[0] == 0
    assert 16 * 0.5 * viewer.camera.zoom == pytest.approx(_into_view.COMFORTABLE)


def test_an_image_that_is_not_loaded_is_opened(viewer, linked, tmp_path, qtbot, monkeypatch):
    notices = []
    monkeypatch.setattr("napari_tsimcne.gui.images._open.show_warning", notices.append)
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

    # Asked for, shown, and moved to.
    link.image_wanted.connect(
        lambda name: link.add_layers(show_now(images_of_run(viewer, run, [run.image(name)])))
    )
    link.bring_into_view(14)
    assert set(link.layers) == {"0.tif", "1.tif"} == changes[-1]
    assert np.allclose(viewer.layers["1.tif"].translate, place)
    assert np.allclose(viewer.camera.center[-2:], world_of(link, 14))
    assert len(link.highlight.data) == 4

    (tmp_path / "2.tif").unlink()
    link.bring_into_view(30)
    assert "2.tif" in notices[-1] and str(tmp_path) in notices[-1]
    assert set(link.layers) == {"0.tif", "1.tif"}


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
    monkeypatch.setattr("napari_tsimcne.gui.map._map_copy.show_info", notices.append)
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
