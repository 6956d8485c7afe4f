"""Files that are odd, cut off or broken are read whole, or refused with a reason; never in part."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_tsimcne import InputError
from napari_tsimcne.images import ImageSource, open_file

READ, SKIPPED = 289, 82
"""How many of the 371 real files are read, and how many refused."""

OTHERWISE = re.compile("fuzz|palette|multipage-lastframe|frame_loop")
"""Broken on purpose, or palettes, which become colours, or pages that follow in a circle."""


CHILD = """
import json, resource, sys
from pathlib import Path
from napari_tsimcne import InputError
from napari_tsimcne.images import open_file

resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
for name in json.load(sys.stdin):
    try:
        images = open_file(name)
        for image in images:
            rows, columns = (slice(0, n) for n in image.height_width)
            for t in range(image.length("T")):
                for z in range(image.length("Z")):
                    read = image.read(t, z, rows, columns)
                    assert read.shape == (image.channels, *image.height_width)
                    assert read.dtype == image.dtype
                    image.opaque(t, z, rows, columns)
        found = [[image.axes, image.shape, str(image.dtype)] for image in images]
        print(json.dumps([name, found, None]))
    except InputError as error:
        print(json.dumps([name, None, str(error)]))
"""


@pytest.fixture(scope="module")
def outcomes(real_data) -> dict[str, tuple[list | None, str | None]]:
    """What was found in each file, or why it was refused, by its name in the manifest."""
    folder = real_data / "awkward"
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "manifest.csv")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    found = {}
    for start in range(0, len(files), 100):
        batch = [str(file) for file in files[start : start + 100]]
        child = subprocess.run(
            [sys.executable, "-c", CHILD],
            input=json.dumps(batch), capture_output=True, text=True, timeout=120, env=environment,
        )  # fmt: skip
        assert child.returncode == 0, child.stderr
        assert child.stderr == ""
        for line in child.stdout.splitlines():
            name, images, reason = json.loads(line)
            found[str(Path(name).relative_to(folder))] = (images, reason)
    assert len(found) == len(files) == 371
    return found


def test_every_awkward_file_is_read_whole_or_refused_with_a_reason(outcomes):
    assert all(images or reason for images, reason in outcomes.values())
    counts = Counter("read" if images else "skipped" for images, _ in outcomes.values())
    assert counts == {"read": READ, "skipped": SKIPPED}
    for _, reason in outcomes.values():
        assert reason is None or (len(reason) < 300 and "\n" not in reason)


def test_tiffs_have_the_shape_that_the_manifest_states(outcomes, real_data):
    """Of grey images and of RGB in this order there is one interpretation."""
    checked = 0
    with (real_data / "awkward" / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            stated = re.match(
                r"\(([\d, ]+)\) (\w+) (YX|YXS) .*series=1$", row["tifffile+imagecodecs"] or ""
            )
            if not stated or row["file"] not in outcomes or OTHERWISE.search(row["file"]):
                continue
            shape, dtype, axes = [int(n) for n in stated[1].split(",")], stated[2], stated[3]
            images, reason = outcomes[row["file"]]
            if axes == "YXS" and shape[-1] != 3:
                continue
            assert images is not None, (row["file"], reason)
            assert [image[1:] for image in images] == [[shape, dtype]], row["file"]
            checked += 1
    assert checked >= 100


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("generated/zero_bytes.png", "empty"),
        ("generated/text_named.tif", "none of the formats"),
        ("generated/truncated.png", "truncated"),
        ("pillow/libtiff_segfault.tif", "pieces of 160.0 GiB"),
        ("pillow/crash-2020-10-test.tif", "1 of 1536 strips or tiles"),
    ],
)
def test_reasons_say_what_is_wrong(outcomes, name, reason):
    images, why = outcomes[name]
    assert images is None and reason in why


# --- files that are cut off ---------------------------------------------------------------------

STACK = (np.arange(3)[:, None, None] * 97 + np.arange(60)[:, None] * 13 + np.arange(70)).astype(
    np.uint16
)
COLOURS = np.stack([STACK[0]] * 3, -1).astype(np.uint8)


def write_pages(path: Path) -> None:
    with tifffile.TiffWriter(path) as tiff:
        for page in STACK:
            tiff.write(page, contiguous=False, metadata=None)


def write_pyramid(path: Path) -> None:
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(STACK, metadata={"axes": "CYX"}, subifds=1, tile=(16, 16))
        tiff.write(STACK[:, ::2, ::2], subfiletype=1, tile=(16, 16))


def write_tiff(array: np.ndarray, **options):
    return lambda path: tifffile.imwrite(path, array, **options)


def write_picture(array: np.ndarray, **options):
    return lambda path: Image.fromarray(array).save(path, **options)


WRITERS = {
    "imagej.tif": write_tiff(STACK, imagej=True, metadata={"axes": "ZYX"}),
    "imagej_zip.tif": write_tiff(STACK, imagej=True, metadata={"axes": "TYX"}, compression="zlib"),
    "plain.ome.tif": write_tiff(STACK, metadata={"axes": "CYX"}),
    "lzw.ome.tif": write_tiff(STACK, metadata={"axes": "CYX"}, compression="lzw", rowsperstrip=8),
    "pyramid.ome.tif": write_pyramid,
    "shaped.tif": write_tiff(STACK),
    "tiled.tif": write_tiff(STACK, compression="zstd", tile=(16, 16)),
    "big.tif": write_tiff(STACK, bigtiff=True, metadata=None, photometric="minisblack"),
    "pages.tif": write_pages,
    "packbits.tif": write_tiff(STACK[0], compression="packbits", rowsperstrip=16),
    "jpeg.tif": write_tiff(COLOURS, photometric="rgb", compression="jpeg", tile=(32, 32)),
    "a.png": write_picture(COLOURS),
    "grey16.png": write_picture(STACK[0]),
    "a.jpg": write_picture(COLOURS, quality=90),
    "progressive.jpg": write_picture(COLOURS, progressive=True),
    "a.webp": write_picture(COLOURS, lossless=True),
    "a.bmp": write_picture(COLOURS),
    "a.ppm": write_picture(COLOURS),
}


def everything(path: Path) -> list[list[np.ndarray]]:
    return [planes(image) for image in open_file(path)]


def planes(image: ImageSource) -> list[np.ndarray]:
    rows, columns = slice(None), slice(None)
    return [
        image.read(t, z, rows, columns, level)
        for level in range(len(image.levels) + 1)
        for t in range(image.length("T"))
        for z in range(image.length("Z"))
    ]


def equal(found: list[list[np.ndarray]], whole: list[list[np.ndarray]]) -> bool:
    return [len(image) for image in found] == [len(image) for image in whole] and all(
        np.array_equal(a, b)
        for image, other in zip(found, whole, strict=True)
        for a, b in zip(image, other, strict=True)
    )


def refused_or_equal(path: Path, whole: list[list[np.ndarray]]) -> bool:
    try:
        found = everything(path)
    except InputError:
        return False
    assert equal(found, whole), f"{path.name} of {path.stat().st_size} bytes was read in part"
    return True


def cuts(size: int) -> list[int]:
    """Where to cut a file of so many bytes: all over it, and closely at its end."""
    near_end = (size - n for n in (1, 2, 4, 8, 12, 16, 50, 100))
    return sorted({int(size * n / 40) for n in range(40)} | {n for n in near_end if n > 0})


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_is_cut_off_is_never_read_in_part(tmp_path, name):
    WRITERS[name](tmp_path / name)
    data = (tmp_path / name).read_bytes()
    whole = everything(tmp_path / name)
    cut = tmp_path / f"cut_{name}"
    refused = 0
    for size in cuts(len(data)):
        cut.write_bytes(data[:size])
        refused += not refused_or_equal(cut, whole)
    assert refused >= 20


@pytest.mark.parametrize("version", [2, 3])
def test_zarr_files_that_are_cut_off_are_never_read_in_part(tmp_path, version):
    folder = tmp_path / "a.zarr"
    zarr.create_array(folder, data=STACK, chunks=(1, 30, 40), zarr_format=version)
    whole = everything(folder)
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = file.read_bytes()
        for size in range(0, len(data), max(1, len(data) // 12)):
            file.write_bytes(data[:size])
            refused_or_equal(folder, whole)
        file.write_bytes(data)
    assert equal(everything(folder), whole)


def test_missing_planes_are_counted(tmp_path):
    path = tmp_path / "half.tif"
    tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "ZYX"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="holds 1 of 3 planes: the file is cut off"):
        open_file(path)


def test_a_picture_too_large_to_be_read_as_a_whole_is_refused(tmp_path):
    head = b"P5 40000 40000 255\n"
    (tmp_path / "a.pgm").write_bytes(head + bytes(100))
    with pytest.raises(InputError, match="tiled TIFF or OME-Zarr"):
        open_file(tmp_path / "a.pgm")


def test_a_declared_size_that_the_file_cannot_hold_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((64, 64), np.uint8), compression="zlib",
                     tile=(64, 64), metadata=None)  # fmt: skip
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as tiff:
        for tag in ("ImageWidth", "ImageLength", "TileWidth", "TileLength"):
            tiff.pages[0].tags[tag].overwrite(20_000, dtype="I")
    with pytest.raises(InputError, match="declares 381 MiB of pixels"):
        open_file(tmp_path / "a.tif")


def test_a_file_that_shrinks_after_it_was_opened_is_no_crash(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK, tile=(16, 16))
    (image,) = open_file(tmp_path / "a.tif")
    shutil.copy(tmp_path / "a.tif", tmp_path / "b.tif")
    (tmp_path / "a.tif").write_bytes((tmp_path / "b.tif").read_bytes()[:3000])
    with pytest.raises(InputError, match=r"'a\.tif' could not be read"):
        planes(image)
