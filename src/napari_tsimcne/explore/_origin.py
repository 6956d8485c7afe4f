"""How a cluster was made, in a record and in words."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

BY_HAND: Literal["by hand"] = "by hand"

NAMES = {"hdbscan": "HDBSCAN", "k-means": "k-means", "gaussian mixture": "a Gaussian mixture"}


class Origin(BaseModel):
    """How a cluster was made.

    Parameters
    ----------
    method
        By hand (of selected patches), or by which algorithm.
    size
        How many clusters were asked for; of HDBSCAN, the fewest patches in one.
    on
        What was clustered: the map, or the features H.
    edited
        Whether patches were added or taken away by hand since.
    """

    model_config = ConfigDict(frozen=True)

    method: Literal["by hand", "hdbscan", "k-means", "gaussian mixture"] = BY_HAND
    size: int | None = Field(None, ge=1)
    on: Literal["map", "features"] = "map"
    edited: bool = False

    @property
    def text(self) -> str:
        """What a table or tooltip says: ``by k-means (k = 4) on the map, then edited by hand``."""
        edited = ", then edited by hand" if self.edited else ""
        return f"{self.made}{edited}"

    @property
    def made(self) -> str:
        """How it was made at first: ``by k-means (k = 4) on the map``."""
        if self.method == BY_HAND:
            return BY_HAND
        what = {"hdbscan": "at least {} patches a cluster", "k-means": "k = {}",
                "gaussian mixture": "{} components"}[self.method]  # fmt: skip
        how = f" ({what.format(f'{self.size:,}')})" if self.size is not None else ""
        return f"by {NAMES[self.method]}{how} on the {self.on}"
