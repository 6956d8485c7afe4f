import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_tsimcne import Run
from napari_tsimcne.events import readable_time
from napari_tsimcne.runs import extended


def command(*arguments, cwd=None, timeout=300):
    return subprocess.run(
        [sys.executable, "-m", "napari_tsimcne", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, timeout=timeout, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def flat(text):
    return " ".join(text.split())


@pytest.fixture
def pictures(tmp_path):
    """Two RGB images of 6 x 8 tiles of 16 px, in two colours."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name, colour in (("red", (200, 60, 60)), ("blue", (60, 60, 200))):
        pixels = random.normal(colour, 25, (96, 128, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


QUICK = ("--patch-size", 16, "--epochs", "1,10", "--batch-size", 32, "--device", "cpu")


def test_run_and_evaluate(pictures, tmp_path):
    out = tmp_path / "run"
    (pictures / "broken.png").write_bytes(b"this is no image")
    done = command("run", pictures / "*.png", "--out", out, *QUICK, "--margin", 0)
    assert done.returncode == 0, done.stderr
    assert "96 patches of 2 images" in done.stdout
    assert "left out broken.png" in flat(done.stderr)
    run = Run.open(out)
    assert run.info.state == "trained" and run.recipe.margin == 0
    assert "Trained in" in done.stdout and "GB of memory" in done.stdout
    assert [s.name for s in run.info.skipped] == ["broken.png"]
    assert run.table["image"].value_counts().to_dict() == {"red.png": 48, "blue.png": 48}

    scored = command("evaluate", out, "--truth", "image", "--json")
    scores = json.loads(scored.stdout)
    assert scored.returncode == 0 and set(scores) == {"knn_2d", "knn_features", "n"}
    assert scores["n"] == 96 and scores["knn_2d"] > 0.8
    assert "knn_features" in command("evaluate", out, "--truth", "image").stdout
    wrong = command("evaluate", out, "--truth", "dose")
    assert wrong.returncode == 2 and "no column 'dose'" in flat(wrong.stderr)

    table = tmp_path / "doses.csv"
    table.write_text("image,dose\nred.png,3\n")
    added = command("add", out, pictures / "red.png", "--name", "Red again", "--metadata", table,
                    "--device", "cpu")  # fmt: skip
    assert added.returncode == 0, added.stderr
    assert "48 patches of 1 image were added as 001-red-again; 0 of them are" in flat(added.stdout)
    both = extended(Run.open(out))
    own = both.rows(both.table["image"] == "red.png")[["map_x", "map_y"]]
    again = both.rows(both.table["image"] == "red.png (001-red-again)")
    assert (again["dose"] == 3).all()
    # The same pixels, at the same places of the map.
    assert np.allclose(own, again[["map_x", "map_y"]], atol=1e-3)
    Image.new("L", (64, 64)).save(pictures / "gray.png")
    odd = command("add", out, pictures / "gray.png")
    assert odd.returncode == 2 and "1 channels, the run was trained on 3" in flat(odd.stderr)
    assert [path.name for path in (out / "added").iterdir() if path.is_dir()] == ["001-red-again"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"--patch-size": 200}, "larger than every image"),
        ({"--batch-size": 500}, "fewer than one batch of 500"),
        ({"--epochs": "1,x"}, "must be whole numbers"),
        ({"--epochs": "1,2,3"}, "quick has 2 stages (features, map), 3 numbers were given"),
        ({"--epochs": "3,0"}, "the last stage with epochs must have 2 or 3 outputs"),
        ({"--pretrained": "nowhere.pth"}, "nowhere.pth"),
        ({"--freeze-backbone": None}, "a frozen backbone needs pretrained weights"),
        ({"SOURCE": "empty"}, "holds no image"),
        ({"SOURCE": "nowhere/*.tif"}, "check the path"),
        ({"--out": "pictures"}, "is not empty"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_2(pictures, tmp_path, change, says):
    (tmp_path / "empty").mkdir()
    options = {"--patch-size": 16, "--batch-size": 32, "--epochs": "1,1", "--out": "run",
               "--device": "cpu", **change}  # fmt: skip
    source = options.pop("SOURCE", "pictures")
    arguments = [item for pair in options.items() for item in pair if item is not None]
    failed = command("run", source, *arguments, cwd=tmp_path)
    assert failed.returncode == 2
    assert says in flat(failed.stderr) and failed.stderr.startswith("Error: ")
    assert failed.stderr.strip().count("\n") == 0 and "Traceback" not in failed.stderr
    assert not (tmp_path / "run").exists()


def test_a_mistake_is_shown_with_its_traceback_on_demand(pictures, tmp_path):
    debugged = command("run", pictures, "--patch-size", 200, "--out", tmp_path / "run", "--debug")
    assert debugged.returncode == 2 and "Traceback" in debugged.stderr


@pytest.mark.parametrize("normalization", ["percentile", "image", "none"])
def test_normalization_is_chosen(pictures, tmp_path, normalization):
    out = tmp_path / "run"
    done = command("run", pictures, "--out", out, "--patch-size", 16, "--cut-only", "--batch-size",
                   32, "--normalization", normalization)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert Run.open(out).recipe.normalization.method == normalization


def test_another_run_is_not_overwritten(tiny_run, pictures):
    before = (tiny_run.folder / "patches.npy").read_bytes()
    failed = command("run", pictures, "--out", tiny_run.folder, *QUICK)
    assert failed.returncode == 2 and "holds another run" in flat(failed.stderr)
    assert (tiny_run.folder / "patches.npy").read_bytes() == before


def test_constant_images_say_that_there_is_nothing_to_learn(tmp_path):
    Image.new("L", (200, 200), 77).save(tmp_path / "gray.png")
    failed = command("run", tmp_path / "gray.png", "--out", tmp_path / "run", *QUICK)
    assert failed.returncode == 2 and "nothing to learn from" in flat(failed.stderr)


def test_what_is_no_run_and_usage_errors_exit_2(tmp_path):
    for arguments in (("open", tmp_path), ("evaluate", tmp_path, "--truth", "image")):
        failed = command(*arguments)
        assert failed.returncode == 2 and "is no run folder" in flat(failed.stderr)
    assert command("run").returncode == 2
    assert command("dance").returncode == 2


def test_a_map_is_needed_to_open_and_to_add(tiny_run, pictures):
    for arguments in (("open", tiny_run.folder), ("add", tiny_run.folder, pictures)):
        failed = command(*arguments)
        assert failed.returncode == 2 and "no map yet" in flat(failed.stderr)
    nothing = command("add", tiny_run.folder)
    assert nothing.returncode == 2 and "name the images" in flat(nothing.stderr)


def test_the_demo_writes_run_figure_and_table(tmp_path, monkeypatch):
    """The whole demo, with fewer epochs than usual: its phenotypes separate."""
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    done = command(
        "demo", "--out", tmp_path / "demo", "--device", "cpu", "--epochs", "1,8", timeout=600
    )
    assert done.returncode == 0, done.stderr
    text = flat(done.stdout)
    assert "1,800 patches of 2 images" in text
    accuracy = float(text.split("known phenotypes: ")[1].split()[0])
    assert accuracy > 0.9
    for name in ("run", "map.png", "map.csv", "map.html"):
        assert (tmp_path / "demo" / name).exists()
    table = pd.read_csv(tmp_path / "demo" / "map.csv")
    assert len(table) == 1800 and {"phenotype", "map_x", "map_y"} <= set(table)
    again = command("demo", "--out", tmp_path / "demo")
    assert again.returncode == 0 and "was run before" in again.stdout


def test_durations_are_readable():
    assert [readable_time(s) for s in (7.4, 200, 7500)] == ["7 s", "3 min 20 s", "2 h 5 min"]
