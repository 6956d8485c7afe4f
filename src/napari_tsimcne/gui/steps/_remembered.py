"""The choices of the last training, which the next window begins with."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_config_path
from pydantic import ValidationError

from napari_tsimcne.recipe import Recipe


def remember_recipe(recipe: Recipe) -> None:
    """Keep a recipe for the next window; that it cannot be kept is no reason to stop."""
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(recipe.model_dump_json(indent=1), encoding="utf-8")
    except OSError:
        return


def remembered_recipe() -> Recipe | None:
    """Return the recipe that was kept; None where there is none, or it is of another version."""
    try:
        return Recipe.model_validate_json(_path().read_bytes())
    except (OSError, ValidationError):
        return None


def _path() -> Path:
    return Path(user_config_path("napari-tsimcne", appauthor=False)) / "recipe.json"
