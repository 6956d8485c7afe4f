"""What a window asks about learning before it trains: one JSON line each, answered in one line.

The answers come from a process that has torch (`napari_tsimcne.advisor`); the window has none.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from napari_tsimcne.arrays import AnyArray
from napari_tsimcne.recipe import Augmentations, Recipe


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    number: int = 0
    """Of the question; the answer has the same."""


# --- questions ----------------------------------------------------------------------------------


class DevicesAsked(_Message):
    """Which devices there are."""

    kind: Literal["devices"] = "devices"


class ViewsAsked(_Message):
    """What views of these patches look like.

    ``patches`` (P, C, S + 2 margin, S + 2 margin), original values; ``low`` and ``high`` (C,)
    float32, values taken as 0 and 1; ``size`` S, the side of a view in pixels; ``views`` of each.
    """

    kind: Literal["views"] = "views"
    patches: AnyArray
    low: AnyArray
    high: AnyArray
    rgb: bool
    size: int
    augmentations: Augmentations
    views: int = 8
    seed: int = 0


class EstimateAsked(_Message):
    """How long a training takes here, and which batch fits.

    ``patches`` of ``channels`` to train on.
    """

    kind: Literal["estimate"] = "estimate"
    recipe: Recipe
    patches: int
    channels: int
    rgb: bool
    device: str = "auto"


# --- answers ------------------------------------------------------------------------------------


class Device(BaseModel):
    """``name`` as in ``--device``; ``title`` for the user; ``memory`` in bytes, free of all."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    free_bytes: int
    total_bytes: int


class DevicesFound(_Message):
    """The devices of this machine, the one that ``auto`` takes first."""

    kind: Literal["devices found"] = "devices found"
    devices: tuple[Device, ...]


class ViewsMade(_Message):
    """``values`` (P, 1 + views, C, S, S) uint8, 0..255: each patch itself, then its views."""

    kind: Literal["views made"] = "views made"
    values: AnyArray


class Estimated(_Message):
    """``stage_seconds`` by stage, measured by a few steps; ``seconds`` of the whole training.

    Besides, it takes ``choosing_seconds`` to choose the arithmetic before the first stage, and
    ``embedding_seconds`` to put all patches onto the map after the last.
    ``fitting_batch``: the batch size asked for, or the largest that fits where that does not.
    """

    kind: Literal["estimated"] = "estimated"
    device: str
    seconds: float
    stage_seconds: dict[str, float]
    choosing_seconds: float = 0.0
    embedding_seconds: float = 0.0
    images_per_second: float
    fitting_batch: int

    @property
    def parts(self) -> dict[str, float]:
        """Seconds of every part by its name, in order; together they are ``seconds``."""
        parts = {
            "choosing the arithmetic": self.choosing_seconds,
            **self.stage_seconds,
            "all patches onto the map": self.embedding_seconds,
        }
        return {name: seconds for name, seconds in parts.items() if seconds}


class Refused(_Message):
    """There is no answer; ``reason`` is one sentence for the user."""

    kind: Literal["refused"] = "refused"
    reason: str


Question = DevicesAsked | ViewsAsked | EstimateAsked
Answer = DevicesFound | ViewsMade | Estimated | Refused

_questions: TypeAdapter[Question] = TypeAdapter(Annotated[Question, Field(discriminator="kind")])
_answers: TypeAdapter[Answer] = TypeAdapter(Annotated[Answer, Field(discriminator="kind")])


def parse_question(line: str | bytes) -> Question:
    """Read a question; raises ``ValueError`` where the line is none."""
    return _questions.validate_json(line)


def parse_answer(line: str | bytes) -> Answer:
    """Read an answer; raises ``ValueError`` where the line is none."""
    return _answers.validate_json(line)
