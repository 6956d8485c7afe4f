"""What all parts of a recipe share."""

from __future__ import annotations

import math
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Probability = Annotated[float, Field(ge=0, le=1)]
Range = tuple[float, float]


class Settings(BaseModel):
    """Frozen, without unknown fields, and with ranges that ascend."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="after")
    def _ranges_ascend(self) -> Self:
        for name, field in type(self).model_fields.items():
            if field.annotation == Range:
                low, high = getattr(self, name)
                if not (math.isfinite(low) and math.isfinite(high) and low <= high):
                    raise ValueError(f"{name} must be a range (low, high) with low <= high")
        return self
