"""Clusters on the images: all patches or objects of an image in the colour of their cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Labels, Layer

from napari_tsimcne.explore import NONE, Clusters
from napari_tsimcne.gui._viewer import active_layer_kept
from napari_tsimcne.gui.images._cluster_pictures import (
    Painted,
    in_clusters,
    joined,
    paint_objects,
    paint_windows,
)
from napari_tsimcne.gui.images._highlight import label_colors
from napari_tsimcne.gui.images._outlines import VIEW, LinkedLayer
from napari_tsimcne.images import World, layer_matrix
from napari_tsimcne.runs import Run

OPACITY = 0.75
UNUSED = "#000000"
"""Of labels that are no cluster."""


class ClusterPaint:
    """Paints the clusters of a run over its images, in Labels layers.

    Objects are painted in the shape they have in their label image, windows of a grid as one
    coarse pixel each, other windows as squares. Nothing is kept of a plane that is not looked at.
    Images that lie side by side share a layer, as napari takes long to add and to remove one;
    others have one each.

    Parameters
    ----------
    viewer
        The napari viewer.
    run
        Whose patches are painted.
    clusters
        Of these patches; colours and members are followed.
    """

    def __init__(self, viewer: Any, run: Run, clusters: Clusters) -> None:
        self._viewer, self._run, self._clusters = viewer, run, clusters
        self.layers: dict[str, Labels] = {}
        self._linked: dict[str, LinkedLayer] = {}
        self._drawn_colors = self._colors()
        self._hidden: list[Labels] = []
        self._moved = self._shown = False
        clusters.members_changed.connect(self._on_members)
        clusters.changed.connect(self._on_changed)

    def close(self) -> None:
        """Take the layers away."""
        self._show_objects({}, True)
        self._clusters.members_changed.disconnect(self._on_members, missing_ok=True)
        self._clusters.changed.disconnect(self._on_changed, missing_ok=True)
        self._remove()

    def show(self, shown: bool, layers: Mapping[str, LinkedLayer]) -> None:
        """Paint the clusters over these layers, or hide what is painted."""
        if shown != self._shown:
            self._show_objects(layers, not shown)
        self._shown = shown
        if shown and not set(self.layers.values()) <= set(self._viewer.layers):
            self._remove()
        self.follow(layers)
        for layer in self._each():
            layer.visible = shown

    def _show_objects(self, layers: Mapping[str, LinkedLayer], shown: bool) -> None:
        """Hide the label images while clusters are painted: their colours mean nothing."""
        if shown:
            changed, self._hidden = self._hidden, []
        else:
            labels = [linked.labels for linked in layers.values() if linked.labels is not None]
            changed = self._hidden = [layer for layer in labels if layer.visible]
        for layer in changed:
            layer.visible = shown

    def follow(self, layers: Mapping[str, LinkedLayer]) -> None:
        """Paint over these layers from now on, where clusters are painted."""
        images = set(self._run.table["image"].unique())
        linked = {name: one for name, one in layers.items() if name in images}
        if linked != self._linked:
            self._remove()
            if self._shown:
                self._add(linked)

    def moved(self) -> None:
        """Put what is painted where its images are now."""
        linked = self._linked
        self._remove()
        if self._shown:
            self._add(linked)

    # --- layers -------------------------------------------------------------------------------

    def _each(self) -> list[Labels]:
        return list(dict.fromkeys(self.layers.values()))

    def _add(self, linked: dict[str, LinkedLayer]) -> None:
        self._linked = linked
        painted = {name: self._painted(name, one) for name, one in linked.items()}
        whole = self._joined(painted, list(linked))
        if whole is not None:
            self._add_layer("clusters", list(linked), whole)
            return
        together: dict[Layer, list[str]] = {}
        for name, one in linked.items():
            together.setdefault(one.layer, []).append(name)
        for layer, names in together.items():
            title = layer.name if self._linked[names[0]].stacked else names[0]
            joint = self._joined(painted, names) or painted[names[0]]
            self._add_layer(f"clusters of {title}", names, joint)

    def _joined(self, painted: Mapping[str, Painted], names: Sequence[str]) -> Painted | None:
        if len(names) == 1 and not self._linked[names[0]].stacked:
            return None
        return joined(
            [painted[name] for name in names],
            [self._linked[name] for name in names],
            World.of(self._viewer),
        )

    def _add_layer(self, title: str, images: Sequence[str], painted: Painted) -> None:
        """Add a layer for some images, in the space of the first of them."""
        space = self._linked[images[0]].layer
        levels = [in_clusters(level, lambda: self._clusters.ids) for level in painted.levels]
        layer = Labels(
            levels if len(levels) > 1 else levels[0],
            name=title,
            multiscale=len(levels) > 1,
            affine=layer_matrix(space) @ painted.to_image,
            units=space.units,
            axis_labels=space.axis_labels,
            colormap=label_colors(self._drawn_colors),
            features=self._features(),
            opacity=OPACITY,
            metadata=dict(VIEW),
        )
        below = [one for name in images for one in self._linked[name].all]
        top = max(self._viewer.layers.index(one) for one in below)
        with active_layer_kept(self._viewer):
            self._viewer.layers.insert(top + 1, layer)
        layer.editable = False
        self.layers |= dict.fromkeys(images, layer)

    def _painted(self, name: str, linked: LinkedLayer) -> Painted:
        table, recipe = self._run.table, self._run.recipe
        rows = np.flatnonzero((table["image"] == name).to_numpy())
        projected = recipe.depth.method in ("max", "mean")
        if linked.labels is not None and table["label"].iloc[rows].notna().all():
            return paint_objects(table, rows, linked, projected)
        return paint_windows(table, rows, linked, projected, recipe.patches)

    def _remove(self) -> None:
        layers = self._each()
        # First, so that their removal is not taken for the user's.
        self.layers, self._linked = {}, {}
        for layer in layers:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    # --- following the clusters ---------------------------------------------------------------

    def _on_members(self) -> None:
        self._moved = True

    def _on_changed(self) -> None:
        features, colors = self._features(), self._colors()
        recolored, moved = colors != self._drawn_colors, self._moved
        self._drawn_colors, self._moved = colors, False
        for layer in self._each():
            layer.features = features
            if recolored:
                layer.colormap = label_colors(colors)
            if moved:
                layer.refresh(extent=False, thumbnail=False)

    def _colors(self) -> list[str]:
        """Return the colour of each label from 1 on."""
        by_id = {cluster.id: cluster.color for cluster in self._clusters.all}
        return [by_id.get(i, UNUSED) for i in range(1, max(by_id, default=1) + 1)]

    def _features(self) -> pd.DataFrame:
        """Return what napari's table of features shows: each cluster, by the label it has."""
        sizes = self._clusters.sizes()
        return pd.DataFrame(
            {
                "index": [NONE, *(cluster.id for cluster in self._clusters.all)],
                "cluster": ["", *(cluster.name for cluster in self._clusters.all)],
                "patches": [
                    int((self._clusters.ids == NONE).sum()),
                    *(sizes[cluster.id] for cluster in self._clusters.all),
                ],
                "note": ["", *(cluster.note for cluster in self._clusters.all)],
            }
        )
