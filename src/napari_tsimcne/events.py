"""What a training says while it runs: small frozen models, one JSON line each between processes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True)


class Prepared(_Event):
    """The network is built and the data is open."""

    kind: Literal["prepared"] = "prepared"
    patches: int
    parameters: int
    device: str
    precision: str


class Progress(_Event):
    """Some steps were taken.

    ``fraction`` of the whole job in 0..1; ``loss`` is None while views are computed for a
    readout; ``seconds_left`` of the whole job, None until it can be measured.
    """

    kind: Literal["progress"] = "progress"
    stage: str
    stage_number: int
    stages: int
    epoch: int
    epochs: int
    loss: float | None
    images_per_second: float
    fraction: float
    seconds_left: float | None


class EpochEnded(_Event):
    """An epoch is over; ``loss`` is its mean over steps."""

    kind: Literal["epoch"] = "epoch"
    stage: str
    epoch: int
    epochs: int
    loss: float


class Embedding(_Event):
    """The network is applied to every patch, without augmentation, to draw the map."""

    kind: Literal["embedding"] = "embedding"
    fraction: float


class Finished(_Event):
    """The map is written. ``stopped``: on request, before the recipe's end."""

    kind: Literal["finished"] = "finished"
    stopped: bool
    seconds: float


class Failed(_Event):
    """Training broke off; ``reason`` is one sentence for the user, ``detail`` the traceback."""

    kind: Literal["failed"] = "failed"
    reason: str
    detail: str = ""


Event = Prepared | Progress | EpochEnded | Embedding | Finished | Failed

_adapter: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])


def parse_event(line: str) -> Event | None:
    """Read one JSON line; None where the line is no event (a library's warning, say)."""
    try:
        return _adapter.validate_json(line)
    except ValidationError:
        return None


def readable_time(seconds: float) -> str:
    """Return a duration for people: ``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
