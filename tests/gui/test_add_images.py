"""Mapping new images from the window: which are asked for, the job, and how they are shown."""

import shutil

import numpy as np
import pandas as pd
import pytest
import tifffile
from driving import mapped, needs_display
from linking import settle
from making import make_tiny_run
from qtpy.QtCore import QRect, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDialog, QWidget

from napari_tsimcne import Grid, ImageSource, Recipe, Run
from napari_tsimcne.explore import Clusters, Exploration
from napari_tsimcne.gui._explorer import Explorer
from napari_tsimcne.gui.dialogs._add_images import AddImages
from napari_tsimcne.gui.images._open import link_addition, link_images, show_now, shown_images
from napari_tsimcne.gui.jobs._adding import AddingJob
from napari_tsimcne.gui.map._map_card import PatchCard
from napari_tsimcne.gui.map._map_symbols import AddedLine, MapSymbols
from napari_tsimcne.gui.steps._inputs import Inputs, images_of, with_labels
from napari_tsimcne.images import open_file, open_images
from napari_tsimcne.recipe import Objects, Points
from napari_tsimcne.runs import (
    addition_names,
    complete_addition,
    cut_addition,
    extended,
    new_addition,
    open_exploration,
)
from napari_tsimcne.samples import CHANNELS, synthetic_field

pytestmark = needs_display

LEFT = Qt.MouseButton.LeftButton
WAIT_MS = 60_000


def field_image(name="more", seed=5, cells=3):
    return ImageSource.from_array(
        synthetic_field(cells=cells, seed=seed).image, "CYX", name=name, channel_names=CHANNELS
    )


def write_field(path, seed=5):
    tifffile.imwrite(path, synthetic_field(cells=3, seed=seed).image, metadata={"axes": "CYX"})
    return path


@pytest.fixture
def run(tmp_path):
    return mapped(make_tiny_run(tmp_path / "run"))


@pytest.fixture
def grey(viewer, tmp_path):
    """A run of one layer without channels, which is in the viewer."""
    layer = viewer.add_image(synthetic_field(cells=4).image[0], name="DNA")
    inputs = images_of([layer], ["YX"], joined=False)
    recipe = Recipe.quick(Grid(size=32), batch_size=8)
    return mapped(Run.create(tmp_path / "grey", inputs.images, recipe))


def add(run, images, unfamiliar=0):
    """Add images with made-up places on the map."""
    with new_addition(run) as folder:
        addition = cut_addition(run, folder, images)
        count = len(addition.table)
        familiarity = np.where(np.arange(count) < unfamiliar, 0.004, 0.5).astype(np.float32)
        x, y = np.random.default_rng(1).normal(size=(2, count)).astype(np.float32)
        placed = pd.DataFrame({"map_x": x, "map_y": y, "familiarity": familiarity,
                               "unfamiliar": familiarity < 0.01})  # fmt: skip
        complete_addition(run, addition, placed, np.ones((count, 8)))
    return addition.name


# --- the dialog ---------------------------------------------------------------------------------


@pytest.fixture
def ask(viewer, qtbot):
    """Opens the dialog on a run; gives it once it has looked at the layers."""
    opened = []

    def open_dialog(run):
        dialog = AddImages(viewer, run, viewer.window._qt_window)
        opened.append(dialog)
        dialog.show()
        qtbot.waitUntil(lambda: bool(dialog.message.text()))
        return dialog

    yield open_dialog
    for dialog in opened:
        dialog.reject()


def items(dialog):
    return [dialog.images.layer_list.item(i) for i in range(dialog.images.layer_list.count())]


def listed(dialog):
    return {item.text(): item.checkState() == Qt.CheckState.Checked for item in items(dialog)}


def set_tick(dialog, name, on, qtbot):
    """Change the tick of a row by the keyboard."""
    images = dialog.images.layer_list
    if listed(dialog)[name] != on:
        images.setCurrentItem(next(item for item in items(dialog) if item.text() == name))
        with qtbot.waitSignal(dialog.images.changed):
            QTest.keyClick(images, Qt.Key.Key_Space)
    assert listed(dialog)[name] == on


def press(button):
    QTest.mouseClick(button, LEFT)


def test_layers_that_are_no_part_of_the_run_are_listed_and_chosen(viewer, grey, ask, qtbot):
    viewer.add_image(synthetic_field(cells=3, seed=4).image[0], name="new")
    dialog = ask(grey)
    assert listed(dialog) == {"new": True}
    assert dialog.ok.isEnabled() and dialog.message.text().startswith("1 image, 1 channel")
    viewer.add_image(synthetic_field(cells=3, seed=5).image[0], name="late")
    qtbot.waitUntil(lambda: dialog.message.text().startswith("2 images"))
    assert listed(dialog) == {"new": True, "late": True}
    set_tick(dialog, "new", False, qtbot)
    qtbot.waitUntil(lambda: dialog.message.text().startswith("1 image"))
    press(dialog.ok)
    assert dialog.result() == QDialog.DialogCode.Accepted
    assert [image.name for image in dialog.chosen().images] == ["late"]


def test_what_does_not_fit_is_a_sentence_and_cannot_be_chosen(viewer, grey, ask, qtbot):
    viewer.add_image(synthetic_field(cells=3).image[0].astype(np.uint8), name="bytes")
    viewer.add_image(np.full((40, 40, 3), (9, 5, 7), np.uint8), name="colours")
    dialog = ask(grey)
    set_tick(dialog, "colours", False, qtbot)
    qtbot.waitUntil(lambda: "are uint8, those of the run uint16" in dialog.message.text())
    assert not dialog.ok.isEnabled()
    set_tick(dialog, "bytes", False, qtbot)
    set_tick(dialog, "colours", True, qtbot)
    qtbot.waitUntil(lambda: "3 channels (RGB), the run was trained on 1" in dialog.message.text())
    set_tick(dialog, "colours", False, qtbot)
    qtbot.waitUntil(lambda: "tick it" in dialog.message.text())
    assert not dialog.ok.isEnabled()
    dialog.accept()
    assert dialog.isVisible()


def test_channels_in_layers_are_joined(viewer, run, ask):
    for plane, name in zip(synthetic_field(cells=3, seed=4).image, CHANNELS, strict=True):
        viewer.add_image(plane, name=name)
    dialog = ask(run)
    (image,) = dialog.chosen().images
    assert image.name == "DNA + marker" and image.channels == 2
    assert "2 channels (DNA, marker), uint16" in dialog.findChildren(type(dialog.message))[0].text()


def test_files_are_chosen_like_layers(viewer, run, ask, qtbot, tmp_path, monkeypatch):
    paths = [str(write_field(tmp_path / f"{name}.tif", seed)) for seed, name in enumerate("ab")]
    monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getOpenFileNames", lambda *a, **k: (paths, ""))
    dialog = ask(run)
    assert not dialog.ok.isEnabled()
    press(dialog.images.files_button)
    qtbot.waitUntil(lambda: dialog.message.text().startswith("2 images, 2 channels"))
    assert [image.name for image in dialog.chosen().images] == ["a.tif", "b.tif"]
    assert not dialog.labels.isVisible() and not dialog.points.isVisible()


def test_the_files_of_a_run_are_not_offered_again(viewer, ask, qtbot, tmp_path):
    (image,) = open_file(write_field(tmp_path / "a.tif"))
    run = mapped(Run.create(tmp_path / "run", [image], Recipe.quick(Grid(size=32), batch_size=8)))
    link_images(viewer, run)
    dialog = ask(run)
    assert listed(dialog) == {}
    # Unless the user asks for them.
    dialog.images.add_files([tmp_path / "a.tif"])
    qtbot.waitUntil(lambda: listed(dialog) == {"a.tif": True})


def test_objects_of_layers_and_of_files(viewer, ask, qtbot, tmp_path):
    field = synthetic_field(cells=4)
    layer, labels = viewer.add_image(field.image[0], name="DNA"), viewer.add_labels(field.labels)
    inputs = with_labels(images_of([layer], ["YX"], joined=False), labels, [labels])
    recipe = Recipe.quick(Objects(size=32, border=True), batch_size=8)
    run = mapped(Run.create(tmp_path / "run", inputs.images, recipe, labels=inputs.labels))
    dialog = ask(run)
    other = synthetic_field(cells=3, seed=3)
    tifffile.imwrite(tmp_path / "file.tif", other.image[0])
    tifffile.imwrite(tmp_path / "file_labels.tif", other.labels)
    dialog.images.add_files([tmp_path / "file.tif"])
    qtbot.waitUntil(lambda: dialog.ok.isEnabled())
    assert dialog.label_files.isVisible() and not dialog.points.isVisible()
    press(dialog.ok)
    assert dialog.isVisible() and "label" in dialog.message.text()
    dialog.label_files.sources.setText(str(tmp_path / "file_labels.tif"))
    qtbot.waitUntil(lambda: dialog.label_files.state.text() == "1 label image")
    viewer.add_image(other.image[0], name="shown", translate=(0, 200))
    own = viewer.add_labels(other.labels, name="shown_labels", translate=(0, 200))
    qtbot.waitUntil(lambda: dialog.labels.isVisible())
    dialog.labels.choose_over_each()
    chosen = dialog.chosen()
    assert {name: image.name for name, image in chosen.labels.items()} == {
        "file.tif": "file_labels.tif", "shown": own.name
    }  # fmt: skip
    press(dialog.ok)
    assert not dialog.isVisible()


def test_points_of_layers(viewer, ask, qtbot, tmp_path):
    field = synthetic_field(cells=4)
    points = pd.DataFrame({"image": "own", "y": [40.0, 60.0] * 4, "x": np.arange(30, 110, 10)})
    image = ImageSource.from_array(field.image[0], "YX", name="own")
    recipe = Recipe.quick(Points(size=32), batch_size=4)
    run = mapped(Run.create(tmp_path / "run", [image], recipe, points=points))
    viewer.add_image(field.image[0], name="shown")
    dialog = ask(run)
    press(dialog.ok)
    assert dialog.isVisible() and "no Points layer" in dialog.message.text()
    viewer.add_points([[40, 50], [60, 60]], name="cells")
    press(dialog.ok)
    assert not dialog.isVisible() and len(dialog.chosen().points) == 2


# --- the job ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that a child has trained."""
    from napari_tsimcne.runs import TrainingProcess

    run = make_tiny_run(tmp_path_factory.mktemp("trained") / "run")
    *_, last = TrainingProcess(run.folder, device="cpu").events()
    assert last.kind == "finished"
    return run.folder


def start(job, qtbot, signal):
    with qtbot.waitSignal(signal, timeout=WAIT_MS) as waited:
        job.start()
    return waited.args


def test_the_job_adds_images_to_the_run(trained, qtbot, tmp_path):
    run = Run.open(shutil.copytree(trained, tmp_path / "run"))
    job, steps = AddingJob(run, Inputs([field_image()], {}), "cpu"), []
    job.placing.connect(lambda *step: steps.append(step))
    (name,) = start(job, qtbot, job.finished)
    assert name == "001-more" and addition_names(run) == [name]
    assert ("Cutting patches", 9, 9) in steps and steps[-1] == ("Embedding", 9, 9)
    both = extended(run)
    assert len(both.table) == 90 and both.table["familiarity"][81:].between(0, 1).all()


@pytest.mark.parametrize("when", ["Cutting patches", "Starting to embed"])
def test_stop_leaves_the_run_as_it_was(run, qtbot, when):
    job = AddingJob(run, Inputs([field_image()], {}), "cpu")
    job.placing.connect(lambda what, done, total: job.stop() if what == when else None)
    start(job, qtbot, job.cancelled)
    assert [path.name for path in (run.folder / "added").iterdir()] == ["adding.lock"]
    assert extended(run) is run


def test_a_job_that_is_closed_says_nothing_and_cleans_up(run, qtbot):
    job, told = AddingJob(run, Inputs([field_image()], {}), "cpu"), []
    for signal in (job.finished, job.failed, job.cancelled):
        signal.connect(lambda *args: told.append(args))
    job.placing.connect(lambda what, *rest: job.close() if what == "Starting to embed" else None)
    job.start()
    qtbot.waitUntil(lambda: job._closed.is_set(), timeout=WAIT_MS)
    added = run.folder / "added"
    qtbot.waitUntil(lambda: [path.name for path in added.iterdir()] == ["adding.lock"])
    settle()
    assert not told


def test_what_fails_is_said(run, qtbot):
    (reason,) = start(job := AddingJob(run, Inputs([field_image()], {}), "cpu"), qtbot, job.failed)
    assert "weights.safetensors" in reason and not addition_names(run)
    wrong = ImageSource.from_array(np.zeros((9, 9), np.uint8), name="wrong")
    (reason,) = start(job := AddingJob(run, Inputs([wrong], {}), "cpu"), qtbot, job.failed)
    assert "trained on 2" in reason


# --- explored with the run ----------------------------------------------------------------------


def test_an_addition_is_explored_with_the_run(viewer, grey, qtbot):
    before = shown_images(viewer, grey)
    layer = viewer.add_image(synthetic_field(cells=3, seed=4).image[0], name="new",
                             translate=(0, 140))  # fmt: skip
    inputs = images_of([layer], ["YX"], joined=False)
    name = add(grey, inputs.images, unfamiliar=2)
    both = extended(grey)
    layers = before | link_addition(viewer, both, name, inputs.layers)[0]
    assert {key: linked.layer.name for key, linked in layers.items()} == {
        "DNA": "DNA", "new": "new"
    }  # fmt: skip
    beside = QWidget()
    viewer.window.add_dock_widget(beside, area="right")
    explorer = Explorer(viewer, both, open_exploration(both), layers, beside)
    try:
        assert explorer.link.patch_at((16, 156)) == 16
        pictures = explorer.crops.pictures(np.array([20, 3, 17]))
        assert pictures.shape == (3, 32, 32, 3) and pictures.any(axis=(1, 2, 3)).all()
        explorer.exploration.clusters.create(both.table["unfamiliar"].to_numpy(), name="odd")
    finally:
        explorer.close()
    assert shown_images(viewer, both).keys() == {"DNA", "new"}
    assert open_exploration(extended(grey)).clusters.sizes() == {1: 2}


def test_colours_and_columns_are_there_again_in_the_window(viewer, grey, qtbot):
    grey.table = grey.table.assign(dose=np.arange(len(grey.table)) % 4)
    beside = QWidget()
    viewer.window.add_dock_widget(beside, area="right")
    layers = shown_images(viewer, grey)
    explorer = Explorer(viewer, grey, open_exploration(grey), layers, beside)
    kept = pd.DataFrame({"neighbours kept": np.linspace(0, 1, len(grey.table))})
    explorer.exploration.add_columns(kept, "checks")
    explorer.coloring.choose("dose")
    explorer.coloring.show_as("classes")
    explorer.coloring.choose("neighbours kept")
    explorer.close()
    again = Explorer(viewer, grey, open_exploration(grey), layers, beside)
    try:
        assert again.coloring.column == "neighbours kept"
        assert again.map_view.legend.choice.value == "neighbours kept"
        again.coloring.choose("dose")
        assert again.coloring.kind == "classes"
        # Clusters that are made by an algorithm are what is coloured by then.
        again.clusters_view.automatic.applied.emit()
        assert again.coloring.column == "cluster"
        # Of another map nothing is left.
        again.exploration.move(again.exploration.coordinates + 1)
        assert "neighbours kept" not in again.exploration.table
    finally:
        again.close()
    assert "neighbours kept" not in open_exploration(grey).table


def test_a_layer_of_a_name_that_is_taken_is_found_again(viewer, grey):
    viewer.layers["DNA"].name = "kept"
    layer = viewer.add_image(synthetic_field(cells=3, seed=4).image[0], name="DNA")
    name = add(grey, images_of([layer], ["YX"], joined=False).images)
    found = shown_images(viewer, extended(grey))
    assert {key: linked.layer for key, linked in found.items()} == {f"DNA ({name})": layer}


def test_files_that_are_added_are_shown_below_the_others(viewer, tmp_path):
    first, _ = open_images(*(write_field(tmp_path / f"{n}.tif", seed=n) for n in range(2)))
    run = mapped(Run.create(tmp_path / "run", first, Recipe.quick(Grid(size=32), batch_size=8)))
    shown = link_images(viewer, run)
    more, _ = open_images(*(write_field(tmp_path / f"{n}.tif", seed=n) for n in range(2, 5)))
    name = add(run, more)
    both = extended(run)
    later = show_now(link_addition(viewer, both, name, {})[1])
    boxes = [QRect(*np.array(linked.layer.translate[::-1]).astype(int), 96, 96)
             for linked in (shown | later).values()]  # fmt: skip
    assert len(boxes) == 5
    assert not any(a.intersects(b) for i, a in enumerate(boxes) for b in boxes[:i])
    # They have the same places when all is opened at once.
    places = {key: tuple(linked.layer.translate) for key, linked in (shown | later).items()}
    viewer.layers.clear()
    again = link_images(viewer, both)
    assert {key: tuple(linked.layer.translate) for key, linked in again.items()} == places


# --- on the map ---------------------------------------------------------------------------------


@pytest.fixture
def both(run):
    add(run, [field_image()], unfamiliar=2)
    return extended(run)


def test_each_kind_of_patch_has_a_symbol_of_its_own(viewer, both):
    layer = viewer.add_points(both.coordinates)
    symbols = MapSymbols(both.table)
    symbols.draw(layer, np.arange(90))
    drawn = [str(symbol) for symbol in layer.symbol]
    assert drawn == ["disc"] * 81 + ["x"] * 2 + ["triangle_up"] * 7
    layer.data = both.coordinates[[85, 3, 81]]
    symbols.draw(layer, np.array([85, 3, 81]))
    assert [str(symbol) for symbol in layer.symbol] == ["triangle_up", "disc", "x"]
    symbols.draw(layer, np.array([], np.intp))


def test_without_additions_nothing_is_drawn_otherwise(viewer, run, qtbot):
    layer = viewer.add_points(run.coordinates, symbol="square")
    MapSymbols(run.table).draw(layer, np.arange(81))
    assert {str(symbol) for symbol in layer.symbol} == {"square"}
    line = AddedLine(Exploration(run.table, run.coordinates, lambda: run.features))
    qtbot.addWidget(line)
    assert line.isHidden()


def test_the_line_counts_and_a_click_selects(both, qtbot):
    exploration = Exploration(both.table, both.coordinates, lambda: both.features)
    line = AddedLine(exploration)
    qtbot.addWidget(line)
    line.show()
    assert (line.added.text(), line.unfamiliar.text()) == ("9 added", "2 unfamiliar")
    press(line.added)
    assert exploration.selection.rows.tolist() == list(range(81, 90))
    QTest.mouseClick(line.unfamiliar, LEFT, Qt.KeyboardModifier.AltModifier)
    assert exploration.selection.rows.tolist() == list(range(83, 90))
    press(line.unfamiliar)
    assert exploration.selection.rows.tolist() == [81, 82]


def test_the_card_tells_what_was_added_and_is_unfamiliar(both, qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    card = PatchCard(parent, both.table, Clusters(90))
    told = [card._described(patch) for patch in (3, 81, 85)]
    assert "added" not in told[0] and "famil" not in told[0]
    assert "similar to no training patch: familiarity 0.004" in told[1]
    assert "added with 001-images, familiarity 0.5" in told[2]
