"""Work that waits for the event loop, and is dropped where its owner is gone by then."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer


def later(owner: QObject, work: Callable[[], object], milliseconds: int = 0) -> None:
    """Do some work once Qt has done what waits, or after some time; not once the owner is gone."""
    # QTimer.singleShot of PySide would call what is gone.
    timer = QTimer(owner)
    timer.setSingleShot(True)
    timer.timeout.connect(work)
    timer.timeout.connect(timer.deleteLater)
    timer.start(milliseconds)
