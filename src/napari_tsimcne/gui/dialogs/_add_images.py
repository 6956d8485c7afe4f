"""A dialog that asks which images are put onto the map of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from napari.layers import Image, Labels
from napari.layers import Points as PointsLayer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from napari_tsimcne.errors import InputError, sentence
from napari_tsimcne.gui._fields import LayerChoice, add_rows, form_layout, show_row
from napari_tsimcne.gui._sentences import capital
from napari_tsimcne.gui._viewer import fit_layers
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.images._image_view import seen_layers
from napari_tsimcne.gui.images._open import shown_images
from napari_tsimcne.gui.steps._image_rows import FileRow, Row
from napari_tsimcne.gui.steps._image_table import ImageTable
from napari_tsimcne.gui.steps._images_form import ImagesForm
from napari_tsimcne.gui.steps._inputs import Inputs, with_labels, with_points
from napari_tsimcne.gui.steps._label_files import LabelFiles, number_objects_box
from napari_tsimcne.images import seen
from napari_tsimcne.recipe import Objects, Points
from napari_tsimcne.runs import Run, check_fits

WIDTH = 400


class AddImages(QDialog):
    """Lists layers and files that are not part of a run, and asks which are put onto its map.

    Where the run's patches are of objects or points, it asks for those of the new images, too.
    What does not fit is said in a sentence, and cannot be chosen.

    Parameters
    ----------
    viewer
        Whose layers are listed.
    run
        With a map.
    parent
        Over which it stands.
    """

    def __init__(self, viewer: Any, run: Run, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._run = run
        self.setWindowTitle("Map new images")
        self.setMinimumWidth(WIDTH)
        self.images = ImagesForm(viewer, _NewImages(viewer, run))
        self.labels = LayerChoice(viewer, Labels, "The objects to cut patches around.",
                                  over_each="the one over each image")  # fmt: skip
        self.label_files = LabelFiles()
        self.number_objects = number_objects_box()
        self.points = LayerChoice(viewer, PointsLayer, "The points to cut patches around.")
        self._build()
        # Once the layout knows the heights of what it holds: it does not make room by itself.
        self._fit = QTimer(self)
        self._fit.setSingleShot(True)
        self._fit.setInterval(0)
        self._fit.timeout.connect(self.adjustSize)
        self.images.changed.connect(self._check)
        self.images.showing.ended.connect(lambda: fit_layers(viewer, seen_layers(viewer)))
        self.label_files.changed.connect(self._fit.start)
        self.finished.connect(self._release)
        self._check()

    def _build(self) -> None:
        text = Wrapped(_asked(self._run))
        self._form = form_layout()
        add_rows(self._form, [
            ("Objects", self.labels), ("Label files", self.label_files),
            ("Number", self.number_objects), ("Points", self.points),
        ])  # fmt: skip
        self.message = Wrapped()
        self.buttons = QDialogButtonBox()
        self.ok = self.buttons.addButton("Map", QDialogButtonBox.ButtonRole.AcceptRole)
        self.buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for widget in (text, self.images):
            layout.addWidget(widget)
        layout.addLayout(self._form)
        layout.addWidget(self.message)
        layout.addWidget(self.buttons)

    def chosen(self) -> Inputs:
        """Return the images that are chosen, with their label images or points.

        Raises
        ------
        InputError
            Where there are none, or they do not fit the run or each other.
        """
        inputs = self._checked_images()
        settings = self._run.recipe.patches
        if isinstance(settings, Objects):
            files = self.label_files.images() if _of_files(inputs) else []
            return with_labels(inputs, self.labels.layer, self.labels.candidates(), files,
                               number_objects=self.number_objects.isChecked())  # fmt: skip
        return with_points(inputs, self.points.layer) if isinstance(settings, Points) else inputs

    def accept(self) -> None:
        """Close, unless something is missing or does not fit: that is said."""
        try:
            self.chosen()
        except ValueError as error:
            self.message.setText(capital(sentence(error)))
            self._fit.start()
        else:
            super().accept()

    def _checked_images(self) -> Inputs:
        if not self.images.any_chosen:
            raise InputError("open an image in napari, or add files, and tick it")
        inputs = self.images.inputs()
        return replace(inputs, images=check_fits(self._run, inputs.images))

    def _check(self) -> None:
        """Say what is chosen, or why it cannot be."""
        channels = len(self._run.info.channels)
        if self._run.info.rgb or channels == 1:
            self.images.joining.choose(False)
            self.images.joining.setEnabled(False)
        settings, files, layers = self._run.recipe.patches, False, False
        try:
            inputs = self._checked_images()
        except ValueError as error:
            self.message.setText(capital(sentence(error)))
            self.ok.setEnabled(False)
        else:
            self.message.setText(self.images.summary())
            self.ok.setEnabled(True)
            files, layers = _of_files(inputs), bool(inputs.layers)
        objects = isinstance(settings, Objects)
        show_row(self._form, self.labels, objects and layers)
        show_row(self._form, self.label_files, objects and files)
        show_row(self._form, self.number_objects, objects and (files or layers))
        show_row(self._form, self.points, isinstance(settings, Points) and layers)
        self._fit.start()

    def _release(self) -> None:
        """Stop following the viewer."""
        self.images.release()
        self.labels.release()
        self.points.release()


class _NewImages(ImageTable):
    """Rows of what is no image of a run already."""

    def __init__(self, viewer: Any, run: Run) -> None:
        super().__init__(viewer)
        shown = shown_images(viewer, run).values()
        self._own = {layer for linked in shown for layer in linked.all}
        self._files_of_run = {
            (record.path, record.series) for record in run.info.images if record.path is not None
        }
        self._paths_of_run = {path for path, _ in self._files_of_run}

    def follow(self) -> None:
        """Take up layers that came, and let go of those that went."""
        super().follow()
        self.rows = [row for row in self.rows if not self._is_own(row)]

    def _is_own(self, row: Row) -> bool:
        if isinstance(row, FileRow):
            # What the user adds here is wanted, even if it is there already.
            return row.key in self._files_of_run and not row.added
        return row.layer in self._own or _path_of(row.layer) in self._paths_of_run


def _path_of(layer: Image) -> Path | None:
    return seen(layer.source.path) if layer.source.path else None


def _of_files(inputs: Inputs) -> bool:
    return any(image.path is not None for image in inputs.images)


def _asked(run: Run) -> str:
    """Say what images must be like."""
    names = [channel.name for channel in run.info.channels]
    kind = "RGB" if run.info.rgb else f"{len(names)} channel{'s' * (len(names) != 1)}"
    if not run.info.rgb and len(names) > 1:
        kind += f" ({', '.join(names)})"
    return (
        f"Patches of further images are cut as those of {run.folder.name} were and put onto its "
        f"map. The images must be like its own: {kind}, {run.store.dtype}."
    )
