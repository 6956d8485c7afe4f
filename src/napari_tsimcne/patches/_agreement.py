"""Whether rows of a table that are about one thing say the same of it, in the same writing."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict

import pandas as pd

from napari_tsimcne.errors import InputError
from napari_tsimcne.patches._read_table import Report

SEPARATOR = "\x1f"
"""Between the keys of a row that has several."""


def key_text(key: object) -> str:
    return str(key).replace(SEPARATOR, ", ")


class Agreement:
    """Checks that rows about one thing say the same of it, and counts those that are too many."""

    def __init__(
        self, rows: pd.DataFrame, given: pd.Series, source: str, key: str, report: Report
    ) -> None:
        self._rows, self._given, self._source = rows, given, source
        self._key, self._report = key, report
        self._repeated: set[int] = set()

    def check(self, one: int, other: int, image: str = "") -> None:
        """Refuse two rows that differ; ``image`` where their keys mean it."""
        differs = self._difference(one, other)
        if not differs and len(self._rows.columns):
            self._repeated.add(max(one, other))
            return
        keys = [key_text(self._given[row]) for row in (one, other)]
        about = (
            f"the image '{image}' ('{keys[0]}' and '{keys[1]}')" if image
            else f"{self._key} '{keys[0]}'"
        )  # fmt: skip
        raise InputError(
            f"{self._source} has several rows for {about}: rows {one + 1} and {other + 1}"
            f"{f' differ in {differs}' if differs else ''}; leave one for each"
        )

    def _difference(self, one: int, other: int) -> str:
        for name in self._rows:
            a, b = self._rows[name].iloc[one], self._rows[name].iloc[other]
            if not (pd.isna(a) and pd.isna(b)) and (pd.isna(a) or pd.isna(b) or a != b):
                said = ["nothing" if pd.isna(value) else f"'{value}'" for value in (a, b)]
                return f"{name} ({said[0]} and {said[1]})"
        return ""

    def tell(self) -> None:
        """Report how many rows said what others say."""
        count = len(self._repeated)
        if count:
            self._report(
                f"{count:,} row{'s' if count > 1 else ''} of {self._source} repeat"
                f"{'' if count > 1 else 's'} what another says of the same {self._key}"
            )


def look_alikes(table: pd.DataFrame) -> list[str]:
    """Name values of columns that differ only by case, spaces or letters of the same look."""
    found = []
    for name in table:
        if table[name].dtype.kind in "biuf" or isinstance(table[name].dtype, pd.Int64Dtype):
            continue
        by_key = defaultdict(list)
        for value in table[name].dropna().unique():
            text = unicodedata.normalize("NFKC", str(value)).casefold()
            by_key[re.sub(r"[\s_-]+", "", text)].append(str(value))
        for values in by_key.values():
            if len(values) > 1:
                listed = " and ".join(f"'{value}'" for value in values[:4])
                found.append(
                    f"{name} has {listed}, which differ only by case, spaces or the form of "
                    "letters: they count as different"
                )
    return found
