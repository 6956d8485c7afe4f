"""What the points of a map are coloured by."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal, get_args

import numpy as np
import pandas as pd
from matplotlib import colormaps
from psygnal import Signal

from napari_tsimcne.explore._classes import (
    LEVELS,
    MISSING_COLOR,
    Classes,
    Scale,
    classes_of,
    classes_of_clusters,
    gradient_of,
    has_kinds,
    is_constant,
    is_ordered,
    names_each,
    numbers,
    read_column,
    scale_about_zero,
    scale_of,
)
from napari_tsimcne.explore._colors import CONTINUOUS, DARKEST, DIVERGING, rgba
from napari_tsimcne.explore._density import density
from napari_tsimcne.explore._exploration import Exploration

DARKEST_DIFFERENCE, DIMMED = 0.12, 0.82
"""Of the colormap of differences, from both of its ends; and by how much it is darkened, so that
its middle, nearly white, can be seen on a white ground."""

ColorKind = Literal["gradient", "classes"]
COLOR_KINDS: tuple[ColorKind, ...] = get_args(ColorKind)

CLUSTER = "cluster"
DENSITY = "density"
DENSITY_OF_MAP = "density of the map"
"""Where the table has a column of density of its own."""

FIRST_COLUMN = "image"
MEANINGLESS = ("patch", "label", "map_x", "map_y", CLUSTER)
"""Columns that no colour is given by: numbers of things, and what the map shows already."""


@dataclass(frozen=True)
class Category:
    """A class that points are coloured by.

    ``name`` differs from all others, ``color`` is ``#rrggbb``, ``count`` in patches; ``shown``
    where it is not hidden by the isolation of others.
    """

    name: str
    color: str
    count: int
    shown: bool


class Coloring:
    """Colours the patches of an exploration by one of its columns, at first by cluster.

    Text and yes and no are classes (`categories`), numbers a scale (`limits`, `colormap`), with 0
    in its middle where they are differences, see `Exploration.add_columns`. Of at most 12 different
    whole numbers (or dose levels) each is a class; their colours are a gradient where they have an
    order, as time points have, or those of classes where they only number things: `show_as` changes
    it. What was chosen with the exploration (`Exploration.color_as`) holds at first. ``changed`` is
    emitted after every change of colours, of classes, or of what is shown, ``choices_changed``
    after one of what can be coloured by.

    Parameters
    ----------
    exploration
        Its clusters are followed while they give the colour.
    """

    changed = Signal()
    choices_changed = Signal()

    def __init__(self, exploration: Exploration) -> None:
        self._exploration = exploration
        self._column = CLUSTER
        self._hidden: set[object] = set()
        # Until columns change, what was read of them once is kept.
        self._read: dict[str, Classes | Scale] = {}
        self._kinds: dict[str, ColorKind] = dict(exploration.color_as)
        self._source: Classes | Scale = classes_of_clusters(exploration.clusters)
        self._colors: np.ndarray | None = None
        self._placed = exploration.placed
        exploration.clusters.changed.connect(self._on_clusters)
        exploration.moved.connect(self._on_moved)
        exploration.columns_changed.connect(self._on_columns)

    # --- columns ------------------------------------------------------------------------------

    @cached_property
    def choices(self) -> list[str]:
        """What can be coloured by: clusters, density on the map, and columns that tell apart."""
        table = self._exploration.table
        found = [
            str(name)
            for name in table.columns
            if name not in MEANINGLESS and not is_constant(table[name])
            and not names_each(table[name])
        ]  # fmt: skip
        # `sorted` keeps the order of all others.
        found = sorted(found, key=lambda name: name != FIRST_COLUMN)
        return [CLUSTER, self._density_name, *found]

    @property
    def column(self) -> str:
        """What is coloured by."""
        return self._column

    def choose(self, column: str) -> None:
        """Colour by one of the `choices`; all its classes are shown.

        Raises
        ------
        ValueError
            Where it is none of them.
        """
        if column not in self.choices:
            raise ValueError(f"'{column}' is nothing that points can be coloured by")
        if column == self._column:
            return
        self._column, self._hidden = column, set()
        self._source = self._look_up(column)
        self._tell()

    @property
    def kinds(self) -> tuple[ColorKind, ...]:
        """How the column can be coloured: both ways, or none where there is nothing to choose."""
        table, column = self._exploration.table, self._column
        if column in (CLUSTER, self._density_name) or column in self._exploration.differences:
            return ()
        return COLOR_KINDS if has_kinds(table[column]) else ()

    @property
    def kind(self) -> ColorKind:
        """Whether colours are a gradient, or those of classes."""
        return self._kind_of(self._column) if self.kinds else (
            "classes" if isinstance(self._source, Classes) else "gradient"
        )  # fmt: skip

    @property
    def chosen_kinds(self) -> dict[str, ColorKind]:
        """What `show_as` has chosen, by column."""
        return dict(self._kinds)

    def show_as(self, kind: ColorKind) -> None:
        """Colour few different numbers as a gradient, or as classes.

        Raises
        ------
        ValueError
            Where the column cannot be coloured in this way.
        """
        if kind not in self.kinds and kind != self.kind:
            raise ValueError(f"'{self._column}' cannot be coloured as {kind}")
        if kind != self.kind:
            self._kinds = {**self._kinds, self._column: kind}
            self._read.pop(self._column, None)
            self._source = self._look_up(self._column)
            self._tell()

    def _kind_of(self, column: str) -> ColorKind:
        ordered = is_ordered(self._exploration.table[column].rename(column))
        return self._kinds.get(column, "gradient" if ordered else "classes")

    # --- colours ------------------------------------------------------------------------------

    @property
    def colors(self) -> np.ndarray:
        """Colour of each patch, RGBA in 0..1, (N, 4) float32, read-only."""
        if self._colors is None:
            self._colors = self._compute_colors()
            self._colors.flags.writeable = False
        return self._colors

    @property
    def shown(self) -> np.ndarray:
        """Whether each patch is shown, (N,) booleans: not where its class is hidden.

        Nor where it has no place on the map yet.
        """
        placed = self._exploration.placed
        if isinstance(self._source, Scale) or not self._hidden:
            return placed.copy()
        shown = np.array([key not in self._hidden for key in self._source.keys])
        return shown[self._source.codes] & placed

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes, in their order: other values, then missing ones last; none of numbers."""
        source = self._source
        if isinstance(source, Scale):
            return ()
        counts = np.bincount(source.codes, minlength=len(source.names))
        return tuple(
            Category(name, color, int(count), key not in self._hidden)
            for name, color, key, count in zip(
                source.names, source.colors, source.keys, counts, strict=True
            )
        )

    @property
    def codes(self) -> np.ndarray | None:
        """Place of each patch's class among the `categories`, (N,) int32; None of numbers."""
        return self._source.codes if isinstance(self._source, Classes) else None

    @property
    def limits(self) -> tuple[float, float] | None:
        """The numbers at the ends of the colormap: 1st and 99th percentile; None of classes.

        Of differences, 0 is in the middle, and the further of the two from it is at both ends.
        """
        return self._source.limits if isinstance(self._source, Scale) else None

    @property
    def missing(self) -> int:
        """Of numbers, how many are missing, and grey."""
        return self._source.missing if isinstance(self._source, Scale) else 0

    @property
    def colormap(self) -> str:
        """Matplotlib's name of the colormap of numbers, of which the brighter part is used."""
        return DIVERGING if self._column in self._exploration.differences else CONTINUOUS

    @property
    def steps(self) -> np.ndarray:
        """Colours of a scale, from its lower to its upper limit, RGBA in 0..1, (256, 4) float32."""
        return _steps(self.colormap)

    # --- which classes are shown --------------------------------------------------------------

    def isolate(self, names: Collection[str] | None) -> None:
        """Show the classes of some names only, or all of them for None.

        Where no class has one of the names, all are shown.
        """
        if isinstance(self._source, Classes):
            pairs = zip(self._source.names, self._source.keys, strict=True)
            hidden = set() if names is None else {key for name, key in pairs if name not in names}
            self._hide(hidden)

    def toggle(self, name: str) -> None:
        """Show a class or hide it; all are shown again where it was the only one left."""
        if isinstance(self._source, Classes) and name in self._source.names:
            self._hide(self._hidden ^ {self._source.keys[self._source.names.index(name)]})

    # --- inside -------------------------------------------------------------------------------

    @cached_property
    def _density_name(self) -> str:
        return DENSITY_OF_MAP if DENSITY in self._exploration.table else DENSITY

    def _look_up(self, column: str) -> Classes | Scale:
        if column == CLUSTER:
            return classes_of_clusters(self._exploration.clusters)
        if column not in self._read:
            if column == self._density_name:
                self._read[column] = scale_of(self._density())
            else:
                self._read[column] = self._read_column(column)
        return self._read[column]

    def _read_column(self, column: str) -> Classes | Scale:
        values = self._exploration.table[column]
        if column in self._exploration.differences:
            return scale_about_zero(numbers(values))
        if not has_kinds(values):
            return read_column(values)
        return gradient_of(values) if self._kind_of(column) == "gradient" else _as_classes(values)

    def _density(self) -> np.ndarray:
        """Density at each patch on the map, (N,) float64; NaN where it has no place yet."""
        placed = self._exploration.placed
        crowded = np.full(len(placed), np.nan)
        if placed.any():
            crowded[placed] = density(self._exploration.coordinates[placed])
        return crowded

    def _compute_colors(self) -> np.ndarray:
        source = self._source
        if isinstance(source, Classes):
            return rgba(source.colors)[source.codes]
        return np.concatenate([self.steps, rgba([MISSING_COLOR])])[source.levels]

    def _hide(self, hidden: set[object]) -> None:
        assert isinstance(self._source, Classes)
        if hidden.issuperset(self._source.keys):
            hidden = set()
        if hidden != self._hidden:
            self._hidden = hidden
            # Colours stay.
            self.changed.emit()

    def _on_clusters(self) -> None:
        if self._column != CLUSTER:
            return
        before, now = self._source, classes_of_clusters(self._exploration.clusters)
        assert isinstance(before, Classes)
        if before[1:] == now[1:] and np.array_equal(before.codes, now.codes):
            return
        self._source = now
        self._hidden &= set(now.keys)
        if self._hidden.issuperset(now.keys):
            self._hidden = set()
        self._tell()

    def _on_moved(self) -> None:
        self._read.pop(self._density_name, None)
        before, self._placed = self._placed, self._exploration.placed
        if self._column == self._density_name:
            self._source = self._look_up(self._column)
            self._tell()
        elif not np.array_equal(before, self._placed):
            self.changed.emit()

    def _on_columns(self, names: frozenset[str]) -> None:
        of_density = self._column == self._density_name
        self.__dict__.pop("choices", None)
        self.__dict__.pop("_density_name", None)
        for name in (*names, DENSITY, DENSITY_OF_MAP):
            self._read.pop(name, None)
        if of_density:
            # Its name is another where a column has taken it.
            self._column = self._density_name
            self._read[self._column] = self._source
        self.choices_changed.emit()
        if self._column not in self.choices:
            self.choose(CLUSTER)
        elif self._column in names:
            self._source, self._hidden = self._look_up(self._column), set()
            self._tell()

    def _tell(self) -> None:
        self._colors = None
        self.changed.emit()


def _as_classes(column: pd.Series) -> Classes:
    return classes_of(pd.Series(numbers(column)))


@cache
def _steps(colormap: str) -> np.ndarray:
    """Return the colours of a scale, (256, 4) float32, read-only."""
    if colormap == DIVERGING:
        ends = DARKEST_DIFFERENCE, 1 - DARKEST_DIFFERENCE
        steps = colormaps[colormap](np.linspace(*ends, LEVELS)) * (DIMMED, DIMMED, DIMMED, 1)
    else:
        steps = colormaps[colormap](np.linspace(DARKEST, 1, LEVELS))
    steps = steps.astype(np.float32)
    steps.flags.writeable = False
    return steps
