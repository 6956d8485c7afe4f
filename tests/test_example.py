"""The study of the docs, on a map that was not learnt, and on made-up shares."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_tsimcne import Objects, Recipe, Run, open_images
from napari_tsimcne.images import pair_labels
from napari_tsimcne.patches import measurement

FILE = Path(__file__).parents[1] / "examples" / "bbbc013_dose_response.py"


@pytest.fixture(scope="module")
def study():
    spec = spec_from_file_location("bbbc013_dose_response", FILE)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_island_is_chosen_by_one_drug_and_shown_on_the_other(study):
    rows = [("a", 1, 0.9, 0.01), ("a", 2, 0.2, 0.5), ("a", 0, 0.95, 0.001),
            ("b", 1, 0.1, 0.8), ("b", 2, 0.7, 0.02), ("b", 0, 0.99, 0.001)]  # fmt: skip
    trends = pd.DataFrame(rows, columns=["drug", "id", "correlation", "p"])
    found = study.chosen_and_shown(trends)
    assert found.to_dict("records") == [
        {"chosen by": "a", "shown on": "b", "id": 1, "correlation": 0.1, "p": 0.8},
        {"chosen by": "b", "shown on": "a", "id": 2, "correlation": 0.2, "p": 0.5},
    ]


def test_the_study_runs_on_some_wells_and_uses_a_run_that_is_there(
    study, real_data, tmp_path, capsys, monkeypatch
):
    data = real_data / "bbbc013"
    wells = ["A01", "A03", "A05", "A09", "A10", "A11", "E02", "E03", "E05", "E09", "E10", "E11"]
    images = open_images(*(str(data / "wells" / f"{well}.ome.tif") for well in wells)).images
    labels = open_images(str(data / "nuclei_labels_auto")).images
    made = Run.create(
        tmp_path / "run", images, Recipe.quick(Objects(size=40)),
        labels=pair_labels(images, labels),
        measure=measurement(
            [image.name for image in images], [image.path for image in images],
            metadata=data / "plate.csv",
        ),
    )  # fmt: skip
    # A map by the measurement that the learnt one is compared with: the study must find it.
    ratio = study.nuclear_ratio(made)
    random = np.random.default_rng(0)
    island = np.where(ratio > 0.9, 20, 0)
    places = np.stack([island, np.zeros(len(ratio))], axis=1) + random.normal(size=(len(ratio), 2))
    made.save_map(places, random.normal(size=(len(ratio), 8)), stopped=False,
                  write_weights=lambda path: path.write_bytes(b""))  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["study", str(data), str(tmp_path)])
    study.main()
    printed = capsys.readouterr().out
    assert "lie differently on the map" in printed
    trends = pd.read_csv(tmp_path / "trends.csv")
    chosen = study.chosen_and_shown(trends)
    assert chosen["id"].nunique() == 1 and (chosen["correlation"] > 0.7).all()
    files = {path.name for path in tmp_path.glob("*.png")}
    assert {"plate.png", "difference.png"} <= files and len(files) == 3
