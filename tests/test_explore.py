import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.path import Path as Outline

from napari_tsimcne import InputError
from napari_tsimcne.explore import Exploration, History, Selection, evaluate, points_in_lasso

masks = arrays(bool, 12)


@given(masks, masks)
def test_selections_replace_add_and_subtract(first, second):
    selection = Selection(12)
    selection.select(first)
    selection.select(second, "add")
    assert np.array_equal(selection.mask, first | second)
    selection.select(first, "subtract")
    assert np.array_equal(selection.mask, second & ~first)
    assert len(selection) == len(selection.rows) == (second & ~first).sum()


@given(st.lists(masks, max_size=6))
def test_undo_goes_all_the_way_back_and_redo_forth(choices):
    history = History()
    selection = Selection(12, history)
    states = [selection.mask.copy()]
    for choice in choices:
        selection.select(choice)
        if not np.array_equal(selection.mask, states[-1]):
            states.append(selection.mask.copy())
    for state in reversed(states[:-1]):
        history.undo()
        assert np.array_equal(selection.mask, state)
    history.undo()
    for state in states[1:]:
        history.redo()
        assert np.array_equal(selection.mask, state)


def test_changes_are_told_once_and_only_if_there_are_any():
    selection, told = Selection(5), []
    selection.changed.connect(lambda: told.append(len(selection)))
    selection.select_patch(2)
    selection.select_patch(2)
    selection.select_patch(4, "add")
    selection.clear()
    assert told == [1, 2, 0]
    with pytest.raises(ValueError, match="mask of 5"):
        selection.select(np.ones(4, bool))
    with pytest.raises(ValueError, match="read-only"):
        selection.mask[0] = True


@given(
    arrays(float, (30, 2), elements=st.floats(-12, 12)),
    st.lists(st.floats(1, 10), min_size=3, max_size=12),
)
def test_the_lasso_agrees_with_another_implementation(points, radii):
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    outline = np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.array(radii)[:, None]
    inside = points_in_lasso(points, outline)
    closed = Outline(np.vstack([outline, outline[:1]]), closed=True)
    slightly_in, slightly_out = (closed.contains_points(points, radius=r) for r in (-1e-6, 1e-6))
    certain = slightly_in == slightly_out  # on the edge either answer is right
    assert np.array_equal(inside[certain], slightly_in[certain])


def test_a_lasso_around_a_square_takes_what_is_inside():
    grid = np.stack(np.meshgrid(range(10), range(10), indexing="ij"), -1).reshape(-1, 2)
    inside = points_in_lasso(grid, np.array([[1.5, 1.5], [1.5, 4.5], [4.5, 4.5], [4.5, 1.5]]))
    assert {tuple(p) for p in grid[inside]} == {(y, x) for y in (2, 3, 4) for x in (2, 3, 4)}
    assert not points_in_lasso(grid, np.zeros((0, 2))).any()
    assert not points_in_lasso(grid, np.array([[0.0, 0], [9, 9]])).any()


def test_evaluation_scores_what_can_be_read_off():
    random = np.random.default_rng(0)
    truth = pd.Series(random.choice(["a", "b", "c"], 600), name="kind")
    place = truth.map({"a": 0.0, "b": 10.0, "c": 20.0}).to_numpy()[:, None]
    clear = random.normal(size=(600, 2)) + place
    noise = random.normal(size=(600, 8))
    scores = evaluate(clear, noise, truth)
    assert scores.knn_2d == 1 and 0.2 < scores.knn_features < 0.5 and scores.n == 600
    assert evaluate(clear, noise, truth) == scores


def test_evaluation_leaves_unknowns_out_and_needs_two_classes():
    points = np.random.default_rng(0).normal(size=(100, 2))
    truth = pd.Series(["a"] * 50 + ["b"] * 40 + [None] * 9 + ["alone"], name="kind")
    assert evaluate(points, points, truth).n == 90
    with pytest.raises(InputError, match="at least two classes"):
        evaluate(points, points, pd.Series(["a"] * 100, name="kind"))
    with pytest.raises(InputError, match="too few"):
        evaluate(points[:6], points[:6], pd.Series(list("aabbcc"), name="kind"))


def test_a_frozen_exploration_keeps_which_patches_have_a_place():
    exploration = Exploration(pd.DataFrame({"patch": range(6)}), None, lambda: None)
    exploration.move(np.full((3, 2), 5.0, np.float32), np.array([0, 2, 4]))
    exploration.add_columns(pd.DataFrame({"d": np.arange(6.0)}), "x", differences=True)
    frozen = exploration.frozen()
    assert frozen.placed.tolist() == [True, False] * 3
    assert frozen.coordinates.tolist() == exploration.coordinates.tolist()
    assert frozen.differences == {"d"} and "d" in frozen.table
    exploration.move(np.ones((6, 2)))
    exploration.remove_columns("x")
    assert not frozen.placed.all() and "d" in frozen.table
