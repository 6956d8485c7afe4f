"""The part of the form that says how the map is learnt, and how long that takes here."""

import pytest
from driving import needs_display
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QScrollArea

from napari_tsimcne.advice import Device, DevicesFound, Estimated
from napari_tsimcne.gui.jobs._advisor import Advisor
from napari_tsimcne.gui.steps._train_form import TrainForm
from napari_tsimcne.gui.steps._training_time import rough
from napari_tsimcne.recipe import PRESETS, VIEWS, Background, Depth, Grid

pytestmark = needs_display

CHOICES = {
    "depth": Depth(), "background": Background(), "rgb": False,
    "augmentations": VIEWS["fluorescence"],
}  # fmt: skip


class Answers(Advisor):
    """Notes what is asked; the test answers."""

    def __init__(self, parent):
        super().__init__(parent)
        self.asked = []

    def ask(self, question, done, failed):
        self.asked.append((question, done, failed))

    @property
    def estimates(self):
        return [asked for asked in self.asked if asked[0].kind == "estimate"]

    def answer_estimate(self, number=-1, **changes):
        question, done, _ = self.estimates[number]
        answer = {
            "device": "CPU, 1 thread", "seconds": 360.0, "images_per_second": 100.0,
            "stage_seconds": {"features": 290.0, "map": 61.0},
            "fitting_batch": question.recipe.batch_size,
        }  # fmt: skip
        done(Estimated(**{**answer, **changes}))


@pytest.fixture
def advisor(qtbot):
    # Its parent must outlive it.
    parent = QScrollArea()
    qtbot.addWidget(parent)
    return Answers(parent)


@pytest.fixture
def form(qtbot, advisor):
    form = TrainForm(advisor)
    qtbot.addWidget(form)
    form.resize(340, 600)
    form.show()
    yield form
    form.release()


def recipe_of(form, size=16):
    return form.recipe(Grid(size=size), **CHOICES)


def wait_for_estimates(advisor, qtbot, count):
    qtbot.waitUntil(lambda: len(advisor.estimates) == count)


# --- a real child -------------------------------------------------------------------------------


def test_the_time_is_measured_and_the_devices_are_found(qtbot):
    parent = QScrollArea()
    qtbot.addWidget(parent)
    advisor = Advisor(parent)
    form = TrainForm(advisor)
    qtbot.addWidget(form)
    form.show()
    form.device.choose("cpu")
    form.batch_size.setValue(32)
    form.follow(recipe_of(form, size=8), 100, 1, False)
    assert "Measuring" in form.time.text.text()
    try:
        qtbot.waitUntil(lambda: "Thorough: about" in form.time.text.text(), timeout=120_000)
    finally:
        form.release()
        advisor.close()
    text = form.time.text.text()
    assert text.startswith("About") and "CPU" in text
    assert form.time.text.toolTip().startswith("Choosing the arithmetic")
    assert ", features " in form.time.text.toolTip() and ", map " in form.time.text.toolTip()
    assert "GB free" in form.memory.text()
    assert not form.time.use_fitting.isVisible()


# --- when is asked ------------------------------------------------------------------------------


def test_without_patches_nothing_is_asked(form, advisor):
    form.follow(None, 0, 0, False)
    form.preset.choose("thorough")
    assert "once there are patches" in form.time.text.text()
    assert not form.time._soon.isActive() and not advisor.asked


def test_of_many_changes_only_the_last_is_asked(form, advisor, qtbot):
    for patches in range(100, 120):
        form.follow(recipe_of(form), patches, 1, False)
    form.epochs[0].setValue(7)
    wait_for_estimates(advisor, qtbot, 1)
    question = advisor.estimates[0][0]
    assert question.patches == 119 and question.recipe.stages[0].epochs == 7
    # What does not matter for time, or did not change, asks nothing.
    form.follow(recipe_of(form), 119, 1, False)
    form.seed.setValue(3)
    form.folder.setText("elsewhere")
    assert not form.time._soon.isActive()


def test_an_answer_that_is_out_of_date_is_not_shown(form, advisor, qtbot):
    form.follow(recipe_of(form), 100, 1, False)
    wait_for_estimates(advisor, qtbot, 1)
    form.follow(recipe_of(form), 200, 1, False)
    advisor.answer_estimate(0, seconds=60.0)
    assert "Measuring" in form.time.text.text()
    wait_for_estimates(advisor, qtbot, 2)
    advisor.answer_estimate(1)
    assert form.time.text.text().startswith("About 6 min here (CPU, 1 thread).")
    assert form.time.text.toolTip().startswith("Features 5 min, map 1 min.\n")
    # Both are known now, and are not measured again.
    form.follow(recipe_of(form), 100, 1, False)
    assert "About 1 min here" in form.time.text.text() and not form.time._soon.isActive()


def test_the_preset_of_the_same_steps_is_told_with_it(form, advisor, qtbot):
    form.follow(recipe_of(form), 100, 1, False)
    wait_for_estimates(advisor, qtbot, 1)
    advisor.answer_estimate()
    wait_for_estimates(advisor, qtbot, 2)
    other = advisor.estimates[1][0]
    assert other.recipe == PRESETS["thorough"](Grid(size=16), **CHOICES)
    advisor.answer_estimate(seconds=1440.0)
    assert form.time.text.text().endswith("\nThorough: about 24 min.")
    # It is known once it is chosen.
    form.preset.choose("thorough")
    assert form.time.text.text().startswith("About 24 min here")
    assert form.time.text.text().endswith("\nQuick: about 6 min.")


def test_a_reason_stands_in_place_of_an_estimate(form, advisor, qtbot):
    form.follow(recipe_of(form), 1, 1, False)
    wait_for_estimates(advisor, qtbot, 1)
    advisor.estimates[0][2]("there are too few patches to learn from")
    assert form.time.text.text() == "There are too few patches to learn from."
    form.follow(recipe_of(form), 1, 1, False)
    assert not form.time._soon.isActive()
    # The form goes on working.
    form.epochs[0].setValue(0)
    form.epochs[1].setValue(0)
    assert form.time.text.text() == "At least one stage needs an epoch."
    form.epochs[1].setValue(5)
    wait_for_estimates(advisor, qtbot, 2)


def test_nothing_is_heard_after_release(form, advisor, qtbot):
    form.follow(recipe_of(form), 100, 1, False)
    wait_for_estimates(advisor, qtbot, 1)
    form.release()
    before = form.time.text.text()
    advisor.answer_estimate()
    assert form.time.text.text() == before and len(advisor.estimates) == 1


# --- device and batch ---------------------------------------------------------------------------


def test_the_chosen_device_is_told_with_its_memory(form, advisor, qtbot):
    form.follow(recipe_of(form), 100, 1, False)
    wait_for_estimates(advisor, qtbot, 1)
    gpu = Device(name="cuda", title="NVIDIA H100", free_bytes=77 * 2**30, total_bytes=78 * 2**30)
    cpu = Device(name="cpu", title="Xeon, 2 threads", free_bytes=21 * 2**30, total_bytes=24 * 2**30)
    form.device.choose("mps")
    (_, done, _) = next(asked for asked in advisor.asked if asked[0].kind == "devices")
    done(DevicesFound(devices=(gpu, cpu)))
    # There is no such device here.
    assert form.device_name == "auto"
    assert form.memory.text() == "NVIDIA H100; 77 of 78 GB free"
    form.device.choose("cpu")
    assert form.memory.text() == "Xeon, 2 threads; 21 of 24 GB free"
    wait_for_estimates(advisor, qtbot, 2)
    assert advisor.estimates[-1][0].device == "cpu"


def test_a_batch_that_does_not_fit_can_be_lowered_at_once(form, advisor, qtbot):
    form.batch_size.setValue(512)
    form.follow(recipe_of(form), 100, 1, False)
    wait_for_estimates(advisor, qtbot, 1)
    assert not form.time.use_fitting.isVisible()
    advisor.answer_estimate(fitting_batch=128)
    assert "512 images; 128 fit" in form.time.too_large.text()
    with qtbot.waitSignal(form.changed):
        QTest.mouseClick(form.time.use_fitting, Qt.MouseButton.LeftButton)
    assert form.batch_size.value() == 128 and not form.time.use_fitting.isVisible()
    qtbot.waitUntil(lambda: advisor.estimates[-1][0].recipe.batch_size == 128)


# --- what was chosen ----------------------------------------------------------------------------


@pytest.mark.parametrize("preset", list(PRESETS))
def test_the_recipe_is_the_presets_with_the_choices(form, preset):
    form.preset.choose(preset)
    assert recipe_of(form) == PRESETS[preset](Grid(size=16), **CHOICES)
    epochs = [field.value() for field in form.epochs if field.isVisibleTo(form)]
    assert len(epochs) == len(PRESETS[preset]().stages)
    form.epochs[0].setValue(3)
    form.batch_size.setValue(48)
    form.seed.setValue(9)
    changed = PRESETS[preset](
        Grid(size=16), epochs=[3, *epochs[1:]], batch_size=48, seed=9, **CHOICES
    )
    assert recipe_of(form) == changed


@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_recipe_is_taken_whole(form, preset, qtbot):
    stages = len(PRESETS[preset]().stages)
    recipe = PRESETS[preset](
        Grid(size=16), epochs=range(2, 2 + stages), batch_size=48, seed=9, **CHOICES
    )
    told = []
    form.changed.connect(lambda: told.append(recipe_of(form)))
    form.show_recipe(recipe)
    assert recipe_of(form) == recipe and told == [recipe]


def test_of_a_recipe_without_a_preset_is_taken_what_fits(form):
    recipe = PRESETS["quick"](epochs=(3, 4), batch_size=48, seed=2**40)
    form.preset.choose("thorough")
    form.seed.setValue(5)
    form.show_recipe(recipe.model_copy(update={"preset": "custom"}))
    taken = recipe_of(form)
    assert taken.preset == "thorough" and [stage.epochs for stage in taken.stages] == [3, 4]
    assert taken.batch_size == 48 and taken.seed == 5


def test_what_was_changed_of_a_preset_is_seen_and_taken_back(form):
    assert form.preset.currentText() == "quick" and not form.reset.isEnabled()
    form.epochs[0].setValue(3)
    form.seed.setValue(4)
    assert form.preset.currentText() == "quick, changed"
    assert form.changed_text.text() == "Changed: epochs, seed"
    assert (
        form.preset.value == "quick" and "epochs 3, 100 (preset: 20, 100)" in form.reset.toolTip()
    )
    assert [form.preset.itemText(i) for i in range(1, form.preset.count())] == list(PRESETS)[1:]
    QTest.mouseClick(form.reset, Qt.MouseButton.LeftButton)
    assert form.preset.currentText() == "quick"
    assert recipe_of(form) == PRESETS["quick"](Grid(size=16), **CHOICES)
    # Another preset brings its own; the same one chosen again does, too.
    form.batch_size.setValue(48)
    form.preset.choose("thorough")
    assert [form.preset.itemText(i) for i in range(2)] == ["quick", "thorough"]
    form.epochs[1].setValue(0)
    assert form.preset.currentText() == "thorough, changed"
    form.preset.activated.emit(form.preset.currentIndex())
    assert form.preset.currentText() == "thorough"


def test_what_a_run_was_changed_by_is_seen_when_its_recipe_is_taken(form):
    form.show_recipe(PRESETS["quick"](epochs=(3, 4)))
    assert form.preset.currentText() == "quick, changed"
    assert form.changed_text.text() == "Changed: epochs"


def test_the_run_folder_is_the_one_given_or_a_new_one(form, tmp_path):
    form.folder.setText(f" {tmp_path / 'run'} ")
    assert form.run_folder() == tmp_path / "run"
    form.folder.setText("")
    assert form.run_folder().name.startswith("run-2")


def test_the_form_is_narrow(form):
    form.details.expand()
    form.preset.choose("paper")
    assert form.minimumSizeHint().width() <= 340


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "5 s"), (42, "40 s"), (58, "1 min"), (400, "7 min"), (3590, "1 h"), (7700, "2 h 10 min"),
     (40_000, "11 h"), (900_000, "10 days")],
)  # fmt: skip
def test_times_are_as_exact_as_an_estimate_is(seconds, text):
    assert rough(seconds) == text
