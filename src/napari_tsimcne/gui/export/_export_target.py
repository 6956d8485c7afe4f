"""How an export looks and where it is written: options of its kind, format, and path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QLineEdit, QToolButton, QWidget

from napari_tsimcne.errors import InputError, sentence
from napari_tsimcne.explore import Coloring
from napari_tsimcne.export import KINDS, Kind, default_name
from napari_tsimcne.gui._fields import Choice, add_rows, form_layout, show_row, side_by_side
from napari_tsimcne.gui._sentences import capital
from napari_tsimcne.gui._ties import Ties
from napari_tsimcne.gui._wrapped import Wrapped
from napari_tsimcne.gui.export._exporting import remembered_folder
from napari_tsimcne.recipe import Objects
from napari_tsimcne.runs import Run


class ExportTarget(QWidget):
    """Asks for colours, legend, format and path, as far as a kind of export has them.

    Where something is at the path already, it asks whether it is to be overwritten. ``changed`` is
    emitted after every change.

    Parameters
    ----------
    run
        Files are named after it.
    coloring
        Of the map: its column gives the colours, unless another one is chosen.
    """

    changed = Signal()

    def __init__(self, run: Run, coloring: Coloring) -> None:
        super().__init__()
        self._run, self._coloring, self._kind = run, coloring, KINDS[0]
        self._suggested, self._color_chosen = "", False
        self._build()
        self._ties = Ties(self, (coloring.changed, self._follow_coloring),
                          (coloring.choices_changed, self._follow_choices))  # fmt: skip
        self._follow_coloring()

    def release(self) -> None:
        """Follow the colours of the map no longer."""
        self._ties.cut()

    def _build(self) -> None:
        self.color_by = Choice(
            [(name, name) for name in self._coloring.choices],
            "Column that gives the colours: that of the map, until you choose another.",
        )
        self.color_by.activated.connect(self._note_color)
        self.legend = QCheckBox("Legend")
        self.legend.setToolTip("Names, colours and counts beside the map.")
        self.legend.setChecked(True)
        self.thumbnails = QCheckBox("Pictures of patches")
        self.thumbnails.setToolTip("On the map, as many as do not overlap.")
        self.tiles = QCheckBox("Tiles in place of objects")
        self.tiles.setToolTip("The windows that were cut; label images are not needed then.")
        self.format = Choice([], "How the file is written.")
        self.format.activated.connect(self._take_format)
        self.path = QLineEdit()
        self.path.textChanged.connect(self._on_path)
        self.browse_button = QToolButton()
        self.browse_button.setText("...")
        self.browse_button.setToolTip("Choose where to write.")
        self.browse_button.clicked.connect(self._browse)
        self._path_row = side_by_side(self.path, self.browse_button)
        self.obstacle = Wrapped()
        self.overwrite = QCheckBox()
        self.overwrite.toggled.connect(self.changed)
        self._form = form_layout()
        self.setLayout(self._form)
        add_rows(self._form, [
            ("Colour by", self.color_by), ("", self.legend), ("", self.thumbnails),
            ("", self.tiles), ("Format", self.format), ("Write to", self._path_row),
            ("", self.obstacle), ("", self.overwrite),
        ])  # fmt: skip

    # --- what is chosen -----------------------------------------------------------------------

    def chosen_path(self) -> Path:
        """Return where is to be written, absolute and with a suffix.

        Raises
        ------
        InputError
            Where nothing is named, or the suffix is none of the kind's.
        """
        text = self.path.text().strip()
        if not text:
            raise InputError("name what to write")
        return self._kind.completed(_folder(self._run) / Path(text).expanduser())

    def options(self) -> dict[str, Any]:
        """Return the choices that the kind has."""
        chosen = {
            "color_by": self.color_by.value,
            "legend": self.legend.isChecked(),
            "thumbnails": self.thumbnails.isChecked(),
            "tiles": self.tiles.isChecked(),
        }
        # Gradient or classes: as the map has it.
        return {name: chosen[name] for name in self._kind.options if name in chosen}

    @property
    def ready(self) -> bool:
        """Whether it can be written there, as far as that is seen beforehand."""
        return not self.obstacle.text() and (
            not self.overwrite.isVisibleTo(self) or self.overwrite.isChecked()
        )

    def show_kind(self, kind: Kind) -> None:
        """Ask what a kind of export needs; of a path the user gave, only the suffix changes."""
        self._kind = kind
        self.format.offer([(suffix[1:].upper(), suffix) for suffix in kind.suffixes])
        for name, field in (
            ("color_by", self.color_by), ("legend", self.legend), ("thumbnails", self.thumbnails)
        ):  # fmt: skip
            show_row(self._form, field, name in kind.options)
        of_objects = isinstance(self._run.recipe.patches, Objects)
        show_row(self._form, self.tiles, "tiles" in kind.options and of_objects)
        show_row(self._form, self.format, len(kind.suffixes) > 1)
        self._suggest_path()
        self._on_path()

    def look(self) -> None:
        """Look again what is at the path, and ask again whether that is to be overwritten."""
        self._on_path()

    # --- what changes what --------------------------------------------------------------------

    def _suggest_path(self) -> None:
        kind, text = self._kind, self.path.text().strip()
        path = Path(text)
        if text in ("", self._suggested):
            folder = path.parent if text else _folder(self._run)
            self._suggested = str(folder / default_name(self._run, kind))
            self.path.setText(self._suggested)
        elif path.suffix.lower() not in kind.suffixes:
            usual = "".join(kind.suffixes[:1])
            known = any(path.suffix.lower() in other.suffixes for other in KINDS)
            self.path.setText(str(path.with_suffix(usual)) if known else text + usual)

    def _take_format(self) -> None:
        text = self.path.text().strip()
        path = Path(text) if Path(text).name else Path(text, default_name(self._run, self._kind))
        changed = str(path.with_suffix(self.format.value))
        if text == self._suggested:
            self._suggested = changed
        self.path.setText(changed)

    def _on_path(self) -> None:
        """See what is at the path: it is never overwritten without a tick for it."""
        self.overwrite.setChecked(False)
        self.path.setToolTip(self.path.text())
        obstacle = standing = ""
        try:
            path = self.chosen_path()
        except InputError as error:
            obstacle = capital(sentence(error))
        else:
            standing = self._kind.standing(path)
            what = "folder" if path.is_dir() else "file"
            if standing == "taken":
                reason = self._kind.why_taken(path).removeprefix(str(path))
                obstacle = f"A {what} of this name{reason}."
            self.overwrite.setText(f"Overwrite: this {what} exists")
            if not self._kind.is_folder:
                self.format.choose(path.suffix.lower())
        self.obstacle.setText(obstacle)
        show_row(self._form, self.obstacle, bool(obstacle))
        show_row(self._form, self.overwrite, standing == "replaceable")
        self.changed.emit()

    def _note_color(self) -> None:
        self._color_chosen = True

    def _follow_choices(self) -> None:
        self.color_by.offer([(name, name) for name in self._coloring.choices])

    def _follow_coloring(self) -> None:
        if not self._color_chosen:
            self.color_by.choose(self._coloring.column)

    def _browse(self) -> None:
        kind, path = self._kind, _folder(self._run) / self.path.text().strip()
        if kind.is_folder:
            chosen = QFileDialog.getExistingDirectory(
                self, f"Folder for {kind.title}", str(path.parent)
            )
            # A folder of its own in there, unless it is empty or was made by an export.
            if chosen and kind.standing(Path(chosen)) == "taken":
                chosen = str(Path(chosen) / default_name(self._run, kind))
        else:
            patterns = " ".join(f"*{suffix}" for suffix in kind.suffixes)
            # Whether it is to be overwritten is asked here, once.
            chosen, _ = QFileDialog.getSaveFileName(
                self, f"Export {kind.title}", str(path), f"{kind.title} ({patterns})",
                options=QFileDialog.Option.DontConfirmOverwrite,
            )  # fmt: skip
        if chosen:
            self.path.setText(chosen)


def _folder(run: Run) -> Path:
    return remembered_folder() or run.folder.parent
