"""Label images: which one belongs to which image, and whether it fits."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import PurePath

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._as_labels import SAVE_LABELS, as_labels, check_kept_whole
from napari_tsimcne.images._names import (
    Name,
    folded,
    image_stems,
    label_stems,
    near,
    parse,
    stem,
    tidy,
)
from napari_tsimcne.images._source import ImageSource


def pair_labels(images: Sequence[ImageSource], labels: Sequence[ImageSource]) -> dict[
    str, ImageSource
]:  # fmt: skip
    """Find the label image of each image by their names.

    A label image is named like its image, with or without endings such as ``_labels``, ``_mask``,
    ``_seg`` or ``_cp_masks``, taken from the end; of several images that fit it belongs to the one
    whose name it repeats most of, then to the one with which it has most folders in common. One
    image and one label image belong together unless the label image is named after another.

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
        _check_may_belong(images[0], labels[0])
        return {images[0].name: labels[0]}
    fitting: dict[str, list[ImageSource]] = {image.name: [] for image in images}
    owners = _Owners(images)
    shared: list[tuple[ImageSource, list[ImageSource]]] = []
    for label in labels:
        owned = owners.of(label)
        if len(owned) > 1:
            shared.append((label, owned))
        elif owned:
            fitting[owned[0].name].append(label)
    # All that lie as near may have a nearer one.
    for label, owned in shared:
        for image in owned:
            if not fitting[image.name] and not _lie_apart(image, label, owned, labels):
                fitting[image.name].append(label)
    fitting = {image.name: _nearest(image, fitting[image.name]) for image in images}
    missing = [image for image in images if not fitting[image.name]]
    if missing:
        used = {label.name for found in fitting.values() for label in found}
        raise InputError(_missing(missing, labels, used))
    ambiguous = [name for name, found in fitting.items() if len(found) > 1]
    if ambiguous:
        several = " and ".join(f"'{label.name}'" for label in fitting[ambiguous[0]][:3])
        raise InputError(
            f"several label images fit {_list(ambiguous)}: {several}; keep one, or put it in a "
            "folder named as the image's"
        )
    pairs = {name: found[0] for name, found in fitting.items()}
    _check_used_once(pairs)
    return pairs


def named_alike(image: str, label: str) -> bool:
    """Whether a label image of one name belongs to an image of another, by the rules of names."""
    of_image, of_label = parse(image), parse(label)
    return _place(of_image) == _place(of_label) and any(
        folded(own) == folded(claim)
        for own in image_stems(of_image.file) for claim in label_stems(of_label.file)
    )  # fmt: skip


_FORMS: tuple[Callable[[str], str], ...] = (tidy, folded)


class _Owners:
    """Finds the images that label images are named after."""

    def __init__(self, images: Sequence[ImageSource]) -> None:
        self._levels: list[dict[tuple, list[ImageSource]]] = [{}, {}, {}, {}]
        for image in images:
            parsed = _parsed(image)
            plain, *further = image_stems(parsed.file)
            place = _place(parsed)
            for level, form in enumerate(_FORMS):
                self._add(level, (form(plain), place), image)
                for other in further:
                    self._add(2 + level, (form(other), place), image)

    def _add(self, level: int, key: tuple, image: ImageSource) -> None:
        self._levels[level].setdefault(key, []).append(image)

    def of(self, label: ImageSource) -> list[ImageSource]:
        """Return the images a label image may belong to: those whose names it repeats most of."""
        parsed = _parsed(label)
        for level, known in enumerate(self._levels):
            form = _FORMS[level % 2]
            for claim in label_stems(parsed.file):
                found = known.get((form(claim), _place(parsed)), [])
                # A file is not its own label image.
                found = [image for image in found if not _is_same_file(image, label)]
                if found:
                    return self._closest(found, label)
        return []

    @staticmethod
    def _closest(found: list[ImageSource], label: ImageSource) -> list[ImageSource]:
        shared = [len(_folders(image) & _folders(label)) for image in found]
        near = [image for image, n in zip(found, shared, strict=True) if n == max(shared)]
        # Of A01.tif and A01.png, the one whose whole name is repeated.
        file = folded(_parsed(label).file)
        return [one for one in near if _begins_with(file, folded(_parsed(one).file))] or near


def _parsed(image: ImageSource) -> Name:
    """Take apart the name of a file as it is seen, with the place of an image within it."""
    if image.path is None:
        return parse(image.name)
    parsed = parse(image.path.as_posix())
    own = parse(image.name)
    if parsed.inner[:1] == ("labels",):  # of an OME-Zarr, which are named after what they show
        return replace(parsed, inner=(), series=own.series)
    return replace(parsed, inner=own.inner or parsed.inner, series=own.series)


def _place(name: Name) -> tuple:
    """Return where an image is in its file."""
    return tuple(map(folded, name.inner)), name.series


def _is_same_file(image: ImageSource, label: ImageSource) -> bool:
    return image.path is not None and (image.path, image.series) == (label.path, label.series)


def _check_may_belong(image: ImageSource, label: ImageSource) -> None:
    """Check that the only label image is not named after an image that is not there."""
    own = {folded(one) for one in image_stems(_parsed(image).file)}
    claims = [folded(one) for one in label_stems(_parsed(label).file)]
    if own & set(claims) or "" in own or "" in claims:
        return
    if any(_begins_with(a, b) or _begins_with(b, a) for a in own for b in claims[-1:]):
        return
    if len(claims) > 1 or any(_same_pattern(one, claims[0]) for one in own):
        raise InputError(
            f"no label image was found for '{image.name}': '{label.name}' is named after another "
            f"image; if it belongs to this one, name it {stem(image.name)}_labels.tif"
        )


def _begins_with(longer: str, shorter: str) -> bool:
    """Whether a name is the beginning of another, up to a separator."""
    rest = longer.removeprefix(shorter)
    return rest != longer and not rest[:1].isalnum()


def _same_pattern(one: str, other: str) -> bool:
    """Whether names differ by numbers or a letter only, as those of the images of one folder do."""
    patterns = [re.sub(r"\d+", "0", re.sub(r"\b[a-z](?=\d)", "a", name)) for name in (one, other)]
    return patterns[0] == patterns[1]


def _missing(
    images: Sequence[ImageSource], labels: Sequence[ImageSource], used: Collection[str]
) -> str:
    names = [image.name for image in images]
    text = f"no label image was found for {_list(names)}: "
    if any(_is_same_file(images[0], label) for label in labels):
        return (
            f"{text}it is among the label images itself; leave label images out of the images, or "
            f"name its label image like it, for example {stem(names[0])}_labels.tif"
        )
    hint = near(names[0], [one.name for one in labels if one.name not in used], of_labels=True)
    return f"{text}name it like the image, for example {stem(names[0])}_labels.tif" + (
        f"; {hint}" if hint else ""
    )


def check_labels(image: ImageSource, labels: ImageSource) -> None:
    """Check that a label image fits an image: rows and columns, time and depth; one channel.

    RGB is checked for colours where it is read, see `as_labels`.

    Raises
    ------
    InputError
        Where it does not, naming both.
    """
    labels = as_labels(labels)
    check_kept_whole(labels)
    if labels.channels > 1:
        raise InputError(
            f"the label image '{labels.name}' has {labels.channels} channels: {SAVE_LABELS}"
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


def _nearest(image: ImageSource, labels: list[ImageSource]) -> list[ImageSource]:
    """Those with most folders in common with the image."""
    if len(labels) < 2:
        return labels
    shared = [len(_folders(image) & _folders(label)) for label in labels]
    return [label for label, n in zip(labels, shared, strict=True) if n == max(shared)]


def _lie_apart(
    image: ImageSource,
    label: ImageSource,
    images: Sequence[ImageSource],
    labels: Sequence[ImageSource],
) -> bool:
    """Whether folders tell both apart from others of their name, but not by the same word."""
    same = [one for one in labels if folded(_parsed(one).stem) == folded(_parsed(label).stem)]
    own, others = (
        _folders(one) - _folders(one).intersection(*map(_folders, group))
        for one, group in ((image, images), (label, same))
    )
    return bool(own and others and not own & others)


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
