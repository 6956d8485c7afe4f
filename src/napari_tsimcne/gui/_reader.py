"""Opens the dock from napari's menus, and runs whose ``run.json`` is opened in napari.

napari does not look into a folder before it offers readers of folders, and would ask which one is
meant for each: run folders are opened in the dock. Nothing heavy is imported until one is a run.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui._run_folder import run_folder

if TYPE_CHECKING:
    from napari_tsimcne.gui._dock import TsimcneDock

NO_LAYERS = [(None,)]
"""napari's word for a file that was read and has no layer to add."""


def run_reader(path: Any) -> Callable[[Any], list[tuple[None]]] | None:
    """Return what opens a run folder, or its ``run.json``; None for any other file or folder."""
    if not isinstance(path, str | PathLike):
        return None  # several that napari would stack
    return None if run_folder(path) is None else _open_run


def open_dock() -> TsimcneDock:
    """Show the dock in the current viewer, and return it.

    Raises
    ------
    InputError
        Where there is no napari window.
    """
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        raise InputError("there is no napari window: open one first, the dock is shown there")
    panel, dock = viewer.window.add_plugin_dock_widget("napari-tsimcne", "t-SimCNE")
    panel.show()
    panel.raise_()
    return dock


def _open_run(path: str | PathLike[str]) -> list[tuple[None]]:
    """Show a run in the dock; what is wrong with it becomes a notice."""
    from napari.utils.notifications import show_error

    found = Path(path)
    try:
        open_dock().open_run(run_folder(found) or found)
    except InputError as error:
        show_error(str(error))
    return NO_LAYERS
