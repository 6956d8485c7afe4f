"""The column of steps, and the bars in it."""

import pytest
from qtpy.QtCore import QPoint
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QApplication, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_tsimcne.gui._bar import Bar
from napari_tsimcne.gui.steps._column import Column


@pytest.fixture
def column(qtbot):
    """A column with a line that comes and goes, above many buttons."""
    content = QWidget()
    layout = QVBoxLayout(content)
    nested = QWidget()
    QVBoxLayout(nested)
    content.line = QLabel("opening images")
    content.line.setFixedHeight(70)
    nested.layout().addWidget(content.line)
    content.line.hide()
    layout.addWidget(nested)
    content.buttons = [QPushButton(str(i)) for i in range(30)]
    for button in content.buttons:
        layout.addWidget(button)
    made = Column(content)
    qtbot.addWidget(made)
    made.resize(300, 300)
    with qtbot.waitExposed(made):
        made.show()
    yield made
    QCursor.setPos(0, 0)


def place_of(column, widget):
    return widget.mapTo(column.viewport(), QPoint(0, 0)).y()


def show_line(column, qtbot, shown):
    """Let the line above come or go, and wait until all below has its place."""
    content = column.widget()
    height = content.height()
    content.line.setVisible(shown)
    qtbot.waitUntil(lambda: content.height() != height and not column._settling)


@pytest.mark.parametrize("pointed_at", [True, False])
def test_what_is_under_the_pointer_or_was_looked_at_stays_in_place(column, qtbot, pointed_at):
    stop = column.widget().buttons[12]
    if pointed_at:
        column.verticalScrollBar().setValue(stop.y() - 100)
        QCursor.setPos(stop.mapToGlobal(stop.rect().center()))
        column.widget().update()
    else:
        QCursor.setPos(column.mapToGlobal(QPoint(500, 500)))
        column.look_at(stop)
        qtbot.waitUntil(lambda: place_of(column, stop) < 300)
    QApplication.processEvents()
    before = place_of(column, stop)
    for shown in (True, False, True):
        show_line(column, qtbot, shown)
        assert place_of(column, stop) == before


def test_what_is_gone_is_not_kept_in_place(column, qtbot):
    content = column.widget()
    gone = content.buttons.pop(3)
    column.look_at(gone)
    QApplication.processEvents()
    gone.deleteLater()
    show_line(column, qtbot, True)
    assert content.line.isVisible()


def test_a_bar_shows_that_something_is_done_and_then_how_far_it_is(qtbot):
    bar = Bar()
    qtbot.addWidget(bar)
    bar.show()
    bar.count(0, 0, "Looking")
    first = bar.text()
    assert bar.waiting and first.startswith("Looking") and bar.isTextVisible()
    # It goes on moving by itself, and rests while it is hidden.
    qtbot.waitUntil(lambda: bar.text() != first)
    bar.hide()
    assert not bar._turn.isActive()
    bar.show()
    assert bar._turn.isActive()
    bar.count(1, 4)
    assert not bar.waiting and bar.value() == bar.maximum() / 4 and not bar.isTextVisible()
    bar = Bar(says=True)
    qtbot.addWidget(bar)
    bar.count(1, 4)
    assert bar.isTextVisible() and bar.text() == "25%"
