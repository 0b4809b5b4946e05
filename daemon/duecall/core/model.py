"""What campaigns, the site and rule packs are made of: the strict model, and hours of a day."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from duecall.core.scalars import END_OF_DAY, Clock, EndClock, refuse

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Hours(Model):
    """Local time at the callee; from_ included, to excluded. 24:00 is the end of the day."""

    from_: Clock = Field(alias="from")
    to: EndClock

    @model_validator(mode="after")
    def _check(self) -> Hours:
        if not self.to > self.from_ and self.to != END_OF_DAY:
            problem = f"ends at {self.to:%H:%M}, not after its start at {self.from_:%H:%M}"
            refuse("Hours", [(("to",), problem, "a later time of the same day, up to 24:00")])
        return self

    def overlaps(self, other: Hours) -> bool:
        """Whether the two share a moment."""
        return (self.from_ < other.to or other.to == END_OF_DAY) and (
            other.from_ < self.to or self.to == END_OF_DAY
        )

    def __str__(self) -> str:
        return f"{self.from_:%H:%M}-{'24:00' if self.to == END_OF_DAY else f'{self.to:%H:%M}'}"
