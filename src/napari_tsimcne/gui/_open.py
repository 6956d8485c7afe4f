"""Shows a run in napari: its images side by side, the dock, and the linked map."""

from __future__ import annotations

from typing import Any

import napari
import numpy as np
from napari.utils.notifications import show_warning

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui._link import LinkedLayer
from napari_tsimcne.images import ImageSource
from napari_tsimcne.runs import Run

MOST_IMAGES = 36
GAP = 1.04
COLORMAPS = ("bop blue", "bop orange", "bop purple", "green", "gray", "red", "cyan", "yellow")


def show_run(run: Run) -> None:
    """Open napari on a run and stay until its window is closed."""
    viewer = napari.Viewer(title=f"napari: {run.folder.name}")
    _, dock = viewer.window.add_plugin_dock_widget("napari-tsimcne", "t-SimCNE")
    dock.open_run(run.folder)
    napari.run()


def add_images(viewer: Any, run: Run) -> dict[str, LinkedLayer]:
    """Add the images of a run as layers, several of them side by side; warn of those not found."""
    images, lost = [], []
    for record in run.info.images[:MOST_IMAGES]:
        try:
            images.append(record.open())
        except InputError as error:
            lost.append(str(error))
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        show_warning(f"Not shown: {lost[0]}{more}. The map works all the same.")
    if len(run.info.images) > MOST_IMAGES:
        show_warning(f"The first {MOST_IMAGES} of {len(run.info.images)} images are shown.")
    sizes = [np.multiply(image.height_width, image.pixel_size) for image in images]
    step = np.max(sizes, axis=0) * GAP if images else np.ones(2)
    columns = max(1, round(np.sqrt(len(images) * step[0] / step[1])))
    linked = {}
    for number, image in enumerate(images):
        offset = step * np.array(divmod(number, columns))
        linked[image.name] = _add_image(viewer, image, offset)
    return linked


def _add_image(viewer: Any, image: ImageSource, offset: np.ndarray) -> LinkedLayer:
    data = np.asarray(image.load()[(slice(None),) * len(image.axes)])
    axes = image.axes.replace("S", "")
    shown = axes.replace("C", "")
    scale = [image.pixel_size["YX".index(a)] if a in "YX" else 1.0 for a in shown]
    translate = [offset["YX".index(a)] if a in "YX" else 0.0 for a in shown]
    space = {
        "scale": scale,
        "translate": translate,
        "units": tuple(image.unit if a in "YX" else "pixel" for a in shown),
        "axis_labels": tuple(a.lower() for a in shown),
    }
    if "C" not in axes:
        return LinkedLayer(viewer.add_image(data, name=image.name, rgb=image.rgb, **space), shown)
    layers = viewer.add_image(
        data,
        channel_axis=axes.index("C"),
        name=[f"{image.name} {channel}" for channel in image.channel_names],
        colormap=[COLORMAPS[i % len(COLORMAPS)] for i in range(image.channels)],
        **space,
    )
    return LinkedLayer(layers[0], shown)
