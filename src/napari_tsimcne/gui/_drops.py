"""What is dropped onto a widget: files, or a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_tsimcne.gui._reader import run_folder


def dropped_files(event: Any) -> list[Path]:
    """Return the local files and folders that are dragged over a widget; none where it is a run."""
    urls = event.mimeData().urls() if event.mimeData().hasUrls() else []
    paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
    return [] if len(paths) == 1 and run_folder(paths[0]) is not None else paths


def dropped_run(event: Any) -> Path | None:
    """Return the folder of the run that is dragged over a widget; None for all else."""
    urls = event.mimeData().urls() if event.mimeData().hasUrls() else []
    paths = [url.toLocalFile() for url in urls if url.isLocalFile()]
    return run_folder(paths[0]) if len(paths) == 1 else None
