"""All that was checked of a map."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from napari_tsimcne.explore.checks import _findings as say
from napari_tsimcne.explore.checks._confounds import Confounds
from napari_tsimcne.explore.checks._faithfulness import Faithfulness
from napari_tsimcne.explore.checks._findings import SEVERITIES, Finding, Stability
from napari_tsimcne.explore.checks._suspects import Suspects
from napari_tsimcne.explore.checks._truth import TruthScores


@dataclass(frozen=True, eq=False)
class MapChecks:
    """All that was checked of a map of N patches.

    Parameters
    ----------
    table
        Patch table, N rows.
    measures
        N rows: of pixels, see `measure_patches`, and what else `aspects` has found out.
    faithfulness, confounds, suspects
        See there.
    stability
        None where the map was learnt with one seed.
    truth
        None where no truth was named.
    """

    table: pd.DataFrame
    measures: pd.DataFrame
    faithfulness: Faithfulness
    confounds: Confounds
    suspects: Suspects
    stability: Stability | None = None
    truth: TruthScores | None = None

    def __len__(self) -> int:
        return len(self.table)

    def columns(self) -> pd.DataFrame:
        """Return what was found of each patch, to colour and sort by, N rows.

        ``neighbours kept`` (0..1), ``outlier score`` (0..2), ``duplicates`` (number of the group,
        missing for most) and the measures; none that the patch table has a column for.
        """
        groups = pd.array([pd.NA] * len(self), dtype="Int64")
        for number, rows in enumerate((*self.suspects.exact, *self.suspects.near), start=1):
            groups[rows] = number
        found = pd.DataFrame(
            {
                "neighbours kept": self.faithfulness.recall,
                "outlier score": self.suspects.unlikeness,
                "duplicates": groups,
            },
            index=self.table.index,
        ).join(self.measures.set_index(self.table.index))
        return found[[name for name in found if name not in self.table]]

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What was found, in sentences, the worst first."""
        found = [
            *say.of_faithfulness(self.faithfulness),
            *say.of_confounds(self.confounds),
            *say.of_suspects(self.suspects, self.table["image"].to_numpy()),
            *(say.of_stability(self.stability) if self.stability is not None else ()),
            *(say.of_truth(self.truth) if self.truth is not None else ()),
        ]
        # `sorted` keeps the order of all others.
        return tuple(sorted(found, key=lambda one: SEVERITIES.index(one.severity)))
