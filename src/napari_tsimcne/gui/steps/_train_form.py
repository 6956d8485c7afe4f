"""The part of the form that says how the map is learnt, where, and how long that takes here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QLineEdit,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.advice import Device, EstimateAsked
from napari_tsimcne.errors import sentence
from napari_tsimcne.gui._fields import (
    Choice,
    add_rows,
    form_layout,
    show_row,
    side_by_side,
    spin,
    with_button,
)
from napari_tsimcne.gui._fold import Fold
from napari_tsimcne.gui._sentences import capital
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.jobs._advisor import Advisor
from napari_tsimcne.gui.steps._training_time import TrainingTime
from napari_tsimcne.recipe import (
    PRESETS,
    Augmentations,
    Background,
    Change,
    Depth,
    Patches,
    Recipe,
    changes,
)

DEVICES = ("auto", "cpu", "cuda", "mps")
MOST_STAGES = max(len(preset().stages) for preset in PRESETS.values())
NOTHING_YET = "How long it takes is shown here once there are patches."
PRESET_TIP = (
    "How the map is learnt.\n"
    "quick: a useful map, in minutes also without a GPU.\n"
    "thorough: the same with four times as many epochs.\n"
    "paper: exactly as published, 1500 epochs; hours on a GPU. The others starting with\n"
    "paper are the publication's further strategies.\n"
    "Choose a preset again, or press Reset, to take back what was changed."
)
GIBIBYTE = 2**30


class TrainForm(QWidget):
    """Preset, device, epochs, batch size, seed and run folder, always valid in range.

    Parameters
    ----------
    advisor
        Measures how long a training takes, and tells of devices.
    """

    changed = Signal()

    def __init__(self, advisor: Advisor) -> None:
        super().__init__()
        self.time = TrainingTime(advisor)
        self._devices: tuple[Device, ...] = ()
        self._basis: EstimateAsked | None = None
        self._build()
        self._take_preset()
        self._show_changes()
        self.time.tell(NOTHING_YET)
        self.time.devices_found.connect(self._take_devices)
        self.time.batch_wanted.connect(self.batch_size.setValue)
        self.preset.currentIndexChanged.connect(self._on_preset)
        # Chosen again, a preset is as it was made.
        self.preset.activated.connect(self._reset)
        for field in (*self.epochs, self.batch_size, self.seed):
            field.valueChanged.connect(self._on_change)
        self.device.currentIndexChanged.connect(self._on_change)
        self.folder.textChanged.connect(self.changed)

    def release(self) -> None:
        """Ask for nothing any more, and hear no answer."""
        self.time.release()

    # --- widgets ------------------------------------------------------------------------------

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.preset = Choice(
            [(name, name) for name in PRESETS],
            PRESET_TIP,
        )
        self.device = Choice(
            [(name, name) for name in DEVICES],
            "Where to train; auto takes a GPU where there is one. cuda: a GPU of NVIDIA (or AMD),\n"
            "mps: a GPU of Apple.",
        )
        self.memory = Wrapped(lines=1)
        self.changed_text = Wrapped()
        self.reset = QToolButton()
        self.reset.setText("Reset")
        self.reset.clicked.connect(self._reset)
        preset = side_by_side(self.preset, self.reset)
        preset.layout().setStretch(0, 1)
        form = form_layout()
        add_rows(form, [("Preset", preset)])
        form.addRow(self.time)
        add_rows(form, [("Device", self.device)])
        form.addRow(self.memory)
        layout.addLayout(form)
        layout.addWidget(self._build_details())
        layout.addWidget(self.changed_text)
        self._show_device()

    def _build_details(self) -> QWidget:
        details = QWidget()
        self.epochs = [spin(0, 100_000, 0, "", "") for _ in range(MOST_STAGES)]
        for field in self.epochs:
            field.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        self.batch_size = spin(2, 65536, 256, " images", "Images a batch: 2 to 65536. Larger "
                               "batches need more memory.")  # fmt: skip
        self.seed = spin(0, 2**31 - 1, 0, "", "0 to 2147483647. The same seed gives the same map.")
        self.folder = QLineEdit()
        self.folder.setPlaceholderText(str(_runs_folder() / "date and time"))
        self.folder.setToolTip("New folder that the run is written to.")
        folder = with_button(self.folder, "Choose where the run folder is made.", self._browse)
        self._stages = form_layout()
        add_rows(self._stages, [
            *(("Epochs", field) for field in self.epochs), ("Batch size", self.batch_size),
            ("Seed", self.seed), ("Run folder", folder),
        ])  # fmt: skip
        details.setLayout(self._stages)
        self.details = Fold("Training details")
        self.details.addWidget(details)
        return self.details

    def _browse(self) -> None:
        parent = QFileDialog.getExistingDirectory(self, "Make the run folder in")
        if parent:
            self.folder.setText(str(Path(parent) / _new_name()))

    def _take_preset(self) -> None:
        """Show the epochs and the batch size of the preset."""
        recipe = PRESETS[self.preset.value]()
        for i, field in enumerate(self.epochs):
            show_row(self._stages, field, i < len(recipe.stages))
            if i < len(recipe.stages):
                stage = recipe.stages[i]
                self._stages.labelForField(field).setText(f"Epochs, {stage.name}")
                field.setValue(stage.epochs)
                field.setToolTip(
                    f"Epochs of the stage '{stage.name}': 0 to 100000; 0 leaves it out."
                )
        self.batch_size.setValue(recipe.batch_size)

    def _on_preset(self) -> None:
        self._quietly(self._take_preset)
        self._on_change()

    def _reset(self) -> None:
        """Take all of the preset, the seed included."""

        def take() -> None:
            self._take_preset()
            self.seed.setValue(0)

        if self.changes():
            self._quietly(take)
            self._on_change()

    def changes(self) -> tuple[Change, ...]:
        """Return in what the choices differ from the preset."""
        try:
            return changes(self._recipe())
        except ValueError:
            # What cannot be is told where the recipe is needed.
            return (Change("epochs", "without a map", "with one"),)

    def _show_changes(self) -> None:
        """Name the preset by what it is now: changed, or as it was made."""
        found = self.changes()
        names = ", ".join(change.what for change in found)
        for i in range(self.preset.count()):
            name = self.preset.itemData(i)
            changed = i == self.preset.currentIndex() and bool(names)
            self.preset.setItemText(i, f"{name}, changed" if changed else name)
        lines = "\n".join(map(str, found))
        self.changed_text.setText(f"Changed: {names}")
        self.changed_text.setVisible(bool(found))
        self.preset.setToolTip(f"Changed: {lines}\n\n{PRESET_TIP}" if found else PRESET_TIP)
        self.reset.setEnabled(bool(found))
        self.reset.setToolTip(
            f"Take back what was changed:\n{lines}" if found
            else f"Nothing is changed: this is the preset {self.preset.value}."
        )  # fmt: skip

    def _quietly(self, change: Callable[[], None]) -> None:
        fields = (self.preset, *self.epochs, self.batch_size, self.seed)
        for field in fields:
            field.blockSignals(True)
        change()
        for field in fields:
            field.blockSignals(False)

    # --- what was chosen ----------------------------------------------------------------------

    @property
    def device_name(self) -> str:
        """The device: ``auto``, ``cpu``, ``cuda`` or ``mps``."""
        return self.device.value

    def recipe(
        self,
        patches: Patches,
        *,
        depth: Depth,
        background: Background,
        rgb: bool,
        augmentations: Augmentations,
    ) -> Recipe:
        """Return the recipe of the choices, for what is cut and for the views of it.

        Raises
        ------
        ValueError
            Where choices do not fit together, with what to change.
        """
        return self._recipe(
            patches, depth=depth, background=background, rgb=rgb, augmentations=augmentations
        )

    def _recipe(self, patches: Patches | None = None, **of_images: Any) -> Recipe:
        preset = PRESETS[self.preset.value]
        return preset(
            patches,
            **of_images,
            epochs=[field.value() for field in self.epochs[: len(preset().stages)]],
            batch_size=self.batch_size.value(),
            seed=self.seed.value(),
        )

    def run_folder(self) -> Path:
        """Return where the run is to be written."""
        given = self.folder.text().strip()
        return Path(given).expanduser() if given else _runs_folder() / _new_name()

    def show_recipe(self, recipe: Recipe) -> None:
        """Take preset, epochs, batch size and seed of a recipe, as far as they fit the form."""
        self._quietly(lambda: self._take_recipe(recipe))
        self._on_change()

    def _take_recipe(self, recipe: Recipe) -> None:
        if recipe.preset in PRESETS:
            self.preset.choose(recipe.preset)
            self._take_preset()
        if len(recipe.stages) == len(PRESETS[self.preset.value]().stages):
            for field, stage in zip(self.epochs, recipe.stages, strict=False):
                _set_where_in_range(field, stage.epochs)
        _set_where_in_range(self.batch_size, recipe.batch_size)
        _set_where_in_range(self.seed, recipe.seed)

    # --- how long it takes --------------------------------------------------------------------

    def follow(self, recipe: Recipe | None, patches: int, channels: int, rgb: bool) -> None:
        """Tell how long a training takes, once nothing has changed for a while.

        Parameters
        ----------
        recipe
            Of the training; None where there is nothing to train.
        patches, channels, rgb
            How many patches there will be, their channels, and whether these are red, green, blue.
        """
        self._basis = None
        if recipe is None:
            self.time.tell(NOTHING_YET)
            return
        self._basis = EstimateAsked(
            recipe=recipe, patches=patches, channels=channels, rgb=rgb, device=self.device_name
        )
        self.time.follow(self._basis)

    def stop_measuring(self) -> None:
        """Give up a measurement under way: it would take the processor from a training."""
        if not self.time.known:
            self._basis = None
            self.time.tell("How long it takes was not measured before a training began.")

    def _on_change(self) -> None:
        self._show_changes()
        self._show_device()
        if self._basis is not None:
            self._follow_choices(self._basis)
        self.changed.emit()

    def _follow_choices(self, basis: EstimateAsked) -> None:
        """Tell of the same patches and views with the choices as they are now."""
        recipe = basis.recipe
        try:
            recipe = self.recipe(
                recipe.patches, depth=recipe.depth, background=recipe.background, rgb=basis.rgb,
                augmentations=recipe.augmentations,
            )  # fmt: skip
        except ValueError as error:
            self.time.tell(f"{capital(sentence(error))}.")
        else:
            self.time.follow(
                basis.model_copy(update={"recipe": recipe, "device": self.device_name})
            )

    def _take_devices(self, devices: tuple[Device, ...]) -> None:
        self._devices = devices
        for name in DEVICES[1:]:
            found = any(device.name == name for device in devices)
            self.device.allow(name, found, "This machine has none.")
        self._show_device()

    def _show_device(self) -> None:
        name = self.device_name
        device = next((d for d in self._devices if name in ("auto", d.name)), None)
        self.memory.setText("")
        if device is not None:
            free, total = (round(n / GIBIBYTE) for n in (device.free_bytes, device.total_bytes))
            self.memory.setText(f"{device.title}; {free} of {total} GB free")


def _set_where_in_range(field: QSpinBox, value: int) -> None:
    if field.minimum() <= value <= field.maximum():
        field.setValue(value)


def _runs_folder() -> Path:
    return Path.home() / "napari-tsimcne"


def _new_name() -> str:
    return datetime.now().strftime("run-%Y-%m-%d-%H%M%S")
