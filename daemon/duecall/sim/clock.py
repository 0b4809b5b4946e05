"""The clocks of one machine: the wall may be stepped, the monotonic may stand still for a while."""

from __future__ import annotations

from datetime import datetime, timedelta

from duecall.core.moment import Moment

MONOTONIC_ZERO_S = 1_000.0  # its zero means nothing: let nobody rely on it


class Clock:
    """wall: what it shows when the story begins."""

    def __init__(self, wall: datetime) -> None:
        self._wall = wall
        self._mono_s = MONOTONIC_ZERO_S

    def moment(self, now_s: float) -> Moment:
        """What this machine takes for now. now_s: true time."""
        return Moment(self._wall + timedelta(seconds=now_s), self._mono_s + now_s)

    def step(self, seconds: float) -> None:
        """The wall clock is put on, or back where negative."""
        self._wall += timedelta(seconds=seconds)

    def stand_still(self, seconds: float) -> None:
        """The monotonic clock did not count these seconds."""
        self._mono_s -= seconds

    def true_s(self, mono_s: float) -> float:
        """True time at which the monotonic clock shows mono_s, if nothing happens before."""
        return mono_s - self._mono_s

    def true_s_of(self, wall: datetime) -> float:
        """True time at which the wall clock shows this, if nobody steps it before."""
        return (wall - self._wall).total_seconds()
