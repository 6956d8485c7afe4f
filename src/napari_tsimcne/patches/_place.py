"""From images and a recipe to the patch table: which windows there are, and which are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import ImageSource, check_labels
from napari_tsimcne.patches._background import foreground
from napari_tsimcne.patches._grid import place_grid, stored_pixels
from napari_tsimcne.patches._objects import place_objects
from napari_tsimcne.patches._points import place_points
from napari_tsimcne.patches._windows import snapped
from napari_tsimcne.recipe import Grid, Objects, Recipe

Told = Callable[[str, int, int], None]
"""Called with what is done, and how much of how much; may raise to cancel."""


@dataclass(frozen=True)
class Placed:
    """The windows of all images.

    ``recipe`` with the sizes that were found; ``left_out``: windows without content;
    ``thresholds`` that told content from background, by channel. ``objects_left_out``: how many
    because they touch the border, and how many because of their area.
    """

    table: pd.DataFrame
    recipe: Recipe
    left_out: int = 0
    thresholds: Mapping[str, float] = field(default_factory=dict)
    objects_left_out: tuple[int, int] = (0, 0)


def place_patches(
    images: Sequence[ImageSource],
    recipe: Recipe,
    *,
    labels: Mapping[str, ImageSource] | None = None,
    points: pd.DataFrame | None = None,
    thresholds: Mapping[str, float] | None = None,
    told: Told = lambda what, done, total: None,
) -> Placed:
    """Place windows as a recipe says.

    Parameters
    ----------
    images
        At the recipe's depth (`ImageSource.at_depth`).
    recipe
        Whose patches are of a grid, of objects, or of points.
    labels
        Label images by the name of their image; for objects.
    points
        A table as of `read_points`; for points.
    thresholds
        Of background, if known from elsewhere.
    told
        Progress; may raise to cancel.

    Raises
    ------
    InputError
        Where labels or points are missing or do not fit, or no window is left.
    """
    settings = recipe.patches
    left_out: list[tuple[int, int]] = []
    if isinstance(settings, Objects):
        if labels is None:
            raise InputError("patches of objects need label images: give them with the images")
        for image in images:
            if image.name not in labels:
                raise InputError(f"there is no label image for '{image.name}'")
            check_labels(image, labels[image.name])
        table, settings = place_objects(
            images, labels, settings, lambda done, total: told("Finding objects", done, total),
            on_left_out=lambda at_border, small: left_out.append((at_border, small)),
        )  # fmt: skip
    elif isinstance(settings, Grid):
        table = place_grid(images, settings)
    elif points is None:
        raise InputError("patches of points need a table of points: give it with the images")
    else:
        table = place_points(images, points, settings)
    recipe = recipe.cut_at(stored_pixels(images, settings), settings.size)
    placed = Placed(
        snapped(table, recipe.patches.pixels), recipe, objects_left_out=(left_out or [(0, 0)])[0]
    )
    if not isinstance(settings, Grid):
        return placed
    return _without_background(images, placed, thresholds, told)


def _without_background(
    images: Sequence[ImageSource],
    placed: Placed,
    thresholds: Mapping[str, float] | None,
    told: Told,
) -> Placed:
    table, settings = placed.table, placed.recipe.background
    if settings.method == "none" and not any(image.alpha for image in images):
        return placed
    found = foreground(
        images, table, settings, lambda done, total: told("Looking for content", done, total),
        thresholds=thresholds,
    )  # fmt: skip
    if settings.method == "auto" and not found.thresholds and found.kept.all():
        return placed
    if not found.kept.any():
        raise InputError(
            f"none of {len(table):,} windows has content by the rule for background "
            f"({settings.method}, at least {settings.least_foreground:.0%} foreground): lower the "
            "share or the factor, or keep all windows"
        )
    kept = table[found.kept].reset_index(drop=True)
    kept["patch"] = range(len(kept))
    kept["foreground"] = found.share[found.kept]
    return Placed(kept, placed.recipe, int((~found.kept).sum()), found.thresholds)
