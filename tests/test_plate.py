import numpy as np
import pandas as pd
import pytest
from figures import assert_whole
from hypothesis import given
from hypothesis import strategies as st

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import plate_of, plate_table
from napari_tsimcne.explore.conditions._plate import row_letters
from napari_tsimcne.export.figures._condition_figures import plate_figure


@pytest.mark.parametrize(
    ("name", "place"),
    [("A01", (1, 1)), ("a1", (1, 1)), ("P24", (16, 24)), ("AF48", (32, 48)), ("r01c02", (1, 2)),
     ("R16C24", (16, 24)), (" H12 ", (8, 12)), ("C-07", (3, 7)), ("R1", (18, 1)), ("C3", (3, 3)),
     ("Z09", (26, 9)), ("AA1", (27, 1))],
)  # fmt: skip
def test_wells_are_read(name, place):
    assert tuple(plate_of(pd.Series([name])).iloc[0]) == place


@given(st.lists(st.tuples(st.integers(1, 32), st.integers(1, 48)), min_size=1), st.booleans())
def test_every_well_is_read_however_it_is_written(places, by_numbers):
    names = [
        f"r{row:02}c{column:02}" if by_numbers else f"{row_letters(row)}{column}"
        for row, column in places
    ]
    index = pd.Index(range(5, 5 + len(names)))
    found = plate_of(pd.Series(names, index=index))
    assert list(found.itertuples(index=False, name=None)) == places
    assert found.index.equals(index)


def test_names_that_are_no_wells_are_listed():
    wells = pd.Series(["A01", "B", "A0", "AG01", "A49", "1A", "x", "A01", "B"], name="site")
    with pytest.raises(InputError, match=r"'site' .*'B', 'A0', 'AG01', 'A49', '1A' and 1 more"):
        plate_of(wells)


def test_a_missing_well_is_missing():
    found = plate_of(pd.Series(["B2", None, np.nan], dtype=object))
    assert found["row"].isna().tolist() == [False, True, True]
    table = plate_table(pd.Series(["B2", None, "A1"], dtype=object), np.array([0.5, 9, 0.25]))
    assert table.loc["B", 2] == 0.5 and table.loc["A", 1] == 0.25 and table.isna().sum().sum() == 4
    with pytest.raises(InputError, match="no patch has a well"):
        plate_table(pd.Series([None, None], dtype=object), np.zeros(2))


@pytest.mark.parametrize(
    ("well", "shape"),
    [("B3", (2, 3)), ("A4", (3, 4)), ("D1", (4, 6)), ("E1", (6, 8)), ("A12", (8, 12)),
     ("I1", (16, 24)), ("A25", (32, 48))],
)  # fmt: skip
def test_the_smallest_plate_that_has_the_wells_is_taken(well, shape):
    assert plate_table(pd.Series([well]), np.ones(1)).shape == shape


@given(
    st.lists(st.tuples(st.sampled_from(["A1", "B02", "r02c02", "C4"]), st.booleans()), min_size=1)
)
def test_a_table_holds_the_share_of_each_well(patches):
    wells, members = zip(*patches, strict=True)
    table = plate_table(pd.Series(wells), np.array(members))
    same = pd.Series(wells).replace({"r02c02": "B02"})
    expected = pd.Series(members).groupby(same).mean()
    for name, (row, column) in {"A1": ("A", 1), "B02": ("B", 2), "C4": ("C", 4)}.items():
        if name in expected:
            assert table.loc[row, column] == pytest.approx(expected[name])
    assert table.notna().sum().sum() == len(expected)


@pytest.mark.parametrize("well", ["B3", "H12", "P24", "AF48"])
def test_plates_of_any_size_are_drawn_uncut(well):
    table = plate_table(pd.Series(["A1", well]), np.array([0, 0.04]))
    figure = plate_figure(table, title="a cluster")
    assert_whole(figure)
    written = [text.get_text() for text in figure.axes[0].texts]
    assert written == (["0", "4"] if table.shape[0] <= 8 else [])
