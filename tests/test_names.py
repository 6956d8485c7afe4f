"""When two names mean the same: habits of microscopes, systems, data managers and people."""

import json
import os
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import assume, given
from hypothesis import strategies as st

from napari_tsimcne import ImageSource, InputError
from napari_tsimcne.images import (
    NameIndex,
    find_files,
    folded,
    named_alike,
    near,
    open_images,
    pair_labels,
    shown,
    stem,
    tidy,
    well_of_image,
    well_place,
    without_series,
)

PIXELS = np.zeros((8, 8), np.uint8)


def named(*names):
    return [ImageSource.from_array(PIXELS, name=name) for name in names]


def pairs(images, labels):
    return {name: label.name for name, label in pair_labels(named(*images), named(*labels)).items()}


# --- endings --------------------------------------------------------------------------------------

letters = st.text("abcXYZé01 _-.#,()+üµ5", min_size=1, max_size=12)
stems = letters.map(lambda text: "s" + text + "e")
"""Names that people give: with dots in doses and versions, spaces, signs, letters with accents."""

image_endings = st.sampled_from([".tif", ".TIF", ".tiff", ".ome.tif", ".OME.TIFF", ".png", ".czi"])
label_endings = st.sampled_from(
    ["_labels", "_label", "_mask", "_masks", "_cp_masks", "_seg", "-mask", ".labels", " labels",
     "_LABELS", "_instances", "_nuclei", "_objects", "_nuclei_labels", ""]
)  # fmt: skip


@given(stems, image_endings)
def test_endings_that_are_known_are_taken_from_the_end(name, ending):
    assert stem(name + ending) == name


@pytest.mark.parametrize(
    "name", ["drug_0.5uM", "v1.2", "11ah-1.8_ROI1", "m1.ctrl", "a.b.c", "mouse #1", "1.5", ".tif"]
)
def test_dots_in_names_are_no_endings(name):
    assert stem(name) == name and stem(f"{name}.tif") == name


@given(st.lists(stems, min_size=2, max_size=6, unique_by=folded), st.data())
def test_every_label_image_goes_to_the_image_it_is_named_after(names, data):
    images = [f"{name}{data.draw(image_endings)}" for name in names]
    labels = [
        f"{name}{data.draw(label_endings)}{data.draw(st.sampled_from(['.tif', '.png', '.TIFF']))}"
        for name in names
    ]
    assume(len({folded(label) for label in labels}) == len(labels))
    order = data.draw(st.permutations(labels))
    assert pairs(images, order) == dict(zip(images, labels, strict=True))


@given(stems, stems, label_endings)
def test_the_label_image_of_another_image_is_never_taken(one, other, ending):
    assume(folded(one) != folded(other) and ending)
    assert not named_alike(f"{one}.tif", f"{other}{ending}.tif")
    with pytest.raises(InputError, match="no label image was found"):
        pairs([f"{one}.tif", "other.tif"], [f"{other}{ending}.tif", "other_mask.tif"])


def test_names_that_share_what_stands_before_a_dot():
    with pytest.raises(InputError, match=r"'m1\.other_labels\.tif' is named after another"):
        pairs(["m1.ctrl.tif"], ["m1.other_labels.tif"])
    both = ["m1.ctrl.tif", "m1.other.tif"]
    assert pairs(both, ["m1.other_labels.tif", "m1.ctrl_labels.tif"]) == {
        name: name.replace(".tif", "_labels.tif") for name in both
    }
    roi = [f"11ah-1.8_ROI{n}.ome.tif" for n in (1, 2)]
    assert list(pairs(roi, [f"11ah-1.8_ROI{n}_cp_masks.tif" for n in (1, 2)])) == roi
    mice = [f"mouse #{n}.tif" for n in (1, 2)]
    found = pairs(mice, [f"mouse #{n}_labels.tif" for n in (2, 1)])
    assert found == {f"mouse #{n}.tif": f"mouse #{n}_labels.tif" for n in (1, 2)}
    doses = [f"drug_0.{n}uM.tif" for n in (1, 5)]
    assert pairs(doses, [f"drug_0.{n}uM_mask.tif" for n in (5, 1)]) == {
        f"drug_0.{n}uM.tif": f"drug_0.{n}uM_mask.tif" for n in (1, 5)
    }


@pytest.mark.parametrize(
    ("image", "label"),
    [("A.ome.tif", "A.ome_cp_masks.tif"), ("A.tif", "A.tif_mask.png"), ("A.tif", "Mask of A.tif"),
     ("000_img.png", "000_masks.png"), ("img_7.png", "masks_7.png"), ("A.TIF", "a_Labels.tiff"),
     ("A.tif", "A_Simple Segmentation.tif"), ("A.tif", "A (labels).tif"), ("A", "A_labels"),
     ("A_nuclei.tif", "A_nuclei_labels.tif"), ("A.tif#2", "A_labels.tif#2"),
     ("Zu\u0308rich.tif", "Z\u00fcrich_labels.tif"), ("A B.tif", "A\u00a0B_labels.tif"),
     ("p.zarr/A/1/0", "p_labels.zarr/A/1/0"), ("v1.2/A.tif", "masks/A.tif")],
)  # fmt: skip
def test_habits_of_programs_that_make_label_images(image, label):
    assert named_alike(image, label)
    assert pairs([image, "other.tif"], ["other_mask.tif", label])[image] == label


@pytest.mark.parametrize(
    ("image", "label"),
    [("img{}.tif", "mask{}.tif"), ("t{}.tif", "man_seg{}.tif"), ("t{}.tif", "mask{}.tif")],
)
def test_words_before_a_number_need_no_sign_between(image, label):
    numbers = ["000", "001", "010"]
    images, labels = ([name.format(n) for n in numbers] for name in (image, label))
    assert pairs(images, labels) == dict(zip(images, labels, strict=True))


def test_a_label_image_in_the_folder_of_another_image_is_not_taken():
    images = ["images/c1/x.tif", "images/c2/x.tif"]
    with pytest.raises(InputError, match=r"no label image was found for 'images/c2/x.tif'"):
        pairs(images, ["masks/c1/x_mask.tif", "masks/c3/x_mask.tif"])
    labels = ["masks/c1/x_mask.tif", "masks/c2/x_mask.tif"]
    assert pairs(images, labels) == dict(zip(images, labels, strict=True))


def test_the_whole_name_of_a_file_tells_endings_apart_that_begin_alike():
    assert pairs(["a.tif", "a.tiff"], ["a.tiff_mask.png", "a.tif_mask.png"]) == {
        "a.tif": "a.tif_mask.png", "a.tiff": "a.tiff_mask.png"
    }  # fmt: skip


def test_one_label_image_that_is_named_after_nothing_belongs_to_the_one_image():
    for label in ("labels.tif", "result.tif", "cells_mask.tif", "field_12_labels.tif"):
        assert pairs(["field_12_w1.tif"], [label]) == {"field_12_w1.tif": label}
    for label in ("B02.tif", "B02_labels.tif", "treated_mask.tif"):
        with pytest.raises(InputError, match="named after another image"):
            pairs(["A01.tif"], [label])


def test_a_longer_name_wins_over_what_it_ends_in():
    images = ["A.tif", "A_nuclei.tif"]
    labels = ["A_nuclei_labels.tif", "A_labels.tif"]
    assert pairs(images, labels) == dict(zip(images, labels[::-1], strict=True))


def test_what_is_missing_or_fits_twice_is_named():
    with pytest.raises(InputError, match=r"did you mean 'A1_mask\.tif'"):
        pairs(["A01.tif", "B01.tif"], ["A1_mask.tif", "B01_mask.tif"])
    with pytest.raises(InputError, match=r"'A_mask\.tif' and 'A_seg\.tif'; keep one"):
        pairs(["A.tif", "B.tif"], ["A_mask.tif", "A_seg.tif", "B.tif"])


def test_label_images_among_the_images_are_said_to_be(tmp_path):
    for name in ("A.tif", "A_labels.tif", "B.tif", "B_labels.tif"):
        tifffile.imwrite(tmp_path / name, PIXELS)
    images = open_images(tmp_path).images
    with pytest.raises(InputError, match=r"'A_labels\.tif'.*leave label images out"):
        pair_labels(images, open_images(tmp_path / "*_labels.tif").images)
    plain = [image for image in images if "labels" not in image.name]
    found = pair_labels(plain, images)
    assert {name: label.name for name, label in found.items()} == {
        "A.tif": "A_labels.tif", "B.tif": "B_labels.tif"
    }  # fmt: skip


def test_labels_inside_a_zarr_belong_to_it():
    images = named("one.zarr", "two.zarr")
    labels = named("two.zarr/labels/nuclei", "one.zarr/labels/nuclei")
    for image in (*images, *labels):
        object.__setattr__(image, "path", Path("/d", image.name))
    assert pair_labels(images, labels)["one.zarr"].name == "one.zarr/labels/nuclei"


# --- what a user means ----------------------------------------------------------------------------


def written(name, draw):
    """The same name as other people and systems write it."""
    ending = draw(st.sampled_from([".tif", ".TIF", ".tiff", ".Tiff", ".ome.tif", ""]))
    form = draw(st.sampled_from(["NFC", "NFD"]))
    text = unicodedata.normalize(form, name) + ending
    folder = draw(st.sampled_from(["", "C:\\data\\", "file:///data/", "../x/", "./", "/data/x/"]))
    text = folder + (text.replace("%", "%25").replace("#", "%23") if "file:" in folder else text)
    quote = draw(st.sampled_from(["", '"', "'"]))
    text = f"{quote}{text}{quote}"
    return draw(st.sampled_from(["", " ", "\u00a0", "\ufeff"])) + text + " "


@given(st.lists(stems, min_size=1, max_size=5, unique_by=folded), st.data())
def test_a_name_is_found_however_it_is_written(names, data):
    names = [tidy(name) for name in names]
    index = NameIndex([f"{name}.tif" for name in names])
    for number, name in enumerate(names):
        assert index.find(written(name, data.draw)) == [number]
        assert index.find(name.upper()) in ([number], [])  # ß is no single large letter


def test_case_counts_where_it_tells_names_apart():
    index = NameIndex(["a01.tif", "A01.tif", "B01.tif"])
    assert index.find("A01.TIF") == [1] and index.find("a01.tiff") == [0]
    assert index.find("b01.tif") == [2] and index.find("C01") == []
    assert NameIndex(["x/A.tif", "X/A.tif"]).find("x/A.tif") == [0]


def test_endings_of_other_formats_are_other_files():
    assert NameIndex(["A.tif"]).find("A.png") == []
    assert NameIndex(["A"]).find("A.png") == [0] and NameIndex(["A.jpg"]).find("A.JPEG") == [0]
    assert NameIndex(["A.tif", "A.ome.tif"]).find("A.ome.tif") == [1]
    assert NameIndex(["A.tif", "A.ome.tif"]).find("A") == [0, 1]


def test_a_number_counts_as_series_only_behind_the_ending_of_a_file():
    assert without_series("a.tif#2") == "a.tif" and without_series("a.OME.TIFF#12") == "a.OME.TIFF"
    for name in ("mouse #1.tif", "mouse #1", "mouse#1", "a.tif #1", "a.tif#0", "#1"):
        assert without_series(name) == name
    index = NameIndex(["a.tif", "a.tif#1", "mouse #1.tif", "mouse #2.tif"])
    assert index.find("a.tiff") == [0] and index.find("a.tiff#1") == [1]
    assert index.find("mouse #2") == [3]


def test_what_comes_near_is_named_with_the_letters_that_differ():
    assert near("A01_s1.tif", ["B07.tif", "A01_s2.tif"]) == "did you mean 'A01_s2.tif'?"
    assert "U+0410 cyrillic capital letter a" in near("\u041001_s1.tif", ["A01_s1.tif"])
    assert near("something else", ["A01.tif"]) == ""


# --- wells ----------------------------------------------------------------------------------------


@given(st.integers(1, 32), st.integers(1, 48), st.data())
def test_a_well_is_the_same_however_it_is_written(row, column, data):
    letters = (chr(64 + (row - 1) // 26) if row > 26 else "") + chr(65 + (row - 1) % 26)
    width = data.draw(st.integers(1, 3))
    text = data.draw(st.sampled_from([
        f"{letters}{column:0{width}}", f"{letters.lower()}{column:0{width}}", f"{letters}/{column}",
        f"{letters}-{column:02}", f"R{row:02}C{column:02}", f"r{row}c{column}",
        f" {letters}{column} ", f"Row{row}_Col{column}",
    ]))  # fmt: skip
    assert well_place(text) == (row, column)


def test_what_is_no_well():
    for name in ("", "A", "1", "A0", "A49", "AG1", "ctrl1", "A1_s1", "DMSO", "R1", "0.5", "A1.5"):
        assert well_place(name) is None or name == "R1"
    assert well_of_image("plate/b2.ome.tif") == (2, 2) == well_of_image("p.zarr/B/02/0")


# --- links and file systems -----------------------------------------------------------------------


@pytest.fixture
def annexed(tmp_path):
    """A folder as git-annex keeps it: links with names, to contents without."""
    store, plate, row = (tmp_path / name for name in ("store", "plate", "far"))
    for folder in (store, plate, row):
        folder.mkdir()
    for number, key in enumerate(("k1", "k2")):
        tifffile.imwrite(store / f"{key}.tif", PIXELS + number)
    tifffile.imwrite(row / "B01.tif", PIXELS)
    try:
        for name, target in (("A01", "k1"), ("A02", "k2"), ("A03", "k2")):
            (plate / f"{name}.tif").symlink_to(f"../store/{target}.tif")
        (plate / "row_b").symlink_to("../far")
        (plate / "circle").symlink_to(".")
        (plate / "up").symlink_to("..")
        (row / "back").symlink_to("../plate")
    except OSError:
        pytest.skip("this system makes no links")
    return plate


def test_links_go_by_the_names_that_are_seen(annexed):
    names = ["A01.tif", "A02.tif", "A03.tif", "B01.tif"]
    opened = open_images(annexed)
    assert [image.name for image in opened.images] == names and not opened.skipped
    assert opened.images[1].path == annexed / "A02.tif"
    everywhere = find_files([annexed / "**" / "*.tif"])
    assert [path.name for path in everywhere] == names
    assert [path.name for path in find_files([annexed / "A0*.tif", annexed / "A02.tif"])] == names[
        :3
    ]


def test_contents_that_were_not_fetched_are_named(annexed):
    (annexed / "A04.tif").symlink_to("../store/k9.tif")
    (annexed / "A05.tif").write_text("/annex/objects/SHA256E-s300--0123.tif\n")
    (annexed / "A06.tif").write_text("version https://git-lfs.github.com/spec/v1\n")
    for source in (annexed, annexed / "*.tif"):
        opened = open_images(source)
        assert len(opened.images) >= 3
        assert [file.name for file in opened.skipped] == ["A04.tif", "A05.tif", "A06.tif"]
        assert all(
            "missing" in one.reason and "git annex get" in one.reason for one in opened.skipped
        )
    with pytest.raises(InputError, match=r"link to \.\./store/k9\.tif"):
        open_images(annexed / "A04.tif")


def test_an_image_in_several_files_is_found_through_links(tmp_path):
    store, seen = tmp_path / "store", tmp_path / "seen"
    store.mkdir()
    seen.mkdir()
    planes = np.arange(2 * 8 * 8, dtype=np.uint8).reshape(2, 8, 8)
    ids = [f"urn:uuid:00000000-0000-0000-0000-00000000000{n}" for n in range(2)]
    blocks = "".join(
        f'<TiffData IFD="0" FirstC="{n}"><UUID FileName="m_c{n}.ome.tif">{ids[n]}</UUID></TiffData>'
        for n in range(2)
    )
    for n in range(2):
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{ids[n]}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" '
            'Type="uint8" SizeX="8" SizeY="8" SizeC="2" SizeZ="1" SizeT="1">'
            '<Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
            f'<Channel ID="Channel:0:1" SamplesPerPixel="1"/>{blocks}</Pixels></Image></OME>'
        )
        tifffile.imwrite(store / f"key{n}", planes[n], description=xml, metadata=None)
        try:
            (seen / f"m_c{n}.ome.tif").symlink_to(f"../store/key{n}")
        except OSError:
            pytest.skip("this system makes no links")
    (image,) = open_images(seen).images
    assert image.path == seen / "m_c0.ome.tif" and image.axes == "CYX"
    assert np.array_equal(image.read(0, 0, slice(0, 8), slice(0, 8)), planes)


def test_folders_with_brackets_are_taken_as_they_are_called(tmp_path):
    folder = tmp_path / "plate [1]"
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", PIXELS)
    assert find_files([folder / "*.tif"]) == [folder / "a.tif"] == find_files([folder])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_utf_8_survive(tmp_path):
    from napari_tsimcne.runs._files import json_text
    from napari_tsimcne.runs._images import ImageRecord

    path = tmp_path / os.fsdecode(b"caf\xe9.tif")
    tifffile.imwrite(tmp_path / "plain.tif", PIXELS)
    (tmp_path / "plain.tif").rename(path)
    (image,) = open_images(tmp_path).images
    assert image.name == "caf%E9.tif" == shown(path.name)
    text = json_text(ImageRecord.of(image))
    text.encode()
    again = ImageRecord.model_validate(json.loads(text))
    assert again.path == path and again.open().name == image.name


def test_a_run_finds_images_whose_letters_another_system_writes_otherwise(tmp_path):
    from napari_tsimcne import Grid, Recipe, Run
    from napari_tsimcne.runs import missing_images

    name = "Z\u00fcrich.tif"
    tifffile.imwrite(tmp_path / name, np.random.default_rng(0).integers(0, 9, (64, 64), np.uint8))
    images = open_images(tmp_path / name).images
    Run.create(tmp_path / "run", images, Recipe.quick(Grid(size=8), batch_size=16))
    (tmp_path / name).rename(tmp_path / unicodedata.normalize("NFD", name))
    assert not missing_images(Run.open(tmp_path / "run"))
