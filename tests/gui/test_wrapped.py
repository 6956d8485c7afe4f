import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_tsimcne.gui._wrapped import BREAK, Wrapped, breakable

NAME = "/data/a plate/" + "0e21d7b3eea8cdbbed60" * 4 + "_with_<b>tags</b>.png"


@pytest.fixture
def panel(qtbot):
    made = QWidget()
    qtbot.addWidget(made)
    made.setLayout(QVBoxLayout())
    made.resize(200, 300)
    return made


@given(st.text(st.characters(exclude_characters=BREAK)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_text_is_the_same_without_the_places_where_it_may_break(text):
    assert breakable(text).replace(BREAK, "") == text
    longest = max((len(piece) for piece in breakable(text).replace(BREAK, " ").split()), default=0)
    assert longest < 20


def test_the_name_of_a_file_neither_widens_a_panel_nor_is_cut_off(panel):
    label = Wrapped()
    panel.layout().addWidget(label)
    panel.show()
    assert panel.width() == 200
    label.setText(NAME)
    QTest.qWait(0)
    assert panel.minimumSizeHint().width() < 200 and panel.width() == 200
    # It takes as many lines as it needs.
    lines = label.heightForWidth(label.width()) / label.fontMetrics().lineSpacing()
    assert lines >= label.fontMetrics().horizontalAdvance(NAME) / label.width()
    assert label.text() == NAME


def test_what_is_below_stays_where_it_is_while_lines_come_and_go(panel):
    label, below = Wrapped(lines=2), QWidget()
    panel.layout().addWidget(label)
    panel.layout().addWidget(below, 1)
    panel.show()
    places = set()
    for text in ("", "one line", "one line\nand another"):
        label.setText(text)
        panel.layout().activate()
        places.add(below.y())
    assert len(places) == 1


def test_what_is_copied_is_the_text_that_was_given(panel, qtbot):
    label = Wrapped(NAME)
    label.make_selectable()
    panel.layout().addWidget(label)
    panel.show()
    label.setSelection(0, len(breakable(NAME)))
    QTest.keyClick(label, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == NAME
    QGuiApplication.clipboard().clear()
    (copy,) = label.actions()
    copy.trigger()
    assert QGuiApplication.clipboard().text() == NAME
