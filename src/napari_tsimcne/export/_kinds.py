"""The kinds of files that a map is exported as: one list for the window and the terminal."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import Coloring
from napari_tsimcne.export._anndata import export_anndata
from napari_tsimcne.export._excerpt import Excerpt
from napari_tsimcne.export._outputs import MARK, check_outside, why_not_replaced
from napari_tsimcne.export._pictures import Pictures
from napari_tsimcne.export._tables import export_table
from napari_tsimcne.export.figures._annotated_map import export_annotated_map
from napari_tsimcne.export.figures._map_figure import export_figure
from napari_tsimcne.export.methods._methods import export_methods
from napari_tsimcne.export.pages._html_map import export_html_map
from napari_tsimcne.export.patches._crops import crops_notice, export_crops
from napari_tsimcne.export.patches._geojson import export_geojson
from napari_tsimcne.export.patches._label_images import export_label_images
from napari_tsimcne.images import ImageSource
from napari_tsimcne.patches import Told
from napari_tsimcne.runs import Run

Group = Literal["Tables", "Images", "Figures", "Pages"]
Option = Literal["color_by", "color_as", "legend", "thumbnails", "tiles"]
OPTIONS: tuple[Option, ...] = ("color_by", "color_as", "legend", "thumbnails", "tiles")
Standing = Literal["free", "replaceable", "taken"]


@dataclass(frozen=True)
class Kind:
    """A kind of file, or of a folder of files.

    Parameters
    ----------
    name
        In the terminal.
    title, group, help
        In the window: what it is, what it stands under, and what it holds in a sentence.
    write
        Called with an excerpt and a path, ``overwrite``, and what it ``takes``; a text that it
        returns is a notice to the user.
    takes
        ``pictures``, ``labels`` and ``told``, and the `options` that the user has.
    suffixes
        Of the file, the usual one first; none: a folder.
    whole
        It tells of the run, whichever patches are chosen.
    """

    name: str
    title: str
    group: Group
    help: str
    write: Callable[..., Any]
    takes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    whole: bool = False

    @property
    def options(self) -> tuple[Option, ...]:
        """What the user can choose.

        The column of the colours and whether these are a gradient, a legend, pictures on the map,
        tiles in place of objects.
        """
        return tuple(option for option in OPTIONS if option in self.takes)

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of files."""
        return not self.suffixes

    def completed(self, path: Path, called: str = "") -> Path:
        """Return a path with a suffix of this kind: without any, it gets the usual one.

        Parameters
        ----------
        path
            Of a file or folder.
        called
            What the user knows the kind by, for the sentence; its title if not given.

        Raises
        ------
        InputError
            Where it has another one, or no name.
        """
        if not path.name:
            raise InputError(f"{path} has no name: name what to write")
        if self.is_folder and path.suffix.lower() in OF_FILES:
            raise InputError(
                f"{called or self.title} is written as a folder: "
                f"'{path.name}' ends in {path.suffix}, as a file does"
            )
        if self.is_folder or path.suffix.lower() in self.suffixes:
            return path
        if path.suffix:
            raise InputError(
                f"{called or self.title} is written as {' or '.join(self.suffixes)}: "
                f"'{path.name}' ends in {path.suffix}"
            )
        return path.with_name(path.name + self.suffixes[0])

    def standing(self, path: Path) -> Standing:
        """Tell whether a path is free, what is there can be replaced, or is never replaced."""
        if not os.path.lexists(path):
            return "free"
        if not self.is_folder:
            return "taken" if path.is_dir() else "replaceable"
        if not path.is_dir():
            return "taken"
        try:
            if not any(path.iterdir()):
                return "free"
            return "taken" if why_not_replaced(path, self.name) else "replaceable"
        except OSError:
            return "taken"

    def why_taken(self, path: Path) -> str:
        """Say that there is something at a path that is never replaced, and why; one sentence."""
        there = f"{path} exists"
        if self.is_folder and path.is_dir():
            there += f", and {why_not_replaced(path, self.name)}"
        return f"{there}: choose another name"


@dataclass(frozen=True)
class Written:
    """What an export has written.

    ``patches`` is 0 where it is of the whole run; ``notice`` is a sentence the user is told of it,
    or empty.
    """

    path: Path
    patches: int
    files: int
    bytes: int
    notice: str = ""

    @property
    def amount(self) -> str:
        """How much: patches, files of a folder, and size on disk."""
        parts = [f"{self.patches:,} patch{'es' * (self.patches != 1)}"] if self.patches else []
        if self.path.is_dir():
            parts.append(f"{self.files:,} file{'s' * (self.files != 1)}")
        return ", ".join([*parts, _readable(self.bytes)])


def _crops(
    excerpt: Excerpt, path: Path, *, pictures: Pictures | None = None, **options: Any
) -> str:
    export_crops(excerpt, path, pictures=pictures, **options)
    return crops_notice(excerpt, pictures)


FIGURE = (".png", ".pdf", ".svg")

KINDS = (
    Kind("table", "Table", "Tables", "Every patch a row, for spreadsheets, R and pandas.",
         export_table, ("told",), suffixes=(".csv", ".parquet")),
    Kind("anndata", "AnnData", "Tables", "Features, map, clusters and columns, for scanpy.",
         export_anndata, ("told",), suffixes=(".h5ad",)),
    Kind("crops", "Crops by cluster", "Images", "Folders of OME-TIFFs, each with a contact sheet.",
         _crops, ("pictures", "told")),
    Kind("labels", "Label images", "Images", "Every image with its objects or tiles by cluster.",
         export_label_images, ("labels", "told", "tiles")),
    Kind("geojson", "GeoJSON", "Images", "Outlines with their clusters, for QuPath.",
         export_geojson, ("labels", "told", "tiles")),
    Kind("figure", "Map", "Figures", "The map with legend and scale bar, for print.",
         export_figure,
         ("pictures", "color_by", "color_as", "legend", "thumbnails"), FIGURE),
    Kind("annotated", "Annotated map", "Figures", "Cluster names around it, each with its patches.",
         export_annotated_map, ("pictures",), FIGURE),
    Kind("html", "Interactive map", "Pages", "One page for any browser; pointing shows the patch.",
         export_html_map, ("pictures", "told", "color_by", "color_as"), (".html",)),
    Kind("methods", "Methods", "Pages", "What was done, with settings and citations.",
         export_methods, (), (".md", ".txt"), whole=True),
)  # fmt: skip
"""All kinds, in the order in which they are listed."""

OF_FILES = {suffix for kind in KINDS for suffix in kind.suffixes} | {
    ".geojson", ".htm", ".jpeg", ".jpg", ".json", ".tif", ".tiff", ".tsv", ".xlsx", ".zip",
}  # fmt: skip
"""Suffixes that no folder has."""


def kind_of(name: str) -> Kind:
    """Return the kind of a name.

    Raises
    ------
    InputError
        Where there is none.
    """
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise InputError(f"there is no export '{name}': choose {', '.join(k.name for k in KINDS)}")


def default_name(run: Run, kind: Kind) -> str:
    """Return a name for a file or folder of a kind, by its run."""
    return f"{run.folder.name}-{kind.name}{''.join(kind.suffixes[:1])}"


def export(
    kind: Kind,
    excerpt: Excerpt,
    path: Path,
    *,
    overwrite: bool = False,
    pictures: Pictures | None = None,
    labels: Mapping[str, ImageSource] | None = None,
    told: Told = lambda what, done, total: None,
    **options: Any,
) -> Written:
    """Write an excerpt as a kind of file, whole or not at all.

    Parameters
    ----------
    kind
        One of `KINDS`.
    excerpt
        Which patches.
    path
        File or folder to write; a missing suffix is added.
    overwrite
        Replace what is there.
    pictures
        Makes pictures of patches; by default in the ranges of their channels.
    labels
        Label images of objects by the name of their image, where these are in no files.
    told
        Called with what is done; an exception it raises cancels.
    **options
        Those of the kind (`Kind.options`) that are not as usual.

    Raises
    ------
    InputError
        Where the kind has no such option, the path is in use or cannot be written, or there is
        nothing to write.
    """
    for name in options:
        if name not in kind.options:
            raise InputError(f"'{kind.name}' has no option '{name.replace('_', '-')}'")
    _check_column(excerpt, options.get("color_by"))
    path = kind.completed(path.expanduser().absolute(), f"'{kind.name}'")
    check_outside(path, excerpt.run.folder)
    standing = kind.standing(path)
    if standing == "taken":
        raise InputError(kind.why_taken(path))
    if standing == "replaceable" and not overwrite:
        raise InputError(f"{path} exists: choose another name, or let it be overwritten")
    given = {"pictures": pictures, "labels": labels, "told": told, **options}
    taken = {name: given[name] for name in kind.takes if name in given}
    try:
        told_of = kind.write(excerpt, path, overwrite=overwrite, **taken)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error})") from error
    notice = told_of if isinstance(told_of, str) else ""
    return _written(path, 0 if kind.whole else len(excerpt), notice)


def _check_column(excerpt: Excerpt, column: str | None) -> None:
    if column is not None:
        choices = Coloring(excerpt.exploration).choices
        if column not in choices:
            raise InputError(
                f"the map cannot be coloured by '{column}': choose {', '.join(choices)}"
            )


def _written(path: Path, patches: int, notice: str) -> Written:
    files = [path]
    if path.is_dir():
        files = [one for one in path.rglob("*") if one.is_file() and one.name != MARK]
    return Written(path, patches, len(files), sum(one.stat().st_size for one in files), notice)


def _readable(size: int) -> str:
    """Write a number of bytes as people do."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.{1 if size < 100 * factor else 0}f} {unit}"
    return f"{size} bytes"
