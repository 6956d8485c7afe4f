"""Which pictures fit on the map, how they are laid out, and what a lasso encloses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import points_in_poly

from napari_tsimcne.explore import lay_out, points_in_lasso, without_overlap

COORDINATES = st.floats(-50, 50, allow_nan=False, width=32)


@given(hnp.arrays(np.float64, st.tuples(st.integers(0, 60), st.just(2)), elements=COORDINATES),
       st.floats(0.5, 40))  # fmt: skip
def test_pictures_do_not_overlap_and_none_is_left_out_without_need(points, side):
    chosen = without_overlap(points, side)
    apart = np.abs(points[:, None] - points[None]).max(axis=-1, initial=0)
    among = apart[np.ix_(chosen, chosen)] + side * np.eye(len(chosen))
    assert (among >= side).all()
    assert list(chosen) == sorted(set(chosen))
    for left_out in set(range(len(points))) - set(chosen):
        # The one that is in its way comes first.
        assert (apart[left_out, chosen[chosen < left_out]] < side).any()


def test_pictures_that_touch_do_not_overlap():
    points = np.array([[0.0, 0.0], [0.0, 10.0], [9.9, 0.0], [10.0, 10.0]])
    assert list(without_overlap(points, 10)) == [0, 1, 3]


def laid_out(corners, shape=(40, 50), side=20):
    count = len(corners)
    colors = np.arange(1, count + 1, dtype=np.uint8) * 10
    pictures = np.broadcast_to(colors[:, None, None, None], (count, 7, 7, 3))
    frames = np.stack([colors + 1] * 3 + [np.full(count, 255, np.uint8)], axis=1)
    rings = np.zeros((count, 4), np.uint8)
    rings[0] = (1, 2, 3, 255)
    return lay_out(np.ascontiguousarray(pictures), np.array(corners), side, shape, frames, rings)


def test_a_picture_is_framed_and_ringed():
    image = laid_out([(3, 5), (3, 25)])
    assert image.shape == (40, 50, 4)
    assert tuple(image[3, 5]) == tuple(image[22, 24]) == (1, 2, 3, 255)
    assert tuple(image[5, 7]) == (11, 11, 11, 255)
    assert tuple(image[13, 15]) == (10, 10, 10, 255)
    # Without a ring there is nothing around the frame.
    assert tuple(image[3, 25]) == (0, 0, 0, 0) and tuple(image[5, 27]) == (21, 21, 21, 255)
    assert not image[:3].any() and not image[23:].any() and not image[:, 45:].any()


@given(st.tuples(st.integers(-60, 100), st.integers(-60, 100)))
def test_pictures_at_the_edge_are_cut_off(corner):
    image = laid_out([corner])
    whole = np.zeros((240, 250, 4), np.uint8)
    whole[100:140, 100:150] = 1
    inside = np.zeros((240, 250), bool)
    inside[corner[0] + 100 : corner[0] + 120, corner[1] + 100 : corner[1] + 120] = True
    assert np.array_equal(image[..., 3] == 255, inside[100:140, 100:150])


@pytest.mark.parametrize("count", [400, 200_000])
@given(outline=hnp.arrays(np.float64, st.tuples(st.integers(3, 40), st.just(2)),
                          elements=st.floats(-2, 2, width=16)),
       seed=st.integers(0, 99))  # fmt: skip
@settings(max_examples=20)
def test_a_lasso_encloses_what_its_polygon_does(count, outline, seed):
    # With many points most are decided by the cell they are in: the result is the same.
    points = np.random.default_rng(seed).normal(size=(count, 2))
    expected = points_in_poly(points, outline)
    beyond = (points < outline.min(axis=0)) | (points > outline.max(axis=0))
    assert np.array_equal(points_in_lasso(points, outline), expected & ~beyond.any(axis=1))
