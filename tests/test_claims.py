"""What files claim and what is done where it cannot be true: used where it fits, else reported."""

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image

from napari_tsimcne import InputError
from napari_tsimcne.images import MICROMETRES, from_layer, open_images
from napari_tsimcne.images._levels import is_reduced_copy
from napari_tsimcne.images._units import standard_unit, stated_pixel_size

PLANES = (np.arange(6)[:, None, None] + np.zeros((1, 30, 40))).astype(np.uint8)
ALL = slice(None, None)


def plane(image, z=0, level=0):
    height, width = image.level_height_width(level)
    return image.read(0, z, slice(0, height), slice(0, width), level)


def planes_of(file, count=6):
    """Planes of 2 channels and 3 slices, all in one file."""
    return "".join(
        f'<TiffData FirstC="{i // 3}" FirstZ="{i % 3}" IFD="{i}" PlaneCount="1">'
        f'<UUID FileName="{file}">urn:uuid:of-{file}</UUID></TiffData>'
        for i in range(count)
    )


def ome(data, name="cells", sizes='SizeC="2" SizeZ="3" SizeT="1"', size_x=40, channels=2):
    return (
        f'<Image ID="Image:{name}" Name="{name}"><Pixels DimensionOrder="XYZCT" Type="uint8" '
        f'SizeX="{size_x}" SizeY="30" {sizes} PhysicalSizeX="2" PhysicalSizeXUnit="Å" '
        'PhysicalSizeY="2" PhysicalSizeYUnit="Å">'
        + "".join(f'<Channel ID="C:{i}" Name="stain {i}"/>' for i in range(channels))
        + f"{data}</Pixels></Image>"
    )


def write(path, images, planes=PLANES):
    schema = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
    xml = f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{schema}">{images}</OME>'
    tifffile.imwrite(path, planes, photometric="minisblack", description=xml.encode(),
                     metadata=None)  # fmt: skip
    return path


# --- OME-TIFF -------------------------------------------------------------------------------------


@pytest.mark.parametrize("old_file", ["gone", "there, with other pixels"])
def test_a_renamed_ome_tiff_keeps_what_it_says_of_itself(tmp_path, old_file):
    file = write(tmp_path / "new.ome.tif", ome(planes_of("old.ome.tif")))
    if old_file != "gone":
        write(tmp_path / "old.ome.tif", ome(planes_of("old.ome.tif")), PLANES + 100)
    ((image,), skipped) = open_images(file)
    assert not skipped and not image.notes
    assert (image.axes, image.shape) == ("CZYX", (2, 3, 30, 40))
    assert image.channel_names == ("stain 0", "stain 1")
    assert (image.pixel_size, image.unit) == ((2.0, 2.0), "Å")
    assert image.micrometres == pytest.approx(2e-4)
    assert [plane(image, z)[:, 0, 0].tolist() for z in range(3)] == [[0, 3], [1, 4], [2, 5]]


@pytest.mark.parametrize(
    ("images", "planes", "reason"),
    [
        (ome(planes_of("old.ome.tif")), PLANES[:4], r"old\.ome\.tif.* 6 planes, but it holds 4"),
        (ome(""), PLANES[:4], "6 planes, but it holds 4"),
        (ome("<TiffData/>", size_x=50), PLANES, "30 x 50 pixels, but it holds 30 x 40"),
        ('<BinaryOnly MetadataFile="all.companion.ome" UUID="urn:uuid:1"/>', PLANES,
         r"all\.companion\.ome', which is missing"),
    ],
)  # fmt: skip
def test_metadata_of_another_file_is_refused(tmp_path, images, planes, reason):
    file = write(tmp_path / "a.ome.tif", images, planes)
    with pytest.raises(InputError, match=reason):
        open_images(file)


def test_metadata_that_is_cut_off_is_not_passed_over(tmp_path):
    file = write(tmp_path / "a.ome.tif", ome(planes_of("a.ome.tif")))
    with tifffile.TiffFile(file) as tiff:
        text = tiff.pages.first.description
    tifffile.imwrite(file, PLANES, description=text[:-20].encode(), metadata=None)
    with pytest.raises(InputError, match="cut off"):
        open_images(file)


def test_metadata_without_places_of_planes_is_used_where_it_fits(tmp_path):
    (image,) = open_images(write(tmp_path / "a.ome.tif", ome(""))).images
    assert image.shape == (2, 3, 30, 40) and plane(image, 1)[:, 0, 0].tolist() == [1, 4]


def test_metadata_in_a_companion_is_found_beside_the_file(tmp_path):
    elsewhere = '<BinaryOnly MetadataFile="a.companion.ome" UUID="urn:uuid:of-a.ome.tif"/>'
    file = write(tmp_path / "a.ome.tif", elsewhere)
    (tmp_path / "a.companion.ome").write_text(
        f"<OME>{ome(planes_of('a.ome.tif'))}</OME>", encoding="utf-8"
    )
    (image,) = open_images(file).images
    assert image.shape == (2, 3, 30, 40) and image.channel_names == ("stain 0", "stain 1")


def test_of_a_set_of_files_what_is_there_opens_and_what_is_missing_is_listed(tmp_path):
    images = "".join(ome(planes_of(f"{name}.ome.tif"), name) for name in ("a", "b", "c"))
    for number, name in enumerate(("a", "c")):
        write(tmp_path / f"{name}.ome.tif", images, PLANES + 10 * number)
    found, skipped = open_images(tmp_path)
    assert [plane(image)[0, 0, 0] for image in found] == [0, 10]
    assert [one.name for one in skipped] == ["b.ome.tif"] and "'b'" in skipped[0].reason
    # As they are numbered where all are there.
    assert [image.series for image in found] == [0, 2]


def test_pages_and_channels_that_do_not_fit_are_noted(tmp_path):
    fewer = write(tmp_path / "a.ome.tif", ome("<TiffData/>", sizes='SizeC="2" SizeZ="1" SizeT="1"'))
    (image,) = open_images(fewer).images
    assert "4 of its 6 pages" in image.notes[0]
    more = write(tmp_path / "b.ome.tif", ome("<TiffData/>", channels=3))
    (image,) = open_images(more).images
    assert "3 channels but holds 2" in image.notes[0]
    assert image.channel_names == ("channel 0", "channel 1")


@pytest.mark.parametrize("says", ["channels=2\nslices=2", "slices=5", "channels=2\nslices=4"])
def test_an_imagej_hyperstack_that_does_not_fit_is_refused(tmp_path, says):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for i, one in enumerate(PLANES):
            text = None if i else f"ImageJ=1.53\nimages=6\n{says}\n"
            tiff.write(one, photometric="minisblack", metadata=None, contiguous=False,
                       description=text)  # fmt: skip
    with pytest.raises(InputError, match=r"6 planes|cut off"):
        open_images(tmp_path / "a.tif")


# --- OME-Zarr -------------------------------------------------------------------------------------


def write_zarr(folder, array, levels, place="", axes="yx", channels=0):
    """Levels: the array, scale and translation of each; None for one that is listed only."""
    root = zarr.open_group(folder, mode="a", zarr_format=2)
    group = root.require_group(place) if place else root
    datasets = []
    for number, level in enumerate(levels):
        made, scale, begin = level or (None, [1.0] * array.ndim, [0.0] * array.ndim)
        if made is not None:
            group.create_array(str(number), data=made, chunks=made.shape)
        steps = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": begin}]
        datasets.append({"path": str(number), "coordinateTransformations": steps})
    kinds = {"c": "channel", "t": "time"}
    group.attrs["multiscales"] = [{"datasets": datasets, "version": "0.4", "axes": [
        {"name": n, "type": kinds.get(n, "space"), "unit": "angstrom"} for n in axes]}]  # fmt: skip
    if channels:
        group.attrs["omero"] = {"channels": [{"label": f"stain {i}"} for i in range(channels)]}


PICTURE = np.random.default_rng(0).integers(0, 255, (64, 48)).astype(np.uint8)


@pytest.mark.parametrize(
    ("level", "used"),
    [
        ((PICTURE[::2, ::2], [2, 2], [0, 0]), True),
        ((PICTURE[::2, ::2], [2, 2], [0.5, 0.5]), True),
        ((PICTURE[:32], [2, 1], [0, 0]), False),
        ((PICTURE[:32, :24], [1, 1], [0, 0]), False),
        ((PICTURE[::2, ::2], [2, 2], [30, 0]), False),
        ((PICTURE[::2, ::2].astype(np.uint16), [2, 2], [0, 0]), False),
        (None, False),
    ],
    ids=["reduced", "centred", "upper half", "a quarter", "elsewhere", "other type", "not written"],
)
def test_a_level_is_used_only_where_it_is_the_same_picture(tmp_path, level, used):
    write_zarr(tmp_path / "a.zarr", PICTURE, [(PICTURE, [1, 1], [0, 0]), level])
    (image,) = open_images(tmp_path / "a.zarr").images
    assert len(image.levels) == used and bool(image.notes) != used
    assert image.unit == "Å" and image.micrometres == pytest.approx(1e-4)


def test_what_is_missing_of_a_plate_is_listed_and_the_rest_opens(tmp_path):
    plate = tmp_path / "p.zarr"
    for place in ("A/1/0", "A/1/2", "C/3/0"):
        write_zarr(plate, PICTURE, [(PICTURE, [1, 1], [0, 0])], place)
    write_zarr(plate, PICTURE, [None], "C/3/1")
    root = zarr.open_group(plate, mode="a")
    root.attrs["plate"] = {"wells": [{"path": w} for w in ("A/1", "B/2", "C/3")]}
    root["A/1"].attrs["well"] = {"images": [{"path": str(i)} for i in range(3)]}
    root["C/3"].attrs["well"] = {"images": [{"path": str(i)} for i in range(2)]}
    images, skipped = open_images(plate)
    assert [i.name for i in images] == [f"p.zarr/{p}" for p in ("A/1/0", "A/1/2", "C/3/0")]
    assert [s.name for s in skipped] == [f"p.zarr/{p}" for p in ("A/1/1", "B/2", "C/3/1")]
    assert "not written" in skipped[0].reason and "full resolution" in skipped[2].reason
    # An image keeps its number when the missing ones are written.
    assert [image.series for image in images] == [0, 2, 4]
    root.attrs["plate"] = {"wells": [{"path": w} for w in ("A/1", "C/3", "A/1")]}
    (plate / "C/3/.zattrs").write_text("{broken")
    (plate / "C/3/zarr.json").unlink(missing_ok=True)
    images, skipped = open_images(plate)
    assert [i.name for i in images] == ["p.zarr/A/1/0", "p.zarr/A/1/2"]
    assert [s.name for s in skipped] == ["p.zarr/A/1/1", "p.zarr/C/3"]


def test_axes_and_channels_of_a_zarr_that_do_not_fit_are_reported(tmp_path):
    stack = np.stack([PICTURE, PICTURE])
    write_zarr(tmp_path / "a.zarr", stack, [(stack, [1, 1, 1], [0, 0, 0])], axes="cyx", channels=3)
    (image,) = open_images(tmp_path / "a.zarr").images
    assert "names 3 channels but holds 2" in image.notes[0] and image.channels == 2
    write_zarr(tmp_path / "b.zarr", stack, [(stack, [1, 1, 1], [0, 0, 0])], axes="yyx")
    with pytest.raises(InputError, match="two axes 'y'"):
        open_images(tmp_path / "b.zarr")


# --- levels ---------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(st.integers(40, 3000), st.integers(40, 3000), st.integers(2, 8), st.booleans(),
       st.booleans())  # fmt: skip
def test_levels_are_known_however_their_sides_were_rounded(height, width, factor, up, also_up):
    sides = [-(-n // factor) if how else n // factor
             for n, how in ((height, up), (width, also_up))]  # fmt: skip
    assert is_reduced_copy("ZYX", (5, height, width), (5, *sides))
    assert not is_reduced_copy("ZYX", (5, height, width), (3, *sides))
    assert not is_reduced_copy("YX", (height, width), (sides[0], width))


def test_a_level_of_a_layer_with_fewer_planes_is_none():
    stack = (10 * np.arange(8)[:, None, None] + np.zeros((1, 16, 16))).astype(np.uint8)
    layer = Image([stack, stack[::2, ::2, ::2]], multiscale=True, axis_labels=("z", "y", "x"))
    image = from_layer(layer)
    assert image.levels == () and "1 of its 1 lower resolutions" in image.notes[0]
    layer = Image([stack, stack[:, ::2, ::2]], multiscale=True, axis_labels=("z", "y", "x"))
    assert plane(from_layer(layer), 3, level=1)[0, 0, 0] == 30


# --- lengths --------------------------------------------------------------------------------------


def test_every_unit_of_length_has_one_name_and_one_size():
    names = {"\u212b": "Å", "\\u00C5": "Å", "\\u00b5m": "µm", "A\u030a": "Å",
             "angstrom": "Å", "um": "µm", "\u03bcm": "µm",
             "\u00b5m": "µm", "micron": "µm", "Micron": "µm", "MICROMETER": "µm", "pm": "pm",
             "Pm": "Pm", "Mm": "Mm", "mm": "mm", "inch": "in", "thou": "thou", "foot": "ft",
             "kilometer": "km", "NM": "nm", "reference frame": "pixel", None: "pixel"}  # fmt: skip
    assert {name: standard_unit(name) for name in names} == names
    assert MICROMETRES["in"] == 25_400 and MICROMETRES["li"] == pytest.approx(25_400 / 12)
    assert MICROMETRES["km"] == 1e9 and MICROMETRES["dm"] == 1e5 and MICROMETRES["fm"] == 1e-9


@pytest.mark.parametrize("y", [0, -0.5, float("nan"), float("inf"), 1e12, 1e-12, "wide"])
def test_a_size_that_cannot_be_true_is_unknown_and_reported(y):
    size, unit, note = stated_pixel_size(y, y)
    assert (size, unit) == ((1, 1), "pixel") and str(y) in note
    assert stated_pixel_size(None, None)[2] == ""
    assert "furlong" in stated_pixel_size(1, 1, "furlong", "furlong")[2]
