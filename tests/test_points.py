import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tsimcne import ImageSource, InputError
from napari_tsimcne.patches._points import place_points, read_points
from napari_tsimcne.recipe import Depth, Points

few = settings(max_examples=60)
SIZE = Points(size=16)


def image(name="a.tif", axes="YX", shape=(100, 120), **options) -> ImageSource:
    return ImageSource.from_array(np.zeros(shape, np.uint8), axes, name=name, **options)


@pytest.fixture
def written(tmp_path):
    def write(text: str, encoding="utf-8") -> pd.DataFrame:
        path = tmp_path / "points.csv"
        path.write_text(text, encoding)
        return read_points(path)

    return write


@few
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 1),
            st.floats(-0.5, 99, allow_subnormal=False),
            st.floats(-0.5, 119, allow_subnormal=False),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_points_keep_their_order_place_and_columns(tmp_path_factory, places):
    """Through a file, in several images, with a further column."""
    images = [image(f"{n}.tif", "TYX", (2, 100, 120)) for n in "abc"]
    points = pd.DataFrame(places, columns=["image", "t", "y", "x"])
    points["image"] = points["image"].map(lambda n: "abc"[n])
    points["score"] = np.arange(len(points)) / 7
    path = tmp_path_factory.mktemp("points") / "p.csv"
    points.to_csv(path, index=False)
    table = place_points(images, read_points(path), SIZE)
    assert table["image"].tolist() == [f"{n}.tif" for n in points["image"]]
    for column in ("t", "y", "x", "score"):
        assert table[column].tolist() == points[column].tolist()
    assert (table["z"] == 0).all() and (table["size"] == 16).all() and table["label"].isna().all()
    assert table["patch"].tolist() == list(range(len(points)))


def test_upper_case_semicolons_and_a_byte_order_mark(written):
    points = written("Image;Y;X;Drug\na.tif;3.5;4;none\n", "utf-8-sig")
    table = place_points([image()], points, SIZE)
    assert table[["y", "x", "Drug"]].to_numpy().tolist() == [[3.5, 4, "none"]]


@pytest.mark.parametrize(
    ("axes", "shape", "text", "places"),
    [
        ("YX", (50, 60), "index,axis-0,axis-1\n0,7.5,8\n1,9,10\n", [[0, 0, 7.5, 8], [0, 0, 9, 10]]),
        ("TYX", (3, 50, 60), "index,axis-0,axis-1,axis-2\n0,2.0,7,8\n", [[2, 0, 7, 8]]),
        ("ZYX", (3, 50, 60), "index,axis-0,axis-1,axis-2\n0,2.0,7,8\n", [[0, 2, 7, 8]]),
        ("TZYX", (2, 3, 50, 60), "axis-0,axis-1,axis-2,axis-3\n1,2,7,8\n", [[1, 2, 7, 8]]),
    ],
)
def test_the_export_of_napari(written, axes, shape, text, places):
    table = place_points([image(axes=axes, shape=shape)], written(text), SIZE)
    assert table[["t", "z", "y", "x"]].to_numpy().tolist() == places
    assert "index" not in table and "axis-0" not in table


def test_names_of_classes_and_numbers_of_objects(written):
    table = place_points([image()], written("y,x,label\n1,2,RBC\n3,4,WBC\n"), SIZE)
    assert table["class"].tolist() == ["RBC", "WBC"] and table["label"].isna().all()
    table = place_points([image()], written("y,x,label\n1,2,7\n3,4,\n"), SIZE)
    assert table["label"].tolist() == [7, pd.NA] and "class" not in table


@pytest.mark.parametrize("name", ["a.tif", "one/a.tif", "a", "/data/one/a.tif", "one\\a.tif"])
def test_images_are_found_by_name_file_or_stem(name):
    images = [image("one/a.tif"), image("one/b.ome.tif")]
    points = pd.DataFrame({"y": [1, 2], "x": [1, 2], "image": [name, "b"]})
    assert place_points(images, points, SIZE)["image"].tolist() == ["one/a.tif", "one/b.ome.tif"]


def test_images_that_are_not_known_or_not_told_apart():
    images = [image("one/a.tif"), image("two/a.tif")]
    points = pd.DataFrame({"y": [1.0], "x": [1.0], "image": ["a.tif"]})
    with pytest.raises(InputError, match=r"'a.tif' may be any of one/a.tif, two/a.tif"):
        place_points(images, points, SIZE)
    with pytest.raises(InputError, match=r"1 images of the points are not among .*: three/a.tif"):
        place_points(images, points.assign(image="three/a.tif"), SIZE)
    many = pd.DataFrame({"y": 1.0, "x": 1.0, "image": list("pqrs")})
    with pytest.raises(InputError, match=r"4 images .*: p, q, r, \.\.\."):
        place_points(images, many, SIZE)
    with pytest.raises(InputError, match="in which of 2 images"):
        place_points(images, points.drop(columns="image"), SIZE)
    with pytest.raises(InputError, match="point 2 has no image"):
        place_points(images, pd.DataFrame({"y": 1, "x": 1, "image": ["one/a.tif", None]}), SIZE)


@few
@given(st.integers(1, 60), st.integers(1, 60), st.floats(-3, 65), st.floats(-3, 65))
def test_points_outside_of_the_image_are_refused(height, width, y, x):
    points = pd.DataFrame({"y": [0.0, y], "x": [0.0, x]})
    if -0.5 <= y < height - 0.5 and -0.5 <= x < width - 0.5:
        assert len(place_points([image(shape=(height, width))], points, SIZE)) == 2
    else:
        with pytest.raises(InputError, match=r"1 of 2 points lie outside .* first is point 2 at"):
            place_points([image(shape=(height, width))], points, SIZE)


def test_depth_chooses_or_forgets_planes(written):
    points = written("z,y,x\n0,1,1\n2,2,2\n1,3,3\n2,4,4\n")
    stack = image(axes="ZYX", shape=(3, 50, 60))
    assert place_points([stack], points, SIZE)["z"].tolist() == [0, 2, 1, 2]
    plane = stack.at_depth(Depth(method="plane", plane=2))
    table = place_points([plane], points, SIZE)
    assert table[["z", "y"]].to_numpy().tolist() == [[2, 2], [2, 4]]
    table = place_points([stack.at_depth(Depth(method="max"))], points, SIZE)
    assert table[["z", "y"]].to_numpy().tolist() == [[0, 1], [0, 2], [0, 3], [0, 4]]
    flat = points.drop(columns="z")
    assert place_points([plane], flat, SIZE)["z"].tolist() == [2] * 4
    with pytest.raises(InputError, match=r"no column 'z' but image 'a.tif' has 3 planes"):
        place_points([stack], flat, SIZE)
    with pytest.raises(InputError, match="none of 1 points lies on the plane"):
        place_points([plane], points.iloc[:1], SIZE)
    with pytest.raises(InputError, match="1 of 4 points lie outside"):
        place_points([stack], points.replace({"z": {1: 3}}), SIZE)


def test_sizes_in_micrometres():
    images = [image(n, pixel_size=(p, p), unit="µm") for n, p in (("a", 0.5), ("b", 0.25))]
    points = pd.DataFrame({"y": [1, 1], "x": [1, 1], "image": ["b", "a"]})
    table = place_points(images, points, Points(size=8, unit="µm"))
    assert table["size"].tolist() == [32, 16]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("y,row\n1,2\n", "no column x: it has y, row"),
        ("y,x\n1,2\n3,\n", "1 of 2 points have a x that is no number, the first is point 2"),
        ("y,x\nnear,2\n", "point 1 .y is 'near'"),
        ("y,x,size\n1,2,3\n", "column 'size', which every patch table has"),
        ("y,Y,x\n1,2,3\n", "has the column 'y' twice"),
        ("y,x\n", "no rows below"),
        ("", "cannot be read"),
        ("y,x\n1,2,3\n", "more values than there are column names"),
        ("y,x,class,label\n1,2,a,b\n", "both a column 'class' and a column 'label'"),
        ("axis-0,axis-1,axis-2,axis-3,axis-4\n1,2,3,4,5\n", "has 5 axes"),
    ],
)
def test_files_that_say_no_places_are_refused(written, text, says):
    with pytest.raises(InputError, match=says):
        place_points([image()], written(text), SIZE)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_points(tmp_path / "none.csv")


def test_boxes_of_blood_cells(real_data):
    from napari_tsimcne.images import open_images

    folder = real_data / "bccd"
    boxes = pd.read_csv(folder / "boxes.csv")
    boxes["y"], boxes["x"] = (
        (boxes[f"{axis}min"] + boxes[f"{axis}max"]) / 2 - 0.5 for axis in ("y", "x")
    )
    images = open_images(folder / "images").images
    table = place_points(images, boxes, Points(size=96))
    assert len(table) == len(boxes) and table["class"].tolist() == boxes["label"].tolist()
    assert table["image"].tolist() == [name.removeprefix("images/") for name in boxes["image"]]
    assert {"xmin", "ymax"} <= set(table)
