"""Pictures of patches in a grid that scrolls: as many as there are, drawn where they are seen."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import (
    QAbstractListModel,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor, QPainter, QPen, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from napari_tsimcne.explore import NONE, Exploration
from napari_tsimcne.gui.images._crops import Crops, pixmap
from napari_tsimcne.patches import COLUMNS

FRAME = 3
"""Width of a frame in a cluster's colour, and of the room around it, in pixels."""

PIXELS_AT_ONCE = 1 << 18
"""Of the pictures that are made together, as making each alone would take longer."""

PIXELS_KEPT = 1 << 24
"""Of pictures that are kept, to be drawn again: 64 MB."""

LAID_OUT_AT_ONCE = 20_000
MOST_MARKS_KEPT = 1_000
MOST_VALUES_TOLD = 12


class PictureModel(QAbstractListModel):
    """The patches that are shown, in order; a picture is made when it is first drawn."""

    def __init__(self, exploration: Exploration, crops: Crops) -> None:
        super().__init__()
        self._exploration, self._crops = exploration, crops
        self.rows = np.zeros(0, np.int64)
        self.similarities: np.ndarray | None = None
        side = crops.side**2
        self._batch = int(np.clip(PIXELS_AT_ONCE // side, 1, 64))
        kept = max(8, PIXELS_KEPT // (side * self._batch))
        self._pictures = lru_cache(maxsize=kept)(self._make_pictures)
        self._cluster_colors: dict[int, QColor] = {}
        self.look_up_clusters()

    def show(self, rows: np.ndarray, similarities: np.ndarray | None = None) -> None:
        """Show these patches, (n,), captioned with their similarities, (n,), where given."""
        self.beginResetModel()
        self.rows, self.similarities = rows, similarities
        self._pictures.cache_clear()
        self.endResetModel()

    def make_anew(self) -> None:
        """Make pictures anew, because they look different."""
        self._pictures.cache_clear()

    def look_up_clusters(self) -> None:
        """Learn the clusters' colours."""
        clusters = self._exploration.clusters
        self._cluster_colors = {cluster.id: QColor(cluster.color) for cluster in clusters.all}

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: N802, B008
        """Return how many pictures there are."""
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the caption of a picture, the picture, or what its tooltip says."""
        place = index.row()
        if not 0 <= place < len(self.rows):
            return None
        if role == Qt.ItemDataRole.DisplayRole and self.similarities is not None:
            return f"{self.similarities[place]:.2f}"
        if role == Qt.ItemDataRole.DecorationRole:
            return self._pictures(place // self._batch)[place % self._batch]
        if role == Qt.ItemDataRole.ToolTipRole:
            return described(self._exploration, int(self.rows[place]))
        return None

    def cluster_color(self, place: int) -> QColor | None:
        """Return the colour of the cluster of the patch at a place, None where it is in none."""
        cluster = int(self._exploration.clusters.ids[self.rows[place]])
        return None if cluster == NONE else self._cluster_colors.get(cluster)

    def _make_pictures(self, batch: int) -> list[QPixmap]:
        start = batch * self._batch
        rows = self.rows[start : start + self._batch]
        return [pixmap(picture) for picture in self._crops.pictures(rows)]


class PictureDelegate(QStyledItemDelegate):
    """Draws a picture of a given size, framed in its cluster's colour, with its caption."""

    size = 64

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: N802
        """Room that a picture takes with its frame and caption."""
        side = self.size + 4 * FRAME
        captioned = index.model().similarities is not None
        return QSize(side, side + (option.fontMetrics.height() if captioned else 0))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draw one picture."""
        model = index.model()
        place = QRect(option.rect.topLeft(), QSize(self.size, self.size))
        place.translate(2 * FRAME, 2 * FRAME)
        if option.state & QStyle.StateFlag.State_Selected:
            around = 2 * FRAME
            # The colour of text stands out in every theme, and next to every cluster's colour.
            painter.fillRect(
                place.adjusted(-around, -around, around, around), option.palette.text()
            )
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(place, index.data(Qt.ItemDataRole.DecorationRole))
        color = model.cluster_color(index.row())
        if color is not None:
            pen = QPen(color, FRAME)
            pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
            painter.setPen(pen)
            # A pen is centred on its line.
            half = FRAME // 2 + 1
            painter.drawRect(place.adjusted(-half, -half, half - 1, half - 1))
        caption = index.data(Qt.ItemDataRole.DisplayRole)
        if caption:
            below = QRect(place.left(), place.bottom() + 1 + FRAME, self.size, option.rect.height())
            painter.setPen(option.palette.text().color())
            center = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
            painter.drawText(below, center, caption)
        painter.restore()


class PictureList(QListView):
    """Pictures of patches; some of them may be marked, as in any list.

    ``clicked_patch`` is emitted with the patch whose picture was clicked, or on which Enter was
    pressed, ``marks_changed`` with how many are marked.
    """

    clicked_patch = Signal(int)
    marks_changed = Signal(int)

    def __init__(self, exploration: Exploration, crops: Crops) -> None:
        super().__init__()
        self._model = PictureModel(exploration, crops)
        self._delegate = PictureDelegate(self)
        self.setModel(self._model)
        self.setItemDelegate(self._delegate)
        # Looks as IconMode does and lays out 100,000 pictures in a third of the time, a million
        # without a pause.
        self.setViewMode(QListView.ViewMode.ListMode)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setLayoutMode(QListView.LayoutMode.Batched)
        self.setBatchSize(LAID_OUT_AT_ONCE)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.clicked.connect(self._on_clicked)
        self.selectionModel().selectionChanged.connect(self._on_marks)

    @property
    def rows(self) -> np.ndarray:
        """Numbers of the patches shown, in order."""
        return self._model.rows

    @property
    def marked(self) -> np.ndarray:
        """Numbers of the patches whose pictures are marked, in order."""
        ranges = sorted((r.top(), r.bottom()) for r in self.selectionModel().selection())
        parts = [self.rows[top : bottom + 1] for top, bottom in ranges]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def show_patches(
        self, rows: np.ndarray, similarities: np.ndarray | None = None, *, stay: bool = False
    ) -> None:
        """Show these patches, from the first one or, to ``stay``, as far down as it was.

        Those that were marked and are among them stay marked.
        """
        marked, down = self.marked, self.verticalScrollBar().value()
        self._model.show(rows, similarities)
        self._fit_grid()
        if 0 < len(marked) <= MOST_MARKS_KEPT:
            self._mark(np.flatnonzero(np.isin(rows, marked)))
        self._on_marks()
        if stay and down:
            self.executeDelayedItemsLayout()
        self.verticalScrollBar().setValue(down if stay else 0)

    def set_picture_size(self, pixels: int) -> None:
        """Draw pictures with sides of so many pixels of the screen."""
        self._delegate.size = pixels
        self._fit_grid()

    def make_anew(self) -> None:
        """Draw pictures anew, because they look different."""
        self._model.make_anew()
        self.viewport().update()

    def look_up_clusters(self) -> None:
        """Draw the frames anew, because clusters have changed."""
        self._model.look_up_clusters()
        self.viewport().update()

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802
        """Take Enter for a click, on every system."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.clicked_patch.emit(int(self.rows[self.currentIndex().row()]))
        else:
            super().keyPressEvent(event)

    def keyboardSearch(self, text: str) -> None:  # noqa: N802
        """Do not search captions for typed letters: it would take long, and find nothing."""

    def _on_marks(self, *_: Any) -> None:
        self.marks_changed.emit(len(self.marked))

    def _fit_grid(self) -> None:
        if not len(self.rows):
            return
        cell = self.sizeHintForIndex(self._model.index(0, 0))
        if cell != self.gridSize():
            self.setGridSize(cell)
            self.verticalScrollBar().setSingleStep(cell.height() // 2)

    def _mark(self, places: np.ndarray) -> None:
        chosen = QItemSelection()
        for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(places) else ():
            first, last = (self._model.index(int(place), 0) for place in (run[0], run[-1]))
            chosen.select(first, last)
            self.selectionModel().setCurrentIndex(first, QItemSelectionModel.SelectionFlag.NoUpdate)
        self.selectionModel().select(chosen, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def _on_clicked(self, index: QModelIndex) -> None:
        # With Ctrl or Shift several are marked; nothing is gone to.
        if len(self.selectionModel().selection()) and self.marked.size == 1:
            self.clicked_patch.emit(int(self.rows[index.row()]))


def described(exploration: Exploration, patch: int) -> str:
    """Say in HTML where a patch is from, in which cluster it is, and its values."""
    table = exploration.table
    values = table.iloc[patch]
    where = [f"patch {patch}", f"y {values['y']:g}, x {values['x']:g} px"]
    where += [f"{axis} {values[axis]}" for axis in ("t", "z") if table[axis].any()]
    if not pd.isna(values["label"]):
        where.append(f"object {values['label']}")
    cluster = int(exploration.clusters.ids[patch])
    name = exploration.clusters[cluster].name if cluster != NONE else "none"
    measured = [column for column in table if column not in COLUMNS]
    lines = [f"<b>{escape(str(values['image']))}</b>", ", ".join(where),
             f"cluster: {escape(name)}"]  # fmt: skip
    for column in measured[:MOST_VALUES_TOLD]:
        lines.append(f"{escape(str(column))}: {escape(_short(values[column]))}")
    if len(measured) > MOST_VALUES_TOLD:
        lines.append(f"and {len(measured) - MOST_VALUES_TOLD} more")
    return "<br>".join(lines)


def _short(value: Any) -> str:
    if pd.isna(value):
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
