"""napari-tsimcne: a map of cell-image phenotypes, learnt without labels, linked to the images.

In a few lines::

    from napari_tsimcne import Grid, Recipe, Run, open_images, train

    images, skipped = open_images("images/")
    run = Run.create("my-run", images, Recipe.quick(Grid(size=28)))
    train(run)
    run.rows()  # the patch table with the map's coordinates
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.7.0"

if TYPE_CHECKING:
    from napari_tsimcne.errors import InputError
    from napari_tsimcne.images import ImageSource, open_images
    from napari_tsimcne.recipe import Grid, Objects, Points, Recipe
    from napari_tsimcne.runs import Run
    from napari_tsimcne.training import train

# Loaded when first used: importing this package must stay quick, and free of torch and Qt.
_HOMES = {
    "Grid": "recipe",
    "ImageSource": "images",
    "InputError": "errors",
    "Objects": "recipe",
    "Points": "recipe",
    "Recipe": "recipe",
    "Run": "runs",
    "open_images": "images",
    "train": "training",
}

__all__ = [
    "Grid", "ImageSource", "InputError", "Objects", "Points", "Recipe", "Run", "open_images",
    "train",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
