"""The dock of the plugin: form, training, and what can be done with the map."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.errors import InputError, sentence
from napari_tsimcne.events import Embedding, EpochEnded, Event, Prepared, Progress
from napari_tsimcne.explore import Exploration
from napari_tsimcne.gui._column import Column
from napari_tsimcne.gui._explorer import Explorer
from napari_tsimcne.gui._form import TrainingForm
from napari_tsimcne.gui._image_view import ImageView
from napari_tsimcne.gui._inputs import Inputs
from napari_tsimcne.gui._job import PlacingJob, TrainingJob
from napari_tsimcne.gui._loss_curve import LossCurve
from napari_tsimcne.gui._map_view import dock_of
from napari_tsimcne.gui._open import link_images
from napari_tsimcne.gui._outlines import LinkedLayer
from napari_tsimcne.gui._preview import PatchPreview
from napari_tsimcne.gui._sentences import left_out, progress_of
from napari_tsimcne.patches import Placed
from napari_tsimcne.recipe import Recipe
from napari_tsimcne.runs import Run, export_csv, open_exploration

if TYPE_CHECKING:
    import napari

BAR_STEPS = 1000


class TsimcneDock(QWidget):
    """From image layers to a linked map; one training and one map at a time."""

    ended = Signal()

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.job: TrainingJob | PlacingJob | None = None
        self.preview = PatchPreview(viewer)
        self.image_view = ImageView(viewer, self)
        self.explorer: Explorer | None = None
        self._window_closing = False
        self._build()
        self._refresh()

    # --- widgets ------------------------------------------------------------------------------

    def _build(self) -> None:
        content = QWidget()
        layout = QVBoxLayout(content)
        self.form = TrainingForm(self.viewer)
        self.form.changed.connect(self._refresh)
        layout.addWidget(self.form)

        buttons = QHBoxLayout()
        self.preview_button = QPushButton("Preview")
        self.preview_button.setToolTip("Count the patches and outline them in the images.")
        self.preview_button.clicked.connect(self.show_preview)
        self.train_button = QPushButton("Train")
        self.train_button.setToolTip("Cut the patches and learn their map.")
        self.train_button.clicked.connect(self.train)
        self.stop_button = QPushButton("Stop")
        self.stop_button.setToolTip("Stop now; of a training the map of what was learnt is kept.")
        self.stop_button.clicked.connect(self.stop)
        buttons.addWidget(self.preview_button)
        buttons.addWidget(self.train_button)
        buttons.addWidget(self.stop_button)
        layout.addLayout(buttons)
        self.bar = QProgressBar()
        self.bar.setRange(0, BAR_STEPS)
        layout.addWidget(self.bar)
        self.status = QLabel()
        self.status.setWordWrap(True)
        layout.addWidget(self.status)
        self.curve = LossCurve()
        layout.addWidget(self.curve)

        layout.addWidget(QLabel("<b>Map</b>"))
        self.map_label = QLabel()
        self.map_label.setWordWrap(True)
        layout.addWidget(self.map_label)
        self.left_out = QLabel()
        self.left_out.setWordWrap(True)
        self.left_out.setTextFormat(Qt.TextFormat.PlainText)
        layout.addWidget(self.left_out)
        actions = QHBoxLayout()
        self.open_button = QPushButton("Open run...")
        self.open_button.setToolTip("Show the map of a run folder.")
        self.open_button.clicked.connect(self._choose_run)
        self.show_button = QPushButton("Show map")
        self.show_button.setToolTip("Show map, gallery and clusters again after they were closed.")
        self.show_button.clicked.connect(self._show_map)
        actions.addWidget(self.open_button)
        actions.addWidget(self.show_button)
        layout.addLayout(actions)
        self.export_button = QPushButton("Export selected...")
        self.export_button.setToolTip("Write the selected patches to a CSV table.")
        self.export_button.clicked.connect(self._choose_export)
        layout.addWidget(self.export_button)
        layout.addStretch()

        scroll = Column(content)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)

    def _refresh(self) -> None:
        busy = self.job is not None
        training = isinstance(self.job, TrainingJob)
        self.form.setEnabled(not busy)
        for button in (self.preview_button, self.train_button):
            button.setEnabled(not busy and bool(self.form.layers()))
        self.stop_button.setEnabled(busy)
        self.bar.setVisible(busy)
        self.curve.setVisible(training or bool(self.curve.stages))
        explorer = self.explorer
        selected = len(explorer.exploration.selection) if explorer else 0
        self.export_button.setEnabled(selected > 0)
        self.show_button.setEnabled(explorer is not None and not explorer.complete)
        self.left_out.setVisible(bool(self.left_out.text()))
        if explorer is None:
            self.map_label.setText("No map yet.")
        else:
            folder, count = explorer.run.folder, len(explorer.exploration)
            self.map_label.setText(f"{folder.name}: {selected:,} of {count:,} patches selected")
            self.map_label.setToolTip(str(folder))

    # --- preview and training -----------------------------------------------------------------

    def show_preview(self) -> None:
        """Place the patches of the choices and outline them; wrong choices become a notice."""
        chosen = self._chosen()
        if chosen is not None:
            job = PlacingJob(*chosen)
            job.finished.connect(self._on_placed)
            self._start(job, "Placing patches")

    def train(self) -> None:
        """Start a training of the chosen images; wrong choices become a notice."""
        chosen = self._chosen()
        if chosen is not None:
            self.preview.remove()
            self.curve.clear()
            job = TrainingJob(*chosen, self.form.run_folder(), self.form.device.value)
            job.told.connect(self._on_event)
            job.finished.connect(self._on_finished)
            self._start(job, "Placing patches")

    def _chosen(self) -> tuple[Inputs, Recipe] | None:
        try:
            inputs = self.form.inputs()
            return inputs, self.form.recipe(rgb=inputs.images[0].rgb)
        except ValueError as error:
            show_error(sentence(error))
            return None

    def _start(self, job: TrainingJob | PlacingJob, text: str) -> None:
        job.placing.connect(self._on_placing)
        job.failed.connect(self._on_failed)
        job.cancelled.connect(self._on_cancelled)
        # It ends with this widget, however the window is closed.
        self.destroyed.connect(job.close)
        self.job = job
        self.bar.setValue(0)
        self.status.setText(text)
        self._refresh()
        job.start()

    def stop(self) -> None:
        """Stop what is done; of a training keep the map of what was learnt."""
        if self.job is not None:
            self.job.stop()
            self.stop_button.setEnabled(False)
            training = isinstance(self.job, TrainingJob) and self.job.process is not None
            self.status.setText(
                "Stopping: the map of what was learnt is being made" if training else "Stopping"
            )

    def _on_placing(self, what: str, done: int, total: int) -> None:
        self.bar.setValue(BAR_STEPS * done // max(total, 1))
        self.status.setText(f"{what}: {done:,} of {total:,}")

    def _on_placed(self, placed: Placed) -> None:
        assert self.job is not None
        inputs, recipe = self.job.inputs, self.job.recipe
        layers = self._still_there(inputs.layers)
        self._end_job("The images were removed.")
        if layers:
            self.status.setText(self.preview.show(placed, layers, recipe.seed))
        self.ended.emit()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Prepared):
            self.bar.setValue(0)
            self.status.setText(f"Training on {event.device}")
        elif isinstance(event, Progress):
            self.bar.setValue(round(BAR_STEPS * event.fraction))
            self.status.setText(progress_of(event))
        elif isinstance(event, EpochEnded):
            self.curve.add(event.stage, event.loss)
        elif isinstance(event, Embedding):
            self.status.setText("Drawing the map")

    def _on_finished(self, run: Run) -> None:
        assert self.job is not None
        layers = self._still_there(self.job.inputs.layers)
        self._end_job("Stopped: the map shows what was learnt until then."
                      if run.info.state == "stopped" else "Done.")  # fmt: skip
        self._set_run(run, open_exploration(run), layers)
        if run.info.skipped:
            show_warning(self.left_out.text())
        self.ended.emit()

    def _still_there(self, layers: Mapping[str, LinkedLayer]) -> dict[str, LinkedLayer]:
        """Return what is left of layers that the user may have removed meanwhile."""
        left = {name: linked.among(self.viewer.layers) for name, linked in layers.items()}
        return {name: linked for name, linked in left.items() if linked is not None}

    def _on_failed(self, reason: str) -> None:
        what = "Training" if isinstance(self.job, TrainingJob) else "The preview"
        self.preview.remove()
        self._end_job(f"{what} failed: {reason}")
        show_error(f"t-SimCNE: {reason}")
        self.ended.emit()

    def _on_cancelled(self) -> None:
        training = isinstance(self.job, TrainingJob)
        self._end_job("Stopped before the patches were cut." if training else "Stopped.")
        self.ended.emit()

    def _end_job(self, text: str) -> None:
        self.job = None
        self.status.setText(text)
        self._refresh()

    # --- map ----------------------------------------------------------------------------------

    def open_run(self, folder: Path) -> None:
        """Show the map of a run folder, and its images where they are found.

        Raises
        ------
        InputError
            Where the folder holds no run with a map.
        """
        run = Run.open(folder)
        # First: what is damaged is refused before anything is changed.
        exploration = open_exploration(run)
        before = len(self.viewer.layers)
        layers = link_images(self.viewer, run)
        # Once the images are there: they decide what can be chosen.
        self.form.patches.show_recipe(run.recipe)
        self.preview.remove()
        if len(self.viewer.layers) > before:
            self.image_view.fit()
            self.viewer.layers.selection.active = next(iter(layers.values())).layer
        self._set_run(run, exploration, layers)

    def _choose_run(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a run folder")
        if folder:
            try:
                self.open_run(Path(folder))
            except InputError as error:
                show_error(str(error))

    def _set_run(
        self, run: Run, exploration: Exploration, layers: Mapping[str, LinkedLayer]
    ) -> None:
        if self.explorer is not None:
            self.explorer.close()
            self.explorer = None
        self.left_out.setText(left_out(run.info.skipped))
        self.explorer = Explorer(self.viewer, run, exploration, layers, self)
        self.explorer.changed.connect(self._refresh)
        # The images have another room then.
        self.explorer.arranged.connect(self.image_view.fit_later)
        self._refresh()

    def _show_map(self) -> None:
        assert self.explorer is not None
        self.explorer.show()

    def _choose_export(self) -> None:
        assert self.explorer is not None
        suggested = str(self.explorer.run.folder / "selected.csv")
        path, _ = QFileDialog.getSaveFileName(
            self, "Export selected patches", suggested, "CSV (*.csv)"
        )
        if path:
            self.export(Path(path))

    def export(self, path: Path) -> None:
        """Write the rows of the selected patches to a CSV file; failures become a notice."""
        assert self.explorer is not None
        try:
            mask = self.explorer.exploration.selection.mask
            count = export_csv(self.explorer.run, path, mask)
        except (OSError, InputError) as error:
            show_error(f"The table could not be written: {error}")
        else:
            show_info(f"{count:,} patches written to {path}")

    # --- end ----------------------------------------------------------------------------------

    def showEvent(self, event: Any) -> None:  # noqa: N802
        """Watch for the end of the window."""
        super().showEvent(event)
        self.window().installEventFilter(self)

    def eventFilter(self, watched: Any, event: QEvent) -> bool:  # noqa: N802
        """Let go when the window closes; it is hidden once nobody has refused."""
        if event.type() == QEvent.Type.Close:
            self._window_closing = True
        elif event.type() == QEvent.Type.Hide and self._window_closing and not event.spontaneous():
            self._release()
            if self.explorer is not None:
                self.explorer.release()
        return super().eventFilter(watched, event)

    def event(self, event: QEvent) -> bool:
        """Let go when the dock is closed: napari then takes the widget out of its place."""
        if event.type() == QEvent.Type.ParentAboutToChange and dock_of(self) is not None:
            self.window().removeEventFilter(self)
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
        self.image_view.release()
        self.preview.remove()
