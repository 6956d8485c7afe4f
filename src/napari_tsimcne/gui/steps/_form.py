"""The way from images to a training, step by step: images, patches, views, train."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_tsimcne.errors import InputError, sentence
from napari_tsimcne.gui._sentences import capital, listed
from napari_tsimcne.gui.images._open import still_there
from napari_tsimcne.gui.jobs._advisor import Advisor
from napari_tsimcne.gui.steps._images_form import ImagesForm
from napari_tsimcne.gui.steps._inputs import Inputs
from napari_tsimcne.gui.steps._metadata_form import MetadataForm
from napari_tsimcne.gui.steps._patch_form import PatchForm
from napari_tsimcne.gui.steps._placing import Found, Placing
from napari_tsimcne.gui.steps._preview import PatchPreview, count_text
from napari_tsimcne.gui.steps._remembered import remembered_recipe
from napari_tsimcne.gui.steps._step import Step
from napari_tsimcne.gui.steps._train_form import TrainForm
from napari_tsimcne.gui.steps._views_form import ViewsForm
from napari_tsimcne.recipe import VIEWS, Grid, Recipe

SETTLE_MS = 250
"""Without a change until the patches are placed anew."""


class TrainingForm(QWidget):
    """The choices of all steps; `inputs` and `recipe` say them in our words.

    While they change, the patches are placed, counted and outlined in the images, some of them
    are shown with their views, and the time of a training is measured. ``changed`` is emitted
    with the choices, ``found`` once their patches are placed.

    Parameters
    ----------
    viewer
        The napari viewer.
    on_views, on_time
        Asked for views of patches, and how long a training takes.
    """

    changed = Signal()
    found = Signal()

    def __init__(self, viewer: Any, on_views: Advisor, on_time: Advisor) -> None:
        super().__init__()
        self.images, self.metadata = ImagesForm(viewer), MetadataForm()
        self.patches = PatchForm(viewer)
        self.views, self.training = ViewsForm(on_views), TrainForm(on_time)
        self.preview = PatchPreview(viewer)
        self.placing = Placing(self)
        self.placed: Found | None = None
        self._viewer, self._allowed, self._trouble = viewer, True, ""
        self._build()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(SETTLE_MS)
        self._soon.timeout.connect(self._place)
        self._take_remembered()
        for form in (self.images, self.metadata, self.patches):
            form.changed.connect(self._on_changed)
        self.views.changed.connect(self._on_recipe_changed)
        self.training.changed.connect(self._on_recipe_changed)
        self.training.preset.currentIndexChanged.connect(self._take_published_views)
        self.patches.depth_method.currentIndexChanged.connect(self._take_plane)
        self.placing.found.connect(self._on_found)
        self.placing.failed.connect(self._on_failed)
        self.placing.told.connect(self._on_placing)
        self._on_changed()

    def release(self) -> None:
        """Stop following the viewer."""
        self._soon.stop()
        self.placing.cancel()
        self.preview.remove()
        for form in (self.images, self.patches, self.views, self.training):
            form.release()

    # --- widgets ------------------------------------------------------------------------------

    def _build(self) -> None:
        self.images_step = Step(1, "Images", True)
        self.images_step.add(self.images, self.metadata)
        self.patches_step = Step(2, "Patches", True)
        self.outlines = QCheckBox("Show on the images")
        self.outlines.setToolTip("Outline the patches that would be cut, as the choices change.")
        self.outlines.setChecked(True)
        self.outlines.toggled.connect(self._show_outlines)
        self.patches_step.add(self.patches, self.outlines)
        self.views_step = Step(3, "Augmentations", False)
        self.views_step.add(self.views)
        self.train_step = Step(4, "Train", True)
        self.train_step.add(self.training)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for step in (self.images_step, self.patches_step, self.views_step, self.train_step):
            layout.addWidget(step)

    def _take_remembered(self) -> None:
        recipe = remembered_recipe()
        if recipe is None:
            return
        self.training.show_recipe(recipe)
        # Objects and points are of layers that are not there yet.
        if isinstance(recipe.patches, Grid) and recipe.patches.unit == "pixel":
            self.patches.show_recipe(recipe)
            self.patches.forget_choice_of_kind()

    def show_recipe(self, recipe: Recipe) -> None:
        """Take the choices of a run, where its images allow them."""
        self.patches.show_recipe(recipe)
        self.views.show_augmentations(recipe.augmentations)
        self.training.show_recipe(recipe)

    def allow_changes(self, allowed: bool) -> None:
        """Let the choices be changed, or not, while they are worked on."""
        if allowed == self._allowed:
            return
        self._allowed = allowed
        self.images_step.content.setEnabled(allowed)
        self._enable()
        if allowed:
            # Layers may have come and gone meanwhile.
            self._on_changed()
        else:
            self._soon.stop()
            self.placing.cancel()
            self.training.stop_measuring()
            # They would lie over what is found on the map.
            self.outlines.setChecked(False)

    # --- what was chosen ----------------------------------------------------------------------

    def inputs(self) -> Inputs:
        """Return the chosen images with their label images or points, and what is known of them.

        Raises
        ------
        InputError
            Where something is missing, or layers, table and paths do not fit together.
        """
        return self._completed(self.images.inputs())

    def recipe(self, rgb: bool) -> Recipe:
        """Return the recipe of the choices.

        Raises
        ------
        ValueError
            Where choices do not fit together, with what to change.
        """
        return self.training.recipe(
            self.patches.patches(),
            depth=self.patches.depth(),
            background=self.patches.background(),
            rgb=rgb,
            augmentations=self.views.augmentations(),
        )

    def run_folder(self) -> Path:
        """Return where the run is to be written."""
        return self.training.run_folder()

    def _completed(self, inputs: Inputs) -> Inputs:
        inputs = self.images.with_patches(inputs, self.patches)
        return replace(inputs, measure=self.metadata.measurement(inputs))

    def _take_plane(self) -> None:
        """Take the plane that is looked at, once one plane is asked for."""
        plane = self.images.plane_looked_at()
        if plane is not None and self.patches.depth_method.value == "plane":
            self.patches.plane.setValue(plane)

    def _take_published_views(self) -> None:
        """Show the views of the published strategies, which are of natural images; or ours."""
        published = self.training.preset.value.startswith("paper")
        shown = self.views.augmentations()
        if published != (shown == VIEWS["natural"]):
            kind = "natural" if published else self.views.suggested
            self.views.show_augmentations(VIEWS[kind])

    # --- following the choices ----------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether a training of the choices makes sense, as far as is known."""
        return self._trouble == ""

    def _on_changed(self) -> None:
        """Tell each step what it will do; place the patches once the choices hold still."""
        self.placed = None
        self._trouble = ""
        self.placing.cancel()
        try:
            images = self.images.inputs()
        except ValueError as error:
            self._stop_at(self.images_step, error)
            self._follow([])
            return
        self._follow(images.images, self.images.lie_under_labels(images, self.patches))
        summary = self.images.summary()
        self.images_step.tell(summary)
        first = images.images[0]
        self.views.follow_images(first.rgb, first.channels)
        self._tell_views()
        try:
            completed = self._completed(images)
            self.patches.patches()
        except ValueError as error:
            self._stop_at(self.patches_step, error)
            return
        if completed.measure is not None:
            self.images_step.tell(f"{summary}; with {listed(completed.measure.columns)}")
        self._enable()
        if self._allowed:
            self.patches_step.tell("Counting...")
            self._soon.start()
        self.changed.emit()

    def _on_recipe_changed(self) -> None:
        """Nothing is cut differently: only the time changes, and what the views look like."""
        self._tell_views()
        self._estimate()
        self.changed.emit()

    def _tell_views(self) -> None:
        shown = self.views.augmentations()
        names = [name for name in type(shown).model_fields if getattr(shown, name).on]
        kind = self.views.kind.currentText()
        suggested = "" if self.views.chosen else " (suggested by the images)"
        self.views_step.tell(
            f"{capital(kind)}{suggested}: what should not matter is "
            f"{listed([name.replace('_', ' ') for name in names])}"
            if names else "Nothing is varied: nothing can be learnt."
        )  # fmt: skip

    def _follow(self, images: Sequence[Any], under_labels: bool = False) -> None:
        self.patches.blockSignals(True)
        self.patches.follow_images(images)
        self.patches.suggest_objects(under_labels)
        self.patches.blockSignals(False)

    def _stop_at(self, step: Step, error: ValueError) -> None:
        self._trouble = sentence(error)
        self._soon.stop()
        step.tell(capital(self._trouble))
        if step is self.images_step:
            self.patches_step.tell("")
        self.preview.remove()
        self.views.show_patches(None)
        self._estimate()
        self._enable()
        self.changed.emit()

    def _place(self) -> None:
        try:
            inputs = self.inputs()
            recipe = self.recipe(rgb=inputs.images[0].rgb)
        except ValueError as error:
            self._stop_at(self.patches_step, error)
            return
        self.placing.ask(inputs, recipe)

    def _on_placing(self, what: str, done: int, total: int) -> None:
        if self.placing.busy:
            self.patches_step.tell(f"{what}: {done:,} of {total:,}")

    def _on_failed(self, reason: str) -> None:
        self._stop_at(self.patches_step, InputError(reason))

    def _on_found(self, found: Found) -> None:
        self.placed = found
        first = found.inputs.images[0]
        self.views.follow_images(first.rgb, first.channels, found.look)
        self.views.show_patches(found.sample)
        self.patches_step.tell(self._count_text(found))
        self._show_outlines()
        self._estimate()
        self._enable()
        self.found.emit()

    def _count_text(self, found: Found) -> str:
        text, suggested = _counted(found), self.patches.suggested
        return f"{text}; {suggested}" if suggested else text

    def _show_outlines(self) -> None:
        found = self.placed
        if found is None or not self.outlines.isChecked() or not self._allowed:
            self.preview.remove()
            return
        layers = still_there(self._viewer, found.inputs.layers)
        text = self._count_text(found)
        if layers:
            text += self.preview.show(found.placed, layers, found.recipe.seed)
        self.patches_step.tell(text)

    def _estimate(self) -> None:
        found = self.placed
        if found is None or not len(found.placed.table):
            self.training.follow(None, 0, 0, False)
            return
        first = found.inputs.images[0]
        # Where the recipe cannot be, the form of the training tells why.
        with suppress(ValueError):
            recipe = self.recipe(rgb=first.rgb).cut_at(found.placed.recipe.patches.pixels)
            self.training.follow(recipe, len(found.placed.table), first.channels, first.rgb)

    def _enable(self) -> None:
        """Let a step be used once the one before it makes sense."""
        images = self.images.any_chosen and self._allowed
        self.patches_step.content.setEnabled(images)
        self.views_step.content.setEnabled(images)
        self.training.setEnabled(images and self.ready)


def _counted(found: Found) -> str:
    """Count what would be cut, and say what of the inputs is not used."""
    return "; ".join([count_text(found.placed), *found.inputs.notes])
