"""The window: a dock to train from, the map in a canvas of its own, and the link between them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_tsimcne.gui._dock import TsimcneDock
    from napari_tsimcne.gui._reader import open_dock, run_reader
    from napari_tsimcne.gui.images._open import show_run

# Loaded when first used: napari asks the reader about folders that are none of ours.
_HOMES = {
    "TsimcneDock": "_dock",
    "open_dock": "_reader",
    "run_reader": "_reader",
    "show_run": "images._open",
}

__all__ = ["TsimcneDock", "open_dock", "run_reader", "show_run"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
