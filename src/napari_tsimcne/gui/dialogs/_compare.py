"""Compare seeds: what it does is told, the map is learnt again, and which of it to believe."""

from __future__ import annotations

import numpy as np
from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from qtpy.QtCore import QEvent, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QPushButton,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.events import Event, Failed, Finished, readable_time
from napari_tsimcne.explore import Clusters, chance, cluster_stability, stability_text
from napari_tsimcne.gui._fields import add_rows, form_layout, spin
from napari_tsimcne.gui._ties import Ties
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.jobs._job import CancelledError, Job
from napari_tsimcne.runs import (
    Comparison,
    Run,
    TrainingProcess,
    compare_seeds,
    next_seed,
    seed_run,
    seed_runs,
    training_seconds,
)

LARGEST_SEED = 2**31 - 1
WAIT_MS = 300
"""After a change of clusters, so that several changes count once."""

COLOR, CHANCE_COLOR = "#5b9fe0", "#f0a02c"
BARS = 15
SWATCH = 12
HIGHEST_TABLE = 260
"""Side of a swatch and height of a table, in pixels."""

COLUMNS = (
    ("Cluster", ""),
    ("Patches", "How many patches it holds."),
    ("Same", "Share of each patch's nearest patches that are the same on the other maps."),
    (
        "Together",
        "Share of each patch's nearest ones on the other maps that are of its own cluster.\n"
        "A cluster that keeps together is an island there too: believe it. In a large island\n"
        "of patches that are all alike, chance decides which of them are nearest.",
    ),
)


class CompareSeeds(QDialog):
    """Tells what is compared and how long it takes, and asks for the seed."""

    def __init__(self, run: Run, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Compare seeds")
        own, others = run.recipe.seed, seed_runs(run)
        seconds = training_seconds(run)
        self._own = own
        self._learnt = {other.recipe.seed for other in others if other.info.state == "trained"}
        time = f": {readable_time(seconds)}" if seconds is not None else ""
        text = Wrapped(
            "The map is learnt again from the same patches with another seed, and every patch's "
            "nearest neighbours on the two maps are compared: islands that are there with both "
            "seeds can be believed.\n\n"
            f"It takes as long as the training took{time}. The map shown here stays as it is."
        )
        self.seed = spin(
            0, LARGEST_SEED, min(next_seed(run), LARGEST_SEED), "",
            f"Decides all that is random in learning; this map was learnt with {own}.",
        )  # fmt: skip
        self.says = Wrapped()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.start_button = QPushButton("Compare")
        self.buttons.addButton(self.start_button, QDialogButtonBox.ButtonRole.AcceptRole)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.seed.valueChanged.connect(self._refresh)
        form = form_layout()
        add_rows(form, [("Seed", self.seed)])
        layout = QVBoxLayout(self)
        layout.addWidget(text)
        layout.addLayout(form)
        layout.addWidget(self.says)
        layout.addWidget(self.buttons)
        self.setMinimumWidth(380)
        self._refresh()

    def _refresh(self) -> None:
        seed = self.seed.value()
        self.start_button.setEnabled(seed != self._own)
        if seed == self._own:
            self.says.setText("This map was learnt with that seed: choose another one.")
        elif seed in self._learnt:
            self.says.setText("It was learnt before: the maps are compared at once.")
        elif self._learnt:
            learnt = ", ".join(map(str, sorted(self._learnt)))
            self.says.setText(f"Learnt before: {learnt}. The result is the mean over all seeds.")
        else:
            self.says.setText("")


class CompareJob(Job):
    """Learns the map with another seed in a child; ``finished`` carries the `Comparison`.

    ``told`` carries the events of the child. A seed that was learnt before is compared at once.
    Stopped, it is cancelled, and the same seed goes on where it was the next time.

    Parameters
    ----------
    run
        With a map learnt to its end.
    seed
        Another one than the run's.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    """

    def __init__(self, run: Run, seed: int, device: str) -> None:
        super().__init__()
        self.run, self.seed = run, seed
        self._device = device

    def close(self) -> None:
        """End the child at once; nothing is told any more."""
        super().close()
        with self._lock:
            if self.process is not None:
                self.process.kill()

    def _run(self) -> None:
        other = seed_run(self.run, self.seed)
        if other.info.state != "trained":
            last = self._train(other)
            if isinstance(last, Failed):
                self._tell(self.failed, last.reason)
                return
            if last is None or last.stopped:
                raise CancelledError
        self._on_placing("Comparing neighbours", 0, 1)
        self._tell(self.finished, compare_seeds(self.run))

    def _train(self, other: Run) -> Finished | Failed | None:
        """Train in a child; return its last event, None where the job was closed."""
        with self._lock:
            if self._stop.is_set():
                return None
            # That of a window that is no more may still be at it.
            self.process = TrainingProcess.attach(other.folder) or TrainingProcess(
                other.folder, self._device
            )
        last: Event | None = None
        for last in self.process.events():
            self._tell(self.told, last)
        return last if isinstance(last, Finished | Failed) else None


class StabilitySummary(QWidget):
    """How stable a map is: in a sentence, as a histogram of patches, and of each cluster.

    ``colour_wanted``: the map is to be coloured by stability.
    """

    colour_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.text = Wrapped()
        self.histogram = _Histogram()
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setToolTip(COLUMNS[-1][1])
        for place, (name, tip) in enumerate(COLUMNS):
            item = QTableWidgetItem(name)
            item.setToolTip(tip)
            self.table.setHorizontalHeaderItem(place, item)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.setShowGrid(False)
        self.table.setIconSize(QSize(SWATCH, SWATCH))
        self.table.verticalHeader().hide()
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.no_clusters = Wrapped("Make clusters to see how stable each of them is.")
        self.color_button = QPushButton("Colour map by stability")
        self.color_button.setToolTip(
            "Colour every patch by the share of its nearest patches that stay the same."
        )
        self.color_button.clicked.connect(self.colour_wanted)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.text, self.histogram, self.table, self.no_clusters, self.color_button):
            layout.addWidget(widget)
        self._found: Comparison | None = None
        self._clusters: Clusters | None = None
        self._ties: Ties | None = None
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(WAIT_MS)
        self._pause.timeout.connect(self._fill_table)

    def show_values(self, found: Comparison, clusters: Clusters) -> None:
        """Show a comparison of N patches and their clusters, which are followed as they change."""
        self.release()
        self._found, self._clusters = found, clusters
        self._ties = Ties(self, (clusters.changed, self._on_clusters))
        text = stability_text(found.stability, found.neighbors)
        if len(found.seeds) > 1:
            text += f". Mean over the seeds {', '.join(map(str, found.seeds))}"
        self.text.setText(f"{text}.")
        self.histogram.draw_values(found.stability, chance(len(found.stability), found.neighbors))
        self._fill_table()

    def release(self) -> None:
        """Follow the clusters no longer."""
        self._pause.stop()
        if self._ties is not None:
            self._ties.cut()
            self._ties = None

    def _on_clusters(self) -> None:
        self._pause.start()

    def _fill_table(self) -> None:
        assert self._found is not None and self._clusters is not None
        rows = cluster_stability(self._clusters, self._found.stability, self._found.near)
        self.table.setVisible(len(rows) > 0)
        self.no_clusters.setVisible(not len(rows))
        self.table.setRowCount(len(rows))
        for place, row in enumerate(rows.itertuples()):
            name = QTableWidgetItem(_swatch(row.color), row.name)
            name.setToolTip(row.name)
            self.table.setItem(place, 0, name)
            by_chance = f"by chance {_percent(row.together_by_chance)}"
            texts = (f"{row.size:,}", _percent(row.stability), _percent(row.together))
            for column, (text, tip) in enumerate(zip(texts, ("", "", by_chance), strict=True), 1):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                item.setToolTip(tip)
                self.table.setItem(place, column, item)
        height = self.table.horizontalHeader().sizeHint().height() + 2 * self.table.frameWidth()
        height += sum(self.table.rowHeight(row) for row in range(len(rows)))
        self.table.setFixedHeight(min(height, HIGHEST_TABLE))


class _Histogram(FigureCanvasQTAgg):
    """How many patches have which stability, and what is expected by chance."""

    def __init__(self) -> None:
        # Its palette is set, and that is told, before it is made wholly.
        self._values, self._expected = np.empty(0), 0.0
        self._figure = Figure(figsize=(3, 1.2), layout="constrained", facecolor="none")
        super().__init__(self._figure)
        self.setStyleSheet("background: transparent;")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(120)

    def draw_values(self, values: np.ndarray, expected: float) -> None:
        """Draw the stability of N patches, and what chance would give."""
        self._values, self._expected = values, expected
        self._draw()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Take the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and len(self._values):
            self._draw()

    def _draw(self) -> None:
        text = self.palette().windowText().color().name()
        self._figure.clear()
        axes = self._figure.add_subplot(facecolor="none")
        axes.hist(self._values, bins=list(np.linspace(0, 1, BARS + 1)), color=COLOR)
        axes.axvline(
            self._expected, color=CHANCE_COLOR, linewidth=2, label="by chance", clip_on=False
        )
        axes.set_xlim(0, 1)
        axes.set_xlabel("same nearest neighbours", color=text, fontsize=8)
        axes.set_ylabel("patches", color=text, fontsize=8)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.tick_params(colors=text, labelsize=7)
        for side, spine in axes.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color(text)
        axes.legend(fontsize=7, labelcolor=text, frameon=False)
        self.draw_idle()


def _percent(share: float) -> str:
    return "" if np.isnan(share) else f"{100 * share:.0f} %"


def _swatch(color: str) -> QIcon:
    pixmap = QPixmap(SWATCH, SWATCH)
    pixmap.fill(QColor(color))
    return QIcon(pixmap)
