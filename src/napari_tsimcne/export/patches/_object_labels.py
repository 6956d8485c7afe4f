"""The objects that patches were cut by, in their label images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from napari_tsimcne.errors import InputError
from napari_tsimcne.images import ImageSource
from napari_tsimcne.patches import read_labels
from napari_tsimcne.recipe import Depth, Objects
from napari_tsimcne.runs import Run


def has_objects(run: Run) -> bool:
    """Whether the patches of a run are of objects."""
    return isinstance(run.recipe.patches, Objects)


@dataclass(frozen=True)
class ObjectLabels:
    """The label image of an image of a run, which has its rows and columns."""

    source: ImageSource

    @classmethod
    def of(cls, run: Run, image: str, given: Mapping[str, ImageSource]) -> ObjectLabels:
        """Take the label image that is ``given`` for an image, or open it from its file.

        Raises
        ------
        InputError
            Where it cannot be opened, or does not fit.
        """
        source = given.get(image)
        try:
            source = run.info.labels[image].open() if source is None else source
        except (InputError, KeyError) as error:
            reason = f" ({error})" if isinstance(error, InputError) else ""
            raise InputError(
                f"the label image of '{image}' cannot be opened{reason}: put it back, find it with "
                "Find images... (in a terminal, napari-tsimcne locate), or export tiles instead of "
                "objects"
            ) from error
        record = run.image(image)
        lengths = dict(zip(record.axes, record.shape, strict=True))
        if source.height_width != (lengths["Y"], lengths["X"]):
            raise InputError(
                f"the label image '{source.name}' is {source.height_width[0]} x "
                f"{source.height_width[1]} pixels but '{image}' is {lengths['Y']} x "
                f"{lengths['X']}: give the one the patches were cut by"
            )
        return cls(source.at_depth(Depth()))

    @property
    def height_width(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.source.height_width

    def read(self, t: int, z: int, rows: slice, columns: slice) -> np.ndarray:
        """Return the labels of a region of a plane, (h, w) whole numbers.

        Labels of one time or depth stand for all of it.
        """
        t, z = (at if self.source.length(axis) > 1 else 0 for axis, at in (("T", t), ("Z", z)))
        return read_labels(self.source, t, z, rows, columns)
