import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import disk
from skimage.measure import regionprops_table

from napari_tsimcne import ImageSource, InputError
from napari_tsimcne.patches._objects import place_objects
from napari_tsimcne.recipe import Depth, Objects

few = settings(max_examples=60)
ALL = Objects(size=16, border=True)


class Chunked:
    """An array that says it is read in chunks, and remembers the largest region read."""

    def __init__(self, array, chunks):
        self.array, self.chunks, self.largest = array, chunks, 0

    def __getitem__(self, index):
        region = self.array[index]
        self.largest = max(self.largest, region.size)
        return region


def source(array, axes="YX", name="a", chunks=None, **options) -> ImageSource:
    image = ImageSource.from_array(array, axes, name=name, **options)
    if chunks is None:
        return image
    chunked = Chunked(array, chunks)
    return ImageSource(
        name, axes, array.shape, array.dtype, image.channel_names, load=lambda: chunked
    )


def discs(*places, shape=(200, 200), radius=6, dtype=np.uint16) -> np.ndarray:
    labels = np.zeros(shape, dtype)
    for number, place in enumerate(places, start=1):
        labels[disk(place, radius, shape=shape)] = number
    return labels


@st.composite
def label_planes(draw):
    """Labels of scattered boxes: sparse, overlapping, in pieces, some as wide as the plane."""
    height, width = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = np.zeros((height, width), np.int64)
    for _ in range(draw(st.integers(0, 25))):
        y, x = random.integers(0, height), random.integers(0, width)
        h, w = random.integers(1, draw(st.sampled_from([3, 8, 60])), 2)
        labels[y : y + h, x : x + w] = random.choice([1, 2, 7, 2**31 + 5, 2**53 + 1, 2**62])
    if labels.any():
        # Separate regions of one value alone are a mask, which is refused.
        labels[0, 0] = 3
    return labels


@few
@given(label_planes(), st.integers(4, 80), st.none() | st.tuples(*[st.integers(1, 40)] * 2))
def test_blocks_find_and_measure_what_the_whole_plane_does(labels, side, chunks):
    pixels = np.random.default_rng(1).integers(0, 60000, (2, *labels.shape), dtype=np.uint16)
    image = source(pixels, "CYX", channel_names=("DNA", "actin"))
    mask = source(labels, name="m", chunks=chunks)
    if not labels.any():
        with pytest.raises(InputError, match="hold no object"):
            place_objects([image], {"a": mask}, ALL, block_side=side)
        return
    table, _ = place_objects([image], {"a": mask}, ALL, block_side=side)
    unique, dense = np.unique(labels, return_inverse=True)
    dense = dense.reshape(labels.shape) + (0 if unique[0] == 0 else 1)
    whole = regionprops_table(
        dense, np.moveaxis(pixels, 0, -1),
        properties=("area", "centroid", "eccentricity", "axis_major_length",
                    "axis_minor_length", "extent", "intensity_mean", "intensity_std"),
    )  # fmt: skip
    assert table["label"].tolist() == unique[unique > 0].tolist()
    ours = ("area", "y", "x", "eccentricity", "major_axis", "minor_axis", "extent",
            "mean DNA", "mean actin", "std DNA", "std actin")  # fmt: skip
    for column, theirs in zip(ours, whole.values(), strict=True):
        assert np.allclose(table[column], theirs, rtol=1e-6, atol=1e-6), column
    assert (table["size"] == 16).all() and table["patch"].tolist() == list(range(len(table)))


def test_memory_does_not_grow_with_the_image():
    places = [(y, x) for y in range(20, 500, 40) for x in range(20, 500, 40)]
    labels = discs(*places, shape=(512, 512))
    labels[36:38, 10:400] = 999  # a large object does not make its neighbours' regions large
    chunked = Chunked(labels, (32, 32))
    image = source(np.zeros((512, 512), np.uint8))
    mask = ImageSource("m", "YX", labels.shape, labels.dtype, ("c",), load=lambda: chunked)
    table, _ = place_objects([image], {"a": mask}, ALL, block_side=64)
    assert len(table) == len(places) + 1 and chunked.largest <= (64 + 13) ** 2


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float32", "float64", "uint64", ">u2"])
def test_labels_of_any_whole_type_do(dtype):
    labels = discs((50, 60), dtype=dtype)
    table, _ = place_objects([source(np.zeros((200, 200), np.uint8))], {"a": source(labels)}, ALL)
    assert table["label"].tolist() == [1] and table["area"].tolist() == [(labels > 0).sum()]
    assert (table["y"].item(), table["x"].item()) == (50, 60)


@pytest.mark.parametrize(
    ("value", "dtype", "says"),
    [
        (-5, "int32", "'m' holds -5: labels must not be negative"),
        (1.5, "float32", r"'m' holds 1\.5, which is no whole number"),
        (np.nan, "float64", "'m' holds nan, which is no whole number"),
        (np.inf, "float32", "'m' holds inf, which is no whole number"),
        (2**63 + 1, "uint64", "labels must be below"),
        (1e30, "float64", "labels must be below"),
    ],
)
def test_labels_that_number_nothing_are_refused(value, dtype, says):
    labels = discs((50, 60), dtype=dtype)
    labels[10, 10] = value
    image = source(np.zeros((200, 200), np.uint8))
    with pytest.raises(InputError, match=says):
        place_objects([image], {"a": source(labels, name="m")}, ALL)


def test_objects_at_the_border_and_small_ones_are_left_out():
    labels = discs((50, 60), (3, 100), (120, 197), (100, 100))
    labels[150:152, 150:152] = 9
    image, mask = source(np.zeros((200, 200), np.uint8)), {"a": source(labels)}

    told = []

    def found(**options):
        table, _ = place_objects([image], mask, Objects(size=16, **options),
                                 on_left_out=lambda *counts: told.append(counts))  # fmt: skip
        return table["label"].tolist()

    assert found() == [1, 4, 9]
    assert found(least_area=5) == [1, 4]
    assert found(border=True) == [1, 2, 3, 4, 9]
    assert told == [(2, 0), (2, 1), (0, 0)]
    with pytest.raises(InputError, match=r"none of 5 objects is left: 2 touch .* 3 have fewer"):
        found(least_area=1000)


def test_each_plane_has_its_objects():
    """Labels with T and Z; a chosen plane; labels of one plane for all."""
    labels = np.zeros((2, 3, 60, 60), np.uint16)
    for t in range(2):
        for z in range(3):
            labels[t, z, 20:30, 20 : 30 + t] = 1 + 10 * t + z
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1) * np.ones((60, 60), np.uint8)
    image, mask = source(pixels, "TZYX"), source(labels, "TZYX")
    table, _ = place_objects([image], {"a": mask}, ALL)
    assert table[["t", "z", "label"]].to_numpy().tolist() == [
        [t, z, 1 + 10 * t + z] for t in range(2) for z in range(3)
    ]
    assert table["mean channel 0"].tolist() == [0, 1, 2, 3, 4, 5]
    plane, _ = place_objects([image.at_depth(Depth(method="plane", plane=1))], {"a": mask}, ALL)
    assert plane["z"].tolist() == [1, 1] and plane["label"].tolist() == [2, 12]
    assert plane["mean channel 0"].tolist() == [1, 4]
    shared, _ = place_objects([image], {"a": source(labels[:, 0], "TYX")}, ALL)
    assert shared["label"].tolist() == [1, 1, 1, 11, 11, 11]
    assert shared["mean channel 0"].tolist() == [0, 1, 2, 3, 4, 5]


def test_a_projection_takes_flat_labels_only():
    pixels = np.arange(3, dtype=np.uint8).reshape(3, 1, 1) * np.ones((60, 60), np.uint8)
    image = source(pixels, "ZYX").at_depth(Depth(method="max"))
    flat = discs((30, 30), shape=(60, 60))
    table, _ = place_objects([image], {"a": source(flat)}, ALL)
    assert table["z"].tolist() == [0] and table["mean channel 0"].tolist() == [2]
    with pytest.raises(InputError, match="has 3 planes but the image is projected"):
        place_objects([image], {"a": source(np.stack([flat] * 3), "ZYX", name="m")}, ALL)


def test_label_images_that_do_not_fit_are_refused():
    image = source(np.zeros((3, 60, 60), np.uint8), "TYX")
    for labels, axes, says in [
        (np.zeros((60, 50), int), "YX", "is 60 x 50 but the image 60 x 60 pixels"),
        (np.zeros((2, 60, 60), int), "TYX", "has 2 time points but the image 3"),
        (np.zeros((2, 60, 60), int), "ZYX", "has 2 planes but the image 1"),
        (np.zeros((2, 60, 60), int), "CYX", "has 2 channels"),
    ]:
        with pytest.raises(InputError, match=says):
            place_objects([image], {"a": source(labels, axes, name="m")}, ALL)
    with pytest.raises(InputError, match="image 'a' has no label image"):
        place_objects([image], {"b": image}, ALL)


def test_one_size_holds_most_objects():
    """Of sides 10 ... 49, 95 % are at most 47: 1.2 times that is 56.4."""
    labels = np.zeros((700, 500), np.uint16)
    for i in range(40):
        y, x = 10 + 60 * (i // 8), 10 + 60 * (i % 8)
        labels[y : y + 10 + i, x : x + 5] = i + 1
    image, mask = source(np.zeros(labels.shape, np.uint8)), {"a": source(labels)}
    table, found = place_objects([image], mask, Objects(percentile=95))
    assert found == Objects(percentile=95).model_copy(update={"size": 58})
    assert (table["size"] == 58).all()
    _, found = place_objects([image], mask, Objects(percentile=100))
    assert found.size == 60


@few
@given(st.floats(0.05, 5), st.floats(0.05, 5), st.integers(1, 30))
def test_sizes_in_micrometres_are_one_length_in_all_images(a, b, side):
    labels = np.zeros((60, 60), np.uint8)
    labels[20 : 20 + side, 20 : 20 + side] = 1
    images = [source(labels, name=n, pixel_size=(p, p), unit="µm") for n, p in (("a", a), ("b", b))]
    masks = {"a": source(labels), "b": source(labels)}
    table, found = place_objects(images, masks, Objects(unit="µm", percentile=100))
    assert np.allclose(table["size"] * [a, b], found.size)
    pixels = found.size / min(a, b)
    assert pixels == pytest.approx(max(8, round(pixels / 2) * 2))
    assert found.size >= 1.2 * side * max(a, b) * 0.999999
    given_size, _ = place_objects(images, masks, Objects(size=5, unit="µm"))
    assert np.allclose(given_size["size"], [5 / a, 5 / b])


def test_micrometres_need_a_pixel_size_and_huge_objects_resampling():
    labels = np.zeros((1200, 1200), np.uint8)
    labels[10:1190, 10:1190] = 1
    image, mask = source(labels), {"a": source(labels)}
    with pytest.raises(InputError, match="does not say how large its pixels are"):
        place_objects([image], mask, Objects(unit="µm"))
    with pytest.raises(InputError, match="need windows of 1416 px, more than 1024"):
        place_objects([image], mask, Objects())
    table, _ = place_objects([image], mask, Objects(pixels=64))
    assert table["size"].tolist() == [1416]


def test_pixels_that_cannot_be_read_leave_only_brightness_missing():
    class Breaks:
        def __getitem__(self, index):
            raise OSError("disk error")

    bad = ImageSource("bad", "YX", (200, 200), np.dtype("uint8"), ("DNA",), load=Breaks)
    good = source(np.full((200, 200), 7, np.uint8), name="good", channel_names=("DNA",))
    masks = {name: source(discs((50, 50), (80, 80)), name=name) for name in ("bad", "good")}
    table, _ = place_objects([bad, good], masks, ALL)
    assert table["mean DNA"].isna().tolist() == [True, True, False, False]
    assert table["area"].nunique() == 1
    with pytest.raises(InputError, match="pixels of 'bad' could not be read"):
        place_objects([good], {"good": bad}, ALL)


def test_progress_ends_where_it_says_and_cancels():
    image, mask = (
        source(np.zeros((200, 200), np.uint8)),
        {"a": source(discs((50, 50)), chunks=(50, 50))},
    )
    told = []
    place_objects([image], mask, ALL, lambda *step: told.append(step), block_side=100)
    assert told == [(n, 8) for n in range(1, 9)]

    def cancel(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place_objects([image], mask, ALL, cancel)


def test_a_time_lapse_keeps_the_labels_of_its_tracks(real_data):
    from napari_tsimcne.images import open_file

    path = real_data / "multidim" / "cellmigration_TYX_labels.tif"
    (mask,) = open_file(path)
    mask = mask if "T" in mask.axes else mask.with_axes("TYX")
    table, found = place_objects([mask.renamed("movie")], {"movie": mask}, Objects())
    everything = tifffile.imread(path)
    assert table["t"].nunique() == mask.length("T")
    assert set(table["label"]) <= set(np.unique(everything)) and table["label"].duplicated().any()
    assert (table["mean channel 0"] == table["label"]).all()
    assert not table.duplicated(["t", "label"]).any() and found.size % 2 == 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("labels_empty", "hold no object"),
        ("labels_negative_int", "must not be negative"),
        ("labels_float_gaps", None),
        ("labels_uint32_large_ids", None),
        ("labels_touching_border_tiny", None),
    ],
)
def test_odd_label_files(real_data, name, says):
    from napari_tsimcne.images import open_file

    path = real_data / "awkward" / "generated" / f"{name}.tif"
    (mask,) = open_file(path)
    image = source(np.zeros(mask.height_width, np.uint8))
    if says:
        with pytest.raises(InputError, match=says):
            place_objects([image], {"a": mask}, ALL)
    else:
        table, _ = place_objects([image], {"a": mask}, ALL)
        expected = np.unique(tifffile.imread(path)).astype(np.int64)
        assert table["label"].tolist() == expected[expected > 0].tolist()
