"""Images of a run that were moved: the question where they are, asked once.

Needs a display: a real one, or Xvfb.
"""

import shutil
import threading

import numpy as np
import pytest
import tifffile
from driving import add_dock, mapped, needs_display, open_run
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QWidget

from napari_tsimcne.gui.dialogs._moved import FindImages, MovedImages
from napari_tsimcne.images import open_images
from napari_tsimcne.recipe import Grid, Recipe
from napari_tsimcne.runs import Run, missing_images

pytestmark = needs_display

NAMES = ("a.tif", "b.tif", "c.tif")


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.fixture
def run(tmp_path):
    """A run of three files, which were moved into two folders since."""
    random, folder = np.random.default_rng(0), tmp_path / "disk"
    folder.mkdir()
    for name in NAMES:
        tifffile.imwrite(folder / name, random.integers(0, 255, (64, 64)).astype(np.uint8))
    images = open_images(str(folder)).images
    recipe = Recipe.quick(Grid(size=16), batch_size=4)
    run = mapped(Run.create(tmp_path / "runs" / "of files", images, recipe))
    for name, place in zip(NAMES, ("archive/deep/er", "archive", "server"), strict=True):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        shutil.move(folder / name, tmp_path / place / name)
    return run


@pytest.fixture
def moved(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    parent.show()
    moved = MovedImages(parent)
    moved.told = []
    moved.found.connect(lambda: moved.told.append("found"))
    return moved


def search(dialog, folder, qtbot):
    dialog.choose_folder = lambda: str(folder)
    click(dialog.folder_button)
    qtbot.waitUntil(lambda: dialog.job is None, timeout=30_000)


def test_it_says_what_is_missing_and_searches_folders_in_turn(moved, run, tmp_path, qtbot):
    moved.ask(run)
    dialog = moved.dialog
    assert dialog.isVisible() and not dialog.isModal()
    assert dialog.text.text().startswith(
        "3 of 3 images of this run are not where they were (a.tif, b.tif, c.tif). Choose"
    )
    search(dialog, tmp_path / "runs", qtbot)
    assert dialog.text.text().startswith("None of them is there. Still missing: a.tif, b.tif,")
    search(dialog, tmp_path / "archive", qtbot)
    assert dialog.text.text().startswith("Found 2. Still missing: c.tif.") and not moved.told
    search(dialog, tmp_path / "server", qtbot)
    assert moved.told == ["found"] and moved.dialog is None
    again = Run.open(run.folder)
    assert missing_images(again) == ()
    assert [record.open().name for record in again.info.images] == list(NAMES)
    moved.ask(again)
    assert moved.dialog is None


def test_without_images_it_is_not_asked_again(moved, run):
    moved.ask(run)
    click(moved.dialog.without_button)
    assert moved.dialog is None and not moved.told
    moved.ask(run)
    assert moved.dialog is None
    moved.ask(run, again=True)
    QTest.keyClick(moved.dialog, Qt.Key.Key_Escape)
    assert moved.dialog is None


def test_what_was_found_is_shown_though_some_is_not(moved, run, tmp_path, qtbot):
    moved.ask(run)
    search(moved.dialog, tmp_path / "server", qtbot)
    click(moved.dialog.without_button)
    assert moved.told == ["found"]
    assert {record.name for record in missing_images(Run.open(run.folder))} == {"a.tif", "b.tif"}


def test_another_image_of_the_same_name_is_not_taken(moved, run, tmp_path, qtbot):
    (tmp_path / "wrong").mkdir()
    for name in NAMES:
        tifffile.imwrite(tmp_path / "wrong" / name, np.zeros((64, 64), np.uint8))
    moved.ask(run)
    search(moved.dialog, tmp_path / "wrong", qtbot)
    assert moved.dialog.text.text().startswith("None of them is there.")


def test_a_search_is_stopped_and_may_fail(moved, run, tmp_path, qtbot, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def locate(run, folder, told):
        begun.set()
        while not go_on.wait(0.01):
            told("Looking for images", 1, 3)
        raise OSError("the disk is gone")

    monkeypatch.setattr("napari_tsimcne.gui.dialogs._moved.locate_images", locate)
    moved.ask(run)
    dialog = moved.dialog
    dialog.choose_folder = lambda: str(tmp_path)
    click(dialog.folder_button)
    qtbot.waitUntil(lambda: dialog.bar.format() == "Looking for images: 1 of 3")
    assert dialog.bar.isVisible() and not dialog.folder_button.isEnabled()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: dialog.job is None)
    assert dialog.isVisible() and dialog.text.text().startswith("Stopped. 3 of 3")
    go_on.set()
    search(dialog, tmp_path, qtbot)
    assert "the disk is gone" in dialog.text.text() and dialog.folder_button.isEnabled()


def test_giving_up_the_choice_of_a_folder_changes_nothing(run, qtbot):
    dialog = FindImages(run)
    qtbot.addWidget(dialog)
    dialog.show()
    text = dialog.text.text()
    dialog.choose_folder = str
    click(dialog.folder_button)
    assert dialog.job is None and dialog.isVisible() and dialog.text.text() == text


# --- in the dock --------------------------------------------------------------------------------


def test_the_map_opens_at_once_and_images_come_later(viewer, run, tmp_path, qtbot):
    dock = add_dock(viewer, tmp_path / "new")
    open_run(dock, run.folder, qtbot)
    panel, exploration = dock.map_panel, dock.explorer.exploration
    assert dock.explorer.complete and len(viewer.layers) == 0
    assert "3 of 3 images" in panel.missing.text() and panel.find_button.isVisibleTo(dock)
    click(dock.map_jobs.moved.dialog.without_button)
    exploration.selection.select_patch(5)
    open_run(dock, run.folder, qtbot)
    assert dock.map_jobs.moved.dialog is None

    dock.column.ensureWidgetVisible(panel.find_button)
    click(panel.find_button)
    search(dock.map_jobs.moved.dialog, tmp_path, qtbot)
    qtbot.waitUntil(lambda: len(dock.explorer.link.layers) == 3)
    assert [layer.name for layer in viewer.layers][:3] == list(NAMES)
    assert not panel.missing.isVisibleTo(dock) and not panel.find_button.isVisibleTo(dock)
    assert list(dock.explorer.exploration.selection.rows) == [5]
    # The outline of the selected patch is there.
    assert len(dock.explorer.link.highlight.data) == 4
