"""Draws the picture in the README: the real window on the demo's run, with an island selected.

Run with a display or under Xvfb: ``make screenshot``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import napari
import numpy as np
from PIL import Image
from qtpy.QtTest import QTest

FOLDER = Path("tsimcne-demo")
PICTURE = Path(__file__).parent / "images" / "window.png"


def main() -> None:
    """Run the demo where it was not run before, open its run, select, save."""
    without_display = {k: v for k, v in os.environ.items() if k != "DISPLAY"}
    command = [sys.executable, "-m", "napari_tsimcne", "demo", "--out", str(FOLDER)]
    subprocess.run(command, check=True, env=without_display)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1560, 900)
    _, dock = viewer.window.add_plugin_dock_widget("napari-tsimcne", "t-SimCNE")
    dock.open_run(FOLDER / "run")
    dock.selection.select((dock.run.table["phenotype"] == "elongated").to_numpy())
    QTest.qWait(3000)
    for layer in viewer.layers[:-1]:
        if layer.name.endswith("ome.tif DNA"):
            viewer.layers.selection.active = layer
    first = dock.link.layers[dock.run.info.images[0].name].layer
    middle = first.data_to_world(np.array(first.data.shape) * 0.3)
    camera = getattr(viewer, "scene", viewer).camera
    camera.center, camera.zoom = middle, camera.zoom * 3
    QTest.qWait(1000)
    shot = viewer.screenshot(canvas_only=False, flash=False)
    PICTURE.parent.mkdir(exist_ok=True)
    picture = Image.fromarray(shot).convert("RGB")
    picture.quantize(128, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size // 1024} KB")
    viewer.close()


if __name__ == "__main__":
    main()
