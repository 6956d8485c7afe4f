"""From files to a run folder of patches, through the command line and through Python."""

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tifffile
from skimage.draw import disk

from napari_tsimcne import Grid, ImageSource, InputError, Objects, Points, Recipe, Run
from napari_tsimcne.cli import main
from napari_tsimcne.patches import place_patches
from napari_tsimcne.recipe import Background, Depth


def draw_cells(side=160, seed=0, step=32):
    """Bright discs on a dark ground, and their labels."""
    random = np.random.default_rng(seed)
    pixels = random.poisson(20, (2, side, side)).astype(np.uint16)
    labels = np.zeros((side, side), np.uint16)
    centres = [(y, x) for y in range(16, side, step) for x in range(16, side, step)]
    for label, (y, x) in enumerate(centres, 1):
        at = disk((y + random.uniform(-3, 3), x + random.uniform(-3, 3)), 6, shape=(side, side))
        labels[at] = label
        pixels[:, at[0], at[1]] += np.array([[300], [100 * (label % 3)]], np.uint16)
    return pixels, labels


@pytest.fixture
def wells(tmp_path):
    """Two wells as OME-TIFF with their masks, and a table of treatments."""
    for number, well in enumerate(("A01", "B02")):
        pixels, labels = draw_cells(seed=number)
        for folder, name, array in (("wells", f"{well}.ome.tif", pixels),
                                    ("masks", f"{well}.tif", labels)):  # fmt: skip
            (tmp_path / folder).mkdir(exist_ok=True)
            meta = {"axes": "CYX" if array.ndim == 3 else "YX", "PhysicalSizeX": 0.5,
                    "PhysicalSizeY": 0.5, "Channel": {"Name": ["GFP", "DNA"]}}  # fmt: skip
            tifffile.imwrite(
                tmp_path / folder / name, array, photometric="minisblack",
                metadata=meta if folder == "wells" else None,
            )  # fmt: skip
    table = pd.DataFrame({"well": ["A01", "B02"], "drug": ["none", "Wortmannin"], "dose": [0, 2.5]})
    table.to_csv(tmp_path / "plate.csv", index=False)
    return tmp_path


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the command line in this process."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["napari-tsimcne", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        stdout, stderr = (" ".join(text.split()) for text in told)
        return SimpleNamespace(returncode=ended.value.code, stdout=stdout, stderr=stderr)

    return run


def cut(command, folder, *options):
    done = command("run", folder / "wells", "--out", folder / "run", "--cut-only",
                   "--batch-size", 8, *options)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Run.open(folder / "run"), done


def test_objects_with_treatments(command, wells):
    run, done = cut(
        command, wells, "--objects", wells / "masks", "--surroundings", "mask", "--margin", 0,
        "--pattern", "wells/{well}.ome.tif", "--metadata", wells / "plate.csv",
    )  # fmt: skip
    assert "50 patches of 2 images, 16 px around each object" in done.stdout
    assert set(run.info.labels) == {"A01.ome.tif", "B02.ome.tif"}
    assert run.table.groupby("image")["drug"].first().to_dict() == {
        "A01.ome.tif": "none", "B02.ome.tif": "Wortmannin"
    }  # fmt: skip
    side = run.recipe.patches.pixels
    assert run.recipe.patches.size == side and run.store.shape == (50, 2, side, side)
    for row, crop in zip(run.table.itertuples(), run.store, strict=True):
        pixels = run.image(row.image).open().read(0, 0, slice(None), slice(None))
        labels = run.info.labels[row.image].open().read(0, 0, slice(None), slice(None))[0]
        own = pixels * (labels == row.label)
        top, left = (round(c - (side - 1) / 2) for c in (row.y, row.x))
        padded = np.pad(own, ((0, 0), (side, side), (side, side)))
        window = padded[:, top + side : top + 2 * side, left + side : left + 2 * side]
        assert np.array_equal(crop, window)
        assert row.area == (labels == row.label).sum()
        measured = run.table.loc[row.Index, "mean GFP"]
        assert measured == pytest.approx(pixels[0][labels == row.label].mean())


def test_images_without_a_row_in_the_table_are_told(command, wells):
    table = pd.DataFrame({"image": ["B02"], "drug": ["none"]})
    table.to_csv(wells / "some.csv", index=False)
    run, done = cut(command, wells, "--patch-size", 16, "--background", "none",
                    "--metadata", wells / "some.csv")  # fmt: skip
    assert "no row for 1 of 2 images: A01.ome.tif" in done.stderr
    assert run.table["drug"].isna().sum() == len(run.table) / 2


def test_points_in_the_order_of_their_table(command, wells):
    points = pd.DataFrame({"image": ["B02"] * 9 + ["A01"], "y": np.arange(50, 60), "x": 70.5,
                           "label": ["red"] * 10})  # fmt: skip
    points.to_csv(wells / "cells.csv", index=False)
    run, _ = cut(command, wells, "--points", wells / "cells.csv", "--patch-size", 16)
    assert run.table["image"].tolist() == ["B02.ome.tif"] * 9 + ["A01.ome.tif"]
    assert (run.table["class"] == "red").all()
    # Stored as they are, windows lie on whole pixels: half a pixel away at most.
    assert (run.table[["y", "x"]] - points[["y", "x"]]).abs().to_numpy().max() <= 0.5


def test_a_grid_in_micrometres_without_background(command, wells):
    run, done = cut(command, wells, "--patch-size", "8um", "--pixels", 16, "--background", "otsu",
        "--least-foreground", 0.2, "--margin", 0,
    )  # fmt: skip
    assert run.recipe.patches == Grid(size=8, unit="µm", pixels=16)
    assert (run.table["size"] == 16).all()
    assert run.info.background_windows > 50
    told = f"{run.info.background_windows} windows without content skipped"
    assert told in done.stdout
    assert len(run.table) + run.info.background_windows == 2 * 10 * 10
    assert (run.table["foreground"] >= 0.2).all()


def test_inspect_tells_how_images_are_read(command, wells):
    (wells / "wells" / "broken.tif").write_bytes(b"II*\0 and no more")
    done = command("inspect", wells / "wells")
    assert done.returncode == 0
    assert "GFP, DNA" in done.stdout and "0.5 x 0.5 µm" in done.stdout
    assert "broken.tif" in done.stderr


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--patch-size", "many"), "must be a number of pixels"),
        ((), "give --patch-size"),
        (("--patch-size", 16, "--stride", "2um"), "the same unit"),
        (("--patch-size", 16, "--depth", "middle"), "slices, max, mean or the number"),
        (("--patch-size", 16, "--depth", "3"), "has no plane 3"),
        (("--patch-size", 16, "--offset", "1"), "two numbers"),
        (("--patch-size", 16, "--background", "tissue"), "RGB"),
        (("--patch-size", 16, "--pattern", "{well}.png"), "A01.ome.tif"),
        (("--objects", "wells"), "label"),
        (("--patch-size", 16, "--surroundings", "dim"), "--surroundings is for patches of --obj"),
        (("--patch-size", 16, "--keep-border"), "--keep-border is for patches of --objects"),
        (
            ("--patch-size", 16, "--background", "none", "--least-foreground", 0.5),
            "is for --background",
        ),
        (("--objects", "masks", "--background", "otsu"), "--background is for patches on a grid"),
        (("--objects", "masks", "--edges", "pad"), "--edges is for patches on a grid"),
    ],
)
def test_mistakes_are_told_before_anything_is_cut(command, wells, options, reason):
    options = [wells / o if o in ("wells", "masks") else o for o in options]
    done = command("run", wells / "wells", "--out", wells / "run", "--cut-only", *options)
    assert done.returncode == 2 and reason in done.stderr, done.stderr
    assert not (wells / "run").exists()


def test_patches_of_planes_and_projections():
    pixels = np.random.default_rng(0).integers(0, 100, (4, 64, 64), np.uint8)
    image = ImageSource.from_array(pixels, "ZYX")
    stages = Recipe.quick(Grid(size=32))
    tables = {}
    for method in ("slices", "plane", "max", "mean"):
        recipe = stages.model_copy(update={"depth": Depth(method=method, plane=2)})
        shown = image.at_depth(recipe.depth)
        tables[method] = place_patches([shown], recipe).table
        plane = shown.read(0, 2, slice(0, 64), slice(0, 64))[0]
        expected = {"max": pixels.max(axis=0), "mean": np.rint(pixels.mean(axis=0))}
        assert np.array_equal(plane, expected.get(method, pixels[2]))
    assert tables["slices"]["z"].unique().tolist() == [0, 1, 2, 3]
    assert tables["plane"]["z"].unique().tolist() == [2]
    assert tables["max"]["z"].unique().tolist() == [0]
    with pytest.raises(InputError, match="no plane 4"):
        image.at_depth(Depth(method="plane", plane=4))


def test_images_of_different_pixel_sizes_meet_at_one_scale(tmp_path):
    random = np.random.default_rng(0)
    images = [
        ImageSource.from_array(
            random.integers(0, 255, (side, side), np.uint8), name=name,
            pixel_size=(size, size), unit=unit,
        )
        for name, side, size, unit in (("fine", 320, 0.25, "µm"), ("coarse", 80, 1000, "nm"))
    ]  # fmt: skip
    recipe = Recipe.quick(Grid(size=20, unit="µm"), batch_size=8, margin=0)
    run = Run.create(tmp_path / "run", images, recipe)
    sizes = run.table.groupby("image", sort=False)["size"].agg(["first", "count"])
    assert sizes.loc["fine"].tolist() == [80, 16] and sizes.loc["coarse"].tolist() == [20, 16]
    # The finest image loses no detail.
    assert run.store.shape == (32, 1, 80, 80) and run.recipe.patches.pixels == 80


def test_what_is_missing_is_said():
    image = ImageSource.from_array(np.zeros((64, 64), np.uint8))
    with pytest.raises(InputError, match="need label images"):
        place_patches([image], Recipe.quick(Objects()))
    with pytest.raises(InputError, match="need a table of points"):
        place_patches([image], Recipe.quick(Points(size=16)))
    dark = Recipe.quick(Grid(size=16), background=Background(method="otsu", least_foreground=1.0))
    pixels = np.random.default_rng(0).integers(0, 50, (64, 64), np.uint8)
    with pytest.raises(InputError, match="none of 16 windows has content"):
        place_patches([ImageSource.from_array(pixels)], dark)
