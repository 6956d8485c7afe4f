"""The gallery: pictures of the selected patches, or of those most similar to some."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtWidgets import QMenu, QStackedWidget, QVBoxLayout

from napari_tsimcne.explore import (
    Exploration,
    Mode,
    by_column,
    by_similarity,
    representative,
    shuffled,
    similar,
    unusual,
)
from napari_tsimcne.gui._panel import Panel
from napari_tsimcne.gui._ties import Ties
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.gallery._gallery_bar import (
    RANDOM,
    REPRESENTATIVE,
    SEARCHING,
    SIZE,
    SIZES,
    SORTING,
    UNUSUAL,
    GalleryBar,
)
from napari_tsimcne.gui.gallery._gallery_list import PictureList
from napari_tsimcne.gui.images._crops import Crops
from napari_tsimcne.gui.jobs._newest import Newest

NOTHING = "Select points on the map to see their patches here."
RANKED = 100
"""Patches that a ranking shows."""

LEAST_SIZE = (280, 160)


class Gallery(Panel):
    """Shows the selected patches as pictures; after `show_similar`, a ranking.

    A ranking stays while the selection is changed from within the gallery, and ends when it
    changes elsewhere. ``activated`` is emitted with the number of the patch that was clicked,
    ``similar_wanted`` when patches similar to the selected ones are asked for.
    """

    activated = Signal(int)
    similar_wanted = Signal()

    def __init__(self, exploration: Exploration, crops: Crops) -> None:
        super().__init__()
        self._exploration, self._crops = exploration, crops
        self._ranking = self._changing = False
        self._first: int | None = None
        self._seed = 0
        self.bar = GalleryBar(list(exploration.columns().columns), crops)
        self.pictures = PictureList(exploration, crops)
        self.pictures.set_picture_size(SIZE)
        self.message = Wrapped()
        self._sorting, self._searching = Newest(self), Newest(self)
        self._build()
        self._connect()
        self._ties = Ties(
            self,
            (exploration.selection.changed, self._on_selection),
            (exploration.clusters.changed, self._on_clusters),
            (crops.changed, self._on_look),
            (exploration.columns_changed, self._on_columns),
        )
        self._show_selection()

    def release(self) -> None:
        """Let go of the models."""
        self._sorting.cancel()
        self._searching.cancel()
        self._ties.cut()

    def show_similar(self, rows: np.ndarray) -> None:
        """Rank the patches most similar to any of these, (n,), and show the first 100."""
        rows = np.asarray(rows)
        selected = np.array_equal(np.sort(rows), self._exploration.selection.rows)
        examples = f"{len(rows):,} {'selected' if selected else _patches(len(rows))}"
        self._search(rows, RANKED, partial(self._show_ranking, examples))

    def show_selection(self) -> None:
        """Show the selected patches, in place of a ranking."""
        self._ranking = False
        self._show_selection()

    def framed(self) -> np.ndarray:
        """Return the patches, (n,), whose pictures are framed: clicked or marked."""
        return self.pictures.marked

    def let_go(self) -> None:
        """Frame nothing; where nothing is framed, select nothing."""
        if len(self.framed()):
            self.pictures.clearSelection()
        else:
            self._exploration.selection.clear()

    # --- widgets ------------------------------------------------------------------------------

    def _build(self) -> None:
        self.setMinimumSize(*LEAST_SIZE)
        nothing = Wrapped(NOTHING)
        nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.hide()
        self.message.setContentsMargins(4, 0, 4, 0)
        self.stack = QStackedWidget()
        self.pictures.setMinimumHeight(SIZES[0])
        self.stack.addWidget(nothing)
        self.stack.addWidget(self.pictures)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.bar)
        layout.addWidget(self.message)
        layout.addWidget(self.stack, stretch=1)

    def _connect(self) -> None:
        self.bar.order_chosen.connect(self._on_order)
        self.bar.descending.toggled.connect(self._sort_anew)
        self.bar.size_changed.connect(self.pictures.set_picture_size)
        self.bar.similar_wanted.connect(self.similar_wanted)
        self.bar.growth_wanted.connect(self._grow)
        self.bar.select_shown_wanted.connect(lambda: self._select(self.pictures.rows))
        self.bar.back_wanted.connect(self.show_selection)
        self.pictures.clicked_patch.connect(self._on_clicked)
        self.pictures.marks_changed.connect(self.bar.show_framed)
        self.pictures.customContextMenuRequested.connect(self._open_menu)
        for job, failed in ((self._sorting, "Not sorted: "), (self._searching, "Not found: ")):
            job.busy_changed.connect(self._show_busy)
            job.failed.connect(lambda reason, failed=failed: self._say(f"{failed}{reason}."))

    # --- what is shown ------------------------------------------------------------------------

    def _show_selection(self, *, stay: bool = False) -> None:
        """Show the selection at once as the table has it, and in order once it is known.

        To ``stay``, what is shown already keeps its place, and what is new comes after it.
        """
        rows = self._exploration.selection.rows
        self._searching.cancel()
        self.bar.show_selection(len(rows))
        if stay:
            shown = self.pictures.rows
            shown = shown[np.isin(shown, rows)]
            rows = np.concatenate([shown, np.setdiff1d(rows, shown)])
        self._show_pictures(rows, stay=stay)
        self.sort()

    def _show_ranking(self, examples: str, found: tuple[np.ndarray, np.ndarray]) -> None:
        rows, similarities = found
        if not len(rows):
            self._say("All patches are selected: no others are left to compare with.")
            return
        self._ranking = True
        self._sorting.cancel()
        self.bar.show_ranking(f"{len(rows):,} most similar to {examples}")
        self._show_pictures(rows, similarities)

    def _show_pictures(
        self, rows: np.ndarray, similarities: np.ndarray | None = None, *, stay: bool = False
    ) -> None:
        self.pictures.show_patches(rows, similarities, stay=stay)
        self.stack.setCurrentIndex(1 if len(rows) else 0)

    def _show_busy(self) -> None:
        self.bar.show_busy(
            SEARCHING if self._searching.busy else SORTING if self._sorting.busy else ""
        )

    def _say(self, sentence: str) -> None:
        self.message.setText(sentence)
        self.message.setVisible(bool(sentence))

    # --- order --------------------------------------------------------------------------------

    def sort(self) -> None:
        """Sort what is shown in the order that is chosen."""
        self._say("")
        rows = self._exploration.selection.rows
        if self._ranking or not len(rows):
            self._sorting.cancel()
            return
        self._sorting.ask(self._order(rows), partial(self._show_pictures, stay=True))

    def _order(self, rows: np.ndarray) -> Callable[[], np.ndarray]:
        """Return what puts patches in the order that was chosen, to be called in a thread."""
        descending = self.bar.descending.isChecked()
        if self.bar.column is not None:
            values = self._exploration.columns()[self.bar.column]
            return partial(by_column, values, rows, descending)
        exploration, order = self._exploration, self.bar.order.currentText()
        first = self._first = self._first_of(rows)
        self._seed += 1
        seed = self._seed

        def ordered() -> np.ndarray:
            if order == RANDOM:
                return shuffled(rows, seed)
            if order == REPRESENTATIVE:
                found = representative(exploration.features, rows)
            elif order == UNUSUAL:
                found = unusual(exploration.features, rows)
            else:
                found = by_similarity(exploration.features, rows, first)
            return found[::-1] if descending else found

        return ordered

    def _first_of(self, rows: np.ndarray) -> int:
        """Return the patch that others are compared with: a marked one, or the first shown."""
        shown = [*self.pictures.marked[:1], *self.pictures.rows[:1], rows[0]]
        candidates = shown if self._first is None else [self._first, *shown]
        return next(int(patch) for patch in candidates if patch in rows)

    def _on_order(self) -> None:
        self._first = None
        self._sort_anew()

    def _sort_anew(self) -> None:
        self.pictures.scrollToTop()
        self.sort()

    # --- what the user does -------------------------------------------------------------------

    def _on_clicked(self, patch: int) -> None:
        with self._own_change():
            self.activated.emit(patch)

    def _open_menu(self, place: QPoint) -> None:
        menu = self.menu()
        if menu is not None:
            menu.exec(self.pictures.viewport().mapToGlobal(place))
            menu.deleteLater()

    def menu(self) -> QMenu | None:
        """Return what can be done with the marked pictures; None where none is marked."""
        marked = self.pictures.marked
        if not len(marked):
            return None
        inside = self._exploration.selection.mask[marked]
        menu = QMenu(self)
        menu.addAction("Select only these", lambda: self._select(marked))
        if not inside.all():
            menu.addAction("Add to selection", lambda: self._select(marked, "add"))
        if inside.any():
            menu.addAction("Remove from selection", lambda: self._select(marked, "subtract"))
        menu.addSeparator()
        menu.addAction("Find similar to these", lambda: self.show_similar(marked))
        return menu

    def _select(self, rows: np.ndarray, mode: Mode = "replace") -> None:
        with self._own_change():
            self._exploration.selection.select_rows(rows, mode)

    def _grow(self, count: int) -> None:
        self._search(
            self._exploration.selection.rows, count, lambda found: self._select(found[0], "add")
        )

    def _search(self, rows: np.ndarray, count: int, done: Callable[[Any], None]) -> None:
        exploration = self._exploration
        self._say("")
        self._searching.ask(lambda: similar(exploration.features, rows, count), done)

    @contextmanager
    def _own_change(self) -> Iterator[None]:
        """Keep a ranking while the selection is changed meanwhile."""
        self._changing = True
        try:
            yield
        finally:
            self._changing = False

    # --- what changes elsewhere ---------------------------------------------------------------

    def _on_selection(self) -> None:
        if not self._changing:
            self.show_selection()
        elif not self._ranking:
            self._show_selection(stay=True)

    def _on_clusters(self) -> None:
        self.pictures.look_up_clusters()
        if self.bar.column == "cluster":
            self.sort()

    def _on_columns(self, names: frozenset[str]) -> None:
        before = self.bar.column
        self.bar.show_columns(list(self._exploration.columns().columns))
        if before in names:
            self.sort()

    def _on_look(self) -> None:
        self.bar.show_channels()
        self.pictures.make_anew()


def _patches(count: int) -> str:
    return "patch" if count == 1 else "patches"
