"""The question what becomes of a training when its window is closed."""

from __future__ import annotations

from typing import Literal

from qtpy.QtWidgets import QMessageBox, QWidget

AtClose = Literal["go on", "stop", "cancel"]


def ask_at_close(window: QWidget) -> AtClose:
    """Ask whether a training goes on, stops, or the window is not closed."""
    box = QMessageBox(window)
    box.setWindowTitle("t-SimCNE")
    box.setText("A map is being learnt. What is to become of it?")
    box.setInformativeText(
        "In the background it goes on without napari; t-SimCNE finds it again when it is opened "
        "the next time."
    )
    role = QMessageBox.ButtonRole
    go_on = box.addButton("Go on in the background", role.AcceptRole)
    stop = box.addButton("Stop, and keep the map so far", role.DestructiveRole)
    box.addButton("Cancel", role.RejectRole)
    box.exec()
    if box.clickedButton() is go_on:
        return "go on"
    return "stop" if box.clickedButton() is stop else "cancel"
