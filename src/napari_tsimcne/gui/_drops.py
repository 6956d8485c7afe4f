"""What is dropped onto a widget: files, or a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, QObject, Signal
from qtpy.QtWidgets import QWidget

from napari_tsimcne.gui._run_folder import run_folder


def dropped_files(event: Any) -> list[Path]:
    """Return the local files and folders that are dragged over a widget; none where it is a run."""
    return _local_paths(event) if dropped_run(event) is None else []


def dropped_run(event: Any) -> Path | None:
    """Return the folder of the run that is dragged over a widget; None for all else."""
    paths = _local_paths(event)
    return run_folder(paths[0]) if len(paths) == 1 else None


class RunDrops(QObject):
    """Lets the folder of a run be dropped onto a widget; ``dropped`` carries its path."""

    dropped = Signal(object)

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def eventFilter(self, watched: Any, event: QEvent) -> bool:  # noqa: N802
        """Take what is dragged over the widget where it is a run."""
        if event.type() not in (QEvent.Type.DragEnter, QEvent.Type.Drop):
            return super().eventFilter(watched, event)
        folder = dropped_run(event)
        if folder is None:
            return super().eventFilter(watched, event)
        event.acceptProposedAction()
        if event.type() == QEvent.Type.Drop:
            self.dropped.emit(folder)
        return True


def _local_paths(event: Any) -> list[Path]:
    data = event.mimeData()
    urls = data.urls() if data.hasUrls() else []
    return [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
