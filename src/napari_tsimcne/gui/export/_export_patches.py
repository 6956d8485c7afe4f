"""Which patches are exported: all, the selected ones, or those of some clusters."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QRadioButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.explore import Clusters, Exploration
from napari_tsimcne.export import Excerpt
from napari_tsimcne.gui._ties import Ties
from napari_tsimcne.gui.export._export_kinds import FRAME
from napari_tsimcne.gui.export._exporting import frozen
from napari_tsimcne.runs import Run

CLUSTER = Qt.ItemDataRole.UserRole
SWATCH = 12


class PatchChoice(QWidget):
    """A choice among all patches, the selected ones, and those of clusters, with their counts.

    It follows selection and clusters; ``changed`` is emitted when other patches are chosen by it.

    Parameters
    ----------
    exploration
        Whose patches they are.
    """

    changed = Signal()

    def __init__(self, exploration: Exploration) -> None:
        super().__init__()
        self._exploration, self._whole = exploration, False
        self.all = QRadioButton(f"All {len(exploration):,} patches")
        self.all.setChecked(True)
        self.selected, self.of_clusters = QRadioButton(), QRadioButton()
        self.clusters = ClusterTicks()
        self._of_whole = QLabel("It tells of the whole run.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._of_whole)
        for choice in (self.all, self.selected, self.of_clusters):
            choice.toggled.connect(self._on_choice)
            layout.addWidget(choice)
        layout.addWidget(self.clusters, stretch=1)
        layout.addStretch()
        self.clusters.ticked.connect(self._on_tick)
        self._ties = Ties(
            self,
            (exploration.selection.changed, self._refresh),
            (exploration.clusters.changed, self._refresh),
        )
        self._refresh()

    def release(self) -> None:
        """Follow selection and clusters no longer."""
        self._ties.cut()

    def show_whole(self, whole: bool) -> None:
        """Offer no choice, where what is exported tells of the whole run."""
        self._whole = whole
        self._refresh()

    @property
    def count(self) -> int:
        """How many patches are chosen."""
        if self._whole or self.all.isChecked():
            return len(self._exploration)
        if self.selected.isChecked():
            return len(self._exploration.selection)
        sizes = self._exploration.clusters.sizes()
        return sum(sizes[cluster] for cluster in self.clusters.ids)

    def excerpt(self, run: Run) -> Excerpt:
        """Return the chosen patches of a run, as they are now.

        Raises
        ------
        InputError
            Where there are none.
        """
        exploration = frozen(self._exploration)
        if self._whole or self.all.isChecked():
            return Excerpt.all(run, exploration)
        if self.selected.isChecked():
            return Excerpt.selected(run, exploration)
        names = [exploration.clusters[cluster].name for cluster in self.clusters.ids]
        return Excerpt.of_clusters(run, exploration, names)

    def _on_choice(self, chosen: bool) -> None:
        if chosen:
            self.changed.emit()

    def _on_tick(self) -> None:
        # Who ticks a cluster wants clusters.
        self.of_clusters.setChecked(True)
        self.changed.emit()

    def _refresh(self) -> None:
        clusters = self._exploration.clusters
        self.clusters.show_clusters(clusters)
        self.selected.setText(f"Selected patches: {len(self._exploration.selection):,}")
        self.of_clusters.setText("Clusters:" if len(clusters) else "Clusters: there are none yet")
        for choice in (self.all, self.selected, self.of_clusters):
            choice.setVisible(not self._whole)
        self.clusters.setVisible(len(clusters) > 0 and not self._whole)
        self._of_whole.setVisible(self._whole)
        self.changed.emit()


class ClusterTicks(QTreeWidget):
    """Lists clusters with colour and count, each with a tick; new ones are ticked.

    ``ticked`` is emitted when the user has ticked or unticked one.
    """

    ticked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setColumnCount(2)
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setIndentation(0)
        self.setUniformRowHeights(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.header().setStretchLastSection(False)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.setIconSize(QSize(SWATCH, SWATCH))
        self.setStyleSheet(f"ClusterTicks {{ {FRAME} }}")
        self.setItemDelegate(_FramedTick(self))
        self._unticked: set[int] = set()
        self.itemChanged.connect(self._on_changed)

    def show_clusters(self, clusters: Clusters) -> None:
        """List the clusters there are now; those that were there keep their ticks."""
        sizes, at = clusters.sizes(), self.verticalScrollBar().value()
        current = self.currentItem().data(0, CLUSTER) if self.currentItem() else None
        self.blockSignals(True)
        self.clear()
        for cluster in clusters.all:
            item = QTreeWidgetItem([cluster.name, f"{sizes[cluster.id]:,}"])
            item.setData(0, CLUSTER, cluster.id)
            item.setIcon(0, _swatch(cluster.color))
            item.setToolTip(0, cluster.note or cluster.name)
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            states = Qt.CheckState
            on = cluster.id not in self._unticked
            item.setCheckState(0, states.Checked if on else states.Unchecked)
            self.addTopLevelItem(item)
            if cluster.id == current:
                self.setCurrentItem(item)
        self.blockSignals(False)
        self.verticalScrollBar().setValue(at)

    @property
    def ids(self) -> list[int]:
        """Of the clusters that are ticked."""
        rows = [self.topLevelItem(i).data(0, CLUSTER) for i in range(self.topLevelItemCount())]
        return [row for row in rows if row not in self._unticked]

    def _on_changed(self, item: QTreeWidgetItem) -> None:
        cluster = item.data(0, CLUSTER)
        if item.checkState(0) == Qt.CheckState.Checked:
            self._unticked.discard(cluster)
        else:
            self._unticked.add(cluster)
        self.ticked.emit()


class _FramedTick(QStyledItemDelegate):
    """Draws a frame around every tick: dark themes show the tick alone, and nothing without it."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        """Let the style draw all but the frame."""
        super().paint(painter, option, index)
        if index.data(Qt.ItemDataRole.CheckStateRole) is None:
            return
        option = QStyleOptionViewItem(option)
        self.initStyleOption(option, index)
        element = QStyle.SubElement.SE_ItemViewItemCheckIndicator
        box = option.widget.style().subElementRect(element, option, option.widget)
        ink = option.widget.palette().color(QPalette.ColorRole.Text)
        painter.save()
        painter.setPen(QColor(ink.red(), ink.green(), ink.blue(), 150))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(box.adjusted(0, 0, -1, -1))
        painter.restore()


def _swatch(color: str) -> QIcon:
    pixmap = QPixmap(SWATCH, SWATCH)
    pixmap.fill(QColor(color))
    return QIcon(pixmap)
