"""Clicks and the lasso on the images, with a real mouse."""

import numpy as np
from driving import drag, needs_display, to_canvas
from linking import around, canvas, click, lasso, noise, selected, settle, world_of
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_tsimcne.recipe import Grid

pytestmark = needs_display

SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier


# --- from the images to the map -----------------------------------------------------------------


def test_a_click_selects_through_time_scale_and_turn(movie, viewer):
    viewer.dims.set_point(0, 2)
    click(viewer, world_of(movie, 29))
    assert selected(movie) == [29]
    click(viewer, world_of(movie, 47), SHIFT)
    assert selected(movie) == [29, 47]
    click(viewer, world_of(movie, 29), ALT)
    assert selected(movie) == [47]
    # A click beside all images leaves the selection.
    click(viewer, np.array(viewer.camera.center[-2:]) + 0.48 * 800 / viewer.camera.zoom)
    assert selected(movie) == [47]


def test_a_lasso_selects_what_is_seen_inside(movie, viewer):
    viewer.dims.set_point(0, 4)
    active = viewer.layers.selection.active
    movie.set_image_lasso(True)
    camera = (viewer.camera.center, viewer.camera.zoom)
    # Columns 1 to 3 of rows 0 and 1, at the last time.
    first = [48 + 6 * row + column for row in (0, 1) for column in (1, 2, 3)]
    lasso(viewer, around(movie, first))
    assert selected(movie) == first
    lasso(viewer, around(movie, [70, 71]), SHIFT)
    assert selected(movie) == [*first, 70, 71]
    lasso(viewer, around(movie, [49, 55]), ALT)
    assert selected(movie) == [50, 51, 56, 57, 70, 71]
    assert (viewer.camera.center, viewer.camera.zoom) == camera
    assert viewer.layers.selection.active is active
    assert not len(viewer.layers["lasso"].data)
    # A click selects as ever; once switched off, a drag moves the camera.
    click(viewer, world_of(movie, 60))
    assert selected(movie) == [60]
    movie.set_image_lasso(False)
    assert "lasso" not in viewer.layers
    middle = QPoint(canvas(viewer).width() // 2, canvas(viewer).height() // 2)
    drag(canvas(viewer), [middle, middle + QPoint(20, 0), middle + QPoint(60, 0)])
    settle()
    assert viewer.camera.center != camera[0] and selected(movie) == [60]


def test_escape_cancels_a_lasso(movie, viewer):
    viewer.dims.set_point(0, 0)
    movie.set_image_lasso(True)
    native = canvas(viewer)
    settle()
    path = [to_canvas(viewer, native, corner) for corner in around(movie, [0, 1, 6, 7])]
    pressed = []

    def arrived(place):
        if place == path[2] and not pressed:
            pressed.append(True)
            QTest.keyClick(native, Qt.Key.Key_Escape)
        return True

    drag(native, path, arrived=arrived)
    assert pressed and not selected(movie) and not len(viewer.layers["lasso"].data)
    lasso(viewer, around(movie, [0, 1, 6, 7]))
    assert selected(movie) == [0, 1, 6, 7]


def test_modes_of_other_layers_and_the_3d_view_come_first(movie, viewer, monkeypatch):
    notices = []
    monkeypatch.setattr("napari_tsimcne.gui.images._image_lasso.show_info", notices.append)
    cells = viewer.add_labels(np.zeros((64, 96), np.uint8), name="cells", scale=(0.5, 1.0))
    viewer.reset_view()
    cells.mode = "paint"
    movie.set_image_lasso(True)
    assert "'cells' is in its mode 'paint'" in notices[-1] and len(notices) == 1
    native = canvas(viewer)
    settle()
    start = to_canvas(viewer, native, (10, 10))
    drag(native, [start, start + QPoint(30, 0), start + QPoint(30, 30), start + QPoint(0, 30)])
    settle()
    assert cells.data.any() and not selected(movie) and len(notices) == 2
    cells.mode = "pan_zoom"
    viewer.dims.ndisplay = 3
    drag(native, [start, start + QPoint(30, 0), start + QPoint(30, 30)])
    assert "2D view" in notices[-1] and not selected(movie)


def test_a_lasso_takes_the_images_it_touches_but_not_what_they_cover(viewer, linked):
    layers = [
        viewer.add_image(noise(64, 64), name="below", scale=(1, 2)),
        viewer.add_image(noise(64, 64), name="above", translate=(0, 64)),
        viewer.add_image(noise(64, 64), name="hidden", visible=False),
    ]
    link = linked(layers, ["YX"] * 3, Grid(size=16))
    link.set_image_lasso(True)
    lasso(viewer, [(-3, -3), (-3, 140), (67, 140), (67, -3)])
    table = link.run.table.iloc[selected(link)]
    assert list(table["image"].value_counts()[["below", "above"]]) == [8, 16]
    assert table[table["image"] == "below"]["x"].max() < 32
    # Another order of layers, another image on top; names do not matter.
    layers[0].name = "another name"
    viewer.layers.move(0, 3)
    lasso(viewer, [(-3, -3), (-3, 140), (67, 140), (67, -3)])
    table = link.run.table.iloc[selected(link)]
    assert list(table["image"]) == ["below"] * 16
    click(viewer, (8, 100))
    assert list(link.run.table.iloc[selected(link)]["image"]) == ["below"]


def test_patches_in_the_3d_view(viewer, linked):
    layer = viewer.add_image(noise(5, 64, 64), name="stack", scale=(6, 0.5, 1.0))
    link = linked([layer], ["ZYX"], Grid(size=16))
    viewer.dims.ndisplay = 3
    settle()
    link.bring_into_view(37)
    assert np.allclose(viewer.camera.center, world_of(link, 37))
    # Seen along the depth, from below the first plane: the one of the first plane is hit.
    click(viewer, world_of(link, 37))
    row = link.run.table.loc[37]
    (hit,) = selected(link)
    found = link.run.table.loc[hit]
    assert (found["y"], found["x"]) == (row["y"], row["x"]) and found["z"] in (0, 4)
    # Seen from the side a ray meets the planes at different places.
    viewer.camera.angles = (20, 30, 60)
    settle()
    direction = np.array(viewer.camera.view_direction)
    assert np.abs(direction).min() > 0.1
    for patch in range(80):
        # Wherever on the ray the pointer is said to be; another plane may lie before it.
        hits = {link.patch_at(tuple(world_of(link, patch) + far * direction), tuple(direction))
                for far in (-500, 0, 500)}  # fmt: skip
        (hit,) = hits
        planes = link.run.table.loc[[hit, patch], "z"]
        assert (planes.iloc[0] - planes.iloc[1]) * np.sign(direction[0]) <= 0
        front = 4 if direction[0] < 0 else 0
        assert planes.iloc[1] != front or hit == patch
