"""The panel of clusters: a table of them, what can be done with them, and automatic ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QAction, QColor, QKeySequence
from qtpy.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import (
    NONE,
    Cluster,
    Exploration,
    Mode,
    class_colors,
    groupings,
    percent,
)
from napari_tsimcne.gui._fields import Choice
from napari_tsimcne.gui._keys import Keys
from napari_tsimcne.gui._sentences import capital
from napari_tsimcne.gui._ties import Ties
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.clusters._automatic import AutomaticClusters
from napari_tsimcne.gui.clusters._clusters_model import ClustersModel, Column
from napari_tsimcne.gui.clusters._clusters_table import ClusterTable
from napari_tsimcne.gui.clusters._clusters_typical import TypicalPictures
from napari_tsimcne.gui.images._crops import Crops

NO_CLUSTERS = (
    "There are no clusters yet.\n\n"
    "Select patches on the map and press New, or the key 1.\n"
    "Or let clusters be found: Automatic clusters, below."
)


class ClustersView(QWidget):
    """Shows and edits the clusters of an exploration.

    ``painting_wanted`` tells whether the images are to be painted in the clusters' colours.

    Parameters
    ----------
    exploration, crops
        Of one run.
    keys
        That work in this panel, too; its own where none are given.
    """

    painting_wanted = Signal(bool)

    def __init__(self, exploration: Exploration, crops: Crops, keys: Keys | None = None) -> None:
        super().__init__()
        self.keys = keys or Keys(exploration, self)
        self._exploration = exploration
        self._clusters, self._selection = exploration.clusters, exploration.selection
        self._history = exploration.history
        self._pictures = TypicalPictures(exploration, crops, self)
        self.model = ClustersModel(exploration, self._pictures, self)
        self.actions_by_name: dict[str, QAction] = {}
        self._noted: int | None = None
        self._build()
        self._ties = Ties(
            self,
            (self._clusters.changed, self._on_clusters),
            (self._selection.changed, self._refresh),
            (self._history.changed, self._refresh),
            (self.keys.assigned, self._on_assigned),
            (self.keys.refused, self._say),
        )
        self.install_keys(self)
        self._on_clusters()

    def release(self) -> None:
        """Let go of the models, and of the keys of other widgets."""
        self._ties.cut()
        self._pictures.release()
        self.automatic.release()
        if self.keys.parent() is self:
            self.keys.release()

    # --- widgets ------------------------------------------------------------------------------

    def _build(self) -> None:
        self.summary = Wrapped()
        self.table = ClusterTable(self.model)
        self.table.color_clicked.connect(self._choose_color)
        self.table.members_wanted.connect(self._select_members)
        self.table.selectionModel().selectionChanged.connect(self._refresh)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._open_menu)
        self.model.refused.connect(self._say)
        empty = Wrapped(NO_CLUSTERS)
        empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.table)
        self._stack.addWidget(empty)
        self._stack.setMinimumHeight(self.table.minimumSizeHint().height())
        self.note = QLineEdit()
        self.note.editingFinished.connect(self._write_note)
        self.message = Wrapped()
        self.message.hide()
        self.automatic = AutomaticClusters(self._exploration)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        layout.addWidget(self.summary)
        layout.addLayout(self._build_actions())
        layout.addWidget(self._stack, stretch=1)
        layout.addWidget(self.message)
        layout.addWidget(self.note)
        layout.addLayout(self._build_switches())
        layout.addWidget(self.automatic)

    def _build_actions(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(2)
        specification: list[tuple[str, Callable[[], Any], str]] = [
            ("New", self._create, "Make a cluster of the selected patches."),
            ("Add", self._add, "Put the selected patches into this cluster."),
            ("Remove", self._remove, "Take the selected patches out of this cluster; out of\n"
             "whichever they are in, where no cluster is chosen in the table."),
            ("Undo", self._history.undo, ""),
            ("Merge", self._merge, "Make one of the chosen clusters (Ctrl-click chooses several)."),
            ("Split", self._split, "Make a cluster of its own of those patches of this cluster\n"
             "that are selected."),
            ("Delete", self._delete, "Delete the chosen clusters; their patches stay."),
            ("Redo", self._history.redo, ""),
        ]  # fmt: skip
        for place, (name, slot, tip) in enumerate(specification):
            action = QAction(name, self)
            action.setToolTip(tip)
            action.triggered.connect(self._doing(slot))
            self.actions_by_name[name] = action
            grid.addWidget(_button(action), *divmod(place, 4))
        delete = self.actions_by_name["Delete"]
        delete.setShortcut(QKeySequence(Qt.Key.Key_Delete))
        delete.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.table.addAction(delete)
        return grid

    def _build_switches(self) -> QHBoxLayout:
        options = [("nothing", None), *((n, n) for n in groupings(self._exploration.table))]
        self.share_by = Choice(
            options, "A column of the patches: the frequency of its values in each cluster."
        )
        self.share_by.currentIndexChanged.connect(lambda: self.model.share_by(self.share_by.value))
        self.share_by.setEnabled(len(options) > 1)
        self.painting = QCheckBox("Paint images")
        self.painting.setToolTip("Paint all patches in the images in their cluster's colour.")
        self.painting.toggled.connect(self.painting_wanted)
        row = QHBoxLayout()
        row.addWidget(QLabel("Composition by"))
        row.addWidget(self.share_by, stretch=1)
        row.addWidget(self.painting)
        return row

    # --- keys ---------------------------------------------------------------------------------

    def install_keys(self, widget: QWidget) -> None:
        """Let the keys work while a widget, or one inside it, has the focus; once a widget."""
        self.keys.serve(widget)

    # --- what can be done ---------------------------------------------------------------------

    def chosen(self) -> list[Cluster]:
        """Return the clusters that are chosen in the table, in its order."""
        return [self.model.cluster(row) for row in self.table.selected_rows()]

    def _doing(self, what: Callable[[], Any]) -> Callable[[], None]:
        def do() -> None:
            self._say("")
            try:
                what()
            except InputError as error:
                self._say(capital(str(error)) + ".")

        return do

    def _create(self) -> None:
        self._choose([self._clusters.create(self._selection.mask).id])

    def _add(self) -> None:
        self._clusters.assign(self.chosen()[0].id, self._selection.mask)

    def _remove(self) -> None:
        chosen = self.chosen()
        self._clusters.release(self._selection.mask, chosen[0].id if chosen else None)

    def _merge(self) -> None:
        self._clusters.merge([cluster.id for cluster in self.chosen()])

    def _split(self) -> None:
        self._choose([self._clusters.split(self.chosen()[0].id, self._selection.mask).id])

    def _delete(self) -> None:
        self._clusters.delete([cluster.id for cluster in self.chosen()])

    def _select_members(self, row: int, mode: Mode) -> None:
        self._say("")
        self._selection.select(self._clusters.members(self.model.cluster(row).id), mode)

    def _choose_color(self, row: int) -> None:
        cluster = self.model.cluster(row)
        # Colours that can be told apart are at hand there.
        for place, named in enumerate(class_colors(QColorDialog.customCount())):
            QColorDialog.setCustomColor(place, QColor(named))
        color = QColorDialog.getColor(QColor(cluster.color), self, f"Colour of '{cluster.name}'")
        if color.isValid():
            self._clusters.describe(cluster.id, color=color.name())

    def _write_note(self) -> None:
        # Its own cluster, as the row may have been left by a click that ends the editing.
        if self._noted in self._clusters.sizes():
            self._clusters.describe(self._noted, note=self.note.text().strip())

    def _open_menu(self, place: Any) -> None:
        index = self.table.indexAt(place)
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if index.isValid():
            row = index.row()
            menu.addAction("Select members", lambda: self._select_members(row, "replace"))
            menu.addAction("Rename", lambda: self.table.edit(self.model.index(row, Column.NAME)))
            menu.addAction("Choose colour…", lambda: self._choose_color(row))
            menu.addSeparator()
        menu.addActions([a for n, a in self.actions_by_name.items() if n not in ("Undo", "Redo")])
        menu.setToolTipsVisible(True)
        menu.popup(self.table.viewport().mapToGlobal(place))

    # --- what is shown ------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self.message.setText(text)
        self.message.setVisible(bool(text))

    def _on_assigned(self, what: str) -> None:
        self._say("")

    def _choose(self, ids: list[int]) -> None:
        rows = [row for row in map(self.model.row_of, ids) if row is not None]
        model = self.table.selectionModel()
        model.clear()
        flags = model.SelectionFlag.Select | model.SelectionFlag.Rows
        for row in rows:
            model.setCurrentIndex(self.model.index(row, Column.NAME), flags)

    def _on_clusters(self) -> None:
        chosen = [cluster.id for cluster in self.chosen()]
        self.model.refresh()
        if [cluster.id for cluster in self.chosen()] != chosen:
            self._choose(chosen)
        self._stack.setCurrentIndex(0 if len(self._clusters) else 1)
        self._refresh()

    def _refresh(self, *_: Any) -> None:
        chosen, mask = self.chosen(), self._selection.mask
        selected = np.bincount(self._clusters.ids[mask], minlength=1)
        count, inside = int(selected.sum()), 0
        self.summary.setText(self._summary(count))
        one = chosen[0].id if len(chosen) == 1 else None
        if one is not None and one < len(selected):
            inside = int(selected[one])
        enabled = {
            "New": count > 0,
            "Add": one is not None and inside < count,
            "Remove": inside > 0 if chosen else count > selected[NONE],
            "Merge": len(chosen) > 1,
            "Split": one is not None and 0 < inside < self._clusters.sizes()[one],
            "Delete": bool(chosen),
            "Undo": bool(self._history.past),
            "Redo": bool(self._history.future),
        }
        for name, action in self.actions_by_name.items():
            action.setEnabled(bool(enabled[name]))
        for name, step in (("Undo", self._history.past), ("Redo", self._history.future)):
            self.actions_by_name[name].setToolTip(f"{name}: {step}" if step else f"{name}: nothing")
        self._show_note(chosen)

    def _show_note(self, chosen: list[Cluster]) -> None:
        cluster = chosen[0] if len(chosen) == 1 else None
        before, self._noted = self._noted, None if cluster is None else cluster.id
        self.note.setEnabled(cluster is not None)
        if cluster is None:
            self.note.clear()
            self.note.setPlaceholderText("Note: choose one cluster")
        elif self._noted != before or not self.note.hasFocus():
            self.note.setText(cluster.note)
            self.note.setPlaceholderText(f"Note on '{cluster.name}'")

    def _summary(self, selected: int) -> str:
        total, ids = len(self._exploration), self._clusters.ids
        there = len(self._clusters)
        text = f"{there:,} cluster" + ("" if there == 1 else "s")
        if there:
            text += f", {percent(int((ids == NONE).sum()), total)} of patches unassigned"
        return f"{text}; {selected:,} selected"


def _button(action: QAction) -> QPushButton:
    """Make a button of an action: with its words, and enabled as it is."""
    button = QPushButton(action.text())
    button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    # The focus stays where keys assign clusters.
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def follow() -> None:
        button.setEnabled(action.isEnabled())
        button.setToolTip(action.toolTip())

    action.changed.connect(follow)
    button.clicked.connect(action.trigger)
    follow()
    return button
