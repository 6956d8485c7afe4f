"""The demo: from synthetic images of cells to a map, a figure and a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_tsimcne.errors import InputError
from napari_tsimcne.terminal._terminal import bars, console, train_in_terminal

if TYPE_CHECKING:
    from napari_tsimcne.runs import Run


def run_demo(out: Path, seed: int, device: str, epochs: list[int] | None) -> Run:
    """Do the whole job on synthetic images, and tell what it made where.

    Raises
    ------
    InputError
        Where the folder holds something else.
    """
    from napari_tsimcne.explore import evaluate
    from napari_tsimcne.export import Excerpt, export_figure, export_html_map, export_table
    from napari_tsimcne.runs import open_exploration

    folder = out / "run"
    made = _trained(out, folder, seed, device, epochs)
    scores = evaluate(made.coordinates, made.features, made.table["phenotype"])
    figure, table, page = out / "map.png", out / "map.csv", out / "map.html"
    excerpt = Excerpt.all(made, open_exploration(made))
    export_figure(excerpt, figure, color_by="phenotype", overwrite=True)
    export_table(excerpt, table, overwrite=True)
    export_html_map(excerpt, page, color_by="phenotype", overwrite=True)
    console.print(
        f"kNN accuracy against the known phenotypes: {scores.knn_2d:.3f} on the map, "
        f"{scores.knn_features:.3f} in the features",
        highlight=False,
    )
    for what, where in (
        ("run folder", folder), ("figure", figure), ("table", table), ("page", page),
    ):  # fmt: skip
        console.print(f"{what:<11} {where.resolve()}", highlight=False, soft_wrap=True)
    return made


def _trained(out: Path, folder: Path, seed: int, device: str, epochs: list[int] | None) -> Run:
    from napari_tsimcne.images import open_images
    from napari_tsimcne.recipe import Grid, Recipe
    from napari_tsimcne.runs import Run
    from napari_tsimcne.samples import NUCLEUS_SPACING, write_sample

    if (folder / "run.json").is_file():
        made = Run.open(folder)
        if made.has_map:
            console.print(f"The demo was run before: showing {folder}", highlight=False)
            return made
    elif out.exists() and {path.name for path in out.iterdir()} - {"images"}:
        raise InputError(f"the folder {out} is not empty: name another one with --out")
    else:
        sample = write_sample(out / "images", fields=2, seed=seed)
        recipe = Recipe.quick(Grid(size=NUCLEUS_SPACING), seed=seed, epochs=epochs)
        images, _ = open_images(*sample.files)
        with bars() as told:
            made = Run.create(folder, images, recipe, measure=sample.add_truth, told=told)
        console.print(f"{len(made.table):,} patches of {len(images)} images", highlight=False)
    train_in_terminal(made, device)
    return made
