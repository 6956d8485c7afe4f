"""Sample data for napari's menu, made while the window is drawn on."""

from __future__ import annotations

from typing import Any

from napari_tsimcne.gui._waiting import imported, in_thread


def nuclei_layers() -> list[tuple[Any, dict[str, Any], str]]:
    """Return the layers of the synthetic nuclei."""
    return in_thread(imported("napari_tsimcne.samples").nuclei_layers)


def tissue_layers() -> list[tuple[Any, dict[str, Any], str]]:
    """Return the layer of the stained tissue."""
    return in_thread(imported("napari_tsimcne.samples").tissue_layers)
