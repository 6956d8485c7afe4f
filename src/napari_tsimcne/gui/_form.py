"""The form: which images, which patches, which recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from napari.layers import Image, Labels
from napari.layers import Points as PointsLayer
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_tsimcne.errors import InputError, sentence
from napari_tsimcne.gui._fields import (
    Choice,
    LayerFollower,
    add_rows,
    form_layout,
    side_by_side,
    spin,
    with_button,
)
from napari_tsimcne.gui._inputs import Inputs, images_of, with_labels, with_points
from napari_tsimcne.gui._metadata_form import MetadataForm
from napari_tsimcne.gui._outlines import level_shape
from napari_tsimcne.gui._patch_form import PatchForm
from napari_tsimcne.gui._sentences import capital, listed
from napari_tsimcne.images import ImageSource, guess_axes
from napari_tsimcne.patches import count_grid
from napari_tsimcne.recipe import PRESETS, Objects, Points, Recipe

AXES = ("CYX", "ZYX", "TYX", "TCYX", "TZYX", "CZYX", "ZCYX")

CHANGES = ("data", "scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
"""Events of layers that the summary follows."""

CHANGES_MS = 50
"""A time in which changes come together, as those of a point that is dragged."""

MOST_STAGES = max(len(preset().stages) for preset in PRESETS.values())


class TrainingForm(QWidget):
    """Choices of the user, always valid in range; ``inputs`` and ``recipe`` say them in our words.

    Follows the layers of the viewer: each Image layer is listed and can be ticked.
    """

    changed = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self.patches = PatchForm(viewer)
        self.metadata = MetadataForm()
        self._build()
        self._follow_layers()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(CHANGES_MS)
        self._soon.timeout.connect(self._refresh)
        kinds = (Image, Labels, PointsLayer)
        self._followers = [
            LayerFollower(viewer, self._follow_layers, kinds),
            LayerFollower(viewer, self._soon.start, kinds, CHANGES),
        ]
        self.metadata.changed.connect(self._refresh)
        self.patches.changed.connect(self._refresh)
        self.patches.depth_method.currentIndexChanged.connect(self._take_plane)

    def release(self) -> None:
        """Stop following the viewer."""
        self._soon.stop()
        for follower in self._followers:
            follower.release()
        self.patches.release()

    # --- widgets ------------------------------------------------------------------------------

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("<b>Images</b>"))
        self.layer_list = QListWidget()
        self.layer_list.setToolTip("Tick the image layers to learn from.")
        self.layer_list.setFixedHeight(92)
        self.layer_list.itemChanged.connect(self._refresh)
        layout.addWidget(self.layer_list)

        form = form_layout()
        self.joining = Choice(
            [("channels of one image", True), ("separate images", False)],
            "What several ticked layers are to each other.",
        )
        self.joining.currentIndexChanged.connect(self._refresh)
        self.axes = Choice(
            [("as guessed", ""), *((axes, axes) for axes in AXES)],
            "What the axes of layers with sliders are: T time, C channels, Z depth.\n"
            "Applies to layers with as many axes; the line below says what is used.",
        )
        self.axes.currentIndexChanged.connect(self._refresh)
        add_rows(form, [("Layers are", self.joining), ("Axes", self.axes)])
        layout.addLayout(form)
        layout.addWidget(self.metadata)
        layout.addWidget(self.patches)
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        layout.addWidget(self.summary)

        layout.addWidget(QLabel("<b>Training</b>"))
        form = form_layout()
        self.preset = Choice(
            [(name, name) for name in PRESETS],
            "quick: a useful map in minutes, also without a GPU.\n"
            "thorough: the same with more epochs, half an hour or so.\n"
            "paper: exactly as published, 1500 epochs; hours on a GPU. The others starting with\n"
            "paper are the publication's further strategies.",
        )
        self.preset.currentTextChanged.connect(self._take_preset)
        add_rows(form, [("Preset", self.preset)])
        layout.addLayout(form)
        layout.addWidget(self._build_details())
        self._take_preset(self.preset.value)

    def _build_details(self) -> QWidget:
        details = QWidget()
        self.epochs = [spin(0, 100_000, 0, "", "") for _ in range(MOST_STAGES)]
        for field in self.epochs:
            field.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        self.batch_size = spin(2, 65536, 256, "", "Images a batch: 2 to 65536. Larger batches "
                               "need more memory.")  # fmt: skip
        self.seed = spin(0, 2**31 - 1, 0, "", "The same seed gives the same map.")
        self.device = Choice(
            [(name, name) for name in ("auto", "cpu", "cuda", "mps")],
            "Where to train; auto takes a GPU where there is one.",
        )
        self.folder = QLineEdit()
        self.folder.setPlaceholderText(str(_runs_folder() / "date and time"))
        self.folder.setToolTip("New folder that the run is written to.")
        folder = with_button(self.folder, "Choose where the run folder is made.", self._browse)
        form = form_layout()
        add_rows(form, [
            ("Epochs", side_by_side(*self.epochs)), ("Batch size", self.batch_size),
            ("Seed", self.seed), ("Device", self.device), ("Run folder", folder),
        ])  # fmt: skip
        details.setLayout(form)
        self.details = QCollapsible("Training details")
        self.details.setDuration(0)
        self.details.addWidget(details)
        return self.details

    def _browse(self) -> None:
        parent = QFileDialog.getExistingDirectory(self, "Make the run folder in")
        if parent:
            self.folder.setText(str(Path(parent) / _new_name()))

    def _take_preset(self, name: str) -> None:
        recipe = PRESETS[name]()
        for i, field in enumerate(self.epochs):
            field.setVisible(i < len(recipe.stages))
            if i < len(recipe.stages):
                stage = recipe.stages[i]
                field.setValue(stage.epochs)
                field.setToolTip(f"Epochs of the stage '{stage.name}'; 0 leaves it out.")
        self.batch_size.setValue(recipe.batch_size)

    # --- layers -------------------------------------------------------------------------------

    def _follow_layers(self) -> None:
        ticked = dict(self._items())
        self.layer_list.blockSignals(True)
        self.layer_list.clear()
        for layer in self._viewer.layers:
            if not isinstance(layer, Image):
                continue
            item = QListWidgetItem(layer.name)
            item.setData(Qt.ItemDataRole.UserRole, layer)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            checked = ticked.get(layer, True)
            item.setCheckState(Qt.CheckState.Checked if checked else Qt.CheckState.Unchecked)
            self.layer_list.addItem(item)
        self.layer_list.blockSignals(False)
        if set(self.layers()) != {layer for layer, checked in ticked.items() if checked}:
            self.joining.choose(_likely_joined(self.layers()))
        self._refresh()

    def _items(self) -> list[tuple[Image, bool]]:
        items = [self.layer_list.item(i) for i in range(self.layer_list.count())]
        return [
            (item.data(Qt.ItemDataRole.UserRole), item.checkState() == Qt.CheckState.Checked)
            for item in items
        ]

    def layers(self) -> list[Image]:
        """Return the ticked layers."""
        return [layer for layer, checked in self._items() if checked]

    # --- what was chosen ----------------------------------------------------------------------

    def inputs(self) -> Inputs:
        """Return the chosen images with their label images or points, and what is known of them.

        Raises
        ------
        InputError
            Where something is missing, or layers, table and paths do not fit together.
        """
        return self._completed(self._images())

    def _completed(self, inputs: Inputs) -> Inputs:
        kind, patches = self.patches.kind.value, self.patches
        if kind is Objects:
            inputs = with_labels(inputs, patches.labels.layer, patches.labels.candidates())
        if kind is Points:
            inputs = with_points(inputs, patches.points.layer)
        return replace(inputs, measure=self.metadata.measurement(inputs))

    def _images(self) -> Inputs:
        layers = self.layers()
        return images_of(layers, [self._axes_of(layer) for layer in layers], self.joining.value)

    def _axes_of(self, layer: Image) -> str:
        chosen = self.axes.value
        return chosen if len(chosen) == layer.ndim else guess_axes(layer)

    def recipe(self, rgb: bool) -> Recipe:
        """Return the recipe of the choices.

        Raises
        ------
        ValueError
            Where choices do not fit together, with what to change.
        """
        preset = PRESETS[self.preset.value]
        return preset(
            self.patches.patches(),
            depth=self.patches.depth(),
            background=self.patches.background(),
            rgb=rgb,
            epochs=[field.value() for field in self.epochs[: len(preset().stages)]],
            batch_size=self.batch_size.value(),
            seed=self.seed.value(),
        )

    def run_folder(self) -> Path:
        """Return where the run is to be written."""
        given = self.folder.text().strip()
        return Path(given).expanduser() if given else _runs_folder() / _new_name()

    def _refresh(self) -> None:
        self.joining.setEnabled(len(self.layers()) > 1)
        try:
            inputs = self._images()
        except ValueError as error:
            self._tell_patches([])
            self.summary.setText(capital(sentence(error)))
        else:
            self._tell_patches(inputs.images)
            self.summary.setText(self._summary(inputs))
        self.changed.emit()

    def _take_plane(self) -> None:
        """Take the plane that is looked at, once one plane is asked for."""
        layers = [la for la in self.layers() if "Z" in self._axes_of(la)]
        if layers and self.patches.depth_method.value == "plane":
            at = layers[0].world_to_data(self._viewer.dims.point)
            self.patches.plane.setValue(round(at[self._axes_of(layers[0]).index("Z")]))

    def _tell_patches(self, images: Sequence[ImageSource]) -> None:
        self.patches.blockSignals(True)
        self.patches.follow_images(images)
        self.patches.blockSignals(False)

    def _summary(self, inputs: Inputs) -> str:
        images = inputs.images
        try:
            inputs = self._completed(inputs)
            what = self._what_is_cut(inputs)
        except ValueError as error:
            return capital(sentence(error))
        of = "1 image" if len(images) == 1 else f"{len(images)} images"
        channels = "RGB" if images[0].rgb else f"{images[0].channels} channel" + (
            "s" if images[0].channels > 1 else "")  # fmt: skip
        axes = images[0].axes.rstrip("S")
        text = f"{capital(what)} {of}, {channels}, axes\N{NO-BREAK SPACE}{axes}"
        if inputs.measure is not None:
            text += f"; with {listed(inputs.measure.columns)}"
        return text

    def _what_is_cut(self, inputs: Inputs) -> str:
        """Count the patches; those of objects are not known before they are found."""
        patches, depth = self.patches.patches(), self.patches.depth()
        if isinstance(patches, Objects):
            layer = self.patches.labels.layer
            name = self.patches.labels.currentText() if layer is None else f"'{layer.name}'"
            return f"one patch an object of {name},"
        if isinstance(patches, Points):
            assert inputs.points is not None
            name = self.patches.points.currentText()
            return f"{_patches(len(inputs.points))} at the points of '{name}' in"
        count = sum(count_grid(image.at_depth(depth), patches) for image in inputs.images)
        if not count:
            raise InputError(
                "a patch is larger than every image: use a smaller patch size, or pad the edges"
            )
        most = "" if self.patches.background().method == "none" else "at most "
        return f"{most}{_patches(count)} of"


def _patches(count: int) -> str:
    return f"{count:,} patch{'es' if count != 1 else ''}"


def _likely_joined(layers: list[Image]) -> bool:
    """Layers of one shape without channels, drawn over each other, are most likely channels."""
    shapes = {level_shape(layer) for layer in layers}
    together = len(shapes) == 1 and not any(
        layer.rgb or "C" in guess_axes(layer) for layer in layers
    )
    places = {tuple(layer.translate) for layer in layers}
    return together and len(places) == 1


def _runs_folder() -> Path:
    return Path.home() / "napari-tsimcne"


def _new_name() -> str:
    return datetime.now().strftime("run-%Y-%m-%d-%H%M%S")
