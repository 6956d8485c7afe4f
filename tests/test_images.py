import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_tsimcne import ImageSource, InputError, open_images
from napari_tsimcne.images import (
    check_alike,
    check_labels,
    from_layer,
    join_channels,
    labels_from_layer,
    open_file,
    pair_labels,
)
from napari_tsimcne.images._axes import name_axes

EVERYTHING = (slice(None), slice(None))


def test_axes_are_brought_to_channel_row_column():
    array = np.arange(2 * 3 * 4 * 5 * 6).reshape(2, 3, 4, 5, 6)
    image = ImageSource.from_array(array, "TYCXZ", name="odd")
    region = image.read(1, 4, slice(1, 3), slice(0, 2))
    assert region.shape == (4, 2, 2)
    assert np.array_equal(region, array[1, 1:3, :, 0:2, 4].transpose(1, 0, 2))


def test_transposed_rows_and_columns_are_put_right(stripes):
    image = ImageSource.from_array(stripes.T, "XY")
    assert image.height_width == stripes.shape
    assert np.array_equal(image.read(0, 0, slice(3, 9), slice(2, 5))[0], stripes[3:9, 2:5])


@pytest.mark.parametrize("axes", ["YY", "CY", "YXC", "QYX", "CSYX"])
def test_axes_that_do_not_fit_are_refused(axes):
    with pytest.raises(InputError, match="axes"):
        ImageSource.from_array(np.zeros((4, 5, 6, 7))[0, 0], axes)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_files_return_their_pixels(tmp_path, suffix):
    rgb = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    path = tmp_path / f"image{suffix}"
    if suffix == ".tif":
        tifffile.imwrite(path, rgb, photometric="rgb")
    else:
        Image.fromarray(rgb).save(path)
    (image,) = open_file(path)
    assert image.rgb and image.axes == "YXS" and image.height_width == (20, 30)
    assert np.array_equal(image.read(0, 0, *EVERYTHING), rgb.transpose(2, 0, 1))


def test_alpha_is_no_channel(tmp_path):
    rgba = np.random.default_rng(0).integers(0, 255, (20, 30, 4), dtype=np.uint8)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "b.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    for image in open_images(tmp_path).images:
        assert image.channels == 3
        assert np.array_equal(image.read(0, 0, *EVERYTHING), rgba[..., :3].transpose(2, 0, 1))


def test_ome_tiff_gives_axes_channels_and_pixel_size(tmp_path):
    array = np.random.default_rng(0).integers(0, 60000, (3, 2, 20, 30), dtype=np.uint16)
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        array,
        metadata={
            "axes": "ZCYX",
            "PhysicalSizeX": 0.5,
            "PhysicalSizeY": 0.25,
            "Channel": {"Name": ["DNA", "actin"]},
        },
    )
    (image,) = open_file(tmp_path / "a.ome.tif")
    assert image.channel_names == ("DNA", "actin")
    assert image.pixel_size == (0.25, 0.5) and image.unit == "µm"
    assert np.array_equal(image.read(0, 2, *EVERYTHING), array[2])


def test_imagej_hyperstack(tmp_path):
    array = np.random.default_rng(0).integers(0, 60000, (4, 3, 20, 30), dtype=np.uint16)
    tifffile.imwrite(
        tmp_path / "a.tif", array, imagej=True, resolution=(2, 4),
        metadata={"axes": "TCYX", "unit": "um"},
    )  # fmt: skip
    (image,) = open_file(tmp_path / "a.tif")
    assert image.axes == "TCYX" and image.pixel_size == (0.25, 0.5)
    assert np.array_equal(image.read(2, 0, *EVERYTHING), array[2])


def test_sources_are_files_folders_and_patterns_each_once(tmp_path):
    for name in ("b10.png", "b2.png", "sub/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    found = open_images(tmp_path, tmp_path / "b2.png", str(tmp_path / "b*.png")).images
    assert [image.name for image in found] == ["b2.png", "b10.png", "c.png"]


def test_equal_names_are_told_apart_by_folder(tmp_path):
    for folder in ("treated", "control"):
        (tmp_path / folder).mkdir()
        Image.new("L", (8, 8)).save(tmp_path / folder / "1.png")
    names = {image.name for image in open_images(tmp_path).images}
    assert names == {"treated/1.png", "control/1.png"}


def test_an_unreadable_file_among_good_ones_is_named(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"this is no image")
    (tmp_path / "empty.tif").touch()
    opened = open_images(tmp_path)
    assert [image.name for image in opened.images] == ["good.png"]
    assert {skipped.name for skipped in opened.skipped} == {"bad.png", "empty.tif"}
    assert all(skipped.reason for skipped in opened.skipped)


def test_nothing_to_open_says_so(tmp_path):
    with pytest.raises(InputError, match="holds no image"):
        open_images(tmp_path)
    with pytest.raises(InputError, match="check the path"):
        open_images(tmp_path / "missing.png")
    (tmp_path / "bad.png").write_bytes(b"this is no image")
    with pytest.raises(InputError, match=r"none of 1 files .*bad\.png"):
        open_images(tmp_path)


def test_layers_become_images():
    from napari.layers import Image as Layer

    data = np.random.default_rng(0).random((3, 20, 30)).astype(np.float32)
    labelled = Layer(
        data, axis_labels=("c", "y", "x"), scale=(1, 0.5, 0.5), units=("pixel", "um", "um")
    )
    image = from_layer(labelled)
    assert image.axes == "CYX" and image.pixel_size == (0.5, 0.5)
    assert image.unit == "µm"
    assert from_layer(Layer(data)).axes == "CYX"
    assert from_layer(Layer(data), axes="ZYX").axes == "ZYX"
    assert from_layer(Layer(np.zeros((12, 20, 30)))).axes == "ZYX"
    assert from_layer(Layer(np.zeros((7, 12, 20, 30)))).axes == "TZYX"
    rgb = from_layer(Layer(data.transpose(1, 2, 0), rgb=True))
    assert rgb.rgb and np.array_equal(rgb.read(0, 0, *EVERYTHING), data)


def test_channels_are_joined_and_must_fit(stripes):
    dna = ImageSource.from_array(stripes, name="DNA")
    actin = ImageSource.from_array(stripes[::-1], name="actin")
    joined = join_channels([dna, actin], "both")
    assert joined.channel_names == ("DNA", "actin")
    assert np.array_equal(joined.read(0, 0, *EVERYTHING), np.stack([stripes, stripes[::-1]]))
    smaller = ImageSource.from_array(stripes[:10], name="small")
    with pytest.raises(InputError, match="same size"):
        join_channels([dna, smaller], "both")


def test_images_of_one_map_must_be_alike(stripes):
    a = ImageSource.from_array(stripes, name="a")
    with pytest.raises(InputError, match="no image was given"):
        check_alike([])
    with pytest.raises(InputError, match="two images are named 'a'"):
        check_alike([a, a])
    with pytest.raises(InputError, match="same type"):
        check_alike([a, ImageSource.from_array(stripes.astype(float), name="b")])
    with pytest.raises(InputError, match="same channels"):
        check_alike([a, ImageSource.from_array(np.stack([stripes] * 2), "CYX", name="b")])


# --- axes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((50, 60), "YX"),
        ((3, 50, 60), "CYX"),
        ((9, 50, 60), "ZYX"),
        ((50, 60, 3), "YXC"),
        ((9, 8, 50, 60), "TZYX"),
        ((9, 3, 50, 60), "ZCYX"),
        ((3, 9, 50, 60), "CZYX"),
        ((9, 3, 8, 50, 60), "TCZYX"),
        ((9, 8, 7, 50, 60), "TCZYX"),
    ],
)
def test_guesses_of_axes(shape, axes):
    assert "".join(name_axes([None] * len(shape), shape)) == axes


@settings(max_examples=100)
@given(st.data())
def test_guesses_keep_what_is_known_and_never_name_two_alike(data):
    shape = data.draw(st.lists(st.integers(1, 40), min_size=2, max_size=7))
    letters = data.draw(st.permutations("TCZYX"))
    known = [data.draw(st.sampled_from([None, letter])) for letter in letters[: len(shape)]]
    known += [None] * (len(shape) - len(known))
    named = name_axes(known, shape)
    assert all(a == b for a, b in zip(known, named, strict=True) if a is not None)
    given_names = [letter for letter in named if letter]
    assert len(given_names) == len(set(given_names))
    if len(shape) <= 4:
        assert None not in named


# --- layers, channels, labels -------------------------------------------------------------------


def test_pyramids_and_alpha_of_layers():
    from napari.layers import Image as Layer

    rgba = np.random.default_rng(0).integers(0, 9, (64, 80, 4), dtype=np.uint8)
    layer = Layer([rgba, rgba[::2, ::2]], rgb=True, multiscale=True, scale=(0.5, -0.5),
                  units=("um", "um"))  # fmt: skip
    image = from_layer(layer)
    assert image.pixel_size == (0.5, 0.5) and image.unit == "µm"
    assert np.array_equal(
        image.read(0, 0, *EVERYTHING, level=1), rgba[::2, ::2, :3].transpose(2, 0, 1)
    )
    assert np.array_equal(image.opaque(0, 0, *EVERYTHING), rgba[..., 3] > 0)


def test_labels_of_layers_have_no_channels():
    from napari.layers import Labels

    stack = np.random.default_rng(0).integers(0, 9, (3, 20, 30))
    labels = labels_from_layer(Labels(stack, name="cells"))
    assert labels.axes == "ZYX" and labels.channels == 1
    assert np.array_equal(labels.read(0, 1, *EVERYTHING)[0], stack[1])
    assert labels_from_layer(Labels(stack), axes="TYX").axes == "TYX"
    with pytest.raises(InputError, match="channels"):
        labels_from_layer(Labels(stack), axes="CYX")


def named(*names: str) -> list[ImageSource]:
    return [ImageSource.from_array(np.zeros((4, 5), int), "YX", name=name) for name in names]


@pytest.mark.parametrize(
    "label",
    ["A01.tif", "masks/A01_cp_masks.png", "A01_labels.ome.tif", "A01-mask.tif", "A01_SEG.zarr"],
)
def test_labels_are_paired_by_name(label):
    images = named("wells/A02.ome.tif", "wells/A01.ome.tif")
    pairs = pair_labels(images, named("A02_mask.tif", label))
    assert {image: own.name for image, own in pairs.items()} == {
        "wells/A01.ome.tif": label,
        "wells/A02.ome.tif": "A02_mask.tif",
    }


def test_one_image_and_one_label_image_belong_together():
    (pair,) = pair_labels(named("x_TYX_uint16.ome.tif"), named("x_TYX_labels.tif")).items()
    assert (pair[0], pair[1].name) == ("x_TYX_uint16.ome.tif", "x_TYX_labels.tif")


def test_folders_series_and_fields_tell_labels_apart():
    names = ["control/1.tif", "treated/1.tif", "s.tif", "s.tif#1", "p.zarr/A/1/0", "p.zarr/A/2/0"]
    labels = ["treated/1_mask.tif", "control/1_mask.tif", "s_seg.tif#1", "s_seg.tif",
              "p_labels.zarr/A/2/0", "p_labels.zarr/A/1/0"]  # fmt: skip
    pairs = pair_labels(named(*names), named(*labels))
    assert [pairs[name].name for name in names] == [labels[i] for i in (1, 0, 3, 2, 5, 4)]


def test_labels_that_are_missing_or_ambiguous_are_named():
    with pytest.raises(InputError, match=r"no label image .*'B\.tif'.*B_labels\.tif"):
        pair_labels(named("A.tif", "B.tif"), named("A.tif"))
    with pytest.raises(InputError, match=r"several label images fit 'A\.tif'"):
        pair_labels(named("A.tif", "B.tif"), named("A_mask.tif", "A_seg.tif", "B.tif"))
    with pytest.raises(InputError, match=r"'A\.tif' fits both 'A\.png' and 'A\.jpg'"):
        pair_labels(named("A.png", "A.jpg"), named("A.tif"))


def test_labels_must_fit_their_image():
    movie = ImageSource.from_array(np.zeros((3, 2, 8, 9)), "TCYX", name="movie")
    # RGB that is grey fits, which is checked where it is read.
    for shape, axes in [((8, 9), "YX"), ((3, 8, 9), "TYX"), ((8, 9, 3), "YXS")]:
        check_labels(movie, ImageSource.from_array(np.zeros(shape, int), axes))
    for shape, axes, reason in [
        ((9, 8), "YX", "9 x 8 pixels"),
        ((4, 8, 9), "TYX", "4 time points"),
        ((2, 8, 9), "ZYX", "2 slices"),
        ((2, 8, 9), "CYX", "2 channels"),
    ]:
        with pytest.raises(InputError, match=reason):
            check_labels(movie, ImageSource.from_array(np.zeros(shape, int), axes))


def test_real_files_open(real_data):
    (image,) = open_file(real_data / "bbbc013" / "wells" / "A01.ome.tif")
    assert image.channel_names == ("FKHR-GFP", "DNA") and image.shape == (2, 640, 640)
    (movie,) = open_file(real_data / "multidim" / "tubhiswt_TCZYX_uint8.ome.tif")
    assert set("TCZ") & set(movie.axes)
    assert movie.read(0, 0, slice(0, 5), slice(0, 7)).shape == (movie.channels, 5, 7)
