"""Finds, while the choices change, which patches would be cut, and takes some of them to show."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from qtpy.QtCore import QObject, Signal

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui.jobs._job import CancelledError
from napari_tsimcne.gui.jobs._newest import Newest
from napari_tsimcne.gui.steps._inputs import Inputs
from napari_tsimcne.gui.steps._patch_sample import PatchSample, sample_patches
from napari_tsimcne.images import ImageSource
from napari_tsimcne.patches import Look, Placed, look_of, place_patches
from napari_tsimcne.recipe import Recipe

LARGEST_SHOWN = 2048
"""Pixels of a patch's side of which views are shown: to cut larger ones takes too long."""


class Found(NamedTuple):
    """What would be cut by these choices, some of it (None: nothing), and its look."""

    inputs: Inputs
    recipe: Recipe
    placed: Placed
    sample: PatchSample | None
    look: Look


class Placing(QObject):
    """Places patches in a worker thread; of several requests the newest counts.

    ``found`` carries what was `Found`, ``failed`` a sentence, ``told`` what is done, how much of it
    and of how much.
    """

    found = Signal(object)
    failed = Signal(str)
    told = Signal(str, int, int)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._work = Newest(self)
        self._work.failed.connect(self.failed)
        self._outdated = threading.Event()
        self._looks: dict[tuple[object, ...], Look] = {}

    @property
    def busy(self) -> bool:
        """Whether patches are being placed."""
        return self._work.busy

    def ask(self, inputs: Inputs, recipe: Recipe) -> None:
        """Find the patches of these choices."""
        self.cancel()
        self._outdated = threading.Event()
        self._work.ask(partial(self._find, inputs, recipe, self._outdated), self.found.emit)

    def cancel(self) -> None:
        """Find nothing any more."""
        self._outdated.set()
        self._work.cancel()

    def _find(self, inputs: Inputs, recipe: Recipe, outdated: threading.Event) -> Found:
        def told(what: str, done: int, total: int) -> None:
            if outdated.is_set():
                raise CancelledError
            self.told.emit(what, done, total)

        images = [image.at_depth(recipe.depth) for image in inputs.images]
        placed = place_patches(
            images, recipe, labels=inputs.labels, points=inputs.points, told=told
        )
        if inputs.measure is not None:
            # What cannot be joined is told now, and not when the user has set off a training.
            inputs.measure(placed.table)
        return Found(inputs, recipe, placed, _sample(inputs, placed), self._look(images))

    def _look(self, images: Sequence[ImageSource]) -> Look:
        """Look at the same images once: how they look does not change with the choices."""
        key = tuple((image.name, image.path, image.shape, image.axes) for image in images)
        if key not in self._looks:
            self._looks[key] = look_of(images)
        return self._looks[key]


def _sample(inputs: Inputs, placed: Placed) -> PatchSample | None:
    """Take some patches to show; None where there are none, or they cannot be seen."""
    if not len(placed.table) or placed.table["size"].max() > LARGEST_SHOWN:
        return None
    try:
        return sample_patches(inputs, placed)
    except InputError:
        # The patches are what they are: what is wrong with them is told when they are cut.
        return None
