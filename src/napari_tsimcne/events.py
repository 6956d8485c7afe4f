"""What a training says while it runs: small frozen models, one JSON line each between processes."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.functional_serializers import PlainSerializer
from pydantic.functional_validators import BeforeValidator


def _encode(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def _decoder(dtype: str) -> BeforeValidator:
    def decode(value: object) -> object:
        if isinstance(value, str):
            return np.frombuffer(base64.b64decode(value, validate=True), dtype)
        return value

    return BeforeValidator(decode)


_Integers = Annotated[np.ndarray, _decoder("<i8"), PlainSerializer(_encode, when_used="json")]
_Floats = Annotated[np.ndarray, _decoder("<f4"), PlainSerializer(_encode, when_used="json")]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)


class Preparing(_Event):
    """Something that takes a while is done before the first step; ``text`` says what."""

    kind: Literal["preparing"] = "preparing"
    text: str


class Prepared(_Event):
    """The network is built and the data is open.

    ``compiled``: by torch.compile; ``resumed``: where it was cut off.
    """

    kind: Literal["prepared"] = "prepared"
    patches: int
    parameters: int
    device: str
    precision: str
    compiled: bool = False
    resumed: bool = False


class Progress(_Event):
    """Some steps were taken.

    ``fraction`` of the whole job in 0..1; ``loss`` is None while views are computed for a
    cache; ``seconds_left`` of the whole job, None until it can be measured.
    """

    kind: Literal["progress"] = "progress"
    stage: str
    stage_number: int
    stages: int
    epoch: int
    epochs: int
    step: int
    steps: int
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


class MapMoved(_Event):
    """Where the patches are on the map that is being learnt.

    ``rows`` (n,) int64 of the patch table, ascending: all, or a fixed sample of many; ``values``
    their coordinates, row by row, float32; see ``coordinates``.
    """

    kind: Literal["map"] = "map"
    dimensions: int
    rows: _Integers
    values: _Floats

    @property
    def coordinates(self) -> np.ndarray:
        """(n, dimensions) float32."""
        return self.values.reshape(len(self.rows), self.dimensions)


class Saved(_Event):
    """A checkpoint was written: what was learnt up to here cannot be lost."""

    kind: Literal["saved"] = "saved"


class Paused(_Event):
    """Training holds until it is told to go on."""

    kind: Literal["paused"] = "paused"


class Resumed(_Event):
    """Training goes on after a pause."""

    kind: Literal["resumed"] = "resumed"


class RolledBack(_Event):
    """Training went wrong and goes on from the last good checkpoint with a lower rate."""

    kind: Literal["rolled back"] = "rolled back"
    reason: str
    rate_scale: float


class Noted(_Event):
    """Something is not as it was before, or not as it was asked for; ``text`` says what, and why.

    Such as a training that goes on with other random numbers, on another kind of device.
    """

    kind: Literal["noted"] = "noted"
    text: str


class Embedding(_Event):
    """The network is applied to every patch, without augmentation, to draw the map.

    ``fraction`` of these patches; ``whole`` is the fraction of the whole job, and ``seconds_left``
    that of the whole job, None where not known. ``addition``: the name of the addition whose
    patches these are, empty for the run's own.
    """

    kind: Literal["embedding"] = "embedding"
    fraction: float
    whole: float | None = None
    seconds_left: float | None = None
    addition: str = ""


class Finished(_Event):
    """The map is written. ``stopped``: on request, before the recipe's end.

    Peak memory in bytes: of the process, and of the GPU where one was used.
    """

    kind: Literal["finished"] = "finished"
    stopped: bool
    seconds: float
    peak_host_bytes: int = 0
    peak_device_bytes: int = 0


class Failed(_Event):
    """Training broke off; ``reason`` is one sentence for the user, ``detail`` the traceback."""

    kind: Literal["failed"] = "failed"
    reason: str
    detail: str = ""


Event = (
    Preparing | Prepared | Progress | EpochEnded | MapMoved | Saved | Paused | Resumed | RolledBack
    | Noted | Embedding | Finished | Failed
)  # fmt: skip

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
