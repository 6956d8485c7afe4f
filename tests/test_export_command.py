"""The list of kinds, and the command that exports."""

import re
import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
from making import mapped

from napari_tsimcne.errors import InputError
from napari_tsimcne.export import Excerpt, check_outside, export_conditions
from napari_tsimcne.export._kinds import KINDS, default_name, export, kind_of
from napari_tsimcne.export._outputs import (
    LARGEST_MARK,
    MARK,
    new_file,
    new_folder,
    why_not_replaced,
)
from napari_tsimcne.runs import open_exploration, save_exploration
from napari_tsimcne.terminal import _export as command
from napari_tsimcne.terminal._conditions import conditions_in_terminal
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


def test_letters_without_a_font_are_told_in_one_sentence(run, tmp_path, capsys):
    exploration = open_exploration(run)
    exploration.clusters.create(np.arange(len(exploration)) < 20, "\U00016a40 cells")
    save_exploration(run, exploration)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export_in_terminal(run, "annotated", tmp_path / "map.svg")
    told = capsys.readouterr().out
    assert told.count("Noto Sans CJK") == 1 and "Glyph" not in told
    assert "\U00016a40 cells" in (tmp_path / "map.svg").read_text(encoding="utf-8")


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


def test_a_folder_is_replaced_by_its_own_kind_and_only_if_nothing_else_is_in_it(run, tmp_path):
    out = tmp_path / "out"
    for kind in ("crops", "labels"):
        export_in_terminal(run, kind, out, tiles=kind == "labels")
        for other in {"crops", "geojson"} - {kind}:
            with pytest.raises(InputError, match=rf"another kind \('{kind}'\)"):
                export_in_terminal(run, other, out, overwrite=True)
        with pytest.raises(InputError, match="another kind"):
            export_conditions(run, open_exploration(run), out, condition="image", overwrite=True)
        for name in ("notes.txt", "round/mine.tif", "plans/", "round/lost+found/"):
            foreign = out / name
            if name.endswith("/"):
                foreign.mkdir(parents=True)
            else:
                foreign.parent.mkdir(exist_ok=True)
                foreign.write_text("mine")
            before = sorted(out.rglob("*"))
            with pytest.raises(InputError, match=f"holds '{name.split('/')[0]}") as error:
                export_in_terminal(run, kind, out, overwrite=True, tiles=kind == "labels")
            assert "no export has made" in str(error.value)
            assert kind_of(kind).standing(out) == "taken" and sorted(out.rglob("*")) == before
            shutil.rmtree(foreign) if foreign.is_dir() else foreign.unlink()
            if kind == "labels" and (out / "round").is_dir():
                (out / "round").rmdir()
        # What a file manager leaves there is nobody's.
        (out / ".DS_Store").write_bytes(b"")
        assert kind_of(kind).standing(out) == "replaceable"
        export_in_terminal(run, kind, out, overwrite=True, tiles=kind == "labels")
        assert not (out / ".DS_Store").exists()
        shutil.rmtree(out)


def test_what_comes_into_a_folder_while_it_is_replaced_stays(tmp_path):
    out = tmp_path / "out"
    with new_folder(out, "crops") as draft:
        (draft / "a.tif").write_text("old")
    with (
        pytest.raises(InputError, match=r"holds 'notes\.txt'"),
        new_folder(out, "crops", overwrite=True) as draft,
    ):
        (draft / "a.tif").write_text("new")
        (out / "notes.txt").write_text("mine")
    assert (out / "a.tif").read_text() == "old" and (out / "notes.txt").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_link_to_a_folder_stays_one(tmp_path):
    (tmp_path / "disk" / "out").mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "disk" / "out")
    for text in ("old", "new"):
        with new_folder(link, "crops", overwrite=True) as draft:
            (draft / "a.tif").write_text(text)
        assert link.is_symlink() and (tmp_path / "disk" / "out" / "a.tif").read_text() == text
    assert len(list(tmp_path.iterdir())) == 2 and len(list((tmp_path / "disk").iterdir())) == 1


@pytest.mark.parametrize(
    "mark",
    [b"", b"{", b"\xff", b"[]", b"[" * 100_000, b'{"kind": "crops"}', b'{"kind": 1, "files": []}',
     b'{"kind": "crops", "files": [["a.tif"]]}', b'{"kind": "crops", "files": {"a.tif": 1}}'],
    ids=range(9),
)  # fmt: skip
def test_a_folder_with_a_damaged_mark_is_never_replaced(tmp_path, mark):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.tif").write_text("mine")
    (out / MARK).write_bytes(mark)
    assert kind_of("crops").standing(out) == "taken"
    with pytest.raises(InputError, match="not made by an export"), new_folder(out, "crops", True):
        pytest.fail("it was begun")
    assert (out / "a.tif").read_text() == "mine"


def test_a_mark_too_large_to_read_is_not_read(tmp_path):
    out = tmp_path / "out"
    with new_folder(out, "crops"):
        pass
    assert why_not_replaced(out, "crops") is None
    with (out / MARK).open("ab") as file:
        file.truncate(LARGEST_MARK + 1)
    assert why_not_replaced(out, "crops") == "was not made by an export"


def test_what_cannot_be_written_is_told_by_its_own_name(tmp_path):
    def fail(path):
        raise OSError(28, "No space left on device", str(path))

    for make in (new_file, lambda path: new_folder(path, "crops")):
        with (
            pytest.raises(InputError, match=r"out cannot be written \(No space left on device\)$"),
            make(tmp_path / "out") as draft,
        ):
            fail(draft)
    with (
        pytest.raises(InputError, match=r"Unable to open out\)$"),
        new_file(tmp_path / "out") as draft,
    ):
        raise OSError(f"Unable to open {draft.name}")


def test_the_run_is_never_written_into(run):
    before = {path.name: path.stat().st_mtime_ns for path in run.folder.iterdir()}
    for name in ("embedding.parquet", "new.csv", "deep/new.csv"):
        with pytest.raises(InputError, match="run's own folder"):
            export_in_terminal(run, "table", run.folder / name, overwrite=True)
    for name in ("conditions", "."):
        with pytest.raises(InputError, match="run's own folder"):
            export_conditions(
                run, open_exploration(run), run.folder / name, condition="image", overwrite=True
            )
        with pytest.raises(InputError, match="run's own folder"):
            conditions_in_terminal(run, "image", out=run.folder / name, overwrite=True)
    link = run.folder.parent / "link"
    link.symlink_to(run.folder)
    with pytest.raises(InputError, match="run's own folder"):
        check_outside(link / "new.csv", run.folder)
    (run.folder.parent / "link.csv").symlink_to(run.folder / "embedding.parquet")
    with pytest.raises(InputError, match="run's own folder"):
        check_outside(run.folder.parent / "link.csv", run.folder)
    check_outside(run.folder.parent / f"{run.folder.name}.csv", run.folder)
    assert {path.name: path.stat().st_mtime_ns for path in run.folder.iterdir()} == before


@pytest.mark.parametrize(
    ("kind", "name", "options", "told"),
    [
        ("picture", "a.png", {}, "choose table, anndata, crops"),
        ("figure", "a.png", {"tiles": True}, "'figure' has no option 'tiles'"),
        ("annotated", "a.jpg", {}, "^'annotated' is written as"),
        ("geojson", "a.geojson", {}, "^'geojson' is written as a folder: 'a.geojson' ends in"),
        ("crops", "a.TIF", {}, "is written as a folder"),
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
    with pytest.raises(InputError, match="no map yet: train it first"):
        conditions_in_terminal(tiny_run, "image")


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
