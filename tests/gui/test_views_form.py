"""Views chosen in the window: switches, sliders, advice, and the preview by a real child."""

from dataclasses import replace

import numpy as np
import pytest
from driving import needs_display
from hypothesis import given, settings
from hypothesis import strategies as st
from qtpy.QtCore import QObject, QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from strategies import any_augmentations

from napari_tsimcne.gui.jobs._advisor import Advisor
from napari_tsimcne.gui.steps._augmentation_row import RANGES
from napari_tsimcne.gui.steps._column import Column
from napari_tsimcne.gui.steps._patch_sample import WIDEST, PatchSample
from napari_tsimcne.gui.steps._views_form import CUSTOM, ViewsForm
from napari_tsimcne.recipe import VIEWS, Augmentations

pytestmark = needs_display

CHILD_MS = 60_000
SIZE, MARGIN = 16, 20


class NoAdvisor:
    """Stands in where no preview is looked at."""

    def ask(self, question, done, failed):
        raise AssertionError("nothing is to be asked while nobody sees the preview")


@pytest.fixture(scope="module")
def still(qapp):
    """A form that is never seen."""
    form = ViewsForm(NoAdvisor())
    yield form
    form.release()


@pytest.fixture(scope="module")
def advisor(qapp):
    """With a real child, which takes seconds to start."""
    parent = QObject()
    advisor = Advisor(parent)
    yield advisor
    advisor.close()


@pytest.fixture
def form(advisor, qtbot):
    """A form on the screen."""
    form = ViewsForm(advisor)
    column = Column(form)
    qtbot.addWidget(column)
    column.resize(360, 900)
    with qtbot.waitExposed(column):
        column.show()
    yield form
    form.release()


@pytest.fixture
def sample():
    random = np.random.default_rng(0)
    side = SIZE + 2 * MARGIN
    return PatchSample(
        patches=random.integers(0, 1000, (3, 2, side, side), np.uint16),
        low=np.zeros(2, np.float32), high=np.full(2, 1000, np.float32), rgb=False, size=SIZE,
        colors=np.stack([np.outer(np.linspace(0, 1, 256), own) for own in np.eye(3)[:2]]),
    )  # fmt: skip


def lines(form):
    return [(row, name, line) for row in form.rows.values() for name, line in row.lines.items()]


def choose(form, kind):
    """As the user does, by the keyboard."""
    form.kind.setFocus()
    while form.kind.value != kind:
        before = form.kind.currentIndex()
        down = form.kind.findData(kind) > before
        QTest.keyClick(form.kind, Qt.Key.Key_Down if down else Qt.Key.Key_Up)
        assert form.kind.currentIndex() != before


def shown(form):
    return [name for name, row in form.rows.items() if not row.isHidden()]


# --- switches and sliders -----------------------------------------------------------------------


@settings(max_examples=60)
@given(any_augmentations())
def test_a_recipe_comes_back_to_the_last_digit(still, augmentations):
    still.show_augmentations(augmentations)
    assert still.augmentations() == augmentations
    named = [kind for kind, known in VIEWS.items() if known == augmentations]
    assert still.kind.value == (named or [CUSTOM])[0]


@settings(max_examples=40)
@given(any_augmentations(), st.data())
def test_whatever_is_moved_is_valid_and_changes_nothing_else(still, augmentations, data):
    still.show_augmentations(augmentations)
    row, name, line = data.draw(st.sampled_from(lines(still)))
    ends = st.integers(line.slider.minimum(), line.slider.maximum())
    if name in RANGES:
        line.slider.setValue(tuple(sorted(data.draw(st.tuples(ends, ends)))))
    else:
        line.slider.setValue(data.draw(ends))
    found = still.augmentations()
    changed = getattr(augmentations, row.name).model_copy(update={name: line.value})
    assert found == augmentations.model_copy(update={row.name: changed})
    at = np.asarray(line.slider.value()) / line.field.steps
    assert np.abs(np.asarray(line.value) - at).max() <= 1.01 / line.field.steps or (
        line.value == getattr(getattr(augmentations, row.name), name)
    )


def test_every_field_of_a_recipe_has_a_slider_with_unit_range_and_tip(still):
    for name, kind in Augmentations.model_fields.items():
        fields = set(kind.annotation.model_fields)
        assert {"on", *still.rows[name].lines} == fields
    for row, _, line in lines(still):
        assert row.switch.toolTip() and line.field.limits in line.slider.toolTip()
        assert line.field.unit or line.field.sign


@pytest.mark.parametrize("kind", VIEWS)
def test_a_kind_is_taken_whole_and_left_when_anything_is_changed(form, kind, qtbot):
    other = "natural" if kind != "natural" else "histology"
    form.show_augmentations(VIEWS[other])
    with qtbot.waitSignal(form.changed):
        choose(form, kind)
    assert form.augmentations() == VIEWS[kind]
    with qtbot.waitSignal(form.changed):
        QTest.mouseClick(form.rows["noise"].switch, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    assert form.kind.value == CUSTOM and form.augmentations().noise.on
    QTest.mouseClick(form.rows["noise"].switch, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    assert form.kind.value == kind


def test_one_end_moved_leaves_the_other_exact(form):
    exact = 2 / 3
    form.show_augmentations(Augmentations.model_validate({"scale": {"factor": (exact, 1.5)}}))
    line = form.rows["scale"].lines["factor"]
    line.slider.setFocus()
    QTest.keyClick(line.slider, Qt.Key.Key_Right)
    assert form.augmentations().scale.factor == (exact, 1.51)
    QTest.keyClick(line.slider, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert form.augmentations().scale.factor == (0.66, 1.51)
    assert line.value_label.text() == "0.66–1.51 x"


@pytest.mark.parametrize(("towards", "expected"), [(1, (1.0, 2.0)), (-1, (0.5, 1.0))])
def test_ends_that_lie_over_each_other_are_drawn_apart_either_way(form, towards, expected):
    row = form.rows["crop"]
    QTest.mouseClick(row.arrow, Qt.MouseButton.LeftButton)
    slider = row.lines["aspect"].slider
    form.layout().activate()
    at = slider._handleRect(0).center()
    QTest.mousePress(slider, Qt.MouseButton.LeftButton, pos=at)
    for step in (5, 200):
        QTest.mouseMove(slider, at + QPoint(towards * step, 0))
    QTest.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=at + QPoint(towards * 200, 0))
    assert form.augmentations().crop.aspect == expected


def test_sliders_leave_the_wheel_to_the_form(form):
    before = form.augmentations()
    for name, field in (("crop", "area"), ("rotation", "degrees")):
        slider = form.rows[name].lines[field].slider
        event = QWheelEvent(
            QPointF(5, 5), QPointF(slider.mapToGlobal(QPoint(5, 5))), QPoint(0, -120),
            QPoint(0, -120), Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(slider, event)
        # What is not accepted goes to what lies around: the column, which scrolls.
        assert not event.isAccepted()
    assert form.augmentations() == before


# --- what applies to the images -----------------------------------------------------------------


def test_the_kind_follows_the_images_until_the_user_chooses(form):
    assert form.kind.value == "fluorescence"
    form.follow_images(True, 3)
    assert form.kind.value == "histology"
    form.follow_images(False, 2)
    assert form.kind.value == "fluorescence"
    choose(form, "natural")
    form.follow_images(True, 3)
    assert form.kind.value == "natural"


def test_what_was_changed_or_taken_from_a_recipe_stays_when_images_follow(form):
    form.rows["blur"].switch.click()
    changed = form.augmentations()
    form.follow_images(True, 3)
    assert form.augmentations() == changed
    form.show_augmentations(VIEWS["natural"])
    form.follow_images(True, 3)
    assert form.augmentations() == VIEWS["natural"]


def test_a_new_guess_is_told_and_no_other_following(form, qtbot):
    form.follow_images(False, 1)
    with qtbot.assertNotEmitted(form.changed):
        form.follow_images(False, 2)
    with qtbot.waitSignal(form.changed):
        form.follow_images(True, 3)


def test_only_what_applies_is_shown(form):
    form.follow_images(False, 1)
    assert not {"color_jitter", "grayscale", "channel_drop"} & set(shown(form))
    form.follow_images(False, 2)
    assert {"intensity", "channel_drop"} <= set(shown(form))
    form.follow_images(True, 3)
    assert {"color_jitter", "grayscale"} <= set(shown(form))
    assert not {"intensity", "channel_drop"} & set(shown(form))


def test_what_is_on_and_takes_effect_is_never_hidden(form):
    form.show_augmentations(VIEWS["natural"])
    form.follow_images(False, 2)
    jitter = form.rows["color_jitter"]
    assert "color_jitter" in shown(form)
    jitter.arrow.click()
    assert not jitter.lines["contrast"].slider.isHidden()
    assert jitter.lines["saturation"].slider.isHidden()
    form.show_augmentations(VIEWS["fluorescence"])
    form.follow_images(True, 3)
    assert "intensity" in shown(form)


def test_advice_follows_the_choices(form):
    form.follow_images(False, 2)
    assert "ratio of channels" in form.advice.text()
    form.rows["intensity"].switch.click()
    assert "ratio of channels" not in form.advice.text()
    for name in ("crop", "rotation", "flips"):
        form.rows[name].switch.click()
    assert "no map can be learnt" in form.advice.text()


def test_the_form_is_as_narrow_as_promised(form):
    form.follow_images(True, 3)
    for row in form.rows.values():
        row.setVisible(True)
        row.arrow.setChecked(True)
    assert form.minimumSizeHint().width() <= 340


# --- preview ------------------------------------------------------------------------------------


def images_of(form):
    return [picture.toImage() for picture in form.preview.grid.pictures]


def test_patches_and_views_by_a_real_child_the_newest_wins(
    form, advisor, sample, qtbot, monkeypatch
):
    assert form.preview.message.isVisible() and not form.preview.bar.isVisible()
    form.show_patches(sample)
    qtbot.waitUntil(lambda: len(images_of(form)) == 9, timeout=CHILD_MS)
    first = images_of(form)
    itself = np.rint(sample.patch(0, 0)[0, :, 0, 0] * 0.255)
    color = first[0].pixelColor(0, 0)
    assert abs(np.array([color.red(), color.green()]) - itself).max() <= 1
    assert all(image != first[0] for image in first[1:])

    # While the child is busy with the first, all others wait, and only the last is answered.
    answers = []
    monkeypatch.setattr(advisor, "_take", lambda line, take=advisor._take: (
        answers.append(1), take(line)))  # fmt: skip
    slider = form.rows["crop"].lines["area"].slider
    for low in range(60, 101):
        slider.setValue((low, 100))
        form.preview._ask()
    for name in ("rotation", "flips", "intensity"):
        form.rows[name].switch.click()
    qtbot.waitUntil(lambda: images_of(form).count(first[0]) == 9, timeout=CHILD_MS)
    assert len(answers) <= 3


def test_other_patches_and_other_views(form, sample, qtbot):
    form.show_patches(sample)
    qtbot.waitUntil(lambda: len(images_of(form)) == 9, timeout=CHILD_MS)
    first = images_of(form)
    QTest.mouseClick(form.preview.again, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: images_of(form)[1:] != first[1:], timeout=CHILD_MS)
    assert images_of(form)[0] == first[0]
    QTest.mouseClick(form.preview.back, Qt.MouseButton.LeftButton)
    assert form.preview.counter.text() == "Patch 3 of 3"
    qtbot.waitUntil(lambda: images_of(form)[0] != first[0], timeout=CHILD_MS)
    QTest.mouseClick(form.preview.forward, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: images_of(form)[0] == first[0], timeout=CHILD_MS)
    form.show_patches(None)
    assert not images_of(form) and "views of your own patches" in form.preview.message.text()


def test_a_child_that_dies_is_told_and_another_takes_its_place(form, advisor, sample, qtbot):
    form.show_patches(sample)
    qtbot.waitUntil(lambda: len(images_of(form)) == 9, timeout=CHILD_MS)
    advisor._child.kill()
    form.preview._ask()
    qtbot.waitUntil(form.preview.message.isVisible, timeout=CHILD_MS)
    assert form.preview.message.text().startswith("Views cannot be shown: the process")
    assert not form.preview.grid.isVisible()
    form.rows["blur"].switch.click()
    assert form.augmentations().blur.on
    qtbot.waitUntil(form.preview.grid.isVisible, timeout=CHILD_MS)


def test_patches_that_the_child_refuses_are_told(form, sample, qtbot):
    form.show_patches(replace(sample, low=np.zeros(5, np.float32)))
    qtbot.waitUntil(form.preview.message.isVisible, timeout=CHILD_MS)
    assert form.preview.message.text().startswith("Views cannot be shown: ")


def test_nothing_is_asked_while_the_preview_is_not_seen(still, sample, qtbot):
    """`NoAdvisor` would say so."""
    still.show_patches(sample)
    assert still.preview._soon.isActive()
    qtbot.waitUntil(lambda: not still.preview._soon.isActive())
    still.show_patches(None)


def test_large_patches_are_shown_as_means(form, sample, qtbot):
    large = replace(sample, patches=np.repeat(np.repeat(sample.patches, 40, -1), 40, -2),
                    size=40 * SIZE)  # fmt: skip
    form.show_patches(large)
    qtbot.waitUntil(lambda: len(images_of(form)) == 9, timeout=CHILD_MS)
    shrunk = form.preview.grid.pictures[0].width()
    assert form.preview.grid.picture_pixels <= shrunk < 2 * form.preview.grid.picture_pixels


def test_no_slider_asks_for_more_than_a_sample_has_around_its_patches(still):
    still.show_augmentations(WIDEST)
    for name in ("scale", "rotation", "shear"):
        for line in still.rows[name].lines.values():
            most = line.slider.maximum()
            line.slider.setValue((most, most) if line.field.name in RANGES else most)
    assert still.augmentations().margin(64) <= WIDEST.margin(64)
