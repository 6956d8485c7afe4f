"""Find an island of a map that follows the dose of a drug, of which the map was never told.

    python bbbc013_dose_response.py DATA_FOLDER OUT_FOLDER

DATA_FOLDER holds 24 wells of BBBC013 (Broad Bioimage Benchmark Collection) as ``wells/*.ome.tif``,
label images of the nuclei as ``nuclei_labels_auto/*.tif``, and ``plate.csv`` with the columns
``image, well, drug, dose_level, control``. Under Wortmannin and LY294002 the protein FKHR-GFP moves
from the cytoplasm into the nucleus. The script

1. cuts a patch of 40 px around each nucleus and learns their map (a few minutes on two cores; a run
   that is in OUT_FOLDER/run already is used again),
2. finds the islands of the map by their density, without the dose,
3. chooses the island whose share rises most with the dose of one drug, and looks at it under the
   other, so that the choice cannot make the result,
4. writes curves, difference map and plate into OUT_FOLDER.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from napari_tsimcne import Objects, Recipe, Run, open_images
from napari_tsimcne.explore import (
    NONE,
    Clusters,
    automatic_clusters,
    difference_map,
    difference_text,
    dose_shares,
    dose_trends,
    plate_table,
    replicate_dose_shares,
)
from napari_tsimcne.export import difference_figure, dose_figure, plate_figure
from napari_tsimcne.images import pair_labels
from napari_tsimcne.patches import measurement

FEWEST = 1 / 40
"""Of all patches, in an island."""

LOW, HIGH = (0, 1, 2), (7, 8, 9)
"""Levels of the dose that are compared on the map. Level 10 are the positive controls, whose dose
the table does not tell."""


def trained_run(data: Path, folder: Path) -> Run:
    """Open the run in a folder, or make it: cut the nuclei and learn their map."""
    if (folder / "run.json").is_file():
        run = Run.open(folder)
    else:
        images = open_images(str(data / "wells")).images
        labels = open_images(str(data / "nuclei_labels_auto")).images
        run = Run.create(
            folder,
            images,
            Recipe.quick(Objects(size=40), epochs=(4, 10)),
            labels=pair_labels(images, labels),
            measure=measurement(
                [image.name for image in images],
                [image.path for image in images],
                metadata=data / "plate.csv",
            ),
        )
    if not run.has_map:
        from napari_tsimcne import train

        train(run)
    return run


def islands_of(coordinates: np.ndarray) -> Clusters:
    """Find the islands of a map (N, 2); patches between them are in none."""
    clusters = Clusters(len(coordinates))
    fewest = round(FEWEST * len(coordinates))
    clusters.replace(automatic_clusters(coordinates, "hdbscan", fewest))
    return clusters


def chosen_island(trends: pd.DataFrame, drug: str) -> int:
    """Return the id of the island whose share rises most with the dose of a drug."""
    rows = trends[(trends["drug"] == drug) & (trends["id"] != NONE)]
    return int(rows.loc[rows["correlation"].idxmax(), "id"])


def chosen_and_shown(trends: pd.DataFrame) -> pd.DataFrame:
    """Choose an island by each drug, and tell how its share follows the dose of the other."""
    drugs = list(dict.fromkeys(trends["drug"]))
    found = []
    for chosen_by, shown_on in (drugs, drugs[::-1]):
        island = chosen_island(trends, chosen_by)
        row = trends[(trends["drug"] == shown_on) & (trends["id"] == island)].iloc[0]
        found.append({"chosen by": chosen_by, "shown on": shown_on, "id": island,
                      "correlation": row["correlation"], "p": row["p"]})  # fmt: skip
    return pd.DataFrame(found)


def nuclear_ratio(run: Run) -> np.ndarray:
    """Logarithm of FKHR-GFP in the middle of each patch over that in a ring around it, (N,).

    What one would measure by hand: radii of 5, and of 9 to 15 px.
    """
    side = run.store.shape[-1]
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    radius = np.hypot(y, x)
    gfp = np.asarray(run.store[:, 0], np.float32)
    nucleus = gfp[:, radius < 5].mean(axis=1)
    ring = gfp[:, (radius > 9) & (radius < 15)].mean(axis=1)
    return np.log((nucleus + 1) / (ring + 1))


def study(run: Run, out: Path) -> None:
    """Write what becomes of the wells on the map into a folder, and print it."""
    out.mkdir(parents=True, exist_ok=True)
    table, coordinates = run.table, run.coordinates
    clusters = islands_of(coordinates)
    series = (table["control"] != 1).to_numpy()
    trends = dose_trends(clusters, table["dose_level"], table["well"], table["drug"], mask=series)
    trends.to_csv(out / "trends.csv", index=False)
    chosen = chosen_and_shown(trends)
    print("Island chosen by one drug, shown on the other:", chosen.round(4).to_string(), sep="\n")
    island = int(chosen["id"].iloc[0])
    members = clusters.members(island)
    for one in chosen["id"].unique():
        draw_doses(table, clusters, int(one), out / f"dose-island-{one}.png")
    plate_figure(
        plate_table(table["well"], members), title=f"Share of island {island} in each well"
    ).savefig(out / "plate.png", dpi=150)
    draw_difference(table, coordinates, out / "difference.png")
    by_well = pd.DataFrame({
        "drug": table["drug"], "dose_level": table["dose_level"],
        "ratio": nuclear_ratio(run), "share": members, "DNA": table["mean DNA"],
    }).groupby(table["well"]).agg({
        "drug": "first", "dose_level": "first", "ratio": "mean", "share": "mean", "DNA": "mean",
    })  # fmt: skip
    by_well.to_csv(out / "wells.csv")
    ranks = by_well[["share", "ratio", "DNA", "dose_level"]].rank()
    print("Rank correlations between wells:", ranks.corr().round(2).to_string(), sep="\n")


def draw_doses(table: pd.DataFrame, clusters: Clusters, island: int, path: Path) -> None:
    """Draw the share of an island against the dose of each drug, a dot a well."""
    columns = table["dose_level"], table["well"], table["drug"]
    shares = dose_shares(clusters, *columns)
    wells = replicate_dose_shares(clusters, *columns)
    dose_figure(
        shares[shares["id"] == island], wells[wells["id"] == island],
        title=f"Share of island {island}", unit="level of the dose (10: positive control)",
    ).savefig(path, dpi=150)  # fmt: skip


def draw_difference(table: pd.DataFrame, coordinates: np.ndarray, path: Path) -> None:
    """Draw where on the map high doses differ from low ones, wells being permuted."""
    high = table["dose_level"].isin(HIGH).to_numpy()
    low = table["dose_level"].isin(LOW).to_numpy()
    found = difference_map(coordinates, high, low, table["well"], permutations=9999)
    print(difference_text(found))
    figure = difference_figure(
        found, coordinates, treated="high doses", control="low doses",
        title="Wells of the three highest doses minus those of the three lowest",
    )  # fmt: skip
    figure.savefig(path, dpi=150)


def main() -> None:
    """Run the study in the folders named on the command line."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    data, out = map(Path, sys.argv[1:])
    study(trained_run(data, out / "run"), out)


if __name__ == "__main__":
    main()
