"""Runs made without a training."""

from pathlib import Path

import numpy as np

from napari_tsimcne import Grid, ImageSource, Recipe, Run


def mapped(run, seed=0):
    """A run with a made-up map, as if it had been trained."""
    random = np.random.default_rng(seed)
    count = len(run.table)
    places = random.normal(size=(count, run.recipe.map_dimensions))
    run.save_map(places, random.normal(size=(count, 8)), stopped=False,
                 write_weights=lambda path: path.write_bytes(b""))  # fmt: skip
    return run


def make_tiny_run(folder: Path, seed: int = 0) -> Run:
    from napari_tsimcne.samples import CHANNELS, synthetic_field

    field = synthetic_field(cells=9)
    image = ImageSource.from_array(field.image, "CYX", name="field", channel_names=CHANNELS)
    recipe = Recipe.quick(Grid(size=32), epochs=(1, 2), batch_size=32, seed=seed)
    # One pass an epoch: a test needs a map, not a good one.
    stages = tuple(stage.model_copy(update={"least_draws": 0}) for stage in recipe.stages)
    recipe = recipe.model_copy(update={"stages": stages})
    return Run.create(folder, [image], recipe)
