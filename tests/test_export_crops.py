import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from making import mapped
from PIL import Image

from napari_tsimcne import Grid, ImageSource, InputError, Recipe, Run
from napari_tsimcne.export import Excerpt, Pictures, patch_pictures
from napari_tsimcne.export.figures._drawing import font_file, missing_letters, missing_notice
from napari_tsimcne.export.patches._contact_sheet import contact_sheet
from napari_tsimcne.export.patches._crops import export_crops
from napari_tsimcne.export.patches._file_names import distinct, file_name, image_file_name
from napari_tsimcne.runs import open_exploration

# --- names --------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(st.text())
@example("..")
@example("CON")
@example("nul.txt")
@example("COM1 .x")
@example(" . ")
@example("a/b\\c:d*e")
@example("\ud800")
@example("x" * 300)
@example("細胞" * 100)
def test_any_name_becomes_one_folder_anywhere(name):
    made = file_name(name)
    assert made and made == made.strip(". ") and len(made) <= 61
    assert len(made.encode()) <= 200
    assert not set(made) & set('<>:"/\\|?*') and made.isprintable() | any(
        unicodedata.category(c) in ("Zs", "Cf", "Cn", "Co") for c in made
    )
    assert made.split(".")[0].rstrip().lower() not in {"con", "nul", "com1", "lpt9", "aux", "prn"}
    assert Path(made).name == made
    assert file_name(made) == made


@pytest.mark.parametrize(
    "name", ["cluster 1", "große Zellen", "細胞 αβ", "CD3+ (T cells)", "G1 & S, 50%", "a.b"]
)
def test_names_that_can_be_folders_stay(name):
    assert file_name(name) == name


@settings(max_examples=200)
@given(st.lists(st.sampled_from(["a", "A", "a 2", "b", "é", "e\u0301", "ß", "ss", "x.png"])))
def test_names_become_distinct_in_either_case(names):
    made = distinct(names, ["B"], ".png")
    folded = [unicodedata.normalize("NFKC", name.casefold()) for name in [*made, "B"]]
    assert len(set(folded)) == len(folded)
    assert all(
        new.startswith(old) and new.endswith(".png") for old, new in zip(names, made, strict=True)
    )


def test_images_lose_the_suffix_of_their_file():
    assert image_file_name("A01.ome.tif") == "A01" and image_file_name("x.PNG") == "x"
    assert image_file_name("plate/A01.tif") == "plate_A01"
    assert image_file_name("well 1.5") == "well 1.5" and image_file_name(".tif") == "image"


# --- crops --------------------------------------------------------------------------------------


def made(tmp_path, array, axes, patches=Grid(size=8), **options) -> Excerpt:  # noqa: B008
    """Patches of an image, the first 6 in 'a/b', the next 3 in 'A_B'."""
    image = ImageSource.from_array(array, axes, name="well 1.ome.tif", **options)
    recipe = Recipe.quick(patches, batch_size=8, normalization="none")
    run = mapped(Run.create(tmp_path / "run", [image], recipe))
    exploration = open_exploration(run)
    number = np.arange(len(run.table))
    exploration.clusters.create(number < 6, "a/b", "#ff0000")
    exploration.clusters.create((number >= 6) & (number < 9), "A_B", "#00ff00")
    return Excerpt.all(run, exploration)


def inner(run) -> np.ndarray:
    margin = run.recipe.margin
    return run.store[:][:, :, margin:-margin, margin:-margin]


def pixels_of(path) -> dict:
    with tifffile.TiffFile(path) as tiff:
        root = ElementTree.fromstring(tiff.ome_metadata)
    element = root.find(".//{*}Pixels")
    names = [channel.get("Name") for channel in element.iterfind("{*}Channel")]
    return {**element.attrib, "channels": names}


def noise(shape, dtype=np.uint16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 60_000, shape).astype(dtype)


def test_crops_hold_what_is_stored(tmp_path):
    excerpt = made(
        tmp_path, noise((2, 3, 40, 48)), "TCYX", pixel_size=(0.5, 0.25), unit="µm",
        channel_names=["DNA", "<actin & \"x\">", "µ-tubulin"],
    )  # fmt: skip
    count = len(excerpt)
    folder = tmp_path / "crops"
    heard = []
    assert export_crops(excerpt, folder, told=lambda *said: heard.append(said)) == count == 60
    assert heard[-1][1:] == (60, 60)
    table = pd.read_csv(folder / "patches.csv")
    assert list(table["patch"]) == list(range(60))
    parents = [Path(name).parent.as_posix() for name in table["file"]]
    assert parents == ["a_b"] * 6 + ["A_B 2"] * 3 + ["no cluster"] * 51
    assert len(list(folder.rglob("*.ome.tif"))) == 60
    stored = inner(excerpt.run)
    for row, name in enumerate(table["file"]):
        assert (tifffile.imread(folder / name) == stored[row]).all()
    assert table["file"][31] == "no cluster/well 1_t1_z0_y3.5_x11.5_patch31.ome.tif"
    said = pixels_of(folder / table["file"][31])
    assert said["Type"] == "uint16" and (said["SizeC"], said["SizeY"]) == ("3", "8")
    assert said["channels"] == ["DNA", '<actin & "x">', "µ-tubulin"]
    assert (float(said["PhysicalSizeY"]), said["PhysicalSizeYUnit"]) == (0.5, "µm")
    assert (float(said["PhysicalSizeX"]), said["PhysicalSizeXUnit"]) == (0.25, "µm")


def test_a_resampled_patch_has_pixels_of_its_own_size(tmp_path):
    excerpt = made(
        tmp_path, noise((96, 96)), "YX", Grid(size=8, unit="µm", pixels=8),
        pixel_size=(0.5, 0.5), unit="µm",
    )  # fmt: skip
    export_crops(excerpt, tmp_path / "crops")
    name = pd.read_csv(tmp_path / "crops" / "patches.csv")["file"][0]
    said = pixels_of(tmp_path / "crops" / name)
    assert said["SizeX"] == "8" and float(said["PhysicalSizeX"]) == 1.0


def test_colour_stays_colour(tmp_path):
    excerpt = made(tmp_path, noise((40, 48, 3), np.uint8), "YXS")
    export_crops(excerpt, tmp_path / "crops")
    name = pd.read_csv(tmp_path / "crops" / "patches.csv")["file"][4]
    with tifffile.TiffFile(tmp_path / "crops" / name) as tiff:
        assert tiff.pages[0].photometric.name == "RGB" and tiff.series[0].axes == "YXS"
        assert (tiff.asarray() == np.moveaxis(inner(excerpt.run)[4], 0, -1)).all()


@pytest.mark.parametrize(
    "dtype",
    ["bool", "uint8", "int16", "uint32", "float32", "float64", "float16", "int64", "uint64"],
)  # fmt: skip
def test_any_type_of_pixels_comes_back(tmp_path, dtype):
    array = noise((40, 48), np.float64) / 60_000
    array = array > 0.5 if dtype == "bool" else (array * 100).astype(dtype)
    excerpt = made(tmp_path, array, "YX")
    export_crops(excerpt, tmp_path / "crops")
    names = pd.read_csv(tmp_path / "crops" / "patches.csv")["file"]
    ome = dtype not in ("float16", "int64", "uint64")
    for row, name in enumerate(names):
        read = tifffile.imread(tmp_path / "crops" / name)
        assert read.dtype == dtype and (read.squeeze() == inner(excerpt.run)[row, 0]).all()
        assert name.endswith(".ome.tif") == ome


def test_sheets_show_patches_of_their_cluster(tmp_path):
    excerpt = made(tmp_path, noise((40, 48)), "YX")
    asked = []

    @Pictures
    def pictures(rows):
        asked.append(rows)
        return np.full((len(rows), 8, 8, 3), [77, 0, 78], np.uint8)

    export_crops(excerpt, tmp_path / "crops", pictures=pictures)
    sheets = {path.name for path in (tmp_path / "crops").glob("*.png")}
    assert sheets == {
        "a_b contact sheet.png", "A_B 2 contact sheet.png", "no cluster contact sheet.png"
    }  # fmt: skip
    assert sorted(np.concatenate(asked)) == list(range(30))
    sheet = np.asarray(Image.open(tmp_path / "crops" / "a_b contact sheet.png"))
    assert (sheet == [77, 0, 78]).all(axis=2).sum() == 6 * 120**2
    assert (sheet == [255, 0, 0]).all(axis=2).any(), "a frame in the cluster's colour"


@settings(max_examples=20)
@given(st.integers(1, 100), st.sampled_from([8, 28, 40, 121, 300]), st.text(max_size=200))
def test_a_sheet_holds_all_pictures_whatever_its_heading(count, side, heading):
    @Pictures
    def pictures(rows):
        return np.full((len(rows), side, side, 3), 99, np.uint8)

    sheet = contact_sheet(pictures, np.arange(count), heading, "below", "#0072b2")
    shown = np.asarray(sheet)
    side_shown = min(side, 240) if side > 120 else round(120 / side) * side
    assert (shown == 99).all(axis=2).sum() >= count * side_shown**2
    # Nothing is written beyond the frame.
    assert (shown[:, -20:] == 255).all() and max(shown.shape) < 2700


@settings(max_examples=20)
@given(st.lists(st.text(max_size=60), max_size=40), st.integers(1, 12))
def test_a_sheet_tells_the_colours_of_channels(names, count):
    colors = [f"#{16 * (i + 1):02x}00{255 - i:02x}" for i in range(min(len(names), 15))]
    pictures = Pictures(
        lambda rows: np.full((len(rows), 28, 28, 3), 99, np.uint8),
        tuple(zip(names, colors, strict=False)),
    )
    shown = np.asarray(contact_sheet(pictures, np.arange(count), "a", "below", "#0072b2"))
    if colors:
        first = [int(colors[0][i : i + 2], 16) for i in (1, 3, 5)]
        assert (shown == first).all(axis=2).sum() > 80
    assert (shown == 99).all(axis=2).sum() >= count * 112**2
    assert (shown[:, -20:] == 255).all()


def test_pictures_know_their_channels_and_how_large_a_patch_is(tmp_path):
    for number, (options, side) in enumerate([
        ({}, "8 px"), ({"pixel_size": (0.25, 0.25), "unit": "µm"}, "2 µm"),
    ]):  # fmt: skip
        named = {"channel_names": ("DNA", "FKHR-GFP"), **options}
        (tmp_path / str(number)).mkdir()
        excerpt = made(tmp_path / str(number), noise((2, 40, 48)), "CYX", **named)
        pictures = patch_pictures(excerpt.run)
        assert [name for name, _ in pictures.channels] == ["DNA", "FKHR-GFP"]
        assert pictures.channels[1][1] == "#00ff00" and pictures.side == side
        shown = pictures(np.arange(3))
        assert shown.shape == (3, 8, 8, 3)


def test_a_large_cluster_shows_some(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_tsimcne.export.patches._crops.MOST", 5)
    excerpt = made(tmp_path, noise((40, 48)), "YX")
    asked = []

    @Pictures
    def pictures(rows):
        asked.append(rows.tolist())
        return np.zeros((len(rows), 8, 8, 3), np.uint8)

    for name in ("first", "second"):
        export_crops(excerpt, tmp_path / name, pictures=pictures)
    half = len(asked) // 2
    assert asked[:half] == asked[half:], "the same ones every time"
    assert sum(map(len, asked[:half])) == 5 + 3 + 5


def test_nothing_is_left_of_what_was_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_tsimcne.export.patches._crops.AT_ONCE", 4)
    excerpt = made(tmp_path, noise((40, 48)), "YX")

    def stop(what, done, total):
        if done > 10:
            raise KeyboardInterrupt

    before = set(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        export_crops(excerpt, tmp_path / "crops", told=stop)
    assert set(tmp_path.iterdir()) == before
    export_crops(excerpt, tmp_path / "crops")
    with pytest.raises(InputError, match="exists"):
        export_crops(excerpt, tmp_path / "crops")
    part = Excerpt.of_clusters(excerpt.run, excerpt.exploration, ["A_B"])
    assert export_crops(part, tmp_path / "crops", overwrite=True) == 3
    assert {p.name for p in (tmp_path / "crops").iterdir() if p.is_dir()} == {"A_B"}
    assert list(pd.read_csv(tmp_path / "crops" / "patches.csv")["patch"]) == [6, 7, 8]


def test_letters_that_no_font_has_are_named():
    letters = "\U0001039f"  # Ugaritic, which hardly any font has
    if missing_letters(letters):
        assert letters in missing_notice(missing_letters(f"a{letters}b{letters}"), "on sheets")
    assert missing_letters("Zürich µm Ω") == "" and missing_notice("", "anywhere") == ""
    assert font_file("abc").endswith(".ttf")
