"""The step of the map: its buttons, and how stable it is."""

from __future__ import annotations

from napari_tsimcne.explore import Clusters
from napari_tsimcne.gui._explorer import Explorer
from napari_tsimcne.gui.dialogs._compare import StabilitySummary
from napari_tsimcne.gui.steps._map_panel import MapPanel
from napari_tsimcne.gui.steps._step import Step
from napari_tsimcne.runs import Comparison, stability_column


class MapStep(Step):
    """The last step: what can be done with the map that is open."""

    def __init__(self) -> None:
        super().__init__(5, "Map", True)
        self._explorer: Explorer | None = None
        self.panel = MapPanel()
        self.stability = StabilitySummary()
        self.stability.hide()
        self.stability.colour_wanted.connect(self._color_by_stability)
        self.add(self.panel, self.stability)

    def show_explorer(self, explorer: Explorer | None, busy: bool) -> None:
        """Follow what is open; ``busy``: a job is under way."""
        self._explorer = explorer
        self.tell(self.panel.show_explorer(explorer, busy))
        self.summary.setToolTip(str(explorer.run.folder) if explorer is not None else "")

    def show_stability(self, found: Comparison, clusters: Clusters) -> None:
        """Tell how stable the map is."""
        self.stability.show_values(found, clusters)
        self.stability.show()

    def leave_map(self) -> None:
        """Tell no longer of a map that is shown no longer."""
        self.stability.release()
        self.stability.hide()

    def _color_by_stability(self) -> None:
        assert self._explorer is not None
        self._explorer.coloring.choose(stability_column(self._explorer.run.table))
