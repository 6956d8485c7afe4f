"""The part of the form that says what a view of a patch may change, with a preview."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_tsimcne.gui._fields import Choice, add_rows, form_layout
from napari_tsimcne.gui.jobs._advisor import Advisor
from napari_tsimcne.gui.steps._augmentation_row import AugmentationRow, Field
from napari_tsimcne.gui.steps._patch_sample import PatchSample
from napari_tsimcne.gui.steps._views_preview import ViewsPreview
from napari_tsimcne.patches import Look
from napari_tsimcne.recipe import VIEWS, Augmentations
from napari_tsimcne.recipe._advice import advice

CUSTOM = "custom"
ADVICE_BAR = "#3d8fd1"
"""Colour of the bar before advice, seen on dark and on light ground."""

KINDS = {
    "fluorescence": "fluorescence",
    "histology": "histology (stained, RGB)",
    "transmitted": "transmitted light (phase, DIC)",
    "natural": "natural photographs",
}
KIND_TIP = (
    "Chooses what should not matter: random changes of a patch that the map learns to ignore.\n"
    "Fluorescence: any direction; each channel varies in brightness on its own.\n"
    "Histology: any direction; colour means something and varies a little.\n"
    "Transmitted light (bright field, phase contrast, DIC): any direction; brightness and\n"
    "contrast vary a little, halos and shades stay.\n"
    "Natural photographs: there is an up and a down, and colour says little."
)
LOOKS = {
    "fluorescence": "fluorescence",
    "histology": "stained tissue or cells",
    "transmitted": "transmitted light",
}

COLOR_ONLY = ("saturation", "hue")
"""Of colour jitter, what images leave out that are not RGB."""


def _share(name: str, title: str, tip: str) -> Field:
    return Field(name, title, tip, 0, 1, factor=100, unit=" %")


def _chance(title: str = "Probability") -> Field:
    return _share("probability", title, "How often this change is made.")


def _change(name: str, title: str, tip: str) -> Field:
    return Field(name, title, tip, 0, 1, factor=100, unit=" %", sign="± ")


def _times(name: str, title: str, tip: str, least: float, most: float) -> Field:
    return Field(name, title, tip, least, most, unit=" x", decimals=2)


def _rows() -> list[AugmentationRow]:
    return [
        AugmentationRow("crop", "Crop, enlarge", "A part of the patch, enlarged to a view.", [
            Field("area", "", "How much of the patch is seen.", 0.05, 1, factor=100, unit=" %"),
            _times("aspect", "Side ratio", "Width by height of that part.",
                   0.5, 2),
        ]),
        AugmentationRow("scale", "Zoom", "More or less of the surroundings is seen.", [
            _times("factor", "", "Above 1 more of the surroundings, below 1 less.", 0.5, 2),
        ]),
        AugmentationRow("rotation", "Turn", "Turned around the middle of the patch.", [
            Field("degrees", "", "Turned by up to so much, either way.", 0, 180, steps=1,
                  unit="°", sign="± "),
        ]),
        AugmentationRow("shear", "Shear", "Slanted, as a square that becomes a rhomb.", [
            Field("degrees", "", "Slanted by up to so much, either way.", 0, 30, steps=2,
                  unit="°", sign="± ", decimals=1),
        ]),
        AugmentationRow("flips", "Mirror", "Mirrored, with a probability for each way.", [
            _share("horizontal", "Left to right", "Probability of mirroring left to right."),
            _share("vertical", "Top to bottom", "Probability of mirroring top to bottom."),
        ], unfolded=True),
        AugmentationRow("intensity", "Brightness", "Each channel brighter or darker on its own.", [
            _times("gain", "", "Brightness times this.", 0.05, 3),
            Field("offset", "Background", "Added to every pixel, in % of the range of values.",
                  -0.5, 0.5, factor=100, unit=" %"),
            _times("gamma", "Contrast", "Gamma: above 1 dark parts get darker, below 1 brighter.",
                   0.3, 3),
            _chance(),
        ]),
        AugmentationRow("color_jitter", "Brightness", "Brightness, contrast, saturation and hue.", [
            _change("brightness", "", "Brightness, up to so much more or less."),
            _change("contrast", "Contrast", "Contrast, up to so much more or less."),
            _change("saturation", "Saturation", "Strength of colour, up to so much more or less."),
            Field("hue", "Hue", "Colours turned around the colour circle by up to so much.",
                  0, 0.5, steps=360, factor=360, unit="°", sign="± "),
            _chance(),
        ]),
        AugmentationRow("grayscale", "Gray", "Colour is taken away.", [_chance("")]),
        AugmentationRow("channel_drop", "Channel off", "One channel of several is black.",
                        [_chance("")]),
        AugmentationRow("blur", "Blur", "Out of focus.", [
            Field("sigma", "", "Width (standard deviation) of the blur.", 0.05, 3, steps=20,
                  unit=" px", decimals=2),
            _chance(),
        ]),
        AugmentationRow("noise", "Noise", "Grain, as of a camera in the dark.", [
            Field("sigma", "", "Standard deviation, in % of the range of values.", 0, 0.3,
                  steps=200, factor=100, unit=" %", decimals=1),
            _chance(),
        ]),
    ]  # fmt: skip


class ViewsForm(QWidget):
    """Choices of augmentations, a preview of them, and what they mean for the biology.

    The kind of images is guessed until the user chooses one, or changes anything. Only what applies
    to the images is shown.

    Parameters
    ----------
    advisor
        That makes the views of the preview.
    """

    changed = Signal()

    def __init__(self, advisor: Advisor) -> None:
        super().__init__()
        self._rgb, self._channels = False, 1
        self._chosen = False
        self._look: Look | None = None
        self.kind = Choice(
            [*((title, name) for name, title in KINDS.items()), ("custom", CUSTOM)],
            KIND_TIP,
        )  # fmt: skip
        self.rows = {row.name: row for row in _rows()}
        self.advice = QLabel()
        self.preview = ViewsPreview(advisor)
        self._build()
        self._show(VIEWS["fluorescence"])
        self.kind.activated.connect(self._on_kind)
        for row in self.rows.values():
            row.changed.connect(self._on_row)

    def release(self) -> None:
        """Ask for no preview any more."""
        self.preview.release()

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        form = form_layout()
        add_rows(form, [("Images are", self.kind)])
        layout.addLayout(form)
        for row in self.rows.values():
            layout.addWidget(row)
        self.advice.setWordWrap(True)
        self.advice.setTextFormat(Qt.TextFormat.RichText)
        self.advice.setStyleSheet(
            f"QLabel {{ border-left: 3px solid {ADVICE_BAR}; padding: 1px 0px 1px 6px; }}"
        )
        # Above the advice, whose length changes: pictures that are looked at must not move.
        layout.addWidget(self.preview)
        layout.addWidget(self.advice)

    # --- what was chosen ----------------------------------------------------------------------

    def augmentations(self) -> Augmentations:
        """Return what a view may change."""
        values = {name: row.values() for name, row in self.rows.items()}
        return Augmentations.model_validate(values)

    def show_augmentations(self, augmentations: Augmentations) -> None:
        """Take those of a recipe; they stay when images of another kind follow."""
        self._chosen = True
        self._show(augmentations)
        self.changed.emit()

    @property
    def chosen(self) -> bool:
        """Whether the user chose or changed anything, so that nothing is suggested any more."""
        return self._chosen

    @property
    def suggested(self) -> Look:
        """The kind that suits the images, by how they look, or by RGB before they were read."""
        return self._look or ("histology" if self._rgb else "fluorescence")

    def follow_images(self, rgb: bool, channels: int, look: Look | None = None) -> None:
        """Offer what applies to these images, and suggest their kind unless the user chose one.

        ``look``: as of `look_of`; that of before is kept until they are read.
        """
        if look is not None or rgb != self._rgb:
            self._look = look
        self._rgb, self._channels = rgb, channels
        before = self.augmentations()
        self._show(before if self._chosen else VIEWS[self.suggested])
        if self.augmentations() != before:
            self.changed.emit()

    def show_patches(self, sample: PatchSample | None) -> None:
        """Preview views of these patches; None: there are none to show."""
        self.preview.show_patches(sample)

    # --- what is shown ------------------------------------------------------------------------

    def _on_kind(self) -> None:
        self._chosen = True
        if self.kind.value != CUSTOM:
            self._show(VIEWS[self.kind.value])
            self.changed.emit()

    def _on_row(self) -> None:
        self._chosen = True
        self._refresh()
        self.changed.emit()

    def _show(self, augmentations: Augmentations) -> None:
        for name, row in self.rows.items():
            row.show_values(getattr(augmentations, name).model_dump())
        self._show_what_applies(augmentations)
        self._refresh()

    def _refresh(self) -> None:
        augmentations = self.augmentations()
        kinds = (kind for kind, known in VIEWS.items() if known == augmentations)
        self.kind.choose(next(kinds, CUSTOM))
        sentences = advice(augmentations, self._rgb, self._channels)
        if self._look is not None and self.kind.value in LOOKS and self.kind.value != self._look:
            sentences.insert(
                0, f"These images look like {LOOKS[self._look]}: see Images are, above."
            )
        self.advice.setText("<br>".join(f"\N{BULLET} {escape(text)}" for text in sentences))
        self.advice.setVisible(bool(sentences))
        self.preview.show_augmentations(augmentations)

    def _show_what_applies(self, augmentations: Augmentations) -> None:
        """Show the rows of this kind of images, and of what is on and would change them."""
        rgb, jitter = self._rgb, self.rows["color_jitter"]
        jitter.setVisible(rgb or augmentations.color_jitter.on)
        jitter.apply_fields([name for name in jitter.lines if rgb or name not in COLOR_ONLY])
        self.rows["intensity"].setVisible(not rgb or augmentations.intensity.on)
        self.rows["grayscale"].setVisible(rgb)
        self.rows["channel_drop"].setVisible(not rgb and self._channels > 1)
