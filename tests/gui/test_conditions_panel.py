"""The panel of conditions: what is guessed, shown, followed and saved."""

import threading
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from driving import needs_display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QImage
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore import Coloring, Exploration
from napari_tsimcne.export import condition_results
from napari_tsimcne.gui import _figure_view
from napari_tsimcne.gui._figure_theme import in_theme
from napari_tsimcne.gui._figure_view import Drawing, FigureView, _draw_all
from napari_tsimcne.gui.conditions import _conditions
from napari_tsimcne.gui.conditions._comparing_conditions import (
    MOST_DRAWN,
    SELECTION,
    Question,
    answer,
)
from napari_tsimcne.gui.conditions._condition_columns import Columns, likely_control
from napari_tsimcne.gui.conditions._conditions import VIEWS, ConditionsPanel
from napari_tsimcne.gui.export._exporting import frozen

NARROW = 340
LONG_MS = 30_000
A_WELL = 30


def plate(**columns):
    """Twelve wells of 30 patches: six of DMSO, six of a drug at rising doses."""
    wells = [f"{row}{column:02d}" for row in "AB" for column in range(1, 7)]
    well = np.repeat(wells, A_WELL)
    drug = np.where(np.char.startswith(well, "A"), "DMSO", "drug X")
    dose = np.array([int(name[1:]) for name in well]) * (drug == "drug X")
    count = len(well)
    return pd.DataFrame({
        "patch": np.arange(count), "image": [f"{name}.tif" for name in well],
        "t": 0, "z": 0, "y": np.arange(count) % 7.0, "x": np.arange(count) % 11.0,
        "size": 32, "label": pd.array([pd.NA] * count, "Int64"),
        "area": np.random.default_rng(0).normal(size=count),
        "well": well, "drug": drug, "dose (nM)": dose.astype(float), **columns,
    })  # fmt: skip


def exploration_of(table):
    """A map on which the drug moves patches to the right."""
    random = np.random.default_rng(0)
    places = random.normal(size=(len(table), 2))
    if "drug" in table:
        places[:, 0] += 3 * (table["drug"] == "drug X")
    features = random.normal(size=(len(table), 4))
    return Exploration(table, places, lambda: features)


# --- what is guessed ------------------------------------------------------------------------------


def test_columns_are_guessed_by_name_and_content():
    table = plate(n_objects=np.repeat(np.arange(12), A_WELL), batch=["one", "two"] * 180)
    found = Columns.of(table)
    assert found.conditions[0] == "drug"
    assert set(found.conditions) == {"drug", "well", "image", "batch", "n_objects"}
    assert found.replicate_of("drug") == "well" and found.replicate_of("well") == "image"
    assert found.wells == ["well"]
    assert found.doses == ["dose (nM)", "n_objects"], "area differs within images"
    assert found.dose == "dose (nM)"
    assert Columns.of(table.drop(columns="dose (nM)")).dose is None
    assert found.plate is None
    assert Columns.of(table.assign(Plate=["p1", "p2"] * 180)).plate == "Plate"


@pytest.mark.parametrize("values, control", [
    (["drug X", "DMSO"], "DMSO"), (["-1", "0", "1"], "-1"), (["0", "5"], "0"),
    (["a", "b"], None), (["treated", "untreated"], "untreated"),
    (["Positive control", "Negative control"], "Negative control"),
    (["LY294002", "Wortmannin"], None), (["basophil.png", "ig.png"], None),
    (["image_0.tif", "image_1.tif"], None), (["drug", "negCtrl"], "negCtrl"),
    (["0 nM", "5 nM"], "0 nM"), (["0.5", "5"], None), (["KO", "WT"], "WT"),
    (["growth", "Newton"], None), (["none", "H2O", "PBS"], "PBS"),
])  # fmt: skip
def test_the_control_is_guessed(values, control):
    assert likely_control(values) == control


# --- the panel ------------------------------------------------------------------------------------


@pytest.fixture
def shown(tmp_path, qtbot):
    """Makes a panel, as narrow as a dock, and shows it."""
    panels = []

    def show(table, clusters=True):
        exploration = exploration_of(table)
        if clusters:
            right = exploration.coordinates[:, 0] > 1.5
            exploration.clusters.create(right, name="right")
            exploration.clusters.create(~right & (exploration.coordinates[:, 1] > 0), name="top")
        run = SimpleNamespace(folder=tmp_path / "run")
        panel = ConditionsPanel(run, exploration, Coloring(exploration))
        panel.exploration = exploration
        panels.append(panel)
        qtbot.addWidget(panel)
        panel.resize(NARROW, 900)
        panel.show()
        qtbot.waitExposed(panel)
        settle(panel, qtbot)
        return panel

    yield show
    for panel in panels:
        panel.release()


def settle(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.busy, timeout=LONG_MS)


def go_to(panel, qtbot, view):
    place = panel.tabs.tabRect(list(VIEWS).index(view)).center()
    QTest.mouseClick(panel.tabs, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    settle(panel, qtbot)
    assert panel.view == view


def choose(panel, qtbot, choice, value):
    getattr(panel.form, choice).choose(value)
    settle(panel, qtbot)


def press(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def figures(panel):
    return len(panel.figures._images)


@needs_display
def test_shares_are_shown_with_what_is_sure_of_them(shown, qtbot):
    panel = shown(plate())
    form = panel.form
    assert (form.condition.value, form.replicate.value) == ("drug", "well")
    assert (form.control.value, form.treated.value) == ("DMSO", "drug X")
    assert figures(panel) == 3, "two clusters, and the patches in none"
    assert "'right': " in panel.words.text() and " in drug X, " in panel.words.text()
    assert not panel.hint.isVisible() and not form.dose.isVisible()
    choose(panel, qtbot, "cluster", 2)
    assert figures(panel) == 1
    choose(panel, qtbot, "replicate", None)
    assert "independent" in panel.words.text() and " in DMSO" not in panel.words.text()


@needs_display
def test_nothing_is_compared_before_a_control_is_known(shown, qtbot):
    table = plate()
    panel = shown(table.replace({"drug": {"DMSO": "drug Y"}}))
    form = panel.form
    assert form.control.value is None and not form.treated.isEnabled()
    assert figures(panel) == 3 and "p = " not in panel.words.text()
    assert form.columns()["treated"] is None
    go_to(panel, qtbot, "difference")
    assert figures(panel) == 0 and "Choose the control" in panel.hint.text()
    choose(panel, qtbot, "control", "drug Y")
    assert figures(panel) == 1 and form.treated.value == "drug X" and form.treated.isEnabled()
    go_to(panel, qtbot, "shares")
    assert "p = " in panel.words.text()


@needs_display
def test_figures_of_the_view_before_are_faint_until_there_are_others(shown, qtbot, monkeypatch):
    panel = shown(plate())
    drawing, go_on = threading.Event(), threading.Event()

    def draw(*given):
        drawing.set()
        go_on.wait(30)
        return _draw_all(*given)

    def darkest():
        picture = panel.figures.grab().toImage().convertToFormat(QImage.Format.Format_Grayscale8)
        rows = range(min(picture.height(), 150))
        return min(QColor(picture.pixel(x, y)).red() for x in range(picture.width()) for y in rows)

    before = darkest()
    monkeypatch.setattr(_figure_view, "_draw_all", draw)
    place = panel.tabs.tabRect(list(VIEWS).index("difference")).center()
    QTest.mouseClick(panel.tabs, Qt.MouseButton.LeftButton, pos=place)
    assert panel.figures.outdated and not panel.words.text()
    qtbot.waitUntil(drawing.is_set, timeout=LONG_MS)
    qtbot.waitUntil(lambda: not panel._newest.busy, timeout=LONG_MS)
    assert panel.figures.busy and panel.figures.outdated
    assert darkest() > before + 60
    go_on.set()
    settle(panel, qtbot)
    assert not panel.figures.outdated and darkest() < before + 30


@needs_display
def test_the_map_is_coloured_by_the_difference_until_it_moves(shown, qtbot):
    panel = shown(plate())
    go_to(panel, qtbot, "difference")
    assert figures(panel) == 1 and "lie differently on the map (p = 0.0" in panel.words.text()
    press(panel.color_button)
    coloring, exploration = panel._coloring, panel.exploration
    assert coloring.column == "drug X minus DMSO"
    values = exploration.table["drug X minus DMSO"]
    assert np.abs(values).max() <= 1
    assert coloring.limits[0] == -coloring.limits[1], "0 is in the middle of the colours"
    assert frozen(exploration).differences == {"drug X minus DMSO"}, "for exports, too"
    right = exploration.coordinates[:, 0] > 3
    assert (values[right] > 0).mean() > 0.9 > 0.1 > (values[~right & (
        exploration.coordinates[:, 0] < 0)] > 0).mean()  # fmt: skip
    exploration.move(-exploration.coordinates)
    assert coloring.column == "cluster" and "drug X minus DMSO" not in exploration.table
    settle(panel, qtbot)
    press(panel.color_button)
    assert (exploration.table["drug X minus DMSO"][right] > 0).mean() > 0.9


@needs_display
def test_plates_and_doses_are_shown(shown, qtbot):
    panel = shown(plate())
    go_to(panel, qtbot, "plate")
    assert figures(panel) == 2 and "of a well" in panel.words.text()
    assert not panel.form.plate.isVisible() and not panel.form.condition.isVisible()
    go_to(panel, qtbot, "dose")
    # DMSO has one dose only, and no trend.
    assert figures(panel) == 4 and "the dose of drug X" in panel.words.text()
    choose(panel, qtbot, "replicate", None)
    assert "independent" in panel.words.text()
    choose(panel, qtbot, "replicate", "well")
    choose(panel, qtbot, "condition", "well")
    assert "No trend" in panel.words.text()
    choose(panel, qtbot, "dose", None)
    assert figures(panel) == 0 and "Choose the column of the dose." in panel.hint.text()


@needs_display
def test_clusters_are_followed_while_the_panel_is_seen(shown, qtbot, monkeypatch):
    asked = []
    monkeypatch.setattr(_conditions, "answer", lambda e, q: (asked.append(q), answer(e, q))[1])
    panel = shown(plate())
    clusters = panel.exploration.clusters
    asked.clear()
    cluster = clusters.create(panel.exploration.coordinates[:, 1] < -1, name="low")
    clusters.describe(cluster.id, name="lowest")
    settle(panel, qtbot)
    assert len(asked) == 1 and figures(panel) == 4
    choose(panel, qtbot, "cluster", cluster.id)
    clusters.describe(cluster.id, name="down")
    assert panel.form.cluster.currentText() == "down", "what was chosen stays"
    settle(panel, qtbot)
    panel.hide()
    asked.clear()
    clusters.delete([cluster.id])
    qtbot.waitUntil(lambda: not panel._pause.isActive())
    assert not asked
    panel.show()
    settle(panel, qtbot)
    assert len(asked) == 1 and asked[0].cluster is None and figures(panel) == 3
    # A difference map is not of clusters.
    go_to(panel, qtbot, "difference")
    asked.clear()
    clusters.create(np.arange(360) < 5)
    assert not panel.busy and not asked


@needs_display
def test_the_selection_is_shared_out_without_clusters(shown, qtbot):
    panel = shown(plate(), clusters=False)
    assert "There are no clusters yet" in panel.hint.text() and figures(panel) == 0
    assert panel.form.cluster.value == SELECTION
    assert not panel.save_button.isEnabled() and "Make clusters" in panel.save_button.toolTip()
    selection = panel.exploration.selection
    selection.select(panel.exploration.coordinates[:, 0] > 2)
    settle(panel, qtbot)
    assert figures(panel) == 1 and not panel.hint.isVisible()
    assert "'selected patches'" in panel.words.text()
    before = panel.words.text()
    selection.invert()
    settle(panel, qtbot)
    assert panel.words.text() != before
    selection.clear()
    settle(panel, qtbot)
    assert figures(panel) == 0 and panel.hint.isVisible()
    go_to(panel, qtbot, "difference")
    assert figures(panel) == 1 and not panel.hint.isVisible()


@needs_display
def test_without_columns_it_says_how_to_join_some(shown, qtbot):
    nothing = plate()[["patch", "t", "z", "y", "x", "size", "label", "area"]]
    panel = shown(nothing.assign(image="one.tif"))
    for view in VIEWS:
        go_to(panel, qtbot, view)
        assert "choose a CSV file" in panel.hint.text() and figures(panel) == 0
    assert not panel.save_button.isEnabled() and not panel.color_button.isEnabled()
    images = shown(nothing.assign(image=["one.tif", "two.tif"] * 180))
    assert "Only the images" in images.hint.text() and figures(images) == 3
    go_to(images, qtbot, "plate")
    assert "No column names the wells" in images.hint.text()
    go_to(images, qtbot, "dose")
    assert "as doses do" in images.hint.text()


@needs_display
def test_what_fails_is_told(shown, qtbot, monkeypatch):
    panel = shown(plate())
    go_to(panel, qtbot, "difference")

    def refuse(exploration, question):
        raise InputError("some of the patches have no place")

    monkeypatch.setattr(_conditions, "answer", refuse)
    choose(panel, qtbot, "replicate", None)
    assert panel.words.text() == "Some of the patches have no place." and figures(panel) == 0
    assert not panel.color_button.isEnabled()
    monkeypatch.setattr(_conditions, "answer", answer)
    choose(panel, qtbot, "replicate", "well")
    assert figures(panel) == 1 and panel.color_button.isEnabled()


@needs_display
def test_tables_and_figures_are_saved_and_never_overwritten(shown, qtbot, tmp_path, monkeypatch):
    panel = shown(plate())
    choose(panel, qtbot, "dose", None)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    press(panel.save_button)
    assert panel.progress.job is None
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    for name in ("run-conditions", "run-conditions-2"):
        press(panel.save_button)
        assert panel.progress.isVisible() and not panel.save_button.isEnabled()
        qtbot.waitUntil(lambda: panel.progress.job is None, timeout=LONG_MS)
        assert panel.message.text() == f"Written: {tmp_path / name}"
        shares = pd.read_csv(tmp_path / name / "shares.csv")
        assert set(shares["cluster"]) == {"right", "top", "unassigned"}
        assert (tmp_path / name / "shares.png").stat().st_size > 1000
        (tmp_path / name / "shares.csv").touch()


@needs_display
def test_it_is_closed_while_it_computes(shown, qtbot, monkeypatch):
    panel = shown(plate())
    started, go_on = threading.Event(), threading.Event()

    def wait(exploration, question):
        started.set()
        go_on.wait(10)
        return answer(exploration, question)

    monkeypatch.setattr(_conditions, "answer", wait)
    go_to_place = panel.tabs.tabRect(1).center()
    QTest.mouseClick(panel.tabs, Qt.MouseButton.LeftButton, pos=go_to_place)
    assert started.wait(5)
    before = panel.words.text()
    panel.close()
    go_on.set()
    assert not panel.busy
    panel.exploration.clusters.create(np.arange(360) < 5)
    qtbot.waitUntil(lambda: panel._newest._worker is None, timeout=LONG_MS)
    assert not panel.busy and panel.words.text() == before


@needs_display
def test_it_fits_a_narrow_dock(shown, qtbot):
    table = plate(**{"a column of treatments with a very long name": ["short", "x" * 90] * 180})
    panel = shown(table)
    for view in VIEWS:
        go_to(panel, qtbot, view)
        assert panel.minimumSizeHint().width() <= NARROW and panel.width() == NARROW
        labels = [one for one in (panel.hint, panel.words) if one.isVisible()]
        assert all(label.height() >= label.heightForWidth(label.width()) for label in labels)
        assert panel.figures.height() == panel.figures.sizeHint().height()
    for place in range(panel.tabs.count()):
        text = panel.tabs.fontMetrics().horizontalAdvance(panel.tabs.tabText(place))
        assert panel.tabs.tabRect(place).width() > text
    assert panel.tabs.focusPolicy() & Qt.FocusPolicy.TabFocus
    panel.tabs.setFocus()
    QTest.keyClick(panel.tabs, Qt.Key.Key_Left)
    assert panel.view == "plate"


def test_of_many_clusters_the_largest_are_drawn():
    exploration = exploration_of(plate())
    exploration.clusters.replace(np.arange(360) % 20 % (MOST_DRAWN + 5))
    found = answer(exploration, Question("shares", "drug", "well", "DMSO"))
    assert len(found.drawings) == MOST_DRAWN
    assert f"The {MOST_DRAWN} largest of" in found.words


def test_a_plate_is_looked_at_by_itself():
    table = plate()
    both = pd.concat([table, table.assign(drug="DMSO")], ignore_index=True)
    both["plate"] = np.repeat(["one", "two"], len(table))
    exploration = exploration_of(both)
    exploration.clusters.create(both["plate"].eq("one").to_numpy(), name="of the first")
    asked = Question("plate", "drug", well="well", plate="plate", cluster=1)
    both = answer(exploration, asked)
    assert "from 0 % to 100 % of a well" in both.words and len(both.drawings) == 2
    second = Question("plate", "drug", well="well", plate="plate", on_plate="two", cluster=1)
    assert "from 0 % to 0 % of a well" in answer(exploration, second).words


def test_figures_follow_the_theme_and_come_back():
    exploration = exploration_of(plate())
    exploration.clusters.create(exploration.coordinates[:, 0] > 1, name="right")
    for view in VIEWS:
        asked = Question(view, "drug", "well", "DMSO", well="well", dose="dose (nM)")
        for drawing in answer(exploration, asked).drawings:
            figure = drawing.figure
            FigureCanvasAgg(figure)
            figure.canvas.draw()
            paper = np.asarray(figure.canvas.buffer_rgba()).copy()
            in_theme(figure, "#f0f1f2")
            figure.canvas.draw()
            dark = np.asarray(figure.canvas.buffer_rgba())
            if view == "difference":
                labels = [one.get_text() for one in figure.axes[1].get_yticklabels()]
                assert labels == ["denser in\nDMSO", "equal density", "denser in\ndrug X"]
            # The ground is seen through, and letters are light.
            assert (dark[..., 3] == 0).mean() > 0.1 and (paper[..., 3] == 255).all()
            texts = [text for text in figure.findobj(Text) if text.get_text() and text.axes is None]
            assert all(to_hex(text.get_color()) != "#222222" for text in texts)
            for ink in ("#f0f1f3", "#222222"):
                in_theme(figure, ink)
            figure.set_facecolor("white")
            figure.canvas.draw()
            assert np.abs(np.asarray(figure.canvas.buffer_rgba()).astype(int) - paper).mean() < 1


# --- figures --------------------------------------------------------------------------------------


@needs_display
def test_figures_are_as_wide_as_there_is_room(qtbot):
    view = FigureView()
    qtbot.addWidget(view)
    view.resize(300, 100)
    view.show()
    tall, square = Figure((6, 4)), Figure((5, 5))
    view.show_drawings([Drawing(tall, scales=False), Drawing(square, scales=True)])
    for width in (300, 420):
        view.resize(width, view.height())
        qtbot.waitUntil(lambda: not view.busy)
        first, second = (image.size() for image in view._images)
        ratio = view.devicePixelRatioF()
        assert abs(first.width() - width * ratio) <= 1 and abs(second.width() - width * ratio) <= 1
        assert abs(first.height() - 4 * 84 * ratio) <= 1
        assert abs(second.height() - width * ratio) <= 1
        assert view.height() == view.sizeHint().height()
    view.release()


def test_the_window_shows_the_differences_that_are_saved():
    table = plate()
    table["drug"] = table["drug"].where(table["well"] != "B05", "drug Z")
    table = table.assign(plate=np.where(np.arange(len(table)) % 2, "one", "two"))
    exploration = exploration_of(table)
    exploration.clusters.create(exploration.coordinates[:, 0] > 1, name="right")
    asked = Question("difference", "drug", "well", "DMSO")
    shown = answer(exploration, asked)
    saved = condition_results(exploration, asked.columns)
    assert list(saved.differences) == ["all others", "drug X", "drug Z"]
    assert len(shown.drawings) == 3 and shown.compared == "all others"
    assert shown.difference.p == saved.differences["all others"].p
    for sentence in (*saved.sentences("DMSO"), *saved.notes):
        assert sentence in shown.words
