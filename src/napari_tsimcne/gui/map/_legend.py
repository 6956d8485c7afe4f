"""The legend of the map: what it is coloured by, and which colour means what."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from napari_tsimcne.explore import COLOR_KINDS, Coloring
from napari_tsimcne.gui._fields import Choice
from napari_tsimcne.gui._ties import Ties
from napari_tsimcne.gui.map._legend_classes import ClassList
from napari_tsimcne.gui.map._legend_scale import ScaleBar

MARGIN = 4


class Legend(QWidget):
    """Chooses what a map is coloured by, and shows its classes or its scale.

    Parameters
    ----------
    coloring
        Of the map.
    """

    def __init__(self, coloring: Coloring) -> None:
        super().__init__()
        self._coloring = coloring
        self.choice = Choice([], "What the points are coloured by.")
        self.choice.currentIndexChanged.connect(lambda: coloring.choose(self.choice.value))
        self.kind = Choice(
            [(name, name) for name in COLOR_KINDS],
            "Numbers as a gradient, in their order, or each as a class of its own.",
        )
        self.kind.currentIndexChanged.connect(lambda: coloring.show_as(self.kind.value))
        self.all_button = QToolButton()
        self.all_button.setText("Show all")
        self.all_button.clicked.connect(lambda: coloring.isolate(None))
        self.classes = ClassList()
        self.classes.class_clicked.connect(self._on_clicked)
        self.scale = ScaleBar()
        row = QHBoxLayout()
        row.addWidget(QLabel("Colour by"))
        row.addWidget(self.choice, stretch=1)
        row.addWidget(self.kind)
        row.addWidget(self.all_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(MARGIN)
        layout.addLayout(row)
        layout.addWidget(self.classes, stretch=1)
        layout.addWidget(self.scale)
        layout.addStretch()
        self._ties = Ties(
            self, (coloring.changed, self._show), (coloring.choices_changed, self._offer)
        )
        self._offer()
        self._show()

    def release(self) -> None:
        """Let go of the colouring."""
        self._ties.cut()

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Fit into a narrow dock, whatever the names."""
        return QSize(0, super().minimumSizeHint().height())

    def _offer(self) -> None:
        self.choice.blockSignals(True)
        self.choice.offer([(name, name) for name in self._coloring.choices])
        self.choice.choose(self._coloring.column)
        self.choice.blockSignals(False)

    def _show(self) -> None:
        coloring = self._coloring
        self.choice.blockSignals(True)
        self.choice.choose(coloring.column)
        self.choice.blockSignals(False)
        self.kind.setVisible(bool(coloring.kinds))
        self.kind.blockSignals(True)
        self.kind.choose(coloring.kind)
        self.kind.blockSignals(False)
        limits = coloring.limits
        # One after the other: both at once would make the map smaller for a moment.
        shown, hidden = (self.classes, self.scale) if limits is None else (self.scale, self.classes)
        hidden.hide()
        shown.show()
        if limits is None:
            self.classes.show_categories(coloring.categories)
        else:
            self.scale.show_scale(coloring.steps, limits, coloring.missing)
        left_out = sum(not category.shown for category in coloring.categories)
        self.all_button.setVisible(left_out > 0)
        self.all_button.setToolTip(f"{left_out:,} of {len(coloring.categories):,} are hidden.")

    def _on_clicked(self, name: str, modifiers: Any) -> None:
        several = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        alone = [category.name for category in self._coloring.categories if category.shown]
        if modifiers & several:
            self._coloring.toggle(name)
        elif alone == [name]:
            self._coloring.isolate(None)
        else:
            self._coloring.isolate([name])
