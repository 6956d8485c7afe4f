"""Joins a run folder to the learning: trains it in this process, embeds new images."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import torch

from napari_tsimcne.control import Control
from napari_tsimcne.errors import InputError, TrainingError, sentence
from napari_tsimcne.events import Embedding, Event, Finished, Noted, Paused, Resumed
from napari_tsimcne.images import ImageSource, Skipped
from napari_tsimcne.learning import (
    Checkpoint,
    Embedder,
    Familiarity,
    Pins,
    Scaling,
    Trainer,
    describe_device,
    load_weights,
    peak_device_bytes,
    peak_host_bytes,
    save_weights,
    versions,
)
from napari_tsimcne.patches import (
    Cut,
    channel_ranges,
    iterate_patches,
    place_patches,
    sampled_rows,
)
from napari_tsimcne.runs import (
    MAP_COLUMNS,
    Addition,
    Learnt,
    Run,
    addition_names,
    check_fits,
    check_tensors,
    complete_addition,
    open_cut,
    own_run,
    recorded_training,
    written_whole,
)

UNFAMILIAR = 0.01
"""Patches with a lower familiarity are flagged."""

FEWEST_HELD_OUT = 100
"""Of fewer, no patch could have so low a familiarity; patches trained on stand in for them."""

EMBEDDED_AT_ONCE = 2048


def train(
    run: Run,
    *,
    device: str = "auto",
    threads: int | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    control: Control | None = None,
    checkpoint_seconds: float = 60.0,
    precision: Literal["float32", "bfloat16"] | None = None,
    compiled: bool | None = None,
) -> None:
    """Learn the map of a run and write it into its folder; go on where it was cut off.

    Parameters
    ----------
    run
        A run whose patches are cut. A map it has already is replaced once the new one is there.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    threads
        CPU threads. If left out: as many as before where training goes on, since sums depend on
        it in their last digits; else as many as PyTorch chooses.
    on_event
        Told of every event. They are also written into the run folder, where another process may
        follow them, and may ask for a pause or a stop.
    control
        Pauses, resumes and stops; once stopped, the map of what was learnt is made and written.
    checkpoint_seconds
        Time between checkpoints.
    precision
        Arithmetic of the network. If left out: the recipe's, or where that says ``auto`` the faster
        one, as timed.
    compiled
        Whether to use torch.compile. If left out, a long training times whether that is faster.
        Both are noted in the run (``run.info.learnt``): given again, they are not timed.

    Raises
    ------
    InputError
        Where another process trains the run, its folder cannot be written to, or its checkpoint
        is damaged. The last checkpoint stays whole.
    TrainingError
        Where the device is not available, memory runs out, training diverges, or the run's
        checkpoint is of another training.
    """
    run = own_run(run)
    control = control or Control()
    pins = Pins(precision, compiled)
    # Of several processes of torchrun, the first speaks for all.
    if int(os.environ.get("RANK", "0")):
        _train(run, device, threads, control, lambda event: None, checkpoint_seconds, pins)
        return
    with recorded_training(run.folder, control, run.checkpoint_path.is_file()) as record:

        def tell(event: Event) -> None:
            record(event)
            on_event(event)

        _train(run, device, threads, control, tell, checkpoint_seconds, pins)


def _train(
    run: Run,
    device: str,
    threads: int | None,
    control: Control,
    tell: Callable[[Event], None],
    checkpoint_seconds: float,
    pins: Pins,
) -> None:
    checkpoint = None
    if run.checkpoint_path.is_file():
        check_tensors(run.checkpoint_path)
        checkpoint = Checkpoint.load(run.checkpoint_path, run.recipe, len(run.table))
    before = torch.get_num_threads()
    torch.set_num_threads(threads or (checkpoint.state.threads if checkpoint else before))

    def save(state: Checkpoint) -> None:
        with written_whole(run.checkpoint_path) as draft:
            state.save(draft)

    trainer = Trainer(
        run.store,
        Scaling(*run.value_ranges()),
        run.info.rgb,
        run.recipe,
        device,
        checkpoint=checkpoint,
        save=save,
        checkpoint_seconds=checkpoint_seconds,
        pins=pins,
    )
    try:
        for event in trainer.train(control):
            tell(event)
        for result in trainer.embed(control):
            if isinstance(result, tuple):
                coordinates, features = result
            else:
                tell(result)
        # Where something failed, another process may wait for ever to be told goodbye.
        trainer.world.close()
    finally:
        torch.set_num_threads(before)
    if trainer.world.rank:
        return
    run.save_map(
        coordinates,
        features,
        stopped=trainer.stopped,
        write_weights=lambda path: save_weights(trainer.model, run.recipe, path),
        versions=versions(),
        learnt=Learnt(
            device=describe_device(trainer.device),
            kind=trainer.device.type,
            precision=trainer.precision,
            compiled=trainer.compiled,
            threads=trainer.threads,
            processes=trainer.world.size,
            short_map=trainer.short_map,
            short_map_patches=trainer.trained if trainer.short_map else 0,
        ),
    )
    _move_additions(run, trainer.device.type, control, tell)
    tell(
        Finished(
            stopped=trainer.stopped,
            seconds=trainer.seconds,
            peak_host_bytes=peak_host_bytes(),
            peak_device_bytes=peak_device_bytes(),
        )
    )


def _move_additions(run: Run, device: str, control: Control, tell: Callable[[Event], None]) -> None:
    """Put what was added to an earlier map of a run onto its new one."""

    def hold() -> None:
        if not control.pausing:
            return
        tell(Paused())
        while control.pausing:
            control.wait(1.0)
        tell(Resumed())

    for name in addition_names(run):

        def progress(done: int, total: int, name: str = name) -> None:
            tell(Embedding(fraction=done / total, whole=1.0, addition=name))

        try:
            embed_addition(run, name, device=device, progress=progress, between=hold)
        except (InputError, TrainingError) as error:
            # It is refused when it is opened, with what to do; the run's own map is complete.
            tell(Noted(text=f"'{name}' is not on the new map: {sentence(error)}"))


def embed(
    run: Run,
    images: Sequence[ImageSource],
    *,
    labels: Mapping[str, ImageSource] | None = None,
    points: pd.DataFrame | None = None,
    device: str = "auto",
    progress: Callable[[int, int], None] = lambda done, total: None,
    on_skipped: Callable[[Skipped], None] = lambda skipped: None,
    part: tuple[int, int] = (0, 1),
) -> Iterator[pd.DataFrame]:
    """Put new images onto the map of a run, batch by batch: memory does not grow with their number.

    Parameters
    ----------
    run
        With a map.
    images
        With the channels and pixel type of the run's own.
    labels
        Label images by the name of their image, where the run's patches are of objects.
    points
        A table of points (`read_points`), where they are of points.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    progress
        Called with patches done and in all.
    on_skipped
        Told of images that cannot be read.
    part
        ``(k, n)``: only the k-th of n parts of the patches, for several processes.

    Yields
    ------
    pandas.DataFrame
        Rows of a patch table with ``map_x, map_y`` (and ``map_z``), ``familiarity`` (0..1, the
        share of held-out patches at least as far from those trained on) and ``unfamiliar``.

    Raises
    ------
    InputError
        Where the run has no map, or the images do not fit it.
    TrainingError
        Where the weights are damaged, or memory runs out.
    """
    run = own_run(run)
    images = [image.at_depth(run.recipe.depth) for image in check_fits(run, images)]
    table = place_patches(
        images, run.recipe, labels=labels, points=points, thresholds=run.info.background_thresholds
    ).table
    places = _Places(run, device)
    k, n = part
    # Values are those of a whole image, whichever part of its patches is wanted.
    whole = table
    table = table.iloc[len(table) * k // n : len(table) * (k + 1) // n]
    # As the run's own are cut, so that these would land where they are.
    cut = Cut.of(places.recipe.patches, places.recipe.margin or 0, labels)
    done = 0
    for name, rows_of_image in table.groupby("image", sort=False):
        scaling = _scaling(run, images, whole[whole["image"] == name], cut)
        for rows, crops in iterate_patches(images, rows_of_image, cut, on_skipped):
            for first in range(0, len(rows), EMBEDDED_AT_ONCE):
                some = slice(first, first + EMBEDDED_AT_ONCE)
                found, _ = places(crops[some], scaling)
                yield rows.iloc[some].join(found.set_axis(rows.index[some]))
                done += len(found)
                progress(done, len(table))


def embed_addition(
    run: Run,
    name: str,
    *,
    device: str = "auto",
    progress: Callable[[int, int], None] = lambda done, total: None,
    between: Callable[[], None] = lambda: None,
) -> pd.DataFrame:
    """Put what was cut to be added to a run (`cut_addition`) onto its map, and complete it.

    Parameters
    ----------
    run
        With a map.
    name
        Of the addition.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    progress
        Called with patches done and in all; may raise to cancel.
    between
        Called about once a second; may hold, or raise to cancel.

    Returns
    -------
    pandas.DataFrame
        A row a patch, with ``map_x, map_y`` (and ``map_z``), ``familiarity`` and ``unfamiliar``
        as of `embed`.

    Raises
    ------
    InputError
        Where the run has no map, or there is no such addition.
    TrainingError
        Where the weights are damaged, or memory runs out.
    """
    run = own_run(run)
    addition = open_cut(run, name)
    places, store, scaling = (
        _Places(run, device, between),
        addition.store,
        _scaling_of(run, addition),
    )
    parts, features = [], []
    for first in range(0, len(store), EMBEDDED_AT_ONCE):
        some = slice(first, first + EMBEDDED_AT_ONCE)
        group = None if scaling.group is None else scaling.group[some]
        found, h = places(store[some], scaling._replace(group=group))
        parts.append(found)
        features.append(h)
        progress(first + len(found), len(store))
    embedding = pd.concat(parts, ignore_index=True)
    complete_addition(run, addition, embedding, np.concatenate(features))
    return embedding


class _Places:
    """Puts patches onto the map of a run, and tells how familiar they are to it."""

    def __init__(self, run: Run, device: str, between: Callable[[], None] = lambda: None) -> None:
        features = run.features
        check_tensors(run.weights_path)
        run.check_bound(run.weights_path)
        model, self.recipe = load_weights(run.weights_path, run.recipe)
        self._apply = Embedder(model, self.recipe, device, between)
        held_out = self.recipe.held_out_rows(len(run.table))
        if len(held_out) < FEWEST_HELD_OUT:
            held_out = held_out[:0]
        self._familiarity = Familiarity(features, held_out, self._apply.device)

    def __call__(self, crops: np.ndarray, scaling: Scaling) -> tuple[pd.DataFrame, np.ndarray]:
        """Return the places of crops (n, C, S, S), a row each, and their features H (n, D)."""
        coordinates, h = self._apply(crops, scaling)
        score = self._familiarity(h)
        axes = dict(zip(MAP_COLUMNS, coordinates.T, strict=False))
        return pd.DataFrame({**axes, "familiarity": score, "unfamiliar": score < UNFAMILIAR}), h


def _scaling_of(run: Run, addition: Addition) -> Scaling:
    """Values of the patches of an addition that are taken as 0 and 1."""
    names = list(addition.info.image_channels)
    rows = [addition.info.image_channels[name] for name in names] or [run.info.channels]
    low, high = (
        np.array([[getattr(one, end) for one in row] for row in rows], np.float32)
        for end in ("low", "high")
    )
    if not names:
        return Scaling(low, high)
    return Scaling(low, high, pd.Index(names).get_indexer(addition.table["image"]))


def _scaling(run: Run, images: Sequence[ImageSource], rows: pd.DataFrame, cut: Cut) -> Scaling:
    """Values of an image taken as 0 and 1: those of the run, or, as there, its own."""
    ranges = list(run.info.channels)
    if run.recipe.normalization.method == "image":
        sample = rows.iloc[sampled_rows(len(rows), run.recipe.seed)]
        crops = [crops for _, crops in iterate_patches(images, sample, cut)]
        if crops:
            values = np.concatenate(crops)
            names = [channel.name for channel in ranges]
            # A blank image among others is no mistake.
            every = np.arange(len(values))
            ranges = channel_ranges(values, names, run.recipe.normalization, rows=every)
    return Scaling(
        np.array([[channel.low for channel in ranges]], np.float32),
        np.array([[channel.high for channel in ranges]], np.float32),
    )
