"""What is cut, chosen in the window: grid, objects, points; preview; the link of what was cut."""

import dask.array
import numpy as np
import pandas as pd
import pytest
import tifffile
from choosing import add_forms
from driving import (
    add_dock,
    drag,
    let_layout_settle,
    mapped,
    needs_display,
    open_run,
    press_train,
    to_canvas,
)

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui._fields import length_spin
from napari_tsimcne.gui.images._outlines import VIEW
from napari_tsimcne.images import open_file
from napari_tsimcne.patches import count_grid
from napari_tsimcne.recipe import Background, Depth, Grid, Objects, Points, Recipe
from napari_tsimcne.runs import Run, open_exploration
from napari_tsimcne.samples import synthetic_field

pytestmark = needs_display

PIXEL_SIZE = 0.65
SPACE = {"scale": (PIXEL_SIZE, PIXEL_SIZE), "units": ("µm", "µm")}


def add_cells(viewer):
    """Add a field of 81 cells in two channels, and a layer of its cells."""
    field = synthetic_field(cells=9)
    for plane, name in zip(field.image, ("DNA", "marker"), strict=True):
        viewer.add_image(plane, name=name, blending="additive", **SPACE)
    viewer.add_labels(field.labels, name="cells", **SPACE)


@pytest.fixture
def cells(viewer):
    """The forms in a viewer with a field of cells."""
    add_cells(viewer)
    forms = add_forms(viewer)
    yield forms
    forms.release()


@pytest.fixture
def dock(viewer, tmp_path):
    """The dock in a viewer with a field of cells."""
    add_cells(viewer)
    dock = add_dock(viewer, tmp_path / "run")
    # The Labels layer that is open suggests objects.
    dock.form.patches.kind.choose(Grid)
    viewer.layers.selection.active = viewer.layers["DNA"]
    return dock


def count(forms):
    """How many patches of a grid there are at most."""
    images = [image.at_depth(forms.patches.depth()) for image in forms.inputs().images]
    return sum(count_grid(image, forms.patches.patches()) for image in images)


def told(dock):
    """What the dock says of the patches."""
    return dock.form.patches_step.summary.text()


def wait_for(dock, qtbot, text):
    try:
        qtbot.waitUntil(lambda: told(dock).startswith(text), timeout=30_000)
    except qtbot.TimeoutError:
        pytest.fail(f"'{text}' is not told, but '{told(dock)}'")


def texts(combo):
    return [combo.itemText(i) for i in range(combo.count())]


def click(viewer, world):
    native = viewer.window._qt_viewer.canvas.native
    drag(native, [to_canvas(viewer, native, np.asarray(world)[-2:])])


# --- objects and points -------------------------------------------------------------------------


def test_objects_of_a_labels_layer_from_choice_to_click(dock, viewer, qtbot):
    patches = dock.form.patches
    patches.kind.choose(Objects)
    patches.border.setChecked(True)
    assert patches.size.text() == "from the objects"
    wait_for(dock, qtbot, "81 patches")
    press_train(dock, qtbot)
    table = dock.explorer.run.table
    labels = viewer.layers["cells"].data
    assert sorted(table["label"]) == sorted(set(labels.flat) - {0})
    assert {"area", "mean DNA", "mean marker"} <= set(table)
    let_layout_settle(dock.explorer.map_view, qtbot)

    # A click on a pixel of a cell, far from its centre: its point, though windows overlap.
    row = table.iloc[37]
    y, x = np.argwhere(labels == row["label"])[0]
    click(viewer, np.array([y, x]) * PIXEL_SIZE)
    assert list(dock.explorer.exploration.selection.rows) == [37]
    view = dock.explorer.map_view
    assert np.array_equal(view.chosen.data, view.points[[37]])
    corner = dock.explorer.link.highlight.data[0, 0]
    assert corner == pytest.approx(row[["y", "x"]].to_numpy(float) - row["size"] / 2)

    # Clicks still find patches while only the other channel is seen, and once DNA is gone.
    viewer.layers["DNA"].visible = viewer.layers["cells"].visible = False
    assert dock.explorer.link.patch_at((row.y * PIXEL_SIZE, row.x * PIXEL_SIZE)) == 37
    del viewer.layers["DNA"]
    assert dock.explorer.link.patch_at((row.y * PIXEL_SIZE, row.x * PIXEL_SIZE)) == 37


def test_each_image_takes_the_labels_over_it(viewer, qtbot, tmp_path):
    for number in range(2):
        field = synthetic_field(cells=3 + number, seed=number)
        place = {"translate": (0, 200 * number)}
        viewer.add_image(field.image[0], name=f"field {number}", **place)
        viewer.add_labels(field.labels, name=f"cells {number}", **place)
    dock = add_dock(viewer, tmp_path / "run")
    patches = dock.form.patches
    patches.kind.choose(Objects)
    patches.border.setChecked(True)
    patches.labels.choose_over_each()
    wait_for(dock, qtbot, "25 patches")
    labels = dock.form.inputs().labels
    assert {name: label.name for name, label in labels.items()} == {
        "field 0": "cells 0", "field 1": "cells 1"
    }  # fmt: skip
    patches.labels.choose(viewer.layers["cells 1"])
    assert "does not lie over the image 'field 0'" in told(dock)
    patches.labels.choose_over_each()
    del viewer.layers["cells 1"]
    qtbot.waitUntil(lambda: "does not lie over the image 'field 1'" in told(dock))


def test_of_labels_over_each_other_those_of_the_same_name_are_taken(viewer, qtbot, tmp_path):
    for number in range(2):
        field = synthetic_field(cells=3, seed=number)
        viewer.add_image(field.image[0], name=f"A0{number}.ome")
        labels = field.labels * (field.labels > 4 * number)
        labels[0, 0] = 50  # at the border
        viewer.add_labels(labels, name=f"A0{number}_masks [1]")
    dock = add_dock(viewer, tmp_path / "run")
    dock.form.images.joining.choose(False)
    patches = dock.form.patches
    patches.kind.choose(Objects)
    patches.border.setChecked(True)
    # Of several images none takes another's labels, though nothing was chosen.
    qtbot.waitUntil(lambda: patches.labels.currentText() == "the one over each image")
    labels = dock.form.inputs().labels
    assert labels["A00.ome"].name == "A00_masks [1]" and labels["A01.ome"].name == "A01_masks [1]"
    wait_for(dock, qtbot, "16 patches")
    patches.border.setChecked(False)
    wait_for(dock, qtbot, "14 patches, 2 at the border left out, ")
    # Of images over each other the outlines of those that are seen.
    viewer.layers["A00.ome"].visible = False
    patches.border.setChecked(True)
    wait_for(dock, qtbot, "16 patches")
    qtbot.waitUntil(lambda: told(dock).endswith("those of 1 visible of 2 images are drawn"))
    assert len(viewer.layers["patches preview"].data) == 4 * 6


def test_what_cannot_be_one_map_is_told_at_once(cells, viewer):
    viewer.layers["marker"].translate = (0, PIXEL_SIZE * 0.4)
    assert len(cells.inputs().images) == 1
    viewer.layers["marker"].translate = (0, PIXEL_SIZE * 3)
    with pytest.raises(InputError, match="'DNA' and 'marker' do not lie over each other"):
        cells.inputs()
    assert "do not lie over each other" in cells.images.summary()
    cells.images.joining.choose(False)
    assert count(cells) == 162
    viewer.add_image(np.zeros((288, 288), np.uint8), name="bytes", **SPACE)
    cells.images.joining.choose(False)
    assert "images of one map need the same type" in cells.images.summary()


def test_points_bring_their_features_and_their_place(dock, viewer, qtbot, tmp_path):
    patches = dock.form.patches
    patches.kind.choose(Points)
    assert "no Points layer" in told(dock) and not patches.points.isEnabled()
    pixels = np.array([[40.0, 50.0], [200.0, 100.0], [100.0, 250.0]])
    features = pd.DataFrame({"kind": ["a", "b", "a"], "patch": [7, 8, 9]})
    viewer.add_points(pixels * PIXEL_SIZE, name="spots", features=features, units=("µm", "µm"))
    wait_for(dock, qtbot, "3 patches")
    inputs = dock.form.inputs()
    recipe = dock.form.recipe(rgb=False)
    recipe = Recipe.quick(recipe.patches, batch_size=2)
    run = mapped(Run.create(tmp_path / "points", inputs.images, recipe, points=inputs.points))
    assert np.abs(run.table[["y", "x"]].to_numpy() - pixels).max() <= 0.5
    assert list(run.table["kind"]) == ["a", "b", "a"] and list(run.table["patch"]) == [0, 1, 2]
    dock._set_run(run, open_exploration(run), inputs.layers)
    click(viewer, pixels[1] * PIXEL_SIZE)
    assert list(dock.explorer.exploration.selection.rows) == [1]

    viewer.layers["spots"].add([-50, -50])
    with pytest.raises(InputError, match="1 of 4 points of 'spots' lie outside"):
        dock.form.inputs()


# --- the form -----------------------------------------------------------------------------------


def test_combos_follow_the_layers(cells, viewer):
    patches = cells.choose(Objects)
    image = viewer.layers["DNA"]
    space = {"scale": image.scale, "units": image.units}
    viewer.add_labels(np.zeros((288, 288), int), name="nuclei", **space)
    assert texts(patches.labels) == ["cells", "nuclei", "the one over each image"]
    patches.labels.choose(viewer.layers["nuclei"])
    viewer.layers["nuclei"].name = "kernels"
    assert texts(patches.labels)[1] == "kernels" == patches.labels.currentText()
    labels = cells.inputs().labels
    assert [label.name for label in labels.values()] == ["kernels"]
    viewer.layers["DNA"].name = "Hoechst"
    assert list(cells.inputs().labels) == ["Hoechst + marker"]
    del viewer.layers["kernels"]
    assert texts(patches.labels) == ["cells"] and cells.inputs().labels
    del viewer.layers["cells"]
    with pytest.raises(InputError, match="no objects yet"):
        cells.inputs()


def test_layers_that_have_no_part_in_it_are_not_told_of(cells, viewer, qtbot):
    with qtbot.assertNotEmitted(cells.patches.changed):
        viewer.add_vectors(np.zeros((1, 2, 2)))
        del viewer.layers[-1]
    # What paints clusters is nothing that patches are cut from.
    with qtbot.assertNotEmitted(cells.images.changed, wait=300):
        viewer.add_labels(np.zeros((288, 288), int), metadata=dict(VIEW))
        del viewer.layers[-1]
    with qtbot.waitSignal(cells.patches.changed):
        viewer.add_labels(np.zeros((288, 288), int))


def test_sizes_in_micrometres_where_pixels_have_a_size(cells, viewer):
    patches = cells.patches
    patches.unit.choose("µm")
    assert patches.size.value() == pytest.approx(32 * PIXEL_SIZE) and count(cells) == 81
    patches.size.setValue(2 * 32 * PIXEL_SIZE)
    assert patches.patches() == Grid(size=41.6, unit="µm") and count(cells) == 16
    # An image whose pixels have no size: pixels again, and why is said.
    viewer.add_image(np.zeros((288, 288), np.uint16), name="plain")
    cells.images.joining.choose(False)
    cells.follow()
    assert patches.unit.value == "pixel" and patches.size.value() == 64
    assert "'plain' does not say" in patches.unit.toolTip()


def test_small_lengths_show_three_digits(qtbot):
    field = length_spin(0, 100, 0, " µm", "")
    qtbot.addWidget(field)
    field.setDecimals(5)
    for value, text in (
        (0.00325, "0.00325 µm"), (0.0208, "0.0208 µm"), (0.123, "0.123 µm"), (20.8, "20.80 µm")
    ):  # fmt: skip
        field.setValue(value)
        assert field.text().replace(",", ".") == text and field.value() == value
    field.setValue(0.02)
    field.stepUp()
    assert 0.02 < field.value() < 0.03
    field.setDecimals(0)
    field.setValue(7)
    assert field.text() == "7 µm"


def test_only_what_applies_is_shown(cells, viewer):
    patches = cells.patches
    patches.details.expand(animate=False)

    def shown(*fields):
        return [field.isVisibleTo(patches) for field in fields]

    grid = (patches.stride, *patches.offset, patches.edges, patches.background_method)
    objects = (patches.labels, patches.surroundings, patches.border, patches.least_area)
    assert all(shown(*grid)) and not any(shown(*objects, patches.points, patches.factor))
    patches.background_method.choose("otsu")
    assert all(shown(patches.factor, patches.least_foreground))
    cells.choose(Objects)
    assert all(shown(*objects)) and not any(shown(*grid, patches.factor, patches.depth_method))
    assert patches.background() == Background()
    assert all(shown(patches.percentile))
    patches.size.setValue(50)
    assert not any(shown(patches.percentile))
    cells.choose(Grid)
    assert patches.size.value() == 32
    cells.choose(Objects)
    assert patches.size.value() == 50
    viewer.add_image(np.zeros((4, 288, 288), np.uint16), name="z", axis_labels=("z", "y", "x"))
    cells.images.joining.choose(False)
    cells.follow()
    assert all(shown(patches.depth_method)) and not any(shown(patches.plane))


@pytest.mark.parametrize(
    "patches",
    [
        Grid(size=40, stride=20, edges="pad"),
        Grid(size=40, pixels=32),
        Grid(size=20.5, unit="µm", pixels=32, offset=(4.25, 8.5)),
        Objects(percentile=80),
        Objects(size=24, percentile=99.5),
        Objects(size=24, surroundings="dim", dimming=0.5, border=True, least_area=9),
        Points(size=20.5, unit="µm", pixels=32),
    ],
)
def test_a_recipe_shown_is_the_recipe_chosen(cells, patches):
    depth, background = Depth(method="max"), Background(method="otsu", factor=0.5)
    recipe = Recipe.quick(patches, depth=depth, background=background)
    cells.patches.show_recipe(recipe)
    assert cells.patches.patches() == patches
    grid = isinstance(patches, Grid)
    assert cells.patches.background() == (background if grid else Background())
    # These images have no depth.
    assert cells.patches.depth() == Depth()


def test_what_is_said_follows_what_is_done_to_layers(dock, viewer, qtbot):
    patches = dock.form.patches
    patches.kind.choose(Points)
    spots = viewer.add_points([[40, 50], [90, 60]], name="spots", **SPACE)
    wait_for(dock, qtbot, "2 patches")
    spots.add([100, 70])
    wait_for(dock, qtbot, "3 patches")
    spots.selected_data = {0, 1}
    spots.remove_selected()
    wait_for(dock, qtbot, "1 patch,")
    spots.translate = (-1000, 0)
    qtbot.waitUntil(lambda: "lie outside" in told(dock))

    patches.kind.choose(Objects)
    viewer.add_labels(np.zeros((10, 10), int), name="others", **SPACE)
    patches.labels.choose_over_each()
    viewer.layers["cells"].data = np.zeros((20, 20), int)
    qtbot.waitUntil(lambda: "No Labels layer lies over" in told(dock))

    patches.kind.choose(Grid)
    for name in ("DNA", "marker"):
        viewer.layers[name].scale = (1, 2)
    qtbot.waitUntil(lambda: "not square" in patches.unit.toolTip())


def test_the_offset_of_a_grid_is_in_the_unit_of_its_size(cells):
    patches = cells.patches
    patches.offset[1].setValue(100)
    assert count(cells) == 45
    patches.unit.choose("µm")
    assert patches.offset[1].value() == pytest.approx(100 * PIXEL_SIZE)
    assert patches.patches().offset == pytest.approx((0, 65)) and count(cells) == 45


def test_sizes_that_cannot_be_are_explained(dock, qtbot):
    patches = dock.form.patches
    patches.size.setValue(3000)
    assert "8 to 1024 pixels" in told(dock)
    patches.pixels.setValue(64)
    qtbot.waitUntil(lambda: "larger than every image" in told(dock))
    patches.size.setValue(400)
    qtbot.waitUntil(lambda: "larger than every image" in told(dock))
    patches.edges.choose("pad")
    wait_for(dock, qtbot, "1 patch, 400")


# --- preview ------------------------------------------------------------------------------------


def test_the_preview_counts_and_outlines_what_is_kept(viewer, qtbot, tmp_path):
    picture = np.zeros((4, 96, 128), np.uint16)
    picture[1, :32, :64] = 1000
    picture[3, 64:, 96:] = 1000
    picture[picture > 0] += np.random.default_rng(0).integers(0, 9, 3 * 32 * 32, np.uint16)
    layer = viewer.add_image(picture, name="movie", axis_labels=("t", "y", "x"), scale=(1, 2, 2))
    dock = add_dock(viewer, tmp_path / "run")
    patches = dock.form.patches
    patches.background_method.choose("otsu")
    wait_for(dock, qtbot, "3 patches")
    assert told(dock) == "3 patches, 45 without content skipped, 32\N{NO-BREAK SPACE}px"
    preview = viewer.layers["patches preview"]
    assert viewer.layers.selection.active is layer
    assert {tuple(start) for start in preview.data[::4, 0]} == {
        (1, -0.5, -0.5), (1, -0.5, 31.5), (3, 63.5, 95.5)
    }  # fmt: skip
    assert preview.data_to_world((3, 63.5, 95.5)) == layer.data_to_world((3, 63.5, 95.5))

    # What is chosen anew is shown by the same layer.
    patches.background_method.choose("none")
    wait_for(dock, qtbot, "48 patches")
    assert viewer.layers["patches preview"] is preview and len(preview.data) == 4 * 48
    dock.form.outlines.setChecked(False)
    assert "patches preview" not in viewer.layers
    dock.form.outlines.setChecked(True)
    assert len(viewer.layers["patches preview"].data) == 4 * 48


def test_many_patches_are_previewed_by_a_sample(dock, viewer, qtbot, monkeypatch):
    monkeypatch.setattr("napari_tsimcne.gui.steps._preview.MOST_OUTLINES", 50)
    dock.form.patches.stride.setValue(4)
    wait_for(dock, qtbot, "4,225 patches")
    assert told(dock) == "4,225 patches, 32\N{NO-BREAK SPACE}px; a sample of 50 is drawn"
    first = viewer.layers["patches preview"].data.copy()
    assert len(first) == 4 * 50
    dock.form.outlines.setChecked(False)
    dock.form.outlines.setChecked(True)
    assert np.array_equal(viewer.layers["patches preview"].data, first)


# --- the link -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["max", "plane"])
def test_patches_of_a_projection_are_linked_on_every_plane(viewer, qtbot, tmp_path, method):
    stack = np.random.default_rng(0).integers(0, 255, (2, 5, 64, 96)).astype(np.uint8)
    layer = viewer.add_image(stack, name="stack", axis_labels=("t", "z", "y", "x"),
                             scale=(1, 3, 1, 1))  # fmt: skip
    dock = add_dock(viewer, tmp_path / "none")
    items = dock.form.images.layer_list
    items.item(0).setSelected(True)
    axes = dock.form.images.edit.axes
    axes.setCurrentIndex(axes.findData("TZYX"))
    axes.activated.emit(axes.currentIndex())
    patches = dock.form.patches
    viewer.dims.set_current_step(1, 2)
    patches.depth_method.choose(method)
    assert patches.plane.value() == (2 if method == "plane" else 0)
    wait_for(dock, qtbot, "12 patches")
    planes = {0, 1, 2, 3, 4} if method == "max" else {2}
    assert set(viewer.layers["patches preview"].data[:, 0, 1]) == planes

    recipe = Recipe.quick(patches.patches(), depth=patches.depth(), batch_size=4)
    inputs = dock.form.inputs()
    run = mapped(Run.create(tmp_path / "run", inputs.images, recipe))
    dock._set_run(run, open_exploration(run), inputs.layers)
    dock.explorer.exploration.selection.select_patch(9)
    outline = dock.explorer.link.highlight.data
    assert set(outline[:, 0, 1]) == planes and set(outline[:, 0, 0]) == {1}
    row = run.table.iloc[9]
    for z in range(5):
        found = dock.explorer.link.patch_at(layer.data_to_world((1, z, row.y, row.x)))
        assert found == (9 if z in planes else None)


def test_a_run_of_objects_opens_with_pyramid_and_labels(viewer, tmp_path, qtbot):
    field = synthetic_field(cells=9)
    with tifffile.TiffWriter(tmp_path / "field.ome.tif") as file:
        options = {"tile": (64, 64), "photometric": "minisblack"}
        file.write(field.image, subifds=1, metadata={"axes": "CYX"}, **options)
        file.write(field.image[:, ::2, ::2], subfiletype=1, **options)
    tifffile.imwrite(tmp_path / "cells.tif", field.labels)
    (image,), (labels,) = open_file(tmp_path / "field.ome.tif"), open_file(tmp_path / "cells.tif")
    assert len(image.levels) == 1
    recipe = Recipe.quick(Objects(size=24, border=True), batch_size=16)
    mapped(Run.create(tmp_path / "run", [image], recipe, labels={image.name: labels}))
    dock = add_dock(viewer, tmp_path / "other")
    open_run(dock, tmp_path / "run", qtbot)
    first, second, objects = viewer.layers
    assert first.multiscale and [level.shape for level in second.data] == [(288, 288), (144, 144)]
    assert all(isinstance(level, dask.array.Array) for level in second.data)
    assert np.array_equal(np.asarray(second.data[0]), field.image[1])
    assert np.array_equal(objects.data, field.labels)
    assert dock.form.patches.patches() == recipe.patches.model_copy(update={"pixels": 24})
    row = dock.explorer.run.table.iloc[12]
    assert dock.explorer.link.patch_at((row.y, row.x)) == 12


# --- suggestions --------------------------------------------------------------------------------


def test_a_labels_layer_over_the_images_suggests_objects_until_one_chooses(viewer, qtbot, tmp_path):
    field = synthetic_field(cells=3)
    viewer.add_image(field.image[0], name="DNA")
    dock = add_dock(viewer, tmp_path / "run")
    patches = dock.form.patches
    wait_for(dock, qtbot, "9 patches")
    assert patches.kind.value is Grid
    # Neither one without objects, nor one elsewhere.
    viewer.add_labels(np.zeros_like(field.labels), name="new")
    viewer.add_labels(field.labels, name="elsewhere", translate=(500, 0))
    qtbot.wait(100)
    assert patches.kind.value is Grid
    del viewer.layers["new"], viewer.layers["elsewhere"]
    viewer.add_labels(field.labels, name="cells")
    qtbot.waitUntil(lambda: "objects suggested by the open Labels" in told(dock), timeout=30_000)
    assert patches.kind.value is Objects
    del viewer.layers["cells"]
    qtbot.waitUntil(lambda: patches.kind.value is Grid)
    patches.kind.choose(Grid)
    viewer.add_labels(field.labels, name="cells")
    qtbot.wait(100)
    assert patches.kind.value is Grid
