"""Adding images to the map of a run, as the terminal shows it and as the window is told."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from napari_tsimcne.terminal._terminal import bars, console, warn

if TYPE_CHECKING:
    import pandas as pd

    from napari_tsimcne.images import ImageSource, Skipped
    from napari_tsimcne.patches import Measurement
    from napari_tsimcne.runs import Run


def add_images(
    run: Run,
    images: Sequence[ImageSource],
    name: str,
    labels: Mapping[str, ImageSource] | None,
    points: pd.DataFrame | None,
    skipped: Sequence[Skipped],
    measure: Measurement | None,
    device: str,
) -> None:
    """Cut images as the run's were, put them onto its map, and tell how many are unfamiliar.

    Raises
    ------
    InputError
        Where the run has no map, or the images do not fit it.
    """
    from napari_tsimcne.images import stem
    from napari_tsimcne.runs import cut_addition, new_addition
    from napari_tsimcne.training import embed_addition

    with new_addition(run, name or stem(images[0].name)) as folder, bars() as told:
        cut = cut_addition(
            run, folder, images, labels=labels, points=points,
            skipped=skipped, measure=measure, told=told,
        )  # fmt: skip
        embedding = embed_addition(
            run, cut.name, device=device,
            progress=lambda done, total: told("Embedding", done, total),
        )  # fmt: skip
    for file in cut.info.skipped[len(skipped) :]:
        warn(f"left out {file.name}: {file.reason}")
    count = len(cut.info.images)
    console.print(
        f"{len(embedding):,} patches of {count} image{'s' if count > 1 else ''} were added as "
        f"{cut.name}; {int(embedding['unfamiliar'].sum()):,} of them are unfamiliar",
        highlight=False,
        soft_wrap=True,
    )


def embed_quietly(run: Run, name: str, device: str) -> None:
    """Put what was cut onto the map of a run, and print one line of JSON for every step."""
    from napari_tsimcne.training import embed_addition

    def tell(done: int, total: int) -> None:
        sys.stdout.write(json.dumps({"done": done, "total": total}) + "\n")
        sys.stdout.flush()

    embed_addition(run, name, device=device, progress=tell)
