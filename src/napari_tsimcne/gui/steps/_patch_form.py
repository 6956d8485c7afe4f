"""The part of the form that says what is cut: where, how large, and what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari.layers import Labels, Layer
from napari.layers import Points as PointsLayer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_tsimcne.errors import InputError
from napari_tsimcne.gui._fields import (
    Choice,
    LayerChoice,
    SuggestedChoice,
    add_rows,
    double_spin,
    form_layout,
    length_spin,
    show_row,
    side_by_side,
    spin,
)
from napari_tsimcne.gui._fold import Fold
from napari_tsimcne.gui.steps._label_files import LabelFiles, number_objects_box
from napari_tsimcne.images import ImageSource
from napari_tsimcne.recipe import (
    SKIP_EMPTY,
    Background,
    Depth,
    Grid,
    Objects,
    Patches,
    Points,
    Recipe,
)

MOST = {"pixel": 8192, "µm": 100_000}
DECIMALS = {"pixel": 0, "µm": 5}
SUFFIX = {"pixel": " px", "µm": " µm"}
SIZE_WIDTH, UNIT_WIDTH = 172, 70
FROM_OBJECTS = "from the objects"
SIZE = 32
"""Side of a patch that the form begins with, in pixels."""


class PatchForm(QWidget):
    """Choices of what is cut; ``patches``, ``depth`` and ``background`` say them as settings.

    Only what applies to the chosen kind, and to the images it is told of, is shown and used.
    """

    changed = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._micrometres: float | None = None
        self._unit = "pixel"
        self._kind: type = Grid
        self._sizes: dict[type, float] = {Grid: SIZE, Objects: 0, Points: SIZE}
        self._has_z = False
        self._has_layers, self._has_files = True, False
        self._form = form_layout()
        self._detail_form = form_layout()
        self._build(viewer)
        self._layers = self._of_layers()
        self.kind.currentIndexChanged.connect(self._take_size)
        for field in (self.kind, self.edges, self.surroundings, self.depth_method,
                      self.background_method):  # fmt: skip
            field.currentIndexChanged.connect(self._refresh)
        for layers in (self.labels, self.points):
            layers.currentIndexChanged.connect(self._on_layers)
        for field in (self.stride, *self.offset, self.pixels, self.percentile, self.dimming,
                      self.least_area, self.plane, self.factor, self.least_foreground):  # fmt: skip
            field.valueChanged.connect(self.changed)
        self.background_method.currentIndexChanged.connect(self._take_minimum)
        self.size.valueChanged.connect(self._refresh)
        self.border.toggled.connect(self.changed)
        self.label_files.changed.connect(self.changed)
        self.number_objects.toggled.connect(self.changed)
        self.unit.currentIndexChanged.connect(self._convert)
        self._refresh()

    def release(self) -> None:
        """Stop following the viewer."""
        self.labels.release()
        self.points.release()

    # --- widgets ------------------------------------------------------------------------------

    def _build(self, viewer: Any) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._form)
        self.kind = SuggestedChoice(
            [("on a grid", Grid), ("around objects", Objects), ("around points", Points)],
            "Where patches are cut: all over the images, one an object of a label image,\n"
            "or one a point of a Points layer.",
        )
        self.labels = LayerChoice(
            viewer, Labels, "The Labels layer whose numbered regions are the objects.",
            over_each="the one over each image",
        )  # fmt: skip
        self.label_files = LabelFiles()
        self.number_objects = number_objects_box()
        self.points = LayerChoice(viewer, PointsLayer, "The Points layer; its features are kept.")
        self.size = length_spin(1, MOST["pixel"], SIZE, "", "")
        self.unit = Choice([("px", "pixel"), ("µm", "µm")], "")
        self.size.setMinimumWidth(SIZE_WIDTH)
        self.unit.setFixedWidth(UNIT_WIDTH)
        size = side_by_side(self.size, self.unit)
        self.stride = length_spin(
            0, MOST["pixel"], 0, SUFFIX["pixel"],
            "Step from patch to patch. Smaller than the patch: patches overlap.\n"
            "0: tiles side by side.",
        )  # fmt: skip
        self.stride.setSpecialValueText("same as size")
        add_rows(self._form, [
            ("Cut", self.kind), ("Objects in", self.labels), ("Label files", self.label_files),
            ("Number", self.number_objects),
            ("Points in", self.points), ("Patch size", size), ("Stride", self.stride),
        ])  # fmt: skip
        layout.addWidget(self._build_details())

    def _build_details(self) -> QWidget:
        self.edges = Choice(
            [("whole patches only", "drop"), ("padded", "pad")],
            "At the image's right and lower edge: only patches that lie wholly inside,\n"
            "or also those that reach beyond it, filled by mirroring.",
        )
        self.offset = [
            length_spin(0, MOST["pixel"], 0, SUFFIX["pixel"],
                        f"Where the grid begins: {place} of the {side} edge of its first patch, "
                        f"0 to {MOST['pixel']:,} px.")
            for place, side in (("row", "upper"), ("column", "left"))
        ]  # fmt: skip
        self._offset = side_by_side(*self.offset)
        self.percentile = double_spin(
            0.1, 100, 95, " %",
            "The patch size is chosen so that this many of the objects fit in whole:\n"
            "0.1 to 100 %.", decimals=1,
        )  # fmt: skip
        self.pixels = spin(
            0, 1024, 0, " px",
            "Patches are resampled to this side for learning: 8 to 1024 px.\n"
            "As cut: not resampled; of sizes in µm, what loses no detail, 8 to 128 px.",
        )  # fmt: skip
        self.pixels.setSpecialValueText("as cut")
        self.surroundings = Choice(
            [("kept", "keep"), ("dimmed", "dim"), ("black", "mask")],
            "What a patch shows around its object: everything, the same but darker, or black.",
        )
        self.dimming = spin(0, 100, 30, " %", "How bright dimmed surroundings are: 0 to 100 %.")
        self.border = QCheckBox("keep them")
        self.border.setToolTip(
            "Also cut patches of objects that touch the border of the image, and may be incomplete."
        )
        self.least_area = spin(0, 10_000_000, 0, " px",
                               "Leave out smaller objects: 0 to 10,000,000 px.")  # fmt: skip
        self.depth_method = Choice(
            [("each slice", "slices"), ("one plane", "plane"), ("brightest (max)", "max"),
             ("mean", "mean")],
            "How the depth (Z) is used: patches of every slice, of one plane, or of a projection\n"
            "of all planes (brightest or mean).",
        )  # fmt: skip
        self.plane = spin(0, 9999, 0, "", "Number of the plane, from 0, as on the slider.")
        self.background_method = Choice(
            [("left out where clear", "auto"), ("left out (Otsu)", "otsu"),
             ("left out (stain on glass)", "tissue"), ("kept", "none")],
            "Patches without content.\n"
            "Left out where clear: empty ones are left out, where images have a clear background.\n"
            "Otsu: content is brighter than Otsu's threshold.\n"
            "Stain on glass: content is more saturated than the glass (RGB images).",
        )  # fmt: skip
        self.factor = double_spin(
            0.01,
            10,
            1,
            " x",
            "The threshold times this: 0.01 to 10; below 1 keeps fainter content.",
        )
        self.least_foreground = spin(0, 100, round(SKIP_EMPTY.least_foreground * 100), " %",
                                     "How much of a patch must be content: 0 to 100 % of its "
                                     "pixels.")  # fmt: skip
        details = QWidget()
        details.setLayout(self._detail_form)
        add_rows(self._detail_form, [
            ("Grid offset (y, x)", self._offset), ("Edges", self.edges),
            ("Fit in whole", self.percentile), ("Resample to", self.pixels),
            ("Surroundings", self.surroundings), ("Brightness", self.dimming),
            ("Cut by border", self.border), ("Minimum area", self.least_area),
            ("Depth (Z)", self.depth_method), ("Plane", self.plane),
            ("Background", self.background_method), ("Threshold", self.factor),
            ("Minimum content", self.least_foreground),
        ])  # fmt: skip
        self.details = Fold("Patch details")
        self.details.addWidget(details)
        return self.details

    # --- what applies -------------------------------------------------------------------------

    def follow_images(self, images: Sequence[ImageSource]) -> None:
        """Offer what these images can do: µm, depth, tissue, label files.

        All of it where there is none; but label files as before.
        """
        side, why_not = _micrometres(images)
        # The last known one stays: it turns µm back to pixels.
        self._micrometres = side or self._micrometres
        self.unit.setToolTip(why_not or "Pixels of the image, or µm.")
        self.unit.allow("µm", not why_not, why_not)
        colours = all(image.rgb for image in images)
        self.background_method.allow("tissue", colours, "Tissue is told by its stain: RGB only.")
        if len(images) > 1:
            self.labels.suggest_over_each()
        if images:
            self._has_files = any(image.path is not None for image in images)
            self._has_layers = any(image.path is None for image in images)
        depths = [image.length("Z") for image in images]
        self._has_z = not depths or max(depths) > 1
        self.plane.setMaximum(max(min(depths) - 1, 0) if depths else 9999)
        self._refresh()

    def suggest_objects(self, suggested: bool) -> None:
        """Begin with objects, or else a grid, unless the user has chosen how patches are cut."""
        self.kind.suggest(Objects if suggested else Grid)

    @property
    def suggested(self) -> str:
        """Why patches are cut around objects, where the user has not chosen it."""
        if self.kind.chosen or self.kind.value is not Objects:
            return ""
        return "objects suggested by the open Labels layer"

    def forget_choice_of_kind(self) -> None:
        """Let the kind be suggested again: it was not chosen for the images that are open."""
        self.kind.chosen = False

    def _on_layers(self) -> None:
        """Tell of layers that are chosen anew, or can be; not of any others that come or go."""
        layers = self._of_layers()
        if layers != self._layers:
            self._layers = layers
            self._refresh()

    def _of_layers(self) -> list[Layer | None]:
        choices = (self.labels, self.points)
        return [layer for choice in choices for layer in (choice.layer, *choice.candidates())]

    def _refresh(self) -> None:
        kind = self.kind.value
        grid, objects = kind is Grid, kind is Objects
        self.size.setToolTip(
            f"Side of a patch, up to {MOST[self._unit]:,}{SUFFIX[self._unit]}: about one cell."
            + (f"\n0, {FROM_OBJECTS}: so that most of them fit in wholly." if objects else "")
        )
        of_layers = self._has_layers or bool(self.labels.candidates())
        show_row(self._form, self.labels, objects and of_layers)
        show_row(self._form, self.label_files, objects and self._has_files)
        show_row(self._form, self.number_objects, objects)
        show_row(self._form, self.points, kind is Points)
        show_row(self._form, self.stride, grid)
        skipping = grid and self.background_method.value != "none"
        by_otsu = grid and self.background_method.value in ("otsu", "tissue")
        for field, shown in (
            (self._offset, grid),
            (self.edges, grid),
            (self.percentile, objects and not self.size.value()),
            (self.surroundings, objects),
            (self.dimming, objects and self.surroundings.value == "dim"),
            (self.border, objects),
            (self.least_area, objects),
            (self.depth_method, self._has_z),
            (self.plane, self._has_z and self.depth_method.value == "plane"),
            (self.background_method, grid),
            (self.factor, by_otsu),
            (self.least_foreground, skipping),
        ):
            show_row(self._detail_form, field, shown)
        self.changed.emit()

    def _take_minimum(self) -> None:
        """Each way to find background has a usual minimum of content."""
        usual = SKIP_EMPTY if self.background_method.value == "auto" else Background()
        self.least_foreground.setValue(round(usual.least_foreground * 100))

    def _take_size(self) -> None:
        """Each kind has a size of its own."""
        self._sizes[self._kind] = self.size.value()
        self._kind = self.kind.value
        self.size.setSpecialValueText(FROM_OBJECTS if self._kind is Objects else "")
        self._set_least()
        self.size.setValue(self._sizes[self._kind])

    def _set_least(self) -> None:
        least = 10.0 ** -DECIMALS[self._unit]
        self.size.setMinimum(0 if self._kind is Objects else least)

    def _convert(self) -> None:
        """Keep the patch as large as it is when its unit changes."""
        before, self._unit = self._unit, self.unit.value
        if before == self._unit:
            return
        sizes = {field: field.value() for field in (self.size, self.stride, *self.offset)}
        factor = self._micrometres or 1.0
        if self._unit == "pixel":
            factor = 1 / factor
        self._sizes = {kind: size * factor for kind, size in self._sizes.items()}
        for field, value in sizes.items():
            field.setDecimals(DECIMALS[self._unit])
            field.setMaximum(MOST[self._unit])
            self._set_least()
            field.setValue(value * factor)
        for field in (self.stride, *self.offset):
            field.setSuffix(SUFFIX[self._unit])
        self._refresh()

    # --- what was chosen ----------------------------------------------------------------------

    def patches(self) -> Patches:
        """Return what is cut.

        Raises
        ------
        ValueError
            Where sizes are out of range, with what to change.
        """
        size = self.size.value()
        sizes: dict[str, Any] = {
            "size": round(size) if self.unit.value == "pixel" else size,
            "unit": self.unit.value,
            "pixels": self.pixels.value(),
        }
        if self.kind.value is Grid:
            offset = tuple(field.value() for field in self.offset)
            return Grid(**sizes, stride=self.stride.value(), offset=offset, edges=self.edges.value)
        if self.kind.value is Points:
            return Points(**sizes)
        return Objects(
            **sizes,
            percentile=self.percentile.value(),
            surroundings=self.surroundings.value,
            dimming=self.dimming.value() / 100,
            border=self.border.isChecked(),
            least_area=self.least_area.value(),
        )

    def depth(self) -> Depth:
        """Return what is made of Z."""
        method = self.depth_method.value if self._has_z else "slices"
        return Depth(method=method, plane=self.plane.value() if method == "plane" else 0)

    def background(self) -> Background:
        """Return which windows of a grid are skipped."""
        if self.kind.value is not Grid or self.background_method.value == "none":
            return Background()
        return Background(
            method=self.background_method.value,
            factor=self.factor.value() if self.background_method.value != "auto" else 1.0,
            least_foreground=self.least_foreground.value() / 100,
        )

    def show_recipe(self, recipe: Recipe) -> None:
        """Take what a run was cut by, where its images allow it."""
        patches, depth, background = recipe.patches, recipe.depth, recipe.background
        self.kind.choose(type(patches))
        self.unit.choose(patches.unit)
        self.size.setValue(patches.size)
        as_cut = patches.unit == "pixel" and patches.pixels == patches.size
        self.pixels.setValue(0 if as_cut else patches.pixels)
        if isinstance(patches, Grid):
            self.stride.setValue(0 if patches.stride == patches.size else patches.stride)
            for field, begin in zip(self.offset, patches.offset, strict=True):
                field.setValue(begin)
            self.edges.choose(patches.edges)
        if isinstance(patches, Objects):
            self.labels.choose_over_each()
            self.percentile.setValue(patches.percentile)
            self.surroundings.choose(patches.surroundings)
            self.dimming.setValue(round(patches.dimming * 100))
            self.border.setChecked(patches.border)
            self.least_area.setValue(patches.least_area)
        self.depth_method.choose(depth.method)
        self.plane.setValue(depth.plane)
        self.background_method.choose(background.method)
        self.factor.setValue(background.factor)
        self.least_foreground.setValue(round(background.least_foreground * 100))


def _micrometres(images: Sequence[ImageSource]) -> tuple[float | None, str]:
    """Side of a pixel of the first image in µm, or why sizes cannot be in µm."""
    try:
        sides = [image.micrometres for image in images]
    except InputError as error:
        return None, str(error)
    return (sides[0] if sides else None), ""
