"""A point in time, told by two clocks: the wall for law and calendar, the monotonic for pacing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """wall: aware, in UTC. mono_s: seconds of a clock that never steps; its zero means nothing."""

    wall: datetime
    mono_s: float

    def __post_init__(self) -> None:
        if self.wall.tzinfo is None:
            raise ValueError("a naive datetime has no place in Duecall")
        if self.wall.utcoffset():
            object.__setattr__(self, "wall", self.wall.astimezone(timezone.utc))

    def after(self, seconds: float) -> Moment:
        """The moment this many seconds later, on both clocks."""
        return Moment(self.wall + timedelta(seconds=seconds), self.mono_s + seconds)
