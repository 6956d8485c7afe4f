import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from making import make_tiny_run, mapped
from PIL import Image

from napari_tsimcne import InputError
from napari_tsimcne.export._pictures import Pictures
from napari_tsimcne.export.pages._check_report import export_check_report
from napari_tsimcne.runs import check_run, open_exploration, save_exploration, seed_run
from napari_tsimcne.terminal._check import check_in_terminal

EVIL = "</title><script>alert(1)</script><img src=x onerror=alert(1)>"
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """What a page holds: its tags with their attributes, and its text."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def plain(text):
    return " ".join(text.split())


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """A run with a truth, another seed, duplicates and a cluster of an evil name."""
    run = mapped(make_tiny_run(tmp_path_factory.mktemp("checked") / "run"))
    store = np.load(run.folder / "patches.npy")
    store[40] = store[3]
    store[9] = 7
    np.save(run.folder / "patches.npy", store)
    mapped(seed_run(run, 1), 1)
    run.table = run.table.assign(kind=np.resize(["round", EVIL], 81))
    exploration = open_exploration(run)
    exploration.clusters.create(np.arange(81) < 30, EVIL)
    save_exploration(run, exploration)
    return run, exploration, check_run(run, exploration, truth="kind")


@pytest.fixture(scope="module")
def page(checked, tmp_path_factory):
    run, exploration, checks = checked
    path = tmp_path_factory.mktemp("report") / "check.html"
    export_check_report(checks, run, exploration, path)
    return Page(path.read_text(encoding="utf-8"))


def test_the_page_tells_every_finding_and_leads_to_it(checked, page):
    text = plain(page.text)
    ids = {attributes.get("id") for _, attributes in page.tags}
    for one in checked[2].findings:
        assert plain(one.sentence) in text
        assert one.topic in ids
    for name, row in checked[2].confounds.ranked.iterrows():
        assert row["label"] in text, name
    assert not page.open and "None" not in text and not re.search(r"\bnan\b", text)


def test_the_page_needs_nothing_but_itself(page):
    assert not page.all("script") and not page.all("link") and not page.all("iframe")
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:image/png;base64,")), tag
    policies = [one["content"] for one in page.all("meta") if one.get("http-equiv")]
    assert len(policies) == 1 and "default-src 'none'" in policies[0]


def test_names_of_the_user_are_text(page):
    assert EVIL in page.text


def test_maps_and_patches_are_pictures(checked, page):
    shown = {one["alt"]: one["src"] for one in page.all("img")}
    assert {"Patch 3 of field", "Patch 40 of field", "Patch 9 of field"} <= set(shown)
    assert any(alt.startswith("The map coloured by") for alt in shown)
    for source in shown.values():
        with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as picture:
            picture.load()
            assert min(picture.size) >= 28
    assert shown["Patch 3 of field"] == shown["Patch 40 of field"]


def test_pictures_are_those_that_are_given(checked, tmp_path):
    run, exploration, checks = checked
    asked = []

    @Pictures
    def pictures(rows):
        asked.extend(rows)
        return np.full((len(rows), 8, 8, 3), 200, np.uint8)

    export_check_report(checks, run, exploration, tmp_path / "a.html", pictures=pictures)
    assert {3, 40, 9} <= set(asked)


def test_the_page_tells_the_colours_of_channels_and_how_large_patches_are(checked, tmp_path):
    run, exploration, checks = checked
    pictures = Pictures(
        lambda rows: np.full((len(rows), 8, 8, 3), 200, np.uint8),
        (("DNA <b>", "#f8ad21"), ("GFP", "#21adf8")), "13 µm",
    )  # fmt: skip
    export_check_report(checks, run, exploration, tmp_path / "a.html", pictures=pictures)
    page = Page((tmp_path / "a.html").read_text(encoding="utf-8"))
    assert "Side of a patch: 13 µm; DNA <b>; GFP" in plain(page.text)
    assert {"style": "background: #f8ad21"} in page.all("i")


def test_a_report_is_replaced_only_if_told_to(checked, tmp_path):
    run, exploration, checks = checked
    path = tmp_path / "check.html"
    path.write_text("mine")
    with pytest.raises(InputError, match="exists"):
        export_check_report(checks, run, exploration, path)
    assert path.read_text() == "mine"
    export_check_report(checks, run, exploration, path, overwrite=True)
    assert path.read_text().lstrip().startswith("<!doctype html>")


def test_a_report_is_a_page_outside_of_the_run(checked, tmp_path):
    run, exploration, checks = checked
    before = {path: path.read_bytes() for path in run.folder.iterdir() if path.is_file()}
    for path, told in (
        (run.folder / "run.json", "run's own folder"),
        (run.folder / "deep" / "check.html", "run's own folder"),
        (tmp_path / "weights.safetensors", "'weights.safetensors' must end in .html"),
        (tmp_path / "check", "must end in .html"),
    ):
        with pytest.raises(InputError, match=told):
            export_check_report(checks, run, exploration, path, overwrite=True)
        with pytest.raises(InputError, match=told):
            check_in_terminal(run, None, path, True, False)
        assert path in before or not path.exists()
    assert before == {path: path.read_bytes() for path in run.folder.iterdir() if path.is_file()}
    export_check_report(checks, run, exploration, tmp_path / "check.HTM")


def test_without_truth_and_seeds_the_page_says_so(tmp_path):
    run = mapped(make_tiny_run(tmp_path / "run"))
    exploration = open_exploration(run)
    export_check_report(check_run(run, exploration), run, exploration, tmp_path / "check.html")
    page = Page((tmp_path / "check.html").read_text(encoding="utf-8"))
    assert "trained with one seed only" in plain(page.text)
    assert "truth" not in {attributes.get("id") for _, attributes in page.tags}


def test_the_terminal_prints_what_was_found(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = mapped(make_tiny_run(tmp_path / "my run"))
    check_in_terminal(run, None, None, False, False)
    printed = plain(capsys.readouterr().out)
    assert "Do not read neighbourhoods from this map" in printed
    assert "my run-check.html" in printed and (tmp_path / "my run-check.html").is_file()
    with pytest.raises(InputError, match="exists"):
        check_in_terminal(run, None, None, False, False)


def test_the_terminal_prints_json(tmp_path, capsys):
    run = mapped(make_tiny_run(tmp_path / "run"))
    check_in_terminal(run, None, tmp_path / "out.html", False, True)
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["patches"] == 81 and found["report"].endswith("out.html")
    assert found["findings"][0]["severity"] == "bad"
    assert len(found["confounds"]) > 3 and 0 <= found["faithfulness"]["recall"] <= 1
