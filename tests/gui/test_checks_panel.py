"""The panel of checks: checking, what is shown of it, and what is done with it."""

import threading
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from driving import mapped, needs_display
from making import make_tiny_run
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import Coloring, Finding
from napari_tsimcne.gui.checks import _checking
from napari_tsimcne.gui.checks._checks import SOURCE, ChecksPanel
from napari_tsimcne.gui.checks._findings_list import MARKS
from napari_tsimcne.gui.images._crops import Crops
from napari_tsimcne.runs import open_exploration

pytestmark = needs_display

LEFT = Qt.MouseButton.LeftButton
NARROW = 340
LONG_MS = 30_000
ALIKE = np.array([3, 7, 11])


@pytest.fixture
def run(tmp_path):
    return mapped(make_tiny_run(tmp_path / "run"))


@pytest.fixture
def panel(run, qtbot):
    exploration = open_exploration(run)
    panel = ChecksPanel(run, exploration, Coloring(exploration), Crops(run, {}))
    qtbot.addWidget(panel)
    panel.resize(NARROW, 800)
    panel.show()
    qtbot.waitExposed(panel)
    yield panel
    panel.release()


@pytest.fixture
def made_up(run, monkeypatch):
    """Checks whose results are said beforehand, in place of real ones; may be held."""
    ranked = pd.DataFrame(
        {"score": [0.91, 0.4, 0.2], "by_chance": [0.1, -0.03, 0.18],
         "sentence": ["similar patches share it: possible confounder"] * 3},
        index=["image", "neighbours kept", "norm of H"],
    )  # fmt: skip
    count = len(run.table)
    found = SimpleNamespace(
        findings=(
            Finding("bad", "faithfulness", "Do not read neighbourhoods."),
            Finding("look", "duplicates", "1 group of patches is the same <twice>.", ALIKE),
            Finding("good", "empty", "No patch is empty."),
        ),
        confounds=SimpleNamespace(ranked=ranked),
        columns=lambda: pd.DataFrame(
            {"neighbours kept": np.linspace(0, 1, count), "saturated DNA": np.zeros(count)}
        ),
    )
    hold = SimpleNamespace(started=threading.Event(), go_on=threading.Event(), truths=[], ends=None)
    hold.go_on.set()

    def check(run, exploration, *, truth, told):
        hold.truths.append(truth)
        hold.started.set()
        while not hold.go_on.wait(0.005):
            told("Measuring patches", 20, 80)
        told("Measuring patches", 80, 80)
        if hold.ends is not None:
            raise hold.ends
        return found

    monkeypatch.setattr(_checking, "check_run", check)
    yield hold
    hold.go_on.set()


def press(button):
    QTest.mouseClick(button, LEFT)


def check(panel, qtbot):
    press(panel.check_button)
    qtbot.waitUntil(lambda: panel.progress.job is None, timeout=LONG_MS)


def row_of(panel, name):
    table = panel.followed
    return next(i for i in range(table.rowCount()) if table.item(i, 0).text() == name)


def test_a_map_is_checked(panel, run, qtbot):
    assert not panel.results.isVisible() and not panel.report_button.isEnabled()
    check(panel, qtbot)
    assert panel.results.isVisible() and panel.message.text() == ""
    findings = panel.checks.findings
    assert len(findings) >= 4 and len(panel.findings.sentences) == len(findings)
    for label, finding in zip(panel.findings.sentences, findings, strict=True):
        assert MARKS[finding.severity][2] in label.text()
    ranked = panel.checks.confounds.ranked
    shown = [panel.followed.item(i, 0).text() for i in range(panel.followed.rowCount())]
    assert shown == list(ranked.index)
    kept = panel._exploration.table["neighbours kept"]
    assert np.array_equal(kept, panel.checks.faithfulness.recall)
    press(panel.color_buttons["neighbours kept"])
    assert panel._coloring.column == "neighbours kept"
    assert panel._coloring.limits == pytest.approx(np.percentile(kept, (1, 99)))
    # Checked again, what was found before is not asked about.
    check(panel, qtbot)
    assert "neighbours kept" not in panel.checks.confounds.ranked.index
    assert panel._coloring.column == "neighbours kept"


def test_patches_of_a_finding_are_selected_and_that_is_undone(panel, made_up, qtbot):
    selection = panel._exploration.selection
    selection.select_rows(np.array([1]))
    check(panel, qtbot)
    (button,) = panel.findings.buttons
    assert button.text() == "Select 3"
    press(button)
    assert np.array_equal(selection.rows, ALIKE)
    panel._exploration.history.undo()
    assert np.array_equal(selection.rows, [1])
    assert "<twice>" in panel.findings.sentences[1].text()
    assert panel.summary.text() == "<b>Findings</b>: 1 not to trust, 1 to review, 1 OK"


def test_the_map_is_coloured_by_what_neighbourhoods_follow(panel, made_up, qtbot):
    check(panel, qtbot)
    table, coloring = panel.followed, panel._coloring
    press_at = table.visualItemRect(table.item(row_of(panel, "neighbours kept"), 1)).center()
    QTest.mouseClick(table.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, press_at)
    assert coloring.column == "neighbours kept"
    assert panel.color_buttons["neighbours kept"].isChecked()
    coloring.choose("cluster")
    assert not panel.color_buttons["neighbours kept"].isChecked()
    # By the keyboard too; what has no colours changes nothing.
    table.setFocus()
    QTest.keyClick(table, Qt.Key.Key_Down)
    assert table.currentRow() == row_of(panel, "norm of H")
    QTest.keyClick(table, Qt.Key.Key_Return)
    assert coloring.column == "cluster"
    QTest.keyClick(table, Qt.Key.Key_Up)
    QTest.keyClick(table, Qt.Key.Key_Return)
    assert coloring.column == "neighbours kept"
    assert "saturated DNA" not in panel.color_buttons, "the same in all patches"


def test_a_check_is_cancelled(panel, made_up, qtbot):
    check(panel, qtbot)
    before = panel.checks
    made_up.go_on.clear()
    press(panel.check_button)
    qtbot.waitUntil(lambda: panel.progress.bar.value() == 250)
    assert panel.progress.text.text() == "Measuring patches: 20 of 80"
    assert not panel.check_button.isEnabled()
    press(panel.progress.cancel_button)
    qtbot.waitUntil(lambda: panel.progress.job is None)
    assert panel.message.text() == "Cancelled." and panel.check_button.isEnabled()
    assert panel.checks is before and panel.results.isVisible() and not panel.progress.isVisible()


def test_a_check_that_fails_is_told(panel, made_up, qtbot):
    made_up.ends = InputError("the run has no map yet: train it first")
    check(panel, qtbot)
    assert panel.message.text() == "The run has no map yet: train it first."
    assert panel.check_button.isEnabled() and not panel.results.isVisible()


def test_results_stay_until_the_map_is_another(panel, made_up, qtbot):
    check(panel, qtbot)
    exploration, coloring = panel._exploration, panel._coloring
    coloring.choose("neighbours kept")
    exploration.clusters.create(np.arange(81) < 9)
    exploration.selection.invert()
    assert panel.results.isVisible() and panel.checks is not None
    with qtbot.waitSignal(panel.checked):
        exploration.move(exploration.coordinates + 1)
    assert panel.checks is None and not panel.results.isVisible()
    assert "neighbours kept" not in exploration.table and coloring.column == "cluster"
    assert "check it again" in panel.message.text()
    # Nor does what was begun with the map before come to be shown.
    made_up.go_on.clear()
    press(panel.check_button)
    qtbot.waitUntil(lambda: panel.progress.bar.value() == 250)
    exploration.move(exploration.coordinates + 1)
    made_up.go_on.set()
    assert panel.progress.job is None
    qtbot.wait(50)
    assert panel.checks is None


def test_it_is_closed_while_it_checks(panel, made_up, qtbot):
    made_up.go_on.clear()
    made_up.started.clear()
    press(panel.check_button)
    assert made_up.started.wait(5)
    job, exploration = panel.progress.job, panel._exploration
    panel.close()
    made_up.go_on.set()
    assert job._closed.is_set() and panel.progress.job is None
    exploration.move(exploration.coordinates + 1)
    assert SOURCE not in exploration._added


def test_a_truth_is_chosen(run, made_up, qtbot):
    run.table["class"] = list("abc") * 27
    exploration = open_exploration(run)
    panel = ChecksPanel(run, exploration, Coloring(exploration), Crops(run, {}))
    qtbot.addWidget(panel)
    panel.show()
    assert panel.truth.value is None and panel.truth.isEnabled()
    panel.truth.choose("class")
    check(panel, qtbot)
    assert made_up.truths == ["class"]
    panel.release()


def test_without_a_map_nothing_is_checked(tmp_path, made_up, qtbot):
    run = make_tiny_run(tmp_path / "other")
    exploration = open_exploration(run)
    panel = ChecksPanel(run, exploration, Coloring(exploration), Crops(run, {}))
    qtbot.addWidget(panel)
    panel.show()
    assert not panel.truth.isEnabled(), "there is no column of classes"
    press(panel.check_button)
    assert "no map yet" in panel.message.text() and not made_up.truths
    panel.release()


def choose_file(monkeypatch, path):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path) if path else "", ""))


def test_the_report_is_written(panel, run, qtbot, tmp_path, monkeypatch):
    check(panel, qtbot)
    choose_file(monkeypatch, None)
    press(panel.report_button)
    assert panel.progress.job is None and panel.message.text() == ""
    path = tmp_path / "report.html"
    choose_file(monkeypatch, tmp_path / "report")
    press(panel.report_button)
    qtbot.waitUntil(lambda: panel.progress.job is None, timeout=LONG_MS)
    assert panel.message.text() == f"Written: {path}"
    page = path.read_text(encoding="utf-8")
    assert "<html" in page and "data:image" in page
    # The dialog did not see that name, and has not asked whether to overwrite it.
    path.write_text("mine")
    press(panel.report_button)
    qtbot.waitUntil(lambda: panel.progress.job is None, timeout=LONG_MS)
    assert path.read_text() == "mine" and "exists" in panel.message.text()
    choose_file(monkeypatch, path)
    press(panel.report_button)
    qtbot.waitUntil(lambda: panel.progress.job is None, timeout=LONG_MS)
    assert "<html" in path.read_text(encoding="utf-8")


def test_it_fits_a_narrow_dock(panel, made_up, qtbot):
    check(panel, qtbot)
    assert panel.minimumSizeHint().width() <= NARROW and panel.width() == NARROW
    for label in (*panel.findings.sentences, panel.summary):
        assert label.height() >= label.heightForWidth(label.width())
    for button in (panel.check_button, panel.report_button, *panel.findings.buttons,
                   *panel.color_buttons.values()):  # fmt: skip
        assert button.width() >= button.minimumSizeHint().width()
        assert button.focusPolicy() & Qt.FocusPolicy.TabFocus and button.toolTip()
    table = panel.followed
    assert table.horizontalHeader().length() <= table.viewport().width()
    last = table.visualItemRect(table.item(table.rowCount() - 1, 0))
    assert table.viewport().rect().contains(last)
