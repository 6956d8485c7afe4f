"""Grey images that are stored as RGB: one channel, unless others have colours."""

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from napari_tsimcne import Grid, ImageSource, InputError, Recipe, Run, open_images
from napari_tsimcne.cli import app
from napari_tsimcne.images import (
    check_alike,
    grey_as_one,
    in_one_form,
    one_channel,
    open_file,
    with_colours,
)
from napari_tsimcne.patches import look_of
from napari_tsimcne.runs import ImageRecord, check_fits

ALL = slice(None)
RNG = np.random.default_rng(0)


def grey_values(side: int = 40) -> np.ndarray:
    return RNG.integers(0, 255, (side, side + 8), np.uint8)


def save_grey(path, values, alpha: bool = False) -> None:
    samples = [values] * 3 + [np.full_like(values, 255)] * alpha
    if path.suffix == ".tif":
        tifffile.imwrite(path, np.stack(samples, axis=-1), photometric="rgb")
    else:
        Image.fromarray(np.stack(samples, axis=-1)).save(path)


def save_coloured(path, colour=(200, 40, 90)) -> None:
    Image.fromarray(np.full((40, 48, 3), colour, np.uint8)).save(path)


def plane(image: ImageSource) -> np.ndarray:
    return image.read(0, 0, ALL, ALL)


@pytest.mark.parametrize(("suffix", "alpha"), [("png", False), ("png", True), ("tif", False)])
def test_grey_rgb_is_one_channel(tmp_path, suffix, alpha):
    values = grey_values()
    save_grey(tmp_path / f"a.{suffix}", values, alpha)
    (image,) = open_images(tmp_path).images
    assert (image.axes, image.channels, image.rgb) == ("YX", 1, False)
    assert image.dtype == np.uint8 and np.array_equal(plane(image), values[None])
    part = image.read(0, 0, slice(3, 9), slice(5, 6))
    assert np.array_equal(part, values[None, 3:9, 5:6])
    assert (image.opaque(0, 0, ALL, ALL) is not None) == alpha
    assert any("one channel" in note for note in image.notes)
    (kept,) = open_images(tmp_path, grey_as_one=False).images
    assert kept.rgb and kept.channels == 3 and not kept.notes
    assert kept.fingerprint() == image.fingerprint()


def test_a_grey_jpeg_is_one_channel(tmp_path):
    save_grey(tmp_path / "a.jpg", grey_values())
    assert Image.open(tmp_path / "a.jpg").mode == "RGB"
    assert open_images(tmp_path).images[0].axes == "YX"


def test_one_coloured_pixel_in_a_corner_keeps_rgb(tmp_path):
    rgb = np.repeat(grey_values()[..., None], 3, axis=2)
    rgb[-1, -1] = 10, 20, 30
    Image.fromarray(rgb).save(tmp_path / "a.png")
    (image,) = open_images(tmp_path).images
    assert image.rgb and not image.notes


@pytest.mark.parametrize("coloured", ["a.png", "z.png"])
def test_rgb_is_kept_for_all_where_others_are_coloured(tmp_path, coloured):
    save_coloured(tmp_path / coloured)
    for name in ("b.png", "c.png"):
        save_grey(tmp_path / name, grey_values())
    images = {image.name: image for image in open_images(tmp_path).images}
    check_alike(list(images.values()))
    assert all(image.rgb for image in images.values())
    assert not images[coloured].notes
    assert all("RGB is kept" in note for name in ("b.png", "c.png") for note in images[name].notes)
    assert images["b.png"].notes and images["c.png"].notes


def test_grey_rgb_fits_images_of_one_channel(tmp_path):
    save_grey(tmp_path / "a.png", grey_values())
    Image.fromarray(grey_values()).save(tmp_path / "b.png")
    images = open_images(tmp_path).images
    check_alike(images)
    assert [image.axes for image in images] == ["YX", "YX"]


def test_images_that_came_at_different_times_get_one_form(tmp_path):
    save_grey(tmp_path / "a.png", grey_values())
    save_coloured(tmp_path / "b.png")
    (grey,) = open_images(tmp_path / "a.png").images
    (coloured,) = open_images(tmp_path / "b.png").images
    grey = grey.with_axes("XY").with_pixel_size(0.5).renamed("mine")
    both = in_one_form([grey, coloured])
    check_alike(both)
    back = both[0]
    assert (back.name, back.axes, back.pixel_size) == ("mine", "YXS", (0.5, 0.5))
    assert back.exchanged
    assert np.array_equal(back.read(0, 0, ALL, ALL)[2], plane(grey)[0])
    assert in_one_form([grey])[0] is grey


def test_colours_that_a_look_at_parts_missed_are_never_lost():
    array = np.repeat(np.arange(4500, dtype=np.uint16)[:, None], 4500, axis=1)
    rgb = np.repeat(array[..., None], 3, axis=2)
    rgb[300, 300, 1] += 1  # between the parts
    (image,) = grey_as_one([ImageSource.from_array(rgb, "YXS", name="slide")])
    assert not image.rgb
    assert image.read(0, 0, slice(0, 50), slice(0, 50)).shape == (1, 50, 50)
    with pytest.raises(InputError, match=r"'slide'.*colours.*--keep-rgb"):
        image.read(0, 0, slice(290, 310), slice(290, 310))
    rgb[:400] += np.array([0, 1, 2], np.uint16)
    (image,) = grey_as_one([ImageSource.from_array(rgb, "YXS", name="slide")])
    assert image.rgb


def test_missing_values_are_equal():
    rgb = np.ones((9, 9, 3), np.float32)
    rgb[2, 3] = np.nan
    assert not grey_as_one([ImageSource.from_array(rgb, "YXS")])[0].rgb
    rgb[2, 3, 0] = 1
    assert grey_as_one([ImageSource.from_array(rgb, "YXS")])[0].rgb


def test_an_image_that_cannot_be_read_does_not_decide(tmp_path):
    save_grey(tmp_path / "a.png", grey_values(400))
    save_grey(tmp_path / "b.png", grey_values(400))
    whole = (tmp_path / "b.png").read_bytes()
    (tmp_path / "b.png").write_bytes(whole[: len(whole) // 2])
    images = open_images(tmp_path).images
    assert [image.rgb for image in images] == [False, False]


def test_levels_are_one_channel_too(tmp_path):
    array = np.repeat(grey_values(64)[..., None], 3, axis=2)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as tiff:
        tiff.write(array, subifds=1, tile=(16, 16), photometric="rgb", metadata={"axes": "YXS"})
        tiff.write(array[::2, ::2], subfiletype=1, tile=(16, 16), photometric="rgb")
    (image,) = open_images(tmp_path).images
    assert image.axes == "YX" and image.chunk() == (16, 16)
    assert np.array_equal(image.read(0, 0, ALL, ALL, level=1)[0], array[::2, ::2, 0])


# --- runs ---------------------------------------------------------------------------------------


def make_run(folder, images) -> Run:
    recipe = Recipe.quick(Grid(size=16), rgb=images[0].rgb, batch_size=4)
    return Run.create(folder, images, recipe)


def test_runs_reopen_and_take_new_images_in_their_form(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    save_grey(tmp_path / "old" / "a.png", grey_values())
    save_grey(tmp_path / "new" / "b.png", grey_values())
    save_coloured(tmp_path / "new" / "c.png")
    (grey_new,) = open_images(tmp_path / "new" / "b.png").images
    mixed = open_images(tmp_path / "new").images
    for grey in (True, False):
        images = open_images(tmp_path / "old", grey_as_one=grey).images
        run = Run.open(make_run(tmp_path / f"run-{grey}", images).folder)
        assert run.info.rgb is not grey and run.store.shape[1] == (1 if grey else 3)
        (again,) = (record.open() for record in run.info.images)
        assert again.rgb is not grey
        assert np.array_equal(plane(again), plane(images[0]))
        # However they were opened.
        for new in (grey_new, with_colours(grey_new)):
            (fitted,) = check_fits(run, [new])
            assert fitted.rgb is not grey
        if grey:
            with pytest.raises(InputError, match="RGB"):
                check_fits(run, mixed)
        else:
            assert all(image.rgb for image in check_fits(run, mixed))


def test_a_record_of_rgb_opens_as_rgb(tmp_path):
    save_grey(tmp_path / "a.png", grey_values())
    (stored,) = open_file(tmp_path / "a.png")
    assert ImageRecord.of(stored).open().axes == "YXS"
    assert ImageRecord.of(one_channel(stored)).open().axes == "YX"
    record = ImageRecord.of(one_channel(stored))
    save_coloured(tmp_path / "a.png")
    with pytest.raises(InputError, match="changed"):
        record.open()


def test_the_terminal_says_so_and_can_keep_rgb(tmp_path):
    save_grey(tmp_path / "a.png", grey_values())
    told = CliRunner().invoke(app, ["inspect", str(tmp_path)])
    assert told.exit_code == 0 and "one channel" in " ".join(told.output.split())
    told = CliRunner().invoke(app, ["inspect", str(tmp_path), "--keep-rgb"])
    assert told.exit_code == 0 and "one channel" not in told.output and "YXS" in told.output


def test_real_fluorescence_stored_as_rgba(real_data):
    folder = real_data / "dsb2018"
    everything = open_images(folder / "images").images
    files = list((folder / "images").glob("*.png"))
    assert len(everything) == len(files) and all(image.rgb for image in everything)
    check_alike(everything)
    grey = [image for image in everything if image.notes]
    assert 0 < len(grey) < len(files)
    alone = open_images(*(image.path for image in grey)).images
    assert {image.axes for image in alone} == {"YX"}
    assert look_of(alone) != "histology"
