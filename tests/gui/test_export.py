"""The export dialog: what is chosen in it is what is written, and nothing is overwritten unasked.

Needs a display: a real one, or Xvfb.
"""

import threading

import numpy as np
import pandas as pd
import pytest
import tifffile
from driving import add_dock, mapped, needs_display, open_run
from making import make_tiny_run
from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_tsimcne.explore import Coloring
from napari_tsimcne.export._kinds import KINDS, Written, default_name, kind_of
from napari_tsimcne.export._pictures import patch_side
from napari_tsimcne.gui.export._export import ExportDialog
from napari_tsimcne.gui.export._exporting import labels_of_layers, remembered_folder
from napari_tsimcne.gui.images._crops import Crops
from napari_tsimcne.gui.images._outlines import LinkedLayer
from napari_tsimcne.gui.steps._inputs import images_of, with_labels
from napari_tsimcne.recipe import Objects, Recipe
from napari_tsimcne.runs import Run, open_exploration
from napari_tsimcne.samples import synthetic_field

pytestmark = needs_display

SELECTED = np.array([3, 5, 8, 40])


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def press(choice):
    """Click a check box or a radio button on its mark."""
    place = choice.rect().center()
    place.setX(8)
    QTest.mouseClick(choice, Qt.MouseButton.LeftButton, pos=place)


def type_path(dialog, path):
    field = dialog.target.path
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, str(path))


def tick_cluster(dialog, row):
    ticks = dialog.patches.clusters
    place = ticks.visualItemRect(ticks.topLevelItem(row)).center()
    place.setX(10)
    QTest.mouseClick(ticks.viewport(), Qt.MouseButton.LeftButton, pos=place)


def wait(dialog, qtbot):
    qtbot.waitUntil(lambda: dialog.job is None, timeout=60_000)


@pytest.fixture
def run(tmp_path):
    return mapped(make_tiny_run(tmp_path / "runs" / "tiny"))


@pytest.fixture
def exploration(run):
    """81 patches: 30 in 'round', 20 in 'long', four selected."""
    exploration, rows = open_exploration(run), np.arange(81)
    exploration.clusters.create(rows < 30, "round")
    exploration.clusters.create((rows >= 30) & (rows < 50), "long")
    exploration.selection.select_rows(SELECTED)
    return exploration


@pytest.fixture
def coloring(exploration):
    return Coloring(exploration)


@pytest.fixture
def make_dialog(run, exploration, coloring, qtbot):
    def make():
        dialog = ExportDialog(run, exploration, coloring, Crops(run, {}))
        qtbot.addWidget(dialog)
        with qtbot.waitExposed(dialog):
            dialog.show()
        return dialog

    return make


@pytest.fixture
def dialog(make_dialog):
    return make_dialog()


class Held:
    """Stands in for an export that takes long, and asks at every step whether to go on."""

    def __init__(self):
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.names = []

    def __call__(self, kind, excerpt, path, *, told, **options):
        self.begun.set()
        while not self.go_on.wait(0.01):
            told("Writing", 1, 4)
        told("Writing", 4, 4)
        self.names = [cluster.name for cluster in excerpt.clusters]
        path.write_text("written")
        return Written(path, len(excerpt), 1, 7)


@pytest.fixture
def held(monkeypatch):
    held = Held()
    monkeypatch.setattr("napari_tsimcne.gui.export._exporting.export", held)
    yield held
    held.go_on.set()


# --- what is exported ---------------------------------------------------------------------------


def test_patches_and_their_counts_follow_the_map(dialog, exploration):
    button = dialog.export_button
    assert button.text() == "Export 81 patches"
    press(dialog.patches.selected)
    assert button.text() == "Export 4 patches" and button.isEnabled()
    exploration.selection.select_rows(np.array([7]))
    assert button.text() == "Export 1 patch" and "1" in dialog.patches.selected.text()
    exploration.selection.clear()
    assert button.text() == "Export 0 patches" and not button.isEnabled()

    # A tick of a cluster means that clusters are wanted.
    tick_cluster(dialog, 1)
    assert dialog.patches.of_clusters.isChecked() and button.text() == "Export 30 patches"
    tick_cluster(dialog, 0)
    assert not button.isEnabled()
    tick_cluster(dialog, 1)
    assert button.text() == "Export 20 patches"
    exploration.clusters.create(np.arange(81) >= 70, "flat")
    assert button.text() == "Export 31 patches"
    long = exploration.clusters.all[1]
    exploration.clusters.describe(long.id, name="very long")
    ticks = dialog.patches.clusters
    texts = [ticks.topLevelItem(row).text(0) for row in range(3)]
    assert texts == ["round", "very long", "flat"]
    excerpt = dialog.patches.excerpt(dialog.run)
    assert {cluster.name for cluster in excerpt.clusters} == {"very long", "flat"}
    exploration.clusters.delete([cluster.id for cluster in exploration.clusters.all])
    assert not ticks.isVisible() and not button.isEnabled()


def test_a_selection_becomes_a_table_by_the_keyboard(dialog, make_dialog, tmp_path, qtbot):
    press(dialog.patches.selected)
    type_path(dialog, tmp_path / "here" / "mine.csv")
    QTest.keyClick(dialog.target.path, Qt.Key.Key_Return)
    wait(dialog, qtbot)
    table = pd.read_csv(tmp_path / "here" / "mine.csv")
    assert list(table["patch"]) == list(SELECTED)
    assert list(table["cluster"]) == ["round", "round", "round", "long"]
    assert dialog.message.text().startswith("Wrote mine.csv: 4 patches, ")
    opened = []
    dialog.open_folder = opened.append
    click(dialog.folder_button)
    assert opened == [tmp_path / "here"] == [remembered_folder()]
    # The next one begins in that folder.
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert make_dialog().target.chosen_path() == tmp_path / "here" / "tiny-table.csv"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_is_written(dialog, kind, tmp_path, qtbot):
    dialog.kinds.choose(kind)
    type_path(dialog, tmp_path / "out" / default_name(dialog.run, kind))
    click(dialog.export_button)
    wait(dialog, qtbot)
    assert dialog.message.text().startswith("Wrote tiny-"), dialog.message.text()
    (written,) = (tmp_path / "out").iterdir()
    assert written.is_dir() == kind.is_folder
    opened = []
    dialog.open_folder = opened.append
    click(dialog.folder_button)
    assert opened == [written if kind.is_folder else written.parent]


# --- as what, and where to ----------------------------------------------------------------------


def test_arrow_keys_go_through_all_kinds(dialog):
    dialog.kinds.setFocus()
    seen = []
    for _ in KINDS:
        kind, target = dialog.kinds.kind, dialog.target
        seen.append(kind)
        assert target.chosen_path().name == default_name(dialog.run, kind)
        assert target.color_by.isVisible() == ("color_by" in kind.options)
        assert target.legend.isVisible() == ("legend" in kind.options)
        assert target.format.isVisible() == (len(kind.suffixes) > 1)
        assert not target.tiles.isVisible()  # there are no objects
        assert dialog.patches.all.isVisible() != kind.whole
        assert dialog.export_button.isEnabled()
        QTest.keyClick(dialog.kinds, Qt.Key.Key_Down)
    assert tuple(seen) == KINDS


def test_format_and_path_go_together(dialog, tmp_path):
    target = dialog.target
    dialog.kinds.choose(kind_of("figure"))
    target.format.setFocus()
    QTest.keyClick(target.format, Qt.Key.Key_Down)
    assert target.chosen_path().name == "tiny-figure.pdf"
    type_path(dialog, tmp_path / "fig 2.svg")
    assert target.format.value == ".svg"
    # A name the user gave stays, as far as it can.
    dialog.kinds.choose(kind_of("annotated"))
    assert target.chosen_path() == tmp_path / "fig 2.svg"
    dialog.kinds.choose(kind_of("crops"))
    assert target.chosen_path() == tmp_path / "fig 2"
    dialog.kinds.choose(kind_of("anndata"))
    assert target.chosen_path() == tmp_path / "fig 2.h5ad"
    type_path(dialog, tmp_path / "fig.xlsx")
    assert "'fig.xlsx' ends in .xlsx" in target.obstacle.text()
    assert not dialog.export_button.isEnabled()


def test_ticks_have_a_box_whatever_the_theme(dialog):
    ticks = dialog.patches.clusters
    tick_cluster(dialog, 1)
    for style in ("ClusterTicks { background: #222; color: #eee }",
                  "ClusterTicks { background: #eee; color: #222 }"):  # fmt: skip
        ticks.setStyleSheet(style)
        ticks.ensurePolished()
        picture = ticks.viewport().grab().toImage()
        for row in range(2):
            place = ticks.visualItemRect(ticks.topLevelItem(row))
            line = [picture.pixelColor(x, place.center().y()).lightness()
                    for x in range(place.left(), place.left() + 22)]  # fmt: skip
            ground = picture.pixelColor(place.right() - 1, picture.height() - 2).lightness()
            assert sum(abs(value - ground) > 60 for value in line) >= 2, (style, row, line)


def test_what_is_chosen_stands_out_and_the_path_has_room(dialog, tmp_path):
    kinds = dialog.kinds
    picture = kinds.viewport().grab().toImage()
    chosen, other = (kinds.visualItemRect(kinds.item(row)) for row in (1, 2))
    at = [picture.pixelColor(one.right() - 2, one.top() + 2) for one in (chosen, other)]
    assert at[0].blue() - at[0].red() > at[1].blue() - at[1].red() + 40
    field = dialog.target.path
    assert field.fontMetrics().averageCharWidth() * 40 < field.width()
    long = str(tmp_path / ("folder " * 20) / "map.csv")
    field.home(False)
    field.setText(long)
    # Of what is too long, the end is seen.
    assert field.cursorPosition() == len(long) and field.toolTip() == long


def test_letters_without_a_font_are_told(dialog, exploration, tmp_path, qtbot):
    exploration.clusters.create(np.arange(81) > 60, "\U00016a40")
    dialog.kinds.choose(kind_of("annotated"))
    type_path(dialog, tmp_path / "map.svg")
    click(dialog.export_button)
    wait(dialog, qtbot)
    assert "Some letters are in none of the installed fonts" in dialog.message.text()


def test_colours_are_those_of_the_map_until_chosen(dialog, coloring):
    dialog.kinds.choose(kind_of("figure"))
    assert dialog.target.options() == {"color_by": "cluster", "legend": True, "thumbnails": False}
    coloring.choose("density")
    assert dialog.target.options()["color_by"] == "density"
    field = dialog.target.color_by
    field.setFocus()
    QTest.keyClick(field, Qt.Key.Key_Home)
    coloring.choose("cluster")
    coloring.choose("density")
    assert dialog.target.options()["color_by"] == "cluster"
    dialog.kinds.choose(kind_of("html"))
    assert dialog.target.options() == {"color_by": "cluster"}


def test_a_folder_is_chosen_with_the_systems_dialog(dialog, tmp_path, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "other").touch()
    (tmp_path / "empty").mkdir()
    dialog.kinds.choose(kind_of("geojson"))
    for name, path in (("full", "full/tiny-geojson"), ("empty", "empty")):
        chosen = str(tmp_path / name)
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, c=chosen: c)
        click(dialog.target.browse_button)
        assert dialog.target.chosen_path() == tmp_path / path
    dialog.kinds.choose(kind_of("table"))
    chosen = str(tmp_path / "a.parquet"), ""
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: chosen)
    click(dialog.target.browse_button)
    assert dialog.target.chosen_path() == tmp_path / "a.parquet"
    assert dialog.target.format.value == ".parquet"


# --- nothing is lost ----------------------------------------------------------------------------


def test_nothing_is_overwritten_without_a_tick(dialog, tmp_path, qtbot):
    path = tmp_path / "mine.csv"
    path.write_text("mine")
    type_path(dialog, path)
    assert dialog.target.overwrite.isVisible() and not dialog.export_button.isEnabled()
    QTest.keyClick(dialog.target.path, Qt.Key.Key_Return)
    assert dialog.job is None and path.read_text() == "mine"
    press(dialog.target.overwrite)
    click(dialog.export_button)
    wait(dialog, qtbot)
    assert len(pd.read_csv(path)) == 81
    # The tick was for that file, once.
    assert not dialog.target.overwrite.isChecked() and not dialog.export_button.isEnabled()

    # A folder of something else is never replaced.
    dialog.kinds.choose(kind_of("crops"))
    type_path(dialog, dialog.run.folder)
    assert not dialog.target.overwrite.isVisible() and not dialog.export_button.isEnabled()
    assert "exists, and was not made by an export" in dialog.target.obstacle.text()


def test_a_folder_with_a_file_of_the_user_is_not_replaced(dialog, tmp_path, qtbot):
    out = tmp_path / "out"
    dialog.kinds.choose(kind_of("crops"))
    type_path(dialog, out)
    click(dialog.export_button)
    wait(dialog, qtbot)
    assert dialog.target.overwrite.isVisible()
    # What comes into it after the tick stays, too.
    press(dialog.target.overwrite)
    (out / "notes.txt").write_text("mine")
    click(dialog.export_button)
    wait(dialog, qtbot)
    assert "holds 'notes.txt', which no export has made" in dialog.message.text()
    assert (out / "notes.txt").read_text() == "mine"
    assert not dialog.target.overwrite.isVisible() and not dialog.export_button.isEnabled()
    assert "A folder of this name exists, and holds 'notes.txt'" in dialog.target.obstacle.text()
    (out / "notes.txt").unlink()
    dialog.kinds.choose(kind_of("labels"))
    type_path(dialog, out)
    assert "another kind ('crops')" in dialog.target.obstacle.text()
    type_path(dialog, tmp_path / "new.geojson")
    assert "written as a folder" in dialog.target.obstacle.text()


def test_what_appears_meanwhile_is_not_overwritten(dialog, tmp_path, qtbot):
    path = tmp_path / "mine.csv"
    type_path(dialog, path)
    path.write_text("of another program")
    click(dialog.export_button)
    wait(dialog, qtbot)
    assert path.read_text() == "of another program"
    assert "exists: choose another name" in dialog.message.text()
    assert dialog.target.overwrite.isVisible() and not dialog.folder_button.isVisible()


def test_a_failure_is_a_sentence_and_all_choices_stay(dialog, tmp_path, qtbot):
    (tmp_path / "file").touch()
    press(dialog.patches.selected)
    type_path(dialog, tmp_path / "file" / "mine.csv")
    click(dialog.export_button)
    wait(dialog, qtbot)
    text = dialog.message.text()
    assert "cannot be written" in text and "\n" not in text and text.endswith(".")
    assert dialog.patches.selected.isChecked() and dialog.export_button.isEnabled()
    assert dialog.target.chosen_path() == tmp_path / "file" / "mine.csv"
    type_path(dialog, dialog.run.folder / "mine.csv")
    click(dialog.export_button)
    wait(dialog, qtbot)
    assert "run's own folder" in dialog.message.text()


def test_it_is_cancelled_by_escape(dialog, held, tmp_path, qtbot):
    type_path(dialog, tmp_path / "mine.csv")
    click(dialog.export_button)
    assert dialog.close_button.text() == "Cancel" and not dialog.kinds.isEnabled()
    qtbot.waitUntil(lambda: dialog.bar.value() > 0)
    assert dialog.bar.isVisible() and dialog.bar.format() == "Writing: 1 of 4"
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    wait(dialog, qtbot)
    assert dialog.isVisible() and dialog.message.text() == "Cancelled: nothing was written."
    assert not list(tmp_path.glob("*mine*")) and dialog.kinds.isEnabled()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_what_was_there_when_it_began_is_exported(dialog, held, exploration, tmp_path, qtbot):
    type_path(dialog, tmp_path / "mine.csv")
    click(dialog.export_button)
    assert held.begun.wait(30)
    exploration.clusters.describe(exploration.clusters.all[0].id, name="changed")
    exploration.clusters.create(np.arange(81) > 60, "new")
    held.go_on.set()
    wait(dialog, qtbot)
    assert held.names == ["round", "long"]
    assert dialog.message.text() == "Wrote mine.csv: 81 patches, 7 bytes."


def test_a_map_that_is_left_is_written_to_its_end(dialog, held, exploration, tmp_path, qtbot):
    type_path(dialog, tmp_path / "mine.csv")
    click(dialog.export_button)
    dialog.leave()
    held.go_on.set()
    wait(dialog, qtbot)
    assert (tmp_path / "mine.csv").exists() and dialog.isVisible()
    assert not dialog.export_button.isEnabled()
    exploration.selection.clear()
    assert "4" in dialog.patches.selected.text()
    click(dialog.close_button)
    assert not dialog.isVisible()


# --- pictures and labels ------------------------------------------------------------------------


def test_pictures_stay_as_the_viewer_shows_them_at_the_beginning(run):
    layer, other = Image(np.zeros((9, 9))), Image(np.zeros((9, 9)))
    for one in (layer, other):
        one.contrast_limits_range = one.contrast_limits = (0, 60_000)
    crops = Crops(run, {"field": LinkedLayer(layer, "YX", (other,))})
    rows, before = np.arange(5), crops.pictures(np.arange(5))
    layer.colormap, other.colormap = "green", "magenta"
    before = crops.pictures(rows)
    still = crops.still()
    layer.contrast_limits = other.contrast_limits = (0, 500)
    layer.colormap = "red"
    crops.show_channel(1, False)
    assert not np.array_equal(crops.pictures(rows), before)
    found = []
    thread = threading.Thread(target=lambda: found.append(still(rows)))
    thread.start()
    thread.join(30)
    assert np.array_equal(found[0], before) and before.std() > 0
    first, second = crops.channel_names
    assert still.channels == ((first, "#00ff00"), (second, "#ff00ff"))
    assert crops.still().channels == ((first, "#ff0000"),) and still.side == patch_side(run)
    crops.close()
    assert np.array_equal(still(rows), before)


def test_label_images_that_are_layers_are_exported(viewer, qtbot, tmp_path):
    field = synthetic_field(cells=9)
    layer = viewer.add_image(field.image[0], name="DNA")
    objects = viewer.add_labels(field.labels, name="cells")
    inputs = with_labels(images_of([layer], ["YX"], joined=False), objects, [objects])
    recipe = Recipe.quick(Objects(size=24, border=True), batch_size=2)
    run = mapped(Run.create(tmp_path / "run", inputs.images, recipe, labels=inputs.labels))
    exploration = open_exploration(run)
    exploration.clusters.create(np.arange(len(run.table)) < 9, "first")
    found = labels_of_layers(run, inputs.layers)
    assert list(found) == ["DNA"]
    dialog = ExportDialog(
        run, exploration, Coloring(exploration), Crops(run, {}), None, lambda: found
    )
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.kinds.choose(kind_of("labels"))
    assert dialog.target.tiles.isVisible()
    type_path(dialog, tmp_path / "out")
    click(dialog.export_button)
    wait(dialog, qtbot)
    (file,) = (tmp_path / "out").glob("*.tif")
    first = np.isin(field.labels, run.table["label"][:9])
    assert np.array_equal(tifffile.imread(file) > 0, first)


# --- in the dock --------------------------------------------------------------------------------


def test_the_button_of_the_map_opens_it(viewer, run, qtbot, tmp_path):
    dock = add_dock(viewer, tmp_path / "new")
    assert not dock.map_panel.export_button.isEnabled()
    open_run(dock, run.folder, qtbot)
    click(dock.map_panel.export_button)
    dialog = dock.map_jobs.exporting
    assert dialog.isVisible() and not dialog.isModal()
    dock.explorer.exploration.selection.select_rows(SELECTED)
    press(dialog.patches.selected)
    type_path(dialog, tmp_path / "mine.csv")
    QTest.keyClick(dialog.target.path, Qt.Key.Key_Return)
    wait(dialog, qtbot)
    assert list(pd.read_csv(tmp_path / "mine.csv")["patch"]) == list(SELECTED)
    # Pressed again, it comes to the front; with another map it goes.
    click(dock.map_panel.export_button)
    assert dock.map_jobs.exporting is dialog
    open_run(dock, run.folder, qtbot)
    assert dock.map_jobs.exporting is None
    click(dock.map_panel.export_button)
    assert dock.map_jobs.exporting.isVisible()
    assert isinstance(dock.map_jobs.exporting.parent(), QWidget)
