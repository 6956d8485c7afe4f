"""Clusters, their history, and how they are kept in the run folder."""

import threading
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from making import mapped

from napari_tsimcne import InputError
from napari_tsimcne.explore import (
    Cluster,
    Clusters,
    Coloring,
    Exploration,
    History,
    Origin,
    Selection,
)
from napari_tsimcne.runs import Autosave, open_exploration, save_exploration
from napari_tsimcne.runs._columns import save_columns

COUNT = 12
masks = arrays(bool, COUNT)
steps = st.lists(
    st.tuples(st.sampled_from(["create", "assign", "release", "merge", "split", "delete",
                               "rename", "replace", "select"]),
              masks, st.integers(0, 3), st.integers(0, 3)),
    max_size=10,
)  # fmt: skip


def take(clusters, selection, what, mask, one, other):
    """Do one of the things that a user may do, where it can be done."""
    ids = [cluster.id for cluster in clusters.all]
    if what == "create":
        clusters.create(mask)
    elif what == "replace":
        clusters.replace(np.where(mask, one, other - 1))
    elif what == "select":
        selection.select(mask)
    elif what == "release":
        clusters.release(mask, ids[one] if one < len(ids) else None)
    elif one < len(ids) and other < len(ids):
        if what == "assign":
            clusters.assign(ids[one], mask)
        elif what == "merge" and one != other:
            clusters.merge([ids[one], ids[other]])
        elif what == "delete":
            clusters.delete([ids[one], ids[other]])
        elif what == "rename":
            clusters.describe(ids[one], name=f"renamed {one}{other}{mask[0]}", note="n")
        elif what == "split":
            clusters.split(ids[one], mask)


def state(clusters, selection):
    return clusters.all, tuple(clusters.ids), tuple(selection.mask)


@given(steps)
def test_every_change_can_be_undone_and_done_again(choices):
    history = History()
    clusters, selection = Clusters(COUNT, history), Selection(COUNT, history)
    states = [state(clusters, selection)]
    for choice in choices:
        with suppress(InputError):
            take(clusters, selection, *choice)
        if state(clusters, selection) != states[-1]:
            states.append(state(clusters, selection))
        # A patch is in one cluster that exists, or in none; names differ.
        assert set(clusters.ids) <= {0, *(cluster.id for cluster in clusters.all)}
        assert len({cluster.name for cluster in clusters.all}) == len(clusters)
        assert sum(clusters.sizes().values()) == (clusters.ids != 0).sum()
    for expected in reversed(states[:-1]):
        history.undo()
        assert state(clusters, selection) == expected
    assert history.past == ""
    for expected in states[1:]:
        history.redo()
        assert state(clusters, selection) == expected
    assert history.future == ""


def test_what_a_user_does_with_clusters():
    clusters, told = Clusters(6), []
    clusters.members_changed.connect(lambda: told.append("members"))
    clusters.changed.connect(lambda: told.append("changed"))
    first = clusters.create(np.array([1, 1, 1, 0, 0, 0], bool))
    second = clusters.create(np.array([0, 0, 1, 1, 0, 0], bool), name="mitotic")
    assert [c.name for c in clusters.all] == ["cluster 1", "mitotic"]
    assert list(clusters.ids) == [1, 1, 2, 2, 0, 0] and first.color != second.color
    assert told == ["members", "changed"] * 2
    clusters.describe(2, color="#FF0000", note="dividing")
    assert clusters[2].color == "#ff0000" and told[4:] == ["changed"]
    part = clusters.split(2, np.array([0, 0, 1, 0, 0, 0], bool))
    assert part.name == "mitotic 2" and list(clusters.ids) == [1, 1, 3, 2, 0, 0]
    clusters.merge([1, 3])
    assert list(clusters.ids) == [1, 1, 1, 2, 0, 0] and [c.id for c in clusters.all] == [1, 2]
    clusters.release(np.ones(6, bool), cluster_id=1)
    assert clusters.sizes() == {1: 0, 2: 1}
    assert clusters.names().astype(object).where(clusters.names().notna(), None).tolist() == [
        None, None, None, "mitotic", None, None
    ]  # fmt: skip
    for wrong, reason in [
        (lambda: clusters.describe(1, name="mitotic"), "another cluster is called 'mitotic'"),
        (lambda: clusters.describe(1, name="  "), "needs a name"),
        (lambda: clusters.describe(1, color="red"), "#rrggbb"),
        (lambda: clusters.split(2, np.ones(6, bool)), "all of its patches are selected"),
        (lambda: clusters.split(1, np.ones(6, bool)), "none of its patches are selected"),
    ]:
        with pytest.raises(InputError, match=reason):
            wrong()


def test_clusters_of_an_algorithm_are_numbered_by_size():
    clusters = Clusters(7)
    clusters.create(np.ones(7, bool), name="by hand")
    clusters.replace(np.array([5, 5, -1, 0, 0, 0, 9]))
    assert [c.name for c in clusters.all] == ["cluster 1", "cluster 2", "cluster 3"]
    assert list(clusters.ids) == [2, 2, 0, 1, 1, 1, 3]


def test_a_hundred_clusters_have_a_hundred_colours():
    clusters = Clusters(100)
    clusters.replace(np.arange(100))
    assert len({cluster.color for cluster in clusters.all}) == 100


# --- kept in the run ----------------------------------------------------------------------------


@pytest.fixture
def run(tiny_run):
    return mapped(tiny_run)


def test_clusters_and_selection_come_back(run):
    exploration = open_exploration(run)
    count = len(exploration)
    assert len(exploration.clusters) == 0 and len(exploration.selection) == 0
    cluster = exploration.clusters.create(np.arange(count) < 3, name="néo ☂", note="first\nline")
    exploration.selection.select_rows([1, 4])
    save_exploration(run, exploration)
    again = open_exploration(run)
    assert again.clusters.all == (cluster,)
    assert np.array_equal(again.clusters.ids, exploration.clusters.ids)
    assert list(again.selection.rows) == [1, 4]
    assert again.history.past == ""
    columns = again.columns()
    assert columns["cluster"].notna().sum() == 3 and "map_x" in columns


def test_every_change_is_written_within_a_second(run):
    exploration, failures = open_exploration(run), []
    written = threading.Event()
    autosave = Autosave(run, exploration, failures.append)
    path = run.folder / "exploration.parquet"
    exploration.selection.select_patch(2)

    def wait():
        while not path.exists():
            written.wait(0.01)
        written.set()

    threading.Thread(target=wait, daemon=True).start()
    assert written.wait(1.0)
    # What is changed just before the end is not lost.
    exploration.clusters.create(exploration.selection.mask)
    autosave.close()
    again = open_exploration(run)
    assert list(again.selection.rows) == [2] and len(again.clusters) == 1 and not failures
    exploration.selection.clear()
    assert len(open_exploration(run).selection) == 1


def test_a_failure_to_write_is_told_and_tried_again(run, monkeypatch):
    exploration, failures = open_exploration(run), []
    told = threading.Event()

    def full(*_):
        raise OSError(28, "No space left on device")

    autosave = Autosave(run, exploration, lambda text: (failures.append(text), told.set()))
    with monkeypatch.context() as patch:
        patch.setattr("napari_tsimcne.runs._exploration.pq.write_table", full)
        exploration.selection.select_patch(0)
        assert told.wait(5)
    autosave.close()
    assert "is full: free some space" in failures[0]
    assert list(open_exploration(run).selection.rows) == [0]


@pytest.mark.parametrize("damage", ["cut", "foreign", "clusters", "ids"])
def test_a_damaged_file_is_one_sentence(run, damage):
    exploration = open_exploration(run)
    exploration.clusters.create(np.ones(len(exploration), bool))
    save_exploration(run, exploration)
    path = run.folder / "exploration.parquet"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    elif damage == "foreign":
        pd.DataFrame({"cluster": [1.5], "selected": [True]}).to_parquet(path)
    else:
        other = Exploration(run.table, run.coordinates, lambda: run.features,
                            clusters=[Cluster(id=1, name="a", color="#ffffff")],
                            ids=np.ones(len(run.table)))  # fmt: skip
        if damage == "ids":
            other.clusters._state.ids[:] = 7
        else:
            other.clusters._state = other.clusters._state._replace(
                clusters=(Cluster.model_construct(id=1, name="", color="red", note=""),)
            )
        save_exploration(run, other)
    with pytest.raises(InputError, match=r"exploration\.parquet") as caught:
        open_exploration(run)
    assert "\n" not in str(caught.value)


# --- how they were made ---------------------------------------------------------------------------


def test_it_is_recorded_how_clusters_were_made_and_that_they_were_edited():
    history = History()
    clusters = Clusters(12, history)
    clusters.replace(np.repeat([0, 1, 2], 4), "k-means", Origin(method="k-means", size=3))
    assert {one.origin.text for one in clusters.all} == {"by k-means (k = 3) on the map"}
    hand = clusters.create(np.arange(12) < 2)
    first, second, third, _ = clusters.all
    assert hand.origin.text == "by hand"
    # The first lost patches to it.
    assert first.origin.text == "by k-means (k = 3) on the map, then edited by hand"
    assert not second.origin.edited and not third.origin.edited
    clusters.assign(second.id, np.arange(12) == 1)
    assert clusters[hand.id].origin.text == "by hand" and clusters[second.id].origin.edited
    clusters.describe(third.id, name="renamed", color="#123456")
    assert not clusters[third.id].origin.edited
    clusters.split(third.id, np.arange(12) == 9)
    assert clusters[third.id].origin.edited and clusters.all[-1].origin.text == "by hand"
    for _ in range(4):
        history.undo()
    assert not any(one.origin.edited for one in clusters.all)
    clusters.replace(np.zeros(12, int), origin=Origin(method="hdbscan", size=50, on="features"))
    (one,) = clusters.all
    assert one.origin.text == "by HDBSCAN (at least 50 patches a cluster) on the features"


def test_of_clusters_of_old_runs_it_is_not_known():
    old = Cluster(id=1, name="a", color="#000000")
    clusters = Clusters(4, clusters=[old], ids=np.ones(4, int))
    clusters.release(np.arange(4) < 1)
    assert clusters.all[0].origin is None


# --- what else is kept with a run -----------------------------------------------------------------


def test_origin_colours_and_added_columns_are_there_again(tiny_run):
    run = mapped(tiny_run)
    exploration = open_exploration(run)
    count = len(exploration)
    autosave = Autosave(run, exploration, pytest.fail)
    exploration.clusters.replace(np.arange(count) % 2, origin=Origin(method="k-means", size=2))
    groups = pd.array([pd.NA, 1, 2] * (count // 3), "Int64")
    exploration.add_columns(pd.DataFrame({"kept": np.linspace(0, 1, count), "pairs": groups}), "a")
    exploration.add_columns(pd.DataFrame({"x - y": np.linspace(-1, 1, count)}), "b",
                            differences=True)  # fmt: skip
    exploration.color_by, exploration.color_as = "pairs", {"pairs": "classes"}
    autosave.keep_colors()
    autosave.close()
    again = open_exploration(run)
    assert {one.origin.text for one in again.clusters.all} == {"by k-means (k = 2) on the map"}
    pd.testing.assert_frame_equal(again.table, exploration.table)
    assert again.differences == {"x - y"} and set(again.added) == {"a", "b"}
    assert (again.color_by, again.color_as) == ("pairs", {"pairs": "classes"})
    assert not {"kept", "pairs"} & set(run.table), "checks look at the run's own"
    # Taken away, they are not there again.
    for source in ("a", "b"):
        again.remove_columns(source)
    save_columns(run, again)
    assert not open_exploration(run).added


def test_columns_of_another_map_are_passed_over_and_damaged_ones_refused(tiny_run):
    run = mapped(tiny_run)
    exploration = open_exploration(run)
    exploration.add_columns(pd.DataFrame({"kept": np.zeros(len(exploration))}), "checks")
    save_columns(run, exploration)
    moved = open_exploration(run)
    moved.move(moved.coordinates + 1)
    save_columns(run, moved)
    assert "kept" not in open_exploration(run).table
    (run.folder / "columns.parquet").write_bytes(b"no table")
    with pytest.raises(InputError, match=r"columns.parquet.* damaged"):
        open_exploration(run)


def test_a_gradient_is_chosen_again(tiny_run):
    run = mapped(tiny_run)
    run.table = run.table.assign(field=np.arange(len(run.table)) % 4)
    exploration = open_exploration(run)
    exploration.color_as = {"field": "gradient"}
    save_exploration(run, exploration)
    coloring = Coloring(open_exploration(run))
    coloring.choose("field")
    assert coloring.kind == "gradient"
