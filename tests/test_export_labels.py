import json
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import tifffile
from geojson_pydantic import FeatureCollection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from making import mapped
from matplotlib.path import Path as Polygon

from napari_tsimcne import Grid, ImageSource, InputError, Objects, Recipe, Run, open_images
from napari_tsimcne.explore import Exploration, automatic_clusters
from napari_tsimcne.export import Excerpt
from napari_tsimcne.export.patches._geojson import export_geojson
from napari_tsimcne.export.patches._label_images import export_label_images, nearest_tiles
from napari_tsimcne.export.patches._outlines import outlines, square
from napari_tsimcne.recipe import Depth
from napari_tsimcne.runs import open_exploration

CELL = 12
"""Side of the field of an object of `label_plane`."""


def label_plane(seed: int, cells: int = 5) -> np.ndarray:
    """Labels of objects of any shape, with holes and in parts, none at the border, (62, 62)."""
    random = np.random.default_rng(seed)
    plane = np.zeros((cells * CELL + 2,) * 2, np.int64)
    for i in range(cells**2):
        top, left = 1 + CELL * np.array(divmod(i, cells))
        plane[top : top + CELL, left : left + CELL][random.random((CELL, CELL)) < 0.6] = 70_000 + i
    plane[[0, -1]] = plane[:, [0, -1]] = 0
    return plane


def pictured(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """An image of objects, of the same shape."""
    return np.random.default_rng(seed).integers(0, 99, labels.shape).astype(np.uint8)


def of_objects(folder, labels: np.ndarray, axes: str, depth=None) -> Excerpt:
    """Patches of the objects of an image, in two clusters and some in none."""
    tifffile.imwrite(folder / "objects.tif", labels.astype(np.int32), metadata={"axes": axes})
    (objects,) = open_images(folder / "objects.tif").images
    image = ImageSource.from_array(
        pictured(labels), axes, name="cells.tif", pixel_size=(0.5, 0.4), unit="µm"
    )
    recipe = Recipe.quick(Objects(size=12), batch_size=8, depth=depth)
    run = Run.create(folder / "run", [image], recipe, labels={"cells.tif": objects.with_axes(axes)})
    return clustered(run)


def clustered(run: Run) -> Excerpt:
    exploration = open_exploration(mapped(run))
    number = np.arange(len(run.table))
    exploration.clusters.create(number % 3 == 0, "round", "#ff8000")
    exploration.clusters.create(number % 3 == 1, "long: and \n thin", "#0000ff")
    return Excerpt.all(run, exploration)


def of_tiles(folder, **options) -> Excerpt:
    array = np.random.default_rng(0).integers(0, 99, (2, 3, 40, 48)).astype(np.uint8)
    image = ImageSource.from_array(array, "ZCYX", name="tissue", **options)
    recipe = Recipe.quick(Grid(size=8), batch_size=8)
    return clustered(Run.create(folder / "run", [image], recipe))


def ids_by_label(excerpt, table) -> dict[int, int]:
    return dict(zip(table["label"], excerpt.exploration.clusters.ids[table.index], strict=True))


def painted(labels, by_label) -> np.ndarray:
    return np.vectorize(lambda label: by_label.get(label, 0))(labels)


# --- label images -------------------------------------------------------------------------------


def test_objects_get_the_number_of_their_cluster(tmp_path):
    labels = np.stack([label_plane(0), label_plane(1)])
    excerpt = of_objects(tmp_path, labels, "TYX")
    heard = []
    assert export_label_images(
        excerpt, tmp_path / "out", told=lambda *said: heard.append(said[1:])
    ) == 1  # fmt: skip
    assert heard[0] == (0, 2 * 62) and heard[-1] == (2 * 62, 2 * 62)
    with tifffile.TiffFile(tmp_path / "out" / "cells.ome.tif") as tiff:
        assert tiff.series[0].axes == "TYX" and tiff.series[0].dtype == np.uint8
        read = tiff.asarray()
        pixels = ElementTree.fromstring(tiff.ome_metadata).find(".//{*}Pixels")
    said = [pixels.get(f"PhysicalSize{axis}{of}") for axis in "YX" for of in ("", "Unit")]
    assert said == ["0.5", "µm", "0.4", "µm"]
    for t, plane in enumerate(labels):
        rows = excerpt.run.table[excerpt.run.table["t"] == t]
        assert (read[t] == painted(plane, ids_by_label(excerpt, rows))).all()
    assert set(np.unique(read)) == {0, 1, 2}
    table = pd.read_csv(tmp_path / "out" / "clusters.csv")
    assert list(table["value"]) == [1, 2] and list(table["color"]) == ["#ff8000", "#0000ff"]
    assert list(table["name"]) == ["round", "long: and \n thin"]
    assert list(table["patches"]) == [
        int((excerpt.cluster_ids == 1).sum()), int((excerpt.cluster_ids == 2).sum())
    ]  # fmt: skip


def test_a_part_is_painted_as_in_all(tmp_path):
    excerpt = of_objects(tmp_path, label_plane(2), "YX")
    export_label_images(excerpt, tmp_path / "all")
    part = Excerpt.of_clusters(excerpt.run, excerpt.exploration, ["round"])
    export_label_images(part, tmp_path / "part")
    every, some = (tifffile.imread(tmp_path / name / "cells.ome.tif") for name in ("all", "part"))
    assert (some == np.where(every == 1, 1, 0)).all() and some.any()
    assert list(pd.read_csv(tmp_path / "part" / "clusters.csv")["name"]) == ["round"]


def test_numbers_above_255_are_held(tmp_path):
    excerpt = of_objects(tmp_path, label_plane(2), "YX")
    old = excerpt.exploration
    big = old.clusters.all[0].model_copy(update={"id": 300})
    ids = np.where(old.clusters.ids == 1, 300, 0)
    new = Exploration(old.table, old.coordinates, lambda: old.features, clusters=[big], ids=ids)
    export_label_images(Excerpt.all(excerpt.run, new), tmp_path / "out")
    read = tifffile.imread(tmp_path / "out" / "cells.ome.tif")
    assert read.dtype == np.uint16 and set(np.unique(read)) == {0, 300}


def test_labels_that_are_gone_or_changed_are_told(tmp_path):
    labels = label_plane(0)
    excerpt = of_objects(tmp_path, labels, "YX")
    (tmp_path / "objects.tif").unlink()
    for export in (export_label_images, export_geojson):
        with pytest.raises(InputError, match=r"of 'cells.tif' cannot be opened.*locate.*tiles"):
            export(excerpt, tmp_path / "out")
        small = ImageSource.from_array(labels[:40], "YX", name="small")
        with pytest.raises(InputError, match=r"'small' is 40 x 62 pixels but 'cells.tif' is 62 x"):
            export(excerpt, tmp_path / "out", labels={"cells.tif": small})
        assert not (tmp_path / "out").exists()
    given = {"cells.tif": ImageSource.from_array(labels, "YX", name="layer")}
    assert export_label_images(excerpt, tmp_path / "given", labels=given) == 1
    assert export_label_images(excerpt, tmp_path / "tiles", tiles=True) == 1
    changed = {"cells.tif": ImageSource.from_array(labels * (labels != 70_003), "YX", name="new")}
    with pytest.raises(InputError, match=r"'new' has changed.*object 70003 has 0 pixels"):
        export_geojson(excerpt, tmp_path / "changed", labels=changed)
    assert not (tmp_path / "changed").exists()
    assert export_geojson(excerpt, tmp_path / "squares", tiles=True) == len(excerpt)


def test_tiles_need_no_image_and_keep_their_plane(tmp_path):
    excerpt = of_tiles(tmp_path, pixel_size=(3, 3), unit="furlong")
    export_label_images(excerpt, tmp_path / "out")
    with tifffile.TiffFile(tmp_path / "out" / "tissue.ome.tif") as tiff:
        assert tiff.series[0].axes == "ZYX"
        read = tiff.asarray()
        pixels = ElementTree.fromstring(tiff.ome_metadata).find(".//{*}Pixels")
    assert pixels.get("PhysicalSizeX") == "3.0"
    assert pixels.get("PhysicalSizeXUnit") == "reference frame"
    ids = excerpt.exploration.clusters.ids.reshape(2, 5, 6)
    assert (read == ids.repeat(8, axis=1).repeat(8, axis=2)).all()


def test_a_projection_is_painted_on_every_plane(tmp_path):
    plane = label_plane(3)
    image = ImageSource.from_array(pictured(np.stack([plane] * 3)), "ZYX", name="deep")
    objects = ImageSource.from_array(plane, "YX", name="objects")
    recipe = Recipe.quick(Objects(size=12), batch_size=8, depth=Depth(method="max"))
    run = Run.create(tmp_path / "run", [image], recipe, labels={"deep": objects})
    excerpt = clustered(run)
    export_label_images(excerpt, tmp_path / "out", labels={"deep": objects})
    read = tifffile.imread(tmp_path / "out" / "deep.ome.tif")
    expected = painted(plane, ids_by_label(excerpt, run.table))
    assert read.shape == (3, 62, 62) and (read == expected).all()


def test_large_images_are_painted_in_blocks(tmp_path, monkeypatch):
    excerpt = of_objects(tmp_path, label_plane(4), "YX")
    export_label_images(excerpt, tmp_path / "whole")
    export_label_images(excerpt, tmp_path / "tiles", tiles=True)
    monkeypatch.setattr("napari_tsimcne.export.patches._label_images.TILE", 16)
    monkeypatch.setattr("napari_tsimcne.export.patches._label_images.BLOCK", 32)
    for name, tiles in (("whole", False), ("tiles", True)):
        export_label_images(excerpt, tmp_path / f"{name} in blocks", tiles=tiles)
        one, other = (
            tifffile.imread(tmp_path / folder / "cells.ome.tif")
            for folder in (name, f"{name} in blocks")
        )
        assert (one == other).all() and one.any()


windows = st.integers(0, 12).flatmap(
    lambda n: st.tuples(
        arrays(float, (n, 2), elements=st.floats(-4, 20).map(lambda v: round(v * 2) / 2)),
        st.sampled_from([1.0, 3.0, 4.0, 5.5, 9.0]),
    )
)


@settings(max_examples=100)
@given(windows, st.integers(0, 8), st.integers(0, 8))
def test_the_nearest_window_that_holds_a_pixel_is_seen(drawn, top, left):
    centres, size = drawn
    rows, columns = slice(top, top + 9), slice(left, left + 10)
    values = np.arange(1, len(centres) + 1).astype(np.uint8)
    found = nearest_tiles(centres, np.full(len(centres), size), values, rows, columns)
    for i, j in np.ndindex(9, 10):
        offset = np.array([top + i, left + j]) - centres
        held = ((offset >= -size / 2) & (offset < size / 2)).all(axis=1)
        if not held.any():
            assert found[i, j] == 0
            continue
        distance = np.hypot(*offset.T)
        assert held[found[i, j] - 1]
        assert distance[found[i, j] - 1] <= distance[held].min() + 1e-4


def test_without_clusters_there_is_nothing_to_paint(tiny_run, tmp_path):
    excerpt = Excerpt.all(tiny_run, open_exploration(mapped(tiny_run)))
    with pytest.raises(InputError, match="make clusters first"):
        export_label_images(excerpt, tmp_path / "out")


@pytest.mark.parametrize("export", [export_label_images, export_geojson])
def test_nothing_is_left_of_what_was_stopped(tmp_path, export):
    excerpt = of_tiles(tmp_path)

    def stop(what, done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(excerpt, tmp_path / "out", told=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    export(excerpt, tmp_path / "out")
    with pytest.raises(InputError, match="exists"):
        export(excerpt, tmp_path / "out")
    export(excerpt, tmp_path / "out", overwrite=True)


# --- GeoJSON ------------------------------------------------------------------------------------


def area(ring) -> float:
    (x, y), (next_x, next_y) = np.array(ring[:-1]).T, np.array(ring[1:]).T
    return float((x * next_y - next_x * y).sum() / 2)


def pixels_in(parts, shape) -> np.ndarray:
    """Pixels whose centres lie inside an odd number of rings."""
    y, x = np.indices(shape)
    centres = np.column_stack([x.ravel(), y.ravel()]) + 0.5
    inside = np.zeros(len(centres), bool)
    for ring in (ring for rings in parts for ring in rings):
        inside ^= Polygon(ring).contains_points(centres)
    return inside.reshape(shape)


@settings(max_examples=200)
@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_outlines_hold_exactly_the_pixels(mask):
    parts = outlines(mask)
    rings = [ring for part in parts for ring in part]
    assert sum(area(ring) for ring in rings) == mask.sum()
    assert (pixels_in(parts, mask.shape) == mask).all()
    for exterior, *holes in parts:
        assert area(exterior) > 0 and all(area(hole) < 0 for hole in holes)
    for ring in rings:
        assert ring[0] == ring[-1] and len({tuple(point) for point in ring}) == len(ring) - 1
        steps = np.diff(ring, axis=0)
        assert ((steps == 0).sum(axis=1) == 1).all(), "along the edges, without points between"
        assert ((steps[1:] == 0) != (steps[:-1] == 0)).all()


def test_squares_are_those_of_their_windows():
    assert square(13.5, 41.5, 28, (100, 100)) == [[28, 0], [56, 0], [56, 28], [28, 28], [28, 0]]
    assert square(1.0, 98.0, 10, (100, 100)) == [[93.5, 0], [100, 0], [100, 6.5], [93.5, 6.5],
                                                 [93.5, 0]]  # fmt: skip
    assert area(square(20.25, 30.5, 7, (100, 100))) == 49


def read_geojson(path) -> dict:
    text = path.read_text(encoding="utf-8")
    FeatureCollection.model_validate_json(text)
    return json.loads(text)


def parts_of(geometry) -> list:
    return geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [
        geometry["coordinates"]
    ]  # fmt: skip


def test_objects_become_detections_of_their_outline(tmp_path):
    labels = np.stack([label_plane(5), label_plane(6)])
    excerpt = of_objects(tmp_path, labels, "TYX")
    table = excerpt.run.table
    assert export_geojson(excerpt, tmp_path / "out") == len(table)
    features = read_geojson(tmp_path / "out" / "cells.geojson")["features"]
    by_name = {feature["properties"]["name"]: feature for feature in features}
    assert len(by_name) == len(features) == len(table)
    assert len({feature["id"] for feature in features}) == len(table)
    for row, cluster in zip(table.itertuples(), excerpt.cluster_ids, strict=True):
        feature = by_name[f"patch {row.patch}"]
        geometry, properties = feature["geometry"], feature["properties"]
        assert (pixels_in(parts_of(geometry), (62, 62)) == (labels[row.t] == row.label)).all()
        assert geometry.get("plane", {"t": 0})["t"] == row.t
        assert properties["objectType"] == "detection"
        assert properties["measurements"]["area"] == row.area
        assert properties["measurements"]["map_x"] == float(excerpt.coordinates[row.Index, 0])
        expected = {1: {"name": "round", "color": [255, 128, 0]},
                    2: {"name": "long: and thin", "color": [0, 0, 255]}}  # fmt: skip
        assert properties.get("classification") == expected.get(cluster)
    export_geojson(excerpt, tmp_path / "again")
    again = read_geojson(tmp_path / "again" / "cells.geojson")["features"]
    assert [f["id"] for f in again] == [f["id"] for f in features]


def test_objects_that_reach_far_are_whole(tmp_path, monkeypatch):
    """They are larger than a block with its room, and in parts far from each other."""
    monkeypatch.setattr("napari_tsimcne.export.patches._outlines.BLOCK", 8)
    monkeypatch.setattr("napari_tsimcne.export.patches._outlines.ROOM", 2)
    labels = np.zeros((90, 90), np.int64)
    for i in range(8):
        labels[2 + 10 * i, 2:80:2] = labels[4 + 10 * i, [3, 80]] = i + 1
    labels[[0, 89]] = labels[:, [0, 89]] = 0
    excerpt = of_objects(tmp_path, labels, "YX")
    export_geojson(excerpt, tmp_path / "out")
    for feature in read_geojson(tmp_path / "out" / "cells.geojson")["features"]:
        number = int(feature["properties"]["name"].split()[1]) + 1
        mask = pixels_in(parts_of(feature["geometry"]), labels.shape)
        assert (mask == (labels == number)).all()


def test_windows_become_tiles_on_their_plane(tmp_path):
    excerpt = of_tiles(tmp_path)
    words = np.array(["a", None, "ü"], object)[np.arange(60) % 3]
    old = excerpt.exploration
    table = old.table.assign(
        well=words, dose=np.where(np.arange(60) % 2, np.nan, 0.5), far=np.inf, control=True
    )
    new = Exploration(table, old.coordinates, lambda: old.features,
                      clusters=old.clusters.all, ids=old.clusters.ids)  # fmt: skip
    part = Excerpt(excerpt.run, new, np.arange(60) >= 29)
    assert export_geojson(part, tmp_path / "out") == 31
    features = read_geojson(tmp_path / "out" / "tissue.geojson")["features"]
    first, second = features[:2]
    assert first["properties"]["name"] == "patch 29" and "plane" not in first["geometry"]
    assert second["geometry"]["plane"] == {"c": -1, "z": 1, "t": 0}
    assert second["geometry"]["coordinates"] == [[[0, 0], [8, 0], [8, 8], [0, 8], [0, 0]]]
    assert second["properties"]["objectType"] == "tile"
    measured = second["properties"]["measurements"]
    assert set(measured) == {"dose", "control", "map_x", "map_y"} and measured["control"] == 1
    assert set(first["properties"]["measurements"]) == {"control", "map_x", "map_y"}
    assert second["properties"]["metadata"] == {"well": "a"}
    assert features[2]["properties"].get("metadata") is None
    assert features[3]["properties"]["metadata"] == {"well": "ü"}


def test_real_nuclei_are_painted_and_outlined(tmp_path, real_data):
    folder = real_data / "bbbc013"
    (image,) = open_images(folder / "wells" / "A01.ome.tif").images
    (nuclei,) = open_images(folder / "nuclei_labels_auto" / "A01.tif").images
    recipe = Recipe.quick(Objects(), batch_size=64)
    run = mapped(Run.create(tmp_path / "run", [image], recipe, labels={image.name: nuclei}))
    exploration = open_exploration(run)
    exploration.clusters.replace(automatic_clusters(run.coordinates, "k-means", 3))
    excerpt = Excerpt.all(run, exploration)
    export_label_images(excerpt, tmp_path / "labels")
    read = tifffile.imread(tmp_path / "labels" / "A01.ome.tif")
    plane = nuclei.read(0, 0, slice(0, 640), slice(0, 640))[0]
    assert (read == painted(plane, ids_by_label(excerpt, run.table))).all()
    assert export_geojson(excerpt, tmp_path / "geo") == len(run.table) > 200
    features = read_geojson(tmp_path / "geo" / "A01.geojson")["features"]
    for feature in features:
        rings = [ring for part in parts_of(feature["geometry"]) for ring in part]
        assert sum(map(area, rings)) == feature["properties"]["measurements"]["area"]
