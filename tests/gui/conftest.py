from functools import partial

import pytest
from choosing import add_forms
from driving import mapped
from linking import TURNED, noise, settle

from napari_tsimcne import Recipe, Run
from napari_tsimcne.explore import Exploration
from napari_tsimcne.gui.images._link import ImageLink
from napari_tsimcne.gui.steps._inputs import images_of, with_labels
from napari_tsimcne.recipe import Depth, Grid

ADVISED = {"test_train_form", "test_views_form"}
"""Tests that ask the process that has torch; others would start it with every dock."""


@pytest.fixture(autouse=True)
def _no_advice(request, monkeypatch):
    if request.module.__name__ not in ADVISED:
        monkeypatch.setattr(
            "napari_tsimcne.gui.jobs._advisor.Advisor.ask",
            lambda self, question, done, failed: None,
        )


@pytest.fixture
def qtbot(qtbot, monkeypatch):
    """Waits longer: what is read or computed elsewhere is late on a busy machine."""
    for wait in ("waitUntil", "waitSignal", "wait_until", "wait_signal"):
        monkeypatch.setattr(qtbot, wait, partial(getattr(qtbot, wait), timeout=60_000))
    return qtbot


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1500, 900)
    return viewer


@pytest.fixture
def forms(viewer):
    """The forms of images and patches, in a dock."""
    forms = add_forms(viewer)
    yield forms
    forms.release()


@pytest.fixture
def linked(viewer, tmp_path):
    """Makes a run of layers, and links it to them."""
    viewer.window.resize(1000, 800)
    links = []

    def link(layers, axes, patches, depth=None, labels=None, points=None):
        inputs = images_of(layers, axes, joined=False)
        if labels is not None:
            inputs = with_labels(inputs, labels, [labels])
        recipe = Recipe.quick(patches, batch_size=2, depth=depth or Depth())
        folder = tmp_path / f"run {len(links)}"
        run = mapped(Run.create(folder, inputs.images, recipe, labels=inputs.labels, points=points))
        return link_run(run, inputs.layers)

    def link_run(run, layers):
        exploration = Exploration(run.table, run.coordinates, lambda: run.features)
        made = ImageLink(viewer, run, exploration, layers)
        made.exploration, made.run = exploration, run
        made.told = []
        made.let_go.connect(made.told.append)
        links.append(made)
        viewer.reset_view()
        settle()
        return made

    link.run = link_run
    yield link
    for made in links:
        made.close()


@pytest.fixture
def movie(viewer, linked):
    """A turned time-lapse of pixels that are not square, 3 x 24 patches."""
    layer = viewer.add_image(noise(3, 64, 96), name="movie", **TURNED)
    return linked([layer], ["TYX"], Grid(size=16))
