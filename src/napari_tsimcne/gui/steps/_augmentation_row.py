"""One augmentation in the form: its switch, and a slider for each of its numbers and ranges."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QSlider, QToolButton, QWidget
from superqt import QRangeSlider

from napari_tsimcne.gui._wheel import keep_wheel

NAME_WIDTH, VALUE_WIDTH, ARROW_WIDTH = 118, 96, 18
"""Of the columns of a row, in pixels; the slider takes the rest."""

RANGES = {"area", "aspect", "factor", "gain", "offset", "gamma", "sigma"}
"""Fields that are ranges, all others being numbers."""


class Field(NamedTuple):
    """A number or a range of an augmentation.

    ``name`` as in the recipe; ``title`` for the user, empty for the one beside the switch. It goes
    from ``least`` to ``most`` in ``steps`` of 1; all of these, and the recipe's value, are shown
    multiplied by ``factor`` with a ``unit``, after a ``sign``.
    """

    name: str
    title: str
    tip: str
    least: float
    most: float
    steps: int = 100
    factor: float = 1.0
    unit: str = ""
    sign: str = ""
    decimals: int = 0

    def text(self, value: float | tuple[float, float]) -> str:
        """Write a value with its unit."""
        if isinstance(value, tuple):
            low, high = map(self._number, value)
            between = " to " if "-" in low + high else "–"
            number = low if low == high else low + between + high
        else:
            number = self._number(value)
        return f"{self.sign}{number}{self.unit}"

    def _number(self, value: float) -> str:
        shown = round(value * self.factor, self.decimals)
        return f"{shown + 0.0:.{self.decimals}f}"

    @property
    def limits(self) -> str:
        """Between which the slider goes, with the unit."""
        return f"{self._number(self.least)} to {self._number(self.most)}{self.unit}"


class AugmentationRow(QWidget):
    """Choices of one augmentation; ``values`` says them as in the recipe.

    What was shown and not moved stays as it was, to the last digit.

    Parameters
    ----------
    name
        Of the augmentation in the recipe.
    title, tip
        For the user.
    fields
        The first stands beside the switch where it has no title; the others below, unfolded by
        an arrow unless ``unfolded`` from the start.
    """

    changed = Signal()

    def __init__(
        self, name: str, title: str, tip: str, fields: Collection[Field], unfolded: bool = False
    ) -> None:
        super().__init__()
        self.name = name
        self._applying = {field.name for field in fields}
        self._always_unfolded = unfolded
        self.switch = QCheckBox(title)
        self.switch.setToolTip(tip)
        self.switch.toggled.connect(self._on_switched)
        self.arrow = QToolButton()
        self.arrow.setCheckable(True)
        self.arrow.setAutoRaise(True)
        self.arrow.setFixedWidth(ARROW_WIDTH)
        self.arrow.setToolTip(f"More of '{title}'.")
        self.arrow.toggled.connect(self._refresh)
        self.lines = {field.name: _Line(field, self) for field in fields}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(2)
        grid.setColumnMinimumWidth(0, NAME_WIDTH)
        grid.setColumnMinimumWidth(2, VALUE_WIDTH)
        grid.setColumnMinimumWidth(3, ARROW_WIDTH)
        grid.setColumnStretch(1, 1)
        beside = any(not field.title for field in fields)
        grid.addWidget(self.switch, 0, 0, 1, 1 if beside else 3)
        grid.addWidget(self.arrow, 0, 3)
        # Sliders of all rows are of one length.
        policy = self.arrow.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.arrow.setSizePolicy(policy)
        self.arrow.setVisible(len(fields) > 1 and not unfolded)
        for i, line in enumerate(self.lines.values()):
            at = i + (not beside)
            if line.field.title:
                grid.addWidget(line.title, at, 0)
            grid.addWidget(line.slider, at, 1)
            grid.addWidget(line.value_label, at, 2)
            line.slider.valueChanged.connect(self.changed)
        keep_wheel(self)
        self._refresh()

    def values(self) -> dict[str, Any]:
        """Return switch and fields as in the recipe."""
        lines = {name: line.value for name, line in self.lines.items()}
        return {"on": self.switch.isChecked(), **lines}

    def show_values(self, values: Mapping[str, Any]) -> None:
        """Take switch and fields of a recipe; nothing is emitted."""
        self.blockSignals(True)
        self.switch.setChecked(values["on"])
        for name, line in self.lines.items():
            line.show_value(values[name])
        self.blockSignals(False)
        self._refresh()

    def apply_fields(self, names: Collection[str]) -> None:
        """Show only the fields of these names."""
        self._applying = set(names)
        self._refresh()

    def _on_switched(self) -> None:
        self._refresh()
        self.changed.emit()

    def _refresh(self) -> None:
        on = self.switch.isChecked()
        unfolded = self._always_unfolded or self.arrow.isChecked()
        arrow = Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow
        self.arrow.setArrowType(arrow)
        for name, line in self.lines.items():
            line.set_shown(name in self._applying and (unfolded or not line.field.title))
            line.set_enabled(on)


class _Line:
    """A slider with its title before it and its value behind it."""

    def __init__(self, field: Field, parent: QWidget) -> None:
        self.field = field
        self.value: Any = None
        self._steps: Any = None
        self.title = QLabel(field.title, parent)
        self.title.setIndent(20)
        self.value_label = QLabel(parent)
        of_range = field.name in RANGES
        self.slider: Any = (
            _RangeSlider(parent) if of_range else QSlider(Qt.Orientation.Horizontal, parent)
        )
        self.slider.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.slider.setAccessibleName(field.title or field.tip)
        self.slider.setMinimumWidth(60)
        self.slider.valueChanged.connect(self._on_moved)
        keys = "\nArrow keys move the upper end, with Shift the lower." if of_range else ""
        for widget in (self.title, self.slider, self.value_label):
            widget.setToolTip(f"{field.tip}\n{field.limits}.{keys}")

    def show_value(self, value: Any) -> None:
        """Show a value of a recipe, also one beyond where the slider goes."""
        self.value = value
        low, high = value if isinstance(value, tuple) else (value, value)
        steps = self.field.steps
        least = math.floor(min(low, self.field.least) * steps + 1e-9)
        if self.field.least > 0:
            # What must be above 0 stays so.
            least = max(least, 1)
        self.slider.blockSignals(True)
        self.slider.setRange(least, math.ceil(max(high, self.field.most) * steps - 1e-9))
        at = round(low * steps), round(high * steps)
        self.slider.setValue(at if isinstance(value, tuple) else at[0])
        self.slider.blockSignals(False)
        self._steps = self.slider.value()
        self.value_label.setText(self.field.text(value))

    def set_shown(self, shown: bool) -> None:
        self.title.setVisible(shown and bool(self.field.title))
        self.slider.setVisible(shown)
        self.value_label.setVisible(shown)

    def set_enabled(self, enabled: bool) -> None:
        for widget in (self.title, self.slider, self.value_label):
            widget.setEnabled(enabled)

    def _on_moved(self, steps: Any) -> None:
        if isinstance(steps, tuple):
            # The end that was not moved keeps what lies between its steps.
            low, high = (
                value if now == before else now / self.field.steps
                for value, now, before in zip(self.value, steps, self._steps, strict=True)
            )
            self.value = min(low, high), max(low, high)
        else:
            self.value = steps / self.field.steps
        self._steps = steps
        self.value_label.setText(self.field.text(self.value))


class _RangeSlider(QRangeSlider):
    """Has ends that may meet, and that the arrow keys move: the upper, with Shift the lower."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        # The least distance of the ends.
        self.setSingleStep(0)
        self._pressed_at = 0.0

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(event.key(), 0)
        if not step:
            event.ignore()
            return
        low, high = self.value()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.setValue((min(max(low + step, self.minimum()), high), high))
        else:
            self.setValue((low, max(min(high + step, self.maximum()), low)))

    def mousePressEvent(self, event: Any) -> None:  # noqa: N802
        self._pressed_at = event.position().x()
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: Any) -> None:  # noqa: N802
        low, high = self.value()
        if low == high and event.position().x() > self._pressed_at:
            # Of ends that lie over each other the lower one was taken, which cannot go up.
            self._pressedIndex = 1
        super().mouseMoveEvent(event)
