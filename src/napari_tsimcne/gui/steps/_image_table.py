"""Which images there are to choose from: the layers of a viewer, and files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari.layers import Image

from napari_tsimcne.gui.images._outlines import is_view, level_shape
from napari_tsimcne.gui.images._shown_files import ShownFiles, files_of, forget_file
from napari_tsimcne.gui.steps._image_rows import FileRow, LayerRow, Row
from napari_tsimcne.images import ImageSource, distinct_names, seen, shown


class ImageTable:
    """Rows of layers and files; `follow` brings them up to date with the viewer.

    Layers that were added to show a file are no rows of their own. Where a layer was opened from
    a file that was added too, the layer is used, and the file is not listed while it is there.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._of_layers: dict[Image, LayerRow] = {}
        self._files: dict[tuple[Path | None, int], FileRow] = {}
        self.rows: list[Row] = []

    def follow(self) -> None:
        """Take up layers that came, and let go of those that went."""
        layers = [la for la in self._viewer.layers if isinstance(la, Image) and not is_view(la)]
        plain = [layer for layer in layers if not files_of(layer)]
        self._of_layers = {la: self._of_layers.get(la) or LayerRow(la) for la in plain}
        for image in (image for layer in layers for image in files_of(layer)):
            if (image.path, image.series) not in self._files:
                self._add(image, added=False)
        shown = ShownFiles(self._viewer)
        for row in list(self._files.values()):
            row.layers = shown.image(row.image())
            if row.layers is None and not row.added:
                del self._files[row.key]
        hidden = self._find_layers_of_files()
        files = [row for row in self._files.values() if row.key not in hidden]
        self.rows = [*self._of_layers.values(), *files]

    def layer_rows(self) -> list[LayerRow]:
        """Return the ticked rows of layers."""
        return [row for row in self.rows if isinstance(row, LayerRow) and row.ticked]

    def layers(self) -> list[Image]:
        """Return the layers of the ticked rows."""
        return [row.layer for row in self.layer_rows()]

    # --- files --------------------------------------------------------------------------------

    def add(self, images: Sequence[ImageSource]) -> int:
        """Add images of files, and return how many were new."""
        before = len(self._files)
        for image in images:
            row = self._files.get((image.path, image.series))
            if row is None:
                self._add(image, added=True)
            else:
                row.added = True
        self._name_files()
        return len(self._files) - before

    def _add(self, image: ImageSource, added: bool) -> None:
        row = FileRow(image, image.name, added=added)
        self._files[row.key] = row

    def _name_files(self) -> None:
        """Tell files of one name apart by their folders, as those of one folder are."""
        paths = list(dict.fromkeys(path for path, _ in self._files if path is not None))
        names = dict(zip(paths, distinct_names(paths), strict=True))
        for row in self._files.values():
            path = row.opened.path
            if path is not None:
                row.name = names[path] + row.opened.name.removeprefix(shown(path.name))

    def remove(self, row: FileRow) -> None:
        """Take a file off the list, and its layers out of the viewer."""
        self.remove_layers(row)
        self._files.pop(row.key, None)

    def remove_layers(self, row: FileRow) -> None:
        """Take the layers that show a file out of the viewer, unless they show others, too."""
        for layer in list(self._viewer.layers):
            keys = {(image.path, image.series) for image in files_of(layer)}
            if isinstance(layer, Image) and row.key in keys and forget_file(layer, row.key):
                self._viewer.layers.remove(layer)

    def _find_layers_of_files(self) -> set[tuple[Path | None, int]]:
        """Note which layers were opened from files that were added, and return these files."""
        opened: dict[Path, list[LayerRow]] = {}
        for row in self._of_layers.values():
            row.file = None
            if row.layer.source.path:
                opened.setdefault(seen(row.layer.source.path), []).append(row)
        hidden = set()
        for file in self._files.values():
            for row in opened.get(file.opened.path or Path(), []):
                if set(file.opened.height_width) <= set(level_shape(row.layer)):
                    row.file = file.opened.path
                    hidden.add(file.key)
        return hidden
