"""Which patches lie under a place, a ray or an outline in the viewer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Layer

from napari_tsimcne.explore import points_in_lasso
from napari_tsimcne.gui.images._outlines import (
    IMAGE_AXIS,
    LinkedLayer,
    level_shape,
)
from napari_tsimcne.images import World, transformed
from napari_tsimcne.patches import patch_at

SLANTED = 1e-6
"""Share of a ray along the depth, below which it runs along a plane and meets none."""


class PatchesUnder:
    """Finds patches of a run by where they are seen.

    Parameters
    ----------
    viewer
        Its layers' order tells which image is on top, its dims what is displayed.
    table
        The patch table.
    projected
        Whether patches are of a projection, and seen on all planes.
    """

    def __init__(self, viewer: Any, table: pd.DataFrame, projected: bool) -> None:
        self._viewer, self._table, self._projected = viewer, table, projected
        self._of_image = table.groupby("image", sort=False).indices

    def place(self, layers: Mapping[str, LinkedLayer], position: tuple[float, ...]) -> int | None:
        """Patch at a place in world coordinates, of the topmost visible image that has one."""
        world = World.of(self._viewer)
        for name, linked in self._from_the_top(layers):
            at = _in_pixels(world, linked, position)
            if not linked.is_at(at):
                continue
            t, z = self._plane(at)
            label = label_at(world, linked, position)
            if label:
                patch = self._patch_of_object(name, t, z, label)
            else:
                patch = patch_at(self._table, name, t, z, at["Y"], at["X"])
            if patch is not None:
                return patch
        return None

    def ray(
        self,
        layers: Mapping[str, LinkedLayer],
        position: tuple[float, ...],
        direction: tuple[float, ...],
    ) -> int | None:
        """Patch whose window a ray of the 3D view meets first, of all visible images."""
        world = World.of(self._viewer)
        displayed = list(self._viewer.dims.displayed)
        found: list[tuple[float, int]] = []
        for name, linked in self._from_the_top(layers):
            rows = self._rows(name)
            start, step = np.array(position, float), np.zeros(len(position))
            # Viewers give the direction in all axes, or in the displayed ones.
            step[displayed] = direction if len(direction) == 3 else np.array(direction)[displayed]
            ndim = len(start)
            missing = ndim - linked.layer.ndim
            inverse = np.linalg.inv(world.matrix(linked.layer, ndim))
            start, step = transformed(start, inverse), inverse[:-1, :-1] @ step
            axes = {letter: missing + i for i, letter in enumerate(linked.axes)}
            across = axes.get(IMAGE_AXIS, -1)
            if across not in displayed and not linked.is_at({IMAGE_AXIS: start[across]}):
                continue
            depth = axes["Z"] if "Z" in axes else displayed[0]
            if abs(step[depth]) < SLANTED * np.abs(step).max():
                continue
            if "T" in axes:
                rows = rows[self._table["t"].to_numpy()[rows] == round(start[axes["T"]])]
            if "Z" in axes:
                z = self._table["z"].to_numpy()[rows]
            else:
                z = np.full(len(rows), linked.position if depth == across else 0)
            far = (z - start[depth]) / step[depth]
            y, x = (start[axes[a]] + far * step[axes[a]] for a in "YX")
            offset = np.maximum(
                np.abs(self._table["y"].to_numpy()[rows] - y),
                np.abs(self._table["x"].to_numpy()[rows] - x),
            )
            hit = np.flatnonzero(offset <= self._table["size"].to_numpy()[rows] / 2)
            if len(hit):
                # Of windows in the same plane, the one whose centre is nearest.
                first = hit[np.lexsort((offset[hit], far[hit]))[0]]
                found.append((float(far[first]), int(rows[first])))
        return min(found)[1] if found else None

    def inside(
        self, layers: Mapping[str, LinkedLayer], outline: np.ndarray, position: tuple[float, ...]
    ) -> np.ndarray:
        """Patches whose centres are seen inside an outline, their numbers ascending.

        ``outline`` (M, 2) in world coordinates of rows and columns; ``position``: any place in
        world coordinates on the planes that are seen. Centres that an image further up covers
        are not seen.
        """
        world = World.of(self._viewer)
        found = [np.zeros(0, np.intp)]
        above: list[Layer] = []
        for name, linked in self._from_the_top(layers):
            at = _in_pixels(world, linked, position)
            if not linked.is_at(at):
                continue
            rows = self._on_plane(name, *self._plane(at))
            data = np.tile([at[axis] for axis in linked.axes], (len(rows), 1))
            for axis in "YX":
                data[:, linked.axes.index(axis)] = self._table[axis.lower()].to_numpy()[rows]
            seen = world.places(linked.layer, data)
            chosen = points_in_lasso(seen[:, -2:], outline)
            for upper in above:
                chosen[chosen] = ~_covered(world, upper, seen[chosen])
            found.append(rows[chosen])
            above.append(linked.layer)
        return np.sort(np.concatenate(found))

    def _from_the_top(self, layers: Mapping[str, LinkedLayer]) -> list[tuple[str, LinkedLayer]]:
        order = {layer: i for i, layer in enumerate(self._viewer.layers)}
        seen = [(name, linked) for name, linked in layers.items() if linked.visible]
        return sorted(seen, key=lambda item: -order[item[1].layer])

    def _plane(self, at: Mapping[str, float]) -> tuple[int, int]:
        return round(at.get("T", 0)), 0 if self._projected else round(at.get("Z", 0))

    def _rows(self, image: str) -> np.ndarray:
        return self._of_image.get(image, np.zeros(0, np.intp))

    def _on_plane(self, image: str, t: int, z: int) -> np.ndarray:
        rows = self._rows(image)
        here = (self._table["t"].to_numpy()[rows] == t) & (self._table["z"].to_numpy()[rows] == z)
        return rows[here]

    def _patch_of_object(self, image: str, t: int, z: int, label: int) -> int | None:
        rows = self._on_plane(image, t, z)
        rows = rows[(self._table["label"].iloc[rows] == label).fillna(False).to_numpy(bool)]
        return int(rows[0]) if len(rows) else None


def label_at(world: World, linked: LinkedLayer, position: tuple[float, ...]) -> int:
    """Label at a place in world coordinates, 0 outside of objects and of their layer."""
    if linked.labels is None:
        return 0
    labels = linked.objects[0]
    index = tuple(round(float(at)) for at in world.pixels(linked.labels, np.array(position)))
    if any(not 0 <= at < length for at, length in zip(index, labels.shape, strict=True)):
        return 0
    return int(np.asarray(labels[index]))


def _in_pixels(world: World, linked: LinkedLayer, position: tuple[float, ...]) -> dict[str, float]:
    """Place in world coordinates as pixels of an image, by axis."""
    at = world.pixels(linked.layer, np.array(position))
    return dict(zip(linked.axes, map(float, at), strict=True))


def _covered(world: World, layer: Layer, places: np.ndarray) -> np.ndarray:
    """Whether places (n, D) in world coordinates lie in an image."""
    data = world.pixels(layer, places)
    shape = np.array(level_shape(layer))[: layer.ndim]
    inside: np.ndarray = (data >= -0.5) & (data < shape - 0.5)
    return np.all(inside[:, -2:], axis=1)
