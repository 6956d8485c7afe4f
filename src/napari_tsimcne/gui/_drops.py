"""What is dropped onto a widget: files, or a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_tsimcne.gui._run_folder import run_folder


def dropped_files(event: Any) -> list[Path]:
    """Return the local files and folders that are dragged over a widget; none where it is a run."""
    return _local_paths(event) if dropped_run(event) is None else []


def dropped_run(event: Any) -> Path | None:
    """Return the folder of the run that is dragged over a widget; None for all else."""
    paths = _local_paths(event)
    return run_folder(paths[0]) if len(paths) == 1 else None


def _local_paths(event: Any) -> list[Path]:
    data = event.mimeData()
    urls = data.urls() if data.hasUrls() else []
    return [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
