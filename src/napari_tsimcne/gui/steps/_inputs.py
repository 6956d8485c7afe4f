"""From layers and files to what a run is made of: images, label images, points."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from napari.layers import Image, Labels, Layer
from napari.layers import Points as PointsLayer

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui.images._outlines import IMAGE_AXIS, LinkedLayer, level_shape
from napari_tsimcne.images import (
    NAMES,
    ImageSource,
    World,
    as_labels,
    check_alike,
    check_labels,
    corners,
    from_layer,
    in_one_form,
    join_channels,
    labels_along,
    labels_from_layer,
    named_alike,
    pair_labels,
)
from napari_tsimcne.patches import COLUMNS, Measurement, kept_apart

JOINED_BY = " + "
"""Between the names of layers that are channels of one image, in its name."""

OFF = 0.5
"""Pixels by which the corners of layers may be off each other that lie over each other."""


@dataclass(frozen=True)
class Inputs:
    """What a run is made of; ``layers`` shows images, by their names.

    Images of files that are not shown have no layer. ``measure`` adds what is known of the
    images to their patches. ``notes``: what was not used of what is there, one sentence each.
    """

    images: Sequence[ImageSource]
    layers: Mapping[str, LinkedLayer]
    labels: Mapping[str, ImageSource] | None = None
    points: pd.DataFrame | None = None
    measure: Measurement | None = None
    notes: tuple[str, ...] = ()


def images_of(
    layers: Sequence[Image], axes: Sequence[str], joined: bool, world: World | None = None
) -> Inputs:
    """Take layers as images, or as the channels of one.

    ``world``: of the viewer that shows them; that of the layers by themselves where left out.

    Raises
    ------
    InputError
        Where there is no layer, or layers do not fit together.
    """
    if not layers:
        raise InputError("no image is chosen: open an image in napari, or add files, and tick it")
    images = [from_layer(layer, axes=own) for layer, own in zip(layers, axes, strict=True)]
    if joined and len(images) > 1:
        _check_over_each_other(layers, axes[0], world)
        image = join_channels(images, name=JOINED_BY.join(image.name for image in images))
        return Inputs([image], {image.name: LinkedLayer(layers[0], axes[0], tuple(layers[1:]))})
    check_alike(images)
    linked = [LinkedLayer(layer, own) for layer, own in zip(layers, axes, strict=True)]
    return Inputs(images, {i.name: la for i, la in zip(images, linked, strict=True)})


def with_files(
    inputs: Inputs | None, images: Sequence[ImageSource], shown: Mapping[str, LinkedLayer]
) -> Inputs:
    """Add images of files to those of layers, if any; ``shown`` are layers that show them.

    Raises
    ------
    InputError
        Where images do not fit together.
    """
    if inputs is not None:
        images = [*inputs.images, *images]
        shown = {**inputs.layers, **shown}
    images = in_one_form(images)
    check_alike(images)
    return Inputs(images, shown)


def with_labels(
    inputs: Inputs,
    layer: Labels | None,
    candidates: Sequence[Labels],
    files: Sequence[ImageSource] = (),
    world: World | None = None,
    number_objects: bool = False,
) -> Inputs:
    """Add the label image of each image: of one layer, or where it is None, the one over it.

    Where ``files`` are given, images of files take their label images from these, by their names.
    ``world`` as for `images_of`, ``number_objects`` as for `as_labels`.

    Raises
    ------
    InputError
        Where there is no label image, or it does not fit its image.
    """
    pairs = _labels_of_files(inputs, files)
    labels = {name: as_labels(one, number_objects) for name, one in pairs.items()}
    layers = dict(inputs.layers)
    left = [image.name for image in inputs.images if image.name not in labels]
    hidden = [name for name in left if name not in layers]
    if hidden:
        raise InputError(
            f"no label image is given for {_some(hidden)}: choose label files, or show the images "
            "and add a Labels layer over each"
        )
    if left and not candidates:
        raise InputError(
            "no objects yet: name label files, add a Labels layer in which each object has a "
            "number of its own, or cut patches on a grid"
        )
    for names in _sharing_layers({name: layers[name] for name in left}):
        name, linked = names[0], layers[names[0]]
        own = _labels_over(name, linked, candidates, world) if layer is None else layer
        off = _off(own, _axes_of_labels(own, linked) or "YX", linked, world)
        if off > OFF:
            raise InputError(
                f"the Labels layer '{own.name}' does not lie over the image '{name}': its corners "
                f"are up to {off:,.4g} pixels off; give both the same scale and place, or choose "
                "the one over each image"
            )
        sources = _labels_of(own, [layers[name] for name in names], names)
        for name, source in zip(names, sources, strict=True):
            labels[name] = as_labels(source, number_objects)
            layers[name] = layers[name].with_labels(own, labels[name])
    return Inputs(inputs.images, layers, labels=labels)


def _sharing_layers(layers: Mapping[str, LinkedLayer]) -> list[list[str]]:
    """Group images by the layers that show them."""
    found: dict[tuple[Layer, ...], list[str]] = {}
    for name, linked in layers.items():
        found.setdefault((linked.layer, *linked.channels), []).append(name)
    return list(found.values())


def lie_under_labels(inputs: Inputs, layer: Labels | None, candidates: Sequence[Labels]) -> bool:
    """Whether a Labels layer with objects lies over each image; ``layer`` as for `with_labels`."""
    filled = [one for one in candidates if not _is_blank(one)]
    if not filled or (layer is not None and layer not in filled):
        return False
    try:
        with_labels(inputs, layer, filled)
    except ValueError:
        return False
    return True


def with_points(inputs: Inputs, layer: PointsLayer | None, world: World | None = None) -> Inputs:
    """Add the points of a layer, each to the images it lies in, with its features.

    Points that are hidden are not used. Of points with more axes than an image the last ones count.

    ``world`` as for `images_of`.

    Raises
    ------
    InputError
        Where there is no layer, or points lie in no image.
    """
    if layer is None:
        raise InputError("there is no Points layer: add one, or cut patches on a grid")
    hidden = [image.name for image in inputs.images if image.name not in inputs.layers]
    if hidden:
        raise InputError(
            f"points lie in layers, but no layer shows {_some(hidden)}: show the images of the "
            "points, and untick other files"
        )
    points = np.asarray(layer.data, float)
    if not len(points):
        raise InputError(f"the layer '{layer.name}' has no point: add points, or choose another")
    shown = np.broadcast_to(np.asarray(layer.shown, bool), len(points))
    if not shown.any():
        raise InputError(
            f"all {len(points):,} points of '{layer.name}' are hidden: show those that patches are "
            "to be cut around"
        )
    points = points[shown]
    world = world or World.shared_by([layer, *(linked.layer for linked in inputs.layers.values())])
    seen = world.places(layer, points)
    features = _further_columns(layer.features[shown])
    parts, lost = [], np.ones(len(points), bool)
    for name, linked in inputs.layers.items():
        if linked.stacked and IMAGE_AXIS not in linked.axes[-layer.ndim :]:
            raise InputError(
                f"the points of '{layer.name}' lack the axis along which '{name}' is one of "
                f"several images: add a Points layer with {linked.layer.ndim} axes"
            )
        places = _places_in(world, linked, seen)
        shape = dict(zip(linked.axes, level_shape(linked.layer), strict=False))
        lengths = np.array([shape[axis.upper()] for axis in places])
        values = places.to_numpy()
        inside = ((values >= -0.5) & (values < lengths - 0.5)).all(axis=1)
        if linked.stacked:
            # Of images that share a layer, the one at the point's position.
            inside &= np.round(places.pop(IMAGE_AXIS.lower())) == linked.position
        lost &= ~inside
        part = pd.concat([places.assign(image=name), features], axis=1)
        parts.append(part[inside])
    if lost.any():
        raise InputError(
            f"{lost.sum():,} of {len(points):,} points of '{layer.name}' lie outside of the chosen "
            "images: move or delete them, or choose their images"
        )
    return Inputs(
        inputs.images,
        inputs.layers,
        points=pd.concat(parts, ignore_index=True),
        notes=_notes_of_points(layer, int((~shown).sum()), inputs.layers),
    )


def _notes_of_points(
    layer: PointsLayer, hidden: int, images: Mapping[str, LinkedLayer]
) -> tuple[str, ...]:
    """Say which points are not used, and which of their axes do not fit the images."""
    notes = [f"{hidden:,} hidden point{'s' * (hidden != 1)} not used"] * (hidden > 0)
    own = [NAMES.get(str(label).lower()) for label in layer.axis_labels]
    for name, linked in images.items():
        extra = layer.ndim - len(linked.axes)
        if extra > 0 and len(np.unique(layer.data[:, :extra], axis=0)) > 1:
            notes.append(f"'{name}' has {len(linked.axes)} axes: the first of the points' "
                         f"{layer.ndim} is not used")  # fmt: skip
        shared = min(layer.ndim, len(linked.axes))
        pairs = zip(own[layer.ndim - shared :], linked.axes[-shared:], strict=True)
        if any(mine is not None and mine != theirs for mine, theirs in pairs):
            notes.append(
                f"the points' axes are named {', '.join(map(str, layer.axis_labels))}, those of "
                f"'{name}' {', '.join(linked.axes.lower())}: points are taken where they are seen"
            )
    return tuple(dict.fromkeys(notes))


def _labels_of(
    layer: Labels, linked: Sequence[LinkedLayer], names: Sequence[str]
) -> list[ImageSource]:
    """Take a Labels layer as the label images of images that share their layers."""
    axes = _axes_of_labels(layer, linked[0])
    if not linked[0].stacked:
        return [labels_from_layer(layer, axes=axes)] * len(linked)
    if axes is None or IMAGE_AXIS not in axes:
        raise InputError(
            f"the Labels layer '{layer.name}' lacks the axis along which '{names[0]}' is one of "
            f"several images: add one with {linked[0].layer.ndim} axes, or choose label files"
        )
    positions = [one.position for one in linked]
    length = level_shape(layer)[axes.index(IMAGE_AXIS)]
    beyond = [n for n, at in zip(names, positions, strict=True) if at >= length]
    if beyond:
        raise InputError(
            f"the Labels layer '{layer.name}' ends before the image '{beyond[0]}': extend it, or "
            "leave the image out"
        )
    return labels_along(layer, positions, axes=axes.replace(IMAGE_AXIS, ""))


def _labels_of_files(inputs: Inputs, files: Sequence[ImageSource]) -> dict[str, ImageSource]:
    """Pair images of files with label images, which fit them; none where none are given."""
    images = [image for image in inputs.images if image.path is not None]
    if not files or not images:
        return {}
    pairs = pair_labels(images, files)
    for image in images:
        check_labels(image, pairs[image.name])
    return pairs


def _some(names: Sequence[str]) -> str:
    """Name the first of some images, and say how many more there are."""
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return f"'{names[0]}'{more}"


def _labels_over(
    name: str, linked: LinkedLayer, candidates: Sequence[Labels], world: World | None
) -> Labels:
    """Return the Labels layer that lies over an image exactly.

    Of several, the topmost whose name or file is the image's, else the topmost.
    """
    image = linked.layer
    height_width = [
        level_shape(image)[linked.axes.index(axis)] for axis in linked.axes if axis in "YX"
    ]
    over = [
        layer for layer in reversed(candidates)
        if list(level_shape(layer)[-2:]) == height_width
        and _off(layer, _axes_of_labels(layer, linked) or "YX", linked, world) <= OFF
    ]  # fmt: skip
    if not over:
        raise InputError(
            f"no Labels layer lies over the image '{name}': add one of the same size and place, or "
            "leave the image out"
        )
    names = {name, *(own for shown in (image, *linked.channels) for own in _names_of(shown))}
    alike = (
        layer for layer in over
        if any(named_alike(a, b) for a in names for b in _names_of(layer))
    )  # fmt: skip
    return next(alike, over[0])


def _names_of(layer: Layer) -> set[str]:
    """Names of a layer and of its file, without the number by which napari tells layers apart."""
    names = {re.sub(r" \[\d+\]$", "", layer.name)}
    return names | {Path(layer.source.path).name} if layer.source.path else names


def _off(layer: Layer, axes: str, linked: LinkedLayer, world: World | None = None) -> float:
    """How many pixels of an image the corners of a layer lie off the image's, at most.

    ``axes`` of the layer, its last ones. Axes of another letter, or of length 1, are not compared.
    ``world``: of the viewer that shows both.
    """
    image = linked.layer
    world = world or World.shared_by([layer, image])
    ndim = min(layer.ndim, image.ndim, len(axes))
    own, shared = _lengths(layer)[-ndim:], _lengths(image)[-ndim:]
    pairs = zip(axes[-ndim:], linked.axes[-ndim:], own, shared, strict=True)
    compared = [letter == other and min(n, m) > 1 for letter, other, n, m in pairs]
    at = corners(np.where(compared, np.minimum(own, shared), 1))
    places = world.places(layer, np.pad(at, ((0, 0), (layer.ndim - ndim, 0))))
    off = (world.pixels(image, places)[:, image.ndim - ndim :] - at)[:, compared]
    return float(np.abs(off).max(initial=0))


def _lengths(layer: Layer) -> tuple[int, ...]:
    return level_shape(layer)[: layer.ndim]


def _check_over_each_other(layers: Sequence[Image], axes: str, world: World | None) -> None:
    """Check that layers of one shape lie over each other, to half a pixel."""
    first = layers[0]
    for layer in layers[1:]:
        if _lengths(layer) != _lengths(first):
            continue  # reported when they are joined
        if _off(layer, axes, LinkedLayer(first, axes), world) > OFF:
            raise InputError(
                f"'{first.name}' and '{layer.name}' do not lie over each other: channels of one "
                "image need the same scale and place; take them as separate images"
            )


def _axes_of_labels(layer: Labels, linked: LinkedLayer) -> str | None:
    """Axes of labels, the image's last ones; None where they must be guessed."""
    axes = linked.axes.replace("C", "")
    return axes[-layer.ndim :] if layer.ndim <= len(axes) else None


def _places_in(world: World, linked: LinkedLayer, seen: np.ndarray) -> pd.DataFrame:
    """World coordinates (N, D) as pixels of an image, columns t, z, y, x; those it has."""
    missing = linked.layer.ndim - seen.shape[1]
    data = world.pixels(linked.layer, seen)
    known = linked.axes[max(missing, 0) :]
    return pd.DataFrame(
        {axis.lower(): data[:, linked.axes.index(axis)] for axis in known if axis != "C"}
    )


def _further_columns(features: pd.DataFrame) -> pd.DataFrame:
    """Features, under other names where these are those of a patch table or of places.

    A column ``label`` is kept: it says which object, or which class, a point stands for.
    """
    names = {name: str(name).strip() for name in features}
    kept = set() if "class" in features else {"label"}
    clash = {name for name, text in names.items() if text.lower() in COLUMNS} - kept
    clash |= {name for name, text in names.items() if re.fullmatch(r"axis-\d+", text)}
    return kept_apart(features, clash).reset_index(drop=True)


def _is_blank(layer: Labels) -> bool:
    """Whether nothing is labelled; what must be read first is taken to hold objects."""
    return isinstance(layer.data, np.ndarray) and not layer.data.any()
