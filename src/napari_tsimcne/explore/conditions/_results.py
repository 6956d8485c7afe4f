"""Conditions compared in numbers: the same for the window, the terminal and what is exported."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore._classes import differing
from napari_tsimcne.explore._clusters import Clusters
from napari_tsimcne.explore._design import BLOCKS, UNITS, joined, splitting, word_of
from napari_tsimcne.explore._exploration import Exploration
from napari_tsimcne.explore.conditions._conditions import (
    compare_conditions,
    comparison_doubts,
    condition_shares,
    ordered_texts,
    replicate_shares,
    share_doubts,
)
from napari_tsimcne.explore.conditions._difference import (
    DifferenceMap,
    difference_map,
    difference_text,
)
from napari_tsimcne.explore.conditions._doses import (
    FEWEST_DOSES,
    dose_shares,
    dose_trends,
    replicate_dose_shares,
    trend_doubts,
)
from napari_tsimcne.explore.conditions._plate import plate_of, plate_table

Told = Callable[[str, int, int], None]
Part = Literal["shares", "difference", "plate", "dose"]
PARTS: tuple[Part, ...] = get_args(Part)

ALL_OTHERS = "all others"
"""What all conditions but the control are called where they are taken together."""


@dataclass(frozen=True)
class ConditionColumns:
    """Which columns of the patch table say what.

    Parameters
    ----------
    condition
        Such as the treatment.
    replicate
        Tells replicates of a condition apart, such as the well; or several columns, such as
        ``("plate", "well")`` or ``"plate,well"``: each combination is a replicate. Wells of the
        same name on several plates count as several replicates, also where ``well`` alone is named.
    control
        The condition that others are compared with, as text.
    treated
        The condition that is compared with it; None: all others, each for itself and together.
    well
        Names of wells, for plates.
    dose
        Numbers: a curve of them is drawn for each condition, such as a drug.
    plate
        Tells plates apart, each of which is drawn; None: by the name of a column under whose
        values wells occur several times.
    block
        Within whose values replicates are compared, such as the plate or the donor; None: over all.
    """

    condition: str
    replicate: str | Sequence[str] | None = None
    control: str | None = None
    treated: str | None = None
    well: str | None = None
    dose: str | None = None
    plate: str | None = None
    block: str | None = None

    def check(self, table: pd.DataFrame) -> None:
        """Raise an `InputError` for columns that are missing, or do not go together."""
        one_each = (self.condition, self.well, self.dose, self.plate, self.block)
        for name in (*one_each, *self._named(table)):
            if name is not None and name not in table:
                raise InputError(
                    f"there is no column '{name}': the patches have {', '.join(map(str, table))}"
                )
        if self.treated is not None and self.control is None:
            raise InputError(
                f"'{self.treated}' needs something to be compared with: name the control, too"
            )
        if self.block is not None and self.replicate is None:
            raise InputError(
                f"comparing within '{self.block}' needs replicates: name their column, too"
            )
        known = ordered_texts(table[self.condition])[1]
        for name in (self.control, self.treated):
            if name is not None and name not in known:
                raise InputError(
                    f"'{self.condition}' is nowhere '{name}': it is {', '.join(known[:12])}"
                )
        if self.control is not None and self.control == self.treated:
            raise InputError(f"'{self.control}' cannot be compared with itself")

    def replicate_names(self, table: pd.DataFrame) -> tuple[str, ...]:
        """Return the columns that tell replicates apart: of wells on several plates, both."""
        named = self._named(table)
        if not self._of_wells(table):
            return named
        plates = [one for one in self._splitting(table) if word_of(one, ("plate",))]
        others = [] if plates else [one for one in self._splitting(table) if _is_block(one)]
        return (*(plates or others)[:1], *named)

    def replicates(self, table: pd.DataFrame) -> pd.Series | None:
        """Return what tells replicates apart, (N,); None where nothing does."""
        names = self.replicate_names(table)
        return joined([table[name] for name in names]) if names else None

    def replicate_notes(self, table: pd.DataFrame) -> tuple[str, ...]:
        """Say which replicates of the same name are told apart by another column, or may be."""
        named, used = self._named(table), self.replicate_names(table)
        if not named:
            return ()
        what, notes = ", ".join(named), []
        added = used[: len(used) - len(named)]
        if added:
            count = self.replicates(table).nunique()  # type: ignore[union-attr]
            notes.append(
                f"Wells of the same name have several values of '{added[0]}': they count as "
                f"different replicates, {', '.join(used)} ({count:,} in all)."
            )
        rest = ConditionColumns(self.condition, used, dose=self.dose)._splitting(table)
        if rest:
            notes.append(
                f"Replicates of the same '{what}' have several values of '{rest[0]}' and count as "
                f"one: if they are different, choose the replicate {','.join((rest[0], *used))}."
            )
        return tuple(notes)

    def plate_column(self, table: pd.DataFrame) -> str | None:
        """Return the column that tells plates apart; None where wells are of one."""
        if self.plate is not None or self.well is None:
            return self.plate
        found = splitting(table, [self.well], [])
        return next((name for name in found if _is_block(name)), None)

    def _named(self, table: pd.DataFrame) -> tuple[str, ...]:
        if self.replicate is None:
            return ()
        if not isinstance(self.replicate, str):
            return tuple(self.replicate)
        if self.replicate in table:
            return (self.replicate,)
        return tuple(name.strip() for name in self.replicate.split(","))

    def _of_wells(self, table: pd.DataFrame) -> bool:
        """Tell whether replicates are wells: by the name of the column, or by their names."""
        named = self._named(table)
        if len(named) != 1:
            return False
        if word := word_of(named[0], UNITS):
            # D1 may be a donor, too.
            return word == "well"
        try:
            names = pd.Series(table[named[0]].dropna().unique())
            return len(names) > 1 and bool(plate_of(names)["row"].notna().all())
        except InputError:
            return False

    def _splitting(self, table: pd.DataFrame) -> list[str]:
        within = [one for one in (self.condition, self.dose) if one is not None]
        return splitting(table, self._named(table), within)


@dataclass(frozen=True, eq=False)
class ConditionResults:
    """What was found of conditions; parts that were not asked for are empty.

    Parameters
    ----------
    counted
        Which patches were looked at, (N,) booleans.
    shares, replicates
        Of `condition_shares` and `replicate_shares`.
    comparison
        Of `compare_conditions`, where there are a control and replicates.
    doses, dose_replicates, trends
        Of `dose_shares`, `replicate_dose_shares` and, where there are replicates and three doses,
        `dose_trends`.
    plates
        Of `plate_table`, by the id of the cluster, then by the plate as text: ``""`` where nothing
        tells plates apart.
    differences
        Difference maps by the condition that is compared with the control; with several, first
        that of all of them together, `ALL_OTHERS`.
    doubts
        Sentences on what all this cannot tell.
    notes
        Sentences on what was taken as a replicate.
    """

    counted: np.ndarray
    shares: pd.DataFrame = field(default_factory=pd.DataFrame)
    replicates: pd.DataFrame = field(default_factory=pd.DataFrame)
    comparison: pd.DataFrame | None = None
    doses: pd.DataFrame | None = None
    dose_replicates: pd.DataFrame | None = None
    trends: pd.DataFrame | None = None
    plates: dict[int, dict[str, pd.DataFrame]] = field(default_factory=dict)
    differences: dict[str, DifferenceMap] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def sentences(self, control: str | None) -> list[str]:
        """Say how the map of each condition differs from that of the control."""
        return [
            f"{name} minus {control}: {difference_text(found)}"
            for name, found in self.differences.items()
        ]


def condition_results(
    exploration: Exploration,
    columns: ConditionColumns,
    *,
    mask: np.ndarray | None = None,
    clusters: Clusters | None = None,
    parts: Collection[Part] = PARTS,
    most_maps: int | None = None,
    told: Told = lambda what, done, total: None,
) -> ConditionResults:
    """Compare the conditions of an exploration, in numbers.

    Parameters
    ----------
    exploration
        With clusters; patches that have no place on the map yet are passed over.
    columns
        Which say what.
    mask
        (N,) booleans: which patches are looked at, such as all but positive controls. None: all.
    clusters
        In place of the exploration's own.
    parts
        What is computed: frequencies and their comparison (``shares``), maps of the difference,
        plates, doses.
    most_maps
        Conditions that get a difference map of their own; None: all.
    told
        Progress; may raise to cancel.

    Raises
    ------
    InputError
        Where there are no clusters, or columns do not fit.
    """
    clusters = exploration.clusters if clusters is None else clusters
    table = exploration.table
    counted = exploration.placed if mask is None else exploration.placed & mask
    columns.check(table)
    if not len(clusters) and set(parts) - {"difference"}:
        raise InputError("there are no clusters to compare: make some on the map first")
    asked = _Asked(exploration, clusters, columns, counted)
    found: dict[str, object] = {}
    doubts: list[str] = []
    if "shares" in parts:
        found |= _shares(asked, doubts)
    if "dose" in parts and columns.dose is not None:
        found |= _doses(asked, doubts)
    if "plate" in parts and columns.well is not None:
        found["plates"] = _plates(asked, doubts)
    if "difference" in parts and columns.control is not None:
        found["differences"] = _differences(asked, most_maps, told)
    notes = columns.replicate_notes(table) if set(parts) - {"plate"} else ()
    return ConditionResults(
        counted,
        doubts=tuple(dict.fromkeys(doubts)),
        notes=notes,
        **found,  # type: ignore[arg-type]
    )


# --- the parts ------------------------------------------------------------------------------------


class _Asked:
    """Columns of a table, by what they say."""

    def __init__(
        self, exploration: Exploration, clusters: Clusters, columns: ConditionColumns,
        counted: np.ndarray,
    ) -> None:  # fmt: skip
        table = exploration.table
        self.exploration, self.clusters, self.columns = exploration, clusters, columns
        self.counted = counted
        self.condition = table[columns.condition]
        self.replicate = columns.replicates(table)
        self.block = None if columns.block is None else table[columns.block]
        self.codes, self.names = ordered_texts(self.condition)

    def of(self, name: str) -> np.ndarray:
        """Tell which patches are of a condition and looked at, (N,)."""
        return self.counted & (self.codes == self.names.index(name))

    @property
    def others(self) -> list[str]:
        """The conditions that are compared with the control."""
        control, treated = self.columns.control, self.columns.treated
        named = self.names if treated is None else [treated]
        return [name for name in named if name != control and self.of(name).any()]


def _shares(asked: _Asked, doubts: list[str]) -> dict[str, object]:
    columns, of = asked.columns, (asked.clusters, asked.condition, asked.replicate)
    shares = condition_shares(*of, mask=asked.counted)
    found: dict[str, object] = {
        "shares": shares, "replicates": replicate_shares(*of, mask=asked.counted),
    }  # fmt: skip
    doubts += share_doubts(shares)
    if columns.control is not None and asked.replicate is not None:
        compared = asked.counted & (asked.codes >= 0)
        if columns.treated is not None:
            compared = asked.of(columns.treated) | asked.of(columns.control)
        comparison = compare_conditions(*of, columns.control, mask=compared, block=asked.block)
        found["comparison"] = comparison
        doubts += comparison_doubts(comparison)
    return found


def _doses(asked: _Asked, doubts: list[str]) -> dict[str, object]:
    columns, table = asked.columns, asked.exploration.table
    assert columns.dose is not None
    dose = table[columns.dose]
    drug = None if columns.dose == columns.condition else asked.condition
    of, mask = (asked.clusters, dose, asked.replicate, drug), asked.counted
    doses = dose_shares(*of, mask=mask)
    found: dict[str, object] = {
        "doses": doses, "dose_replicates": replicate_dose_shares(*of, mask=mask), "trends": None,
    }  # fmt: skip
    if asked.replicate is None:
        doubts += share_doubts(doses.assign(condition=doses["drug"]))
    elif (doses.groupby("drug")["dose"].nunique() >= FEWEST_DOSES).any():
        found["trends"] = trends = dose_trends(*of, mask=mask)
        doubts += trend_doubts(trends)
    else:
        doubts.append(
            f"No trend with the dose can be determined: that takes {FEWEST_DOSES} doses or more."
        )
    return found


def _plates(asked: _Asked, doubts: list[str]) -> dict[int, dict[str, pd.DataFrame]]:
    columns, table = asked.columns, asked.exploration.table
    assert columns.well is not None
    wells = table[columns.well].where(asked.counted)
    plate = columns.plate_column(table)
    whole = {"": wells}
    if plate is not None:
        codes, names = ordered_texts(table[plate])
        whole = {name: wells.where(codes == place) for place, name in enumerate(names)}
        whole = {name: own for name, own in whole.items() if own.notna().any()}
    unknown = splitting(table, [columns.well, *([plate] if plate else [])], [columns.condition])
    if unknown:
        doubts.append(
            f"Wells of the same name have several values of '{unknown[0]}' and are drawn as one: "
            "if they are of different plates, choose it as the plate."
        )
    return {
        one.id: {
            name: plate_table(own, asked.clusters.members(one.id)) for name, own in whole.items()
        }
        for one in asked.clusters.all
    }  # fmt: skip


def _differences(asked: _Asked, most_maps: int | None, told: Told) -> dict[str, DifferenceMap]:
    """Make a difference map for each condition that is compared, and for all of them together."""
    control = str(asked.columns.control)
    sides = {name: asked.of(name) for name in asked.others[:most_maps]}
    if len(asked.others) > 1:
        together = np.any([asked.of(name) for name in asked.others], axis=0)
        sides = {differing(ALL_OTHERS, asked.names): together, **sides}
    return {
        name: difference_map(
            asked.exploration.coordinates, own, asked.of(control), asked.replicate,
            block=asked.block, told=told,
        )
        for name, own in sides.items()
    }  # fmt: skip


def _is_block(name: str) -> bool:
    return word_of(name, BLOCKS) is not None
