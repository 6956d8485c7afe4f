"""Where points and outlines lie, whatever the scale, place and turn of layers. Needs no display."""

import json

import numpy as np
import pandas as pd
import pint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import mapped
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.layers import Points as PointsLayer

from napari_tsimcne import Points as PatchPoints
from napari_tsimcne import Recipe, Run
from napari_tsimcne.errors import InputError
from napari_tsimcne.export import Excerpt
from napari_tsimcne.export.patches._geojson import export_geojson
from napari_tsimcne.export.patches._label_images import export_label_images
from napari_tsimcne.gui.images._outlines import LinkedLayer, OutlineLayer, outlines
from napari_tsimcne.gui.images._under_pointer import PatchesUnder
from napari_tsimcne.gui.steps._inputs import images_of, with_labels, with_points
from napari_tsimcne.images import World, from_layer, open_images
from napari_tsimcne.patches import patch_corners
from napari_tsimcne.runs import open_exploration

SHAPE = (3, 4, 40, 50)
scales = st.floats(0.1, 5)
spaces = st.fixed_dictionaries(
    {
        "scale": st.tuples(scales, scales, scales, scales),
        "translate": st.tuples(*[st.floats(-50, 50)] * 4),
        "rotate": st.floats(-180, 180),
    }
)


def places(count):
    unit = st.floats(0, 1)
    return st.lists(st.tuples(unit, unit, unit, unit), min_size=1, max_size=count).map(
        lambda rows: np.array(rows) * (np.array(SHAPE) - 1)
    )


def stack(space):
    return Image(np.zeros(SHAPE, np.uint8), name="stack", axis_labels=("t", "z", "y", "x"), **space)


@settings(max_examples=40)
@given(spaces, spaces, places(6))
def test_points_are_where_they_are_seen(image_space, points_space, pixels):
    image = stack(image_space)
    points = PointsLayer(np.zeros((0, 4)), ndim=4, name="points", **points_space)
    world = np.array([image.data_to_world(at) for at in pixels])
    points.data = np.array([points.world_to_data(at) for at in world])
    inputs = with_points(images_of([image], ["TZYX"], joined=False), points)
    found = inputs.points[["t", "z", "y", "x"]].to_numpy()
    assert np.abs(found - pixels).max() < 1e-3


@settings(max_examples=40)
@given(spaces, places(6), st.sampled_from([8, 11.5]), st.booleans())
def test_outlines_go_round_their_patches(space, pixels, size, projected):
    image = stack(space)
    t, z, y, x = pixels.T
    table = pd.DataFrame({"image": "stack", "t": np.rint(t).astype(int),
                          "z": 0 if projected else np.rint(z).astype(int),
                          "y": y, "x": x, "size": float(size)})  # fmt: skip
    rows = np.arange(len(table))
    drawn = outlines(table, rows, {"stack": LinkedLayer(image, "TZYX")}, projected)
    starts, steps = drawn[:, 0].reshape(-1, 4, 4), drawn[:, 1].reshape(-1, 4, 4)
    planes = range(SHAPE[1]) if projected else [None]
    assert len(starts) == len(table) * len(planes)
    expected = [
        (row.t, row.z if plane is None else plane, *corner)
        for plane in planes
        for row in table.itertuples()
        for corner in patch_corners(table, np.array([row.Index]))[0]
    ]
    # Compared as numbers: rounded ones may differ by a step where they are all but the same.
    assert np.allclose(starts.reshape(-1, 4), expected, rtol=0, atol=5e-4)
    # Each edge ends where the next begins.
    assert np.allclose(starts + steps, np.roll(starts, -1, axis=1), atol=1e-3)


def test_points_belong_to_the_images_they_lie_in():
    left = Image(np.zeros((20, 20)), name="left")
    right = Image(np.zeros((20, 20)), name="right", translate=(0, 30))
    inputs = images_of([left, right], ["YX", "YX"], joined=False)
    points = PointsLayer([(5, 5), (5, 35), (0, 49.4)], name="spots",
                         features={"class": ["a", "b", "c"], "Y": [1, 2, 3]})  # fmt: skip
    found = with_points(inputs, points).points
    assert list(found["image"]) == ["left", "right", "right"]
    assert list(found["x"]) == pytest.approx([5, 5, 19.4])
    assert list(found["class"]) == ["a", "b", "c"] and "Y" not in found
    points.add([5, 25])
    with pytest.raises(InputError, match="1 of 4 points of 'spots'"):
        with_points(inputs, points)
    points.data = np.zeros((0, 2))
    with pytest.raises(InputError, match="no point"):
        with_points(inputs, points)


# --- layers in mixed units ------------------------------------------------------------------------

LENGTHS = ("angstrom", "nm", "um", "mm", "cm", "inch")
SIDE = 40


def turned(size, angle, shear, mirrored, in_affine):
    """Pixels of a size in µm, turned: as scale, or as an affine."""
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1, shear], [0, 1]]) * size
    linear[:, 0] *= -1 if mirrored else 1
    affine = np.eye(3)
    affine[:2, :2] = linear if in_affine else linear / size
    return {"affine": affine, "scale": (1, 1) if in_affine else (size, size)}


images_in_a_viewer = st.lists(
    st.tuples(
        st.sampled_from(LENGTHS), st.floats(0.1, 10), st.floats(-3, 3), st.sampled_from([0, 0.3]),
        st.booleans(), st.booleans(),
    ),
    min_size=1, max_size=3,
)  # fmt: skip


def viewer_of(drawn, unknown=False):
    """A viewer with images side by side, far enough from each other, in units of their own."""
    viewer, registry = ViewerModel(), pint.get_application_registry()
    for number, (unit, size, angle, shear, mirrored, in_affine) in enumerate(drawn):
        # All of them lie in one world: of µm, or where one has no unit, of numbers.
        factor = 1.0 if unknown else float((1 * registry.micrometer).to(unit).magnitude)
        space = turned(size * factor, angle, shear, mirrored, in_affine)
        space["affine"][:2, 2] = np.array([0, 3000 * number]) * factor
        viewer.add_image(np.zeros((SIDE, SIDE), np.uint8), name=str(number), units=(unit, unit),
                         **space)  # fmt: skip
    if unknown:
        viewer.add_image(np.zeros((9, 9), np.uint8), name="unknown", translate=(-9000, 0))
    return viewer


def seen(viewer, layer, pixels):
    """Where pixels of a layer are seen: in the viewer's units, as pint converts them."""
    places = np.array([layer.data_to_world(at) for at in pixels])
    if viewer.layers.units is None:
        return places
    to = [float((1 * one).to(other).magnitude)
          for one, other in zip(layer.units, viewer.layers.units[-2:], strict=True)]  # fmt: skip
    return places * to


def patches_of(viewer, count, seed):
    random = np.random.default_rng(seed)
    names = [layer.name for layer in viewer.layers if layer.name != "unknown"]
    y, x = random.uniform(4, SIDE - 5, (2, count * len(names)))
    return pd.DataFrame({"image": np.repeat(names, count), "t": 0, "z": 0, "y": y, "x": x,
                         "size": 2.0, "label": pd.array([pd.NA] * len(y), "Int64")})  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(images_in_a_viewer, st.booleans(), st.integers(0, 99))
def test_a_patch_is_clicked_outlined_lassoed_and_cut_where_it_is_seen(drawn, unknown, seed):
    viewer = viewer_of(drawn, unknown)
    table = patches_of(viewer, 2, seed)
    layers = {layer.name: LinkedLayer(layer, "YX") for layer in viewer.layers}
    under, world = PatchesUnder(viewer, table, projected=False), World.of(viewer)
    images = images_of([la.layer for la in layers.values()], ["YX"] * len(layers), joined=False)
    for row in range(len(table)):
        patch = table.iloc[row]
        layer = viewer.layers[patch["image"]]
        (at,) = seen(viewer, layer, [(patch["y"], patch["x"])])

        # Clicked: a patch whose window has that place.
        hit = table.iloc[under.place(layers, tuple(at))]
        assert hit["image"] == patch["image"]
        assert max(abs(hit["y"] - patch["y"]), abs(hit["x"] - patch["x"])) <= 1 + 1e-6

        # Outlined: round that place, by a layer of the viewer that is in units of its own.
        outline = OutlineLayer(viewer, "outline", "red", 0.1)
        outline.show(table, np.array([row]), layers, projected=False)
        drawn_at = seen(viewer, outline.layer, outline.layer.data[:, 0])
        across = np.linalg.norm(drawn_at[0] - drawn_at[2])
        assert np.allclose(drawn_at.mean(axis=0), at, atol=0.01 * across)
        assert np.isclose(across, np.linalg.norm(np.subtract(*seen(
            viewer, layer, [(patch["y"] - 1, patch["x"] - 1), (patch["y"] + 1, patch["x"] + 1)]
        ))), rtol=1e-3)  # fmt: skip
        outline.remove()

        # Lassoed: inside a ring about that place.
        ring = at + 0.05 * across * np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])
        assert row in under.inside(layers, ring, tuple(at))

        # Cut: by a point there, in the units of the viewer.
        units = viewer.layers.units or ("pixel", "pixel")
        points = PointsLayer([at], units=units, name="points")
        cut = with_points(images, points, world).points.iloc[0]
        assert cut["image"] == patch["image"]
        assert np.allclose((cut["y"], cut["x"]), (patch["y"], patch["x"]), atol=1e-3)


@settings(max_examples=10, deadline=None)
@given(images_in_a_viewer, st.integers(0, 99))
def test_a_patch_is_exported_where_it_is_seen(tmp_path_factory, drawn, seed):
    """Cut at points that were set in the viewer, then written for QuPath and as label images."""
    folder, viewer = tmp_path_factory.mktemp("places"), viewer_of(drawn)
    layers = list(viewer.layers)
    for layer in layers:
        layer.data = np.random.default_rng(seed).integers(0, 99, (SIDE, SIDE)).astype(np.uint8)
    table = patches_of(viewer, 3, seed)
    places = np.concatenate(
        [seen(viewer, viewer.layers[one.image], [(one.y, one.x)]) for one in table.itertuples()]
    )
    points = PointsLayer(places, units=viewer.layers.units, name="points")
    inputs = with_points(
        images_of(layers, ["YX"] * len(layers), joined=False), points, World.of(viewer)
    )
    recipe = Recipe.quick(PatchPoints(size=8), batch_size=2)
    run = mapped(Run.create(folder / "run", inputs.images, recipe, points=inputs.points))
    exploration = open_exploration(run)
    for row in range(len(run.table)):
        exploration.clusters.create(np.arange(len(run.table)) == row, f"patch {row}")
    excerpt = Excerpt.all(run, exploration)
    export_geojson(excerpt, folder / "outlines")
    export_label_images(excerpt, folder / "labels")
    for layer in layers:
        wanted = table.loc[table["image"] == layer.name, ["y", "x"]].to_numpy()
        text = (folder / "outlines" / f"{layer.name}.geojson").read_text()
        (labels,) = open_images(folder / "labels" / f"{layer.name}.ome.tif").images
        pixels = labels.read(0, 0, slice(None), slice(None))[0]
        found = set()
        for feature in json.loads(text)["features"]:
            ring = np.array(feature["geometry"]["coordinates"][0][:4])
            # Of these files, the first pixel spans 0 to 1; of napari, -0.5 to 0.5.
            centre = ring.mean(axis=0)[::-1] - 0.5
            off = np.abs(wanted - centre).max(axis=1)
            assert off.min() <= 0.5 + 1e-3  # windows are of whole pixels
            found.add(int(off.argmin()))
            number = int(feature["properties"]["classification"]["name"].split()[1]) + 1
            y, x = np.nonzero(pixels == number)
            # Where windows overlap, the nearer patch has the pixels.
            assert len(y) and np.abs(np.stack([y, x], 1) - centre).max() <= 4
        assert len(found) == len(wanted)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(LENGTHS), st.floats(0.1, 10), st.floats(-3, 3), st.booleans(),
       st.booleans())  # fmt: skip
def test_the_size_of_pixels_is_known_whatever_holds_it(unit, size, angle, mirrored, in_affine):
    layer = Image(np.zeros((9, 9)), units=(unit, unit),
                  **turned(size, angle, 0, mirrored, in_affine))  # fmt: skip
    image = from_layer(layer)
    expected = float((size * pint.get_application_registry()(unit)).to("um").magnitude)
    assert image.micrometres == pytest.approx(expected, rel=1e-6) and not image.notes


def test_pixels_that_are_no_squares_are_reported():
    sheared = from_layer(Image(np.zeros((9, 9)), shear=[0.5], units=("um", "um")))
    assert sheared.unit == "pixel" and "sheared" in sheared.notes[0]
    mixed = from_layer(Image(np.zeros((9, 9)), scale=(0.5, 500), units=("um", "nm")))
    assert (mixed.pixel_size, mixed.unit) == (pytest.approx((0.5, 0.5)), "µm")
    turned = from_layer(Image(np.zeros((9, 9)), rotate=30, units=("um", "pixel")))
    assert turned.unit == "pixel" and turned.notes
    long = from_layer(Image(np.zeros((9, 9)), scale=(1, 2), units=("um", "um")))
    with pytest.raises(InputError, match="not square"):
        _ = long.micrometres


def test_points_in_other_units_are_cut_where_they_lie():
    image = Image(np.zeros((100, 100)), scale=(0.5, 0.5), units=("um", "um"), name="i")
    points = PointsLayer([[0.02, 0.01]], units=("mm", "mm"))
    found = with_points(images_of([image], ["YX"], joined=False), points).points
    assert found[["y", "x"]].to_numpy() == pytest.approx(np.array([[40, 20]]))


@pytest.mark.parametrize(
    ("space", "over"),
    [
        ({}, True),
        ({"translate": (0.2, 0)}, True),
        ({"scale": (500, 500), "units": ("nm", "nm")}, True),
        ({"affine": np.diag([0.5, 0.5, 1]), "scale": (1, 1)}, True),
        ({"rotate": 90}, False),
        ({"scale": (0.5, -0.5)}, False),
        ({"scale": (0.6, 0.5)}, False),
        ({"translate": (0, 0.5)}, False),
        ({"scale": (0.5, 0.5), "units": ("nm", "nm")}, False),
    ],
)  # fmt: skip
def test_labels_lie_over_their_image_with_all_corners(space, over):
    image = Image(np.zeros((30, 30)), scale=(0.5, 0.5), units=("um", "um"), name="image")
    space = {"scale": (0.5, 0.5), "units": ("um", "um"), **space}
    labels = Labels(np.ones((30, 30), int), name="cells", **space)
    inputs = images_of([image], ["YX"], joined=False)
    for chosen in (labels, None):
        if over:
            assert set(with_labels(inputs, chosen, [labels]).labels) == {"image"}
        else:
            with pytest.raises(InputError, match="over the image"):
                with_labels(inputs, chosen, [labels])


def test_hidden_points_are_not_used_and_reported():
    image = Image(np.zeros((20, 20), np.uint8), name="i")
    inputs = images_of([image], ["YX"], joined=False)
    points = PointsLayer([[1, 2], [3, 4], [90, 90]], shown=[False, True, False], name="spots",
                         features={"kind": ["a", "b", "c"]})  # fmt: skip
    found = with_points(inputs, points)
    assert found.points[["y", "x", "kind"]].to_numpy().tolist() == [[3, 4, "b"]]
    assert found.notes == ("2 hidden points not used",)
    points.shown = False
    with pytest.raises(InputError, match="all 3 points of 'spots' are hidden"):
        with_points(inputs, points)


def test_axes_of_points_that_do_not_fit_are_reported():
    image = Image(np.zeros((20, 30), np.uint8), name="i", axis_labels=("y", "x"))
    inputs = images_of([image], ["YX"], joined=False)
    found = with_points(inputs, PointsLayer([[5, 1, 2], [7, 3, 4]], axis_labels=("z", "y", "x")))
    assert found.points[["y", "x"]].to_numpy().tolist() == [[1, 2], [3, 4]]
    assert "the first of the points' 3 is not used" in found.notes[0]
    found = with_points(inputs, PointsLayer([[5, 25]], axis_labels=("x", "y")))
    assert found.points[["y", "x"]].to_numpy().tolist() == [[5, 25]]
    assert "named x, y" in found.notes[0]
