"""The map in print: its colours, its legend, and that nothing overlaps or is cut off."""

import itertools
import re
import warnings
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import mapped
from PIL import Image

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import Coloring, Exploration
from napari_tsimcne.export import Excerpt
from napari_tsimcne.export._pictures import Pictures
from napari_tsimcne.export.figures._drawing import NO_FONT, WIDTH, elided, text_width
from napari_tsimcne.export.figures._map_figure import export_figure, map_drawing
from napari_tsimcne.export.figures._map_panel import THUMBNAIL, round_length
from napari_tsimcne.runs import open_exploration


def painted(rows):
    return np.repeat(np.asarray(rows, np.int64) % 200, 8 * 8 * 3).astype(np.uint8).reshape(
        -1, 8, 8, 3)  # fmt: skip


plain_pictures = Pictures(painted, (("DNA", "#ff8800"), ("FKHR-GFP", "#0088ff")), "40 px")


def made_up(count=300, clusters=0, seed=0, names=(), **columns):
    """An excerpt of all patches of a made-up map; each cluster is an island."""
    random = np.random.default_rng(seed)
    ids = np.arange(count) % max(clusters, 1)
    islands = random.normal(scale=40, size=(max(clusters, 1), 2))
    places = islands[ids] + random.normal(size=(count, 2))
    table = pd.DataFrame({"patch": np.arange(count), "image": "a", **columns})
    exploration = Exploration(table, places, lambda: places)
    if clusters:
        exploration.clusters.replace(ids)
        for cluster, name in zip(exploration.clusters.all, names, strict=False):
            exploration.clusters.describe(cluster.id, name=name)
    run = SimpleNamespace(folder="made-up", table=table)
    return Excerpt.all(run, exploration)


def found(drawing, start):
    return drawing.figure.findobj(lambda one: (one.get_gid() or "").startswith(start))


def extents(drawing, start):
    """Rectangles on paper, in pixels, of what has a name that starts so."""
    renderer = drawing.figure.canvas.get_renderer()
    return [one.get_window_extent(renderer) for one in found(drawing, start)]


def overlap(a, b):
    return min(a.x1, b.x1) - max(a.x0, b.x0) > 0.5 and min(a.y1, b.y1) - max(a.y0, b.y0) > 0.5


def assert_apart(boxes):
    for a, b in itertools.combinations(boxes, 2):
        assert not overlap(a, b), (a, b)


def assert_on_paper(drawing, boxes):
    page = drawing.figure.bbox
    for box in boxes:
        assert page.x0 <= box.x0 and box.x1 <= page.x1, box
        assert page.y0 <= box.y0 and box.y1 <= page.y1, box


def texts(drawing, start):
    return [one.get_text() for one in found(drawing, start)]


def drawn(excerpt, color_by="cluster", legend=True, pictures=None, title=""):
    return map_drawing(excerpt, color_by, legend, pictures, title)


# --- colours --------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["cluster", "density", "drug", "area"])
def test_each_patch_has_the_colour_of_the_window_at_its_place(column):
    drug = np.array(["none", "a", "b"])[np.arange(300) % 3]
    area = np.arange(300) * 1.5
    excerpt = made_up(clusters=4, drug=drug, area=area)
    coloring = Coloring(excerpt.exploration)
    coloring.choose(column)
    points = drawn(excerpt, column).figure.axes[1].collections[-1]
    where = {tuple(place): row for row, place in enumerate(excerpt.coordinates)}
    rows = [where[tuple(np.float32(place))] for place in points.get_offsets()]
    assert sorted(rows) == list(range(300)) and rows != list(range(300))
    assert np.allclose(points.get_facecolors(), coloring.colors[rows])


def test_patches_that_are_not_exported_lie_below_in_grey():
    excerpt = made_up(clusters=3)
    part = Excerpt.of_clusters(excerpt.run, excerpt.exploration, ["cluster 2"])
    drawing = drawn(part)
    context, points = drawing.figure.axes[1].collections
    assert (len(context.get_offsets()), len(points.get_offsets())) == (200, 100)
    assert context.zorder < points.zorder
    assert texts(drawing, "legend-name") == ["cluster 2", "not exported"]
    assert texts(drawing, "legend-count") == ["100", "200"]


def test_one_cluster_is_named_and_none_is_not():
    assert texts(drawn(made_up(clusters=1)), "legend-name") == ["cluster 1"]
    assert texts(drawn(made_up()), "legend-name") == ["patches"]
    assert not texts(drawn(made_up(), legend=False), "legend")


def test_differences_have_a_scale_with_zero_in_its_middle():
    excerpt = made_up()
    more = pd.DataFrame({"more": np.linspace(-0.5, 1, 300)})
    excerpt.exploration.add_columns(more, "conditions", differences=True)
    drawing = drawn(excerpt, "more")
    assert texts(drawing, "percentiles") == ["0 is in the middle"]
    (bar,) = extents(drawing, "color-bar")
    (zero,) = [one for one in found(drawing, "tick") if one.get_text() == "0"]
    at = zero.get_window_extent(drawing.figure.canvas.get_renderer())
    assert abs((at.y0 + at.y1) / 2 - (bar.y0 + bar.y1) / 2) < 0.1 * bar.height
    points = drawing.figure.axes[1].collections[-1].get_facecolors()
    coloring = Coloring(excerpt.exploration)
    coloring.choose("more")
    assert np.allclose(np.sort(points, axis=0), np.sort(coloring.colors, axis=0))


def test_numbers_have_a_scale_and_what_is_missing_is_counted():
    area = np.arange(300) * 1.5
    area[:7] = np.nan
    drawing = drawn(made_up(area=area), "area")
    assert len(found(drawing, "color-bar")) == 1
    values = [float(text.replace(",", "")) for text in texts(drawing, "tick")]
    assert values == sorted(values) and len(values) >= 3
    assert texts(drawing, "legend-name") == ["missing"]
    assert texts(drawing, "legend-count") == ["7"]
    heights = [box.y0 for box in extents(drawing, "tick")]
    assert heights == sorted(heights)


# --- layout ---------------------------------------------------------------------------------------

NAMES = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), min_size=1,
                max_size=80).map(lambda text: text.strip() or "x")  # fmt: skip


@settings(max_examples=10)
@given(clusters=st.integers(0, 90), seed=st.integers(0, 99), title=st.sampled_from(["", "t" * 300]),
       names=st.lists(NAMES, unique=True, max_size=8))  # fmt: skip
def test_nothing_overlaps_and_nothing_is_cut_off(clusters, seed, title, names):
    drawing = drawn(made_up(300, clusters, seed, names), title=title)
    letters = [box for start in ("legend", "title", "scale", "kernel")
               for box in extents(drawing, start)]  # fmt: skip
    assert_apart([*letters, *extents(drawing, "swatch"), *extents(drawing, "map")])
    assert_on_paper(drawing, letters)
    shown = [int(text.replace(",", "")) for text in texts(drawing, "legend-count")]
    assert sum(shown) == 300


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
@pytest.mark.parametrize(
    ("name", "missing"), [("Lymphozyten α é", False), ("\U0001f980\U00016a40", True)]
)
def test_letters_that_no_font_has_are_told_in_a_sentence(tmp_path, name, missing, suffix):
    excerpt = made_up(40, 1, names=[name])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        notice = export_figure(excerpt, tmp_path / f"map{suffix}")
    assert notice == (NO_FONT if missing else "")
    assert text_width(name) > 3


def test_of_too_many_classes_the_smallest_are_counted_together():
    ids = np.repeat(np.arange(120), np.arange(120, 0, -1))
    excerpt = made_up(len(ids))
    excerpt.exploration.clusters.replace(ids)
    drawing = drawn(excerpt)
    names, counts = texts(drawing, "legend-name"), texts(drawing, "legend-count")
    *listed, rest = names
    assert listed == [f"cluster {i}" for i in range(1, len(listed) + 1)]
    assert rest == f"and {120 - len(listed)} more"
    assert sum(int(count.replace(",", "")) for count in counts) == len(ids)


def test_the_map_is_to_scale_and_so_is_its_bar():
    excerpt = made_up(clusters=5)
    drawing = drawn(excerpt)
    axes = drawing.figure.axes[1]
    corners = axes.transData.transform([(0, 0), (1, 1)])
    width, height = corners[1] - corners[0]
    assert width == pytest.approx(height)
    units = float(texts(drawing, "scale-text")[0].split()[0])
    bar = found(drawing, "scale-bar")[0].get_xdata()
    pixels = np.ptp(drawing.page.transData.transform(np.c_[bar, [0, 0]])[:, 0])
    assert pixels == pytest.approx(units * width)
    inside = axes.transData.transform(excerpt.coordinates)
    box = axes.get_window_extent()
    assert box.x0 <= inside[:, 0].min() and inside[:, 0].max() <= box.x1
    assert box.y0 <= inside[:, 1].min() and inside[:, 1].max() <= box.y1


def test_pictures_stand_apart_in_their_colours():
    excerpt = made_up(clusters=5)
    drawing = drawn(excerpt, pictures=plain_pictures)
    boxes = extents(drawing, "thumbnail")
    assert len(boxes) > 5
    assert_apart([*boxes, *extents(drawing, "legend")])
    assert_on_paper(drawing, boxes)
    (frames,) = found(drawing, "frames")
    colors = Coloring(excerpt.exploration).colors
    places = drawing.page.transData.inverted().transform(
        drawing.figure.axes[1].transData.transform(excerpt.coordinates)
    )
    for path, color in zip(frames.get_paths(), frames.get_facecolors(), strict=True):
        centre = path.vertices[:4].mean(axis=0)
        row = int(np.abs(places - centre).sum(axis=1).argmin())
        assert np.abs(places[row] - centre).max() < 1e-3 * THUMBNAIL
        assert np.allclose(color, colors[row])


@given(st.text(st.characters(max_codepoint=0x17F), max_size=60), st.floats(1, 60))
def test_a_text_is_elided_only_where_it_is_too_wide(text, width):
    short = elided(text, width)
    whole = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if text_width(whole) <= width:
        assert short == whole
    else:
        assert short.endswith("…") and whole.startswith(short[:-1])
        assert text_width(short) <= width or short == "…"


@given(st.floats(1e-6, 1e6))
def test_a_scale_bar_has_a_round_length(length):
    found = round_length(length)
    assert length / 2.5 * (1 - 1e-6) <= found <= length * (1 + 1e-6)
    assert re.fullmatch(r"[125]e[+-]\d+", f"{found:.0e}")
    assert float(f"{found:.0e}") == pytest.approx(found)


@pytest.mark.parametrize("places", [[[3, 3]], [[3, 3], [3, 3]], [[0, 0], [0, 9]], [[0, 0], [9, 0]]])
def test_maps_without_extent_are_drawn(places):
    table = pd.DataFrame({"patch": np.arange(len(places))})
    exploration = Exploration(table, np.array(places, float), lambda: None)
    drawing = drawn(Excerpt(None, exploration, np.ones(len(places), bool)))
    assert len(drawing.figure.axes[1].collections[-1].get_offsets()) == len(places)
    assert_on_paper(drawing, extents(drawing, "scale"))


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg", ".PNG"])
def test_files_are_for_print(tmp_path, suffix):
    path = tmp_path / f"map{suffix}"
    excerpt = made_up(clusters=3, names=["costs $5 & $6", "rings \x07 and breaks\nlines"])
    export_figure(excerpt, path, title="Islands of <cells>")
    data = path.read_bytes()
    if suffix.lower() == ".png":
        with Image.open(path) as image:
            assert image.info["dpi"][0] >= 300
            assert image.width / image.info["dpi"][0] * 25.4 == pytest.approx(WIDTH, abs=0.2)
    elif suffix == ".pdf":
        # Letters of whole fonts, not drawn ones.
        assert b"/CIDFontType2" in data and b"/Type3" not in data
    else:
        assert "costs $5 &amp; $6" in data.decode() and "Islands of &lt;cells&gt;" in data.decode()
        assert "rings and breaks lines" in data.decode() and b"<image" not in data
        ids = [one.get("id") for one in ElementTree.fromstring(data).iter() if one.get("id")]
        assert len(set(ids)) == len(ids)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_files_of_many_points_stay_small(tmp_path):
    for suffix in (".svg", ".pdf"):
        export_figure(made_up(30_000, 5), tmp_path / f"map{suffix}")
        assert (tmp_path / f"map{suffix}").stat().st_size < 1_500_000
    assert b"<image" in (tmp_path / "map.svg").read_bytes()


def test_pictures_of_a_run_are_shown(tiny_run, tmp_path):
    exploration = open_exploration(mapped(tiny_run))
    excerpt = Excerpt.all(tiny_run, exploration)
    export_figure(excerpt, tmp_path / "map.png", thumbnails=True, legend=False)
    export_figure(excerpt, tmp_path / "plain.png", legend=False)
    with Image.open(tmp_path / "map.png") as shown, Image.open(tmp_path / "plain.png") as plain:
        assert (np.asarray(shown.convert("L")) < 20).sum() > (
            20 * (np.asarray(plain.convert("L")) < 20).sum()
        )


def test_mistakes_are_told(tiny_run, tmp_path):
    there = tmp_path / "there.png"
    there.write_bytes(b"mine")
    excerpt = made_up(clusters=2)
    with pytest.raises(InputError, match="exists"):
        export_figure(excerpt, there)
    assert there.read_bytes() == b"mine"
    with pytest.raises(InputError, match=r"end it in \.png, \.pdf or \.svg"):
        export_figure(excerpt, tmp_path / "map.jpg")
    with pytest.raises(InputError, match="coloured by 'age': choose one of cluster, density"):
        export_figure(excerpt, tmp_path / "map.png", color_by="age")
    untrained = Excerpt.all(tiny_run, open_exploration(tiny_run))
    with pytest.raises(InputError, match="train the run"):
        export_figure(untrained, tmp_path / "map.png")
    export_figure(excerpt, there, overwrite=True)
    assert there.read_bytes() != b"mine"
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["there.png"]
