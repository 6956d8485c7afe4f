"""The list of kinds, and the command that exports."""

import re

import numpy as np
import pandas as pd
import pytest
from making import mapped

from napari_tsimcne.errors import InputError
from napari_tsimcne.export import Excerpt
from napari_tsimcne.export._kinds import KINDS, default_name, export, kind_of
from napari_tsimcne.runs import open_exploration, save_exploration
from napari_tsimcne.terminal import _export as command
from napari_tsimcne.terminal._export import export_in_terminal


@pytest.fixture
def run(tiny_run):
    """81 patches: 30 in 'round', 20 in 'long', seven selected."""
    run = mapped(tiny_run)
    exploration = open_exploration(run)
    rows = np.arange(81)
    exploration.clusters.create(rows < 30, "round")
    exploration.clusters.create((rows >= 30) & (rows < 50), "long")
    exploration.selection.select_rows(np.array([3, 5, 8, 13, 21, 34, 55]))
    save_exploration(run, exploration)
    return run


def test_all_of_a_run_or_a_part_of_it(run, tmp_path, capsys):
    for options, count in (
        ({}, 81),
        ({"selected": True}, 7),
        ({"clusters": ["long"]}, 20),
        ({"clusters": ["long", "round"]}, 50),
    ):
        out = tmp_path / f"{count}.csv"
        export_in_terminal(run, "table", out, **options)
        told = " ".join(capsys.readouterr().out.split())
        assert str(out) in told and f"{count} patches" in told
        table = pd.read_csv(out)
        assert len(table) == count and {"map_x", "map_y", "cluster"} <= set(table)
    assert (pd.read_csv(tmp_path / "20.csv")["cluster"] == "long").all()
    assert list(pd.read_csv(tmp_path / "7.csv")["patch"]) == [3, 5, 8, 13, 21, 34, 55]


def test_nothing_is_overwritten_unless_told(run, tmp_path):
    out = tmp_path / "map.csv"
    out.write_text("mine")
    with pytest.raises(InputError, match="exists"):
        export_in_terminal(run, "table", out)
    assert out.read_text() == "mine"
    export_in_terminal(run, "table", out, overwrite=True)
    assert len(pd.read_csv(out)) == 81

    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "holiday.jpg").write_bytes(b"dear")
    with pytest.raises(InputError, match="exists"):
        export_in_terminal(run, "crops", folder, overwrite=True)
    assert [path.name for path in folder.iterdir()] == ["holiday.jpg"]


def test_the_run_is_never_written_into(run):
    before = {path.name: path.stat().st_mtime_ns for path in run.folder.iterdir()}
    for name in ("embedding.parquet", "new.csv", "deep/new.csv"):
        with pytest.raises(InputError, match="run's own folder"):
            export_in_terminal(run, "table", run.folder / name, overwrite=True)
    assert {path.name: path.stat().st_mtime_ns for path in run.folder.iterdir()} == before


@pytest.mark.parametrize(
    ("kind", "name", "options", "told"),
    [
        ("picture", "a.png", {}, "choose table, anndata, crops"),
        ("table", "a.xlsx", {}, r"written as \.csv or \.parquet: 'a\.xlsx' ends in \.xlsx"),
        ("table", "a.csv", {"color_by": "cluster"}, "no option 'color-by'"),
        ("crops", "a", {"legend": False}, "no option 'legend'"),
        ("table", "a.csv", {"tiles": True}, "no option 'tiles'"),
        ("figure", "a.png", {"color_by": "dose"}, "coloured by 'dose': choose cluster, density"),
        ("table", "a.csv", {"clusters": ["flat"]}, "no cluster 'flat': the map has 'round'"),
        ("table", "a.csv", {"selected": True, "clusters": ["long"]}, "exclude each other"),
        ("methods", "a.md", {"selected": True}, "whole run"),
    ],
)
def test_mistakes_are_one_sentence(run, tmp_path, kind, name, options, told):
    with pytest.raises(InputError, match=told) as error:
        export_in_terminal(run, kind, tmp_path / name, **options)
    assert "\n" not in str(error.value)
    assert not (tmp_path / name).exists()


def test_a_run_without_a_map_is_refused(tiny_run, tmp_path):
    with pytest.raises(InputError, match="no map yet: train it first"):
        export_in_terminal(tiny_run, "table", tmp_path / "a.csv")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_is_written_under_its_usual_name(run, tmp_path, kind):
    out = tmp_path / "deep" / default_name(run, kind)
    told = []
    options = dict.fromkeys({"thumbnails"} & set(kind.options), True)
    excerpt = Excerpt.all(run, open_exploration(run))
    written = export(kind, excerpt, out, told=lambda *step: told.append(step), **options)
    assert written.path == out and out.is_dir() == kind.is_folder
    assert written.patches == (0 if kind.whole else 81) and written.files > 0
    assert re.search(r"\d (bytes|kB|MB)$", written.amount)
    assert list(out.parent.iterdir()) == [out]
    assert all(0 <= done <= total for _, done, total in told)
    with pytest.raises(InputError, match="exists"):
        export(kind, excerpt, out, **options)
    # What an export has made, another may replace.
    assert export(kind, excerpt, out, overwrite=True, **options).files == written.files


def test_a_missing_suffix_is_added(run, tmp_path):
    export_in_terminal(run, "table", tmp_path / "map")
    assert (tmp_path / "map.csv").is_file()
    assert kind_of("figure").completed(tmp_path / "a.PDF").name == "a.PDF"


def test_the_terminal_names_the_kinds_there_are():
    assert tuple(kind.name for kind in KINDS) == command.KINDS
    help_of_kinds = command.KindName.__metadata__[0].help
    for kind in KINDS:
        assert kind.name in help_of_kinds
        assert all(suffix in help_of_kinds for suffix in kind.suffixes)
        assert kind.help.endswith(".") and len(kind.help) < 60
