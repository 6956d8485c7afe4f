"""The form: which images, which patches, which recipe."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui._link import LinkedLayer
from napari_tsimcne.images import ImageSource, from_layer, guess_axes, join_channels
from napari_tsimcne.patches import grid_origins
from napari_tsimcne.recipe import PRESETS, Grid, Recipe

GUESSED = "as guessed"
AXES = ("CYX", "ZYX", "TYX", "TCYX", "TZYX", "CZYX", "ZCYX")
JOINED, SEPARATE = "channels of one image", "separate images"


MOST_STAGES = max(len(preset().stages) for preset in PRESETS.values())


class TrainingForm(QWidget):
    """Choices of the user, always valid in range; ``images`` and ``recipe`` say them in our words.

    Follows the layers of the viewer: each Image layer is listed and can be ticked.
    """

    changed = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._build()
        self._follow_layers()
        viewer.layers.events.inserted.connect(self._follow_layers)
        viewer.layers.events.removed.connect(self._follow_layers)
        viewer.layers.events.reordered.connect(self._follow_layers)
        self._refresh()

    def release(self) -> None:
        """Stop following the viewer."""
        events = self._viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.disconnect(self._follow_layers)

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

        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.joining = QComboBox()
        self.joining.addItems([JOINED, SEPARATE])
        self.joining.setToolTip("What several ticked layers are to each other.")
        self.joining.currentIndexChanged.connect(self._refresh)
        form.addRow("Layers are", self.joining)
        self.axes = QComboBox()
        self.axes.addItems([GUESSED, *AXES])
        self.axes.setToolTip(
            "What the axes of layers with sliders are: T time, C channels, Z depth.\n"
            "Applies to layers with as many axes; the line below says what is used."
        )
        self.axes.currentIndexChanged.connect(self._refresh)
        form.addRow("Axes", self.axes)
        self.patch_size = _spin(8, 1024, 32, " px", "Side of a patch, in pixels: about one cell.")
        self.stride = _spin(
            0, 1024, 0, " px",
            "Step from patch to patch, in pixels. Smaller than the patch: patches overlap.",
        )  # fmt: skip
        self.stride.setSpecialValueText("same as size")
        self.preset = QComboBox()
        self.preset.addItems(list(PRESETS))
        self.preset.setToolTip(
            "quick: a useful map in minutes, also without a GPU.\n"
            "thorough: the same with more epochs, half an hour or so.\n"
            "paper: exactly as published, 1500 epochs; hours on a GPU. The others starting with\n"
            "paper are the publication's further strategies."
        )
        self.preset.currentTextChanged.connect(self._take_preset)
        for spin in (self.patch_size, self.stride):
            spin.valueChanged.connect(self._refresh)
        form.addRow("Patch size", self.patch_size)
        form.addRow("Stride", self.stride)
        form.addRow("Preset", self.preset)
        layout.addLayout(form)

        self.summary = QLabel()
        self.summary.setWordWrap(True)
        layout.addWidget(self.summary)
        layout.addWidget(self._build_details())
        self._take_preset(self.preset.currentText())

    def _build_details(self) -> QWidget:
        details = QWidget()
        form = QFormLayout(details)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.epochs = [_spin(0, 100_000, 0, "", "") for _ in range(MOST_STAGES)]
        row = QHBoxLayout()
        for spin in self.epochs:
            spin.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
            row.addWidget(spin)
        form.addRow("Epochs", row)
        self.batch_size = _spin(2, 65536, 256, "", "Images a batch: 2 to 65536. Larger batches "
                                "need more memory.")  # fmt: skip
        form.addRow("Batch size", self.batch_size)
        self.seed = _spin(0, 2**31 - 1, 0, "", "The same seed gives the same map.")
        form.addRow("Seed", self.seed)
        self.device = QComboBox()
        self.device.addItems(["auto", "cpu", "cuda", "mps"])
        self.device.setToolTip("Where to train; auto takes a GPU where there is one.")
        form.addRow("Device", self.device)
        self.folder = QLineEdit()
        self.folder.setPlaceholderText(str(_runs_folder() / "date and time"))
        self.folder.setToolTip("New folder that the run is written to.")
        browse = QToolButton()
        browse.setText("...")
        browse.setToolTip("Choose where the run folder is made.")
        browse.clicked.connect(self._browse)
        where = QHBoxLayout()
        where.addWidget(self.folder)
        where.addWidget(browse)
        form.addRow("Run folder", where)
        self.details = QCollapsible("Details")
        self.details.setDuration(0)
        self.details.addWidget(details)
        return self.details

    def _browse(self) -> None:
        parent = QFileDialog.getExistingDirectory(self, "Make the run folder in")
        if parent:
            self.folder.setText(str(Path(parent) / _new_name()))

    def _take_preset(self, name: str) -> None:
        recipe = PRESETS[name]()
        for i, spin in enumerate(self.epochs):
            spin.setVisible(i < len(recipe.stages))
            if i < len(recipe.stages):
                stage = recipe.stages[i]
                spin.setValue(stage.epochs)
                spin.setToolTip(f"Epochs of the stage '{stage.name}'; 0 leaves it out.")
        self.batch_size.setValue(recipe.batch_size)

    # --- layers -------------------------------------------------------------------------------

    def _follow_layers(self, event: Any = None) -> None:
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
            self.joining.setCurrentText(_likely_joining(self.layers()))
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

    def images(self) -> tuple[list[ImageSource], dict[str, LinkedLayer]]:
        """Return the chosen images, and for each the layer that shows it.

        Raises
        ------
        InputError
            Where no layer is ticked, or layers do not fit together.
        """
        layers = self.layers()
        if not layers:
            raise InputError("no image is chosen: open an image and tick its layer")
        linked = [LinkedLayer(layer, self._axes_of(layer)) for layer in layers]
        images = [from_layer(layer, axes=axes) for layer, axes in linked]
        if len(images) > 1 and self.joining.currentText() == JOINED:
            joined = join_channels(images, name=" + ".join(image.name for image in images))
            return [joined], {joined.name: linked[0]}
        return images, {image.name: link for image, link in zip(images, linked, strict=True)}

    def _axes_of(self, layer: Image) -> str:
        chosen = self.axes.currentText()
        return chosen if len(chosen) == layer.ndim and chosen != GUESSED else guess_axes(layer)

    def recipe(self, rgb: bool) -> Recipe:
        """Return the recipe of the choices."""
        preset = PRESETS[self.preset.currentText()]
        return preset(
            self._grid(),
            rgb=rgb,
            epochs=[spin.value() for spin in self.epochs[: len(preset().stages)]],
            batch_size=self.batch_size.value(),
            seed=self.seed.value(),
        )

    def run_folder(self) -> Path:
        """Return where the run is to be written."""
        given = self.folder.text().strip()
        return Path(given).expanduser() if given else _runs_folder() / _new_name()

    def show_grid(self, grid: Grid) -> None:
        """Take the patches of a run that was opened."""
        self.patch_size.setValue(grid.size)
        self.stride.setValue(0 if grid.stride == grid.size else grid.stride)

    def _grid(self) -> Grid:
        return Grid(size=self.patch_size.value(), stride=self.stride.value())

    def _refresh(self) -> None:
        several = len(self.layers()) > 1
        self.joining.setEnabled(several)
        try:
            images, _ = self.images()
        except InputError as error:
            self.summary.setText(str(error)[0].upper() + str(error)[1:])
        else:
            count = sum(_count(image, self._grid()) for image in images)
            what = "1 image" if len(images) == 1 else f"{len(images)} images"
            channels = "RGB" if images[0].rgb else f"{images[0].channels} channel" + (
                "s" if images[0].channels > 1 else "")  # fmt: skip
            self.summary.setText(
                f"{count:,} patches of {what}, {channels}, axes {images[0].axes.rstrip('S')}"
            )
        self.changed.emit()


def _count(image: ImageSource, grid: Grid) -> int:
    planes = image.length("T") * image.length("Z")
    return planes * int(np.prod([len(grid_origins(n, grid)) for n in image.height_width]))


def _likely_joining(layers: list[Image]) -> str:
    """Layers of one shape, drawn over each other, are most likely channels."""
    shapes = {tuple(layer.data.shape) for layer in layers if not layer.multiscale}
    together = len(shapes) == 1 and not any(layer.rgb for layer in layers)
    places = {tuple(layer.translate) for layer in layers}
    return JOINED if together and len(places) == 1 else SEPARATE


def _runs_folder() -> Path:
    return Path.home() / "napari-tsimcne"


def _new_name() -> str:
    return datetime.now().strftime("run-%Y-%m-%d-%H%M%S")


def _spin(low: int, high: int, value: int, suffix: str, tip: str) -> QSpinBox:
    spin = QSpinBox()
    spin.setRange(low, high)
    spin.setValue(value)
    spin.setSuffix(suffix)
    spin.setToolTip(tip)
    spin.setMinimumWidth(48)
    return spin
