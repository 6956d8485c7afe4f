"""What the columns of a table are, as a sentence."""

from __future__ import annotations

import pandas as pd


def columns_text(table: pd.DataFrame) -> str:
    """Say what the columns of a table are: numbers with their range, or text with its values."""
    return "; ".join(f"{name}: {_kind(table[name])}" for name in table)


def _kind(column: pd.Series) -> str:
    known = column.dropna()
    if known.empty:
        return "no values"
    if column.dtype.kind in "iufb":
        kind = "whole numbers" if column.dtype.kind in "iu" else "numbers"
        low, high = known.min(), known.max()
        return f"{kind}, {low:g} to {high:g}" if low != high else f"{kind}, all {low:g}"
    count = known.nunique()
    return f"text, {count:,} value{'s' if count != 1 else ''}"
