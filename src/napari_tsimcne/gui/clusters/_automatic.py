"""The part of the clusters panel that makes clusters by an algorithm."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_tsimcne.explore import (
    Exploration,
    Method,
    Origin,
    automatic_clusters,
    counted,
    doubts,
    reduced,
)
from napari_tsimcne.gui._fields import Choice, add_rows, form_layout, show_row, spin
from napari_tsimcne.gui._fold import Fold
from napari_tsimcne.gui._sentences import capital
from napari_tsimcne.gui._ties import Ties
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.jobs._newest import Newest

WAIT_MS = 300
"""After a change of a setting, so that typing a number counts once."""

MOST_CLUSTERS = 200
NAMES: dict[Method, str] = {
    "hdbscan": "HDBSCAN",
    "k-means": "k-means",
    "gaussian mixture": "Gaussian mixture",
}
TIPS: dict[Method, str] = {
    "hdbscan": "Fewest patches in a cluster. Islands of any shape are found, as many as there\n"
    "are; patches between them are in no cluster.",
    "k-means": "How many compact clusters of similar extent are made. Every patch is in one.",
    "gaussian mixture": "How many ellipses are fitted, which may differ in size and overlap.\n"
    "Every patch is in one.",
}


class _Request(NamedTuple):
    method: Method
    in_features: bool
    size: int


class _Points:
    """What is clustered: the map, or features, which are prepared once."""

    def __init__(self, exploration: Exploration) -> None:
        self._exploration = exploration
        self._features: np.ndarray | None = None

    def cluster(self, request: _Request) -> tuple[_Request, np.ndarray]:
        points = self._exploration.coordinates
        if request.in_features:
            if self._features is None:
                self._features = reduced(self._exploration.features)
            points = self._features
        return request, automatic_clusters(points, request.method, request.size)


class AutomaticClusters(QWidget):
    """Says what a clustering would make as its settings change, and makes it when told to.

    Nothing is computed while the section is closed. ``applied`` is emitted once clusters are made.
    """

    applied = Signal()

    def __init__(self, exploration: Exploration) -> None:
        super().__init__()
        self._exploration, self._points = exploration, _Points(exploration)
        self._found: tuple[_Request, np.ndarray] | None = None
        self._build()
        self._work = Newest(self)
        self._work.failed.connect(self._on_failed)
        self._work.busy_changed.connect(self._refresh)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(WAIT_MS)
        self._pause.timeout.connect(self._ask)
        self._ties = Ties(self, (exploration.clusters.changed, self._refresh))
        self._take_method()

    def release(self) -> None:
        """Let go of the models; what is being computed is dropped."""
        self._ties.cut()
        self._pause.stop()
        self._work.cancel()

    def _build(self) -> None:
        count = len(self._exploration)
        self.method = Choice(
            [(name, method) for method, name in NAMES.items()], "How clusters are found."
        )
        self.space = Choice(
            [("map", False), ("features", True)],
            "What is clustered: the map as you see it, or the features from which it was made,\n"
            "where groups may be apart that overlap on the map.",
        )
        self.fewest = spin(2, max(2, count // 2), max(5, count // 200), " patches", TIPS["hdbscan"])
        self.clusters = spin(2, min(MOST_CLUSTERS, max(2, count)), 8, "", TIPS["k-means"])
        self.says = Wrapped()
        self.apply_button = QPushButton()
        self.apply_button.clicked.connect(self._apply)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop; another setting begins again.")
        self.cancel_button.clicked.connect(self._cancel)
        for choice in (self.method, self.space):
            choice.currentIndexChanged.connect(self._take_method)
        for field in (self.fewest, self.clusters):
            field.valueChanged.connect(self._on_setting)
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(0, 0, 0, 0)
        self._form = form_layout()
        add_rows(self._form, [
            ("Method", self.method), ("On", self.space), ("Min. size", self.fewest),
            ("Number of clusters", self.clusters),
        ])  # fmt: skip
        layout.addLayout(self._form)
        layout.addWidget(self.says)
        buttons = QHBoxLayout()
        buttons.addWidget(self.apply_button, stretch=1)
        buttons.addWidget(self.cancel_button)
        layout.addLayout(buttons)
        self.section = Fold("Automatic clusters")
        self.section.addWidget(content)
        self.section.toggled.connect(self._on_setting)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.section)

    # --- counting -----------------------------------------------------------------------------

    def request(self) -> _Request:
        """Return what the settings ask for."""
        method = self.method.value
        size = self._size_field(method).value()
        return _Request(method, self.space.value, size)

    def _size_field(self, method: Method) -> QSpinBox:
        return self.fewest if method == "hdbscan" else self.clusters

    def _take_method(self) -> None:
        method = self.method.value
        for field in (self.fewest, self.clusters):
            show_row(self._form, field, field is self._size_field(method))
        self._size_field(method).setToolTip(TIPS[method])
        self._on_setting()

    def _on_setting(self, *_: Any) -> None:
        self._found = None
        self._work.cancel()
        if self.section.isExpanded():
            self._pause.start()
            self.says.setText("Clustering…")
        else:
            self._pause.stop()
        self._refresh()

    def _ask(self) -> None:
        self._work.ask(partial(self._points.cluster, self.request()), self._on_answer)

    def _cancel(self) -> None:
        self._pause.stop()
        self._work.cancel()
        self.says.setText("Cancelled.")
        self._refresh()

    def _on_answer(self, found: tuple[_Request, np.ndarray]) -> None:
        self._found = found
        labels = found[1]
        warnings = [f"⚠ {sentence}" for sentence in doubts(labels)]
        self.says.setText("\n".join([f"Would make {counted(labels)}.", *warnings]))
        self._refresh()

    def _on_failed(self, reason: str) -> None:
        self.says.setText(capital(reason))
        self._refresh()

    # --- applying -----------------------------------------------------------------------------

    def _refresh(self, *_: Any) -> None:
        counting = self._work.busy or self._pause.isActive()
        self.cancel_button.setVisible(counting)
        some = self._found is not None and bool((self._found[1] >= 0).any())
        self.apply_button.setEnabled(some)
        there = len(self._exploration.clusters)
        many = f"{there:,} cluster" + ("" if there == 1 else "s")
        self.apply_button.setText(f"Replace {many}" if there else "Apply")
        tip = "Make these clusters"
        if there:
            tip += ", in place of those there are"
        self.apply_button.setToolTip(f"{tip}. Undo brings back what was.")

    def _apply(self) -> None:
        assert self._found is not None
        request, labels = self._found
        origin = Origin(
            method=request.method, size=request.size,
            on="features" if request.in_features else "map",
        )  # fmt: skip
        self._exploration.clusters.replace(labels, f"clustering by {NAMES[request.method]}", origin)
        self.applied.emit()
