"""The part of the form that says which images: layers of the viewer, and files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari.layers import Image, Labels
from napari.layers import Points as PointsLayer
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.errors import sentence
from napari_tsimcne.gui._fields import (
    Choice,
    LayerFollower,
    add_rows,
    form_layout,
    in_row,
    push_button,
    show_row,
)
from napari_tsimcne.gui._sentences import capital
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.images._open import images_of_files
from napari_tsimcne.gui.images._showing import Showing
from napari_tsimcne.gui.steps._image_edit import ImageEdit
from napari_tsimcne.gui.steps._image_rows import (
    FileRow,
    LayerRow,
    channels_of,
    likely_joined,
    pixel_size_of,
)
from napari_tsimcne.gui.steps._image_table import ImageTable
from napari_tsimcne.gui.steps._images_list import ImagesList
from napari_tsimcne.gui.steps._inputs import (
    Inputs,
    images_of,
    lie_under_labels,
    with_files,
    with_labels,
    with_points,
)
from napari_tsimcne.gui.steps._opening import MOST_TOLD, OpeningJob, opened_text
from napari_tsimcne.gui.steps._patch_form import PatchForm
from napari_tsimcne.gui.steps._pixel_size import set_pixel_size
from napari_tsimcne.images import Opened, World
from napari_tsimcne.recipe import Objects, Points

CHANGES = ("name", "data", "scale", "translate", "rotate", "shear", "affine", "units",
           "axis_labels")  # fmt: skip
"""Events of layers that the list follows."""

CHANGES_MS = 50
"""A time in which changes come together, as those of a point that is dragged."""


class ImagesForm(QWidget):
    """Layers and files in one list, which are ticked and mended; ``inputs`` says them in our words.

    Follows the layers of the viewer. ``changed``: what `inputs` or `with_patches` give may have
    changed.

    Parameters
    ----------
    viewer
        The napari viewer.
    table
        What is listed; all its images if not given.
    """

    changed = Signal()

    def __init__(self, viewer: Any, table: ImageTable | None = None) -> None:
        super().__init__()
        self._viewer = viewer
        self._table = table or ImageTable(viewer)
        self._job: OpeningJob | None = None
        self._waiting: list[Path] = []
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(CHANGES_MS)
        self._soon.timeout.connect(self.changed)
        self._build()
        self._follower = LayerFollower(viewer, self._follow, (Image, Labels, PointsLayer), CHANGES)
        self._follow()

    def release(self) -> None:
        """Stop following the viewer, and opening files."""
        self._soon.stop()
        self._follower.release()
        self._waiting.clear()
        self.showing.close_job()
        if self._job is not None:
            self._job.close()
            self._job = None

    # --- widgets ------------------------------------------------------------------------------

    def _build(self) -> None:
        self.layer_list = ImagesList()
        self.layer_list.ticks_changed.connect(self._on_ticks)
        self.layer_list.dropped.connect(self.add_files)
        self.layer_list.opened.connect(self._open_edit)
        self.layer_list.itemSelectionChanged.connect(self._on_selection)
        self.files_button = push_button(
            "Add files...",
            "Add image files: TIFF, OME-Zarr, PNG, JPEG and others.\n"
            "They are read when patches are cut.",
        )
        self.files_button.clicked.connect(self._choose_files)
        self.folder_button = push_button("Add folder...", "Add all images of a folder, and of the "
                                     "folders in it.")  # fmt: skip
        self.folder_button.clicked.connect(self._choose_folder)
        self.edit_button = push_button(
            "Edit", "Correct axes and pixel size of the selected images."
        )
        self.edit_button.setCheckable(True)
        self.show_button = push_button("Show", "Show files as layers: the selected ones, or all.")
        self.show_button.clicked.connect(self.show_files)
        self.remove_button = push_button("Remove", "Take the selected files off the list.")
        self.remove_button.clicked.connect(self.remove_files)
        self.showing = Showing(self._viewer)
        self.showing.lost.connect(self._on_lost)
        self.edit = ImageEdit()
        self.edit.setVisible(False)
        self.edit_button.toggled.connect(self._on_edit)
        self.edit.axes_chosen.connect(self._mend_axes)
        self.edit.size_chosen.connect(self._mend_size)
        self.message = Wrapped()
        self.stop_button = push_button("Stop", "Open no further files.")
        self.stop_button.clicked.connect(self._stop)
        self.joining = Choice(
            [("channels of one image", True), ("separate images", False)],
            "Whether the ticked layers are channels of one image, or separate images.\n"
            "Files are always separate images.",
        )
        self.joining.currentIndexChanged.connect(self._soon.start)
        self._form = form_layout()
        add_rows(self._form, [("Layers are", self.joining)])

        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.layer_list)
        layout.addLayout(in_row(self.files_button, self.folder_button))
        layout.addLayout(in_row(self.edit_button, self.show_button, self.remove_button))
        layout.addWidget(self.edit)
        layout.addWidget(self.showing)
        layout.addLayout(in_row(self.message, self.stop_button, stretch=self.message))
        layout.addLayout(self._form)
        self._tell("")

    def _tell(self, text: str, tip: str = "") -> None:
        self.message.setText(text)
        self.message.setToolTip(tip)
        self.message.setVisible(bool(text))
        self.stop_button.setVisible(self._job is not None)

    # --- rows ---------------------------------------------------------------------------------

    def _follow(self) -> None:
        """List anew, after layers or files came, went or changed."""
        before = self._table.layers()
        self._table.follow()
        self.layer_list.show_rows(self._table.rows)
        layers = self._table.layers()
        if set(layers) != set(before):
            self.joining.choose(likely_joined(self._table.layer_rows()))
        self._on_ticks()

    def _on_ticks(self) -> None:
        self.edit_button.setEnabled(bool(self._table.rows))
        self.joining.setEnabled(len(self.layers()) > 1)
        only_files = all(isinstance(row, FileRow) for row in self._table.rows)
        show_row(self._form, self.joining, not only_files)
        self._soon.start()

    def _on_selection(self) -> None:
        selected = self.layer_list.selected()
        files = [row for row in self._table.rows if isinstance(row, FileRow)]
        self.edit.show_rows(selected)
        self.show_button.setEnabled(bool(self._hidden_files()))
        self.remove_button.setEnabled(any(row in files for row in selected))
        self.show_button.setVisible(bool(files))
        self.remove_button.setVisible(bool(files))

    def _on_edit(self, shown: bool) -> None:
        if shown and not self.layer_list.selected() and self._table.rows:
            self.layer_list.item(0).setSelected(True)
        self.edit.setVisible(shown)

    def _open_edit(self) -> None:
        self.edit_button.setChecked(True)

    def _hidden_files(self) -> list[FileRow]:
        """Files that can be shown: of those that are selected, or of all."""
        rows = self.layer_list.selected() or self._table.rows
        return [row for row in rows if isinstance(row, FileRow) and row.layers is None]

    def _mend_axes(self, axes: str) -> None:
        shown = []
        for row in self.layer_list.selected():
            row.axes = "" if isinstance(row, FileRow) and axes == row.guessed_axes else axes
            if isinstance(row, FileRow) and row.layers is not None:
                shown.append(row)
        # They show it as it was named before.
        self._show_anew(shown)
        self._follow()

    def _show_anew(self, rows: Sequence[FileRow]) -> None:
        for row in rows:
            # It stays in the list until its layers are there again.
            row.added = True
            self._table.remove_layers(row)
        self._show(rows)

    def _mend_size(self, size: float, unit: str) -> None:
        layers: dict[Image, str] = {}
        selected, apart = self.layer_list.selected(), []
        others = {
            row.layers.layer for row in self._table.rows
            if isinstance(row, FileRow) and row.layers is not None and row not in selected
        }  # fmt: skip
        for row in selected:
            if isinstance(row, LayerRow):
                layers[row.layer] = row.known_axes or "YX".rjust(row.ndim)
                continue
            row.pixel_size = (size, unit)
            if row.layers is not None and row.layers.layer in others:
                # It shares its layers with images whose pixels keep their size.
                apart.append(row)
            elif row.layers is not None:
                shown = (row.layers.layer, *row.layers.channels)
                layers |= dict.fromkeys(shown, row.layers.axes)
        set_pixel_size(self._viewer, layers, size, unit)
        self._show_anew(apart)
        self._follow()

    # --- files --------------------------------------------------------------------------------

    def add_files(self, paths: Sequence[Path]) -> None:
        """Add files, folders and patterns, in a worker thread; what cannot be read is told."""
        self._waiting += [Path(path) for path in paths]
        if self._job is None and self._waiting:
            self._job = OpeningJob(self._waiting)
            self._waiting = []
            self._job.placing.connect(self._on_opening)
            self._job.finished.connect(self._on_opened)
            self._job.failed.connect(self._on_failed)
            # It ends with this widget.
            self.destroyed.connect(self._job.close)
            self._tell("Opening files")
            self._job.start()

    def _on_opening(self, what: str, done: int, total: int) -> None:
        self._tell(f"{what}: {done:,} of {total:,}")

    def _on_opened(self, opened: Opened) -> None:
        self._job = None
        count = self._table.add(opened.images)
        self._tell(*opened_text(opened, count))
        self._follow()
        self.add_files(())

    def _on_failed(self, reason: str) -> None:
        self._job = None
        self._tell(capital(reason))
        self.add_files(())

    def _stop(self) -> None:
        self._waiting.clear()
        if self._job is not None:
            self._job.stop()

    def _choose_files(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Add image files")
        self.add_files([Path(path) for path in paths])

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Add a folder of images")
        if folder:
            self.add_files([Path(folder)])

    def show_files(self) -> None:
        """Show the selected files as layers, or all where none is selected."""
        self._tell("")
        self._show(self._hidden_files())

    def _show(self, rows: Sequence[FileRow]) -> None:
        """Show files as layers, while the window lives on."""
        among, images, failed = [], [], []
        for row in self._table.rows:
            if isinstance(row, FileRow):
                try:
                    among.append(row.image())
                except ValueError as error:
                    failed.append(sentence(error))
                else:
                    images += [among[-1]] if row in rows else []
        if failed:
            self._on_lost(failed)
        if images:
            self.showing.ask_for(images_of_files(self._viewer, images, among))

    def _on_lost(self, lost: Sequence[str]) -> None:
        more = [f"and {len(lost) - MOST_TOLD:,} more"] if len(lost) > MOST_TOLD else []
        self._tell("\n".join([*map(capital, lost[:MOST_TOLD]), *more]))

    def remove_files(self) -> None:
        """Take the selected files off the list, and their layers out of the viewer."""
        for row in self.layer_list.selected():
            if isinstance(row, FileRow):
                self._table.remove(row)
        self._tell("")
        self._follow()

    # --- what was chosen ----------------------------------------------------------------------

    def layers(self) -> list[Image]:
        """Return the ticked layers; those that show files count as files."""
        return self._table.layers()

    @property
    def any_chosen(self) -> bool:
        """Whether an image is ticked."""
        return any(row.ticked for row in self._table.rows)

    def inputs(self) -> Inputs:
        """Return the ticked images, with the layers that show them.

        Raises
        ------
        InputError
            Where there is none, or they do not fit together.
        """
        rows = self._table.layer_rows()
        files = [row for row in self._table.rows if isinstance(row, FileRow) and row.ticked]
        inputs = None
        if rows or not files:
            layers, axes = [row.layer for row in rows], [row.own_axes for row in rows]
            inputs = images_of(layers, axes, self.joining.value, World.of(self._viewer))
        if not files:
            assert inputs is not None
            return inputs
        images = [row.image() for row in files]
        return with_files(
            inputs, images, {row.name: row.layers for row in files if row.layers is not None}
        )

    def with_patches(self, inputs: Inputs, patches: PatchForm) -> Inputs:
        """Add the label images or the points that patches are cut by.

        Raises
        ------
        InputError
            Where they are missing, or do not fit the images.
        """
        world = World.of(self._viewer)
        if patches.kind.value is Objects:
            labels = patches.labels
            files = patches.label_files.images() if any(i.path for i in inputs.images) else []
            return with_labels(inputs, labels.layer, labels.candidates(), files, world,
                               patches.number_objects.isChecked())  # fmt: skip
        if patches.kind.value is Points:
            return with_points(inputs, patches.points.layer, world)
        return inputs

    def lie_under_labels(self, inputs: Inputs, patches: PatchForm) -> bool:
        """Whether a Labels layer with objects lies over each of these images."""
        labels = patches.labels
        layer = labels.layer if len(inputs.images) == 1 else None
        return lie_under_labels(inputs, layer, labels.candidates())

    def plane_looked_at(self) -> int | None:
        """Return Z of the plane that is looked at in the first ticked layer with depth."""
        for row in self._table.rows:
            linked = row.linked() if row.ticked else None
            if linked is not None and "Z" in linked.axes:
                at = World.of(self._viewer).pixels(linked.layer, self._viewer.dims.point)
                return round(at[linked.axes.index("Z")])
        return None

    def summary(self) -> str:
        """Say in a few words what is chosen, or why it cannot be."""
        try:
            images = self.inputs().images
        except ValueError as error:
            return capital(sentence(error))
        count = f"{len(images):,} image" + "s" * (len(images) != 1)
        return f"{count}, {channels_of(images[0])}, {pixel_size_of(images)}"
