"""Finds the layers that show images of a run, and says which images are to be added, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import napari
import numpy as np
from napari.layers import Image, Labels
from napari.utils.notifications import show_warning

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui.images._batches import (
    MOST_LAYERS,
    Batch,
    batches_of,
    has_stacks,
    layers_of_kind,
    next_position,
)
from napari_tsimcne.gui.images._limits import limits_of
from napari_tsimcne.gui.images._outlines import LinkedLayer
from napari_tsimcne.gui.images._places import corner_of_stacks, places_in, places_of
from napari_tsimcne.gui.images._shown_files import ShownFiles, file_at, files_of
from napari_tsimcne.gui.steps._inputs import JOINED_BY, images_of
from napari_tsimcne.images import ImageSource, labels_from_layer
from napari_tsimcne.patches import Told
from napari_tsimcne.runs import (
    ExtendedRun,
    ImageRecord,
    Run,
    given_name,
    missing_images,
)

OPENING = "Opening images"


def show_run(run: Run) -> None:
    """Open napari on a run and stay until its window is closed."""
    viewer = napari.Viewer(title=f"napari: {run.folder.name}")
    _, dock = viewer.window.add_plugin_dock_widget("napari-tsimcne", "t-SimCNE")
    dock.open_run(run.folder)
    napari.run()


@dataclass
class Wanted:
    """Images that are to be shown, opened; ``shown`` are layers that show some of them already.

    ``labels``: their label images, by name; those of images that are shown, too. ``lost``: what
    could not be opened, in sentences.
    """

    images: list[ImageSource] = field(default_factory=list)
    labels: dict[str, ImageSource] = field(default_factory=dict)
    shown: dict[str, LinkedLayer] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)


class Request:
    """What is to be shown in a viewer.

    Made and added in the thread of the window; opened and read in any.

    Parameters
    ----------
    viewer
        The napari viewer.
    find
        Opens the images; is told how far it is, which may raise to cancel.
    limits
        (C, 2) for the images of these names: values shown darkest and brightest; None for what
        no run says.
    places
        Where the corner (y, x) of each image lies that is alone in its layers.
    run
        Of the images.
    """

    def __init__(
        self,
        viewer: Any,
        find: Callable[[Told], Wanted],
        limits: Callable[[Sequence[str]], np.ndarray | None],
        places: Callable[[], Mapping[str, np.ndarray]],
        run: Run | None = None,
    ) -> None:
        self._viewer, self._find, self._limits, self._places = viewer, find, limits, places
        self._run = run
        self._stacked = has_stacks(viewer)
        self._corners: Mapping[str, np.ndarray] | None = None
        self.wanted = Wanted()

    def batches(self, told: Told) -> list[Batch]:
        """Open what is wanted, and return what is to be read and added; nothing is read yet."""
        self.wanted = wanted = self._find(told)
        over = _labels_over(wanted)
        layers = sum(layers_of_kind(i) + (i.name in wanted.labels) for i in wanted.images)
        stacked = self._stacked or layers > MOST_LAYERS
        return [
            *over,
            *batches_of(wanted.images, wanted.labels, stacked, self._limits),
        ]

    def add(self, batch: Batch) -> Iterator[dict[str, LinkedLayer] | None]:
        """Add the layers of a batch, one a step; the last step returns what shows its images."""
        if self._corners is None:
            self._corners = self._places()
        corner = np.zeros(2)
        if batch.stacked:
            corner = corner_of_stacks(self._viewer, batch.images[0])
        elif not batch.over:
            corner = self._corners[batch.images[0].name]
        return batch.add(self._viewer, corner, next_position(self._viewer))

    def linked(self, shown: Mapping[str, LinkedLayer]) -> dict[str, LinkedLayer]:
        """Return what shows images, with the layers that their label images were."""
        records = {} if self._run is None else self._run.info.labels
        found = dict(shown)
        for name, one in found.items():
            record = records.get(name)
            if one.labels is None and record is not None and record.path is None:
                found[name] = _with_labels(self._viewer, one, record)
        return found


def warn_of(lost: Sequence[str]) -> None:
    """Name images of a run that could not be opened."""
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    show_warning(f"Not shown: {lost[0]}{more}. The map works all the same.")


def images_of_run(viewer: Any, run: Run, records: Sequence[ImageRecord] | None = None) -> Request:
    """Ask for the files among the images of a run, or for some images, with their label images.

    Those that are shown already are found, unless the file has changed. Of all images, those that
    are not where they were are passed over: `MovedImages` asks for them.
    """
    files = records
    if files is None:
        moved = {record.path for record in missing_images(run)}
        files = [r for r in run.info.images if r.path is not None and r.path not in moved]
    shown = ShownFiles(viewer)
    return Request(
        viewer,
        lambda told: _open(run, files, shown, told),
        lambda names: limits_of(run, names),
        lambda: places_in(viewer, run),
        run,
    )


def images_of_files(
    viewer: Any, images: Sequence[ImageSource], among: Sequence[ImageSource]
) -> Request:
    """Ask for images of files, each where it has its place ``among`` others."""
    return Request(
        viewer,
        lambda told: Wanted(list(images)),
        lambda names: None,
        lambda: places_of(viewer, ShownFiles(viewer), among),
    )


def show_now(request: Request) -> dict[str, LinkedLayer]:
    """Show what is requested, all at once, and return the layers by image name."""
    batches = request.batches(lambda what, done, total: None)
    linked = request.linked(request.wanted.shown)
    for batch in batches:
        try:
            batch.read()
        except InputError as error:
            request.wanted.lost.append(str(error))
            continue
        for step in request.add(batch):
            linked |= request.linked(step or {})
    if request.wanted.lost:
        warn_of(request.wanted.lost)
    return linked


def link_images(viewer: Any, run: Run) -> dict[str, LinkedLayer]:
    """Return layers that show the images of a run, by their names: found, or added at once."""
    return shown_layers(viewer, run) | show_now(images_of_run(viewer, run))


def still_there(viewer: Any, layers: Mapping[str, LinkedLayer]) -> dict[str, LinkedLayer]:
    """Return what is left of layers that the user may have removed meanwhile."""
    left = {name: linked.among(viewer.layers) for name, linked in layers.items()}
    return {name: linked for name, linked in left.items() if linked is not None}


def shown_layers(viewer: Any, run: Run) -> dict[str, LinkedLayer]:
    """Return the layers that images of a run were, by their names: those that are no files."""
    there = {r.name: _layer_of(viewer, r, run) for r in run.info.images if r.path is None}
    lost = [name for name, layer in there.items() if layer is None]
    if lost:
        warn_of([f"'{name}' was a layer, not a file: open it in napari again" for name in lost])
    return {name: layer for name, layer in there.items() if layer is not None}


def shown_images(viewer: Any, run: Run) -> dict[str, LinkedLayer]:
    """Return the layers of the viewer that show images of a run, by their names."""
    files, found = ShownFiles(viewer), {}
    for record in run.info.images:
        is_file = record.path is not None
        linked = files.image(record) if is_file else _layer_of(viewer, record, run)
        if linked is not None:
            found[record.name] = linked
    return found


def link_addition(
    viewer: Any, run: ExtendedRun, name: str, layers: Mapping[str, LinkedLayer]
) -> tuple[dict[str, LinkedLayer], Request]:
    """Return layers that show images of an addition, by their names in the run, and ask for others.

    ``layers`` that show them already, by the names the images were given.
    """
    names = run.names_in(name)
    linked = {names[given]: layer for given, layer in layers.items() if given in names}
    missing = [run.image(image) for image in names.values() if image not in linked]
    return linked, images_of_run(viewer, run, missing)


# --- what is opened -------------------------------------------------------------------------------


def _open(run: Run, records: Sequence[ImageRecord], shown: ShownFiles, told: Told) -> Wanted:
    """Open files of a run, where no layer shows them as they were."""
    wanted = Wanted()
    for number, record in enumerate(records):
        told(OPENING, number, len(records))
        linked = shown.image(record)
        image = None if linked is None else file_at(linked)
        labels = run.info.labels.get(record.name)
        try:
            if linked is not None and image is not None and _same(image, record):
                there = None if labels is None else shown.labels(labels)
                if there is not None and (there[1] == linked.position or not linked.stacked):
                    linked = linked._replace(labels=there[0])
                wanted.shown[record.name] = linked
            else:
                linked = None
                wanted.images.append(record.open())
            has_file = labels is not None and labels.path is not None
            if labels is not None and has_file and (linked is None or linked.labels is None):
                wanted.labels[record.name] = labels.open()
        except InputError as error:
            wanted.lost.append(str(error))
    return wanted


def _labels_over(wanted: Wanted) -> list[Batch]:
    """Label images of images that are shown already: those that share a layer share one, too."""
    together: dict[Any, list[ImageSource]] = {}
    for name, linked in wanted.shown.items():
        if name in wanted.labels:
            image = file_at(linked)
            assert image is not None
            together.setdefault(linked.layer, []).append(image.renamed(name))
    found = []
    for layer, named in together.items():
        over = {image.name: wanted.shown[image.name] for image in named}
        own = {wanted.shown[image.name].position: image for image in named}
        # The labels lie along the axis as the images do.
        images = [own.get(i, image) for i, image in enumerate(files_of(layer))]
        labels = {name: wanted.labels[name] for name in over}
        stacked = any(linked.stacked for linked in over.values())
        found.append(Batch(images, labels, stacked, over=over))
    return found


# --- layers that are there ------------------------------------------------------------------------


def _layer_of(viewer: Any, record: ImageRecord, run: Run) -> LinkedLayer | None:
    """Return the layer that an image was, or the layers of its channels, with the same pixels."""
    by_name = {layer.name: layer for layer in viewer.layers if isinstance(layer, Image)}
    given = given_name(run, record.name)
    names = [given] if given in by_name else given.split(JOINED_BY)
    if not set(names) <= set(by_name):
        return None
    joined = len(names) > 1
    axes = record.axes.replace("S", "").replace("C" if joined else "", "")
    try:
        inputs = images_of([by_name[name] for name in names], [axes] * len(names), joined)
        if not _same(inputs.images[0], record):
            return None
    except InputError:
        return None
    linked = inputs.layers[given]
    return _with_labels(viewer, linked, run.info.labels.get(record.name))


def _with_labels(viewer: Any, linked: LinkedLayer, record: ImageRecord | None) -> LinkedLayer:
    """Add the layer that a label image was, with the same pixels, if it is there."""
    for layer in viewer.layers:
        if record is not None and isinstance(layer, Labels) and layer.name == record.name:
            try:
                source = labels_from_layer(layer, axes=record.axes)
                same = _same(source, record)
            except InputError:
                return linked
            return linked.with_labels(layer, record.numbered(source)) if same else linked
    return linked


def _same(image: ImageSource, record: ImageRecord) -> bool:
    return image.shape == record.shape and image.fingerprint() == record.fingerprint
