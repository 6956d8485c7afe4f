"""Formats: axes, channels, pixel sizes, pyramids, positions, alpha, and lazy reading."""

import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import cloudpickle
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_tsimcne import ImageSource, InputError, open_images
from napari_tsimcne.images import (
    check_labels,
    find_files,
    join_channels,
    open_file,
    pair_labels,
)

ALL = slice(None)
RNG = np.random.default_rng(0)


def pixels(*shape: int, dtype: str = "uint16") -> np.ndarray:
    return RNG.integers(0, 255, shape).astype(dtype)


def plane(image: ImageSource, t: int = 0, z: int = 0) -> np.ndarray:
    return image.read(t, z, ALL, ALL)


# --- TIFF ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keep", "imagej"), [("TZCYX", True), ("ZYX", True), ("CZYX", False), ("TCYX", False)]
)
def test_axes_of_imagej_and_ome_are_read(tmp_path, keep, imagej):
    lengths = {"T": 3, "C": 2, "Z": 4, "Y": 16, "X": 20}
    array = pixels(*(lengths[axis] for axis in keep))
    path = tmp_path / ("a.tif" if imagej else "a.ome.tif")
    tifffile.imwrite(path, array, imagej=imagej, ome=not imagej, metadata={"axes": keep})
    (image,) = open_file(path)
    assert image.axes == keep and image.shape == array.shape
    at = tuple({"T": 1, "Z": 2}.get(axis, ALL) for axis in keep)
    assert np.array_equal(plane(image, 1, 2).squeeze(), array[at].squeeze())


def test_each_series_is_an_image_that_can_be_found_again(tmp_path):
    first, second = pixels(2, 16, 20), pixels(30, 40)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as tiff:
        tiff.write(first, metadata={"axes": "CYX", "Channel": {"Name": ["DNA", "actin"]}})
        size = {f"PhysicalSize{axis}": 500 for axis in "XY"}
        units = {f"PhysicalSize{axis}Unit": "nm" for axis in "XY"}
        tiff.write(second, metadata={"axes": "YX", **size, **units})
    images = open_images(tmp_path).images
    assert [image.name for image in images] == ["a.ome.tif", "a.ome.tif#1"]
    assert [image.series for image in images] == [0, 1]
    assert images[0].channel_names == ("DNA", "actin")
    assert images[1].pixel_size == (500, 500) and images[1].micrometres == 0.5
    assert np.array_equal(plane(open_file(images[1].path)[images[1].series])[0], second)


@pytest.mark.parametrize("tags", [{}, {"tile": (16, 16)}])
def test_subifds_are_levels(tmp_path, tags):
    array = pixels(2, 64, 96)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as tiff:
        tiff.write(array, metadata={"axes": "CYX"}, subifds=2, **tags)
        tiff.write(array[:, ::2, ::2], subfiletype=1, **tags)
        tiff.write(array[:, ::4, ::4], subfiletype=1, **tags)
    (image,) = open_file(tmp_path / "a.ome.tif")
    assert [level.height_width for level in image.levels] == [(32, 48), (16, 24)]
    assert np.array_equal(image.read(0, 0, ALL, ALL, level=1), array[:, ::2, ::2])
    assert np.array_equal(image.read(0, 0, slice(3, 9), slice(5, 6), level=2),
                          array[:, ::4, ::4][:, 3:9, 5:6])  # fmt: skip
    assert image.level_for(4) == 2


def test_reduced_pages_are_levels_and_a_thumbnail_is_none(tmp_path):
    rgb = pixels(64, 96, 3, dtype="uint8")
    options = {"photometric": "rgb", "metadata": None, "tile": (16, 16)}
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(rgb, resolution=(20000, 20000), resolutionunit="CENTIMETER", **options)
        tiff.write(rgb[:40, :40], subfiletype=1, **options)
        tiff.write(rgb[::2, ::2], subfiletype=1, **options)
    (image,) = open_file(tmp_path / "a.tif")
    assert [level.height_width for level in image.levels] == [(32, 48)]
    assert np.array_equal(image.read(0, 0, ALL, ALL, level=1), rgb[::2, ::2].transpose(2, 0, 1))
    assert image.micrometres == 0.5 and image.chunk() == (16, 16)


def test_resolution_of_a_print_is_no_pixel_size(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", pixels(8, 8), resolution=(118, 118),
                     resolutionunit="CENTIMETER", metadata=None)  # fmt: skip
    (image,) = open_file(tmp_path / "a.tif")
    assert image.unit == "pixel"


@pytest.mark.parametrize("axes", ["PYX", "RYX", "PCYX"])
def test_positions_are_images(tmp_path, axes):
    array = pixels(*{"P": (3,), "R": (3,)}[axes[0]], *((2,) if "C" in axes else ()), 16, 20)
    tifffile.imwrite(tmp_path / "a.tif", array, metadata={"axes": axes}, photometric="minisblack")
    images = open_file(tmp_path / "a.tif")
    assert [image.name for image in images] == ["a.tif", "a.tif#1", "a.tif#2"]
    assert all(image.axes == axes[1:] for image in images)
    for image, position in zip(images, array, strict=True):
        assert np.array_equal(plane(image).squeeze(), position.squeeze())


@pytest.mark.parametrize("extra", ["unassalpha", "assocalpha"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_alpha_of_a_tiff(tmp_path, extra, planar):
    rgba = pixels(20, 30, 4, dtype="uint8")
    stored = rgba if planar == "contig" else rgba.transpose(2, 0, 1)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", extrasamples=[extra],
                     planarconfig=planar)  # fmt: skip
    (image,) = open_file(tmp_path / "a.tif")
    assert image.rgb and image.channel_names == ("red", "green", "blue")
    assert np.array_equal(plane(image), rgba[..., :3].transpose(2, 0, 1))
    assert np.array_equal(image.opaque(0, 0, slice(2, 7), ALL), rgba[2:7, :, 3] > 0)


@pytest.mark.parametrize("samples", [2, 4, 5])
def test_samples_that_are_no_colours_are_channels(tmp_path, samples):
    array = pixels(20, 30, samples)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack", planarconfig="contig")
    (image,) = open_file(tmp_path / "a.tif")
    assert image.channels == samples and not image.rgb and image.alpha is None
    assert np.array_equal(plane(image), array.transpose(2, 0, 1))


def test_palette_of_a_tiff_becomes_colours_but_not_that_of_imagej(tmp_path):
    values = pixels(20, 30, dtype="uint8")
    colours = np.stack([np.arange(256), np.arange(256)[::-1], np.zeros(256)]).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="palette", colormap=colours * 257)
    tifffile.imwrite(tmp_path / "b.tif", values, imagej=True)
    a, b = open_images(tmp_path).images
    assert np.array_equal(plane(a), colours.astype(np.uint8)[:, values])
    assert a.read(0, 0, slice(0, 3), slice(4, 9)).shape == (3, 3, 5)
    assert np.array_equal(plane(b)[0], values)


@pytest.mark.parametrize(
    "layout", [{"tile": (16, 32)}, {"rowsperstrip": 8}, {"rowsperstrip": 8, "compression": "zlib"}]
)
def test_regions_are_read_by_chunk(tmp_path, layout):
    array = pixels(2, 70, 90)
    tifffile.imwrite(tmp_path / "a.ome.tif", array, metadata={"axes": "CYX"}, **layout)
    (image,) = open_file(tmp_path / "a.ome.tif")
    assert image.chunk() == layout.get("tile", (8, 90))
    assert np.array_equal(image.read(0, 0, slice(5, 41), slice(17, 60)), array[:, 5:41, 17:60])


def test_one_region_decodes_only_its_tiles(tmp_path):
    """A broken tile elsewhere does no harm, so that it cannot have been read."""
    tifffile.imwrite(tmp_path / "a.tif", pixels(64, 64), tile=(32, 32), compression="zlib")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        offset, count = tiff.pages[0].dataoffsets[3], tiff.pages[0].databytecounts[3]
    data = bytearray((tmp_path / "a.tif").read_bytes())
    data[offset : offset + count] = bytes(count)
    (tmp_path / "a.tif").write_bytes(data)
    (image,) = open_file(tmp_path / "a.tif")
    assert image.read(0, 0, slice(0, 64), slice(0, 32)).shape == (1, 64, 32)
    with pytest.raises(InputError, match=r"'a\.tif' could not be read"):
        plane(image)


def test_a_plane_in_one_strip_is_read_by_rows(tmp_path):
    """Such a strip of 1.2 GB would not fit in memory many times; the file has a hole for it."""
    array = tifffile.memmap(tmp_path / "a.tif", shape=(40_000, 30_000), dtype=np.uint8)
    array[31_000:31_010, 5:9] = 7
    array.flush()
    (image,) = open_file(tmp_path / "a.tif")
    assert image.chunk()[0] < 1000
    assert image.read(0, 0, slice(30_999, 31_012), slice(4, 9)).sum() == 7 * 40


@settings(max_examples=60)
@given(data=st.data())
def test_any_region_of_any_layout_is_what_was_written(data, tmp_path_factory):
    lead = "".join(a for a in "TZC" if data.draw(st.booleans()))
    samples = data.draw(st.sampled_from([0, 3, 4]))
    lengths = [data.draw(st.integers(2, 3)) for _ in lead]
    height, width = data.draw(st.integers(2, 40)), data.draw(st.integers(2, 40))
    axes = lead.replace("C", "") + "YXS" if samples else lead + "YX"
    lengths = [n for n, a in zip(lengths, lead, strict=True) if a in axes]
    shape = (*lengths, height, width, *[samples] * bool(samples))
    array = np.arange(np.prod(shape)).reshape(shape).astype(np.uint16)
    options: dict = data.draw(st.sampled_from([{}, {"tile": (16, 16)}, {"rowsperstrip": 5}]))
    options["compression"] = data.draw(st.sampled_from([None, "zlib"]))
    options["byteorder"] = data.draw(st.sampled_from("<>"))
    options["metadata"] = {"axes": axes}
    path = tmp_path_factory.mktemp("any") / "a.tif"
    tifffile.imwrite(path, array, photometric="rgb" if samples else "minisblack", **options)
    (image,) = open_file(path)
    assert image.shape == (*shape[: len(lengths) + 2], *[3] * bool(samples))
    t, z = (data.draw(st.integers(0, image.length(axis) - 1)) for axis in "TZ")
    rows, columns = (
        slice(*sorted(data.draw(st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True))))
        for n in (height, width)
    )
    at = {"T": t, "Z": z, "Y": rows, "X": columns, "S": slice(0, 3)}
    want = array[tuple(at.get(axis, ALL) for axis in axes)]
    want = np.moveaxis(want, -1, 0) if samples else want if "C" in axes else want[np.newaxis]
    assert np.array_equal(image.read(t, z, rows, columns), want)
    if samples == 4:
        opacity = array[tuple({**at, "S": 3}[axis] for axis in axes)]
        assert np.array_equal(image.opaque(t, z, rows, columns), opacity > 0)


def test_threads_read_one_image_at_once(tmp_path):
    array = pixels(128, 128)
    tifffile.imwrite(tmp_path / "a.tif", array, tile=(16, 16), compression="zlib")
    Image.fromarray(array.astype(np.uint8)).save(tmp_path / "b.png")
    zarr.create_array(tmp_path / "c.zarr", data=array, chunks=(16, 16))
    for image in open_images(tmp_path).images:
        want = array if image.dtype == array.dtype else array.astype(np.uint8)

        def same(row: int, image: ImageSource = image, want: np.ndarray = want) -> bool:
            return np.array_equal(
                image.read(0, 0, slice(row, row + 9), ALL)[0], want[row : row + 9]
            )

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(same, range(110)))


def test_images_of_files_can_be_sent_to_other_processes(tmp_path):
    array = pixels(20, 30)
    tifffile.imwrite(tmp_path / "a.tif", array)
    Image.fromarray(array).save(tmp_path / "b.png")
    zarr.create_array(tmp_path / "c.zarr", data=array, chunks=(16, 16))
    for image in open_images(tmp_path).images:
        plane(image)  # what is open already must not be in the way
        sent = cloudpickle.dumps(image)
        assert len(sent) < 10_000
        assert np.array_equal(plane(cloudpickle.loads(sent))[0], array)


def test_files_of_one_ome_tiff_are_one_image(tmp_path):
    array = pixels(2, 16, 20)
    planes = "".join(
        f'<TiffData FirstT="{t}" IFD="0" PlaneCount="1"><UUID FileName="t{t}.ome.tif">'
        f"urn:uuid:{t}</UUID></TiffData>"
        for t in range(2)
    )
    for t in range(2):
        xml = (
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{t}">'
            '<Image ID="Image:0"><Pixels DimensionOrder="XYZCT" SizeX="20" SizeY="16" SizeZ="1" '
            f'SizeC="1" SizeT="2" Type="uint16" ID="Pixels:0">{planes}</Pixels></Image></OME>'
        )
        tifffile.imwrite(tmp_path / f"t{t}.ome.tif", array[t], metadata=None, description=xml)
    (image,) = open_images(tmp_path).images
    assert image.axes == "TYX"
    assert np.array_equal(plane(image, 1)[0], array[1])
    (tmp_path / "t1.ome.tif").unlink()
    with pytest.raises(InputError, match="holds 1 of 2 planes"):
        open_file(tmp_path / "t0.ome.tif")


# --- PNG, JPEG and their kin --------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp", "ppm"])
def test_colours_of_lossless_formats(tmp_path, suffix):
    rgb = pixels(20, 30, 3, dtype="uint8")
    Image.fromarray(rgb).save(tmp_path / f"a.{suffix}", lossless=True)
    (image,) = open_file(tmp_path / f"a.{suffix}")
    assert np.array_equal(plane(image), rgb.transpose(2, 0, 1))


@pytest.mark.parametrize("suffix", ["png", "pgm"])
def test_sixteen_bits_stay_sixteen_bits(tmp_path, suffix):
    array = RNG.integers(0, 65535, (20, 30)).astype(np.uint16)
    Image.fromarray(array).save(tmp_path / f"a.{suffix}")
    (image,) = open_file(tmp_path / f"a.{suffix}")
    assert image.dtype == np.uint16 and np.array_equal(plane(image)[0], array)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_of_a_png(tmp_path, mode):
    array = pixels(20, 30, len(mode), dtype="uint8")
    Image.fromarray(array, mode).save(tmp_path / "a.png")
    (image,) = open_file(tmp_path / "a.png")
    assert image.channels == len(mode) - 1
    assert np.array_equal(plane(image), array[..., :-1].transpose(2, 0, 1))
    assert np.array_equal(image.opaque(0, 0, ALL, slice(3, 9)), array[:, 3:9, -1] > 0)


def test_modes_that_are_converted(tmp_path):
    rgb = Image.fromarray(np.full((20, 30, 3), (200, 40, 90), np.uint8))
    rgb.convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "palette.png")
    rgb.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    turned = Image.Exif()
    turned[0x0112] = 6
    rgb.save(tmp_path / "turned.jpg", exif=turned, quality=95)
    mask = pixels(20, 30) > 100
    Image.fromarray(mask).save(tmp_path / "onebit.png")
    found = {image.name: image for image in open_images(tmp_path).images}
    for name in ("palette.png", "cmyk.jpg", "turned.jpg"):
        means = plane(found[name]).mean(axis=(1, 2))
        assert np.abs(means - (200, 40, 90)).max() < 6
    assert found["turned.jpg"].height_width == (30, 20)
    assert np.array_equal(plane(found["onebit.png"])[0], mask)


def test_content_tells_the_format(tmp_path):
    Image.fromarray(pixels(20, 30, dtype="uint8")).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", pixels(20, 30))
    (tmp_path / "b.tif").rename(tmp_path / "b.png")
    assert [i.dtype for i in open_images(tmp_path).images] == [np.uint8, np.uint16]
    (tmp_path / "c.tif").write_bytes(b"GIF89a" + bytes(99))
    with pytest.raises(InputError, match="none of the formats"):
        open_file(tmp_path / "c.tif")


# --- Zarr ---------------------------------------------------------------------------------------


def write_ome_zarr(folder, array, version: str = "0.5", path: str = "", levels: int = 2):
    root = zarr.open_group(folder, mode="a", zarr_format=3 if version == "0.5" else 2)
    group = root.require_group(path) if path else root
    datasets = []
    for level in range(levels):
        step = 2**level
        smaller = array[..., ::step, ::step]
        group.create_array(str(level), data=smaller, chunks=(*[1] * (array.ndim - 2), 16, 16))
        scale = [1.0] * (array.ndim - 2) + [0.25 * step] * 2
        datasets.append({"path": str(level), "coordinateTransformations": [
            {"type": "scale", "scale": scale}]})  # fmt: skip
    axes = [{"name": "c", "type": "channel"}, {"name": "z", "type": "space"}][: array.ndim - 2]
    axes += [{"name": n, "type": "space", "unit": "micrometer"} for n in "yx"]
    says = {
        "multiscales": [{"axes": axes, "datasets": datasets, "version": version}],
        "omero": {"channels": [{"label": "DNA"}, {"label": "actin"}]},
    }
    group.attrs.update({"ome": says} if version == "0.5" else says)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr(tmp_path, version):
    array = pixels(2, 50, 70)
    write_ome_zarr(tmp_path / "a.zarr", array, version)
    (image,) = open_images(tmp_path).images
    assert (image.name, image.axes, image.shape) == ("a.zarr", "CYX", (2, 50, 70))
    assert image.channel_names == ("DNA", "actin")
    assert image.pixel_size == (0.25, 0.25) and image.unit == "µm"
    assert [level.height_width for level in image.levels] == [(25, 35)]
    assert image.chunk() == (16, 16)
    assert np.array_equal(image.read(0, 0, slice(9, 31), ALL), array[:, 9:31])
    assert np.array_equal(image.read(0, 0, ALL, ALL, level=1), array[:, ::2, ::2])


def test_plates_and_series_in_zarr(tmp_path):
    fields = pixels(4, 2, 20, 30)
    plate = tmp_path / "plate.zarr"
    for i, place in enumerate(["A/1/0", "A/1/1", "B/12/0"]):
        write_ome_zarr(plate, fields[i], "0.4", place)
    root = zarr.open_group(plate, mode="a")
    root.attrs["plate"] = {"wells": [{"path": "A/1"}, {"path": "B/12"}]}
    root["A/1"].attrs["well"] = {"images": [{"path": "0"}, {"path": "1"}]}
    root["B/12"].attrs["well"] = {"images": [{"path": "0"}]}
    images = open_file(plate)
    assert [i.name for i in images] == [f"plate.zarr/{p}" for p in ("A/1/0", "A/1/1", "B/12/0")]
    assert [image.series for image in images] == [0, 1, 2]
    assert np.array_equal(plane(images[2]), fields[2])

    series = tmp_path / "series.zarr"
    for i in range(2):
        write_ome_zarr(series, fields[i], "0.4", str(i))
    zarr.open_group(series, mode="a").attrs["bioformats2raw.layout"] = 3
    assert [image.name for image in open_file(series)] == ["series.zarr", "series.zarr#1"]
    assert np.array_equal(plane(open_file(series)[1]), fields[1])


def test_plain_zarr_arrays_get_guessed_axes(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=pixels(3, 40, 50), chunks=(1, 20, 20))
    zarr.create_array(
        tmp_path / "b.zarr", data=pixels(40, 50, 3, dtype="uint8"), chunks=(20, 20, 3)
    )
    zarr.create_array(tmp_path / "c.zarr", data=pixels(9, 40, 50), chunks=(1, 20, 20),
                      dimension_names=["time", "y", "x"])  # fmt: skip
    assert [image.axes for image in open_images(tmp_path).images] == ["CYX", "YXS", "TYX"]


def test_chunks_that_were_not_written_are_the_fill_value(tmp_path):
    array = zarr.create_array(tmp_path / "a.zarr", shape=(40, 50), chunks=(20, 25), dtype="uint8",
                              fill_value=7)  # fmt: skip
    array[:20, :25] = 1
    (image,) = open_file(tmp_path / "a.zarr")
    assert plane(image)[0, 0, 0] == 1 and plane(image)[0, 30, 30] == 7


@pytest.mark.parametrize("damage", ["{", "{}", '{"multiscales": [{"datasets": []}]}'])
def test_zarr_metadata_that_makes_no_sense_is_named(tmp_path, damage):
    write_ome_zarr(tmp_path / "a.zarr", pixels(2, 20, 30), "0.4")
    (tmp_path / "a.zarr" / ".zattrs").write_text(damage)
    with pytest.raises(InputError, match=r"a\.zarr: "):
        open_images(tmp_path)


def test_nothing_is_looked_for_in_a_zarr_folder(tmp_path):
    write_ome_zarr(tmp_path / "sub" / "a.zarr", pixels(2, 20, 30))
    Image.new("L", (8, 8)).save(tmp_path / "sub" / "a.zarr" / "preview.png")
    Image.new("L", (8, 8)).save(tmp_path / "sub" / "b.png")
    names = [path.name for path in find_files([tmp_path])]
    assert names == ["a.zarr", "b.png"]
    assert [p.name for p in find_files([tmp_path / "**" / "*"])] == names
    assert [p.name for p in find_files([str(tmp_path / "sub" / "*.zarr")])] == ["a.zarr"]


# --- other formats ------------------------------------------------------------------------------


def test_makers_formats_ask_for_their_reader(tmp_path):
    (tmp_path / "a.czi").write_bytes(b"ZISRAWFILE")
    with pytest.raises(InputError, match="pip install bioio bioio-czi"):
        open_images(tmp_path)


def test_scenes_of_bioio_are_series(tmp_path, monkeypatch):
    import dask.array as da

    scenes = {name: pixels(1, 2, 3, 20, 30) for name in ("one", "two")}

    class BioImage:
        def __init__(self, path):
            self.scenes = tuple(scenes)
            self.dims = SimpleNamespace(order="TCZYX")
            self.physical_pixel_sizes = SimpleNamespace(Z=1.0, Y=0.3, X=0.3)
            self.channel_names = ["DNA", "actin"]

        def set_scene(self, number):
            self.array = scenes[self.scenes[number]]

        @property
        def dask_data(self):
            return da.from_array(self.array, chunks=(1, 1, 1, 20, 30))

    monkeypatch.setitem(sys.modules, "bioio", SimpleNamespace(BioImage=BioImage))
    (tmp_path / "a.nd2").write_bytes(b"anything")
    images = open_images(tmp_path).images
    assert [image.name for image in images] == ["a.nd2", "a.nd2#1"]
    assert images[1].axes == "CZYX" and images[1].channel_names == ("DNA", "actin")
    assert images[1].micrometres == pytest.approx(0.3) and images[1].chunk() == (20, 30)
    assert np.array_equal(plane(images[1], 0, 2), scenes["two"][0, :, 2])


# --- what the user says ---------------------------------------------------------------------------


def test_axes_and_pixel_size_can_be_said(tmp_path):
    array = pixels(3, 20, 30)
    tifffile.imwrite(tmp_path / "a.tif", array, metadata=None, photometric="minisblack")
    (image,) = open_images(tmp_path, axes="tyx", pixel_size=0.65).images
    assert image.axes == "TYX" and image.micrometres == 0.65
    assert np.array_equal(plane(image, 2)[0], array[2])
    with pytest.raises(InputError, match="pixel size"):
        open_images(tmp_path, pixel_size=0)
    with pytest.raises(InputError, match="axes 'ZTYX'"):
        open_images(tmp_path, axes="ZTYX")


def test_joined_channels_keep_levels_and_chunks(tmp_path):
    for name in "ab":
        with tifffile.TiffWriter(tmp_path / f"{name}.ome.tif") as tiff:
            array = pixels(64, 96)
            tiff.write(array, subifds=1, tile=(16, 32), metadata={"axes": "YX"})
            tiff.write(array[::2, ::2], subfiletype=1, tile=(16, 32))
    images = open_images(tmp_path).images
    joined = join_channels(images, "both")
    assert joined.chunk() == (16, 32)
    want = np.concatenate([image.read(0, 0, ALL, ALL, level=1) for image in images])
    assert np.array_equal(joined.read(0, 0, ALL, ALL, level=1), want)


# --- real files ---------------------------------------------------------------------------------


def test_real_formats(real_data):
    folder = real_data / "multidim"
    found = {image.name: image for image in open_images(folder).images}
    assert len(found) == 9
    slide = found["CMU-1-Small-Region.svs"]
    assert slide.rgb and slide.micrometres == pytest.approx(0.499) and slide.chunk() == (240, 240)
    embryo = found["tubhiswt4D_sub.zarr"]
    assert embryo.axes == "TZYX" and embryo.shape == (3, 2, 512, 512)
    assert [level.height_width for level in embryo.levels] == [(256, 256), (128, 128)]
    assert found["hela_CYX_uint16.ome.tif"].channel_names == ("lysosome", "mitochondria", "nucleus")
    pairs = pair_labels([found["cellmigration_TYX_uint16.ome.tif"]],
                        [found["cellmigration_TYX_labels.tif"]])  # fmt: skip
    for name, labels in pairs.items():
        check_labels(found[name], labels)


def test_real_labels_pair_with_their_wells(real_data):
    images = open_images(real_data / "bbbc013" / "wells").images
    labels = open_images(real_data / "bbbc013" / "nuclei_labels_auto").images
    pairs = pair_labels(images, labels)
    assert len(pairs) == len(images)
    for image in images:
        check_labels(image, pairs[image.name])
        assert pairs[image.name].name.startswith(image.name.split(".")[0])
