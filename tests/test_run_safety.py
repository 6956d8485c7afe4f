"""Run folders that come from anybody lead nowhere, take no memory, and end in no traceback."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import suppress

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from making import make_tiny_run, mapped
from test_additions import add, field_image

from napari_tsimcne import Run
from napari_tsimcne.errors import InputError, TrainingError
from napari_tsimcne.events import Finished
from napari_tsimcne.runs import (
    EventReader,
    compare_seeds,
    extended,
    is_training,
    missing_images,
    new_addition,
    open_exploration,
    refused_additions,
    save_exploration,
    seed_run,
    seed_runs,
    training_seconds,
)

ADDED = "added/001-more"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run with all that a run can hold; not to be changed."""
    run = mapped(make_tiny_run(tmp_path_factory.mktemp("whole") / "run"))
    add(run, [field_image("more")], "more")
    mapped(seed_run(run, 1), seed=1)
    compare_seeds(run)
    both = extended(run)
    explored = open_exploration(both)
    explored.clusters.create(np.arange(97) < 20, "first")
    explored.selection.select(np.arange(97) > 60)
    save_exploration(both, explored)
    end = Finished(stopped=False, seconds=1.5).model_dump_json()
    (run.folder / "events.jsonl").write_text(f'{end}\n{{"kind":"map"}}\n')
    np.savez(run.folder / "live_map.npz", rows=np.arange(3), coordinates=np.zeros((3, 2)))
    (run.folder / "moved.json").write_text('{"a/b.tif": "/c/b.tif"}')
    return run.folder


FILES = (
    "run.json", "recipe.json", "patches.parquet", "patches.npy", "embedding.parquet",
    "features.npy", "exploration.parquet", "stability.parquet", "events.jsonl", "live_map.npz",
    "moved.json", "seeds/1/run.json", f"{ADDED}/images.json", f"{ADDED}/addition.json",
    f"{ADDED}/patches.parquet", f"{ADDED}/patches.npy", f"{ADDED}/features.npy",
    f"{ADDED}/embedding.parquet",
)  # fmt: skip


def copied(whole, folder):
    """A copy whose files can be replaced one by one; nothing is written into them."""
    return shutil.copytree(whole, folder, copy_function=os.link)


def use(folder):
    """All that looks into a run folder; raises InputError where something is wrong with it."""
    [*EventReader(folder).read()]
    is_training(folder)
    run = Run.open(folder)
    run.value_ranges()
    training_seconds(run)
    missing_images(run)
    np.asarray(run.store[:1])
    if run.has_map:
        assert np.isfinite(run.coordinates).all() and run.features.ndim == 2
    both = extended(run)
    refused_additions(both)
    both.value_ranges()
    explored = open_exploration(both)
    explored.columns()
    explored.clusters.sizes()
    if run.has_map:
        assert len(both.features) == len(both.table) == len(both.coordinates)
    seed_runs(run)


def refused(folder):
    """Use a run; its sentence where it is refused."""
    try:
        use(folder)
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 1500
        return str(error)
    return ""


def replaced(folder, name, content):
    path = folder / name
    path.unlink(missing_ok=True)  # it may be a hard link
    path.write_bytes(content)
    return path


def test_a_whole_run_is_used_without_complaint(whole):
    assert refused(whole) == ""
    assert not refused_additions(extended(Run.open(whole)))


# --- any damage ---------------------------------------------------------------------------------

fuzzed = settings(
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@fuzzed
@given(data=st.data())
def test_damaged_bytes_work_or_are_refused(whole, tmp_path_factory, name, data):
    content = (whole / name).read_bytes()
    kind = data.draw(st.sampled_from(["cut off", "flipped", "other"]))
    if kind == "cut off":
        content = content[: data.draw(st.integers(0, len(content)))]
    elif kind == "other":
        content = data.draw(st.binary(max_size=300))
    else:
        changed = bytearray(content)
        # The beginnings and ends of files say how they are to be read.
        ends = st.integers(0, min(300, len(content) - 1))
        places = st.one_of(ends, ends.map(lambda i: len(content) - 1 - i))
        for place in data.draw(st.lists(places, min_size=1, max_size=8)):
            changed[place] ^= data.draw(st.integers(1, 255))
        content = bytes(changed)
    folder = copied(whole, tmp_path_factory.mktemp("fuzz") / "run")
    replaced(folder, name, content)
    refused(folder)
    shutil.rmtree(folder)


odd = st.one_of(
    st.none(), st.booleans(), st.just(-1), st.just(0), st.just(2**63), st.just(10**400),
    st.just(1e308), st.just(""), st.text(max_size=5), st.just("x" * 10_000), st.just("../../a"),
    st.just("a\0b"), st.just([]), st.just({}), st.just([[]]), st.just({"a": 1}), st.just("\ud800"),
)  # fmt: skip


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith("json")])
@fuzzed
@given(data=st.data())
def test_json_of_other_values_works_or_is_refused(whole, tmp_path_factory, name, data):
    content = json.loads((whole / name).read_bytes())
    here = content
    while True:  # somewhere within, one value is another
        key = data.draw(st.sampled_from([*(here if isinstance(here, dict) else range(len(here)))]))
        if isinstance(here[key], dict | list) and here[key] and data.draw(st.booleans()):
            here = here[key]
            continue
        here[key] = data.draw(odd)
        break
    folder = copied(whole, tmp_path_factory.mktemp("fuzz") / "run")
    replaced(folder, name, json.dumps(content).encode())
    refused(folder)
    shutil.rmtree(folder)


@pytest.mark.parametrize("text", [
    "[" * 100_000, '{"a":' * 100_000, "[" * 10**7, "1" * 10_000, '{"format": 1e999}', "null",
    '{"format": 3, "format": NaN}', '{"format": true}', '{"format": "3"}', '{"format": -1}', "",
])  # fmt: skip
@pytest.mark.parametrize("name", ["run.json", "recipe.json", f"{ADDED}/images.json"])
def test_json_that_nests_or_overflows_is_refused(whole, tmp_path, name, text):
    folder = copied(whole, tmp_path / "run")
    replaced(folder, name, text.encode())
    sentence = refused(folder)
    if name.startswith("added"):
        assert refused_additions(extended(Run.open(folder)))
    else:
        assert "damaged" in sentence and str(folder) in sentence


table_values = st.sampled_from([
    np.nan, np.inf, -1, 2**62, 1e300, "text", "x" * 200_000, None, True, b"bytes", [1, 2],
    pd.Timestamp("2020-01-01"),
])  # fmt: skip


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith("parquet")])
@fuzzed
@given(data=st.data())
def test_tables_of_other_values_work_or_are_refused(whole, tmp_path_factory, name, data):
    stored = pq.read_table(whole / name)
    table = stored.to_pandas()
    change = data.draw(st.sampled_from(["column", "value", "gone", "fewer", "more", "metadata"]))
    column = data.draw(st.sampled_from(list(table)))
    value = data.draw(table_values)
    metadata = stored.schema.metadata or {}
    if change == "column":
        table[column] = pd.Series([value] * len(table))
    elif change == "value":
        table[column] = table[column].astype(object)
        table.at[data.draw(st.integers(0, len(table) - 1)), column] = value
    elif change == "gone":
        table = table.drop(columns=column)
    elif change == "fewer":
        table = table[: data.draw(st.integers(0, len(table) - 1))]
    elif change == "more":
        table = pd.concat([table, table], ignore_index=True)
    else:
        metadata = {key: data.draw(st.binary(max_size=40)) for key in metadata}
    try:
        made = pa.Table.from_pandas(table, preserve_index=False)
    except (pa.ArrowException, OverflowError):
        return  # no table can be made of these
    folder = copied(whole, tmp_path_factory.mktemp("fuzz") / "run")
    (folder / name).unlink()
    pq.write_table(made.replace_schema_metadata({**(made.schema.metadata or {}), **metadata}),
                   folder / name)  # fmt: skip
    refused(folder)
    shutil.rmtree(folder)


@pytest.mark.parametrize(("change", "reason"), [
    ({"y": np.nan}, "nowhere"), ({"x": 1e300}, "nowhere"), ({"size": 0}, "no size"),
    ({"t": -1}, "no plane"), ({"label": -3}, "below 0"), ({"image": "unknown"}, "lacks images"),
    ({"patch": 7}, "number"), ({"y": "north"}, "wrong type"), ({"note": "x" * 200_000}, "texts"),
])  # fmt: skip
def test_tables_that_make_no_sense_are_refused(whole, tmp_path, change, reason):
    folder = copied(whole, tmp_path / "run")
    table = pd.read_parquet(folder / "patches.parquet").assign(**change)
    (folder / "patches.parquet").unlink()
    table.to_parquet(folder / "patches.parquet", index=False)
    assert reason in refused(folder)


def test_tables_keep_what_was_measured(tmp_path):
    from napari_tsimcne.runs._parquet import read_table

    table = pd.DataFrame({
        "text": ["a", None, "b"], "class": pd.Categorical(["x", "y", None]),
        "count": pd.array([1, None, 2**62], "Int64"),
        "yes": pd.array([True, None, False], "boolean"),
        "when": pd.to_datetime(["2020-01-01", None, "2021-01-01"]), "none": [None] * 3,
        "number": np.float32([1, 2, np.nan]), "small": np.int8([1, 2, 3]),
    })  # fmt: skip
    table.to_parquet(tmp_path / "a.parquet", index=False)
    found, expected = read_table(tmp_path / "a.parquet", 3), pd.read_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(found, expected)


# --- bombs --------------------------------------------------------------------------------------


def blown_up_table(path, kind, rows):
    base = {"patch": pa.array(np.arange(rows)), "map_x": pa.array(np.zeros(rows, np.float32)),
            "map_y": pa.array(np.zeros(rows, np.float32))}  # fmt: skip
    text = "x" * 2_000_000
    options = {}
    if kind == "compressed":
        base["map_z"] = pa.array(["0" * 4_000_000] * rows)
        options = {"compression": "zstd", "use_dictionary": False}
    elif kind == "dictionary":
        base["map_z"] = pa.array([text] * rows)
    elif kind == "prefixes":
        base["map_z"] = pa.array([text] * rows)
        options = {"use_dictionary": False, "column_encoding": {"map_z": "DELTA_BYTE_ARRAY"}}
    elif kind == "rows":
        rows = 10_000_000
        base = {name: pa.array(np.zeros(rows, np.int8)) for name in base}
    elif kind == "nested":
        base["map_z"] = pa.array([[[0] * 1_000] * 1_000] * rows)
    elif kind == "columns":
        base |= {f"c{i}": pa.array(np.zeros(rows)) for i in range(6_000)}
    pq.write_table(pa.table(base), path, **options)


MEASURED = """
import re, sys
from pathlib import Path
from napari_tsimcne.runs import Run, extended, open_exploration, EventReader

def peak(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1000

for folder in sys.argv[1:]:
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = peak("VmRSS")
    try:
        [*EventReader(Path(folder)).read()]
        run = Run.open(folder)
        run.coordinates, run.features, run.store
        open_exploration(extended(run))
        said = "opened"
    except Exception as error:
        said = f"{type(error).__name__} {error}"
    print(peak("VmHWM") - before, said)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measured as Linux does")
def test_what_would_take_gigabytes_takes_little(whole, tmp_path):
    folders, expected = [], []

    def make(name, sentence):
        folders.append(copied(whole, tmp_path / name))
        expected.append(sentence)
        return folders[-1]

    for kind in ("compressed", "dictionary", "prefixes", "rows", "nested", "columns"):
        folder = make(kind, "embedding.parquet is damaged")
        (folder / "embedding.parquet").unlink()
        blown_up_table(folder / "embedding.parquet", kind, 81)
    with replaced(make("line", "opened"), "events.jsonl", b"").open("r+b") as file:
        file.truncate(1_000_000_000)  # one line of a gigabyte
    start = b'{"format": 3, "images": ['
    folder = make("values", "more values than any run needs")
    replaced(folder, "run.json", start + b"[]," * 10_000_000 + b"[]]}")
    folder = make("errors", "images.0")
    replaced(folder, "run.json", start + b"1," * 1_900_000 + b"1]}")

    done = subprocess.run([sys.executable, "-c", MEASURED, *map(str, folders)],
                          capture_output=True, text=True, timeout=300)  # fmt: skip
    for folder, sentence, line in zip(folders, expected, done.stdout.splitlines(), strict=True):
        taken, said = line.split(" ", 1)
        assert sentence in said, (folder, said)
        assert said == "opened" or said.startswith("InputError"), said
        assert int(taken) < 200, (folder, taken)  # MB


def header(shape, dtype="<f4", end="\n"):
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text = text.ljust(118) + end.encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize("content", [
    header((81, 10**15)), header((10**9, 10**9, 10**9)), header((81, 10**7)), header((81, 0)),
    header((-1, 8)), header((81, 8), "|O"), header((81, 8), "<U100"), header((81, 8), "<c16"),
    header("((" * 5000), header((81, 8), end="")[:60], b"\x93NUMPY\x03\x00", b"",
])  # fmt: skip
@pytest.mark.parametrize("name", ["patches.npy", "features.npy", f"{ADDED}/patches.npy"])
def test_arrays_that_lie_about_themselves_are_refused(whole, tmp_path, name, content):
    folder = copied(whole, tmp_path / "run")
    replaced(folder, name, content + bytes(2000))
    sentence = refused(folder)
    if name.startswith("added"):
        (one,) = refused_additions(extended(Run.open(folder)))
        sentence = one.reason
    assert name in sentence


@pytest.mark.parametrize("header", [
    b"\xff" * 8, (10**12).to_bytes(8, "little"), (5).to_bytes(8, "little") + b"[[[[[", b"",
    (60).to_bytes(8, "little") + json.dumps(
        {"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}).encode(),
])  # fmt: skip
def test_weights_and_checkpoints_that_lie_are_refused(tmp_path, tiny_run, header):
    from napari_tsimcne.training import embed_addition, train

    tiny_run.checkpoint_path.write_bytes(header)
    with pytest.raises((InputError, TrainingError), match=r"checkpoint\.safetensors"):
        train(tiny_run, device="cpu")
    run = mapped(make_tiny_run(tmp_path / "mapped"))
    addition = add(run, [field_image()])
    run.weights_path.write_bytes(header)
    with pytest.raises((InputError, TrainingError), match=r"weights\.safetensors"):
        embed_addition(run, addition.name, device="cpu")


def test_weights_of_a_network_that_is_larger_than_their_file_take_no_memory(tmp_path):
    import torch
    from safetensors.torch import save_file

    from napari_tsimcne.learning import load_weights
    from napari_tsimcne.recipe import Network, Recipe

    recipe = Recipe.quick(network=Network(hidden=10**12))
    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.zeros(1)}, path, {
        "format": "1", "recipe": recipe.model_dump_json(), "channels": "10000000",
        "output_dim": "2", "head_layers": "0",
    })  # fmt: skip
    with pytest.raises(TrainingError, match="holds no weights"):
        load_weights(path)


def test_a_live_map_that_blows_up_or_lies_is_passed_over(whole, tmp_path):
    folder = copied(whole, tmp_path / "run")
    assert [event.kind for event in EventReader(folder).read()] == ["finished", "map"]
    path = replaced(folder, "live_map.npz", b"")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.npy", header((10**7,), "<i8") + bytes(8 * 10**7))
        archive.writestr("coordinates.npy", header((10**7, 2)) + bytes(8 * 10**7))
    assert [event.kind for event in EventReader(folder).read()] == ["finished"]
    for arrays in (
        {"rows": np.arange(3), "coordinates": np.zeros((4, 2))},
        {"rows": np.arange(3), "coordinates": np.zeros(3)},
        {"rows": np.arange(3), "coordinates": np.full((3, 2), np.nan)},
        {"rows": -np.arange(3), "coordinates": np.zeros((3, 2))},
        {"rows": np.arange(3)},
    ):
        np.savez(path, **arrays)
        assert [event.kind for event in EventReader(folder).read()] == ["finished"]


def test_events_without_sense_are_passed_over(tmp_path):
    lines = [
        '{"kind":"finished","stopped":true,"seconds":Infinity}',
        '{"kind":"map","dimensions":0,"rows":"AAAAAAAAAAA=","values":"AAAA"}',
        '{"kind":"finished","stopped":true,"seconds":2.5}',
        "x" * 3_000_000,
        '{"kind":"saved"}',
    ]
    (tmp_path / "events.jsonl").write_text("\n".join(lines) + "\n")
    assert [event.kind for event in EventReader(tmp_path).read()] == ["finished", "saved"]


# --- links --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["run.json", "patches.npy", "seeds", "seeds/1", "added", ADDED,
                                  f"{ADDED}/patches.npy", "events.jsonl", "training.lock",
                                  ".run.json.writing"])  # fmt: skip
def test_links_that_lead_out_are_refused(whole, tmp_path, name):
    folder = shutil.copytree(whole, tmp_path / "run")
    outside = tmp_path / "outside"
    if (folder / name).exists():
        (folder / name).rename(outside)
    else:
        outside.write_text("precious")
    (folder / name).symlink_to(outside)
    before = outside.read_bytes() if outside.is_file() else sorted(outside.iterdir())
    sentence = refused(folder)
    if name.startswith("added/"):
        (one,) = refused_additions(extended(Run.open(folder)))
        sentence = one.reason
    assert "is a link" in sentence
    with suppress(InputError), new_addition(mapped(Run.open(folder))) as made:
        made.joinpath("a").touch()
    assert (outside.read_bytes() if outside.is_file() else sorted(outside.iterdir())) == before


def test_links_within_a_run_are_followed(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    (folder / "patches.npy").rename(folder / "store.npy")
    (folder / "patches.npy").symlink_to("store.npy")
    assert refused(folder) == ""


def test_a_draft_that_is_a_link_is_not_written_through(tmp_path):
    from napari_tsimcne.runs import written_whole

    (tmp_path / "precious").write_text("mine")
    (tmp_path / ".a.json.writing").symlink_to(tmp_path / "precious")
    with written_whole(tmp_path / "a.json") as draft:
        draft.write_text("theirs")
    assert (tmp_path / "precious").read_text() == "mine"
    assert (tmp_path / "a.json").read_text() == "theirs"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", ["run.json", "patches.parquet", "patches.npy", "events.jsonl",
                                  "moved.json", "training.lock"])  # fmt: skip
def test_a_pipe_is_not_waited_for(whole, tmp_path, name):
    folder = copied(whole, tmp_path / "run")
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    sentence = refused(folder)
    assert bool(sentence) == (name in ("run.json", "patches.parquet", "patches.npy"))


@pytest.mark.parametrize("name", ["..", "../..", "../../other", "/", "", "001-more/../001-more"])
def test_names_of_additions_do_not_lead_out(whole, name):
    from napari_tsimcne.runs import open_cut

    with pytest.raises(InputError, match="no addition"):
        open_cut(Run.open(whole), name)
