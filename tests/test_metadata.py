from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tsimcne import ImageSource, InputError
from napari_tsimcne.patches._measurement import measurement
from napari_tsimcne.patches._metadata import join_metadata, path_columns, read_metadata
from napari_tsimcne.patches._table import make_table

few = settings(max_examples=80)
words = st.text("abcXY01_-.", min_size=1, max_size=6).filter(lambda w: w.strip("."))


def table_of(*names: str, **columns) -> pd.DataFrame:
    place = {"t": 0, "z": 0, "y": 3.5, "x": 3.5, "size": 8}
    return make_table(pd.DataFrame({"image": names, **columns}).assign(**place))


def from_paths(pattern: str, *paths: str) -> pd.DataFrame:
    return path_columns(list(paths), [Path(path) for path in paths], pattern)


@given(words, words, st.integers(0, 10**6))
def test_fields_come_back_out_of_paths(plate, well, number):
    plate = plate.replace("/", "")
    columns = from_paths(
        "{plate}/{well}_f{number}.ome.tif", f"/any/{plate}/{well}_f{number}.ome.tif"
    )
    # A field takes as little as fits: a separator within one goes to the last.
    assert columns["number"].astype(str).str.endswith(str(number)).all()
    assert columns["plate"].astype(str).tolist() == [plate]
    joined = f"{columns['well'].item()}_f{columns['number'].item()}"
    assert joined == f"{well}_f{number}"


def test_whole_numbers_are_numbers_unless_zeros_lead():
    columns = from_paths("{plate}/{well}_{field}.tif", "x/7/01_3.tif", "x/12/02_10.tif")
    assert columns["plate"].tolist() == [7, 12] and columns["field"].tolist() == [3, 10]
    assert columns["well"].tolist() == ["01", "02"]
    assert columns["image"].tolist() == ["x/7/01_3.tif", "x/12/02_10.tif"]


def test_wildcards_stay_within_a_name_and_the_rest_is_literal():
    assert from_paths("{plate}/*/{well}*.tif", "p1/raw/A01-x.tif")["well"].tolist() == ["A"]
    assert from_paths("{plate}/*/{well}-*.tif", "p1/raw/A01-x.tif")["well"].tolist() == ["A01"]
    assert from_paths(r"{plate}\{well}.tif", "p1/A01.tif")["plate"].tolist() == ["p1"]
    for path in ("p1/A01.png", "p1/A01xtif", "A01.tif", "p1/A01.tif/b"):
        with pytest.raises(InputError, match="1 of 1 images do not end with"):
            from_paths("{plate}/{well}.tif", path)


def test_images_without_a_file_go_by_their_name():
    columns = path_columns(["A01 x", "A02 x"], [None, None], "{well} x")
    assert columns["well"].tolist() == ["A01", "A02"]


def test_three_of_the_images_that_do_not_match_are_named():
    with pytest.raises(InputError, match=r"4 of 5 images .* b, c, d, \.\.\."):
        path_columns(list("abcde"), [Path("x_1"), *map(Path, "bcde")], "{a}_{b}")


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("{plate/{well}.tif", "malformed"),
        ("plate}.tif", "malformed"),
        ("{}.tif", "no name"),
        ("{a b}.tif", "no name"),
        ("{a:03d}.tif", "no name"),
        ("{a}/{a}.tif", "'a' twice"),
        ("{image}.tif", "a column of every patch table"),
        ("*.tif", "has no field"),
    ],
)
def test_malformed_patterns(pattern, says):
    with pytest.raises(InputError, match=says):
        from_paths(pattern, "p/a.tif")


def test_csv_columns_get_their_types(tmp_path):
    path = tmp_path / "plate.csv"
    path.write_text(
        "\ufeffwell, dose,count,name,level,big\n01,0.5,3,None,1,9007199254740993\n02,,4,b,,2\n"
    )
    rows = read_metadata(path)
    assert rows["well"].tolist() == ["01", "02"] and rows["name"].tolist() == ["None", "b"]
    assert rows["dose"].dtype == "float64" and np.isnan(rows["dose"][1])
    assert rows["count"].dtype == "int64" and rows["level"].dtype == "Int64"
    assert rows["big"].tolist() == [9007199254740993, 2]


def test_files_that_are_no_csv(tmp_path):
    path = tmp_path / "plate.csv"
    for content in (b"", b"\xff\xfe\x00\x01", b"a,b\n1,2,3\n", b"a,b\n"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"plate\.csv"):
            read_metadata(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_metadata(tmp_path)


@few
@given(
    st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=30),
    st.sets(st.sampled_from("abcdefgh"), min_size=1),
)
def test_rows_keep_their_number_and_order(images, known):
    table = table_of(*(f"{name}.tif" for name in images), score=np.arange(len(images)))
    known = sorted(known)
    metadata = pd.DataFrame({"File": known, "dose": np.arange(len(known))})
    if not set(images) & set(known):
        with pytest.raises(InputError, match="the CSV matches no patch: its column File holds"):
            join_metadata(table, metadata, "the CSV")
        return
    joined = join_metadata(table, metadata, "the CSV")
    pd.testing.assert_frame_equal(joined[list(table)], table)
    expected = [known.index(name) if name in known else pd.NA for name in images]
    assert joined["dose"].tolist() == expected and list(joined) == [*table, "dose"]


def test_wells_join_as_text():
    paths = from_paths("{well}.tif", "01.tif", "02.tif", "03.tif")
    table = table_of("01.tif", "03.tif", "01.tif", "02.tif")
    table = join_metadata(table, paths, "paths")
    metadata = pd.DataFrame({"well": ["02", "01", "04"], "drug": ["b", "a", "d"]})
    assert join_metadata(table, metadata, "m")["drug"].fillna("-").tolist() == ["a", "-", "a", "b"]
    numbers = table_of("a", "b", plate=[1, 2], well=["A", "B"])
    metadata = pd.DataFrame({"plate": [2.0, 1.0], "well": ["B", "A"], "dose": [5, 6]})
    joined = join_metadata(numbers, metadata, "m")
    assert joined["dose"].tolist() == [6, 5] and joined["dose"].dtype == "int64"


def test_images_are_matched_by_name_end_or_stem():
    names = ["one/a.tif", "one/a.tif#1", "b.ome.tif", "c.tif"]
    metadata = pd.DataFrame({"image": ["/x/one/a.tif", "b", "images/c.tif"], "dose": [1, 2, 3]})
    assert join_metadata(table_of(*names), metadata, "m")["dose"].tolist() == [1, 1, 2, 3]
    with pytest.raises(InputError, match=r"'a.tif' of m may be any of one/a.tif, two/a.tif"):
        join_metadata(table_of("one/a.tif", "two/a.tif"), pd.DataFrame({"image": ["a.tif"]}), "m")


def test_keys_must_be_unique_and_columns_must_not_clash():
    table = table_of("a.tif", "b.tif", drug=["x", "y"])
    with pytest.raises(InputError, match=r"m has several rows for image 'a.tif'"):
        join_metadata(table, pd.DataFrame({"image": ["a.tif", "a.tif"], "dose": [1, 2]}), "m")
    with pytest.raises(InputError, match=r"several rows for the image 'a\.tif' \('a' and 'a\.tif'"):
        join_metadata(table, pd.DataFrame({"image": ["a.tif", "a"], "dose": [1, 2]}), "m")
    with pytest.raises(InputError, match="several rows for plate and well '1, A'"):
        both = table.assign(plate=1, well="A")
        join_metadata(both, pd.DataFrame({"plate": [1, 1], "well": ["A", "A"]}), "m")
    with pytest.raises(InputError, match="both have a column 'drug' with different"):
        join_metadata(table, pd.DataFrame({"image": ["a.tif", "b.tif"], "drug": ["x", "z"]}), "m")
    same = pd.DataFrame({"image": ["a.tif", "b.tif"], "drug": ["x", "y"], "dose": [1, 2]})
    assert list(join_metadata(table, same, "m")) == [*table, "dose"]
    with pytest.raises(InputError, match="no column 'image', nor one of the patch table: it has p"):
        join_metadata(table, pd.DataFrame({"p": [1]}), "m")


def test_the_plate_of_a_dose_response(real_data):
    from napari_tsimcne.images import open_images
    from napari_tsimcne.patches import place_grid
    from napari_tsimcne.recipe import Grid

    folder = real_data / "bbbc013"
    images = open_images(folder / "wells").images
    table = place_grid(images, Grid(size=320))
    paths = path_columns([i.name for i in images], [i.path for i in images], "wells/{well}.ome.tif")
    table = join_metadata(table, paths, "the paths")
    plate = read_metadata(folder / "plate.csv")
    joined = join_metadata(table, plate, "plate.csv")
    assert len(joined) == len(table) == 4 * len(images)
    expected = plate.set_index("well")["dose_level"]
    assert joined["dose_level"].tolist() == expected.loc[joined["well"]].tolist()
    by_well = join_metadata(table, plate.drop(columns="image"), "plate.csv")
    pd.testing.assert_series_equal(by_well["drug"], joined["drug"])


def test_grids_of_images_without_metadata_only_lack_it():
    image = ImageSource.from_array(np.zeros((8, 8), np.uint8), name="a")
    table = table_of(image.name, "b")
    joined = join_metadata(table, pd.DataFrame({"image": ["a"], "hit": [True], "n": [1]}), "m")
    assert joined["hit"].tolist() == [True, pd.NA] and joined["n"].tolist() == [1, pd.NA]


def test_a_measurement_is_checked_against_the_images_at_once(tmp_path):
    path = tmp_path / "doses.csv"
    names, paths = ["one", "two"], [Path("/p/A01.tif"), Path("/p/B02.tif")]

    def of(text, **options):
        path.write_text(text)
        return measurement(names, paths, metadata=path, **options)

    assert measurement(names, paths) is None
    # By name, by file, or by a column of the path.
    for key in ("image,d\ntwo,1\n", "image,d\np/B02.tif,1\n", "image,t,d\nB02,0,1\n"):
        assert of(key)(table_of(*names))["d"].tolist() == [pd.NA, 1]
    by_well = of("well,d\nB02,1\nA01,0\n", pattern="{well}.tif")
    assert by_well(table_of(*names))["d"].tolist() == [0, 1]
    assert by_well.columns == ("well", "d")
    # Images without a row are told.
    assert not by_well.without_row
    assert of("image,d\ntwo,1\n").without_row == f"{path} has no row for 1 of 2 images: one"
    partly = of("well,d\nA01,0\n", pattern="{well}.tif")
    assert partly.without_row.endswith("1 of 2 images: two")
    for text, says in (("image,d\nC03,1\n", "no patch"), ("d\n1\n", "no column 'image'"),
                       ("image,d\nA01,1\np/A01,2\n", "several rows"),
                       ("image,d\none,1\nA01.tif,2\n", "several rows")):  # fmt: skip
        with pytest.raises(InputError, match=says):
            of(text, further=())
    # What only patches have, or may have, cannot be told yet.
    assert of("label,d\n1,1\n", further=()) and of("kind,d\na,1\n")
    assert of("kind,d\na,1\n", further=["kind"]).columns == ("kind", "d")
