"""How a map was made, in words for a paper: what was done, with its settings, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import Cluster, Exploration, Origin
from napari_tsimcne.export._excerpt import Excerpt
from napari_tsimcne.export._outputs import new_file
from napari_tsimcne.export.methods._citations import (
    HDBSCAN,
    K_MEANS,
    MIXTURE,
    NAPARI,
    OTSU,
    PYTORCH,
    SCIKIT_IMAGE,
    cited_in,
)
from napari_tsimcne.export.methods._methods_learning import learning
from napari_tsimcne.export.methods._phrases import between, counted, number, share, words
from napari_tsimcne.recipe import Background, Grid, Objects
from napari_tsimcne.runs import ExtendedRun, Run, own_run

REFERENCES = "References"

SUFFIXES = (".md", ".txt")

MOST_NAMES = 20
"""Clusters, or channels, that are named one by one."""

LIBRARIES = {
    "python": "Python", "torch": "PyTorch", "torchvision": "torchvision", "numpy": "NumPy",
    "pandas": "pandas", "scikit-image": "scikit-image", "scikit-learn": "scikit-learn",
    "scipy": "SciPy", "cuda": "CUDA",
}  # fmt: skip
"""How software is called by those who make it; what is not here is called as it is recorded."""


def export_methods(excerpt: Excerpt, path: Path, *, overwrite: bool = False) -> None:
    """Write how the map of a run was made, as ``.md`` or ``.txt``.

    Parameters
    ----------
    excerpt
        Its whole run is described, whichever of its patches are in it.
    path
        Of the file.
    overwrite
        Replace the file that is at ``path``.

    Raises
    ------
    InputError
        Where the suffix is another, or the file cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"'{path.name}' must end in {' or '.join(SUFFIXES)}")
    text = methods_text(excerpt.run, excerpt.exploration)
    if path.suffix.lower() == ".md":
        # Names that were given by the user are no markup.
        text = re.sub(r"([\\`*_<>\[\]])", r"\\\1", text)
        text = "## Methods\n\n" + text.replace(f"\n\n{REFERENCES}", f"\n\n## {REFERENCES}")
    with new_file(path, overwrite) as draft:
        draft.write_bytes(f"{text}\n".encode())


def methods_text(run: Run, exploration: Exploration | None = None) -> str:
    """Describe how the map of a run was made: paragraphs, then the references they cite.

    Only what is recorded is said. Without a map, nothing is said of learning one.

    Parameters
    ----------
    run
        With its additions, if there are any.
    exploration
        Of all its patches; without it, nothing is said of clusters.
    """
    own = own_run(run)
    paragraphs = [" ".join(_patches(own))]
    if own.has_map:
        paragraphs += learning(own)
    if own.has_map or (exploration is not None and len(exploration.clusters)):
        found = [*_additions(run), *_clusters(exploration)]
        paragraphs += [" ".join(found)] if found else []
    paragraphs.append(_software(own))
    body = "\n\n".join(paragraphs)
    return f"{body}\n\n{REFERENCES}\n\n" + "\n".join(f"- {one.full}" for one in cited_in(body))


# --- images and patches ---------------------------------------------------------------------------


def _patches(run: Run) -> list[str]:
    """Say what was cut, of which images, and how values were brought to one range."""
    info, table = run.info, run.table
    said = [_images(run)]
    # Of an image that was used, patches were left out.
    files = [one for one in info.skipped if one.name not in {image.name for image in info.images}]
    if files:
        said.append(f"{counted(len(files), 'file')} could not be used and "
                    f"{'was' if len(files) == 1 else 'were'} left out.")  # fmt: skip
    if len(files) < len(info.skipped):
        said.append("Patches with values that are not finite were left out.")
    said += _planes(run)
    said.append(_windows(run))
    said += _left_out(run)
    margin = run.recipe.margin
    if margin:
        resampled = ", from which views were resampled" if _reaches_out(run) else ""
        said.append(
            f"Each patch was stored with a margin of {counted(margin, 'pixel')} on all sides"
            f"{resampled}."
        )
    said.append(f"This gave {counted(len(table), 'patch', 'patches')}.")
    said.append(_values(run))
    return said


def _reaches_out(run: Run) -> bool:
    """Whether views show what is around a patch."""
    views = run.recipe.augmentations
    return views.rotation.on or views.scale.on or views.shear.on


def _images(run: Run) -> str:
    images = run.info.images
    depth = _depth(run.store.dtype)
    what, channels = "RGB image", ""
    if not run.info.rgb:
        names = [channel.name for channel in run.info.channels]
        what, channels = "image", f" with {counted(len(names), 'channel')}"
        if len(names) <= MOST_NAMES:
            channels += f" ({', '.join(names)})"
    verb = "was" if len(images) == 1 else "were"
    return f"{counted(len(images), what)}{depth}{channels}{_pixel_size(run)} {verb} analysed."


def _depth(kind: np.dtype) -> str:
    bits = 8 * kind.itemsize
    return {"u": f" ({bits}-bit)", "i": f" (signed {bits}-bit)",
            "f": f" ({bits}-bit floating-point)", "b": " (binary)"}.get(kind.kind, "")  # fmt: skip


def _pixel_size(run: Run) -> str:
    units = {image.unit for image in run.info.images}
    if len(units) != 1 or units == {"pixel"}:
        return ""
    unit = units.pop()
    sizes = np.array([image.pixel_size for image in run.info.images])
    square = np.allclose(sizes[:, 0], sizes[:, 1])
    if np.allclose(sizes, sizes[0]):
        size = number(sizes[0, 0]) if square else f"{number(sizes[0, 0])} × {number(sizes[0, 1])}"
        return f", with a pixel size of {size} {unit},"
    return f", with pixel sizes of {between(float(sizes.min()), float(sizes.max()))} {unit},"


def _planes(run: Run) -> list[str]:
    """Say which planes of images with a depth, and which time points, patches are of."""
    said = []
    deep = any(dict(zip(one.axes, one.shape, strict=False)).get("Z", 1) > 1
               for one in run.info.images)  # fmt: skip
    depth = run.recipe.depth
    if deep:
        said.append({
            "slices": "Every optical section was treated as an image of its own.",
            "plane": f"Of the optical sections, number {depth.plane + 1} was used.",
            "max": "Optical sections were reduced to their maximum-intensity projection.",
            "mean": "Optical sections were reduced to their mean projection.",
        }[depth.method])  # fmt: skip
    if run.table["t"].nunique() > 1:
        said.append("Every time point was treated as an image of its own.")
    return said


def _windows(run: Run) -> str:
    patches, images = run.recipe.patches, run.info.images
    unit = "pixels" if patches.unit == "pixel" else patches.unit
    side = f"{number(patches.size)} × {number(patches.size)} {unit}"
    side += _in_micrometres(run, patches.size) if patches.unit == "pixel" else ""
    if isinstance(patches, Grid):
        what = f"Square patches of {side} were cut on a regular grid"
        if patches.step == patches.size:
            what += ", side by side"
        else:
            what += f" with a step of {number(patches.step)} {unit}"
        if any(patches.offset):
            y, x = patches.offset
            what += f" that began {number(y)} {unit} from the top and {number(x)} from the left"
        what += (
            "; where they reached beyond the image, it was continued by mirroring"
            if patches.edges == "pad"
            else "; those that reached beyond the image were dropped"
        )
    elif isinstance(patches, Objects):
        several = "label images" if len(images) > 1 else "a label image"
        numbered = any(record.number_objects for record in run.info.labels.values())
        what = f"A square patch of {side} was cut around the centroid of each "
        what += f"{'connected region' if numbered else 'object'} of {several}"
        if patches.surroundings == "dim":
            what += (
                "; pixels outside the object were dimmed to "
                f"{share(patches.dimming)} of their value"
            )
        elif patches.surroundings == "mask":
            what += "; pixels outside the object were set to 0"
    else:
        what = f"A square patch of {side} was cut around each point of a list of positions"
    if not isinstance(patches, Grid):
        what += "; where patches reached beyond the image, it was continued by mirroring"
    if not np.allclose(run.table["size"], patches.pixels):
        what += f". They were resampled to {patches.pixels} × {patches.pixels} pixels"
    return f"{what}."


def _in_micrometres(run: Run, pixels: float) -> str:
    """Write a side in pixels in µm, where all images have the same square pixels of known size."""
    sizes = np.array([image.pixel_size for image in run.info.images])
    if {image.unit for image in run.info.images} != {"µm"} or not np.allclose(sizes, sizes[0, 0]):
        return ""
    side = number(pixels * sizes[0, 0])
    return f" ({side} × {side} µm)"


def _left_out(run: Run) -> list[str]:
    info, patches = run.info, run.recipe.patches
    if isinstance(patches, Objects):
        at_border, small = info.objects_left_out
        least = counted(patches.least_area, "pixel")
        if not (at_border or small):
            # None were, or the run is so old that they were not counted: the rule holds for both.
            rules = [] if patches.border else ["touched the border of an image"]
            if patches.least_area:
                rules.append(f"had less than {least}")
            return [f"Objects that {' or '.join(rules)} were left out."] if rules else []
        parts = []
        if at_border:
            parts.append(f"{counted(at_border, 'object')} at the border of an image")
        if small:
            parts.append(f"{counted(small, 'object')} of less than {least}")
        only_one = at_border + small == 1
        return [f"{words(parts)} {'was' if only_one else 'were'} left out."]
    if not isinstance(patches, Grid):
        return []
    background, windows = run.recipe.background, info.background_windows
    by_content = background.method in ("otsu", "tissue") or info.background_thresholds
    if not (by_content or windows):
        return []
    return [_background(background, windows, info.background_thresholds)]


def _background(background: Background, windows: int, thresholds: dict[str, float]) -> str:
    left_out = f"{counted(windows, 'window')} {'was' if windows == 1 else 'were'} left out"
    if not thresholds and background.method in ("none", "auto"):
        return f"{left_out} because the images' alpha channel hid them."
    if background.method == "auto":
        return _empty_windows(background, left_out, thresholds)
    factor = f"{number(background.factor)} times " if background.factor != 1 else ""
    what = (
        "whose saturation was above"
        if background.method == "tissue"
        else "brighter in any channel than"
    )
    values = ", ".join(f"{name}: {number(value)}" for name, value in thresholds.items())
    known = f"; {values}" if values and len(thresholds) <= MOST_NAMES else ""
    return (
        f"Windows were kept where at least {share(background.least_foreground)} of their pixels "
        f"were foreground, that is, pixels {what} {factor}Otsu's threshold over all images "
        f"({OTSU.cited}{known}); {left_out}."
    )


def _empty_windows(background: Background, left_out: str, thresholds: dict[str, float]) -> str:
    values = ", ".join(f"{name}: {number(value)}" for name, value in thresholds.items())
    known = f" ({values})" if len(thresholds) <= MOST_NAMES else ""
    return (
        f"Windows were taken as empty where less than {share(background.least_foreground)} of "
        "their pixels stood out of the background in any channel by more than five times its noise"
        f"{known}; {left_out}."
    )


def _values(run: Run) -> str:
    """Say how original values became 0 to 1."""
    settings, channels = run.recipe.normalization, run.info.channels
    low, high = (number(percentile) for percentile in settings.percentiles)
    ends = f"its {low} % and {high} % quantiles"
    given = ""
    if len(channels) <= MOST_NAMES:
        ranges = {(channel.low, channel.high) for channel in channels}
        if len(ranges) == 1:
            given = f" ({between(channels[0].low, channels[0].high)})"
        else:
            each = [f"{one.name}: {between(one.low, one.high)}" for one in channels]
            given = f" ({', '.join(each)})"
    if settings.method == "image":
        return (
            "Values of each channel were scaled linearly for each image on its own, so that "
            f"{ends} in the patches of that image became 0 and 1, and clipped to this range."
        )
    if settings.method == "percentile":
        return (
            f"Values of each channel were scaled linearly so that {ends} over the patches of all "
            f"images became 0 and 1{given}, and clipped to this range."
        )
    if run.store.dtype.kind in "bui":
        return f"Values were scaled linearly from the range of their data type{given} to 0 to 1."
    return (
        "Values of each channel were scaled linearly so that the smallest and the largest over the "
        f"patches of all images became 0 and 1{given}."
    )


# --- what was found, and with what ----------------------------------------------------------------


def _additions(run: Run) -> list[str]:
    if not isinstance(run, ExtendedRun) or not run.additions:
        return []
    patches = sum(len(one.table) for one in run.additions)
    images = sum(len(one.info.images) for one in run.additions)
    return [
        f"{counted(patches, 'patch', 'patches')} of {counted(images, 'further image')} "
        f"{'was' if patches == 1 else 'were'} placed on the finished map by the same network, "
        "which had not been trained on them."
    ]


def _clusters(exploration: Exploration | None) -> list[str]:
    if exploration is None or not len(exploration.clusters):
        return []
    sizes = exploration.clusters.sizes()
    held = [one for one in exploration.clusters.all if sizes[one.id]]
    if not held:
        return []
    outside = len(exploration) - sum(sizes.values())
    were = "was" if len(held) == 1 else "were"
    begun = f"{counted(len(held), 'cluster')} of patches {were} defined{_how(held)}"
    if len(held) <= MOST_NAMES:
        named = words([
            f"'{one.name}' ({counted(sizes[one.id], 'patch', 'patches')})" for one in held
        ])  # fmt: skip
        said = f"{begun}: {named}"
    else:
        counts = [sizes[one.id] for one in held]
        said = f"{begun}, of {between(min(counts), max(counts))} patches each"
    rest = (
        f"; {counted(outside, 'patch', 'patches')} {'was' if outside == 1 else 'were'} unassigned"
        if outside
        else ""
    )
    return [f"{said}{rest}."]


def _how(clusters: list[Cluster]) -> str:
    """Say how clusters were made, as far as that is recorded: each way with how many."""
    counts: dict[str, list[Cluster]] = {}
    for one in clusters:
        if one.origin is not None:
            counts.setdefault(f"{one.origin.made}{_cited(one.origin)}", []).append(one)
    parts = []
    for made, those in counts.items():
        edited = sum(one.origin.edited for one in those if one.origin is not None)
        many = "" if len(those) == len(clusters) else f"{number(len(those))} "
        after = ""
        if edited:
            which = "" if edited == len(those) else f"{number(edited)} of these "
            after = f", {which}then edited by hand"
        parts.append(f"{many}{made}{after}")
    unknown = len(clusters) - sum(map(len, counts.values()))
    if parts and unknown:
        parts.append(f"{number(unknown)} in a way that is not recorded")
    return f" ({'; '.join(parts)})" if parts else ""


def _cited(origin: Origin) -> str:
    cited = {"hdbscan": HDBSCAN, "k-means": K_MEANS, "gaussian mixture": MIXTURE}
    return f" ({cited[origin.method].cited})" if origin.method in cited else ""


def _software(run: Run) -> str:
    versions = dict(run.info.versions)
    ours = versions.pop("napari-tsimcne", run.info.software)
    cited = {"torch": PYTORCH, "scikit-image": SCIKIT_IMAGE}
    patches = run.recipe.patches
    filtered = isinstance(patches, Grid) and run.recipe.background.method in ("otsu", "tissue")
    used = {"torch": run.has_map, "scikit-image": filtered or isinstance(patches, Objects)}
    parts = []
    for name in dict.fromkeys([*versions, *cited]):
        if used.get(name, True):
            known = [versions[name]] if name in versions else []
            known += [cited[name].cited] if name in cited else []
            parts.append(f"{LIBRARIES.get(name, name)} ({'; '.join(known)})")
    plugin = f"napari-tsimcne {ours}, a plugin of napari ({NAPARI.cited})"
    return f"The analysis was done with {plugin}{', and with ' + words(parts) if parts else ''}."
