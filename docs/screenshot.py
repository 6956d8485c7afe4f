"""Draws the pictures of README and docs: the real window on the demo's run.

Run with a display or under Xvfb: ``make screenshot``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import napari
import numpy as np
from PIL import Image
from qtpy.QtCore import QPoint
from qtpy.QtTest import QTest

from napari_tsimcne.export import Excerpt, export_annotated_map
from napari_tsimcne.gui._viewer import camera_of
from napari_tsimcne.samples import nuclei_layers

FOLDER = Path("tsimcne-demo")
PICTURES = Path(__file__).parent / "images"


def main() -> None:
    """Run the demo where it was not run before, open a copy of its run, and take the pictures."""
    without_display = {k: v for k, v in os.environ.items() if k != "DISPLAY"}
    command = [sys.executable, "-m", "napari_tsimcne", "demo", "--out", str(FOLDER)]
    subprocess.run(command, check=True, env=without_display)
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        # What was chosen in other windows is not remembered here.
        os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_DATA_HOME"] = folder
        run = Path(folder, "run")
        shutil.copytree(FOLDER / "run", run)
        (run / "exploration.parquet").unlink(missing_ok=True)
        viewer = napari.Viewer(show=True)
        viewer.window.resize(1560, 900)
        _, dock = viewer.window.add_plugin_dock_widget("napari-tsimcne", "t-SimCNE")
        dock.open_run(run)
        while dock.showing.busy:
            QTest.qWait(100)
        QTest.qWait(1000)
        take(viewer, dock.explorer)
        results(dock, Path(folder))
        viewer.close()
        steps(Path(folder))


def take(viewer: Any, explorer: Any) -> None:
    """Explore as a user would, and take a picture of each thing."""
    exploration, view = explorer.exploration, explorer.map_view
    phenotype = explorer.run.table["phenotype"]
    look_closer(viewer, explorer)
    exploration.selection.select((phenotype == "elongated").to_numpy())
    save("window", window(viewer))

    for name in phenotype.unique()[:3]:
        exploration.clusters.create((phenotype == name).to_numpy(), name=str(name))
    explorer.clusters_view.painting.setChecked(True)
    QTest.qWait(3000)
    save("explorer", window(viewer))

    explorer.clusters_view.share_by.choose("image")
    QTest.qWait(2000)
    save("clusters", explorer.clusters_view.grab())

    exploration.selection.select_rows(exploration.selection.rows[:6])
    explorer.gallery.show_similar(exploration.selection.rows)
    QTest.qWait(3000)
    save("gallery", explorer.gallery.grab())

    explorer.clusters_view.automatic.section.expand(animate=False)
    QTest.qWait(8000)
    save("automatic", explorer.clusters_view.grab())

    exploration.selection.clear()
    crowd = view.points[np.flatnonzero(phenotype == phenotype.iloc[0])]
    view.pop_out()
    QTest.qWait(1500)
    camera = camera_of(view.model)
    camera.center = (0, *np.median(crowd, axis=0))
    camera.zoom *= 3
    QTest.qWait(2500)
    # The canvas is not part of what a widget grabs: the screen has both.
    screen = view.panel.window().screen()
    save("pictures", screen.grabWindow(view.panel.window().winId()))
    view.bring_back()
    QTest.qWait(1000)


def results(dock: Any, folder: Path) -> None:
    """Check the map, and export it."""
    explorer = dock.explorer
    explorer.show_checks()
    panel = explorer.checks_panel
    panel.check()
    while panel.checks is None:
        QTest.qWait(100)
    QTest.qWait(2000)
    save("checks", panel.grab())

    dock.map_jobs.export(explorer)
    QTest.qWait(1500)
    save("export", dock.map_jobs.exporting.grab())
    dock.map_jobs.exporting.close()

    path = folder / "annotated.png"
    export_annotated_map(Excerpt.all(explorer.run, explorer.exploration), path)
    picture = Image.open(path).convert("RGB")
    picture.thumbnail((1400, 1400))
    save("annotated", np.array(picture))


def steps(folder: Path) -> None:
    """Go the way from images to a map that forms."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1560, 900)
    for data, options, kind in nuclei_layers():
        getattr(viewer, f"add_{kind}")(data, **options)
    _, dock = viewer.window.add_plugin_dock_widget("napari-tsimcne", "t-SimCNE")
    form = dock.form
    form.views_step.open(True)
    QTest.qWait(30_000)
    # In two halves, side by side.
    column = form.grab().toImage()
    path = PICTURES / "steps.png"
    column.save(str(path))
    whole = np.array(Image.open(path).convert("RGB"))
    ratio = column.height() / form.height()
    middle = round(form.views_step.mapTo(form, QPoint(0, 0)).y() * ratio)
    parts = [whole[:middle], whole[middle:]]
    height = max(len(part) for part in parts)
    ground = whole[2, 2]
    parts = [
        np.concatenate([part, np.full((height - len(part), *part.shape[1:]), ground, part.dtype)])
        for part in parts
    ]
    save("steps", np.concatenate(parts, axis=1))

    form.views_step.open(False)
    form.training.epochs[0].setValue(3)
    form.training.epochs[1].setValue(2000)
    form.training.folder.setText(str(folder / "live"))
    dock.train()
    while dock.explorer is None or not dock.explorer.exploration.placed.any():
        QTest.qWait(100)
    QTest.qWait(12_000)
    save("live", window(viewer))
    dock.stop()
    while dock.job is not None:
        QTest.qWait(100)
    viewer.close()


def look_closer(viewer: Any, explorer: Any) -> None:
    """Show the first image alone."""
    name = explorer.run.info.images[0].name
    first = explorer.link.layers[name].layer
    middle = first.data_to_world(np.array(first.data.shape) * 0.3)
    camera = camera_of(viewer)
    camera.center, camera.zoom = middle, camera.zoom * 3
    viewer.layers.selection.active = first
    QTest.qWait(1000)


def window(viewer: Any) -> np.ndarray:
    """Picture of the whole window."""
    QTest.qWait(1500)
    return viewer.screenshot(canvas_only=False, flash=False)


def save(name: str, shot: Any) -> None:
    """Write a picture in few colours, which text and points bear well."""
    path = PICTURES / f"{name}.png"
    if isinstance(shot, np.ndarray):
        picture = Image.fromarray(shot)
    else:
        shot.save(str(path))
        picture = Image.open(path)
    picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
