"""Comparing seeds: the dialog, the job, and what is shown of a comparison."""

import numpy as np
import pytest
from driving import TRAINING_MS, mapped, needs_display
from making import make_tiny_run
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDialogButtonBox

from napari_tsimcne.events import Failed, Finished
from napari_tsimcne.explore import Clusters
from napari_tsimcne.gui.dialogs._compare import CompareJob, CompareSeeds, StabilitySummary
from napari_tsimcne.runs import Comparison, Run, compare_seeds, seed_run, with_stability

pytestmark = needs_display


@pytest.fixture
def run(tmp_path):
    return mapped(make_tiny_run(tmp_path / "run"))


class Trainings:
    """Stands in for the children that train: how they end is said beforehand."""

    def __init__(self, monkeypatch):
        self.started, self.ends, self.asked = [], "finished", []
        trainings = self

        class Process:
            def __init__(self, folder, device):
                trainings.started.append((folder, device))
                self._folder = folder

            @classmethod
            def attach(cls, folder):
                return None

            def events(self):
                if trainings.ends == "failed":
                    yield Failed(reason="memory ran out")
                elif trainings.ends == "stopped":
                    yield Finished(stopped=True, seconds=1)
                elif trainings.ends == "finished":
                    mapped(Run.open(self._folder), seed=1)
                    yield Finished(stopped=False, seconds=1)

            def stop(self):
                trainings.asked.append("stop")

            def kill(self):
                trainings.asked.append("kill")

        monkeypatch.setattr("napari_tsimcne.gui.dialogs._compare.TrainingProcess", Process)


@pytest.fixture
def trainings(monkeypatch):
    return Trainings(monkeypatch)


# --- the job --------------------------------------------------------------------------------------


def test_the_job_trains_and_compares(run, trainings, qtbot):
    job = CompareJob(run, 4, "cpu")
    told = []
    job.told.connect(told.append)
    with qtbot.waitSignal(job.finished, timeout=10_000) as ended:
        job.start()
    (found,) = ended.args
    assert found.seeds == (4,) and len(found.stability) == len(run.table)
    assert trainings.started == [(run.folder / "seeds" / "4", "cpu")]
    assert [event.kind for event in told] == ["finished"]
    assert np.array_equal(with_stability(run)["stability"], found.stability)

    # Learnt before, it is compared at once.
    with qtbot.waitSignal(job.finished, timeout=10_000):
        CompareJob.start(job)
    assert len(trainings.started) == 1


@pytest.mark.parametrize(("ends", "signal"), [("failed", "failed"), ("stopped", "cancelled")])
def test_a_training_that_does_not_end_well_is_compared_with_nothing(
    run, trainings, qtbot, ends, signal
):
    trainings.ends = ends
    job = CompareJob(run, 4, "cpu")
    with qtbot.waitSignal(getattr(job, signal), timeout=10_000) as ended:
        job.start()
    assert ended.args == (["memory ran out"] if ends == "failed" else [])
    assert not (run.folder / "stability.parquet").exists()
    # It goes on with the same seed.
    assert CompareSeeds(run).seed.value() == 4


def test_mistakes_are_told(run, trainings, qtbot):
    job = CompareJob(run, run.recipe.seed, "cpu")
    with qtbot.waitSignal(job.failed, timeout=10_000) as ended:
        job.start()
    assert "choose another one" in ended.args[0] and not trainings.started


def test_stop_and_close_reach_the_child(run, trainings, qtbot):
    job = CompareJob(run, 4, "cpu")
    with qtbot.waitSignal(job.finished, timeout=10_000):
        job.start()
    job.stop()
    job.close()
    assert trainings.asked == ["stop", "kill"]


def test_a_job_that_was_stopped_at_once_trains_nothing(run, trainings, qtbot):
    job = CompareJob(run, 4, "cpu")
    job.stop()
    with qtbot.waitSignal(job.cancelled, timeout=10_000):
        job.start()
    assert not trainings.started


def test_a_real_child_learns_the_other_seed(run, qtbot):
    job = CompareJob(run, 1, "cpu")
    kinds = set()
    job.told.connect(lambda event: kinds.add(event.kind))
    with qtbot.waitSignal(job.finished, timeout=TRAINING_MS) as ended:
        job.start()
    assert ended.args[0].seeds == (1,)
    assert {"prepared", "progress", "embedding", "finished"} <= kinds
    assert Run.open(run.folder / "seeds" / "1").info.state == "trained"


# --- the dialog -----------------------------------------------------------------------------------


def labels_of(dialog):
    from qtpy.QtWidgets import QLabel

    return " ".join(label.text() for label in dialog.findChildren(QLabel))


def test_the_dialog_says_what_is_done_and_how_long_it_takes(run, qtbot):
    dialog = CompareSeeds(run)
    qtbot.addWidget(dialog)
    assert "as long as the training took." in labels_of(dialog)
    (run.folder / "events.jsonl").write_text(
        Finished(stopped=False, seconds=200).model_dump_json() + "\n"
    )
    dialog = CompareSeeds(run)
    qtbot.addWidget(dialog)
    assert "as long as the training took: 3 min 20 s." in labels_of(dialog)


def test_another_seed_is_chosen(run, qtbot):
    mapped(seed_run(run, 1))
    dialog = CompareSeeds(run)
    qtbot.addWidget(dialog)
    dialog.show()
    assert dialog.seed.value() == 2 and "Learnt before: 1." in dialog.says.text()
    dialog.seed.setValue(0)
    assert not dialog.start_button.isEnabled() and "choose another one" in dialog.says.text()
    dialog.seed.setValue(1)
    assert "compared at once" in dialog.says.text()
    with qtbot.waitSignal(dialog.accepted, timeout=1000):
        QTest.mouseClick(dialog.start_button, Qt.MouseButton.LeftButton)
    dialog.show()
    cancel = dialog.buttons.button(QDialogButtonBox.StandardButton.Cancel)
    with qtbot.waitSignal(dialog.rejected, timeout=1000):
        QTest.mouseClick(cancel, Qt.MouseButton.LeftButton)


# --- the summary ----------------------------------------------------------------------------------


@pytest.fixture
def summary(qtbot):
    summary = StabilitySummary()
    qtbot.addWidget(summary)
    summary.resize(340, 500)
    summary.show()
    return summary


def rows_of(table):
    return [
        [table.item(row, column).text() for column in range(table.columnCount())]
        for row in range(table.rowCount())
    ]


def test_a_comparison_is_shown(summary, run):
    mapped(seed_run(run, 1))
    mapped(seed_run(run, 2), seed=1)
    found = compare_seeds(run)
    clusters = Clusters(len(run.table))
    clusters.create(run.coordinates[:, 0] > 0, name="right")
    summary.show_values(found, clusters)
    assert "nearest neighbours on the map are the same" in summary.text.text()
    assert "Mean over the seeds 1, 2." in summary.text.text()
    assert sum(bar.get_height() for bar in bars(summary)) == len(run.table)
    ((name, patches, same, kept),) = rows_of(summary.table)
    assert name == "right" and int(patches) == (run.coordinates[:, 0] > 0).sum()
    # One of the two maps is the same, the other is unlike.
    assert 50 <= int(same.removesuffix(" %")) < 75 and 60 < int(kept.removesuffix(" %")) < 95
    assert summary.table.isVisible() and not summary.no_clusters.isVisible()


def bars(summary):
    return summary.histogram.figure.axes[0].patches


def test_clusters_are_followed(summary, qtbot):
    near = np.zeros((1, 10, 2), np.int32)
    found = Comparison((1,), np.linspace(0, 1, 10, dtype=np.float32), near)
    clusters = Clusters(10)
    summary.show_values(found, clusters)
    assert summary.no_clusters.isVisible() and not summary.table.isVisible()
    cluster = clusters.create(np.arange(10) < 5, name="new")
    qtbot.waitUntil(lambda: rows_of(summary.table) == [["new", "5", "22 %", "100 %"]])
    clusters.describe(cluster.id, name="renamed")
    qtbot.waitUntil(lambda: rows_of(summary.table)[0][0] == "renamed")
    summary.release()
    clusters.delete([cluster.id])
    assert not summary._pause.isActive() and len(rows_of(summary.table)) == 1


def test_the_map_is_to_be_coloured(summary, qtbot):
    with qtbot.waitSignal(summary.colour_wanted, timeout=1000):
        QTest.mouseClick(summary.color_button, Qt.MouseButton.LeftButton)


def test_it_fits_a_narrow_dock(summary):
    near = np.zeros((1, 1000, 15), np.int32)
    found = Comparison((1,), np.ones(1000, np.float32), near)
    clusters = Clusters(1000)
    for i in range(12):
        clusters.create(np.arange(1000) % 12 == i, name=f"a cluster of a long name, number {i}")
    summary.show_values(found, clusters)
    assert summary.minimumSizeHint().width() <= 340
    table = summary.table
    assert table.horizontalHeader().length() <= table.viewport().width()
    for column in range(1, 4):
        assert table.columnWidth(column) >= table.sizeHintForColumn(column)
