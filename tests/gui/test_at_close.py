"""Quitting while a map is being learnt: what is seen until it is there, and how to skip that."""

import pytest
from driving import needs_display
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QWidget

from napari_tsimcne.events import Embedding
from napari_tsimcne.gui.dialogs._at_close import Stopping
from napari_tsimcne.gui.jobs._job import Job

pytestmark = needs_display


@pytest.fixture
def job():
    return Job()


@pytest.fixture
def dialog(job, qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    dialog = Stopping(window, job)
    dialog.show()
    # Until the test is done: the window holds the dialog.
    yield dialog


def test_it_shows_what_is_done_and_for_how_long(dialog, job, qtbot):
    assert "then napari quits" in dialog.text.text() and "(0 s)" in dialog.text.text()
    job.told.emit(Embedding(fraction=0.25))
    assert "Drawing the map" in dialog.text.text()
    assert dialog.bar.value() == dialog.bar.maximum() / 4
    qtbot.waitUntil(lambda: "(1 s)" in dialog.text.text())


@pytest.mark.parametrize("ended", ["finished", "failed", "cancelled"])
def test_it_closes_once_the_map_is_there_or_cannot_be(dialog, job, ended):
    signal = getattr(job, ended)
    signal.emit(*([] if ended == "cancelled" else ["x"]))
    assert not dialog.isVisible() and dialog.result() == Stopping.DialogCode.Accepted


@pytest.mark.parametrize(("button", "quits"), [("quit_now", True), ("stay", False)])
def test_it_can_be_skipped_or_called_off(dialog, button, quits):
    QTest.mouseClick(getattr(dialog, button), Qt.MouseButton.LeftButton)
    assert not dialog.isVisible() and bool(dialog.result()) == quits
