"""What is done with any viewer of napari, whichever version it is of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


def camera_of(viewer: Any) -> Any:
    """Return the camera of a viewer: newer versions of napari keep it in a scene."""
    return getattr(viewer, "scene", viewer).camera


def canvas_of(viewer: Any) -> Any:
    """Return the canvas of a viewer, with its ``size`` (height, width); None in older napari."""
    return getattr(viewer, "canvas", None)


def fit_layers(viewer: Any, layers: Sequence[Any]) -> None:
    """Fit the view to some layers; older versions of napari fit it to all."""
    try:
        viewer.reset_view(layers=layers)
    except TypeError:
        viewer.reset_view()


@contextmanager
def active_layer_kept(viewer: Any) -> Iterator[None]:
    """Let layers be added while the user's layer stays the one that is worked on."""
    active = viewer.layers.selection.active
    yield
    viewer.layers.selection.active = active
