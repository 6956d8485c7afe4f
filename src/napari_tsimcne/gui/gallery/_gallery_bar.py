"""The bar above the gallery: what is shown, in which order, how large, in which channels."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QWidget,
)
from superqt import QFlowLayout

from napari_tsimcne.gui.images._crops import Crops

REPRESENTATIVE = "representative first"
UNUSUAL = "most unusual first"
SIMILARITY = "similarity to the first"
RANDOM = "random"
SEARCHING = "searching…"
SORTING = "sorting…"
ORDERS = {
    REPRESENTATIVE: "one example of each kind of patch among the selected, then the most typical",
    UNUSUAL: "those that differ most from all other selected patches",
    SIMILARITY: "by similarity to the framed picture, or to the first one",
    RANDOM: "in random order; choose it again for another one",
}
SIZES = (32, 192)
SIZE = 64
GROWTH = 10
MOST_GROWTH = 100_000
LONGEST_NAME = 16
ORDER_LENGTH = 12
"""Letters that the box of orders has room for; its list has room for all."""

KEYS = "The keys 0 to 9 put all selected patches into a cluster, or out of theirs."
KEYS_OF_FRAMED = (
    "The keys 0 to 9 put the framed patches alone into a cluster, or out of theirs.\n"
    "Escape takes the frames away."
)
LIST_MARGIN = 30
SPACE = 4


class GalleryBar(QWidget):
    """Wraps to as many lines as it needs.

    Signals are emitted when the user wants: another order; pictures of so many pixels; patches
    similar to the selected ones; so many of them added to the selection; what a ranking shows
    selected; and the selection shown in place of the ranking.
    """

    order_chosen = Signal()
    size_changed = Signal(int)
    similar_wanted = Signal()
    growth_wanted = Signal(int)
    select_shown_wanted = Signal()
    back_wanted = Signal()

    def __init__(self, columns: Sequence[str], crops: Crops) -> None:
        super().__init__()
        self._crops = crops
        layout = QFlowLayout(self)
        layout.setContentsMargins(SPACE, SPACE, SPACE, 0)
        layout.setHorizontalSpacing(SPACE)
        layout.setVerticalSpacing(SPACE)
        self.title = QLabel()
        self._title = self._doing = self._framed = ""
        self.title.setToolTip(KEYS)
        self._build_order(columns)
        self._build_size()
        self._build_search()
        self._build_channels()
        self._height = self.order.sizeHint().height()
        self.ordering = _side_by_side(self.order, self.descending)
        self.growing = _side_by_side(self.grow_button, self.growth)
        for widget in (self.title, self.ordering, self.back_button, self.select_button,
                       self.similar_button, self.growing, self.size, *self.channels):  # fmt: skip
            # Of the same height, as lines are not aligned otherwise.
            widget.setFixedHeight(self._height)
            layout.addWidget(widget)
        self.show_selection(0)

    @property
    def column(self) -> str | None:
        """The column that pictures are ordered by, None for one of the other orders."""
        return self.order.currentData()

    # --- what is shown ------------------------------------------------------------------------

    def show_selection(self, count: int) -> None:
        """Offer what can be done with a selection of so many patches."""
        self._show(ranking=False, title=f"{count:,} selected")
        for widget in (self.similar_button, self.growing):
            widget.setEnabled(count > 0)

    def show_ranking(self, title: str) -> None:
        """Offer what can be done with a ranking."""
        self._show(ranking=True, title=title)

    def show_columns(self, columns: Sequence[str]) -> None:
        """Offer these columns to order by; where the chosen one is gone, the first order is."""
        before, own = self.column, len(ORDERS)
        while self.order.count() > own:
            self.order.removeItem(own)
        self.order.insertSeparator(own)
        for column in columns:
            self.order.addItem(column, column)
        if before is not None:
            self.order.setCurrentIndex(max(0, self.order.findData(before)))
        self.order.view().setMinimumWidth(self.order.view().sizeHintForColumn(0) + LIST_MARGIN)

    def show_channels(self) -> None:
        """Follow channels that were switched elsewhere, and their colours."""
        for channel, box in enumerate(self.channels):
            box.setChecked(self._crops.shown[channel])
            box.setIcon(_swatch(self._crops.channel_color(channel)))

    def show_framed(self, count: int) -> None:
        """Tell how many pictures are framed, on which the keys 0 to 9 act then."""
        self._framed = f"{count:,} framed of " if count else ""
        self.title.setToolTip(KEYS_OF_FRAMED if count else KEYS)
        self.show_busy(self._doing)

    def _show(self, *, ranking: bool, title: str) -> None:
        self._title = title
        # Nothing moves while it says that something is being done, or is framed.
        framed = "" if title.startswith("0 ") else f"100 framed of {title}"
        texts = (title, framed, SEARCHING)
        longest = max(texts, key=self.title.fontMetrics().horizontalAdvance)
        self.title.setMinimumWidth(self.title.fontMetrics().horizontalAdvance(longest))
        self.show_busy(self._doing)
        for widget in (self.similar_button, self.growing, self.ordering):
            widget.setVisible(not ranking)
        for widget in (self.back_button, self.select_button):
            widget.setVisible(ranking)

    def show_busy(self, doing: str) -> None:
        """Say what is being done, in place of the title; nothing, where there is nothing."""
        self._doing = doing
        self.title.setText(doing or self._framed + self._title)

    # --- widgets ------------------------------------------------------------------------------

    def _build_order(self, columns: Sequence[str]) -> None:
        self.order = QComboBox()
        for text, tip in ORDERS.items():
            self.order.addItem(text)
            self.order.setItemData(self.order.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.order.setToolTip("Order of the pictures: by similarity, or by a column.")
        self.order.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.order.setMinimumContentsLength(ORDER_LENGTH)
        self.show_columns(columns)
        self.descending = QPushButton("↓")
        self.descending.setCheckable(True)
        self.descending.setToolTip("From the last to the first, the largest value first.")
        self.descending.setFixedWidth(self.descending.fontMetrics().height() * 2)
        # Chosen again, "random" draws anew.
        self.order.activated.connect(lambda _: self.order_chosen.emit())

    def _build_size(self) -> None:
        self.size = QSlider(Qt.Orientation.Horizontal)
        self.size.setRange(*SIZES)
        self.size.setValue(SIZE)
        self.size.setFixedWidth(64)
        self.size.setToolTip(f"Size of the pictures: {SIZES[0]} to {SIZES[1]} px of the screen.")
        self.size.valueChanged.connect(self.size_changed)

    def _build_search(self) -> None:
        self.similar_button = _button(
            "Find similar", "Show the 100 patches that are most similar to the selected ones."
        )
        self.grow_button = _button(
            "Grow by", "Add the patches that are most similar to the selected ones."
        )
        self.growth = QSpinBox()
        self.growth.setRange(1, MOST_GROWTH)
        self.growth.setValue(GROWTH)
        self.growth.setFixedWidth(72)
        self.growth.setToolTip(f"How many patches are added: 1 to {MOST_GROWTH:,}.")
        self.select_button = _button("Select shown", "Select the patches that are shown.")
        self.back_button = _button("Back to selection", "Show the selected patches again.")
        self.similar_button.clicked.connect(lambda: self.similar_wanted.emit())
        self.grow_button.clicked.connect(lambda: self.growth_wanted.emit(self.growth.value()))
        self.select_button.clicked.connect(lambda: self.select_shown_wanted.emit())
        self.back_button.clicked.connect(lambda: self.back_wanted.emit())

    def _build_channels(self) -> None:
        self.channels: list[QCheckBox] = []
        names = self._crops.channel_names
        if self._crops.rgb or len(names) == 1:
            return
        for channel, name in enumerate(names):
            box = QCheckBox(name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…")
            box.setToolTip(f"Show the channel '{name}' in the pictures.")
            box.setChecked(self._crops.shown[channel])
            box.toggled.connect(lambda on, channel=channel: self._crops.show_channel(channel, on))
            self.channels.append(box)
        self.show_channels()


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
    return button


def _side_by_side(*widgets: QWidget) -> QWidget:
    group = QWidget()
    layout = QHBoxLayout(group)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(2)
    for widget in widgets:
        layout.addWidget(widget)
    return group


def _swatch(color: tuple[float, float, float]) -> QIcon:
    pixmap = QPixmap(12, 12)
    pixmap.fill(QColor.fromRgbF(*color))
    return QIcon(pixmap)
