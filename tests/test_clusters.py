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
from napari_tsimcne.explore import Cluster, Clusters, Exploration, History, Selection
from napari_tsimcne.runs import Autosave, open_exploration, save_exploration

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
