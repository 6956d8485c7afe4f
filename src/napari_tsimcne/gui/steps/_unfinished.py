"""Offers runs that are still being trained, or whose training was cut off."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout

from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.runs import UnfinishedRun, forget_run, unfinished_runs


class UnfinishedRuns(QFrame):
    """A notice on the latest such run, with a button that opens it; hidden where there is none.

    ``attach_wanted`` and ``resume_wanted`` carry its folder.
    """

    attach_wanted = Signal(object)
    resume_wanted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("unfinished")
        self.setStyleSheet("#unfinished { border: 1px solid #c98a1a; border-radius: 4px; }")
        self._run: UnfinishedRun | None = None
        self.label = Wrapped()
        self.open_button = QPushButton()
        self.open_button.clicked.connect(self._on_open)
        self.dismiss_button = QPushButton("Not now")
        self.dismiss_button.setToolTip("Do not offer this run again; its folder stays.")
        self.dismiss_button.clicked.connect(self._on_dismiss)
        buttons = QHBoxLayout()
        buttons.addWidget(self.open_button)
        buttons.addWidget(self.dismiss_button)
        layout = QVBoxLayout(self)
        layout.addWidget(self.label)
        layout.addLayout(buttons)
        self.hide()

    def look(self, open_folder: Path | None = None) -> None:
        """Look for such runs; not the one that is open."""
        found = [run for run in unfinished_runs() if run.folder != open_folder]
        self._run = found[0] if found else None
        self.setVisible(self._run is not None)
        if self._run is None:
            return
        name, preset = self._run.folder.name, self._run.preset
        if self._run.state == "training":
            self.label.setText(f"The run '{name}' ({preset}) is still being trained.")
            self.open_button.setText("Show it")
            self.open_button.setToolTip("Show this run, and how its map forms.")
        else:
            self.label.setText(f"The training of '{name}' ({preset}) was cut off.")
            self.open_button.setText("Resume")
            self.open_button.setToolTip(
                "Open this run and train on from its last checkpoint, at most a minute old."
            )
        self.label.setToolTip(str(self._run.folder))

    def _on_open(self) -> None:
        if self._run is not None:
            wanted = self.attach_wanted if self._run.state == "training" else self.resume_wanted
            self.hide()
            wanted.emit(self._run.folder)

    def _on_dismiss(self) -> None:
        if self._run is not None:
            forget_run(self._run.folder)
            self.look()
