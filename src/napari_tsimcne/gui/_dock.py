"""The dock of the plugin: from images to a map in steps, and what is done with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtCore import QEvent, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_tsimcne.errors import InputError, sentence
from napari_tsimcne.events import Event, MapMoved
from napari_tsimcne.explore import Exploration
from napari_tsimcne.gui._drops import RunDrops
from napari_tsimcne.gui._explorer import Explorer
from napari_tsimcne.gui._wheel import keep_wheel
from napari_tsimcne.gui._window_end import WindowEnd
from napari_tsimcne.gui.dialogs._at_close import AtClose, Stopping, ask_at_close
from napari_tsimcne.gui.images._image_name import ImageName
from napari_tsimcne.gui.images._image_view import ImageView
from napari_tsimcne.gui.images._open import (
    images_of_run,
    link_addition,
    shown_layers,
    still_there,
    warn_of,
)
from napari_tsimcne.gui.images._outlines import LinkedLayer
from napari_tsimcne.gui.images._showing import Showing
from napari_tsimcne.gui.jobs._advisor import Advisor
from napari_tsimcne.gui.jobs._job import Job
from napari_tsimcne.gui.jobs._map_jobs import MapJobs
from napari_tsimcne.gui.jobs._training_job import TrainingJob
from napari_tsimcne.gui.map._map_view import dock_of
from napari_tsimcne.gui.steps._column import STEPS_WIDTH, Column
from napari_tsimcne.gui.steps._form import TrainingForm
from napari_tsimcne.gui.steps._inputs import Inputs
from napari_tsimcne.gui.steps._map_step import MapStep
from napari_tsimcne.gui.steps._remembered import remember_recipe
from napari_tsimcne.gui.steps._training_panel import TrainingPanel
from napari_tsimcne.gui.steps._unfinished import UnfinishedRuns
from napari_tsimcne.recipe import Recipe
from napari_tsimcne.runs import (
    Comparison,
    ExtendedRun,
    Run,
    extended,
    is_training,
    open_exploration,
    own_run,
    remember_run,
)

if TYPE_CHECKING:
    import napari


class TsimcneDock(QWidget):
    """From image layers to a linked map; one training and one map at a time.

    ``ended`` is emitted when a training has ended, however it did. ``ask_at_close`` tells what
    becomes of a training when the window is closed.
    """

    ended = Signal()

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.job: Job | None = None
        # One shows views at once while the other measures how long a training takes.
        self.advisors = Advisor(self), Advisor(self)
        self.image_view = ImageView(viewer, self)
        self.image_name = ImageName(viewer)
        self.explorer: Explorer | None = None
        self._opened: Run | None = None
        """Whose images are being opened."""
        self._view_waits = False
        """Whether the view is fitted once the first image is shown."""
        self.ask_at_close: Callable[[], AtClose] = lambda: ask_at_close(self.window())
        self.window_end = WindowEnd(self, self._may_close)
        self.window_end.closed.connect(self._on_window_closed)
        self.drops = RunDrops(self)
        self.drops.dropped.connect(self._on_run_dropped)
        self._build()
        keep_wheel(self)
        self._refresh()

    # --- widgets ------------------------------------------------------------------------------

    def _build(self) -> None:
        self.unfinished = UnfinishedRuns()
        self.unfinished.attach_wanted.connect(self._open_chosen)
        self.unfinished.resume_wanted.connect(self._resume_chosen)
        self.showing = Showing(self.viewer)
        self.showing.shown.connect(self._on_shown)
        self.showing.lost.connect(warn_of)
        self.showing.ended.connect(self._on_all_shown)
        self.form = TrainingForm(self.viewer, *self.advisors)
        self.form.changed.connect(self._refresh)
        self.form.found.connect(self._refresh)
        self.form.images.showing.ended.connect(self.image_view.fit)
        self.panel = TrainingPanel()
        self.panel.train_wanted.connect(self.train)
        self.panel.pause_wanted.connect(self.pause)
        self.panel.resume_wanted.connect(self.resume)
        self.panel.stop_wanted.connect(self.stop)
        self.form.train_step.add(self.panel)
        self.map_step = MapStep()
        self.map_panel, self.stability = self.map_step.panel, self.map_step.stability
        self.map_panel.run_chosen.connect(self._open_chosen)
        self.map_jobs = MapJobs(self.viewer, self)
        self.map_panel.add_wanted.connect(lambda: self._ask_for(self.map_jobs.add_images))
        self.map_panel.compare_wanted.connect(lambda: self._ask_for(self.map_jobs.compare_seeds))
        for signal, do in (
            (self.map_panel.export_wanted, self.map_jobs.export),
            (self.map_panel.find_wanted, self.map_jobs.find_images),
            (self.map_panel.check_wanted, Explorer.show_checks),
            (self.map_panel.conditions_wanted, Explorer.show_conditions),
        ):
            signal.connect(partial(self._with_explorer, do))
        self.map_jobs.moved.found.connect(self._on_images_found)
        self.map_jobs.begun.connect(self._start)
        self.map_jobs.added.connect(self._on_added)
        self.map_jobs.compared.connect(self._on_compared)
        content = QWidget()
        layout = QVBoxLayout(content)
        for widget in (self.unfinished, self.showing, self.form, self.map_step):
            layout.addWidget(widget)
        layout.addStretch()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        self.column = Column(content, STEPS_WIDTH)
        outer.addWidget(self.column)
        self.unfinished.look()

    def _refresh(self) -> None:
        busy = self.job is not None
        self.form.allow_changes(not busy)
        run = self.explorer.run if self.explorer is not None else None
        unfinished = run is not None and run.info.state != "trained"
        self.panel.allow(train=self.form.ready, resume=unfinished)
        self.map_step.show_explorer(self.explorer, busy)

    # --- training -----------------------------------------------------------------------------

    def train(self) -> None:
        """Start a training of the chosen images; wrong choices become a notice."""
        chosen = self._chosen()
        if chosen is not None:
            remember_recipe(chosen[1])
            folder, device = self.form.run_folder(), self.form.training.device_name
            self._start_training(TrainingJob(folder, device, *chosen), "Placing patches")

    def resume(self) -> None:
        """Go on with a training that is paused, or that was cut off or stopped."""
        if self.job is not None:
            self.job.resume()
        elif self.explorer is not None:
            run, device = own_run(self.explorer.run), self.form.training.device_name
            if run is not self.explorer.run:
                # What was added to the map so far is not of the one to come.
                self._show_again(run)
            job = TrainingJob(run.folder, device)
            self._start_training(job, "Starting where the training was")

    def pause(self) -> None:
        """Hold the training until `resume`."""
        if self.job is not None:
            self.job.pause()

    def stop(self) -> None:
        """Stop what is done; of a training keep the map of what was learnt."""
        if self.job is not None:
            self.job.stop()
            self.panel.show_stopping()

    def _chosen(self) -> tuple[Inputs, Recipe] | None:
        try:
            inputs = self.form.inputs()
            return inputs, self.form.recipe(rgb=inputs.images[0].rgb)
        except ValueError as error:
            show_error(sentence(error))
            return None

    def _start_training(self, job: TrainingJob, text: str) -> None:
        job.cut.connect(self._on_cut)
        job.finished.connect(self._on_finished)
        self._start(job, text)

    def _start(self, job: Job, text: str) -> None:
        job.placing.connect(self.panel.show_cutting)
        job.told.connect(self._on_event)
        job.failed.connect(self._on_failed)
        job.cancelled.connect(self._on_cancelled)
        # It is followed no longer than this widget is there, however the window is closed.
        self.destroyed.connect(job.close)
        self.job = job
        # Memory and processor are for the training; the next question starts them again.
        for advisor in self.advisors:
            advisor.close()
        self.unfinished.hide()
        self.panel.begin(text)
        self.column.look_at(self.panel)
        self._refresh()
        job.start()

    def _on_cut(self, run: Run) -> None:
        """Open the run that is now trained: its map forms while it is learnt."""
        assert isinstance(self.job, TrainingJob)
        self.panel.show_training()
        if self.explorer is not None and self.explorer.run.folder == run.folder:
            return
        inputs = self.job.inputs
        if inputs is None:
            layers = shown_layers(self.viewer, run)
        else:
            layers = still_there(self.viewer, inputs.layers)
        self._set_run(run, open_exploration(run), layers)
        self._show_images(run)
        if run.info.skipped:
            show_warning(self.map_panel.left_out.text())

    def _on_event(self, event: Event) -> None:
        if isinstance(event, MapMoved):
            # That of another seed is not the one that is shown.
            if self.explorer is not None and isinstance(self.job, TrainingJob):
                self.explorer.move_map(event)
        else:
            self.panel.show_event(event)

    def _on_finished(self, run: Run) -> None:
        try:
            if self.explorer is not None:
                self.explorer.take_map(run)
        except InputError as error:
            show_error(f"t-SimCNE: {error}")
        self._end_job("Stopped: the map shows what was learnt until then."
                      if run.info.state == "stopped" else "Done.")  # fmt: skip

    def _on_failed(self, reason: str) -> None:
        what = "Training failed" if isinstance(self.job, TrainingJob) else "Failed"
        self._end_job(f"{what}: {reason}")
        show_error(f"t-SimCNE: {reason}")

    def _on_cancelled(self) -> None:
        training = isinstance(self.job, TrainingJob)
        self._end_job("Stopped before the patches were cut." if training else "Stopped.")

    def _end_job(self, text: str) -> None:
        self.job = None
        self.panel.end(text)
        self._refresh()
        self.ended.emit()

    # --- map ----------------------------------------------------------------------------------

    def open_run(self, folder: Path) -> None:
        """Show the map of a run folder, and its images where they are found.

        A run that another process trains is followed; of one that was cut off, `resume` goes on.

        Raises
        ------
        InputError
            Where the folder holds no run, or it is damaged.
        """
        run = extended(Run.open(folder))
        # First: what is damaged is refused before anything is changed.
        exploration = open_exploration(run)
        remember_run(run.folder)
        self.form.outlines.setChecked(False)
        layers = shown_layers(self.viewer, run)
        self.form.show_recipe(run.recipe)
        self._set_run(run, exploration, layers)
        self._show_images(run)
        self.map_jobs.tell_what_is_missing(run)
        if is_training(run.folder):
            job = TrainingJob(run.folder, self.form.training.device_name)
            self._start_training(job, "Following the training")
        elif not run.has_map:
            self.panel.end("The training of this run was cut off: Resume goes on with it.")
        self.unfinished.look(run.folder)
        self._refresh()

    def _on_shown(self, layers: Mapping[str, LinkedLayer]) -> None:
        """Link images that are shown now to the map."""
        if self.explorer is None:
            return
        self.explorer.add_layers(layers)
        if self._view_waits and layers:
            self._view_waits = False
            self.image_view.fit_later()
            self.viewer.layers.selection.active = next(iter(layers.values())).layer

    def _on_all_shown(self) -> None:
        if self._opened is not None:
            self.image_view.fit_later()
        if self._opened is not None and self.job is None:
            # Now that the images are there: they decide what can be chosen.
            self.form.show_recipe(self._opened.recipe)
        self._opened = None

    def _show_images(self, run: Run) -> None:
        """Show the images of a run, as many as are wanted, while the window lives on."""
        self._opened, self._view_waits = run, True
        self.showing.ask_for(images_of_run(self.viewer, run))

    def _show_image(self, name: str) -> None:
        """Show one image of the run, as a patch of it is looked at."""
        assert self.explorer is not None
        run = self.explorer.run
        self.showing.ask_for(images_of_run(self.viewer, run, [run.image(name)]))

    def _open_chosen(self, folder: Path) -> None:
        try:
            self.open_run(folder)
        except InputError as error:
            show_error(str(error))

    def _on_run_dropped(self, folder: Path) -> None:
        if self.job is None:
            self._open_chosen(folder)

    def _resume_chosen(self, folder: Path) -> None:
        self._open_chosen(folder)
        if self.job is None and self.explorer is not None:
            self.resume()

    def _set_run(
        self, run: Run, exploration: Exploration, layers: Mapping[str, LinkedLayer]
    ) -> None:
        self.map_jobs.leave_map()
        self.showing.close_job()
        if self.explorer is not None:
            self.explorer.close()
            self.explorer = None
        self.map_step.leave_map()
        self.explorer = Explorer(self.viewer, run, exploration, layers, self)
        self.explorer.changed.connect(self._refresh)
        self.explorer.image_wanted.connect(self._show_image)
        # The images have another room then.
        self.explorer.arranged.connect(self.image_view.fit_later)
        self._refresh()

    # --- further work on the map --------------------------------------------------------------

    def _with_explorer(self, do: Callable[[Explorer], None], *_: object) -> None:
        if self.explorer is not None:
            do(self.explorer)

    def _ask_for(self, ask: Callable[[Run, str], None]) -> None:
        assert self.explorer is not None
        ask(self.explorer.run, self.form.training.device_name)

    def _on_added(self, name: str, inputs: Inputs) -> None:
        """Show the patches that were put onto the map, with their images."""
        assert self.explorer is not None
        run = extended(Run.open(self.explorer.run.folder))
        there, busy = still_there(self.viewer, inputs.layers), self.showing.busy
        if isinstance(run, ExtendedRun):
            new, request = link_addition(self.viewer, run, name, there)
            self._show_again(run, new)
            self.showing.ask_for(request)
        else:
            self._show_again(run)
        if busy:
            self._show_images(run)
        rows = run.table[run.table["added"] == name] if "added" in run.table else run.table[:0]
        unfamiliar = int(rows["unfamiliar"].sum()) if len(rows) else 0
        self._end_job(
            f"{len(rows):,} patches were put onto the map; {unfamiliar:,} of them are outliers, "
            "similar to no training patch."
        )

    def _on_images_found(self) -> None:
        """Show the images of the run that were found where they are now."""
        assert self.explorer is not None
        run = extended(Run.open(self.explorer.run.folder))
        self._show_again(run)
        self._show_images(run)

    def _on_compared(self, found: Comparison) -> None:
        """Tell how stable the map is, and let it be coloured by that."""
        assert self.explorer is not None
        exploration = self._show_again(self.explorer.run)
        self.map_step.show_stability(found, exploration.clusters)
        self._end_job("Done: see below how stable the map is.")

    def _show_again(self, run: Run, new: Mapping[str, LinkedLayer] | None = None) -> Exploration:
        """Show a run in place of what is shown of it, and return what was found on its map."""
        assert self.explorer is not None
        names = {record.name for record in run.info.images}
        layers = {n: la for n, la in self.explorer.link.layers.items() if n in names}
        # What was found on the map is written before it is read again.
        self.explorer.close()
        self.explorer = None
        exploration = open_exploration(run)
        self._set_run(run, exploration, layers | dict(new or {}))
        return exploration

    # --- end ----------------------------------------------------------------------------------

    def _may_close(self) -> bool:
        """Ask what becomes of a training; False where the window is to stay."""
        if not (isinstance(self.job, TrainingJob) and self.job.training):
            return True
        answer = self.ask_at_close()
        return answer != "cancel" and (answer != "stop" or self._stop_in_sight())

    def _on_window_closed(self) -> None:
        self._release()
        if self.explorer is not None:
            self.explorer.release()

    def _stop_in_sight(self) -> bool:
        """Stop, and show how the map is made; False where the user no longer wants to quit."""
        assert self.job is not None
        dialog = Stopping(self.window(), self.job)
        self.stop()
        return bool(dialog.exec())

    def event(self, event: QEvent) -> bool:
        """Let go when the dock is closed: napari then takes the widget out of its place."""
        if event.type() == QEvent.Type.ParentAboutToChange and dock_of(self) is not None:
            self.window_end.forget()
            if isinstance(self.job, TrainingJob) and self.job.training:
                show_info("The training goes on in the background: open t-SimCNE to follow it.")
            self._release()
            if self.explorer is not None:
                self.explorer.close()
                self.explorer = None
        return super().event(event)

    def _release(self) -> None:
        if self.job is not None:
            self.job.close()
            self.job = None
        self.form.release()
        self.showing.close_job()
        self.image_name.release()
        self.image_view.release()
        self.map_jobs.release()
        for advisor in self.advisors:
            advisor.close()
