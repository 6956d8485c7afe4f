"""The annotated map: where labels stand, where lines lead, which patches are shown."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import mapped
from matplotlib.path import Path as Outline
from matplotlib.transforms import Bbox
from test_map_figure import (
    NAMES,
    assert_apart,
    assert_on_paper,
    extents,
    found,
    made_up,
    plain_pictures,
    texts,
)

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import cluster_modes
from napari_tsimcne.export import Excerpt
from napari_tsimcne.export._pictures import Pictures
from napari_tsimcne.export.figures._annotated_map import (
    MOST,
    NEIGHBORS,
    annotated_drawing,
    export_annotated_map,
)
from napari_tsimcne.export.figures._drawing import WIDTH
from napari_tsimcne.export.figures._leaders import assign, crossings, in_order
from napari_tsimcne.runs import open_exploration

# --- modes ----------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(where=st.tuples(st.floats(-90, 90), st.floats(-90, 90)), seed=st.integers(0, 999),
       crowd=st.integers(60, 400), halo=st.integers(0, 60))  # fmt: skip
def test_the_mode_lies_in_the_dense_part_of_a_cluster(where, seed, crowd, halo):
    random = np.random.default_rng(seed)
    blob = random.normal(where, 1, (crowd, 2))
    around = random.uniform(-100, 100, (halo, 2))
    others = random.normal(-np.array(where), 0.1, (500, 2))
    places = np.concatenate([around, blob, others]).astype(np.float32)
    ids = np.repeat([7, 7, 0], [halo, crowd, 500])
    modes = cluster_modes(places, ids)
    assert list(modes) == [7] and ids[modes[7]] == 7
    assert np.linalg.norm(places[modes[7]] - where) < 3


@settings(max_examples=30)
@given(seed=st.integers(0, 999), apart=st.floats(15, 300), angle=st.floats(0, 6.28))
def test_the_mode_of_two_islands_lies_in_one_of_them(seed, apart, angle):
    random = np.random.default_rng(seed)
    direction = np.array([np.cos(angle), np.sin(angle)]) * apart / 2
    places = np.concatenate(
        [random.normal(direction, 1, (300, 2)), random.normal(-direction, 1, (100, 2))]
    )
    mode = places[cluster_modes(places, np.ones(400, int))[1]]
    assert np.linalg.norm(mode - direction) < 2.5
    assert np.linalg.norm(mode - places.mean(axis=0)) > 1


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.booleans())
@settings(max_examples=50)
def test_every_cluster_that_holds_a_patch_has_a_mode_of_its_own(ids, same_place):
    ids = np.array(ids)
    places = np.zeros((len(ids), 2)) if same_place else np.random.default_rng(0).normal(
        size=(len(ids), 2))  # fmt: skip
    modes = cluster_modes(places, ids)
    assert set(modes) == set(ids.tolist()) - {0}
    assert all(ids[row] == cluster for cluster, row in modes.items())


# --- lines ----------------------------------------------------------------------------------------


def frame(count, width=100.0, height=70.0):
    """Places all around a rectangle whose centre is (0, 0)."""
    along = np.linspace(0, 2 * (width + height), count, endpoint=False) + 1.0
    corners = np.cumsum([0, width, height, width, height])
    x = np.interp(along, corners, [-1, 1, 1, -1, -1]) * width / 2
    y = np.interp(along, corners, [-1, -1, 1, 1, -1]) * height / 2
    return np.stack([x, y], axis=1)


def meet(a, b, c, d):
    """Whether two lines have a point within both, by solving for it."""
    matrix = np.stack([b - a, c - d], axis=1)
    if abs(np.linalg.det(matrix)) < 1e-9:
        return False
    along = np.linalg.solve(matrix, c - a)
    return bool((along > 1e-6).all() and (along < 1 - 1e-6).all())


TIPS = st.lists(st.tuples(st.floats(-45, 45), st.floats(-30, 30)), min_size=1, max_size=24)


def cyclic(order):
    """Bring a cyclic order to begin with 0."""
    order = list(order)
    start = order.index(0)
    return order[start:] + order[:start]


@settings(max_examples=150)
@given(TIPS, st.integers(0, 8))
def test_no_two_lines_cross_and_no_slot_is_taken_twice(tips, spare):
    tips, slots = np.array(tips), frame(len(tips) + spare)
    ends = assign(tips, slots, np.zeros(2))
    assert len(set(ends.tolist())) == len(tips)
    for i in range(len(tips)):
        for j in range(i):
            assert not meet(tips[i], slots[ends[i]], tips[j], slots[ends[j]])


@settings(max_examples=100)
@given(st.integers(3, 24), st.integers(0, 8), st.integers(0, 9999))
def test_tips_come_round_the_edge_in_the_order_of_their_angles(count, spare, seed):
    random = np.random.default_rng(seed)
    angles = random.uniform(-np.pi, np.pi, count)
    tips = random.uniform(1, 30, count)[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    slots = frame(count + spare)
    ends = in_order(tips, slots, np.zeros(2))
    turned = np.arctan2(*slots[ends].T[::-1])
    assert cyclic(np.argsort(angles)) == cyclic(np.argsort(turned))


@settings(max_examples=60)
@given(st.integers(2, 30), st.integers(0, 9999))
def test_crossings_are_found(count, seed):
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(2, count, 2))
    expected = {(i, j) for j in range(count) for i in range(j) if meet(a[i], b[i], a[j], b[j])}
    assert {tuple(pair) for pair in crossings(a, b).tolist()} == expected


# --- the figure -----------------------------------------------------------------------------------


def islands(angles, radius=60.0, each=40, seed=0):
    """An excerpt with an island in each direction, and a patch at the opposite of each."""
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    noise = np.random.default_rng(seed).normal(size=(len(angles), each, 2))
    places = (radius * directions[:, None] + noise).reshape(-1, 2)
    corners = np.array([[-70, -70], [70, 70], [-70, 70], [70, -70]])
    excerpt = made_up(len(places) + 4)
    excerpt.exploration.move(np.concatenate([places, corners]))
    ids = np.concatenate([np.repeat(np.arange(len(angles)), each), [-1] * 4])
    excerpt.exploration.clusters.replace(ids)
    return excerpt


def leaders(drawing):
    """Lines in millimetres, (n, 2 ends, 2), in the clusters' order."""
    return np.array([line.get_xydata() for line in found(drawing, "leader")])


@settings(max_examples=10)
@given(st.integers(1, 14), st.integers(0, 99))
def test_names_stand_round_the_map_in_the_order_of_their_angles(count, seed):
    steps = np.random.default_rng(seed).uniform(0.6, 1, count)
    angles = np.cumsum(steps) / steps.sum() * 2 * np.pi - np.pi
    drawing = annotated_drawing(islands(angles), plain_pictures, 2)
    lines = leaders(drawing)
    box = drawing.figure.axes[1].get_position()
    centre = np.array([box.x0 + box.width / 2, box.y0 + box.height / 2])
    centre *= drawing.width, drawing.height
    ends = lines[:, 1] - centre
    assert cyclic(np.argsort(np.arctan2(ends[:, 1], ends[:, 0]))) == list(range(count))
    assert not len(crossings(lines[:, 0], lines[:, 1]))


@settings(max_examples=10)
@given(clusters=st.integers(1, 60), seed=st.integers(0, 99), strip=st.integers(1, 15),
       names=st.lists(NAMES, unique=True, max_size=8))  # fmt: skip
def test_nothing_overlaps_and_lines_run_over_no_label(clusters, seed, strip, names):
    excerpt = made_up(max(clusters * 5, 30), clusters, seed, names)
    drawing = annotated_drawing(excerpt, plain_pictures, strip)
    labels = []
    for cluster in excerpt.clusters:
        parts = [box for start in ("name", "count", "patch", "bar")
                 for box in extents(drawing, f"{start}-{cluster.id}-")
                 + [one.get_window_extent() for one in found(drawing, f"{start}-{cluster.id}")
                    if one.get_gid() == f"{start}-{cluster.id}"]]  # fmt: skip
        if parts:
            assert_apart(parts)
            labels.append(Bbox.union(parts))
    assert len(labels) == min(clusters, MOST)
    below = [*extents(drawing, "scale"), *extents(drawing, "kernel"), *extents(drawing, "note"),
             *extents(drawing, "key")]  # fmt: skip
    assert_apart([*labels, *extents(drawing, "map"), *below])
    assert_on_paper(drawing, [*labels, *below])
    assert texts(drawing, "key-name") == ["DNA", "FKHR-GFP"]
    assert texts(drawing, "key-side") == ["side of a patch: 40 px"]
    lines = leaders(drawing)
    assert not len(crossings(lines[:, 0], lines[:, 1]))
    for line in drawing.page.transData.transform(lines.reshape(-1, 2)).reshape(-1, 2, 2):
        for box in labels:
            # A line ends at the bar of its own label, without running into it.
            inside = Bbox.from_extents(box.x0 + 2, box.y0 + 2, box.x1 - 2, box.y1 - 2)
            assert not Outline(line).intersects_bbox(inside, filled=False)
    if clusters > MOST:
        assert f"{clusters - MOST} smaller clusters are not named" in texts(drawing, "note")[0]


def test_lines_lead_to_modes_and_patches_are_of_the_nearest():
    excerpt = made_up(400, 6)
    asked = []

    def asking(rows):
        asked.append(rows)
        return plain_pictures(rows)

    pictures = Pictures(asking)
    drawing = annotated_drawing(excerpt, pictures, 6)
    places, axes = excerpt.coordinates.astype(float), drawing.figure.axes[1]
    modes = cluster_modes(excerpt.coordinates, excerpt.cluster_ids)
    tips = drawing.page.transData.transform(leaders(drawing)[:, 0])
    for cluster, tip, rows in zip(excerpt.clusters, tips, asked, strict=True):
        mode = places[modes[cluster.id]]
        assert np.allclose(axes.transData.transform(mode), tip, atol=0.1)
        nearest = np.argsort(np.linalg.norm(places - mode, axis=1))[:NEIGHBORS]
        assert len(set(rows.tolist())) == 6 and set(rows) <= set(nearest)
        # Not the six nearest: drawn from the fifteen.
        assert list(rows) != list(nearest[:6])
    again = annotated_drawing(excerpt, pictures, 6)
    assert np.array_equal(asked[:6], asked[6:]) and len(leaders(again)) == 6


def test_long_names_take_two_lines_before_they_are_elided():
    names = ["short", "metaphase and anaphase (early)", "x" * 300]
    drawing = annotated_drawing(made_up(300, 3, names=names), plain_pictures, 6)
    assert texts(drawing, "name-1") == ["short"]
    second, first = texts(drawing, "name-2")
    assert f"{first} {second}" == names[1]
    second, first = texts(drawing, "name-3")
    assert second.endswith("x…") and set(first) == {"x"}
    boxes = extents(drawing, "name")
    assert_apart(boxes)


def test_sides_are_balanced_where_that_costs_little():
    # Five of eight islands lie a little to the left of the middle.
    angles = np.radians([100, 95, 180, 265, 260, 45, 0, -45])
    drawing = annotated_drawing(islands(angles), plain_pictures, 2)
    left = int((leaders(drawing)[:, 1, 0] < WIDTH / 2).sum())
    assert left == 4
    # All of them far to the left: none is brought to the other side of the map for it.
    angles = np.radians([150, 165, 180, 195, 210])
    drawing = annotated_drawing(islands(angles), plain_pictures, 2)
    lengths = np.linalg.norm(np.diff(leaders(drawing), axis=1), axis=2)
    assert lengths.max() < 100


def test_only_exported_patches_are_shown():
    excerpt = made_up(400, 4)
    part = Excerpt.of_clusters(excerpt.run, excerpt.exploration, ["cluster 1", "cluster 3"])
    asked = []
    drawing = annotated_drawing(
        part, Pictures(lambda rows: asked.extend(rows) or plain_pictures(rows)), 15
    )
    assert part.mask[asked].all() and len(asked) == 30
    assert texts(drawing, "name") == ["cluster 1", "cluster 3"]
    assert "light grey: 200 not exported" in texts(drawing, "note")[0]


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_it_is_written(tiny_run, tmp_path, suffix):
    exploration = open_exploration(mapped(tiny_run))
    excerpt = Excerpt.all(tiny_run, exploration)
    path = tmp_path / f"annotated{suffix}"
    with pytest.raises(InputError, match="make clusters"):
        export_annotated_map(excerpt, path)
    # A cluster of one patch, one of two, and all others.
    rows = np.arange(len(exploration))
    exploration.clusters.create(rows == 3, "alone $x$")
    exploration.clusters.create(np.isin(rows, (5, 6)), "two")
    exploration.clusters.create(rows > 6, "many")
    export_annotated_map(excerpt, path)
    if suffix == ".svg":
        written = path.read_text()
        assert "alone $x$" in written and written.count("<image") == 18
    assert path.stat().st_size > 10_000
    with pytest.raises(InputError, match="exists"):
        export_annotated_map(excerpt, path)
    with pytest.raises(InputError, match="choose 1 to 15"):
        export_annotated_map(excerpt, path, strip=16, overwrite=True)
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == [path.name]
