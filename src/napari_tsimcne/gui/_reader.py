"""Opens the dock from napari's menus, and run folders that are dropped onto its window.

napari asks this reader about folders of all kinds: nothing heavy is imported until one is a run.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_tsimcne.errors import InputError

if TYPE_CHECKING:
    from napari_tsimcne.gui._dock import TsimcneDock

INFO = "run.json"
FIRST_BYTES = 200
FIRST_KEYS = (b'"format"', b'"software"')
"""With which the description of a run begins; other programs may write a file of that name."""

NO_LAYERS = [(None,)]
"""napari's word for a file that was read and has no layer to add."""


def run_reader(path: Any) -> Callable[[Any], list[tuple[None]]] | None:
    """Return what opens a run folder, or its ``run.json``; None for any other file or folder."""
    if not isinstance(path, str | PathLike):
        return None  # several that napari would stack
    found = Path(path)
    return _open_run if _is_run(found.parent if found.name == INFO else found) else None


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
        open_dock().open_run(found.parent if found.name == INFO else found)
    except InputError as error:
        show_error(str(error))
    return NO_LAYERS


def _is_run(folder: Path) -> bool:
    try:
        with (folder / INFO).open("rb") as file:
            head = file.read(FIRST_BYTES)
    except OSError:
        return False
    return all(key in head for key in FIRST_KEYS)
