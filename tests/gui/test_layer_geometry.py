"""Where points and outlines lie, whatever the scale, place and turn of layers. Needs no display."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image
from napari.layers import Points as PointsLayer

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui.images._outlines import LinkedLayer, outlines
from napari_tsimcne.gui.steps._inputs import images_of, with_points
from napari_tsimcne.patches import patch_corners

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
