"""An open run in the window: map, gallery and clusters in docks, linked to its images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_tsimcne.events import MapMoved
from napari_tsimcne.explore import Coloring, Exploration, MapChecks
from napari_tsimcne.gui._keys import Keys
from napari_tsimcne.gui._later import later
from napari_tsimcne.gui._wheel import keep_wheel
from napari_tsimcne.gui.checks._checks import SOURCE as OF_CHECKS
from napari_tsimcne.gui.checks._checks import ChecksPanel
from napari_tsimcne.gui.clusters._clusters_view import ClustersView
from napari_tsimcne.gui.conditions._conditions import SOURCE as OF_CONDITIONS
from napari_tsimcne.gui.conditions._conditions import ConditionsPanel
from napari_tsimcne.gui.gallery._gallery import Gallery
from napari_tsimcne.gui.images._crops import Crops
from napari_tsimcne.gui.images._limits import show_ranges
from napari_tsimcne.gui.images._link import ImageLink
from napari_tsimcne.gui.images._outlines import LinkedLayer
from napari_tsimcne.gui.map._map_copy import MapCopy
from napari_tsimcne.gui.map._map_view import MapView, dock_of
from napari_tsimcne.runs import Autosave, Run

CLUSTER = "cluster"
PREFIX = "t-SimCNE "
MAP_NAME, GALLERY_NAME = f"{PREFIX}map", f"{PREFIX}gallery"
CLUSTERS_NAME, CHECKS_NAME = f"{PREFIX}clusters", f"{PREFIX}checks"
CONDITIONS_NAME = f"{PREFIX}conditions"
LAYER_LIST_WIDTH = 320
GALLERY_SHARE = 0.3
"""Of the height of the column that map and gallery share."""


class Explorer(QObject):
    """Shows one run, and keeps what is done with it in its folder.

    ``changed`` is emitted when the selection has changed, or a dock was opened or closed;
    ``arranged`` when the docks have found their room; ``image_wanted`` with the name of an image
    that is to be shown, as a patch of it is looked at.

    Parameters
    ----------
    viewer
        The napari viewer.
    run, exploration
        What was found on the run's map so far; a run that is being trained has none yet.
    layers
        That show the run's images, by image name.
    beside
        The widget in whose dock's place the clusters become a tab, and beside which the map stands.
    """

    changed = Signal()
    arranged = Signal()
    image_wanted = Signal(str)
    _failed_to_save = Signal(str)

    def __init__(
        self,
        viewer: Any,
        run: Run,
        exploration: Exploration,
        layers: Mapping[str, LinkedLayer],
        beside: QWidget,
    ) -> None:
        super().__init__(beside)
        self.run, self.exploration = run, exploration
        self.coloring = Coloring(self.exploration)
        show_ranges(run, layers)
        self.crops = Crops(run, layers)
        self.link = ImageLink(viewer, run, self.exploration, layers)
        self.keys = Keys(self.exploration, self)
        self.keys.assigned.connect(self._show_assigned)
        self.keys.refused.connect(self._show_assigned)
        self.map_view: MapView | None = None
        self.gallery: Gallery | None = None
        self.clusters_view: ClustersView | None = None
        self.checks_panel: ChecksPanel | None = None
        self._checks: MapChecks | None = None
        """What was found, while its panel is closed."""
        self.conditions_panel: ConditionsPanel | None = None
        self._map_copy: MapCopy | None = None
        self._heights: list[int] = []
        self._viewer, self._beside = viewer, beside
        self._failed_to_save.connect(lambda reason: show_error(f"t-SimCNE: {reason}"))
        self._autosave = Autosave(run, self.exploration, self._failed_to_save.emit)
        if self.exploration.color_by in self.coloring.choices:
            self.coloring.choose(self.exploration.color_by)
        self.coloring.changed.connect(self._on_coloring)
        self.exploration.selection.changed.connect(self._on_changed)
        self.exploration.moved.connect(self._on_moved)
        self.link.layers_changed.connect(self._follow_layers)
        self.link.let_go.connect(show_warning)
        self.link.image_wanted.connect(self.image_wanted.emit)
        self.link.painting_ended.connect(self._on_painting_ended)
        if run.recipe.map_dimensions == 3:
            show_info("This map has three dimensions: the first two are shown.")
        self._serve_images()
        self.show()

    def close(self) -> None:
        """Write what is not yet written, and take everything away."""
        self.exploration.selection.changed.disconnect(self._on_changed)
        self.exploration.moved.disconnect(self._on_moved)
        views = [
            self.map_view, self.gallery, self.clusters_view, self.checks_panel,
            self.conditions_panel,
        ]  # fmt: skip
        self.release()
        for view in views:
            if view is not None:
                self._viewer.window.remove_dock_widget(view)

    def release(self) -> None:
        """Write what is not yet written, and let go of the viewer and its layers."""
        self.coloring.changed.disconnect(self._on_coloring, missing_ok=True)
        self._autosave.close()
        self.keys.release()
        for view in (
            self.clusters_view, self.gallery, self.checks_panel, self.conditions_panel
        ):  # fmt: skip
            if view is not None:
                view.release()
        if self.map_view is not None:
            self.map_view.close_canvas()
        if self._map_copy is not None:
            self._map_copy.close()
            self._map_copy = None
        self.link.close()
        self.crops.close()

    def add_layers(self, layers: Mapping[str, LinkedLayer]) -> None:
        """Link further layers that show images of the run, by image name."""
        show_ranges(self.run, layers)
        self.link.add_layers(layers)

    # --- a map that is being learnt -----------------------------------------------------------

    def move_map(self, event: MapMoved) -> None:
        """Move the points to where a training has put them."""
        if event.dimensions >= 2:
            self.exploration.move(event.coordinates, event.rows)

    def take_map(self, run: Run) -> None:
        """Take the map of the run, now that it is learnt; what was found so far stays.

        Raises
        ------
        InputError
            Where the map is damaged.
        """
        self.exploration.move(run.coordinates)
        # What was made of the run when it had no map reads its features from here.
        self.run.info = run.info
        if self.gallery is not None:
            self.gallery.sort()

    # --- docks --------------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """Whether map, gallery and clusters are all shown."""
        return None not in (self.map_view, self.gallery, self.clusters_view)

    def show(self) -> None:
        """Show those of map, gallery and clusters that are not shown."""
        if self.map_view is None:
            # Its place is between the images and the form, which can only be taken while nothing
            # else of ours is there.
            self._take_away(self.gallery, self._on_gallery_closed)
            self._take_away(self.clusters_view, self._on_clusters_closed)
            self._take_away(self.checks_panel, self._on_checks_closed)
            self._take_away(self.conditions_panel, self._on_conditions_closed)
            self.gallery = self.clusters_view = None
            self.checks_panel = self.conditions_panel = None
            # As when the user closes the panel: a new one begins without.
            self.link.paint_clusters(False)
            self._show_map()
        if self.gallery is None:
            self._show_gallery()
        if self.clusters_view is None:
            self._show_clusters()
        self._serve_keys()
        self.changed.emit()

    def _show_map(self) -> None:
        view = MapView(self.exploration, self.coloring, self.crops, self._viewer.theme)
        self.map_view = view
        view.built.connect(self._share_room)
        view.closed.connect(self._on_map_closed)
        view.activated.connect(self.link.bring_into_view)
        view.image_lasso_wanted.connect(self.link.set_image_lasso)
        view.copy_wanted.connect(self._copy_map)
        own, dock, window = dock_of(self._beside), self._add(view, MAP_NAME), self._window()
        if own is None or window is None:
            return
        # The form goes beside it, so that images, map and form stand next to each other. The other
        # way round, the map would become a tab where the form is one.
        window.splitDockWidget(dock, own, Qt.Orientation.Horizontal)

    def _show_gallery(self) -> None:
        self.gallery = gallery = Gallery(self.exploration, self.crops)
        gallery.activated.connect(self._go_to)
        gallery.similar_wanted.connect(
            lambda: gallery.show_similar(self.exploration.selection.rows)
        )
        dock, window = self._add(gallery, GALLERY_NAME), self._window()
        above = dock_of(self.map_view) if self.map_view else None
        if above is not None and window is not None:
            window.splitDockWidget(above, dock, Qt.Orientation.Vertical)
        dock.destroyed.connect(self._on_gallery_closed)

    def _show_clusters(self) -> None:
        self.clusters_view = view = ClustersView(self.exploration, self.crops, self.keys)
        view.automatic.applied.connect(lambda: self.coloring.choose(CLUSTER))
        view.painting_wanted.connect(self.link.paint_clusters)
        dock = self._add_tab(view, CLUSTERS_NAME)
        # While the map is being learnt, what tells of that stays in front.
        own = dock_of(self._beside)
        self._bring_to_front(dock if self.run.has_map or own is None else own)
        dock.destroyed.connect(self._on_clusters_closed)

    def show_checks(self) -> None:
        """Show the panel of checks of the map, with what was found before."""
        if self.checks_panel is None:
            panel = ChecksPanel(self.run, self.exploration, self.coloring, self.crops)
            self.checks_panel = panel
            self.keys.serve(panel)
            self._add_tab(panel, CHECKS_NAME).destroyed.connect(self._on_checks_closed)
            if self._checks is not None:
                panel.show_checks(self._checks)
            panel.checked.connect(self._on_checked)
        self._bring_to_front(dock_of(self.checks_panel))

    def show_conditions(self) -> None:
        """Show the panel that compares conditions."""
        if self.conditions_panel is None:
            panel = ConditionsPanel(self.run, self.exploration, self.coloring)
            self.conditions_panel = panel
            self.keys.serve(panel)
            self._add_tab(panel, CONDITIONS_NAME).destroyed.connect(self._on_conditions_closed)
        self._bring_to_front(dock_of(self.conditions_panel))

    def _add_tab(self, view: QWidget, name: str) -> QDockWidget:
        """Add a dock as a tab where the form is; map and gallery keep their room."""
        self._heights = [one.height() for one in self._column()]
        own, dock, window = dock_of(self._beside), self._add(view, name), self._window()
        # Tabs are narrow, and that of the form, beside them, says whose they are.
        dock.setWindowTitle(name.removeprefix(PREFIX).capitalize())
        if own is not None and window is not None:
            window.tabifyDockWidget(own, dock)
            # A method of this object, of which Qt holds no more than is there: it may be gone soon.
            later(self, self._restore_heights)
        return dock

    def _column(self) -> list[QDockWidget]:
        """Return the docks of map and gallery, which share a column."""
        views = [view for view in (self.map_view, self.gallery) if view is not None]
        return [dock for dock in map(dock_of, views) if dock is not None]

    def _restore_heights(self) -> None:
        window, docks = self._window(), self._column()
        if window is not None and len(docks) == len(self._heights):
            window.resizeDocks(docks, self._heights, Qt.Orientation.Vertical)

    @staticmethod
    def _bring_to_front(dock: QDockWidget | None) -> None:
        # A tab can come there once the window has laid itself out.
        if dock is not None:
            later(dock, dock.raise_)

    def _take_away(
        self,
        view: Gallery | ClustersView | ChecksPanel | ConditionsPanel | None,
        on_closed: Callable[[], None],
    ) -> None:
        dock = dock_of(view) if view is not None else None
        if view is not None and dock is not None:
            dock.destroyed.disconnect(on_closed)
            view.release()
            self._viewer.window.remove_dock_widget(view)

    def _add(self, view: QWidget, name: str) -> QDockWidget:
        keep_wheel(view)
        self._viewer.window.add_dock_widget(
            view, name=name, area="right", add_vertical_stretch=False
        )
        dock = dock_of(view)
        assert dock is not None
        return dock

    def _window(self) -> QMainWindow | None:
        window = self._beside.window()
        return window if isinstance(window, QMainWindow) else None

    def _share_room(self) -> None:
        """Give the map half of what is left between the layer list and the form."""
        window, dock = self._window(), dock_of(self.map_view) if self.map_view else None
        if dock is None or window is None:
            return
        width = (window.width() - self._beside.width() - LAYER_LIST_WIDTH) // 2
        window.resizeDocks([dock], [width], Qt.Orientation.Horizontal)
        below = dock_of(self.gallery) if self.gallery else None
        if below is not None:
            height = dock.height() + below.height()
            heights = [int(height * (1 - GALLERY_SHARE)), int(height * GALLERY_SHARE)]
            window.resizeDocks([dock, below], heights, Qt.Orientation.Vertical)
        self.arranged.emit()

    def _serve_keys(self) -> None:
        if self.map_view is not None:
            # It may be in a window of its own.
            self.keys.serve(self.map_view.panel)
        if self.gallery is not None:
            self.keys.serve(self.gallery, self.gallery.framed, self.gallery.let_go)
        self.keys.serve(self._beside)

    def _serve_images(self) -> None:
        window = self._window()
        center = window.centralWidget() if window is not None else None
        if center is not None:
            canvases = center.findChildren(QOpenGLWidget)
            self.keys.serve_images(self._viewer, canvases, lambda: self.link.lasso_drawing)

    def _show_assigned(self, what: str) -> None:
        """Show what a key has done, or why it could not."""
        self._viewer.status = what
        if self.map_view is not None:
            self.map_view.show_done(what)

    def _on_map_closed(self) -> None:
        self.map_view = None
        self.link.set_image_lasso(False)
        self.changed.emit()

    def _on_gallery_closed(self) -> None:
        self.gallery = None
        self.changed.emit()

    def _on_clusters_closed(self) -> None:
        if self.clusters_view is not None:
            self.clusters_view.release()
            self.clusters_view = None
        self.link.paint_clusters(False)
        self.changed.emit()

    def _on_checks_closed(self) -> None:
        self.checks_panel = None

    def _on_conditions_closed(self) -> None:
        self.conditions_panel = None

    def _on_checked(self) -> None:
        assert self.checks_panel is not None
        self._checks = self.checks_panel.checks

    def _on_moved(self) -> None:
        self._checks = None
        # What was computed of another map holds no longer, whether its panel is open or not.
        for source in (OF_CHECKS, OF_CONDITIONS):
            self.exploration.remove_columns(source)

    def _on_coloring(self) -> None:
        """Keep what the map is coloured by, and how, with the run."""
        shown = self.coloring.column, self.coloring.chosen_kinds
        if shown != (self.exploration.color_by or CLUSTER, self.exploration.color_as):
            self.exploration.color_by, self.exploration.color_as = shown
            self._autosave.keep_colors()

    def _on_painting_ended(self) -> None:
        if self.clusters_view is not None:
            self.clusters_view.painting.setChecked(False)

    # --- what the views ask of each other -----------------------------------------------------

    def _on_changed(self) -> None:
        self.changed.emit()

    def _go_to(self, patch: int) -> None:
        if self.map_view is not None:
            self.map_view.look_at(patch)
        self.link.bring_into_view(patch)

    def _follow_layers(self) -> None:
        self.crops.show_as(self.link.layers)

    def _copy_map(self) -> None:
        if self._map_copy is not None:
            self._map_copy.close()
        self._map_copy = MapCopy(self._viewer, self.exploration, self.coloring)
