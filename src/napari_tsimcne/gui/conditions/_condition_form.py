"""The choices of the panel of conditions: which columns say what, and what is compared."""

from __future__ import annotations

from typing import Any

import pandas as pd
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_tsimcne.explore import Clusters, ordered_texts, splitting
from napari_tsimcne.gui._fields import Choice, add_rows, form_layout, show_row
from napari_tsimcne.gui.conditions._comparing_conditions import SELECTION, Question, View
from napari_tsimcne.gui.conditions._condition_columns import Columns, likely_control

ROWS: dict[View, tuple[str, ...]] = {
    "shares": ("cluster", "condition", "replicate", "control", "treated", "block"),
    "difference": ("condition", "replicate", "control", "treated", "block"),
    "plate": ("cluster", "well", "plate"),
    "dose": ("cluster", "dose", "condition", "replicate"),
}
"""Which choices a view asks for."""

TITLES = {
    "cluster": "Frequency of", "condition": "Condition", "replicate": "Replicate",
    "control": "Control", "treated": "Treated", "well": "Wells", "plate": "Plate", "dose": "Dose",
    "block": "Within",
}  # fmt: skip


class ConditionForm(QWidget):
    """Chooses columns of a patch table, guessed by their names and values, and what is compared.

    ``changed`` is emitted when the user has chosen something else.

    Parameters
    ----------
    table
        Patch table.
    """

    changed = Signal()

    def __init__(self, table: pd.DataFrame) -> None:
        super().__init__()
        self._table = table
        columns = Columns.of(table)
        self._plates = columns.plate
        self.cluster = Choice([], "Of which patches the frequency (% of patches) is shown.")
        self.condition = Choice(_named(columns.conditions), "The column of the treatment.")
        self.replicate = Choice(
            [("none", None), *_named(columns.replicates), *_pairs(table, columns)],
            "The column that tells replicates of a condition apart, such as the well; or two,\n"
            "such as plate and well, where wells of several plates have the same name.\n"
            "They are what is counted, as the patches of one are not independent.",
        )
        self.control = Choice(
            [], "What all others are compared with. It is guessed only where a value says so, as\n"
            "DMSO, control or untreated do.",
        )  # fmt: skip
        self.treated = Choice([], "What is compared with the control.")
        self.well = Choice(_named(columns.wells), "The column of the wells, such as A01.")
        plates = [] if self._plates is None else ordered_texts(table[self._plates])[1]
        self.plate = Choice(
            [("every plate", None), *_named(plates)], "Of which plate the wells are shown."
        )
        self.dose = Choice(
            [("none", None), *_named(columns.doses)],
            "The column of the dose; there is a curve for each condition.",
        )
        self.dose.choose(columns.dose)
        if columns.conditions:
            self.replicate.choose(columns.replicate_of(columns.conditions[0]))
        self.block = Choice(
            [("all replicates", None), *_named(columns.blocks)],
            "Compare replicates within each value of a column only, such as the plate or the\n"
            "donor (blocks, pairs): what differs between these is not counted. Values that do\n"
            "not hold both the control and what is compared are left out.",
        )
        self._form = form_layout()
        self._rows: dict[str, Choice] = {
            "cluster": self.cluster, "dose": self.dose, "condition": self.condition,
            "replicate": self.replicate, "control": self.control, "treated": self.treated,
            "well": self.well, "plate": self.plate, "block": self.block,
        }  # fmt: skip
        add_rows(self._form, [(TITLES[name], row) for name, row in self._rows.items()])
        self.setLayout(self._form)
        self._offer_values()
        self.condition.currentIndexChanged.connect(self._offer_values)
        self.control.currentIndexChanged.connect(self._offer_treated)
        for row in self._rows.values():
            row.currentIndexChanged.connect(self.changed)

    def show_view(self, view: View) -> None:
        """Show the choices that a view asks for."""
        for name, row in self._rows.items():
            shown = name in ROWS[view]
            shown &= name != "plate" or self._plates is not None
            shown &= name != "block" or row.count() > 1
            show_row(self._form, row, shown)

    def offer_clusters(self, clusters: Clusters) -> None:
        """Offer the clusters as they are now, and the selection; what was chosen stays."""
        before, first = self.cluster.value, self.cluster.count() == 0
        every = [("every cluster", None)] if len(clusters) else []
        self.cluster.blockSignals(True)
        self.cluster.offer(
            [*every, *((one.name, one.id) for one in clusters.all), ("selected patches", SELECTION)]
        )
        if not first and self.cluster.findData(before) >= 0:
            self.cluster.choose(before)
        self.cluster.blockSignals(False)

    @property
    def can_compare(self) -> bool:
        """Whether there is a condition of two values or more."""
        return self.control.count() > 2

    def question(self, view: View) -> Question:
        """Return what is chosen; there must be a condition."""
        return Question(
            view, **self.columns(), on_plate=self.plate.value, cluster=self.cluster.value
        )  # fmt: skip

    def columns(self) -> dict[str, Any]:
        """Return which columns say what, and which values are compared."""
        names = ("condition", "replicate", "control", "treated", "well", "dose", "block")
        found = {name: self._rows[name].value for name in names}
        found["plate"] = self._plates
        if found["replicate"] is None:
            found["block"] = None
        compared = self.can_compare and self.control.value is not None
        return found if compared else {**found, "control": None, "treated": None}

    # --- inside -------------------------------------------------------------------------------

    def _offer_values(self) -> None:
        """Offer the values of the condition as control; one that is it by its name is chosen."""
        if self.condition.value is None:
            return
        values = ordered_texts(self._table[self.condition.value])[1]
        self.control.blockSignals(True)
        self.control.offer([("no comparison", None), *_named(values)])
        self.control.choose(likely_control(values))
        self.control.blockSignals(False)
        self._offer_treated()

    def _offer_treated(self) -> None:
        before = self.treated.value
        values = [self.control.itemData(i) for i in range(1, self.control.count())]
        compared = self.control.value is not None
        others = _named([value for value in values if value != self.control.value])
        self.treated.setEnabled(compared)
        self.treated.blockSignals(True)
        self.treated.offer([("all others", None), *others] if len(others) > 1 else others)
        if self.treated.findData(before) >= 0:
            self.treated.choose(before)
        self.treated.blockSignals(False)


def _named(texts: list[str]) -> list[tuple[str, str]]:
    return [(text, text) for text in texts]


def _pairs(table: pd.DataFrame, columns: Columns) -> list[tuple[str, tuple[str, str]]]:
    """Offer plate-like columns together with what has the same names on several of them."""
    return [
        (f"{plate}, {name}", (plate, name))
        for name in columns.replicates
        for plate in splitting(table, [name], columns.conditions[:1])
        if plate in columns.blocks
    ]
