"""Exporting seen from the window: the work, what is exported as it is now, and the last folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_config_path

from napari_tsimcne.explore import Exploration
from napari_tsimcne.export import Excerpt, Kind, Pictures, export
from napari_tsimcne.gui.images._outlines import LinkedLayer
from napari_tsimcne.gui.jobs._job import CancelledError, Job
from napari_tsimcne.images import ImageSource, labels_from_layer
from napari_tsimcne.runs import Run


class ExportJob(Job):
    """Writes an export; ``finished`` carries what was `Written`.

    Stopped, failed or closed, nothing is left of it, and what was there before stays.

    Parameters
    ----------
    kind
        What is written.
    excerpt
        Of which patches; nothing in it may change any more, see `frozen`.
    path
        Where.
    overwrite
        Replace what is there.
    pictures
        Of patches, made in the worker's thread.
    labels
        Label images that are in no files, see `labels_of_layers`.
    options
        Those of the kind.
    """

    def __init__(
        self,
        kind: Kind,
        excerpt: Excerpt,
        path: Path,
        *,
        overwrite: bool,
        pictures: Pictures,
        labels: Mapping[str, ImageSource],
        options: dict[str, Any],
    ) -> None:
        super().__init__()
        self.kind, self.excerpt, self.path = kind, excerpt, path
        self._overwrite, self._options = overwrite, options
        self._pictures, self._labels = pictures, labels

    def _run(self) -> None:
        written = export(
            self.kind, self.excerpt, self.path, overwrite=self._overwrite,
            pictures=replace(self._pictures, draw=self._draw), labels=self._labels,
            told=self._on_placing, **self._options,
        )  # fmt: skip
        self._tell(self.finished, written)

    def _draw(self, rows: np.ndarray) -> np.ndarray:
        # What tells of no progress can be stopped here.
        if self._stop.is_set():
            raise CancelledError
        return self._pictures(rows)


def frozen(exploration: Exploration) -> Exploration:
    """Return an exploration as it is now; what is changed later is not seen in it."""
    return exploration.frozen()


def labels_of_layers(run: Run, layers: Mapping[str, LinkedLayer]) -> dict[str, ImageSource]:
    """Return the label images that are layers and no files, by the name of their image."""
    found = {}
    for name, linked in layers.items():
        record = run.info.labels.get(name)
        if linked.labels is not None and record is not None and record.path is None:
            found[name] = record.numbered(labels_from_layer(linked.labels, axes=record.axes))
    return found


def remember_folder(folder: Path) -> None:
    """Keep where was exported to; that it cannot be kept is no reason to stop."""
    try:
        _memory().parent.mkdir(parents=True, exist_ok=True)
        _memory().write_text(str(folder), encoding="utf-8")
    except OSError:
        return


def remembered_folder() -> Path | None:
    """Return where was exported to last; None where nothing was, or it is gone."""
    try:
        folder = Path(_memory().read_text(encoding="utf-8"))
        return folder if folder.is_dir() else None
    except (OSError, ValueError):
        return None


def _memory() -> Path:
    return Path(user_config_path("napari-tsimcne", appauthor=False)) / "export-folder.txt"
