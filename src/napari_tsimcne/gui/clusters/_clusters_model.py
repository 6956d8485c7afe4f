"""The clusters as a Qt table."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import NONE, Cluster, Exploration, percent, value_counts
from napari_tsimcne.gui._sentences import capital
from napari_tsimcne.gui.clusters._clusters_typical import TypicalPictures

MOST_TOLD = 15
"""Values that a tooltip lists."""

FEW_VALUES = 3
"""All of which are drawn."""

DRAWN = Qt.ItemDataRole.UserRole
"""Role of what is drawn in a cell."""


class Column(IntEnum):
    """What stands where."""

    COLOR = 0
    NAME = 1
    SIZE = 2
    PICTURES = 3
    SHARES = 4


TITLES = {Column.COLOR: "", Column.NAME: "Cluster", Column.SIZE: "Patches",
          Column.PICTURES: "Typical"}  # fmt: skip
TIPS = {
    Column.COLOR: "Click: choose another colour. The key of this number puts the selection here",
    Column.SIZE: "Click: select these patches; Shift adds them, Alt subtracts them",
    Column.PICTURES: "Double-click: select the patches of this cluster",
}


class ValueShare(NamedTuple):
    """How many patches of a cluster have a value, of its size; and of all patches."""

    value: str
    members: int
    size: int
    everywhere: int
    total: int

    @property
    def share(self) -> float:
        """Share of the cluster, 0 to 1."""
        return self.members / max(1, self.size)


class ClustersModel(QAbstractTableModel):
    """One row a cluster; names can be edited. ``refused`` says why one was not taken."""

    refused = Signal(str)

    def __init__(
        self, exploration: Exploration, pictures: TypicalPictures, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._exploration, self._pictures = exploration, pictures
        self._clusters: tuple[Cluster, ...] = ()
        self._sizes: dict[int, int] = {}
        self._by: pd.Series | None = None
        self._counts = pd.DataFrame()
        self._shares: dict[int, list[ValueShare]] = {}
        pictures.changed.connect(lambda: self._tell_changed(Column.PICTURES))
        self.refresh()

    # --- what there is ------------------------------------------------------------------------

    @property
    def by(self) -> str | None:
        """Name of the column by whose values clusters are shared out."""
        return None if self._by is None else str(self._by.name)

    def share_by(self, name: str | None) -> None:
        """Show the shares of a column's values in each cluster, or none."""
        # As categories the values are sorted out once, and not with every change of clusters.
        self._by = None if name is None else self._exploration.table[name].astype("category")
        self._count_values()
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, Column.SHARES, Column.SHARES)
        self._tell_changed(Column.SHARES)

    def refresh(self) -> None:
        """Take over the clusters as they are now."""
        clusters = self._exploration.clusters
        same = [c.id for c in clusters.all] == [c.id for c in self._clusters]
        if not same:
            self.beginResetModel()
        self._clusters, self._sizes = clusters.all, clusters.sizes()
        self._count_values()
        if not same:
            self.endResetModel()
        else:
            self._tell_changed(Column.COLOR, Column.SHARES)

    def cluster(self, row: int) -> Cluster:
        """Return the cluster of a row."""
        return self._clusters[row]

    def row_of(self, cluster_id: int) -> int | None:
        """Return the row of a cluster, None where it is gone."""
        ids = [cluster.id for cluster in self._clusters]
        return ids.index(cluster_id) if cluster_id in ids else None

    def shares(self, row: int) -> list[ValueShare]:
        """Return what values a cluster's patches have, of many the most frequent first."""
        if self._by is None:
            return []
        if row not in self._shares:
            self._shares[row] = self._shares_of(self._clusters[row].id)
        return self._shares[row]

    def _shares_of(self, cluster_id: int) -> list[ValueShare]:
        counts = self._counts.loc[cluster_id].to_numpy()
        all_counts = self._counts.loc[NONE].to_numpy()
        size, total = int(counts.sum()), int(all_counts.sum())
        if not size:
            return []
        # A few stand in the same order in every row, so that rows can be compared.
        order = np.arange(len(counts))
        if len(counts) > FEW_VALUES:
            order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
        return [
            ValueShare(self._counts.columns[i], int(counts[i]), size, int(all_counts[i]), total)
            for i in order
        ]

    # --- for Qt -------------------------------------------------------------------------------

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: N802, B008
        """How many clusters there are."""
        return 0 if parent.isValid() else len(self._clusters)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: N802, B008
        """How many columns there are."""
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:  # noqa: N802
        """Return the titles of the columns."""
        if orientation != Qt.Orientation.Horizontal or role != Qt.ItemDataRole.DisplayRole:
            return None
        return self.by or "" if section == Column.SHARES else TITLES[Column(section)]

    def flags(self, index: QModelIndex) -> Any:
        """Let names be edited."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == Column.NAME else flags

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows, edits, draws, or tells of itself."""
        cluster, column = self._clusters[index.row()], Column(index.column())
        size = self._sizes[cluster.id]
        if role == DRAWN:
            return {
                Column.COLOR: lambda: (cluster.color, index.row() + 1),
                Column.NAME: lambda: cluster.name,
                Column.SIZE: lambda: (f"{size:,}", percent(size, len(self._exploration))),
                Column.PICTURES: lambda: self._pictures.of(cluster.id),
                Column.SHARES: lambda: self.shares(index.row()),
            }[column]()
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tooltip(index.row(), column)
        if column == Column.NAME and role in (
            Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole
        ):  # fmt: skip
            return cluster.name
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = 0) -> bool:  # noqa: N802
        """Rename a cluster."""
        cluster = self._clusters[index.row()]
        try:
            self._exploration.clusters.describe(cluster.id, name=str(value))
        except InputError as error:
            self.refused.emit(capital(str(error)) + ".")
            return False
        return True

    # --- inside -------------------------------------------------------------------------------

    def _count_values(self) -> None:
        if self._by is not None:
            self._counts = value_counts(self._exploration.clusters, self._by)
            self._shares.clear()

    def _tell_changed(self, first: Column, last: Column | None = None) -> None:
        if self._clusters:
            last = first if last is None else last
            self.dataChanged.emit(self.index(0, first), self.index(len(self._clusters) - 1, last))

    def _tooltip(self, row: int, column: Column) -> str:
        cluster = self._clusters[row]
        if column == Column.NAME:
            note = f"\n{cluster.note}" if cluster.note else ""
            if cluster.origin is not None:
                note = f"\nMade {cluster.origin.text}{note}"
            return f"{cluster.name}{note}\nDouble-click or F2: rename"
        if column != Column.SHARES:
            return TIPS[column]
        shares = self.shares(row)
        lines = [
            f"{s.value}: {s.members:,} of {s.size:,} ({percent(s.members, s.size)}); "
            f"of all patches {percent(s.everywhere, s.total)}"
            for s in shares[:MOST_TOLD]
        ]
        if len(shares) > MOST_TOLD:
            lines.append(f"and {len(shares) - MOST_TOLD:,} more values")
        return "\n".join([f"{cluster.name} by {self.by}", *lines])
