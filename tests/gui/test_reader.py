"""Run folders opened by napari itself, its menus, and its samples."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import npe2
import pytest
from driving import mapped, needs_display
from making import make_tiny_run
from napari.layers import Image
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QAction, QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui import TsimcneDock, _reader
from napari_tsimcne.gui._reader import open_dock, run_reader
from napari_tsimcne.gui._waiting import in_thread
from napari_tsimcne.samples import CHANNELS

PLUGIN = "napari-tsimcne"


@pytest.fixture
def run(tmp_path):
    return mapped(make_tiny_run(tmp_path / "run"))


@pytest.fixture
def opened(monkeypatch):
    """Stands in for the dock; gives the folders that were opened."""
    folders = []

    class Dock:
        def open_run(self, folder):
            folders.append(folder)

    monkeypatch.setattr(_reader, "open_dock", Dock)
    return folders


# --- what it takes --------------------------------------------------------------------------------


def test_run_folders_and_their_description_are_taken(run, opened):
    for path in (run.folder, str(run.folder), run.folder / "run.json"):
        assert run_reader(path)(path) == [(None,)]
    assert opened == [run.folder] * 3


def test_a_run_without_a_map_is_taken(tmp_path, opened):
    folder = make_tiny_run(tmp_path / "run").folder
    assert run_reader(folder)(folder) == [(None,)] and opened == [folder]


def test_all_else_is_declined(run, tmp_path):
    (tmp_path / "empty").mkdir()
    other = tmp_path / "other"
    other.mkdir()
    (other / "run.json").write_text(json.dumps({"command": "python", "arguments": []}))
    (tmp_path / "images" / "run.json").mkdir(parents=True)
    for path in (
        tmp_path / "empty", other, other / "run.json", tmp_path / "images", tmp_path / "nowhere",
        run.folder / "recipe.json", run.folder / "patches.npy", [str(run.folder)],
        "https://example.org/run.json",
    ):  # fmt: skip
        assert run_reader(path) is None, path


def test_declining_imports_nothing_heavy(tmp_path):
    code = (
        "import sys\n"
        "from napari_tsimcne.gui import run_reader\n"
        f"assert run_reader({str(tmp_path)!r}) is None\n"
        "heavy = {'torch', 'napari', 'numpy', 'pandas', 'matplotlib', 'qtpy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_files_of_other_readers_are_not_asked_about(run):
    """napari has users choose where several readers may take a file."""
    manager = npe2.PluginManager()
    manager.discover()
    for name in ("cells.tif", "run.tif", "notes.json", "my-run.json"):
        readers = manager.iter_compatible_readers([str(run.folder / name)])
        assert PLUGIN not in {reader.plugin_name for reader in readers}
    # Nor about folders, of which napari does not look whether one is a run.
    (run.folder / "cells.zarr").mkdir()
    for folder in (run.folder, run.folder / "cells.zarr"):
        readers = manager.iter_compatible_readers([str(folder)])
        assert PLUGIN not in {reader.plugin_name for reader in readers}
    readers = manager.iter_compatible_readers([str(run.folder / "run.json")])
    assert PLUGIN in {reader.plugin_name for reader in readers}


# --- in the window --------------------------------------------------------------------------------


def dock_of(viewer):
    """The dock that is shown; None where there is none."""
    shown = viewer.window.dock_widgets.values()
    return next((widget for widget in shown if isinstance(widget, TsimcneDock)), None)


@needs_display
def test_opening_a_run_shows_its_map_in_the_dock(viewer, run):
    assert viewer.open(run.folder / "run.json", plugin=PLUGIN) == []
    dock = dock_of(viewer)
    assert dock.isVisible() and dock.explorer.run.folder == run.folder
    # Another one is shown in the same dock.
    other = mapped(make_tiny_run(run.folder.parent / "other", seed=1))
    viewer.open(other.folder / "run.json", plugin=PLUGIN)
    assert dock_of(viewer) is dock and dock.explorer.run.folder == other.folder


@needs_display
def test_what_is_wrong_with_a_run_is_told(viewer, run, monkeypatch):
    told = []
    monkeypatch.setattr("napari.utils.notifications.show_error", told.append)
    (run.folder / "recipe.json").unlink()
    assert viewer.open(run.folder / "run.json", plugin=PLUGIN) == []
    assert len(told) == 1 and "lacks its file" in told[0]


@needs_display
def test_a_description_of_something_else_is_refused(viewer, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ValueError, match="refused"):
        viewer.open(tmp_path / "run.json", plugin=PLUGIN)
    assert dock_of(viewer) is None


def drop(target, path):
    """Drop a path onto a widget."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    how = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton,
           Qt.KeyboardModifier.NoModifier)  # fmt: skip
    QApplication.sendEvent(target, QDragEnterEvent(QPoint(50, 50), *how))
    QApplication.sendEvent(target, QDropEvent(QPointF(50, 50), *how))


@needs_display
def test_a_run_folder_dropped_onto_the_dock_opens(viewer, run, qtbot):
    dock = open_dock()
    for onto_list in (False, True):
        drop(dock.form.images.layer_list.viewport() if onto_list else dock, run.folder)
        assert dock.explorer.run.folder == run.folder
        assert not dock.form.images._table.rows
        viewer.window.remove_dock_widget(dock)
        dock = open_dock()
    (run.folder.parent / "empty").mkdir()
    drop(dock, run.folder.parent / "empty")
    assert dock.explorer is None


@needs_display
def test_the_description_of_a_run_dropped_onto_napari_opens_it_unasked(viewer, run):
    drop(viewer.window._qt_viewer, run.folder / "run.json")
    assert dock_of(viewer).explorer.run.folder == run.folder


def test_without_a_window_it_says_so(run, monkeypatch):
    monkeypatch.setattr("napari.current_viewer", lambda: None)
    with pytest.raises(InputError, match="no napari window"):
        open_dock()


# --- menus ----------------------------------------------------------------------------------------


def entry(menu, *titles):
    """The entry of a menu under titles of submenus."""
    for title in titles:
        menu.aboutToShow.emit()
        found = [action for action in menu.actions() if action.text().replace("&", "") == title]
        assert found, (title, [action.text() for action in menu.actions()])
        (action,) = found
        menu = action.menu()
    return action


@needs_display
@pytest.mark.parametrize("menu", ["Visualize", "Classify"])
def test_the_dock_is_opened_from_the_menus_of_layers(viewer, menu):
    action = entry(viewer.window.layers_menu, menu, f"Map and cluster patches ({PLUGIN})")
    assert isinstance(action, QAction) and action.isEnabled()
    action.trigger()
    assert dock_of(viewer).isVisible()
    # It is no switch: chosen again, the dock stays.
    action.trigger()
    assert dock_of(viewer).isVisible()


@needs_display
def test_the_menu_of_plugins_opens_and_closes_the_same_dock(viewer, run, qtbot):
    switch = entry(viewer.window.plugins_menu, f"t-SimCNE ({PLUGIN})")
    switch.trigger()
    dock = dock_of(viewer)
    qtbot.waitUntil(dock.isVisible)
    assert open_dock() is dock
    switch.trigger()
    assert not dock.isVisible()
    viewer.open(run.folder / "run.json", plugin=PLUGIN)
    assert dock_of(viewer) is dock and dock.isVisible()
    assert len([name for name in viewer.window.dock_widgets if name.startswith("t-SimCNE (")]) == 1


@needs_display
@pytest.mark.parametrize(
    ("title", "layers"),
    [
        ("Synthetic nuclei (two channels, five phenotypes)", len(CHANNELS)),
        ("Stained tissue (RGB, from scikit-image)", 1),
    ],
)
def test_samples_are_in_the_menu_of_files(viewer, title, layers):
    entry(viewer.window.file_menu, "Open Sample", PLUGIN, title).trigger()
    assert len([layer for layer in viewer.layers if isinstance(layer, Image)]) == layers


def test_the_manifest_names_menus_that_napari_has():
    from napari._app_model.constants._menus import is_menu_contributable

    path = Path(_reader.__file__).parents[1] / "napari.yaml"
    menus = npe2.PluginManifest.from_file(path).contributions.menus
    assert menus and all(is_menu_contributable(menu) for menu in menus)


@needs_display
def test_what_napari_waits_for_is_done_while_the_window_is_drawn(qtbot):
    """As imports and samples, which take seconds."""
    ready = threading.Event()

    def work():
        assert QApplication.overrideCursor().shape() == Qt.CursorShape.WaitCursor
        assert ready.wait(30)
        return threading.current_thread()

    # An event that comes meanwhile is what ends the work.
    QTimer.singleShot(0, ready.set)
    assert in_thread(work) is not threading.main_thread()
    assert QApplication.overrideCursor() is None

    def fails():
        raise InputError("no such sample")

    with pytest.raises(InputError, match="no such sample"):
        in_thread(fails)
    assert QApplication.overrideCursor() is None
