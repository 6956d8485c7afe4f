"""Fields of the forms: numbers with unit, range and tooltip, choices, and the viewer's layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor, log10
from typing import Any

from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QToolButton,
    QWidget,
)

from napari_tsimcne.gui.images._outlines import is_view

LABEL_WIDTH = 86
NARROWEST = 48
"""Widths of labels and of the narrowest field, in pixels."""

MIN_DECIMALS = 2
"""Of a length in µm that is shown."""


def spin(low: int, high: int, value: int, suffix: str, tip: str) -> QSpinBox:
    """Make a field for a whole number."""
    return _set_up(QSpinBox(), low, high, value, suffix, tip)


def double_spin(
    low: float, high: float, value: float, suffix: str, tip: str, decimals: int = 2
) -> QDoubleSpinBox:
    """Make a field for a number with decimals."""
    return _set_up_decimals(QDoubleSpinBox(), low, high, value, suffix, tip, decimals)


class Length(QDoubleSpinBox):
    """A length in pixels or in µm: of small ones as many decimals are shown as tell them apart."""

    def stepBy(self, steps: int) -> None:  # noqa: N802
        """Go by whole pixels, and of lengths in µm by steps that fit them."""
        kinds = QDoubleSpinBox.StepType
        by = kinds.AdaptiveDecimalStepType if self.decimals() else kinds.DefaultStepType
        self.setStepType(by)
        super().stepBy(steps)

    def textFromValue(self, value: float) -> str:  # noqa: N802
        """Write whole numbers where it has no decimals, else three significant digits or more."""
        decimals = min(self.decimals(), MIN_DECIMALS)
        if value and decimals:
            decimals = min(max(decimals, 2 - floor(log10(abs(value)))), self.decimals())
        return str(self.locale().toString(float(value), "f", decimals))


def length_spin(low: float, high: float, value: float, suffix: str, tip: str) -> Length:
    """Make a field for a length, in whole pixels at first."""
    return _set_up_decimals(Length(), low, high, value, suffix, tip, 0)


def _set_up_decimals(
    field: Any, low: float, high: float, value: float, suffix: str, tip: str, decimals: int
) -> Any:
    field.setDecimals(decimals)
    return _set_up(field, low, high, value, suffix, tip)


def _set_up(field: Any, low: float, high: float, value: float, suffix: str, tip: str) -> Any:
    field.setRange(low, high)
    field.setValue(value)
    field.setSuffix(suffix)
    field.setToolTip(tip)
    field.setMinimumWidth(NARROWEST)
    return field


class Choice(QComboBox):
    """A choice among named values."""

    def __init__(self, options: Sequence[tuple[str, Any]], tip: str) -> None:
        super().__init__()
        self.offer(options)
        self.setToolTip(tip)
        self.setMinimumContentsLength(4)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)

    def offer(self, options: Sequence[tuple[str, Any]]) -> None:
        """Offer other values; the first is chosen."""
        self.clear()
        for text, value in options:
            self.addItem(text, value)

    @property
    def value(self) -> Any:
        """The value that is chosen."""
        return self.currentData()

    def choose(self, value: Any) -> None:
        """Choose a value."""
        self.setCurrentIndex(self.findData(value))

    def allow(self, value: Any, allowed: bool, why_not: str) -> None:
        """Let a value be chosen or not; where it was, the first is chosen instead."""
        index = self.findData(value)
        self.model().item(index).setEnabled(allowed)
        self.setItemData(index, None if allowed else why_not, Qt.ItemDataRole.ToolTipRole)
        if not allowed and self.currentIndex() == index:
            self.setCurrentIndex(0)


class SuggestedChoice(Choice):
    """A choice that follows suggestions until something is ``chosen``, also the same again."""

    def __init__(self, options: Sequence[tuple[str, Any]], tip: str) -> None:
        super().__init__(options, tip)
        self.chosen = self._suggesting = False
        self.activated.connect(self._note_choice)
        self.currentIndexChanged.connect(self._note_choice)

    def choose(self, value: Any) -> None:
        """Choose a value: no suggestion changes it any more."""
        self.chosen = True
        super().choose(value)

    def suggest(self, value: Any) -> None:
        """Take a value unless something was chosen."""
        if not self.chosen and self.value != value:
            self._suggesting = True
            super().choose(value)
            self._suggesting = False

    def _note_choice(self) -> None:
        self.chosen = self.chosen or not self._suggesting


class LayerChoice(Choice):
    """A choice among the viewer's layers of one kind; follows them as they come, go, are renamed.

    Where ``over_each`` is given, it can be chosen in place of one layer once there are several.
    A suggestion holds until the user has chosen.
    """

    def __init__(self, viewer: Any, kind: type[Layer], tip: str, over_each: str = "") -> None:
        super().__init__([], tip)
        self._viewer, self._kind, self._over_each = viewer, kind, over_each
        self._chosen = False
        self.activated.connect(self._note_choice)
        self.setPlaceholderText(f"no {kind.__name__} layer")
        self._follower = LayerFollower(viewer, self._take_layers)
        self._take_layers()

    def release(self) -> None:
        """Stop following the viewer."""
        self._follower.release()

    @property
    def layer(self) -> Layer | None:
        """The layer that is chosen; None for one over each image, or where there is none."""
        return self.value

    def candidates(self) -> list[Layer]:
        """Return the layers that can be chosen: none of our own that show what is explored."""
        layers = [layer for layer in self._viewer.layers if isinstance(layer, self._kind)]
        return [layer for layer in layers if not is_view(layer)]

    def choose(self, value: Any) -> None:
        """Choose a layer."""
        self._chosen = True
        super().choose(value)

    def suggest_over_each(self) -> None:
        """Choose one layer over each image, unless the user has chosen."""
        if not self._chosen:
            self.choose_over_each()

    def _note_choice(self) -> None:
        self._chosen = True

    def choose_over_each(self) -> None:
        """Choose one layer over each image, where there are several."""
        if self._over_each and len(self.candidates()) > 1:
            self.setCurrentIndex(self.count() - 1)

    def _take_layers(self) -> None:
        layers, before = self.candidates(), self.layer
        self._chosen = self._chosen and bool(layers)
        over_each = self.count() > 0 and before is None
        self.blockSignals(True)
        self.clear()
        for layer in layers:
            self.addItem(layer.name, layer)
        if self._over_each and len(layers) > 1:
            self.addItem(self._over_each, None)
        if over_each and len(layers) > 1:
            self.choose_over_each()
        elif layers:
            self.setCurrentIndex(layers.index(before) if before in layers else 0)
        self.setEnabled(bool(layers))
        self.blockSignals(False)
        self.currentIndexChanged.emit(self.currentIndex())


class LayerFollower:
    """Calls ``listener`` whenever layers come, go, move or change, until `release`.

    ``kinds``: the layers whose coming, going and changes matter. ``changes``: their events that
    do.
    """

    def __init__(
        self,
        viewer: Any,
        listener: Callable[[], None],
        kinds: type[Layer] | tuple[type[Layer], ...] = Layer,
        changes: Sequence[str] = ("name",),
    ) -> None:
        self._layers, self._listener = viewer.layers, listener
        self._kinds, self._changes = kinds, changes
        events = self._layers.events
        events.inserted.connect(self._on_inserted)
        events.removed.connect(self._on_removed)
        events.reordered.connect(self._on_change)
        for layer in self._layers:
            self._connect(layer)

    def release(self) -> None:
        """Stop following."""
        events = self._layers.events
        events.inserted.disconnect(self._on_inserted)
        events.removed.disconnect(self._on_removed)
        events.reordered.disconnect(self._on_change)
        for layer in self._layers:
            self._disconnect(layer)

    def _matters(self, layer: Layer) -> bool:
        # What only shows what is explored is nothing to choose.
        return isinstance(layer, self._kinds) and not is_view(layer)

    def _connect(self, layer: Layer) -> None:
        if self._matters(layer):
            for name in self._changes:
                layer.events[name].connect(self._on_change)

    def _disconnect(self, layer: Layer) -> None:
        if self._matters(layer):
            for name in self._changes:
                layer.events[name].disconnect(self._on_change)

    def _on_inserted(self, event: Any) -> None:
        self._connect(event.value)
        if self._matters(event.value):
            self._listener()

    def _on_removed(self, event: Any) -> None:
        self._disconnect(event.value)
        if self._matters(event.value):
            self._listener()

    def _on_change(self, event: Any = None) -> None:
        self._listener()


# --- rows of a form -----------------------------------------------------------------------------


def form_layout() -> QFormLayout:
    """Make a layout of labels and fields, without a frame."""
    form = QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form


def add_rows(form: QFormLayout, rows: Sequence[tuple[str, QWidget]]) -> None:
    """Add labels and fields, which begin at one line in all forms."""
    for text, field in rows:
        label = QLabel(text)
        label.setMinimumWidth(LABEL_WIDTH)
        form.addRow(label, field)


def side_by_side(*fields: QWidget) -> QWidget:
    """Make a widget that holds others side by side."""
    widget = QWidget()
    row = QHBoxLayout(widget)
    row.setContentsMargins(0, 0, 0, 0)
    for field in fields:
        row.addWidget(field)
    return widget


def with_button(field: QWidget, tip: str, pressed: Callable[[], None]) -> QWidget:
    """Put a button after a field, which fills it by a dialog."""
    button = QToolButton()
    button.setText("...")
    button.setToolTip(tip)
    button.clicked.connect(pressed)
    return side_by_side(field, button)


def show_row(form: QFormLayout, field: QWidget, shown: bool) -> None:
    """Show or hide a row of a form, label and field."""
    field.setVisible(shown)
    label = form.labelForField(field)
    if label is not None:
        label.setVisible(shown)


def push_button(text: str, tip: str) -> QPushButton:
    """Make a button with a tooltip."""
    made = QPushButton(text)
    made.setToolTip(tip)
    return made


def in_row(*widgets: QWidget, stretch: QWidget | None = None) -> QHBoxLayout:
    """Lay widgets in a row, of which one takes the room that is left."""
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget, 1 if widget is stretch else 0)
    return row
