"""The window: a dock to train from, the map in a canvas of its own, and the link between them."""

import sys
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from napari_tsimcne.gui._waiting import in_thread

if TYPE_CHECKING:
    from napari_tsimcne.gui._dock import TsimcneDock
    from napari_tsimcne.gui._reader import open_dock, run_reader
    from napari_tsimcne.gui._samples import nuclei_layers, tissue_layers
    from napari_tsimcne.gui.images._open import show_run

# Loaded when first used: napari asks the reader about folders that are none of ours.
_HOMES = {
    "TsimcneDock": "gui._dock",
    "nuclei_layers": "gui._samples",
    "open_dock": "gui._reader",
    "run_reader": "gui._reader",
    "show_run": "gui.images._open",
    "tissue_layers": "gui._samples",
}

__all__ = [
    "TsimcneDock",
    "nuclei_layers",
    "open_dock",
    "run_reader",
    "show_run",
    "tissue_layers",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    home = f"napari_tsimcne.{_HOMES[name]}"
    module = sys.modules.get(home) or in_thread(partial(_load, home, name == "TsimcneDock"))
    return getattr(module, name)


def _load(module: str, shows_layers: bool) -> ModuleType:
    loaded = import_module(module)
    if shows_layers:
        import_module("napari_tsimcne.gui._first_layers").make_first_layers()
    return loaded
