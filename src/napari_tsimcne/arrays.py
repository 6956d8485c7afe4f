"""Arrays in JSON lines between processes: shape, dtype, and the bytes in base64."""

from __future__ import annotations

import base64
from math import prod
from typing import Annotated, Any

import numpy as np
from pydantic.functional_serializers import PlainSerializer
from pydantic.functional_validators import BeforeValidator


def _encode(values: np.ndarray) -> dict[str, Any]:
    data = base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")
    return {"dtype": values.dtype.str, "shape": values.shape, "data": data}


def _decode(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value
    dtype, shape = np.dtype(value["dtype"]), tuple(int(n) for n in value["shape"])
    data = base64.b64decode(value["data"], validate=True)
    if dtype.hasobject or prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{len(data)} bytes are no {dtype} of shape {shape}")
    # A copy, since one on top of bytes cannot be written to, of which torch warns.
    return np.frombuffer(data, dtype).reshape(shape).copy()


AnyArray = Annotated[
    np.ndarray, BeforeValidator(_decode), PlainSerializer(_encode, when_used="json")
]
"""A field of a pydantic model that holds an array of any shape and plain dtype."""
