"""Clusters painted over the images."""

import dask.array
import numpy as np
import pandas as pd
import pytest
from driving import needs_display
from linking import click, noise, seen, selected, settle, world_of

from napari_tsimcne.gui.images._outlines import is_view
from napari_tsimcne.recipe import Depth, Grid, Objects, Points

pytestmark = needs_display


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
    monkeypatch.setattr("napari_tsimcne.gui.images._cluster_pictures.MOST_KEPT", 10)
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
