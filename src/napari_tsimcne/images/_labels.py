"""Label images: which one belongs to which image, and whether it fits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._source import ImageSource

_ENDING = re.compile(r"[_\-. ](cp_masks?|labels?|masks?|seg|segmentation)$", re.IGNORECASE)


def pair_labels(images: Sequence[ImageSource], labels: Sequence[ImageSource]) -> dict[
    str, ImageSource
]:  # fmt: skip
    """Find the label image of each image.

    One image and one label image belong together. Else names decide: what is before the first
    dot, without an ending such as ``_labels``, ``_mask``, ``_seg`` or ``_cp_masks``; where that
    fits several, the one that has most folders in common.

    Returns
    -------
    dict of str to ImageSource
        Label image by the name of the image.

    Raises
    ------
    InputError
        Where an image has no label image, or several that fit equally well.
    """
    if len(images) == len(labels) == 1:
        return {images[0].name: labels[0]}
    by_stem: dict[str, list[ImageSource]] = {}
    for label in labels:
        for stem in {_stem(label.name), _without_ending(_stem(label.name))}:
            by_stem.setdefault(stem, []).append(label)
    pairs: dict[str, ImageSource] = {}
    missing: list[str] = []
    ambiguous: list[str] = []
    for image in images:
        found = _nearest(image, by_stem.get(_stem(image.name), []))
        if len(found) == 1:
            pairs[image.name] = found[0]
        else:
            (ambiguous if found else missing).append(image.name)
    if missing:
        raise InputError(
            f"no label image was found for {_list(missing)}: name it like the image, for example "
            f"{_stem(missing[0])}_labels.tif"
        )
    if ambiguous:
        raise InputError(
            f"several label images fit {_list(ambiguous)}: keep one, or put it in a folder named "
            "as the image's"
        )
    _check_used_once(pairs)
    return pairs


def named_alike(image: str, label: str) -> bool:
    """Whether a label image of one name belongs to an image of another, by the rules of names."""
    return _stem(image) in {_stem(label), _without_ending(_stem(label))}


def check_labels(image: ImageSource, labels: ImageSource) -> None:
    """Check that a label image fits an image: rows and columns, time and depth; one channel.

    Raises
    ------
    InputError
        Where it does not, naming both.
    """
    if labels.rgb or labels.channels > 1:
        kind = "RGB colours" if labels.rgb else f"{labels.channels} channels"
        raise InputError(
            f"the label image '{labels.name}' has {kind}: a label image holds one whole number a "
            "pixel, the same in all pixels of an object"
        )
    if labels.height_width != image.height_width:
        raise InputError(
            f"the label image '{labels.name}' has {_by(labels.height_width)} pixels but "
            f"'{image.name}' has {_by(image.height_width)}: they must be equal"
        )
    for axis, word in (("T", "time points"), ("Z", "slices")):
        own, needed = labels.length(axis), image.length(axis)
        if own not in (1, needed):
            raise InputError(
                f"the label image '{labels.name}' has {own} {word} but '{image.name}' has "
                f"{needed}: it must have as many, or one for all"
            )


def _stem(name: str) -> str:
    """'wells/A01.ome.tif#1' gives 'A01#1', a field 'p.zarr/B/2/0' of a plate 'p/B/2/0'."""
    parts = name.split("/")
    file = max((i for i, part in enumerate(parts) if "." in part), default=len(parts) - 1)
    base, *further = parts[file:]
    series = re.search(r"#\d+$", base)
    return "/".join([base.split(".")[0].split("#")[0] + (series[0] if series else ""), *further])


def _without_ending(stem: str) -> str:
    base, mark, further = re.match(r"([^#/]*)([#/]?)(.*)", stem).groups()  # type: ignore[union-attr]
    return _ENDING.sub("", base) + mark + further


def _nearest(image: ImageSource, labels: list[ImageSource]) -> list[ImageSource]:
    """Those with most folders in common with the image."""
    shared = [len(_folders(image) & _folders(label)) for label in labels]
    return [label for label, n in zip(labels, shared, strict=True) if n == max(shared)]


def _folders(image: ImageSource) -> set[str]:
    return set(PurePath(image.path or image.name).parts[:-1])


def _check_used_once(pairs: dict[str, ImageSource]) -> None:
    owners: dict[str, str] = {}
    for name, label in pairs.items():
        other = owners.setdefault(label.name, name)
        if other != name:
            raise InputError(
                f"the label image '{label.name}' fits both '{other}' and '{name}': name the label "
                "images like the images"
            )


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(f"'{name}'" for name in names[:3]) + more


def _by(height_width: tuple[int, int]) -> str:
    return f"{height_width[0]} x {height_width[1]}"
