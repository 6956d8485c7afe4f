import datetime
import json

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import mapped

from napari_tsimcne import Grid, ImageSource, InputError, Recipe, Run, __version__
from napari_tsimcne.explore import Exploration
from napari_tsimcne.export import Excerpt
from napari_tsimcne.export._anndata import export_anndata, writable
from napari_tsimcne.export._tables import export_table
from napari_tsimcne.runs import open_exploration


@pytest.fixture
def excerpt(tiny_run) -> Excerpt:
    """Of all 81 patches: 10 in 'round "cells"', 5 in 'ältere, große', 1 in none that is shown."""
    exploration = open_exploration(mapped(tiny_run))
    mask = np.arange(81)
    exploration.clusters.create(mask < 10, 'round "cells"', "#ff0000")
    exploration.clusters.create(mask > 100, "empty", "#00ff00")
    exploration.clusters.create((mask >= 20) & (mask < 25), "ältere, große", "#0000ff")
    return Excerpt.all(tiny_run, exploration)


def with_columns(excerpt, **columns) -> Excerpt:
    """The same patches with further columns."""
    old = excerpt.exploration
    table = old.table.assign(**columns)
    new = Exploration(table, old.coordinates, lambda: old.features,
                      clusters=old.clusters.all, ids=old.clusters.ids)  # fmt: skip
    return Excerpt(excerpt.run, new, excerpt.mask)


def awkward(count: int) -> dict:
    """Columns that are hard to write, each with missing values."""

    def every_third_missing(values, missing=None):
        return [missing if i % 3 == 0 else values[i % len(values)] for i in range(count)]

    return {
        "mean DNA/RNA": np.linspace(0, 1, count, dtype=np.float32),
        "_index": np.arange(count, dtype=np.uint16),
        "treated": pd.array(every_third_missing([True, False]), dtype="boolean"),
        "object of booleans": pd.Series(every_third_missing([True, False]), dtype=object),
        "well": pd.Series(every_third_missing(["A1", "B 2", "µ3"]), dtype=object),
        "day": pd.to_datetime(every_third_missing(["2024-01-01", "2024-01-02 10:30"]),
                              format="ISO8601"),
        "date": pd.Series(every_third_missing([datetime.date(2024, 5, 17)]), dtype=object),
        "nothing": pd.Series([None] * count, dtype=object),
        "no number": np.full(count, np.nan),
        "dose": pd.Categorical(every_third_missing(["low", "high"]), ["none", "low", "high"],
                               ordered=True),
    }  # fmt: skip


# --- tables -------------------------------------------------------------------------------------


def test_csv_holds_every_patch_with_its_place_and_cluster(excerpt, tmp_path):
    assert export_table(excerpt, tmp_path / "all.csv") == 81
    read = pd.read_csv(tmp_path / "all.csv", encoding="utf-8")
    assert list(read) == [*excerpt.run.table, "map_x", "map_y", "cluster"]
    for name, at in (("map_x", 0), ("map_y", 1)):
        assert (read[name].astype(np.float32) == excerpt.coordinates[:, at]).all()
    assert set(read["cluster"].dropna()) == {'round "cells"', "ältere, große"}
    assert read["cluster"].isna().sum() == 66 and read["label"].isna().all()


def test_parquet_keeps_types_and_categories(excerpt, tmp_path):
    excerpt = with_columns(excerpt, **awkward(81))
    export_table(excerpt, tmp_path / "all.parquet")
    read = pd.read_parquet(tmp_path / "all.parquet")
    pd.testing.assert_frame_equal(read, excerpt.table)
    assert list(read["cluster"].cat.categories) == ['round "cells"', "empty", "ältere, große"]
    assert read["label"].dtype == "Int64" and read["treated"].dtype == "boolean"


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_part_is_written_in_its_order(excerpt, tmp_path, suffix, monkeypatch):
    monkeypatch.setattr("napari_tsimcne.export._tables.ROWS", 4)
    part = Excerpt.of_clusters(excerpt.run, excerpt.exploration, ["ältere, große", 'round "cells"'])
    heard = []
    path = tmp_path / f"part{suffix}"
    export_table(part, path, told=lambda what, done, total: heard.append((done, total)))
    read = pd.read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
    assert list(read["patch"]) == [*range(10), *range(20, 25)]
    assert heard == [(0, 15), (4, 15), (8, 15), (12, 15)]


def test_the_third_dimension_is_written_too(tmp_path, stripes):
    recipe = Recipe.quick(Grid(size=16), batch_size=8, map_dimensions=3)
    run = Run.create(tmp_path / "run", [ImageSource.from_array(stripes)], recipe)
    places = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    run.save_map(places, places, stopped=False, write_weights=lambda path: path.write_bytes(b""))
    excerpt = Excerpt.all(run, open_exploration(run))
    export_table(excerpt, tmp_path / "all.parquet")
    read = pd.read_parquet(tmp_path / "all.parquet")
    assert list(read)[-4:] == ["map_x", "map_y", "map_z", "cluster"]
    assert (read[["map_x", "map_y", "map_z"]].to_numpy() == places).all()
    assert list(excerpt.table)[-1] == "cluster", "the excerpt is not changed"
    export_anndata(excerpt, tmp_path / "all.h5ad")
    assert (anndata.read_h5ad(tmp_path / "all.h5ad").obsm["X_tsimcne"] == places).all()


def test_patches_without_a_place_have_no_coordinates(tiny_run, tmp_path):
    excerpt = Excerpt.all(tiny_run, open_exploration(tiny_run))
    export_table(excerpt, tmp_path / "all.csv")
    assert pd.read_csv(tmp_path / "all.csv")[["map_x", "map_y", "cluster"]].isna().all(axis=None)
    with pytest.raises(InputError, match="no map yet"):
        export_anndata(excerpt, tmp_path / "all.h5ad")


@pytest.mark.parametrize(
    "export, name",
    [(export_table, "a.csv"), (export_table, "a.parquet"), (export_anndata, "a.h5ad")],
)  # fmt: skip
def test_what_is_there_stays_unless_told(excerpt, tmp_path, export, name):
    path = tmp_path / name
    path.write_text("precious")
    with pytest.raises(InputError, match="exists"):
        export(excerpt, path)

    def cancel(what, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(excerpt, path, overwrite=True, told=cancel)
    assert path.read_text() == "precious" and list(tmp_path.glob(f"*{name}")) == [path]
    assert export(excerpt, path, overwrite=True) == 81
    assert path.stat().st_size > 4000
    with pytest.raises(InputError, match="must end in"):
        export(excerpt, tmp_path / "a.xlsx")


# --- AnnData ------------------------------------------------------------------------------------


def test_anndata_holds_features_map_and_columns(excerpt, tmp_path):
    assert export_anndata(excerpt, tmp_path / "all.h5ad") == 81
    read = anndata.read_h5ad(tmp_path / "all.h5ad")
    run = excerpt.run
    assert read.X.dtype == np.float32 and (run.features == read.X).all()
    assert (read.obsm["X_tsimcne"] == run.coordinates).all()
    assert (read.obsm["spatial"] == run.table[["x", "y"]].to_numpy()).all()
    assert list(read.obs_names) == [str(i) for i in range(81)]
    assert list(read.var_names) == [f"H{i}" for i in range(8)]
    assert list(read.obs) == [*run.table, "cluster"]
    assert list(read.obs["cluster"].cat.categories) == ['round "cells"', "ältere, große"]
    assert list(read.uns["cluster_colors"]) == ["#ff0000", "#0000ff"]
    assert read.obs["cluster"].isna().sum() == 66
    made = read.uns["tsimcne"]
    assert Recipe.model_validate_json(made["recipe"]) == run.recipe
    assert json.loads(made["recipe"])["preset"] == "quick"
    assert (made["run"], made["software"]) == ("run", __version__)
    assert list(made["channels"]) == [channel.name for channel in run.info.channels]
    assert made["images"].loc["field", "axes"] == "CYX" and made["spatial_unit"] == "pixel"


def test_anndata_of_a_part_without_clusters(excerpt, tmp_path):
    mask = np.arange(81) >= 70
    part = Excerpt(excerpt.run, excerpt.exploration, mask)
    export_anndata(part, tmp_path / "part.h5ad")
    read = anndata.read_h5ad(tmp_path / "part.h5ad")
    assert list(read.obs_names) == [str(i) for i in range(70, 81)]
    assert (excerpt.run.features[70:] == read.X).all()
    assert read.obs["cluster"].isna().all() and "cluster_colors" not in read.uns


def test_places_are_in_micrometres_where_all_images_have_them(tmp_path, stripes):
    images = [
        ImageSource.from_array(stripes, name="fine", pixel_size=(0.5, 0.25), unit="µm"),
        ImageSource.from_array(stripes, name="a/coarse", pixel_size=(2000, 1000), unit="nm"),
    ]
    run = Run.create(tmp_path / "run", images, Recipe.quick(Grid(size=16), batch_size=8))
    excerpt = Excerpt.all(run, open_exploration(mapped(run)))
    export_anndata(excerpt, tmp_path / "all.h5ad")
    read = anndata.read_h5ad(tmp_path / "all.h5ad")
    assert read.uns["tsimcne"]["spatial_unit"] == "µm"
    factors = np.repeat([[0.25, 0.5], [1, 2]], 20, axis=0)
    assert np.allclose(read.obsm["spatial"], run.table[["x", "y"]].to_numpy() * factors)
    assert list(read.uns["tsimcne"]["images"].index) == ["fine", "a/coarse"]


def test_awkward_columns_are_written_and_what_is_missing_stays_missing(excerpt, tmp_path):
    columns = awkward(81)
    excerpt = with_columns(excerpt, **columns)
    export_anndata(excerpt, tmp_path / "all.h5ad")
    read = anndata.read_h5ad(tmp_path / "all.h5ad").obs
    for name in ("treated", "object of booleans", "well", "day", "date", "dose"):
        assert (read[name].isna() == (np.arange(81) % 3 == 0)).all(), name
    assert read[["nothing", "no number"]].isna().all(axis=None)
    assert (
        list(read["treated"][[1, 2]]) == list(read["object of booleans"][[1, 2]]) == [False, True]
    )
    assert read["treated"].dtype == read["object of booleans"].dtype == "boolean"
    assert set(read["day"].cat.categories) == {"2024-01-01 00:00:00", "2024-01-02 10:30:00"}
    assert set(read["date"].cat.categories) == {"2024-05-17"}
    assert list(read["dose"].cat.categories) == ["none", "low", "high"] and read["dose"].cat.ordered
    assert read["mean DNA_RNA"].dtype == np.float32 and "_index 2" in read
    assert (read["_index 2"] == columns["_index"]).all()


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(max_size=4),
    st.dates(), st.datetimes(), st.lists(st.integers(), max_size=2), st.decimals(allow_nan=False),
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(values, min_size=1, max_size=12))
def test_any_mix_of_values_can_be_written(tmp_path_factory, mixed):
    column = pd.Series(mixed, dtype=object, name="mixed")
    made = writable(column)
    assert (made.isna().to_numpy() == column.isna().to_numpy()).all()
    folder = tmp_path_factory.mktemp("mixed")
    obs = made.to_frame().set_axis([str(i) for i in range(len(made))])
    anndata.AnnData(obs=obs).write_h5ad(folder / "mixed.h5ad")
    read = anndata.read_h5ad(folder / "mixed.h5ad").obs["mixed"]
    assert (read.isna().to_numpy() == column.isna().to_numpy()).all()


@pytest.mark.parametrize("kind", ["Int64", "UInt8", "boolean", "Float32", "string", "category"])
def test_types_that_may_be_missing_are_kept(kind):
    whole = [True, False] if kind == "boolean" else [1, 2]
    column = pd.Series([*whole, None], dtype=object).astype(kind)
    made = writable(column)
    assert list(made.isna()) == [False, False, True]
    full = writable(column[:2])
    assert not full.isna().any()
    if kind in ("Int64", "UInt8", "boolean"):
        assert isinstance(full.dtype, np.dtype), "readers that know no missing values read it"


def test_scanpy_uses_it(excerpt, tmp_path):
    """Takes some seconds, for importing scanpy."""
    scanpy = pytest.importorskip("scanpy")
    import matplotlib

    matplotlib.use("Agg")
    export_anndata(excerpt, tmp_path / "all.h5ad")
    data = scanpy.read_h5ad(tmp_path / "all.h5ad")
    axes = scanpy.pl.embedding(data, basis="tsimcne", color="cluster", show=False)
    shown = {tuple(np.round(color, 3)) for color in axes.collections[0].get_facecolors()}
    assert {(1.0, 0.0, 0.0, 1.0), (0.0, 0.0, 1.0, 1.0)} <= shown
    # Of the two methods the one that compiles nothing.
    scanpy.pp.neighbors(data, use_rep="X", n_neighbors=5, method="gauss")
    assert data.obsp["connectivities"].shape == (81, 81)
