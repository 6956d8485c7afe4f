"""The field for the label images of files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QTimer, QUrl, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui._sentences import capital, left_out
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.jobs._newest import Newest
from napari_tsimcne.images import ImageSource, Opened, open_images

TYPING_MS = 300
"""Quiet after which what was typed is looked for."""

SEPARATOR = ";"
"""Between several files or folders."""


class LabelFiles(QWidget):
    """Files, a folder or a pattern of label images, which are opened in a worker thread.

    `images` gives them. Which of them belongs to which image their names decide.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._opened: list[ImageSource] = []
        self._reason = ""
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(TYPING_MS)
        self._soon.timeout.connect(self._open)
        self._opening = Newest(self)
        self._opening.failed.connect(self._on_failed)
        self._build()

    def _build(self) -> None:
        self.sources = QLineEdit()
        self.sources.setPlaceholderText("folder, files or pattern")
        self.sources.setClearButtonEnabled(True)
        self.sources.setToolTip(
            "Label images of the files: in each, the pixels of an object have a number of their\n"
            "own. A folder, files (separated by ;) or a pattern such as masks/*_cp_masks.tif.\n"
            "They are named as the images, or with an ending such as _labels, _mask or _seg."
        )
        self.sources.textChanged.connect(self._on_text)
        button = QToolButton()
        button.setText("...")
        button.setToolTip("Choose label images, or the folder they are in.")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        menu.addAction("Files...", self._choose_files)
        menu.addAction("Folder...", self._choose_folder)
        button.setMenu(menu)
        button.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.state = Wrapped()
        self.state.setVisible(False)
        row = QHBoxLayout()
        row.addWidget(self.sources)
        row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.state)

    def _choose_files(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Label images")
        if paths:
            self.sources.setText(f"{SEPARATOR} ".join(paths))

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder of label images")
        if folder:
            self.sources.setText(folder)

    def images(self) -> list[ImageSource]:
        """Return the label images; none where no file is given.

        Raises
        ------
        InputError
            Where they cannot be opened, or are still being opened.
        """
        if self._soon.isActive() or self._opening.busy:
            raise InputError("the label files are still being opened")
        if self._reason:
            raise InputError(self._reason)
        return self._opened

    def _on_text(self) -> None:
        self._opening.cancel()
        self._soon.start()
        self.changed.emit()

    def _open(self) -> None:
        sources = _paths(self.sources.text())
        if sources:
            self._tell("Opening label files")
            self._opening.ask(lambda: open_images(*sources, grey_as_one=False), self._on_opened)
        else:
            self._take([], "", "")

    def _on_opened(self, opened: Opened) -> None:
        count = f"{len(opened.images):,} label image" + "s" * (len(opened.images) != 1)
        skipped = left_out(opened.skipped)
        self._take(opened.images, "", f"{count}\n{skipped}" if skipped else count)

    def _on_failed(self, reason: str) -> None:
        self._take([], f"label files: {reason}", capital(reason))

    def _take(self, opened: list[ImageSource], reason: str, text: str) -> None:
        self._opened, self._reason = opened, reason
        self._tell(text)
        self.changed.emit()

    def _tell(self, text: str) -> None:
        self.state.setText(text)
        self.state.setVisible(bool(text))


def number_objects_box() -> QCheckBox:
    """Make the box that has the objects of masks numbered."""
    box = QCheckBox("each connected region")
    box.setToolTip(
        "For masks, in which all objects have the same value: number the connected regions of\n"
        "each plane. Objects that touch become one, unless their values differ."
    )
    return box


def _paths(text: str) -> Sequence[Path]:
    """Paths of what was typed, pasted or dropped."""
    parts = [part.strip().strip("\"'") for part in text.replace("\n", SEPARATOR).split(SEPARATOR)]
    # What is dropped arrives as a URL.
    local = [QUrl(part).toLocalFile() if part.startswith("file:") else part for part in parts]
    return [Path(part).expanduser() for part in local if part]
