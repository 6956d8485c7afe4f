"""Label images as others store them: palettes, grey RGB, masks without numbers."""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from making import mapped
from PIL import Image
from skimage.measure import label
from typer.testing import CliRunner

from napari_tsimcne import ImageSource, InputError, Objects, Recipe, Run, open_images
from napari_tsimcne.cli import app
from napari_tsimcne.export import Excerpt
from napari_tsimcne.export.methods._methods import methods_text
from napari_tsimcne.export.patches._geojson import export_geojson
from napari_tsimcne.export.patches._label_images import export_label_images
from napari_tsimcne.images import as_labels, open_file, pair_labels
from napari_tsimcne.patches import place_patches, read_labels
from napari_tsimcne.patches._labels import _count_regions
from napari_tsimcne.runs import cut_addition, new_addition, open_exploration

ALL = slice(None)
RECIPE = Recipe.quick(Objects(size=8, border=True), epochs=(1, 1), batch_size=2)
SIDE = 40


def image(name: str = "cells", axes: str = "YX", shape=(SIDE, SIDE)) -> ImageSource:
    pixels = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    return ImageSource.from_array(pixels, axes, name=name)


def opened(path: Path, **options) -> ImageSource:
    (found,) = open_images(path, **options).images
    return found


def placed(labels: ImageSource, of: ImageSource | None = None) -> pd.DataFrame:
    of = of or image()
    return place_patches([of], RECIPE, labels={of.name: labels}).table


def mask(value: int = 255, dtype=np.uint8) -> np.ndarray:
    """Four squares of one value; two of them touch by a corner."""
    labels = np.zeros((SIDE, SIDE), dtype)
    for top, left in ((2, 2), (2, 20), (7, 25), (25, 10)):
        labels[top : top + 5, left : left + 5] = value
    return labels


def colours(random: np.random.Generator, grey: bool) -> np.ndarray:
    """A palette (256, 3), in which equal colours stand for different values, too."""
    table = random.integers(0, 256, (256, 3), np.uint8)
    return np.repeat(table[:, :1], 3, axis=1) if grey else table


def save_as(kind: str, folder: Path, labels: np.ndarray, random: np.random.Generator) -> Path:
    path = folder / f"labels.{'tif' if 'tif' in kind else 'png'}"
    table = colours(random, grey="grey palette" in kind)
    if "palette" in kind and path.suffix == ".png":
        paletted = Image.fromarray(labels)
        paletted.putpalette(table.tobytes())
        options = {"transparency": 0} if "alpha" in kind else {}
        paletted.save(path, **options)
        assert Image.open(path).mode == "P"
    elif "palette" in kind:
        tifffile.imwrite(path, labels, photometric="palette", colormap=table.T.astype("u2") * 257)
    else:
        samples = [labels] * 3 + [random.integers(0, 2, labels.shape, np.uint8) * 255] * (
            "alpha" in kind
        )
        rgb = np.stack(samples, axis=-1)
        if path.suffix == ".tif":
            options = {"extrasamples": ["unassalpha"]} if "alpha" in kind else {}
            tifffile.imwrite(path, rgb, photometric="rgb", **options)
        else:
            Image.fromarray(rgb).save(path)
    return path


KINDS = ["palette png", "palette alpha png", "grey palette png", "palette tif", "grey palette tif",
         "rgb png", "rgb alpha png", "rgb tif", "rgb alpha tif"]  # fmt: skip


@st.composite
def label_planes(draw):
    """Labels of boxes, two values at least."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = np.zeros((SIDE, SIDE), np.uint8)
    for value in draw(st.lists(st.integers(1, 255), min_size=2, max_size=8, unique=True)):
        y, x = random.integers(0, SIDE - 6, 2)
        labels[y : y + 5, x : x + 6] = value
    labels[0, 0], labels[-1, -1] = 1, 2
    return labels


@settings(max_examples=8, deadline=None)
@given(label_planes(), st.integers(0, 2**32))
@pytest.mark.parametrize("grey_as_one", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_however_labels_are_stored_the_patches_are_the_same(
    tmp_path_factory, kind, grey_as_one, labels, seed
):
    path = save_as(kind, tmp_path_factory.mktemp("a"), labels, np.random.default_rng(seed))
    plain = placed(ImageSource.from_array(labels, "YX", name="plain"))
    stored = opened(path, grey_as_one=grey_as_one)
    pd.testing.assert_frame_equal(placed(stored), plain)
    part = slice(3, 17), slice(5, 30)
    assert np.array_equal(read_labels(stored, 0, 0, *part), labels[part])


def test_a_palette_of_more_than_bytes_and_pages_is_read_by_index(tmp_path):
    labels = np.zeros((4, SIDE, SIDE), np.uint16)
    labels[:, 2:9, 3:9], labels[:, 12:20, 3:9] = 300, 4000
    table = np.random.default_rng(0).integers(0, 65535, (3, 65536), np.uint16)
    tifffile.imwrite(tmp_path / "m.tif", labels, photometric="palette", colormap=table,
                     metadata=None)  # fmt: skip
    table = placed(opened(tmp_path / "m.tif"), image(axes="ZYX", shape=labels.shape))
    assert table["label"].tolist() == [300, 4000] * 4


def test_an_image_with_a_palette_is_still_its_colours(tmp_path):
    path = save_as("palette png", tmp_path, mask(3), np.random.default_rng(0))
    assert opened(path).rgb and as_labels(opened(path)).axes == "YX"


# --- what cannot be labels ------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_colours_are_refused_with_what_to_do(tmp_path, suffix):
    rgb = np.zeros((SIDE, SIDE, 3), np.uint8)
    rgb[2:9, 2:9], rgb[20:30, 20:30] = (255, 0, 0), (0, 255, 0)
    path = tmp_path / f"seg.{suffix}"
    if suffix == "png":
        Image.fromarray(rgb).save(path)
    else:
        tifffile.imwrite(path, rgb, photometric="rgb")
    with pytest.raises(InputError, match="colours") as refused:
        placed(opened(path))
    text = str(refused.value)
    assert str(path) in text and "one whole number a pixel" in text and "--keep-rgb" not in text


def test_files_that_change_values_are_refused(tmp_path):
    Image.fromarray(mask()).save(tmp_path / "m.jpg")
    with pytest.raises(InputError, match="is JPEG, which changes the values"):
        placed(opened(tmp_path / "m.jpg"))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.where(mask(1), 1, -1).astype(np.int16), r"holds -1: labels must not be negative"),
        (mask(1) * np.float32(1.5), r"holds 1\.5, which is no whole number"),
        (np.where(mask(1), np.nan, 0), "holds nan, which is no whole number"),
    ],
)
def test_values_that_are_no_labels_are_refused(values, says):
    labels = ImageSource.from_array(values, "YX", name="odd")
    for one in (labels, as_labels(labels, number_objects=True)):
        with pytest.raises(InputError, match=says):
            placed(one)


def test_whole_numbers_in_floats_are_labels():
    values = label(mask(), connectivity=2).astype(np.float32)
    assert placed(ImageSource.from_array(values, "YX"))["label"].tolist() == [1, 2, 3]


# --- masks without numbers ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, bool, np.float32])
def test_a_mask_of_several_regions_is_refused_or_numbered(dtype):
    values = mask(1 if dtype is bool else 255, dtype)
    labels = ImageSource.from_array(values, "YX", name="mask.tif")
    with pytest.raises(InputError) as refused:
        placed(labels)
    text = str(refused.value)
    one = "1" if dtype is bool else "255"
    assert f"'mask.tif' has no other label than {one}, but 3 separate regions" in text
    assert "--number-objects" in text and "each connected region" in text and "touch" in text
    found = placed(as_labels(labels, number_objects=True))
    assert found["label"].tolist() == [1, 2, 3] and found["area"].tolist() == [25, 50, 25]


def test_one_bit_files_are_masks(tmp_path):
    Image.fromarray(mask() > 0).save(tmp_path / "m.png")
    with pytest.raises(InputError, match="3 separate regions"):
        placed(opened(tmp_path / "m.png"))
    assert len(placed(as_labels(opened(tmp_path / "m.png"), number_objects=True))) == 3


def test_what_is_one_object_stays_one():
    values = np.zeros((3, SIDE, SIDE), np.uint8)
    values[0, 2:9, 2:9] = values[2, 12:19, 12:19] = 7  # the same object, where it is in time
    table = placed(ImageSource.from_array(values, "TYX"), image(axes="TYX", shape=values.shape))
    assert table[["t", "label"]].to_numpy().tolist() == [[0, 7], [2, 7]]
    # In one plane an object may be in pieces, where another one is told apart from it.
    pieces = mask(5)
    pieces[35:39, 30:39] = 6
    assert placed(ImageSource.from_array(pieces, "YX"))["label"].tolist() == [5, 6]


def test_planes_of_masks_are_refused_with_their_place():
    values = np.stack([np.zeros_like(mask()), mask(), mask()])
    labels = ImageSource.from_array(values, "ZYX", name="m")
    with pytest.raises(InputError, match="3 separate regions of it at Z 1"):
        placed(labels, image(axes="ZYX", shape=values.shape))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["YX", "TYX", "ZYX", "TZYX", "ZTYX", "XY", "CYX"]))
def test_numbers_are_those_of_each_plane(seed, axes):
    random = np.random.default_rng(seed)
    lengths = {"T": 2, "Z": 3, "Y": 15, "X": 11, "C": 1}
    values = random.integers(0, 4, [lengths[axis] for axis in axes]) // 2 * 9
    stored = ImageSource.from_array(values, axes)
    numbered = as_labels(stored, number_objects=True)
    assert as_labels(numbered, number_objects=True) is numbered and as_labels(numbered) is numbered
    whole = numbered.load()[(slice(None),) * len(numbered.axes)]
    assert whole.shape == numbered.shape
    for t in range(stored.length("T")):
        for z in range(stored.length("Z")):
            (plane,) = stored.read(t, z, ALL, ALL)
            expected = label(plane, connectivity=2)
            rows, columns = slice(2, 13), slice(1, 9)
            part = read_labels(numbered, t, z, rows, columns)
            assert np.array_equal(part, expected[rows, columns])
            at = tuple({"T": t, "Z": z}.get(axis, ALL) for axis in numbered.axes)
            flat = expected.T if axes.index("X") < axes.index("Y") else expected
            assert np.array_equal(whole[at], flat)
            point = tuple({"T": t, "Z": z, "Y": 3, "X": 4}[axis] for axis in numbered.axes)
            assert numbered.load()[point] == expected[3, 4]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 300), st.floats(0.1, 0.8))
def test_regions_are_counted_in_strips(seed, most, filled):
    values = np.random.default_rng(seed).random((19, 14)) < filled
    stored = ImageSource.from_array(values, "YX")
    rows, columns = slice(1, 18), slice(2, 14)
    expected = label(values[rows, columns], connectivity=2).max()
    assert _count_regions(stored, 0, 0, rows, columns, most) == expected


def test_masks_of_a_plate_reader(real_data):
    stored = opened(real_data / "plates/cytation/masks/D6_01_1_2_DAPI_001_MaskNuclei.tiff")
    of = image(shape=stored.height_width)
    with pytest.raises(InputError, match="no other label than 255, but 27 separate regions"):
        placed(stored, of)
    assert len(placed(as_labels(stored, number_objects=True), of)) == 27


# --- kept in the run ------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    """An image and its mask as files."""
    for name, seed in (("a", 0), ("b", 1)):
        pixels = np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE), np.uint8)
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels)
        Image.fromarray(mask()).save(tmp_path / f"{name}_mask.png")
    return tmp_path


def make_run(files: Path, labels_file: str = "a_mask.png", number_objects: bool = True) -> Run:
    images = [opened(files / "a.tif")]
    labels = pair_labels(images, [opened(files / labels_file)])
    labels = {name: as_labels(one, number_objects) for name, one in labels.items()}
    return mapped(Run.create(files / "run", images, RECIPE, labels=labels))


def test_a_run_is_opened_and_exported_with_its_numbers(files):
    make_run(files)
    run = Run.open(files / "run")
    record = run.info.labels[run.info.images[0].name]
    assert record.number_objects and record.labels
    expected = label(mask(), connectivity=2)
    assert np.array_equal(read_labels(record.open(), 0, 0, ALL, ALL), expected)
    exploration = open_exploration(run)
    exploration.clusters.create(np.array([True, False, True]), "chosen", "#ff8000")
    excerpt = Excerpt.all(run, exploration)
    export_label_images(excerpt, files / "out")
    (picture,) = (files / "out").glob("*.tif")
    assert np.array_equal(tifffile.imread(picture) > 0, np.isin(expected, [1, 3]))
    export_geojson(excerpt, files / "shapes")
    texts = [json.loads(path.read_text()) for path in (files / "shapes").rglob("*json")]
    assert sum(len(text["features"]) for text in texts) == 3


def test_the_methods_say_that_regions_are_objects(files):
    assert "each connected region of a label image" in methods_text(make_run(files))


def test_moved_masks_are_numbered_too(files):
    make_run(files)
    info = Run.open(files / "run").info
    moved = files / "elsewhere"
    moved.mkdir()
    for name in ("a.tif", "a_mask.png"):
        (files / name).rename(moved / name)
    record = next(iter(info.labels.values())).model_copy(update={"path": moved / "a_mask.png"})
    assert read_labels(record.open(), 0, 0, ALL, ALL).max() == 3


def test_additions_are_numbered_where_that_is_wanted(files):
    run = make_run(files)
    images = [opened(files / "b.tif")]
    stored = opened(files / "b_mask.png")
    name = images[0].name
    with new_addition(run) as folder, pytest.raises(InputError, match="--number-objects"):
        cut_addition(run, folder, images, labels={name: stored})
    with new_addition(run) as folder:
        labels = {name: as_labels(stored, number_objects=True)}
        cut = cut_addition(run, folder, images, labels=labels)
        assert cut.table["label"].tolist() == [1, 2, 3] and cut.info.labels[name].number_objects


@pytest.mark.parametrize("kind", ["grey palette png", "palette tif", "rgb alpha png"])
def test_label_files_of_all_kinds_are_opened_again(files, kind):
    labels = label(mask(), connectivity=2).astype(np.uint8)
    path = save_as(kind, files, labels, np.random.default_rng(0))
    run = make_run(files, path.name, number_objects=False)
    (record,) = Run.open(run.folder).info.labels.values()
    assert np.array_equal(read_labels(record.open(), 0, 0, ALL, ALL), labels)


def test_runs_of_before_open_as_they_did(files):
    """A mask that was one object, and a grey palette that was read as its greys."""
    path = save_as("grey palette png", files, mask(3), np.random.default_rng(0))
    grey = np.asarray(Image.open(path).convert("RGB"))[..., 0]
    images = [opened(files / "a.tif")]
    Run.create(files / "run", images, RECIPE.model_copy(update={"batch_size": 2}),
               labels={images[0].name: as_labels(opened(path), number_objects=True)})  # fmt: skip
    described = json.loads((files / "run" / "run.json").read_text())
    for record in described["labels"].values():
        del record["labels"], record["number_objects"]
    (files / "run" / "run.json").write_text(json.dumps(described))
    (record,) = Run.open(files / "run").info.labels.values()
    assert np.array_equal(read_labels(record.open(), 0, 0, ALL, ALL), grey)


def test_in_the_terminal(files):
    def call(*options):
        arguments = ["run", str(files / "a.tif"), "--objects", str(files / "a_mask.png"), "--out",
                     str(files / "run"), "--cut-only", "--patch-size", "8", "--batch-size", "2",
                     "--keep-border", *options]  # fmt: skip
        return CliRunner().invoke(app, arguments)

    refused = call()
    assert isinstance(refused.exception, InputError)
    assert "--number-objects" in str(refused.exception) and not (files / "run").exists()
    done = call("--number-objects")
    assert done.exit_code == 0, done.output
    assert Run.open(files / "run").table["label"].tolist() == [1, 2, 3]
    other = ["run", str(files / "a.tif"), "--out", str(files / "c"), "--patch-size", "8"]
    refused = CliRunner().invoke(app, [*other, "--number-objects"])
    assert "--number-objects is for patches of --objects" in str(refused.exception)


def test_colours_of_16_bits_are_not_halved_unsaid(tmp_path):
    # PNG of 16 bits a colour, which Pillow cannot write.
    values = np.repeat(mask(300, np.uint16)[..., None], 3, axis=-1).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 16, 2, 0, 0, 0)
    (tmp_path / "m.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )  # fmt: skip
    (stored,) = open_file(tmp_path / "m.png")
    assert any("16 bits" in note for note in stored.notes)
    with pytest.raises(InputError, match="colours of 16 bits"):
        placed(stored)
