"""Joins a run folder to the learning: trains it in this process, embeds new images."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
import torchvision

from napari_tsimcne import __version__
from napari_tsimcne.control import Control
from napari_tsimcne.events import Embedding, Event, Finished
from napari_tsimcne.images import ImageSource, Skipped
from napari_tsimcne.learning import (
    Checkpoint,
    Embedder,
    Familiarity,
    Scaling,
    Trainer,
    load_weights,
    save_weights,
)
from napari_tsimcne.patches import Cut, channel_ranges, iterate_patches, place_patches
from napari_tsimcne.runs import (
    MAP_COLUMNS,
    Addition,
    Run,
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
    # Of several processes of torchrun, the first speaks for all.
    if int(os.environ.get("RANK", "0")):
        _train(run, device, threads, control, lambda event: None, checkpoint_seconds)
        return
    with recorded_training(run.folder, control, run.checkpoint_path.is_file()) as record:

        def tell(event: Event) -> None:
            record(event)
            on_event(event)

        _train(run, device, threads, control, tell, checkpoint_seconds)


def _train(
    run: Run,
    device: str,
    threads: int | None,
    control: Control,
    tell: Callable[[Event], None],
    checkpoint_seconds: float,
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
    )
    try:
        for event in trainer.train(control):
            tell(event)
        for result in trainer.embed():
            if not isinstance(result, Embedding):
                coordinates, features = result
            else:
                tell(result)
        if trainer.world.rank:
            return
        run.save_map(
            coordinates,
            features,
            stopped=trainer.stopped,
            write_weights=lambda path: save_weights(trainer.model, run.recipe, path),
            versions=_versions(),
        )
        tell(
            Finished(
                stopped=trainer.stopped,
                seconds=trainer.seconds,
                peak_host_bytes=_peak_host_bytes(),
                peak_device_bytes=_peak_device_bytes(),
            )
        )
    finally:
        trainer.world.close()
        torch.set_num_threads(before)


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
    check_fits(run, images)
    images = [image.at_depth(run.recipe.depth) for image in images]
    table = place_patches(
        images, run.recipe, labels=labels, points=points, thresholds=run.info.background_thresholds
    ).table
    places = _Places(run, device)
    k, n = part
    table = table.iloc[len(table) * k // n : len(table) * (k + 1) // n]
    cut = Cut.of(places.recipe.patches, 0, labels)
    done = 0
    for _, rows_of_image in table.groupby("image", sort=False):
        scaling = _scaling(run, images, rows_of_image, cut)
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
    places, store, scaling = _Places(run, device), addition.store, _scaling_of(run, addition)
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

    def __init__(self, run: Run, device: str) -> None:
        features = run.features
        check_tensors(run.weights_path)
        model, self.recipe = load_weights(run.weights_path)
        self._apply = Embedder(model, self.recipe, device)
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
        sample = rows.iloc[:: -(-len(rows) // EMBEDDED_AT_ONCE)]
        crops = [crops for _, crops in iterate_patches(images, sample, cut)]
        if crops:
            names = images[0].channel_names
            ranges = channel_ranges(np.concatenate(crops), names, run.recipe.normalization)
    return Scaling(
        np.array([[channel.low for channel in ranges]], np.float32),
        np.array([[channel.high for channel in ranges]], np.float32),
    )


def _versions() -> dict[str, str]:
    """Versions of what a map depends on."""
    return {
        "napari-tsimcne": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": np.__version__,
    }


def _peak_host_bytes() -> int:
    """Peak resident memory of this process; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _peak_device_bytes() -> int:
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
