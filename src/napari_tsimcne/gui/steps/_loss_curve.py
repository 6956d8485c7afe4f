"""The loss over epochs, drawn as it comes."""

from __future__ import annotations

from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QSizePolicy

DRAWN_EVERY_MS = 500
"""A drawing takes longer than an epoch may."""

MOST_POINTS = 400
"""Of a stage that are drawn; of more epochs, every second, third, ..."""

STAGE_COLORS = ("#5b9fe0", "#f0a02c", "#3fbf8f")


class LossCurve(FigureCanvasQTAgg):
    """Mean loss of each epoch, one colour a stage."""

    def __init__(self) -> None:
        self._figure = Figure(figsize=(3, 1.5), layout="constrained", facecolor="none")
        super().__init__(self._figure)
        self.setStyleSheet("background: transparent;")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(150)
        self.stages: dict[str, list[float]] = {}
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(DRAWN_EVERY_MS)
        self._soon.timeout.connect(self._draw)

    def clear(self) -> None:
        """Begin anew."""
        self.stages = {}
        self._draw()

    def add(self, stage: str, loss: float) -> None:
        """Append the loss of an epoch."""
        self.stages.setdefault(stage, []).append(loss)
        if not self._soon.isActive():
            self._soon.start()

    def _draw(self) -> None:
        self._figure.clear()
        if self.stages:
            text = self.palette().windowText().color().name()
            axes = self._figure.add_subplot(facecolor="none")
            start = 1
            for (name, losses), color in zip(self.stages.items(), STAGE_COLORS, strict=False):
                every = -(-len(losses) // MOST_POINTS)
                epochs = range(start, start + len(losses), every)
                axes.plot(
                    epochs,
                    losses[::every],
                    ".-",
                    color=color,
                    label=name,
                    markersize=4,
                    linewidth=1,
                )
                start += len(losses)
            axes.set_xlim(0.5, max(start - 1, 4) + 0.5)
            axes.set_xlabel("epoch", color=text, fontsize=8)
            axes.set_ylabel("loss", color=text, fontsize=8)
            axes.tick_params(colors=text, labelsize=7)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            for side, spine in axes.spines.items():
                spine.set_visible(side in ("left", "bottom"))
                spine.set_color(text)
            axes.legend(fontsize=7, labelcolor=text, frameon=False)
        self.draw_idle()
