import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import mapped
from PIL import Image

from napari_tsimcne import Grid, ImageSource, InputError, Recipe, Run
from napari_tsimcne.explore import Coloring
from napari_tsimcne.export._excerpt import Excerpt
from napari_tsimcne.export._pictures import Pictures, patch_pictures
from napari_tsimcne.export.pages._html_map import MOST_COLUMNS, export_html_map
from napari_tsimcne.export.pages._page import data_uri, policy, render
from napari_tsimcne.export.pages._sheets import EXACT_TO, LARGEST, LONGEST, draw_sheets
from napari_tsimcne.runs import open_exploration

EVIL = "</script><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """A page as a browser reads it: its elements, scripts, and what it says."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.scripts: list[tuple[dict, str]] = []
        self.text = ""
        self._open = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = tag
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag):
        self._open = ""

    def handle_data(self, data):
        if self._open == "script":
            attrs, text = self.scripts[-1]
            self.scripts[-1] = (attrs, text + data)
        elif self._open != "style":
            self.text += data

    @property
    def content(self) -> dict:
        return json.loads(next(t for attrs, t in self.scripts if attrs.get("id") == "content"))

    @property
    def sheets(self) -> list[bytes]:
        return [base64.b64decode(text, validate=True) for attrs, text in self.scripts
                if attrs.get("id", "").startswith("sheet-")]  # fmt: skip

    @property
    def policy(self) -> str:
        return next(attrs["content"] for tag, attrs in self.elements
                    if attrs.get("http-equiv") == "Content-Security-Policy")  # fmt: skip


def numbers(stored):
    return np.frombuffer(base64.b64decode(stored["data"]), np.dtype(stored["type"]))


def columns(content):
    """Values of each column: numbers, or texts with None for a missing one."""
    found = {}
    for column in content["columns"]:
        values = numbers(column["values"])
        if column["kind"] == "text":
            texts = np.array([*column["texts"], None], object)
            values = texts[values]
        found[column["name"]] = values
    return found


def tiles(page):
    """Picture of each patch of a page, None where it has none."""
    described = page.content["pictures"]
    sheets = [np.asarray(Image.open(io.BytesIO(sheet)).convert("RGB")) for sheet in page.sheets]
    cell, across, side = (described[name] for name in ("cell", "across", "side"))
    assert described["capacity"] == across**2
    found = []
    for number in numbers(described["tiles"]):
        if not number:
            found.append(None)
            continue
        sheet, place = divmod(int(number) - 1, across**2)
        y, x = cell * (place // across), cell * (place % across)
        found.append(sheets[sheet][y : y + side, x : x + side])
    return found


@pytest.fixture
def run(tmp_path):
    random = np.random.default_rng(0)
    images = [
        ImageSource.from_array(random.integers(0, 200, (2, 64, 96)).astype(np.uint8), "CYX", name=n)
        for n in ("first", "second")
    ]
    recipe = Recipe.quick(Grid(size=16), batch_size=4)
    run = mapped(Run.create(tmp_path / "run", images, recipe))
    count = len(run.table)
    run.table = run.table.assign(
        drug=np.where(np.arange(count) % 3, "water", EVIL),
        dose=np.linspace(0, 1, count), cells=pd.array([pd.NA, *range(count - 1)], "Int64"),
        big=np.arange(count) + 2**40, control=np.arange(count) % 2 == 0,
        batch=pd.Categorical(["a", None] * (count // 2)),
    )  # fmt: skip
    return run


def export(run, path, exploration=None, mask=None, **options):
    exploration = exploration or open_exploration(run)
    mask = np.ones(len(run.table), bool) if mask is None else mask
    assert export_html_map(Excerpt(run, exploration, mask), path, **options) == mask.sum()
    return Page(path)


# --- what it holds is what was exported -----------------------------------------------------------


def test_coordinates_and_columns_are_those_of_the_run(run, tmp_path):
    mask = np.arange(48) % 5 != 0
    content = export(run, tmp_path / "map.html", mask=mask).content
    assert content["count"] == mask.sum()
    places = numbers(content["coordinates"]).reshape(-1, 2)
    assert np.array_equal(places, run.coordinates[mask])
    assert np.array_equal(numbers(content["patches"]), np.flatnonzero(mask))
    found, table = columns(content), run.table[mask]
    for name in ("image", "drug"):
        assert list(found[name]) == list(table[name])
    assert list(found["control"]) == [str(value) for value in table["control"]]
    assert list(found["batch"]) == [None if pd.isna(v) else v for v in table["batch"]]
    assert np.array_equal(found["big"], table["big"])
    expected = table["cells"].to_numpy(float, na_value=np.nan)
    assert np.array_equal(found["cells"], expected, equal_nan=True)
    for name in ("dose", "y", "x"):
        assert np.array_equal(found[name], table[name].to_numpy(np.float32))


def test_what_was_added_is_marked(run, tmp_path):
    exploration = open_exploration(run)
    exploration.table["added"] = np.where(np.arange(48) < 40, "", "later")
    content = export(run, tmp_path / "own.html", exploration).content
    assert {c["name"]: c["place"] for c in content["columns"]}["added"] == ""
    exploration.table["familiarity"] = np.where(np.arange(48) < 40, np.nan, 0.5)
    exploration.table["unfamiliar"] = pd.array([False] * 48, "boolean")
    content = export(run, tmp_path / "map.html", exploration).content
    places = {column["place"]: column["name"] for column in content["columns"]}
    assert {"added", "familiarity", "unfamiliar"} <= places.keys()
    assert list(columns(content)["added"]) == [""] * 40 + ["later"] * 8


def test_of_many_columns_the_first_are_told(run, tmp_path):
    run.table = run.table.assign(**{f"measure {i}": np.arange(48.0) + i for i in range(30)})
    page = export(run, tmp_path / "map.html")
    told = [one for one in page.content["columns"] if not one["place"]]
    assert len(told) == MOST_COLUMNS and told[0]["name"] == "drug"
    assert "12 further columns are not on this page." in page.text
    assert len(page.content["colorings"]) == MOST_COLUMNS


def test_colours_are_those_of_the_window(run, tmp_path):
    exploration = open_exploration(run)
    exploration.clusters.create(np.arange(48) < 9, "one", color="#808080")
    exploration.clusters.create((np.arange(48) >= 9) & (np.arange(48) < 30), "two")
    content = export(run, tmp_path / "map.html", exploration).content
    coloring = Coloring(exploration)
    assert [one["column"] for one in content["colorings"]] == coloring.choices
    for one in content["colorings"]:
        coloring.choose(one["column"])
        codes = numbers(one["codes"])
        hexes = [int(one["colors"][code][1:], 16) for code in codes]
        packed = np.rint(coloring.colors[:, :3] * 255).astype(int) @ [1 << 16, 1 << 8, 1]
        assert np.array_equal(hexes, packed), one["column"]
        if coloring.limits is None:
            assert one["names"] == [category.name for category in coloring.categories]
            assert one["counts"] == [category.count for category in coloring.categories]
        else:
            assert one["limits"] == list(coloring.limits)
            assert one["count_missing"] == coloring.missing
            assert len(one["bar"]) == 18
    clusters = content["colorings"][0]
    assert clusters["names"][clusters["missing"]] == "unassigned"
    by_name = {one["column"]: one for one in content["colorings"]}
    assert by_name["image"]["missing"] is None
    assert by_name["batch"]["names"][by_name["batch"]["missing"]] == "none"


def test_classes_without_a_patch_are_left_out(run, tmp_path):
    exploration = open_exploration(run)
    exploration.clusters.create(np.arange(48) < 9, "here")
    exploration.clusters.create(np.arange(48) >= 40, "elsewhere")
    content = export(run, tmp_path / "a.html", exploration, np.arange(48) < 9).content
    assert content["colorings"][0]["names"] == ["here"]
    assert content["colorings"][0]["missing"] is None
    assert not numbers(content["colorings"][0]["codes"]).any()


def test_the_first_colour_is_the_chosen_one(run, tmp_path):
    content = export(run, tmp_path / "map.html", color_by="dose").content
    # Without clusters, there is nothing to see in their colours.
    assert [one["column"] for one in content["colorings"]][:2] == ["dose", "density"]
    with pytest.raises(InputError, match="cannot be coloured by 'colour': choose one of cluster"):
        export(run, tmp_path / "b.html", color_by="colour")
    assert not (tmp_path / "b.html").exists()


@pytest.mark.parametrize(("side", "kind"), [(EXACT_TO, "image/png"), (28, "image/jpeg")])
def test_pictures_are_those_of_the_patches(tmp_path, side, kind):
    # As smooth as photographs are: JPEG is made for these.
    y, x = np.mgrid[:200, :200] / 200
    field = np.stack([200 * x, 200 * y, 100 * (2 - x - y)], -1).astype(np.uint8)
    image = ImageSource.from_array(field, "YXS", name="field")
    recipe = Recipe.quick(Grid(size=side), batch_size=4)
    run = mapped(Run.create(tmp_path / "run", [image], recipe))
    page = export(run, tmp_path / "map.html")
    assert page.content["pictures"]["kind"] == kind
    drawn = patch_pictures(run)(np.arange(len(run.table)))
    shown = np.stack(tiles(page))
    far = np.abs(shown.astype(int) - drawn).max()
    assert far == 0 if kind == "image/png" else far < 12


@given(count=st.integers(1, 60), side=st.integers(1, 150), seed=st.integers(0, 9))
@settings(max_examples=30)
def test_sheets_are_small_and_hold_every_picture_in_its_place(count, side, seed):
    colors = np.random.default_rng(seed).integers(0, 256, (count, 1, 1, 3)).astype(np.uint8)
    told = []

    @Pictures
    def pictures(rows):
        return np.broadcast_to(colors[rows], (len(rows), side, side, 3)).copy()

    sheets = draw_sheets(pictures, np.arange(count), lambda *what: told.append(what[1:]))
    assert sheets.side == min(side, LARGEST) and sheets.cell >= sheets.side
    assert told[0] == (0, count) and told[-1] == (count, count)
    found = []
    for file in sheets.files:
        sheet = np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int)
        assert max(sheet.shape[:2]) <= LONGEST
        for place in range(min(sheets.capacity, count - len(found))):
            y, x = sheets.cell * (place // sheets.across), sheets.cell * (place % sheets.across)
            found.append(sheet[y : y + sheets.side, x : x + sheets.side])
    # A plain picture stays plain up to its edge: none runs into the next.
    assert len(found) == count
    for picture, color in zip(found, colors[:, 0, 0].astype(int), strict=True):
        assert np.abs(picture - color).max() <= 4


def test_of_many_patches_evenly_drawn_ones_have_pictures(run, tmp_path):
    page = export(run, tmp_path / "map.html", most_pictures=12)
    drawn = [picture is not None for picture in tiles(page)]
    assert sum(drawn) == 12 and sum(drawn[:24]) == 6
    assert "12 of the patches, evenly drawn, have a picture." in page.text
    page = export(run, tmp_path / "none.html", most_pictures=0)
    assert page.content["pictures"] is None and not page.sheets
    assert "Patches have no pictures." in page.text


def test_pictures_of_the_window_are_taken_where_given(run, tmp_path):
    asked = []

    @Pictures
    def pictures(rows):
        asked.extend(rows.tolist())
        return np.full((len(rows), 8, 8, 3), 77, np.uint8)

    page = export(run, tmp_path / "map.html", pictures=pictures, mask=np.arange(48) >= 40)
    assert set(asked) == set(range(40, 48))
    assert all((picture == 77).all() for picture in tiles(page))


def test_the_colours_of_channels_and_the_side_of_a_patch_are_told(run, tmp_path):
    drawn = patch_pictures(run)
    page = export(run, tmp_path / "map.html")
    assert page.content["pictures"]["patch"] == drawn.side != ""
    assert page.content["pictures"]["channels"] == [list(one) for one in drawn.channels]
    assert drawn.channels


def test_the_legend_works_as_that_of_the_window(run, tmp_path):
    page = export(run, tmp_path / "map.html")
    script = next(text for attrs, text in page.scripts if not attrs)
    assert "Click a class to see it alone, again for all" in page.text
    assert "with Ctrl or Shift to hide" in page.text
    assert "choose(code, event.ctrlKey || event.metaKey || event.shiftKey)" in script


# --- it is safe, and needs nothing else -----------------------------------------------------------


def test_names_are_never_markup(run, tmp_path):
    exploration = open_exploration(run)
    exploration.clusters.create(np.arange(48) < 9, EVIL)
    exploration.clusters.create(np.arange(48) > 20, "<!--<script> & 'x' \" \u2028 ]]>")
    page = export(run, tmp_path / "map.html", exploration, title=f"</title>{EVIL}")
    plain = export(run, tmp_path / "plain.html")
    assert not any(tag == "img" for tag, _ in page.elements)
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    assert EVIL not in page.source and "onerror=alert(1)>" not in page.source
    assert page.content["colorings"][0]["names"][:2] == [c.name for c in exploration.clusters.all]
    assert EVIL in page.text  # the title, to be read


def test_it_asks_nothing_of_the_network_and_runs_its_own_script_only(run, tmp_path):
    page = export(run, tmp_path / "map.html")
    assert page.policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in page.policy and "http" not in page.policy
    for tag, attrs in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "form", "base")
        assert not {"src", "href", "action", "style"} & attrs.keys(), tag
        assert not any(name.startswith("on") for name in attrs), tag
    run_by_browser = [text for attrs, text in page.scripts if not attrs]
    assert len(run_by_browser) == 1
    digest = base64.b64encode(hashlib.sha256(run_by_browser[0].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page.policy
    script = run_by_browser[0]
    for unsafe in ("eval(", "new Function", "innerHTML", "insertAdjacent", "document.write",
                   "fetch(", "XMLHttpRequest", "import(", "WebSocket", "localStorage"):  # fmt: skip
        assert unsafe not in script
    assert not re.search(r"https?://", page.source)


def test_what_a_script_looks_for_is_on_the_page(run, tmp_path):
    page = export(run, tmp_path / "map.html")
    script = next(text for attrs, text in page.scripts if not attrs)
    ids = {attrs["id"] for _, attrs in page.elements if "id" in attrs}
    asked = set(re.findall(r'byId\("([a-z]+)"\)', script))
    assert asked and asked <= ids
    labelled = {attrs["for"] for tag, attrs in page.elements if tag == "label"}
    assert {"column", "find"} == labelled
    canvas = next(attrs for tag, attrs in page.elements if attrs.get("id") == "rings")
    assert canvas["tabindex"] == "0" and "Map of run" in canvas["aria-label"]


def test_the_page_says_what_it_is(run, tmp_path):
    from napari_tsimcne import __version__

    page = export(run, tmp_path / "map.html", title="Blood cells", mask=np.arange(48) < 24)
    assert "t-SimCNE map of 24 of 48 patches of 1 image. Patches cut on " in page.text
    assert f"{run.info.created:%Y-%m-%d}" in page.text and f"tsimcne {__version__}" in page.text
    assert ("title", {}) in page.elements and "Blood cells" in page.text
    one = export(run, tmp_path / "one.html", mask=np.arange(48) == 7)
    assert "t-SimCNE map of 1 of 48 patches of 1 image." in one.text
    run.info = run.info.model_copy(update={"state": "stopped"})
    assert "stopped early" in export(run, tmp_path / "stopped.html").text


# --- when it cannot be written --------------------------------------------------------------------


def test_nothing_is_overwritten_unless_told_to(run, tmp_path):
    path = tmp_path / "map.html"
    path.write_text("mine")
    with pytest.raises(InputError, match="exists"):
        export(run, path)
    assert path.read_text() == "mine"
    assert export(run, path, overwrite=True).content["count"] == 48


def test_cancelled_it_leaves_nothing(run, tmp_path):
    def cancel(what, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(run, tmp_path / "out" / "map.html", told=cancel)
    assert not list((tmp_path / "out").iterdir())


def test_a_run_without_a_map_is_refused(tiny_run, tmp_path):
    with pytest.raises(InputError, match="has no map yet"):
        export(tiny_run, tmp_path / "map.html")


# --- what pages share -----------------------------------------------------------------------------


def test_templates_escape_and_miss_nothing():
    with pytest.raises(Exception, match="undefined"):
        render("map.html", title="x")
    assert data_uri(b"\x00\xff", "image/png") == "data:image/png;base64,AP8="
    assert "script-src 'none'" in policy()
