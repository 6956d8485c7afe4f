"""What the checks of a map found, one sentence below the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_tsimcne.explore import Finding
from napari_tsimcne.gui._wrapped import Wrapped

MARKS = {
    "bad": ("!", "#d55e00", "Do not trust"),
    "look": ("?", "#e69f00", "Review"),
    "good": ("✓", "#009e73", "OK"),
}
"""Sign, colour and word of each severity; the colours differ for the colour-blind too."""

MARK = 18
GAP = 6
"""In pixels: side of a mark, space between things."""


class FindingsList(QWidget):
    """Lists findings; ``select_wanted`` carries the rows of patches that a finding is about."""

    select_wanted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.buttons: list[QPushButton] = []
        """Those that select, one for each finding that is about some patches."""
        self.sentences: list[Wrapped] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(GAP + 2)

    def show_findings(self, findings: Sequence[Finding]) -> None:
        """Show these in place of those before."""
        self.buttons, self.sentences = [], []
        while (item := self._layout.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        for finding in findings:
            self._layout.addWidget(self._row(finding))

    def _row(self, finding: Finding) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        layout.addWidget(_Mark(finding.severity), alignment=Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout()
        column.setSpacing(2)
        word = MARKS[finding.severity][2]
        sentence = Wrapped(f"{word}. {finding.sentence}")
        sentence.make_selectable()
        column.addWidget(sentence)
        self.sentences.append(sentence)
        if finding.rows is not None and len(finding.rows):
            button = self._select_button(finding.rows)
            column.addWidget(button, alignment=Qt.AlignmentFlag.AlignLeft)
        layout.addLayout(column, stretch=1)
        return row

    def _select_button(self, rows: np.ndarray) -> QPushButton:
        button = QPushButton(f"Select {len(rows):,}")
        button.setToolTip("Select these patches: they light up on the map and in the images.")
        button.clicked.connect(lambda: self.select_wanted.emit(rows))
        self.buttons.append(button)
        return button


def counted_findings(findings: Sequence[Finding]) -> str:
    """Say how many there are of each severity."""
    counts = [(sum(one.severity == name for one in findings), name) for name in MARKS]
    words = {"bad": "not to trust", "look": "to review", "good": "OK"}
    return ", ".join(f"{count} {words[name]}" for count, name in counts if count)


class _Mark(QWidget):
    """A sign on a coloured disc."""

    def __init__(self, severity: str) -> None:
        super().__init__()
        self._sign, self._color, word = MARKS[severity]
        self.setAccessibleName(word)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Leave room for the disc."""
        return QSize(MARK, MARK)

    def paintEvent(self, event: Any) -> None:  # noqa: N802
        """Draw."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        place = QRectF(0.5, 0.5, MARK - 1, MARK - 1)
        painter.setBrush(QColor(self._color))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawEllipse(place)
        painter.setPen(QColor("black"))
        font = painter.font()
        font.setBold(True)
        font.setPixelSize(MARK - 6)
        painter.setFont(font)
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, self._sign)
