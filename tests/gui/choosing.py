"""The forms of images and patches by themselves, without what the dock does with them."""

from typing import NamedTuple

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui.steps._images_form import ImagesForm
from napari_tsimcne.gui.steps._patch_form import PatchForm


class Forms(NamedTuple):
    """Both forms; ``follow`` is what the dock does when images change."""

    images: ImagesForm
    patches: PatchForm

    def follow(self):
        try:
            self.patches.follow_images(self.images.inputs().images)
        except InputError:
            self.patches.follow_images([])

    def inputs(self):
        return self.images.with_patches(self.images.inputs(), self.patches)

    def choose(self, kind):
        self.patches.kind.choose(kind)
        return self.patches

    def release(self):
        self.images.release()
        self.patches.release()


def add_forms(viewer):
    """Put both forms into a dock of the viewer's window."""
    forms = Forms(ImagesForm(viewer), PatchForm(viewer))
    holder = QWidget()
    layout = QVBoxLayout(holder)
    for form in forms:
        layout.addWidget(form)
    viewer.window.add_dock_widget(holder, name="forms")
    forms.follow()
    return forms
