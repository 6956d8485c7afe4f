"""A line in which patches are found: by an expression, by a text, or by their number."""

from __future__ import annotations

import re
from functools import partial
from textwrap import fill
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, QSize, QStringListModel, Qt, Signal
from qtpy.QtWidgets import (
    QCompleter,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.explore import Exploration, Mode, find, written
from napari_tsimcne.gui._sentences import capital
from napari_tsimcne.gui._ties import Ties
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.jobs._newest import Newest

HELP = """Find patches by what is known of them:
    treatment == 'drug A' and area > 200
    `mean DNA` >= 12.5 or cluster in ['mitotic', 'dead']
    image.str.contains('well A') and not day.isna()
    drug A    in any column of text
    1234    goes to patch 1234
Enter selects them, Shift+Enter adds them, Alt+Enter subtracts them.

Columns:
"""
WIDTH = 70
"""Characters of a line of help."""

MOST_REMEMBERED = 20
"""Expressions that are offered again."""

NUMBER = re.compile(r"(?:patch\s*)?#?([0-9]{1,9})", re.IGNORECASE)
NOTHING = "\0"
"""What no completion fits."""


class FindBar(QWidget):
    """Selects the patches that an expression is true of; errors are told below the line.

    ``jumped`` carries the number of a patch that the user wants to go to.

    Parameters
    ----------
    exploration
        Whose columns are searched, and whose selection is changed.
    """

    jumped = Signal(int)

    def __init__(self, exploration: Exploration) -> None:
        super().__init__()
        self._exploration = exploration
        self.field = _Field()
        self._offer_columns()
        self.add_button = _small_button("+", "Add what is found to the selection (Shift+Enter).")
        self.subtract_button = _small_button(
            "−", "Take what is found out of the selection (Alt+Enter)."
        )
        self.count = QLabel()
        self.message = Wrapped()
        self._lay_out()
        self._newest = Newest(self)
        self._newest.failed.connect(self._on_failed)
        self.field.submitted.connect(self.search)
        self.field.textChanged.connect(self._on_text)
        self.add_button.clicked.connect(lambda: self.search("add"))
        self.subtract_button.clicked.connect(lambda: self.search("subtract"))
        self._selecting = False
        self._ties = Ties(
            self,
            (exploration.selection.changed, self._on_selection),
            (exploration.columns_changed, self._offer_columns),
        )
        self._on_text("")

    def release(self) -> None:
        """Ask for nothing any more, and let go of the selection."""
        self._newest.cancel()
        self._ties.cut()

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Fit into a narrow dock."""
        return QSize(0, super().minimumSizeHint().height())

    def search(self, mode: Mode = "replace") -> None:
        """Find what the line says, in another thread, and select it, add it, or subtract it."""
        text = self.field.text().strip()
        self._tell()
        if not text:
            self._newest.cancel()
            return
        number = NUMBER.fullmatch(text)
        if number is not None:
            self._newest.cancel()
            self._jump(int(number[1]))
            return
        self._tell(count="finding…")
        self._newest.ask(
            partial(find, self._exploration.columns(), text), partial(self._on_found, text, mode)
        )

    # --- inside -------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(2)
        row.addWidget(self.field, stretch=1)
        row.addWidget(self.count)
        row.addWidget(self.add_button)
        row.addWidget(self.subtract_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.message)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

    def _offer_columns(self) -> None:
        names = [written(str(name)) for name in self._exploration.columns()]
        self.field.offer(names)
        self.field.setToolTip(HELP + fill(", ".join(names), WIDTH, break_long_words=False))

    def _jump(self, patch: int) -> None:
        count = len(self._exploration)
        if patch < count:
            self.jumped.emit(patch)
        else:
            self._tell(error=f"there is no patch {patch}: they are numbered from 0 to {count - 1}")

    def _on_found(self, text: str, mode: Mode, mask: np.ndarray) -> None:
        self.field.remember(text)
        self._tell(count=f"{np.count_nonzero(mask):,} found")
        self._selecting = True
        self._exploration.selection.select(mask, mode)
        self._selecting = False

    def _on_selection(self) -> None:
        # What was found is no longer what is selected.
        if not self._selecting and not self._newest.busy:
            self._tell()

    def _on_failed(self, reason: str) -> None:
        self._tell(error=reason)

    def _on_text(self, text: str) -> None:
        for button in (self.add_button, self.subtract_button):
            button.setEnabled(bool(text.strip()))
        if not text:
            self._tell()

    def _tell(self, *, count: str = "", error: str = "") -> None:
        self.count.setText(count)
        self.count.setVisible(bool(count))
        self.message.setText(f"⚠ {capital(error)}" if error else "")
        self.message.setVisible(bool(error))


class _Field(QLineEdit):
    """A line that completes names of columns, and whole expressions that were found before.

    ``submitted`` carries how the selection is to be changed.
    """

    submitted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setPlaceholderText("Find patches")
        self.setClearButtonEnabled(True)
        self._completions = _Completions(self)
        self.setCompleter(self._completions)

    def offer(self, names: list[str]) -> None:
        """Complete these names of columns."""
        self._completions.offer(names)

    def remember(self, text: str) -> None:
        """Offer a text again."""
        self._completions.remember(text)

    def event(self, event: Any) -> bool:
        """Keep Escape from the map, whose selection it would clear."""
        escape = event.type() == event.Type.ShortcutOverride and event.key() == Qt.Key.Key_Escape
        if escape and self.text():
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802
        """Submit, empty the line, or open what can be completed."""
        popup, style = self._completions.popup(), self.window().styleSheet()
        if popup.styleSheet() != style:
            # It is a window of its own, and follows no theme by itself.
            popup.setStyleSheet(style)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if popup.isVisible() and popup.currentIndex().isValid():
                # The completer takes what is marked there.
                event.ignore()
                return
            popup.hide()
            self.submitted.emit(_mode(event.modifiers()))
        elif event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        elif event.key() == Qt.Key.Key_Down and not self.text():
            self._completions.setCompletionPrefix("")
            self._completions.complete()
        else:
            super().keyPressEvent(event)


class _Completions(QCompleter):
    """Completes the word that is being written, or all of the line from what was found before."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._names, self._found, self._before = list[str](), list[str](), ""
        self._list = QStringListModel(self)
        self.setModel(self._list)
        self.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.setFilterMode(Qt.MatchFlag.MatchContains)

    def offer(self, names: list[str]) -> None:
        """Complete these names."""
        self._names = names
        self._list.setStringList([*self._found, *names])

    def remember(self, text: str) -> None:
        """Offer an expression, the last one first."""
        self._found = [text, *(other for other in self._found if other != text)][:MOST_REMEMBERED]
        self._list.setStringList([*self._found, *self._names])

    def splitPath(self, path: str) -> list[str]:  # noqa: N802
        """Return the word that is being written."""
        word = _last_word(path)
        self._before = path[: len(path) - len(word)]
        return [word] if word or not path else [NOTHING]

    def pathFromIndex(self, index: Any) -> str:  # noqa: N802
        """Return the line with a completion in the place of the word."""
        text = index.data()
        return text if text in self._found else self._before + text


def _last_word(text: str) -> str:
    """Return the name that a text ends with, as far as it is written; nothing inside of quotes."""
    outside = re.sub(r"'[^']*'|\"[^\"]*\"", "", text)
    if "'" in outside or '"' in outside:
        return ""
    if text.count("`") % 2:
        return text[text.rindex("`") :]
    match = re.search(r"(?<!\w)[^\W\d]\w*$", text)
    return match[0] if match else ""


def _mode(modifiers: Any) -> Mode:
    if modifiers & Qt.KeyboardModifier.ShiftModifier:
        return "add"
    return "subtract" if modifiers & Qt.KeyboardModifier.AltModifier else "replace"


def _small_button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    return button
