"""Tables as people and spreadsheets write them, and columns that the program has, too."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tsimcne import Grid, ImageSource, InputError, Points, Recipe, Run
from napari_tsimcne.patches import (
    join_metadata,
    measurement,
    path_columns,
    place_points,
    read_metadata,
    read_points,
)
from napari_tsimcne.patches._agreement import look_alikes
from napari_tsimcne.patches._table import columns_renamed, make_table


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")

    def _write(content, name="table.csv"):
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return _write


@pytest.fixture
def read(write):
    """Read a table, and return it with what was reported."""

    def _read(content):
        told = []
        return read_metadata(write(content), told.append), " | ".join(told)

    return _read


def table_of(*names, **columns):
    place = {"t": 0, "z": 0, "y": 3.5, "x": 3.5, "size": 8}
    return make_table(pd.DataFrame({"image": names, **columns}).assign(**place))


# --- reading --------------------------------------------------------------------------------------

cells = st.text("abcXYZ µé;,\t|'#.-_()5", min_size=1, max_size=8).map(lambda text: f"v{text}v")


@settings(max_examples=60)
@given(
    st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=5),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)
def test_what_was_written_is_read_whatever_separates_it(write, rows, sep, encoding, end, says):
    def line(values):
        return sep.join(f'"{value}"' for value in values) + end

    text = (f"sep={sep}{end}" if says else "") + line(["image", "dose, uM; nominal", "a|b"])
    text += "".join(map(line, rows)) + end
    found = read_metadata(write(text.encode(encoding)))
    assert list(found) == ["image", "dose, uM; nominal", "a|b"]
    assert found.to_numpy().tolist() == [[" ".join([v]).strip() for v in row] for row in rows]


def test_fields_are_counted_not_characters(read):
    found, _ = read('well;"dose, in uM, nominal";drug\nA01;0,5;a\nA02;1,25;b\n')
    assert found["dose, in uM, nominal"].tolist() == [0.5, 1.25]
    found, _ = read("image,note; more\na.tif,x; y\n")
    assert list(found) == ["image", "note; more"]


@pytest.mark.parametrize("sep", [";", "\t"])
def test_decimal_commas_are_numbers_and_reported(read, sep):
    found, told = read("well;dose;n\nA01;0,5;1\nA02;10,25;2\nA03;;3\n".replace(";", sep))
    assert found["dose"].tolist()[:2] == [0.5, 10.25] and np.isnan(found["dose"][2])
    assert found["n"].dtype == "int64" and "dose has decimal commas: 0,5 is 0.5" in told
    found, _ = read('well,dose\nA01,"0,5"\nA02,"1e-3"\n')
    assert found["dose"].tolist() == [0.5, 1e-3]


def test_numbers_that_may_be_two_are_not_guessed(read):
    found, told = read("well;cells\nA01;1,234\nA02;5,678\n")
    assert found["cells"].tolist() == ["1,234", "5,678"]
    assert "1,234 may be 1.234 or 1234" in told
    # Others show what commas mean here.
    found, _ = read("well;cells;dose\nA01;1,234;0,5\nA02;5,678;1,0\n")
    assert found["cells"].tolist() == [1.234, 5.678]
    found, told = read("well;cells;dose\nA01;1.234;0,5\nA02;5.678;1,0\n")
    assert found["cells"].tolist() == ["1.234", "5.678"] and "1.234 may be" in told
    for number in ("1.234,5", "1,234.5"):
        found, told = read(f"well;cells\nA01;{number}\nA02;2\n")
        assert found["cells"].tolist() == [number, "2"] and f"'{number}' in row 1" in told


def test_spaces_and_what_cannot_be_seen_make_no_difference(read):
    found, _ = read(
        "\ufeffimage, drug\u00a0,dose \n a.tif,DMSO ,1 \nb.tif,\u00a0DMSO,2\u202f\n"
        "c.tif,DM\u200bSO,\u22123\n"
    )
    assert list(found) == ["image", "drug", "dose"]
    assert set(found["drug"]) == {"DMSO"} and found["dose"].tolist() == [1, 2, -3]
    found, _ = read("drug\nZu\u0308rich\nZ\u00fcrich\n5\u00a0µM\n5 µM\n")
    assert found["drug"].nunique() == 2


def test_values_that_look_the_same_are_named_and_kept(read):
    found, _ = read("drug,dose\nDMSO,5 µM\ndmso,5µM\nDM SO,5 \u03bcM\ntaxol,10%\n")
    assert found["drug"].nunique() == 4 and found["dose"].nunique() == 4
    first, second = look_alikes(found)
    assert first.startswith("drug has 'DMSO' and 'dmso' and 'DM SO'") and "'5µM'" in second


def test_encodings(read):
    assert read("drug\nZürich\n".encode("utf-16-le"))[0]["drug"].tolist() == ["Zürich"]
    found, told = read("well,drug\nA01,Zürich\n".encode("cp1252"))
    assert found["drug"].tolist() == ["Zürich"]
    assert "Windows-1252" in told and "line 2 is 'A01,Zürich'" in told
    with pytest.raises(InputError, match=r"unknown encoding.*CSV UTF-8"):
        read(b"drug\n\x81\x8d\n")
    for workbook in (b"PK\x03\x04xl", b"\xd0\xcf\x11\xe0abc"):
        with pytest.raises(InputError, match=r"workbook.*save the sheet as CSV"):
            read(workbook)


def test_lines_and_columns_that_say_nothing_are_passed_over(read):
    text = "# made by a, robot\n\n#plate,1\nimage,,dose,\n\na.tif,,1,,,\n,,,\nb.tif,,2\n"
    found, told = read(text)
    assert found.to_dict("list") == {"image": ["a.tif", "b.tif"], "dose": [1, 2]} and not told
    assert list(read("#image\tdose\na.tif\t1\n")[0]) == ["image", "dose"]
    assert list(read("# all\n# x,y,z\nimage,dose\na.tif,1\n")[0]) == ["image", "dose"]
    for index in ("", "Unnamed: 0"):
        assert list(read(f"{index},image,dose\n0,a.tif,1\n1,b.tif,2\n")[0]) == ["image", "dose"]
    found, told = read("image,,dose\na.tif,left,1\n")
    assert found["column 2"].tolist() == ["left"] and "column 2 has no name" in told


@pytest.mark.parametrize("sep", [" ", "\t", ";"])
def test_tables_that_r_writes_are_read(read, sep):
    """Of write.table, which leaves the column of row names without a name."""

    def written(*rows):
        return "".join(sep.join(row) + "\n" for row in rows)

    text = written(
        ['"image"', '"dose"', '"drug name"'],
        ['"1"', '"a 1.tif"', "0.5", '"DMSO"'],
        ['"2"', '"b 1.tif"', "NA", '"x y"'],
    )
    found, said = read(text)
    assert list(found) == ["image", "dose", "drug name"] and "taken as missing" in said
    assert found["image"].tolist() == ["a 1.tif", "b 1.tif"] and found["dose"][0] == 0.5
    # Names of rows are kept: they may say which image it is.
    found, said = read(written(["dose", "drug"], ["A01.tif", "1", "x"], ["A02.tif", "2", "y"]))
    assert found["column 1"].tolist() == ["A01.tif", "A02.tif"] and "has no name" in said


@pytest.mark.parametrize(
    ("text", "says"),
    [("a,b\n1,2,3\n", "line 2 has 3, and 2 columns have names"),
     ("well,dose\nA01,0,5\nA02,1,5\n", "decimal commas"),
     ("image,dose,dose \na,1,2\n", "the column 'dose' twice .columns 2 and 3."),
     ("My plate\nimage,dose\na,1\n", "lines above the names by #"),
     ('image,dose\n"a,1\n' + "b,2\n" * 30, "never closed"),
     ("a\0b\n1\n", "no text"), ("# only\n", "empty"), ("a,b\n,\n", "no rows")],
)  # fmt: skip
def test_what_cannot_be_read_says_where(read, text, says):
    with pytest.raises(InputError, match=rf"table\.csv .*{says}"):
        read(text)


def test_the_value_that_keeps_a_column_from_being_numbers_is_named(read):
    found, told = read("well,dose,date\nA01,0.5,01.02.2024\nA02,5 µM,02.02.2024\nA03,1,n/a\n")
    assert found["dose"].tolist() == ["0.5", "5 µM", "1"]
    assert "dose is text, not numbers: '5 µM' in row 2 is none" in told
    assert "'n/a' in date was taken as missing" in told and "date is text" not in told
    assert not read("well\n01\n02\n12\n13\n14\n")[1]
    assert read('well\n="01"\n')[0]["well"].tolist() == ["01"]


# --- matching -------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["well", "Well", "well_id", "Well Name", "Metadata_Well"])
@pytest.mark.parametrize("written", ["A{}", "A{:02}", "a{:03}", "R01C{:02}", "r1c{}"])
def test_wells_are_the_same_however_they_are_written(header, written):
    images = [f"A{n:02}.tif" for n in range(1, 13)]
    paths = path_columns(images, [None] * 12, "{well}.tif")
    metadata = pd.DataFrame({header: [written.format(n) for n in range(12, 0, -1)]})
    metadata["dose"] = np.arange(12, 0, -1)
    for table in (join_metadata(table_of(*images), paths, "paths"), table_of(*images)):
        joined = join_metadata(table, metadata, "m")
        assert joined["dose"].tolist() == list(range(1, 13))
    assert join_metadata(table_of(*images), paths, "p")["well"].tolist()[0] == "A01"
    by_name = metadata.rename(columns={header: "image"})
    assert join_metadata(table_of(*images), by_name, "m")["dose"].tolist() == list(range(1, 13))


def test_wells_by_row_and_column_on_several_plates():
    images = [f"p{p}/r{r}c{c}.tif" for p in (1, 2) for r in (1, 2) for c in (1, 2)]
    paths = path_columns(images, [None] * 8, "p{plate}/{well}.tif")
    table = join_metadata(table_of(*images), paths, "paths")
    metadata = pd.DataFrame(
        [(f"0{p}", r, c, f"{p}{r}{c}") for p in (1, 2) for r in "AB" for c in (1, 2)],
        columns=["Plate", "Row", "Column", "drug"],
    )
    joined = join_metadata(table, metadata, "m")
    assert joined["drug"].tolist() == ["1A1", "1A2", "1B1", "1B2", "2A1", "2A2", "2B1", "2B2"]
    fields = [f"plate.zarr/{r}/{c}/0" for r in "AB" for c in (1, 2)]
    wells = pd.DataFrame({"Well": ["A01", "A02", "B01", "B02"], "dose": [1, 2, 3, 4]})
    assert join_metadata(table_of(*fields), wells, "m")["dose"].tolist() == [1, 2, 3, 4]
    rows = path_columns(fields, [None] * 4, "{plate}.zarr/{row}/{column}/{field}")
    assert rows["row"].tolist() == ["A", "A", "B", "B"]


@pytest.mark.parametrize("keys", [["A1_s1", "A2_s1", "A10_s1"], ["A1_s01", "A2_s01", "A10_s01"]])
def test_zeros_before_numbers_are_passed_over_where_nothing_else_fits(keys):
    names = ["A01_s1.tif", "A02_s1.tif", "A10_s1.tif"]
    metadata = pd.DataFrame({"image": keys, "dose": [1, 2, 10]})
    assert list(join_metadata(table_of(*names), metadata, "doses")["dose"]) == [1, 2, 10]


def test_names_that_differ_by_zeros_are_two_where_both_are_there():
    metadata = pd.DataFrame({"image": ["x_1", "x_01", "x_2"], "dose": [1, 2, 3]})
    joined = join_metadata(table_of("x_01.tif", "x_2.tif"), metadata, "doses")
    assert list(joined["dose"]) == [2, 3]
    metadata = pd.DataFrame({"image": ["x_001"], "dose": [1]})
    with pytest.raises(InputError, match="other zeros"):
        join_metadata(table_of("x_01.tif", "x_1.tif"), metadata, "doses")


def test_notes_among_the_wells_are_rows_of_none():
    metadata = pd.DataFrame({"Well": ["A - 1", "A2", "empty", "see note"], "dose": [1, 2, 3, 4]})
    joined = join_metadata(table_of("A01.tif", "A02.tif"), metadata, "doses")
    assert list(joined["dose"]) == [1, 2]


def test_long_numbers_are_names_and_none_is_infinite(read):
    table, _ = read("id,dose\n1234567890123456789,1e400\n1234567890123456788,1\n")
    assert list(table["id"]) == ["1234567890123456789", "1234567890123456788"]
    assert table["dose"].dtype.kind == "O"


def test_columns_that_are_not_about_wells_are_compared_as_they_are():
    table = table_of("x.tif", "y.tif", clone=["A1", "A01"])
    metadata = pd.DataFrame({"clone": ["A01", "A1"], "dose": [1, 2]})
    assert join_metadata(table, metadata, "m")["dose"].tolist() == [2, 1]


def test_files_written_in_another_way_are_found():
    names = ["A01_s1.tif", "Z\u00fcrich_01.tif", "mouse #1.tif", "x.ome.tif"]
    keys = ["C:\\data\\A01_s1.TIF", "Zu\u0308rich_01.tiff", " 'Mouse #1' ", "file:///d/x.ome.TIFF"]
    metadata = pd.DataFrame({"File Name": keys, "dose": [1, 2, 3, 4]})
    assert join_metadata(table_of(*names), metadata, "m")["dose"].tolist() == [1, 2, 3, 4]


def test_rows_of_one_image_may_repeat_but_not_contradict_each_other():
    table = table_of("a.tif", "b.tif")
    for second in ("a.tif", "a", "A.TIF"):
        told = []
        rows = pd.DataFrame({"image": ["a.tif", "b.tif", second], "dose": [1, 2, 1]})
        assert join_metadata(table, rows, "m", report=told.append)["dose"].tolist() == [1, 2]
        assert told == ["1 row of m repeats what another says of the same image"]
        with pytest.raises(InputError, match=r"rows \d and \d differ in dose \('\d' and '\d'\)"):
            join_metadata(table, rows.assign(dose=[1, 2, 3]), "m")
    wells = pd.DataFrame({"well": ["A1", "A01"], "dose": [1, 1]})
    assert join_metadata(table.assign(well="A01"), wells, "m")["dose"].tolist() == [1, 1]
    with pytest.raises(InputError, match="several rows for well 'A1': rows 1 and 2 differ"):
        join_metadata(table.assign(well="A01"), wells.assign(dose=[1, 2]), "m")


def test_what_became_of_a_table_is_known_before_anything_is_cut(write):
    path = write("image;drug;dose;cluster\nA01.tif;DMSO;0,5;a\nB02.tif;dmso;1;b\nC0l.tif;x;2;c\n")
    names = ["A01.tif", "B02.tif", "C01.tif"]
    found = measurement(names, [None] * 3, metadata=path)
    told = " | ".join(found.notes)
    assert found.columns_text.startswith("drug: text, 2 values; dose: numbers, 0.5 to 1")
    for says in ("dose has decimal commas", "'DMSO' and 'dmso'", "as 'cluster (metadata)'"):
        assert says in told
    assert found.without_row.endswith("images: C01.tif; did you mean 'C0l.tif'?")
    assert found.columns == ("drug", "dose", "cluster (metadata)")


# --- points ---------------------------------------------------------------------------------------


def test_points_as_spreadsheets_write_them(write):
    path = write("sep=;\nImage;X;Y;cluster\nA01.TIF;2,5;3;a\nB01;4,25;5;b\n", "points.csv")
    told = []
    points = read_points(path, told.append)
    assert any("decimal commas" in one for one in told) and "cluster (metadata)" in points
    pixels = np.zeros((16, 16), np.uint8)
    images = [ImageSource.from_array(pixels, name=name) for name in ("A01.tif", "B01.tif")]
    table = place_points(images, points, Points(size=8))
    assert table["image"].tolist() == ["A01.tif", "B01.tif"] and table["x"].tolist() == [2.5, 4.25]
    with pytest.raises(InputError, match=r"is '100,250'\).*decimal point"):
        place_points(images, read_points(write('y,x,image\n"100,250",1,A01\n')), Points(size=8))
    with pytest.raises(InputError, match=r"C01\.tif.*did you mean"):
        place_points(images, read_points(write("y,x,image\n1,1,C01.tif\n")), Points(size=8))


# --- names that the program uses ------------------------------------------------------------------

OWN = ["cluster", "map_x", "map_y", "map_z", "added", "familiarity", "unfamiliar"]


@pytest.mark.parametrize("name", OWN)
def test_a_column_called_as_one_of_the_map_is_kept_under_another_name(name):
    told = []
    metadata = pd.DataFrame({"image": ["a.tif", "b.tif"], name: ["mine", "yours"]})
    joined = join_metadata(table_of("a.tif", "b.tif"), metadata, "m", report=told.append)
    assert joined[f"{name} (metadata)"].tolist() == ["mine", "yours"] and name not in joined
    assert len(told) == 1 and f"'{name}' as '{name} (metadata)'" in told[0]
    assert columns_renamed(joined) == {name: f"{name} (metadata)"}
    columns = path_columns(["x_1.tif"], [None], f"{{{name}}}_{{n}}.tif", told.append)
    assert list(columns) == ["image", f"{name} (metadata)", "n"] and len(told) == 2


def test_columns_of_places_are_kept_beside_those_of_the_patches():
    told = []
    metadata = pd.DataFrame({"image": ["a.tif"], "size": ["large"], "label": ["x"], "t": [0]})
    joined = join_metadata(table_of("a.tif"), metadata, "m", report=told.append)
    assert joined["size"].tolist() == [8] and joined["size (metadata)"].tolist() == ["large"]
    assert joined["label (metadata)"].tolist() == ["x"] and "t (metadata)" not in joined
    assert "'size' as 'size (metadata)'" in told[0]


def test_runs_that_hold_such_a_column_open_with_it_renamed(tmp_path):
    image = ImageSource.from_array(np.random.default_rng(0).random((64, 64)), "YX", name="a")
    recipe = Recipe.quick(Grid(size=8), batch_size=16)
    run = Run.create(
        tmp_path / "run", [image], recipe, measure=lambda table: table.assign(cluster="mine")
    )
    assert set(run.table["cluster (metadata)"]) == {"mine"} and not run.renamed
    stored = pd.read_parquet(tmp_path / "run" / "patches.parquet")
    stored = stored.rename(columns={"cluster (metadata)": "cluster"}).assign(map_x=7)
    stored.to_parquet(tmp_path / "run" / "patches.parquet", index=False)
    again = Run.open(tmp_path / "run").table
    assert set(again["cluster (metadata)"]) == {"mine"} and set(again["map_x (metadata)"]) == {7}
    assert "cluster" not in again
    assert "'cluster' as 'cluster (metadata)'" in Run.open(tmp_path / "run").renamed
