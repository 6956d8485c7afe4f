"""The window: a dock to train from, the map in a canvas of its own, and the link between them."""

from napari_tsimcne.gui._dock import TsimcneDock
from napari_tsimcne.gui._open import show_run

__all__ = ["TsimcneDock", "show_run"]
